"""Runs cases in forked processes, so that what hangs, crashes or takes memory ends that process alone."""

import json
import os
import random
import resource
import select
import shutil
import signal
import stat
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from tests.fuzz.mutate import mutated, special
from tests.fuzz.targets import Target
from tests.fuzz.verdict import fault

SECONDS, BYTES = 10.0, 1 << 30
"""What a case may take: wall time, and memory beyond what its process had before."""
Case = tuple[str, int]
"""A target's name and the number of the input."""


def run(targets: Sequence[Target], cases: Sequence[Case], seed: int, folder: Path, workers: int) -> Iterator[
    tuple[Case, str, float]
]:  # fmt: skip
    """Every case, what was wrong with how it ended (empty: nothing) and the processor's seconds, in any order."""
    by_name = {target.name: target for target in targets}
    waiting = list(reversed(cases))
    running: list[_Worker] = []
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(_Worker(by_name, seed, folder / f"worker-{time.monotonic_ns()}"))
                running[-1].give(waiting)
            ready, _, _ = select.select([worker.answers for worker in running], [], [], 0.2)
            for worker in list(running):
                outcome = worker.outcome(worker.answers in ready)
                if outcome is None:
                    continue
                yield outcome
                if worker.ended or not waiting:
                    worker.end()
                    running.remove(worker)
                else:
                    worker.give(waiting)
    finally:
        for worker in running:
            worker.end()


class _Worker:
    """A forked process that is given one case at a time."""

    def __init__(self, targets: dict[str, Target], seed: int, folder: Path) -> None:
        self.ended = False
        self.folder = folder
        read_case, write_case = os.pipe()
        read_answer, write_answer = os.pipe()
        sys.stdout.flush()
        self.process = os.fork()
        if not self.process:
            os.close(write_case)
            os.close(read_answer)
            _work(targets, seed, folder, os.fdopen(read_case), os.fdopen(write_answer, "w"))
        os.close(read_case)
        os.close(write_answer)
        self.cases: IO[str] = os.fdopen(write_case, "w")
        self.answers: IO[str] = os.fdopen(read_answer)
        self.case: Case = ("", 0)
        self.started = 0.0

    def give(self, waiting: list[Case]) -> None:
        self.case, self.started = waiting.pop(), time.monotonic()
        self.cases.write(json.dumps(self.case) + "\n")
        self.cases.flush()

    def outcome(self, ready: bool) -> tuple[Case, str, float] | None:
        """How the case ended, or none: it goes on."""
        seconds = time.monotonic() - self.started
        if ready:
            if line := self.answers.readline():
                answer = json.loads(line)
                if isinstance(answer, str):
                    raise RuntimeError(f"{self.case}: {answer}")
                return self.case, *answer
            self.ended = True
            _, status = os.waitpid(self.process, 0)
            self.process = 0
            # The kernel kills what it has no memory for; a library in C may crash.
            return self.case, f"crash: the process ended with {os.waitstatus_to_exitcode(status)}", seconds
        # On a machine that others use too, a second of this process takes longer.
        busy = os.getloadavg()[0] / len(os.sched_getaffinity(0))
        if seconds > SECONDS * max(1.0, busy):
            self.ended = True
            return self.case, f"hang: more than {SECONDS:g} s", seconds
        return None

    def end(self) -> None:
        if self.process:
            # The worker's own, and whatever it started.
            os.killpg(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
            self.process = 0
        self.cases.close()
        self.answers.close()
        _remove(self.folder)


def _work(targets: dict[str, Target], seed: int, folder: Path, cases: IO[str], answers: IO[str]) -> None:
    """The process: never returns."""
    try:
        # A group of its own, to be ended with what it starts, in the same session, whose priority it keeps.
        os.setpgid(0, 0)
        _quiet(folder)
        pool = {target.name: [_contents(one) for one in target.seeds] for target in targets.values()}
        others = [content for seeds in pool.values() for files in seeds for content in files.values()][:400]
        resource.setrlimit(resource.RLIMIT_AS, (_virtual_memory() + BYTES, resource.RLIM_INFINITY))
        for line in cases:
            name, number = json.loads(line)
            started = time.process_time()
            wrong = _one(targets[name], pool[name], others, number, seed, folder)
            answers.write(json.dumps((wrong, time.process_time() - started)) + "\n")
            answers.flush()
        os._exit(0)
    except Exception as error:
        # Of the fuzzer itself: what is fuzzed is caught where it is called.
        answers.write(
            json.dumps(f"the fuzzer failed: {error!r} at {traceback.extract_tb(error.__traceback__)[-1]}") + "\n"
        )
        answers.flush()
    finally:
        os._exit(1)


def _quiet(folder: Path) -> None:
    folder.mkdir(parents=True)
    os.chdir(folder)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)


def _virtual_memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _one(
    target: Target, seeds: list[dict[str, bytes]], others: list[bytes], number: int, seed: int, folder: Path
) -> str:
    draw = random.Random(f"{seed}/{target.name}/{number}")
    home = folder / f"{draw.getrandbits(48):012x}"
    case, out, marker = home / "case", home / "out", home / "marker"
    case.mkdir(parents=True)
    (case / "link").symlink_to(case / "nowhere at all") if target.name.startswith("command") else None
    files = draw.choice(seeds)
    damaged = mutated(files, others, draw, str(marker)) if draw.random() < 0.97 else dict(files)
    for name, content in damaged.items():
        path = case / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError:  # a drawn name that the file system refuses
            continue
    inside = [path for path in sorted(case.rglob("*")) if path.is_file()]
    if inside and draw.random() < 0.06:
        special(draw.choice(inside), draw)
    before = _state(home)
    error: BaseException | None = None
    try:
        target.call(case, out)
    except BaseException as raised:
        error = raised
    try:
        names = {part for name in [*damaged, *files] for part in Path(name).parts} | {case.name}
        # Of a command it may also be an argument that is named.
        wrong = fault(error, case, names | ({""} if target.name.startswith(("command", "call")) else set()))
        if marker.exists():
            return "executed: a payload ran"
        left = [path.name for path in home.rglob("*") if path.name.endswith(".part")]
        if not wrong and left:
            return f"left behind: {left[0]} "
        if not wrong and error is not None and out.exists() and before != _state(home):
            return "half-written: an error left its output"
        return wrong
    finally:
        _remove(home)


def _state(home: Path) -> list[str]:
    return sorted(str(path) for path in home.rglob("*"))


def _remove(folder: Path) -> None:
    # What a case made unreadable.
    for path in [folder, *folder.rglob("*")] if folder.exists() else []:
        if not path.is_symlink() and stat.S_ISDIR(path.stat().st_mode):
            path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
