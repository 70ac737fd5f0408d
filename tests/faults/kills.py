"""Kills works at random moments: the same call resumes them, and they end with the same files, to the bit.

    python -m tests.faults.kills --kills 71 --seed 0

A work is run once undisturbed. Then it is killed (SIGKILL) up to three times, each time at a random moment of its clock
or before a random change of a file, and run to its end; or one of its workers is killed, and it goes on by itself.
"""

import argparse
import collections
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

# One thread: a fork after threads of OpenMP ran hangs; and numbers depend on it in their last bit.
os.environ |= {"OMP_NUM_THREADS": "1", "DGLBACKEND": "pytorch", "OMP_WAIT_POLICY": "PASSIVE"}

from tests.faults.works import ON_RAY, WORKS, Work, outcome

KILLS_EACH = 3
"""How often a work is killed before it is let to its end."""
LIMIT = 600
"""Seconds of a processor after which a work never ends."""
IDLE = 180
"""Seconds in which a work that does not hang has used a processor, however busy the machine is."""
_CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir"}
_WRITING = os.O_WRONLY | os.O_RDWR
_WORKERS = ("stexplain.engine.child", "ray::write_part")


class Failed(Exception):
    """A work that did not resume, or ended with other files."""


@dataclass(frozen=True)
class Kill:
    """When a process is killed.

    Attributes:
        change: before which change of a file in the output folder, from 1; none: by the clock.
        seconds: after which.
        worker: whether one of its workers is, and not itself.
    """

    change: int | None = None
    seconds: float = 0.0
    worker: bool = False


class Killer:
    """Runs one work, again and again.

    Args:
        work: to be run.
        folder: for its inputs and its outputs.
    """

    def __init__(self, work: Work, folder: Path) -> None:
        self.work, self.out = work, folder / "out"
        self.inputs, self.report = folder / "inputs", folder / "report.txt"
        folder.mkdir(parents=True)
        # A server that has all imported forks each process: a moment drawn at random then falls into the work.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.faults.preload"])
        self.inputs.mkdir()
        self._run("write inputs")
        started = time.monotonic()
        self._run("undisturbed")
        self.seconds = time.monotonic() - started
        self.changes = int(self.report.read_text("utf-8"))
        self.expected = outcome(self.out)

    def trial(self, kills: list[Kill]) -> int:
        """Kills a new run of the work so often, and lets it end.

        Returns:
            How many kills struck: a work may end before its moment comes.

        Raises:
            Failed: where it does not resume, or its files are others.
        """
        shutil.rmtree(self.out)
        struck = 0
        for kill in kills:
            hit, ended = self._attempt(kill)
            struck += hit
            if ended:
                break
        else:
            self._run(f"resumed after {kills}")
        found = outcome(self.out)
        if found != self.expected:
            names = {*found, *self.expected}
            differ = sorted(name for name in names if found.get(name) != self.expected.get(name))
            raise Failed(f"{self.work.name}, {kills}: other files: {', '.join(differ[:8])}")
        return struck

    def _attempt(self, kill: Kill) -> tuple[bool, bool]:
        """Whether the kill struck, and whether the work has ended."""
        process = self._started(kill.change)
        if kill.change is None:
            process.join(kill.seconds)
            if kill.worker:
                struck = self._kill_worker(process)
                self._end(process, f"with {kill}")
                return struck, True
            if process.is_alive():
                process.kill()
        self._wait(process, f"before {kill}")
        if process.exitcode == -signal.SIGKILL:
            return True, False
        self._end(process, f"before {kill}")
        return False, True

    def _kill_worker(self, process: multiprocessing.process.BaseProcess) -> bool:
        """Kills the first worker that is seen to run."""
        while process.is_alive():
            if found := [one for one in descendants(int(process.pid or 0)) if _is_worker(one)]:
                os.kill(random.choice(found), signal.SIGKILL)
                return True
            time.sleep(0.02)
        return False

    def _run(self, what: str) -> None:
        self._end(self._started(None, inputs=what == "write inputs"), what)

    def _started(self, change: int | None, *, inputs: bool = False) -> multiprocessing.process.BaseProcess:
        given = (self.work.name, self.inputs, self.out, self.report, change, inputs)
        process = self._context.Process(target=_work, args=given)
        process.start()
        return process

    def _wait(self, process: multiprocessing.process.BaseProcess, what: str) -> None:
        """Waits for its end."""
        used, since = 0.0, time.monotonic()
        while process.is_alive():
            process.join(1)
            now = sum(map(_seconds, [int(process.pid or 0), *descendants(int(process.pid or 0))]))
            if now != used:
                used, since = now, time.monotonic()
            if used > LIMIT or time.monotonic() - since > IDLE:
                process.kill()
                raise Failed(f"{self.work.name}, {what}: hangs after {used:.0f} s of a processor")

    def _end(self, process: multiprocessing.process.BaseProcess, what: str) -> None:
        self._wait(process, what)
        if process.exitcode:
            raise Failed(f"{self.work.name}, {what}: ended with {process.exitcode}: {self.report.read_text('utf-8')}")


def _work(name: str, inputs: Path, out: Path, report: Path, kill_at: int | None, writes_inputs: bool) -> None:
    """The process that is killed."""
    work = next(one for one in [*WORKS, *ON_RAY] if one.name == name)
    seen, place = 0, str(out)

    def count(event: str, args: tuple[object, ...]) -> None:
        nonlocal seen
        changes = event in _CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & _WRITING)
        if not changes or not isinstance(args[0], str | os.PathLike) or not str(args[0]).startswith(place):
            return
        seen += 1
        if seen == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        if writes_inputs:
            work.inputs(inputs)
        else:
            out.mkdir(exist_ok=True)
            sys.addaudithook(count)
            work.run(inputs, out)
    except BaseException:
        report.write_text(traceback.format_exc(), "utf-8")
        os._exit(1)
    report.write_text(str(seen), "utf-8")
    # Without the ends of others' threads and servers: they are not what is tested.
    os._exit(0)


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have, on Linux."""
    parents: dict[int, list[int]] = collections.defaultdict(list)
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                # The name, in parentheses, may hold anything.
                parents[int((folder / "stat").read_text().rpartition(")")[2].split()[1])].append(int(folder.name))
            except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
                continue
    found, waiting = [], [pid]
    while waiting:
        below = parents[waiting.pop()]
        found += below
        waiting += below
    return found


def _seconds(pid: int) -> float:
    """That a process has used of a processor, with those of its children that have ended, on Linux."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _is_worker(pid: int) -> bool:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return any(name in line for name in _WORKERS)


def drawn(killer: Killer, draw: random.Random) -> list[Kill]:
    """The kills of a trial."""
    if killer.work.workers and draw.random() < 0.4:
        return [Kill(seconds=draw.uniform(0, killer.seconds), worker=True)]
    return [
        Kill(seconds=draw.uniform(0, killer.seconds))
        if draw.random() < 0.5
        else Kill(change=draw.randint(1, killer.changes))
        for _ in range(draw.randint(1, KILLS_EACH))
    ]


def main(arguments: list[str]) -> int:
    """The command; ends with 1 where a work did not resume to the same files."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=71, help="how many must strike, over all works")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", action="append", help="only works whose name contains this; may be repeated")
    parser.add_argument("--skip", action="append", default=[], help="no work whose name contains this")
    given = parser.parse_args(arguments)
    works = [one for one in [*WORKS, *ON_RAY] if not given.work or any(part in one.name for part in given.work)]
    works = [one for one in works if not any(part in one.name for part in given.skip)]
    counts: dict[str, int] = collections.Counter()
    draw, failures, trials = random.Random(given.seed), 0, 0
    with tempfile.TemporaryDirectory(prefix="kills-") as place:
        killers: dict[str, Killer] = {}
        while sum(counts.values()) < given.kills:
            # In turn, so that each work has its share.
            work = works[trials % len(works)]
            if work.name not in killers:
                killers[work.name] = killer = Killer(work, Path(place) / str(len(killers)))
                print(f"{work.name} takes {killer.seconds:.1f} s and {killer.changes} changes of files", flush=True)
            killer = killers[work.name]
            kills = drawn(killer, draw)
            trials += 1
            try:
                struck = killer.trial(kills)
            except Failed as error:
                failures += 1
                print(f"FAILED: {error}", flush=True)
                struck = 0
            for kill in kills[:struck]:
                how = "a worker" if kill.worker else "by the clock" if kill.change is None else "at a file"
                counts[f"{killer.work.name}, {how}"] += 1
            print(f"{sum(counts.values())} kills: {killer.work.name}, {struck} of {len(kills)} struck", flush=True)
    for name, number in sorted(counts.items()):
        print(f"{number:4} {name}")
    print(f"{sum(counts.values())} kills in {trials} trials; {failures} ended with other files or not at all")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
