"""Whether an experiment gives the recorded numbers, bit by bit: training, explaining and scoring are all in them.

    python benchmarks/same_numbers.py roads                       runs the experiment, and compares
    python benchmarks/same_numbers.py runs/roads                  compares a finished run folder
    python benchmarks/same_numbers.py --record ntu planted roads  runs all three, and writes their numbers anew

The numbers in `benchmarks/numbers/` are those of the experiments on generated data, seed 0. Results depend on the
number of threads (a sum is rounded in another order), on torch's version and on the processor: where these differ from
the recorded ones, numbers that differ in their last digits are no fault. `--record` records a run's numbers instead.
"""

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NUMBERS = Path(__file__).parent / "numbers"
UNRECORDED = {"seconds", "seconds_per_sample", "rule", "excluded", "scores", "used_by_sample", "labels"}
"""Keys of results that are times, sentences, or a number per sample, of which the means are recorded."""
IMPORTANCE = "class_importance.csv"
SHOWN = 10
"""Differences that are listed."""


def flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every number and name in nested results, by its path, such as ``xsub/stgcn10/accuracy/top5``."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in UNRECORDED:
                yield from flat(inner, f"{key}/{name}" if key else str(name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from flat(inner, f"{key}/{index}")
    else:
        yield key, value


def numbers_of(folder: Path, results: dict[str, Any]) -> dict[str, Any]:
    """The numbers of every stage of every run, and the importance of each node for each class."""
    found = dict(flat({name: run["stages"] for name, run in results["runs"].items()}))
    for name in results["runs"]:
        path = folder / name / IMPORTANCE
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                # Texts of floats that pandas writes in full are the same where the floats are.
                for row in csv.DictReader(file):
                    label = row.pop("class")
                    found |= {f"{name}/{IMPORTANCE}/{label}/{node}": value for node, value in row.items()}
    return found


def environment_of(results: dict[str, Any]) -> dict[str, Any]:
    """What the bits of a result depend on beside the code."""
    return {
        "threads": results["threads"],
        "seed": results["seed"],
        "versions": results["versions"],
        "machine": f"{platform.system()} {platform.machine()}, {_processor()}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown processor")


def compare(recorded: dict[str, Any], found: dict[str, Any]) -> tuple[list[str], list[str], int]:
    """What differs, what is missing in the run, and how many values are the same."""
    # JSON keeps every digit of a float, so that equal means equal to the bit; True and 1 are not the same.
    differ = [
        f"{key}: recorded {recorded[key]!r}, got {found[key]!r}"
        for key in recorded
        if key in found and (recorded[key] != found[key] or type(recorded[key]) is not type(found[key]))
    ]
    missing = [key for key in recorded if key not in found]
    return differ, missing, len(recorded) - len(differ) - len(missing)


def main(arguments: list[str]) -> int:
    """The command; gives 0 where all numbers are the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "run",
        type=Path,
        nargs="+",
        help="run folders of `stexplain bench`, or experiments, which are run first",
    )
    parser.add_argument("--numbers", type=Path, default=NUMBERS, help="the folder of recorded numbers")
    parser.add_argument("--record", action="store_true", help="write the run's numbers there instead of comparing")
    options = parser.parse_args(arguments)
    return max([_checked(folder, options.numbers, options.record) for folder in map(_finished, options.run)])


def _finished(run: Path) -> Path:
    """The run folder; an experiment that is named is run first, with one thread."""
    if (run / "results.json").is_file():
        return run
    # A new folder: one that is there would be resumed, with the numbers of the code that began it.
    folder = Path(tempfile.mkdtemp(prefix=f"stexplain-{run.name}-")) / "run"
    print(f"{run.name}: running in {folder}", flush=True)
    command = [sys.executable, "-m", "stexplain", "bench", str(run), "--out", str(folder), "--quiet"]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return folder


def _checked(folder: Path, numbers: Path, record: bool) -> int:
    """Records or compares the numbers of a run folder."""
    results = json.loads((folder / "results.json").read_text("utf-8"))
    # The name of the experiment is that of the card which it lies beside; `run.json` holds it.
    name = json.loads((folder / "run.json").read_text("utf-8"))["card"]
    path = numbers / f"{name}.json"
    found, environment = numbers_of(folder, results), environment_of(results)
    if record:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"recorded": environment, "numbers": found}, indent=0) + "\n", "utf-8")
        print(f"{path}: {len(found)} values of {name}")
        return 0
    kept = json.loads(path.read_text("utf-8"))
    differ, missing, same = compare(kept["numbers"], found)
    if not differ and not missing:
        print(f"{name}: all {same} recorded values are the same to the bit.")
        return 0
    print(f"{name}: {same} recorded values are the same to the bit; {len(differ)} differ, {len(missing)} are missing.")
    for line in [*differ[:SHOWN], *(f"{key}: missing" for key in missing[:SHOWN])]:
        print(f"  {line}")
    for what, recorded in kept["recorded"].items():
        if recorded != environment[what]:
            print(f"Another {what}, which may be why: recorded {recorded}, now {environment[what]}.")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
