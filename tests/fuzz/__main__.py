"""Fuzzes everything that reads what others wrote.

    python -m tests.fuzz --inputs 100000 --seed 0 --resume fuzz.jsonl

Every input follows from the seed and its number, so a fault is repeated by `--target NAME --first N --inputs 1`.
"""

import argparse
import collections
import json
import os
import sys
import tempfile
import time
from pathlib import Path

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
        numbers = range(given.first, given.first + -(-given.inputs // len(found)))
        done = _done(given.resume)
        cases = [(one.name, number) for number in numbers for one in found if (one.name, number) not in done]
        log = given.resume.open("a") if given.resume else None
        started = time.monotonic()
        for case, wrong, seconds in pool.run(found, cases, given.seed, Path(place), given.workers):
            done[case] = wrong
            if log:
                log.write(json.dumps([*case, wrong, round(seconds, 2)]) + "\n")
                log.flush()
        return _summary(done, time.monotonic() - started)


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
