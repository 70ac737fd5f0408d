"""Poses in HDF5: SLEAP's analysis, and DeepLabCut's table as pandas wrote it."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.data.skeletons.columns import MOST_FRAMES, NAMES
from stexplain.data.skeletons.take import XY, XYZ, Take
from stexplain.errors import DataError, InputError
from stexplain.reading.child_process import arrays_in_child

_MODULE = "stexplain.data.skeletons.keypoints.hdf5_poses_file"
_ALONE = "single"
"""What DeepLabCut calls the individual whose parts are of no animal, such as marks of the room."""


def read_hdf5_poses(path: Path) -> Take:
    """The animals, or persons, of one file, with their joints; SLEAP's has the bones, too. Nothing is executed.

    A joint that somebody placed by hand, and that so has no score in SLEAP's file, has the score 1. Of DeepLabCut's
    individuals joints are those that all of them have.

    Raises:
        InputError: where h5py is not installed.
        DataError: where the file is broken, or of another program.
    """
    if find_spec("h5py") is None:
        raise InputError(f"{path} is HDF5, which needs h5py: pip install 'stexplain[traffic]'.")
    found = arrays_in_child(_MODULE, path, "HDF5 of SLEAP or DeepLabCut", "Write it again.")
    try:
        return _of_sleap(path, found) if "tracks" in found else _of_deeplabcut(path, found)
    except KeyError as error:
        raise DataError(f"{path} is incomplete: it has no {error}. Write it again.") from error


def _of_sleap(path: Path, found: dict[str, NDArray[Any]]) -> Take:
    values = found["tracks"]
    score = None
    if "scores" in found:
        placed = ~np.isnan(values).any(3) & np.isnan(found["scores"])
        score = np.where(placed, np.float32(1), found["scores"])
    bones = tuple((str(end), str(start)) for start, end in found["bones"].tolist())
    # poses.analysis.h5 is of the recording "poses".
    return Take(path.stem.removesuffix(".analysis"), values, XY, score, joints=tuple(found["joints"]), bones=bones)


def _of_deeplabcut(path: Path, found: dict[str, NDArray[Any]]) -> Take:
    values, frames, columns = found["values"], found["frames"], found["columns"]
    levels = found["levels"].tolist()
    parts, coordinates = (columns[:, levels.index(name)].tolist() for name in ("bodyparts", "coords"))
    who = columns[:, levels.index("individuals")].tolist() if "individuals" in levels else [""] * len(parts)
    place = {key: number for number, key in enumerate(zip(who, parts, coordinates, strict=True))}
    if len(place) < len(parts):
        raise DataError(f"{path}: a column of its table is there twice; expected each coordinate once.")
    individuals = [name for name in dict.fromkeys(who) if name != _ALONE] or list(dict.fromkeys(who))
    known = [name for name in ("x", "y", "z", *NAMES["score"]) if name in coordinates]
    axes = [name for name in known if name in XYZ]
    if tuple(axes) not in (XY, XYZ) or len(known) > len(axes) + 1:
        raise DataError(
            f"{path}: its coordinates are {', '.join(dict.fromkeys(coordinates))}; expected x, y and one score."
        )
    joints = [
        part
        for part in dict.fromkeys(parts)
        if all((one, part, name) in place for one in individuals for name in known)
    ]
    if not joints:
        raise DataError(f"{path}: no joint has all of {', '.join(known)} in every individual.")
    if not len(frames):
        return Take(path.stem, np.zeros((0, 0, len(joints), len(axes)), np.float32), tuple(axes))
    first, count = int(frames.min()), int(frames.max() - frames.min()) + 1
    if count > MOST_FRAMES or len(set(frames.tolist())) < len(frames):
        raise DataError(f"{path}: its frames go from {first} to {int(frames.max())}; expected each once, in a video.")
    order = [[[place[one, part, name] for name in known] for part in joints] for one in individuals]
    # [M, N, C] places among columns -> [M, T, N, C]
    placed = np.full((len(individuals), count, len(joints), len(known)), np.nan, np.float32)
    placed[:, frames - first] = values[:, np.array(order)].transpose(1, 0, 2, 3)
    scored = len(known) > len(axes)
    score = placed[..., -1] if scored else None
    return Take(path.stem, placed[..., : len(axes)], tuple(axes), score, joints=tuple(joints))
