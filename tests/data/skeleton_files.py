"""Writes small files in NTU's format, and in NW-UCLA's, for the tests."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

JOINTS, FIELDS = 25, 12


def text_of(frames: int, bodies: dict[int, NDArray[np.float32]], end: str = "\r\n") -> str:
    """`.skeleton` text of bodies [T, 25, 12], NaN (in x) where a body is absent."""
    lines = [str(frames)]
    for frame in range(frames):
        seen = {body: values[frame] for body, values in bodies.items() if not np.isnan(values[frame, 0, 0])}
        lines.append(str(len(seen)))
        for body, values in seen.items():
            lines += [f"{body} 0 1 1 1 1 0 0.02764709 -0.05745083 2", str(JOINTS)]
            lines += [" ".join(f"{value:.9g}" for value in joint) for joint in values]
    return end.join([*lines, ""])


def body(frames: int, seed: int = 0, moving: float = 1.0) -> NDArray[np.float32]:
    """Values [T, 25, 12] of a body that is always present."""
    return (moving * np.random.default_rng(seed).normal(size=(frames, JOINTS, FIELDS))).astype(np.float32)


def write_ntu(folder: Path, name: str, bodies: dict[int, NDArray[np.float32]], frames: int | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.skeleton"
    path.write_bytes(text_of(frames or len(next(iter(bodies.values()))), bodies).encode())
    return path


def write_ucla(folder: Path, name: str, xyz: NDArray[np.float32]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"file_name": name, "skeletons": xyz.tolist(), "label": 1}))
    return path
