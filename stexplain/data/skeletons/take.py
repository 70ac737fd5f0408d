"""One recording of a file that may hold many, with what the file says about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.checking.words import shown
from stexplain.data.store.tracking import LeftOut
from stexplain.errors import DataError, InputError
from stexplain.reading.contents import reason_of

XY, XYZ, SCORE = ("x", "y"), ("x", "y", "z"), "score"
_PIXELS = 20
"""Beside so wide a body a depth between 0 and 1 is none."""


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
        unit: of its positions, where the file says it; empty: it does not.
        up: the coordinate that points up, such as ``"z"``, where the file says it; empty: it does not.
        said: which of its bodies could be others, as no track says who they are.
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
    unit: str = ""
    up: str = ""
    said: tuple[LeftOut, ...] = ()


def positions(channels: Sequence[str]) -> int:
    """How many channels, the first, are positions: called x, y and z.

    Example:
        >>> positions(["x", "y", "score"]), positions(["ax", "ay", "az"])
        (2, 0)
    """
    return next((count for count, name in enumerate(channels) if name not in XYZ), len(channels))


def checked_names(channels: Sequence[str]) -> tuple[str, ...]:
    """Names of channels, each another; only the last may be that of the confidence.

    Raises:
        InputError: where one is empty, stands twice, or is that of the confidence, and not the last.
    """
    names = tuple(channels)
    several = bool(names) and all(names) and len(set(names)) == len(names)
    if isinstance(channels, str) or not several or SCORE in names[:-1] or names == (SCORE,):
        raise InputError(
            f"channels: got {channels!r}; expected a name for each channel of the files, each another, such as ['x', "
            f"'y', 'z']. {SCORE!r}, the confidence, is the last: ['x', 'y', {SCORE!r}]."
        )
    return names


def named_channels(take: Take, channels: tuple[str, ...] | None) -> Take:
    """A recording with the names of its channels as they are given, of which a last ``score`` is the confidence.

    Args:
        take: as it was read.
        channels: by `checked_names`; none: as it was read.

    Raises:
        InputError: where it has another number of channels; or where no names are given, and what would be taken for z
            is a confidence, as it is between 0 and 1 beside x and y in pixels.

    Example:
        >>> take = Take("a", np.array([[[[412.0, 96.0, 0.75], [388.0, 310.0, 0.5]]]], np.float32), XYZ)
        >>> named_channels(take, ("x", "y", "score")).score.tolist()
        [[[0.75, 0.5]]]
        >>> named_channels(take, None)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: channels: the third of 'a' goes from 0.5 to 0.75, where x and y go to ...
    """
    if not take.values.size:
        return take
    if channels is None:
        if take.channels == XYZ and take.score is None:
            _refuse_packed(take)
        return take
    if take.values.shape[3] != len(channels):
        raise InputError(
            f"channels: got {len(channels)} names, {', '.join(channels)}; {take.id!r} has {take.values.shape[3]} "
            f"channels ({', '.join(take.channels)})."
        )
    if channels[-1] != SCORE:
        return replace(take, channels=channels)
    if take.score is not None:
        raise InputError(f"channels: got {SCORE!r}; {take.id!r} has a confidence beside its channels. Leave it out.")
    return replace(take, channels=channels[:-1], values=take.values[..., :-1], score=take.values[..., -1])


def _refuse_packed(take: Take) -> None:
    """Refuses a confidence in the place of z: of a body no depth is that small beside its width and height."""
    read = take.values[~np.isnan(take.values).any(3)]
    third = read[:, 2]
    # A plane lies at 0; scores may well be all alike.
    if not len(read) or third.min() < 0 or third.max() > 1 or not third.any():
        return
    if np.ptp(read[:, :2], axis=0).max() > _PIXELS:
        raise InputError(
            f"channels: the third of {take.id!r} goes from {third.min():.2g} to {third.max():.2g}, where x and y go "
            f"to {read[:, :2].max():.4g}: it is hardly z. Give channels=['x', 'y', {SCORE!r}], or ['x', 'y', 'z'] "
            "where it is."
        )


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
