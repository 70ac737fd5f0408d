"""Reading a `.skeleton` file: ours against two readline-and-float loops, in turn in one process.

    python benchmarks/read_skeleton.py [FILE] [--repeats 20] [--json]

Without a file, one of 100 frames and one body is generated. Each parser keeps all twelve fields of every joint; ours
checks each of them. The first loop makes a dict per joint and then an array of x, y and z, as the preparation script of
ST-GCN and its successors does; the second is the leanest that readline and float() allow.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from stexplain.data.readers import ntu_skeleton


def loop_of_dicts(path: Path) -> np.ndarray:
    """A dict of named floats per joint; then x, y, z [M, T, 25, 3]."""
    frames = []
    with path.open() as file:
        for _ in range(int(file.readline())):
            bodies = []
            for _ in range(int(file.readline())):
                head = [float(value) for value in file.readline().split()]
                joints = []
                for _ in range(int(file.readline())):
                    values = (float(value) for value in file.readline().split())
                    joints.append(dict(zip(ntu_skeleton.FIELDS, values, strict=True)))
                bodies.append({"head": head, "joints": joints})
            frames.append(bodies)
    xyz = np.zeros((max(map(len, frames)), len(frames), ntu_skeleton.JOINTS, 3), np.float32)
    for t, bodies in enumerate(frames):
        for m, body in enumerate(bodies):
            for n, joint in enumerate(body["joints"]):
                xyz[m, t, n] = joint["x"], joint["y"], joint["z"]
    return xyz


def loop_of_lists(path: Path) -> dict[int, np.ndarray]:
    """A list of floats per joint; one array [T, 25, 12] per body."""
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
    """A file of one body with values as long as genuine ones (some 280 KB)."""
    numbers = np.random.default_rng(0).normal(size=(frames, ntu_skeleton.JOINTS, len(ntu_skeleton.FIELDS)))
    numbers[:, :, 3:7] = numbers[:, :, 3:7] * 50 + 500  # coordinates in the depth and colour images, in pixels
    lines = [str(frames)]
    for frame in numbers:
        lines += ["1", "72057594037931101 0 1 1 1 1 0 0.02764709 0.05745083 2", str(ntu_skeleton.JOINTS)]
        lines += [" ".join(f"{value:.7g}" for value in joint[:11]) + " 2" for joint in frame]
    path = folder / "generated.skeleton"
    # Genuine files end their lines as Windows does.
    path.write_bytes("\r\n".join([*lines, ""]).encode())
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or generated(Path(folder))
        parsers = {
            "loop of dicts": lambda: loop_of_dicts(path),
            "loop of lists": lambda: loop_of_lists(path),
            "read": lambda: ntu_skeleton.read(path),
            "read, all fields": lambda: ntu_skeleton.read(path, ntu_skeleton.FIELDS),
        }
        times: dict[str, list[float]] = {name: [] for name in parsers}
        for _ in range(options.repeats):
            for name, parse in parsers.items():
                # Some in a row, as files are read: the first after another parser finds cold caches.
                for _ in range(5):
                    start = time.perf_counter()
                    parse()
                    times[name].append(time.perf_counter() - start)
        size = path.stat().st_size
    medians = {name: statistics.median(values) for name, values in times.items()}
    ours = [name for name in parsers if name.startswith("read")]
    result = {
        "file": path.name,
        "bytes": size,
        "repeats": 5 * options.repeats,
        "milliseconds": {name: round(1e3 * value, 3) for name, value in medians.items()},
        "ratio": {
            name: {loop: round(medians[loop] / medians[name], 2) for loop in parsers if loop not in ours}
            for name in ours
        },
    }
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print(f"{path.name}, {size / 1e3:.0f} KB, medians of {result['repeats']}")
    for name, value in medians.items():
        print(f"  {name:18s} {1e3 * value:7.2f} ms")
    for name in ours:
        against = ", ".join(f"{ratio:.2f} x the {loop}" for loop, ratio in result["ratio"][name].items())
        print(f"  {name}: {against}")


if __name__ == "__main__":
    main()
