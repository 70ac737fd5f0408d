"""One session of pytest that has collected everything once, and forks itself for each fault."""

import hashlib
import importlib
import itertools
import json
import os
import resource
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.mutation.graft import graft
from tests.mutation.mapping import ROOT, core, dotted
from tests.mutation.mutants import Mutant
from tests.mutation.touched import Touched, recorded

GRACE = 30
"""Seconds of a processor, beside three times what the tests take: more is a fault that was found, by never ending."""
_PASSED, _FAILED, _UNFIT = 0, 1, 99


@dataclass(frozen=True)
class Trial:
    """A fault to be found.

    Attributes:
        key: its name in the outcomes.
        module: that has it, as a path from the root.
        mutant: the fault.
        lines: a test that executes one of them may find it; none: any line of the module.
        files: of tests, the nearest first.
    """

    key: str
    module: str
    mutant: Mutant
    lines: range | None
    files: list[str]


class Session:
    """A plugin of pytest: in place of running what was collected, it tries the faults.

    Args:
        trials: to be made.
        done: outcomes by key; those of the trials are added.
        resume: a file for the outcomes. What tests execute is kept beside it.
        seconds: of tests for each fault.
    """

    def __init__(self, trials: list[Trial], done: dict[str, str], resume: Path | None, seconds: float) -> None:
        self._trials, self._done, self._resume, self._seconds = trials, done, resume, seconds
        self._kept = resume.with_suffix(".tests.jsonl") if resume else None
        self._touched: dict[str, Touched] = {}
        self._core = hashlib.sha256(b"".join((ROOT / one).read_bytes() for one in core())).hexdigest()
        self._failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed = self._failed or report.nodeid

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items: dict[str, list[pytest.Item]] = {}
        for item in filter(_is_of_this_process, session.items):
            items.setdefault(str(item.path.relative_to(ROOT)), []).append(item)
        self._read()
        for trial in self._trials:
            outcome, about = self._tried(trial, items)
            self._done[trial.key] = outcome
            print(f"{outcome} {trial.key} ({about})", flush=True)
            if self._resume:
                with self._resume.open("a") as file:
                    file.write(json.dumps([trial.key, outcome]) + "\n")
        return True

    def _tried(self, trial: Trial, items: dict[str, list[pytest.Item]]) -> tuple[str, str]:
        left, used, number = self._seconds, 0.0, 0
        # File by file: what tests of a further file execute is not recorded where those of a nearer one find the fault.
        for file in trial.files:
            touched = self._record(file, items.get(file, []))
            chosen, seconds = touched.chosen(trial.module, trial.lines, left)
            if not chosen:
                continue
            by_id = {item.nodeid: item for item in items[file]}
            tests = [by_id[one] for one in chosen]
            status, cpu, log = _forked(lambda tests=tests: self._run(trial, tests), 3 * seconds + GRACE)
            used, number, left = used + cpu, number + len(tests), left - seconds
            if status == _UNFIT:
                return "unfit", log.strip().rpartition("\n")[2]
            if status != _PASSED:
                last = log.strip().rpartition("\n")[2] if status == _FAILED else f"status {status}"
                return "killed", f"{used:.1f} s, test {number}: {last}"
            if left <= 0:
                break
        return ("survived", f"{used:.1f} s, {number} tests") if number else ("untested", "no test executes it")

    def _run(self, trial: Trial, tests: list[pytest.Item]) -> int:
        try:
            graft(importlib.import_module(dotted(trial.module)), trial.mutant)
        except (LookupError, ValueError) as error:
            print(f"{type(error).__name__}: {error}")
            return _UNFIT
        for _ in _protocol(tests):
            if self._failed:
                print(self._failed)
                return _FAILED
        return _PASSED

    def _record(self, file: str, items: list[pytest.Item]) -> Touched:
        """What the tests of a file execute, as it is."""
        digest = hashlib.sha256((ROOT / file).read_bytes()).hexdigest() + self._core
        if file not in self._touched or self._touched[file].digest != digest:
            place = Path(f"/tmp/touched-{os.getpid()}.json")

            def record() -> int:
                tests = recorded(_protocol(items), set(core()), lambda: self._failed)
                place.write_text(json.dumps(tests))
                return _PASSED

            status, _, log = _forked(record, 3600)
            if status != _PASSED:
                raise RuntimeError(f"{file}: its tests fail as they are ({status}):\n{log}")
            self._touched[file] = Touched(digest, json.loads(place.read_text("utf-8")))
            place.unlink()
            if self._kept:
                with self._kept.open("a") as out:
                    out.write(json.dumps([file, digest, self._touched[file].tests]) + "\n")
        return self._touched[file]

    def _read(self) -> None:
        if self._kept and self._kept.exists():
            with self._kept.open(encoding="utf-8") as lines:
                for file, digest, tests in map(json.loads, lines):
                    self._touched[file] = Touched(digest, tests)


def _is_of_this_process(item: pytest.Item) -> bool:
    """Not those of engines: their processes run what is on the disk, without the fault, and Ray starts in no fork."""
    return "engine" not in getattr(getattr(item, "callspec", None), "params", {})


def _protocol(tests: list[pytest.Item]) -> Iterator[str]:
    """Runs one test after another, and names it."""
    for test, after in itertools.zip_longest(tests, tests[1:]):
        test.config.hook.pytest_runtest_protocol(item=test, nextitem=after)
        yield test.nodeid


def _forked(work: Callable[[], int], seconds: float) -> tuple[int, float, str]:
    """A work in a process of its own: its status, the seconds of a processor that it took, and its last words."""
    log = Path(f"/tmp/mutant-{os.getpid()}.log")
    sys.stdout.flush()
    process = os.fork()
    if not process:
        _child(work, seconds, log)
    _, status, used = os.wait4(process, 0)
    text = log.read_text("utf-8", "replace")[-3000:] if log.exists() else ""
    log.unlink(missing_ok=True)
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, text


def _child(work: Callable[[], int], seconds: float, log: Path) -> Any:
    """Never returns."""
    code = _FAILED
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(out, stream)
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 5))
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
