"""How long the command line takes to print its help and to report a mistake: before torch is imported, so at once.

Each command is run in a process of its own, in turn; printed are medians of the seconds on the clock, from the start of
Python to its end, and of CPU time. The longest wait should stay under half a second on an idle machine.

    python benchmarks/command_line.py [--rounds 5] [--json FILE]
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "help": ["--help"],
    "unknown command": ["bnech", "ntu"],
    "unknown option": ["bench", "ntu", "--sede", "1"],
    "unknown experiment": ["bench", "ntuu"],
    "unknown run": ["bench", "ntu", "--run", "xsub/stgcn11"],
    "unknown recipe": ["bench", "ntu", "--recipe", "quik"],
    "data that does not exist": ["bench", "ntu", "--data", "nowhere"],
    # The one check that reads the names of files, by a reader that imports pandas.
    "data without recordings": ["bench", "ntu", "--data", str(Path(__file__).parent)],
    "unknown dataset": ["explain", "stgcn10", "--card", "ntuu"],
    "unknown split": ["explain", "stgcn10", "--card", "ntu", "--split", "xsub/tst"],
    "unknown model": ["explain", "stgcn11", "--card", "ntu"],
    "unknown method": ["explain", "stgcn10", "--card", "ntu", "--method", "GradCam"],
    "unknown class": ["explain", "stgcn10", "--card", "ntu", "--target", "thrwo"],
    "no store": ["data", "check", "nowhere"],
}


def run(arguments: list[str]) -> tuple[float, float]:
    """Seconds on the clock and of CPU time of one command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    child = subprocess.run([sys.executable, "-m", "stexplain", *arguments], capture_output=True, check=False)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if child.returncode not in (0, 2):  # help, and a mistake that was reported
        raise SystemExit(f"{' '.join(arguments)} ended with {child.returncode}: {child.stderr.decode()}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="writes the figures here")
    arguments = parser.parse_args()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for round_ in range(arguments.rounds + 1):
        for name, command in COMMANDS.items():
            measured = run(command)
            # The first round finds the files of the libraries on the disk, the others in memory.
            if round_:
                times[name].append(measured)
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in times.items()}
    for name, (seconds, cpu) in medians.items():
        print(f"{name:26s} {seconds:5.2f} s ({cpu:.2f} s of CPU time)")
    if arguments.json:
        arguments.json.write_text(json.dumps(medians, indent=2) + "\n")


if __name__ == "__main__":
    main()
