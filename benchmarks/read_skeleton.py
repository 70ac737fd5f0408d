"""Reading a `.skeleton` file: ours against a readline-and-float loop, in turn in one process.

    python benchmarks/read_skeleton.py [FILE] [--repeats 30] [--json]

Without a file, one of 100 frames and one body is generated. Both keep and check all twelve fields of every joint.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from stexplain.data import ntu_skeleton


def loop(path: Path) -> dict[int, np.ndarray]:
    """The plain way: a line at a time, every field through float(); joints [T, 25, 12] per body."""
    bodies: dict[int, np.ndarray] = {}
    with path.open() as file:
        frames = int(file.readline())
        for frame in range(frames):
            for _ in range(int(file.readline())):
                head = file.readline().split()
                info = [float(value) for value in head[1:]]
                joints = []
                for _ in range(int(file.readline())):
                    joints.append([float(value) for value in file.readline().split()])
                body = bodies.setdefault(int(head[0]), np.full((frames, 25, 12), np.nan, np.float32))
                body[frame] = joints
                assert len(info) == 9
    return bodies


def generated(folder: Path, frames: int = 100) -> Path:
    """A file of one body with values as long as genuine ones (some 270 KB)."""
    numbers = np.random.default_rng(0).normal(size=(frames, ntu_skeleton.JOINTS, len(ntu_skeleton.FIELDS)))
    numbers[:, :, 3:7] = numbers[:, :, 3:7] * 50 + 500
    lines = [str(frames)]
    for frame in numbers:
        lines += ["1", "72057594037931101 0 1 1 1 1 0 0.02764709 0.05745083 2", str(ntu_skeleton.JOINTS)]
        lines += [" ".join(f"{value:.7g}" for value in joint[:11]) + " 2" for joint in frame]
    path = folder / "generated.skeleton"
    path.write_bytes("\r\n".join([*lines, ""]).encode())
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or generated(Path(folder))
        ways = {
            "loop": lambda: loop(path),
            "read": lambda: ntu_skeleton.read(path),
            "read, all fields": lambda: ntu_skeleton.read(path, ntu_skeleton.FIELDS),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.repeats):
            for name, way in ways.items():
                # Twice in a row, for files are read one after the other: the first after another way finds cold caches.
                for _ in range(2):
                    start = time.perf_counter()
                    way()
                    times[name].append(time.perf_counter() - start)
        size = path.stat().st_size
    medians = {name: statistics.median(values) for name, values in times.items()}
    result = {
        "file": path.name,
        "bytes": size,
        "repeats": options.repeats,
        "milliseconds": {name: round(1e3 * value, 3) for name, value in medians.items()},
        "ratio": {name: round(medians["loop"] / value, 2) for name, value in medians.items()},
    }
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print(f"{result['file']}, {size / 1e3:.0f} KB, medians of {options.repeats}")
    for name, value in medians.items():
        print(f"  {name:18s} {1e3 * value:7.2f} ms   {medians['loop'] / value:5.2f} x the loop's speed")


if __name__ == "__main__":
    main()
