"""One session of pytest that has collected everything once, and forks itself for each fault."""

import ast
import functools
import hashlib
import importlib
import itertools
import json
import os
import resource
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.mutation.graft import graft, made_before
from tests.mutation.mapping import ROOT, core, dotted
from tests.mutation.mutants import Mutant
from tests.mutation.touched import WITH_FAULT, Place, Touched, recorded
from tests.mutation.watch import noting, watch

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
        place: a test that executes it may find the fault.
        files: of tests, the nearest first.
    """

    key: str
    module: str
    mutant: Mutant
    place: Place
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
        self._modules = {one: digest(one) for one in core()}
        self._failed = ""
        self._noted: set[str] = set()
        self._shared: set[str] = set()
        self._record = Path(f"/tmp/touched-{os.getpid()}.json")
        # Tests that are known to pass without a fault.
        self._passing: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed = self._failed or report.nodeid

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """What a fixture executes that is made once is executed for all tests of the file."""
        before = set(self._noted)
        yield
        if fixturedef.scope != "function":
            self._shared |= self._noted - before

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items: dict[str, list[pytest.Item]] = {}
        for item in filter(_is_of_this_process, session.items):
            items.setdefault(str(item.path.relative_to(ROOT)), []).append(item)
        self._read()
        for module in self._modules:
            # Once, for all that is forked.
            _noting_as_it_is(module)
        made_before()
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
        for file in trial.files:
            by_id = {item.nodeid: item for item in items.get(file, [])}
            known = self._touched.get(file)
            if known is not None and known.digest == digest(file) and known.tells(trial.place):
                chosen, seconds = known.chosen(trial.place, left)
                tests = [by_id[one] for one in chosen if one in by_id]
            else:
                known, tests, seconds = None, list(by_id.values()), left
            if not tests:
                continue
            work = functools.partial(self._run, trial, tests, seconds, watched=not known)
            status, cpu, log = _forked(work, 3 * seconds + GRACE)
            last = log.strip().rpartition("\n")[2]
            if status == _FAILED and last in by_id and not self._passes([by_id[last]]):
                # It tells nothing of the fault.
                print(f"left out, as it fails without a fault: {last}", flush=True)
                items[file] = [item for item in items[file] if item.nodeid != last]
                return self._tried(trial, items)
            used, left = used + cpu, left - (seconds if known else cpu)
            if status == _UNFIT:
                return "unfit", last
            if status == _FAILED or (status != _PASSED and self._passes(tests)):
                return "killed", f"{used:.1f} s: {last if status == _FAILED else f'status {status}'}"
            if status != _PASSED:
                raise RuntimeError(f"{file}: its tests end with status {status} without a fault, too: {log}")
            number += len(tests if known else self._entered(file, trial.module).chosen(trial.place, 1e9)[0])
            if left <= 0:
                break
        return ("survived", f"{used:.1f} s, {number} tests") if number else ("untested", "no test executes it")

    def _passes(self, tests: list[pytest.Item]) -> bool:
        """Whether tests pass without a fault; they are run once in a session, each."""
        wanted = [test for test in tests if test.nodeid not in self._passing]
        status = _forked(lambda: self._run(None, wanted, self._seconds), 3600)[0] if wanted else _PASSED
        self._passing.update(test.nodeid for test in (wanted if status == _PASSED else ()))
        return status == _PASSED

    def _run(self, trial: Trial | None, tests: list[pytest.Item], seconds: float, *, watched: bool = False) -> int:
        """Runs tests with a fault; of those that were not recorded, what they execute is recorded by the way."""
        try:
            if trial is not None:
                graft(importlib.import_module(dotted(trial.module)), trial.mutant)
            for module in self._modules if watched else ():
                live = importlib.import_module(dotted(module))
                with_fault = trial is not None and trial.mutant.function and module == trial.module
                watch(
                    live,
                    _noting(module, trial.mutant.tree) if with_fault else _noting_as_it_is(module),
                    self._noted.add,
                )
        except (LookupError, ValueError) as error:
            print(f"{type(error).__name__}: {error}")
            return _UNFIT
        running = _protocol(tests)
        if watched:
            found = recorded(running, self._noted, self._shared, lambda: bool(self._failed), seconds)
            self._record.write_text(json.dumps(Touched("", self._modules, found).packed()))
        for _ in () if watched else running:
            if self._failed:
                break
        # On a line of its own, after what pytest shows of progress.
        print(f"\n{self._failed}")
        return _FAILED if self._failed else _PASSED

    def _entered(self, file: str, module: str) -> Touched:
        """What the tests of a file execute, as was recorded beside a fault, which may lead past some of its module."""
        _, *others = json.loads(self._record.read_text("utf-8"))
        self._record.unlink()
        touched = Touched.unpacked(digest(file), *others)
        touched.modules[module] = WITH_FAULT
        self._touched[file] = touched
        print(f"recorded {file}: {len(touched.tests)} tests", flush=True)
        if self._kept:
            with self._kept.open("a") as out:
                out.write(json.dumps([file, *touched.packed()]) + "\n")
        return touched

    def _read(self) -> None:
        if self._kept and self._kept.exists():
            with self._kept.open(encoding="utf-8") as lines:
                for file, *packed in map(json.loads, lines):
                    self._touched[file] = Touched.unpacked(*packed)


def _noting(module: str, tree: ast.Module | None = None) -> types.CodeType:
    return noting(module, (ROOT / module).read_text("utf-8"), str(ROOT / module), tree)


@functools.cache
def _noting_as_it_is(module: str) -> types.CodeType:
    return _noting(module)


def digest(path: str) -> str:
    """Of a file, named from the root."""
    return hashlib.sha256((ROOT / path).read_bytes()).hexdigest()


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
