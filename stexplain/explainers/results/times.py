"""The times of an explanation's frames, in the unit that people count them in."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from stexplain.explainers.explanation import Explanation


LAGS = {"min": "min", "h": "h", "d": "days"}
"""How long before the last observation: the unit, and its short name."""


def as_lags(minutes: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
    """Times in minutes in the unit that people count them in: days or hours where all are whole ones.

    Example:
        >>> as_lags(np.array([-2880.0, -1440.0, 0.0])), as_lags(np.array([-90.0, -45.0, 0.0]))
        ((array([-2., -1.,  0.]), 'd'), (array([-90., -45.,   0.]), 'min'))
    """
    for unit, size in (("d", 1440.0), ("h", 60.0)):
        counted = minutes / size
        if len(minutes) > 1 and np.allclose(counted, np.round(counted), rtol=0, atol=1e-9):
            return np.round(counted), unit
    return minutes, "min"


def times_of(e: "Explanation") -> tuple[NDArray[np.float64], str]:
    """The time of each frame and its unit for `time_text`: frames, seconds, or lags before the last observation.

    Example:
        >>> from stexplain.explainers import Explanation
        >>> windows = Explanation(np.ones((1, 1, 3, 2)), np.ones((1, 1, 3), bool), time=[-600, -300, 0], time_unit="s")
        >>> times_of(windows)
        (array([-10.,  -5.,   0.]), 'min')
    """
    time = np.asarray(e.time, dtype=np.float64)
    # Windows of a series end with 0 s. Of those that are minutes apart nobody counts seconds.
    if e.time_unit == "s" and len(time) > 1 and time[-1] == 0 and time[1] - time[0] >= 60:
        return as_lags(time / 60)
    # Whole numbers are frames unless their unit is said; anything else is taken as seconds.
    return time, "s" if e.time_unit == "s" or bool(np.any(time != np.round(time))) else "frame"


def times_in_words(e: "Explanation") -> tuple[str, str]:
    """What the frames span, and when importance is largest, summed over samples, instances and nodes.

    Both are empty where frames are only counted.

    Example:
        >>> from stexplain.explainers import Explanation
        >>> values = np.ones((1, 1, 3, 2)) * [[1], [2], [0]]
        >>> windows = Explanation(values, np.ones((1, 1, 3), bool), time=[-600, -300, 0], time_unit="s")
        >>> times_in_words(windows)
        ('10 to 0 min earlier', '5 min earlier')
    """
    time, unit = times_of(e)
    if unit == "frame" or not e.values.size:
        return "", ""
    by_frame = np.nansum(np.asarray(e.importance, np.float64), axis=(0, 1, 3))
    peak = float(time[int(by_frame.argmax())]) if by_frame.max() > 0 else None
    if unit in LAGS:
        span = f"{abs(time[0]):g} to {abs(time[-1]):g} {LAGS[unit]} earlier"
        one = "day" if unit == "d" and peak == -1 else LAGS[unit]
        return span, "" if peak is None else f"{-peak:g} {one} earlier" if peak else "the last observation"
    return f"{time[0]:.2f} to {time[-1]:.2f} s", "" if peak is None else f"{peak:.2f} s"
