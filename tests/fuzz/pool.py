"""Runs cases in forked processes, so that what hangs, crashes or takes memory ends that process alone."""

import contextlib
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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import vl_convert

from stexplain.errors import StexplainError
from tests.fuzz import kinds
from tests.fuzz.mutate import Files, mutated, special
from tests.fuzz.targets import Target
from tests.fuzz.verdict import fault, summary

SECONDS, BYTES = 10.0, 1 << 30
"""What a case may take: wall time, and memory beyond what its process had before."""
_KINDS: dict[str, list[tuple[int, str, str]]] = {}
Case = tuple[str, int]
"""A target's name and the number of the input: of random changes from zero, below it of `kinds.cases`, from the end."""


def run(
    targets: Sequence[Target], cases: Sequence[Case], seed: int, folder: Path, workers: int
) -> Iterator[tuple[Case, str, float]]:
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
        pool = {target.name: [contents(one) for one in target.seeds] for target in targets.values()}
        others = [content for seeds in pool.values() for files in seeds for content in files.values()][:400]
        if any(name.startswith("call") for name in targets):
            # What draws pictures of charts takes 32 GB of addresses when it begins, of which it uses few.
            vl_convert.vega_to_svg({"width": 1, "height": 1})
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


def contents(folder: Path) -> Files:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _one(target: Target, seeds: list[Files], others: list[bytes], number: int, seed: int, folder: Path) -> str:
    draw = random.Random(f"{seed}/{target.name}/{number}")
    home = folder / f"{draw.getrandbits(48):012x}"
    case, out, marker = home / "case", home / "out", home / "marker"
    case.mkdir(parents=True)
    (case / "link").symlink_to(case / "nowhere at all") if target.name.startswith("command") else None
    change = _of_a_kind if number < 0 else _at_random
    names, expected = change(target, seeds, others, number, draw, home)
    before = _state(home)
    error: BaseException | None = None
    other = False
    try:
        result = target.call(case, out)
        other = expected is not None and expected not in (summary(result), _values(result))
    except BaseException as raised:
        error = raised
    try:
        if other:
            return "another result, without a word"
        names = names | {case.name}
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


def _at_random(
    target: Target, seeds: list[Files], others: list[bytes], number: int, draw: random.Random, home: Path
) -> tuple[set[str], None]:
    """Random changes of one of the seeds; the names of its files."""
    files = draw.choice(seeds)
    damaged = mutated(files, others, draw, str(home / "marker")) if draw.random() < 0.97 else dict(files)
    _write(home / "case", damaged)
    inside = [path for path in sorted((home / "case").rglob("*")) if path.is_file()]
    if inside and draw.random() < 0.06:
        special(draw.choice(inside), draw)
    return {part for name in [*damaged, *files] for part in Path(name).parts}, None


def _of_a_kind(
    target: Target, seeds: list[Files], others: list[bytes], number: int, draw: random.Random, home: Path
) -> tuple[set[str], str | None]:
    """A kind of bad input; the names of the files, and what is read of the valid ones where this must be the same."""
    if target.name not in _KINDS:
        _KINDS[target.name] = kinds.cases(seeds)
    which, name, kind = _KINDS[target.name][number]
    expected = None
    if kind in kinds.SAME:
        _write(home / "case", seeds[which])
        with contextlib.suppress(StexplainError):
            result = target.call(home / "case", home / "out")
            expected = _values(result) if kind in kinds.NAMELESS else summary(result)
        _remove(home)
        (home / "case").mkdir(parents=True)
    _write(home / "case", seeds[which])
    kinds.apply(kind, home / "case", seeds[which], name)
    found = {path.name for path in (home / "case").rglob("*")}
    return found | {repr(one)[1:-1] for one in found} | set(Path(name).parts), expected


def _values(result: object) -> str:
    return f"values {summary(getattr(result, 'values', result))}"


def _write(case: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = case / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError:  # a drawn name that the file system refuses
            continue


def _state(home: Path) -> list[str]:
    return sorted(str(path) for path in home.rglob("*"))


def _remove(folder: Path) -> None:
    # What a case made unreadable.
    for path in [folder, *folder.rglob("*")] if folder.exists() else []:
        if not path.is_symlink() and stat.S_ISDIR(path.stat().st_mode):
            path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
