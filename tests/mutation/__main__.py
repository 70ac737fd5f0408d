"""Puts faults into the core, one at a time, and runs the tests that execute the line that has it.

    python -m tests.mutation --sample 300 --seed 0 --resume mutants.jsonl

A fault that no test finds is printed with its line: it changes nothing that matters, or a test is missing.
"""

import argparse
import ast
import json
import os
import random
import sys
from collections import Counter
from pathlib import Path

# One thread: a fork after threads of OpenMP ran hangs.
os.environ |= {"OMP_NUM_THREADS": "1", "DGLBACKEND": "pytorch", "OMP_WAIT_POLICY": "PASSIVE"}

import pytest

from tests.mutation.equivalent import equivalent
from tests.mutation.mapping import ROOT, core, files_for
from tests.mutation.mutants import Mutant, mutants, statement
from tests.mutation.session import Session, Trial, digest
from tests.mutation.touched import Place

SECONDS = 60.0
"""Of tests, for each fault."""


def main(arguments: list[str]) -> int:
    """The command; ends with 1 where less than 95% of the mutants were found."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=300, help="how many mutants, of all modules together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--module", action="append", help="only modules whose path contains this; may be repeated")
    parser.add_argument("--resume", type=Path, help="a file of outcomes: mutants in it are not tried again")
    parser.add_argument("--again", action="store_true", help="tries those once more that no test found")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of tests for each mutant, as they usually take")
    given = parser.parse_args(arguments)
    modules = [one for one in core() if not given.module or any(part in one for part in given.module)]
    found = {module: mutants((ROOT / module).read_text("utf-8")) for module in modules}
    everyone = [(module, number) for module in modules for number in range(len(found[module]))]
    # In the order in which they are drawn: the first of them are a fair sample too.
    chosen = random.Random(given.seed).sample(everyone, min(given.sample, len(everyone)))
    done = _done(given.resume, again=given.again)
    trials = []
    for module, number in chosen:
        mutant = found[module][number]
        key = f"{module}:{mutant.line} {mutant.function}: {mutant.what} #{number}"
        if key not in done:
            trials.append(Trial(key, module, mutant, _place(module, mutant), files_for(module)))
    if trials:
        os.chdir(ROOT)
        session = Session(trials, done, given.resume, given.seconds)
        files = dict.fromkeys(file for trial in trials for file in trial.files)
        # The files of the package are named for their examples: a class there whose name begins with Test is no test.
        options = ["-q", "-s", "-p", "no:cacheprovider", "--hypothesis-seed=0", "-o", "python_classes=none_of_them"]
        if status := pytest.main([*options, *files], plugins=[session]):
            return int(status)
    return _summary(done, {f"{module}:": found[module] for module in modules}, len(everyone))


def _place(module: str, mutant: Mutant) -> Place:
    source = (ROOT / module).read_text("utf-8")
    first = statement(ast.parse(source), mutant.line).start
    return Place(module, digest(module), mutant.function, source.splitlines()[first - 1].strip())


def _done(resume: Path | None, *, again: bool) -> dict[str, str]:
    lines = resume.read_text("utf-8").splitlines() if resume is not None and resume.exists() else []
    found: dict[str, str] = dict(map(json.loads, lines))
    return {key: outcome for key, outcome in found.items() if not (again and outcome in ("survived", "untested"))}


def _summary(done: dict[str, str], found: dict[str, list[Mutant]], everyone: int) -> int:
    counts: Counter[str] = Counter()
    for key, outcome in sorted(done.items()):
        module, _, rest = key.partition(":")
        mutant = found[f"{module}:"][int(rest.rpartition("#")[2])] if f"{module}:" in found else None
        if outcome in ("survived", "untested") and mutant is not None and (why := equivalent(module, mutant)):
            outcome = "equivalent"
            print(f"equivalent: {key}: {why}")
        elif outcome in ("survived", "untested"):
            print(f"{outcome}: {key}")
        counts[outcome] += 1
    tried = counts["killed"] + counts["survived"] + counts["untested"]
    share = counts["killed"] / tried if tried else 0.0
    print(
        f"{counts['killed']} of {tried} found: {share:.1%} (beside {counts['equivalent']} that change nothing and "
        f"{counts['unfit']} that could not be put in; {everyone} in all)"
    )
    return int(share < 0.95)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
