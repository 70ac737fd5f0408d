"""The rate of frames by their time stamps, and the frames between them that are not there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stexplain.checking import warn_caller
from stexplain.data.skeletons.take import stated_rate
from stexplain.errors import DataError

_BESIDE = 0.3
"""A time is on the raster of the others where it is beside it by less, in frames."""


def rate_and_places(
    path: Path, numbers: Sequence[int], times: Sequence[Any], seconds: float
) -> tuple[float | None, list[int]]:
    """Frames per second, and the number of each frame, with gaps where times say that some are not there.

    Args:
        path: of the file, for messages.
        numbers: of the frames, as the file says them, or counted.
        times: of each of them; none: the file does not say it.
        seconds: how long a unit of these times is.

    Returns:
        No rate, and the numbers as they are, where a frame has no time, or times are on no raster; the latter is said.

    Raises:
        DataError: where times are no numbers, or do not go up.

    Example:
        >>> rate_and_places(Path("a.json"), [0, 1, 2, 3], [0, 40, 80, 160], 0.001)
        (25.0, [0, 1, 2, 4])
    """
    given = list(numbers)
    if len(times) < 3 or any(time is None for time in times):
        return None, given
    if not all(isinstance(time, int | float) and not isinstance(time, bool) for time in times):
        wrong = next(time for time in times if not isinstance(time, int | float) or isinstance(time, bool))
        raise DataError(f"{path}: got {wrong!r:.60} as the time of a frame; expected a number.")
    at = np.asarray(times, np.float64) * seconds
    steps = np.diff(at)
    if not np.isfinite(at).all() or (steps <= 0).any():
        row = int(np.flatnonzero(~(steps > 0))[0]) + 1
        raise DataError(
            f"{path}, frame {row + 1}: the time is {times[row]!r:.60} after {times[row - 1]!r:.60}; expected times "
            "that go up."
        )
    # Each step in units of the shortest usual one: stamps shake, and frames are dropped.
    step = float(np.median(steps))
    since = (at - at[0]) / step
    # The median is off by the rounding of stamps: over the whole recording this adds up.
    whole = np.cumsum(np.maximum(np.rint(steps / step), 1))
    step = float((at[-1] - at[0]) / whole[-1])
    since = (at - at[0]) / step
    beside = np.abs(since - np.rint(since))
    if beside.max() > _BESIDE:
        warn_caller(
            f"{path}: its times are uneven, steps of {steps.min():.3g} to {steps.max():.3g} seconds: time is counted "
            "in frames. Bring them to one rate."
        )
        return None, given
    places = np.rint(since).astype(np.int64)
    counted = np.asarray(given) - given[0]
    # Numbers that have gaps themselves say it already.
    said = counted if (counted == places).all() or np.ptp(counted) >= places[-1] else places
    return stated_rate(path, round(1 / step, 2)), [int(place) + given[0] for place in said]
