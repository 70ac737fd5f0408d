"""Recordings, read line by line and resampled frame by frame."""

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def slow_read_skeleton(path: Path) -> dict[int, NDArray[np.float32]]:
    """NTU's text format, a line at a time: values [T, 25, 12] per body id, NaN where the body is not there."""
    bodies: dict[int, NDArray[np.float32]] = {}
    with path.open() as file:
        frames = int(file.readline())
        for frame in range(frames):
            for _ in range(int(file.readline())):
                body = int(file.readline().split()[0])
                bodies.setdefault(body, np.full((frames, 25, 12), np.nan, np.float32))
                assert int(file.readline()) == 25
                for joint in range(25):
                    for column, text in enumerate(file.readline().split()):
                        bodies[body][frame, joint, column] = float(text)
    return bodies


def slow_resample(
    x: NDArray[np.float32], valid: NDArray[np.bool_], frames: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Stretches the frames [M, T, N, C] in which any instance is valid to `frames`, cell by cell."""
    kept = [t for t in range(valid.shape[1]) if valid[:, t].any()]
    out = np.zeros((x.shape[0], frames, *x.shape[2:]))
    there = np.zeros((x.shape[0], frames), bool)
    for t in range(frames):
        place = Fraction(t * (len(kept) - 1), frames - 1) if frames > 1 else Fraction(len(kept) - 1, 2)
        low = int(place)
        share = place - low
        nearer = kept[low] if share < Fraction(1, 2) else kept[low + 1]
        for m in range(x.shape[0]):
            there[m, t] = valid[m, nearer]
            parts = [(float(1 - share), kept[low])] + ([(float(share), kept[low + 1])] if share else [])
            parts = [(weight, frame) for weight, frame in parts if valid[m, frame]]
            if there[m, t]:
                total = sum(weight for weight, _ in parts)
                out[m, t] = sum(weight * x[m, frame].astype(float) for weight, frame in parts) / total
    return out, there
