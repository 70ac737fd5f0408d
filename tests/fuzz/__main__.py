"""Fuzzes everything that reads what others wrote.

    python -m tests.fuzz --inputs 100000 --seed 0 --resume fuzz.jsonl

Every input follows from the seed and its number, so a fault is repeated by `--target NAME --first N --inputs 1`.
"""

import argparse
import collections
import functools
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz.targets import Target

# One thread: a fork after threads of OpenMP ran hangs.
os.environ |= {"OMP_NUM_THREADS": "1", "DGLBACKEND": "pytorch", "OMP_WAIT_POLICY": "PASSIVE"}


def main(arguments: list[str]) -> int:
    """The command; ends with 1 where an input did what is not allowed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=2000, help="how many, over all targets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first input of each target")
    parser.add_argument("--target", action="append", help="only targets whose name contains this; may be repeated")
    parser.add_argument("--skip", action="append", default=[], help="no target whose name contains this")
    parser.add_argument("--workers", type=int, default=min(8, len(os.sched_getaffinity(0))))
    parser.add_argument("--resume", type=Path, help="a file of outcomes: inputs in it are not tried again")
    parser.add_argument("--list", action="store_true", help="the targets and how many seeds each has")
    parser.add_argument("--kinds", type=int, default=0, help="how many of the kinds of `kinds.py` in each file, beside")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        os.environ["STEXPLAIN_CACHE"] = f"{place}/cache"
        from tests.fuzz import pool
        from tests.fuzz.targets import preload, prepared_targets

        preload()
        found = prepared_targets(Path(place) / "seeds")
        if given.target:
            found = [one for one in found if any(part in one.name for part in given.target)]
        found = [one for one in found if not any(part in one.name for part in given.skip)]
        without = [one.name for one in found if not one.seeds]
        if without or not found:
            print(f"no valid input in tests/fuzz/corpus.py for: {', '.join(without) or given.target}")
            return 2
        if given.list:
            for one in found:
                print(f"{one.name}: {', '.join(sorted(seed.name for seed in one.seeds))}")
            return 0
        done = _done(given.resume)
        cases = [case for case in (*_at_random(found, given), *_of_kinds(found, given)) if case not in done]
        log = given.resume.open("a") if given.resume else None
        started = time.monotonic()
        for case, wrong, seconds in pool.run(found, cases, given.seed, Path(place), given.workers):
            done[case] = wrong and f"{_kind(found, case)}{wrong}"
            if log:
                log.write(json.dumps([*case, done[case], round(seconds, 2)]) + "\n")
                log.flush()
        return _summary(done, time.monotonic() - started)


def _at_random(found: "list[Target]", given: argparse.Namespace) -> list[tuple[str, int]]:
    numbers = range(given.first, given.first + -(-given.inputs // len(found)))
    return [(one.name, number) for number in numbers for one in found]


def _of_kinds(found: "list[Target]", given: argparse.Namespace) -> list[tuple[str, int]]:
    """So many of the kinds, spread over all files; counted from the end, as numbers from zero are those of chance."""
    every = [(one.name, number - len(all_)) for one in found for all_ in [_cases(one)] for number in range(len(all_))]
    return random.Random(given.seed).sample(every, min(len(every), given.kinds))


@functools.cache
def _cases(target: "Target") -> list[tuple[int, str, str]]:
    from tests.fuzz import kinds, pool

    # A command and a call draw their own arguments.
    free = target.name.startswith(("command", "call"))
    return [] if free else kinds.cases([pool.contents(one) for one in target.seeds])


def _kind(found: "list[Target]", case: tuple[str, int]) -> str:
    if case[1] >= 0:
        return ""
    target = next(one for one in found if one.name == case[0])
    which, name, kind = _cases(target)[case[1]]
    return f"{target.seeds[which].name}/{name}, {kind}: "


def _done(resume: Path | None) -> dict[tuple[str, int], str]:
    if resume is None or not resume.exists():
        return {}
    return {(name, number): wrong for name, number, wrong, _ in map(json.loads, resume.read_text().splitlines())}


def _summary(done: dict[tuple[str, int], str], seconds: float) -> int:
    tried = collections.Counter(name for name, _ in done)
    faults = collections.Counter(name for (name, _), wrong in done.items() if wrong)
    for name in sorted(tried):
        print(f"{name}: {tried[name]} inputs, {faults[name]} faults")
    kinds: dict[tuple[str, str], list[int]] = {}
    for (name, number), wrong in sorted(done.items()):
        if wrong:
            kinds.setdefault((name, wrong), []).append(number)
    for (name, wrong), numbers in sorted(kinds.items(), key=lambda item: -len(item[1])):
        print(f"{len(numbers)} x {name}: {wrong} (such as --target '{name}' --first {numbers[0]} --inputs 1)")
    print(f"{len(done)} inputs, {sum(faults.values())} faults of {len(kinds)} kinds, {seconds:.0f} s")
    return int(bool(kinds))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
