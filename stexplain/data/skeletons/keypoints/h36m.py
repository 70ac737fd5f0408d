"""Human3.6M as VideoPose3D's npz hold it: positions by subject and action, in dictionaries that are pickled."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.data.readers.plain_pickle import Pickled, array_of_objects
from stexplain.data.skeletons.take import XY, XYZ, Take, numbers
from stexplain.errors import DataError
from stexplain.reading.npy import opened_npz

ARRAYS = ("positions_3d", "positions_2d")
"""What the files call their values; 2-D positions are of each camera."""
# Of the 32 joints of the recordings these 17 move by themselves: the others repeat them, or are ends of hands and feet.
_OF_32 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
_TRIAL = re.compile(r"(?P<action>.+?)[ _]\d+")


def is_h36m(path: Path) -> bool:
    """Whether an npz has VideoPose3D's names."""
    with opened_npz(path) as arrays:
        return any(name in arrays.names for name in ARRAYS)


def read_h36m(path: Path) -> Iterator[Take]:
    """Every sequence, called ``S1/Walking 1``, or of a camera ``S1/Walking 1/camera 0``; nothing is executed.

    Its class is the action without the number of the trial, its fields are subject and camera. Of 32 joints the 17 of
    `h36m-17` are read.

    Raises:
        DataError: where the file is broken, or asks for anything to be executed.
    """
    with opened_npz(path) as arrays:
        key = next(name for name in ARRAYS if name in arrays.names)
        content = arrays.pickled(key)
    entries = array_of_objects(content, path, "positions by subject and action") if content else []
    if len(entries) != 1 or not isinstance(entries[0], dict):
        raise DataError(f"{path}, {key}: expected a dictionary of subjects, as VideoPose3D writes it.")
    for subject, actions in entries[0].items():
        if not isinstance(actions, dict):
            raise DataError(f"{path}, {key}, {subject!r:.60}: expected a dictionary of actions.")
        for action, given in actions.items():
            match = _TRIAL.fullmatch(str(action))
            label = match["action"] if match else str(action)
            cameras = given if isinstance(given, list) else [given]
            for number, one in enumerate(cameras):
                name = f"{subject}/{action}" + (f"/camera {number}" if isinstance(given, list) else "")
                values = _positions(path, name, one)
                fields: dict[str, int | str] = {"subject": str(subject)}
                if isinstance(given, list):
                    fields["camera"] = number
                yield Take(
                    name,
                    values[None],
                    XY if values.shape[2] == 2 else XYZ,
                    label=label,
                    fields=fields,
                    skeletons=("h36m-17",),
                )


def _positions(path: Path, name: str, given: Any) -> NDArray[np.float32]:
    """``[T, N, 2 or 3]`` of a sequence, of the 17 joints where it has all 32."""
    array = given.array() if isinstance(given, Pickled) else None
    if array is None:
        raise DataError(f"{path}, {name}: got {type(given).__name__}; expected an array [T, N, 2 or 3].")
    values = numbers(path, name, array, "[T, N, C]")
    if values.shape[2] not in (2, 3):
        raise DataError(f"{path}, {name}: got shape {list(values.shape)}; expected [T, N, 2 or 3].")
    return values[:, _OF_32] if values.shape[1] == 32 else values
