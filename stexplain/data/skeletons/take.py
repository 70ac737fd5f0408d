"""One recording of a file that may hold many, with what the file says about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.checking.words import shown
from stexplain.errors import DataError
from stexplain.reading.contents import reason_of

XY, XYZ, SCORE = ("x", "y"), ("x", "y", "z"), "score"


@dataclass(frozen=True)
class Take:
    """One recording.

    Attributes:
        id: what it is called.
        values: ``[M, T, N, C]``, float32; NaN where a body is absent or a joint was not read.
        channels: the names of the C channels.
        score: the confidence of each joint, ``[M, T, N]``, float32, or none.
        label: the name of its class; empty where the file says none.
        joints: the names of the N joints, where the file says them.
        bones: pairs of names (child, parent), where the file says them.
        fields: what else the file says, such as ``{"subject": 3}``.
        frame_rate: frames per second, where the file says it.
        skeletons: the skeletons that files of this format have; none: any.
    """

    id: str
    values: NDArray[np.float32]
    channels: tuple[str, ...]
    score: NDArray[np.float32] | None = None
    label: str = ""
    joints: tuple[str, ...] = ()
    bones: tuple[tuple[str, str], ...] = ()
    fields: Mapping[str, int | str] = field(default_factory=dict)
    frame_rate: float | None = None
    skeletons: tuple[str, ...] = ()


def positions(channels: Sequence[str]) -> int:
    """How many channels, the first, are positions: called x, y and z.

    Example:
        >>> positions(["x", "y", "score"]), positions(["ax", "ay", "az"])
        (2, 0)
    """
    return next((count for count, name in enumerate(channels) if name not in XYZ), len(channels))


def stated_rate(path: Path, rate: float) -> float | None:
    """The frames per second that a file states; none where it states zero, as files do that do not know.

    Raises:
        DataError: where it is no such number.

    Example:
        >>> stated_rate(Path("walk.c3d"), 120.0)
        120.0
        >>> stated_rate(Path("walk.c3d"), float("inf"))
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: walk.c3d states inf frames per second; expected a finite number above 0.
    """
    if not 0 <= rate < np.inf:
        raise DataError(f"{path} states {rate:g} frames per second; expected a finite number above 0.")
    return rate or None


def class_number(path: Path, where: str, value: Any) -> str:
    """A class that a file gives as a whole number, as text.

    Raises:
        DataError: where it is anything else.

    Example:
        >>> class_number(Path("label.pkl"), "sample 3", np.float32(7.0))
        '7'
    """
    try:
        number = int(value)
        if number == value:
            return str(number)
    except (TypeError, ValueError, OverflowError):  # no number; not a number; infinite
        pass
    raise DataError(f"{path}, {where}: the class is {shown(value)}; expected a whole number.")


def numbers(path: Path, where: str, value: ArrayLike, shape: str) -> NDArray[np.float32]:
    """A value of a file as an array of numbers.

    Args:
        path: of the file.
        where: in it, for the message.
        value: lists or an array.
        shape: what is expected, such as ``"[M, T, N, C]"``: as many axes as it has names.

    Raises:
        DataError: where it holds anything else, or has another number of axes.
    """
    try:
        array = np.asarray(value, np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}, {where}: {reason_of(error)}; expected numbers {shape}.") from error
    if array.ndim != shape.count(",") + 1:
        raise DataError(f"{path}, {where}: got shape {list(array.shape)}; expected {shape}.")
    if np.isinf(array).any():
        raise DataError(
            f"{path}, {where}: got infinite numbers; expected finite ones, or NaN where a value is missing."
        )
    return array


def without_zeros(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Frames of a body in which every coordinate is zero as NaN: formats without gaps write zeros for them.

    Args:
        values: ``[M, T, N, C]``.

    Example:
        >>> without_zeros(np.array([[[[0.0, 0.0]], [[1.0, 0.0]]]], np.float32)).tolist()
        [[[[nan, nan]], [[1.0, 0.0]]]]
    """
    empty = ~np.nan_to_num(values).any(axis=(2, 3), keepdims=True)
    return np.where(empty, np.float32(np.nan), values)
