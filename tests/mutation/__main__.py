"""Puts faults into the core, one at a time, and runs the tests of the module that has it.

    python -m tests.mutation --sample 300 --seed 0 --resume mutants.jsonl

A fault that no test finds is printed with its line: it changes nothing that matters, or a test is missing.
"""

import argparse
import importlib
import json
import os
import random
import resource
import sys
import traceback
from collections import Counter
from pathlib import Path

# One thread: a fork after threads of OpenMP ran hangs.
os.environ |= {"OMP_NUM_THREADS": "1", "DGLBACKEND": "pytorch", "OMP_WAIT_POLICY": "PASSIVE"}

import pytest

from tests.mutation.graft import graft
from tests.mutation.mapping import ROOT, core, files_for
from tests.mutation.mutants import Mutant, mutants

SECONDS = 60
"""Of a processor, beside five times what the tests take: more is a fault that was found, by never ending."""
PASSED, FAILED, UNFIT = 0, 1, 99


def main(arguments: list[str]) -> int:
    """The command; ends with 1 where less than 95% of the mutants were found."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=300, help="how many mutants, of all modules together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--module", action="append", help="only modules whose path contains this; may be repeated")
    parser.add_argument("--resume", type=Path, help="a file of outcomes: mutants in it are not tried again")
    parser.add_argument("--again", action="store_true", help="tries those once more that no test found")
    given = parser.parse_args(arguments)
    modules = [one for one in core() if not given.module or any(part in one for part in given.module)]
    found = {module: mutants((ROOT / module).read_text("utf-8")) for module in modules}
    everyone = [(module, number) for module in modules for number in range(len(found[module]))]
    chosen = random.Random(given.seed).sample(everyone, min(given.sample, len(everyone)))
    done = _done(given.resume, again=given.again)
    os.chdir(ROOT)
    _preload(modules)
    usual: dict[str, float] = {}
    # Module by module, so that what a module's tests take is measured once.
    for module, number in sorted(chosen):
        mutant = found[module][number]
        key = f"{module}:{mutant.line} {mutant.function}: {mutant.what} #{number}"
        if key in done:
            continue
        if module not in usual:
            status, usual[module], log = _run(module, None, files_for(module), 3600)
            if status != PASSED:
                print(f"{module}: its tests fail as they are ({status}):\n{log}")
                return 2
        status, seconds, _ = _run(module, mutant, files_for(module), 5 * usual[module] + SECONDS)
        done[key] = {PASSED: "survived", UNFIT: "unfit"}.get(status, "killed")
        print(f"{done[key]} {key} ({seconds:.1f} s)", flush=True)
        if given.resume:
            with given.resume.open("a") as file:
                file.write(json.dumps([key, done[key]]) + "\n")
    return _summary(done, len(everyone))


def _done(resume: Path | None, *, again: bool) -> dict[str, str]:
    lines = resume.read_text("utf-8").splitlines() if resume is not None and resume.exists() else []
    found: dict[str, str] = dict(map(json.loads, lines))
    return {key: outcome for key, outcome in found.items() if not (again and outcome == "survived")}


def _preload(modules: list[str]) -> None:
    """Imports once what every process needs."""
    # Not hypothesis: pytest imports its plugins itself.
    for name in ("pandas", "scipy.stats", "stexplain.checks", "stexplain.metrics"):
        importlib.import_module(name)
    for module in modules:
        importlib.import_module(_dotted(module))


def _dotted(module: str) -> str:
    return ".".join(Path(module).with_suffix("").parts)


def _run(module: str, mutant: Mutant | None, files: list[str], seconds: float) -> tuple[int, float, str]:
    """The tests' status, the seconds of a processor, and what pytest said at its end."""
    log = Path(f"/tmp/mutant-{os.getpid()}.log")
    process = os.fork()
    if not process:
        _child(module, mutant, files, seconds, log)
    _, status, used = os.wait4(process, 0)
    text = log.read_text("utf-8", "replace")[-3000:] if log.exists() else ""
    log.unlink(missing_ok=True)
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, text


def _child(module: str, mutant: Mutant | None, files: list[str], seconds: float, log: Path) -> None:
    """Never returns."""
    code = FAILED
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(out, stream)
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 5))
        if mutant is not None:
            try:
                graft(importlib.import_module(_dotted(module)), mutant)
            except (LookupError, ValueError) as error:
                print(error)
                code = UNFIT
                return
        options = ["-x", "-q", "--tb=short", "--no-header", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
        code = int(pytest.main([*options, *files]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _summary(done: dict[str, str], everyone: int) -> int:
    counts = Counter(done.values())
    tried = counts["killed"] + counts["survived"]
    for key, outcome in sorted(done.items()):
        if outcome == "survived":
            print(f"survived: {key}")
    share = counts["killed"] / tried if tried else 0.0
    print(
        f"{counts['killed']} of {tried} found: {share:.1%} ({counts['unfit']} could not be put in; {everyone} in all)"
    )
    return int(share < 0.95)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
