"""Times of frames, checked to be evenly spaced."""

from typing import Any

import numpy as np
import pandas as pd

from stexplain.data.times.numbers import date_format, how_to_read, since_1970
from stexplain.data.times.remedies import length, remedy_for
from stexplain.errors import InputError

_HOUR = np.timedelta64(1, "h")
CLOCKS = "If clocks changed then, give the zone first: df.tz_localize('America/Los_Angeles', ambiguous='infer')."
"""The remedy for times without a zone that clocks went back or ahead in."""
ZONE = "If clocks changed then, give their zone: time_zone='Europe/Berlin'."
"""The same for times of a file."""


def even_times(time: Any, frames: int) -> pd.DatetimeIndex:
    """Times of so many frames: one each, increasing, evenly spaced.

    Raises:
        InputError: naming the first gap and the remedy.

    Example:
        >>> even_times(["2012-03-01 00:00", "2012-03-01 00:05", "2012-03-01 00:15"], 3)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: time: frame 2 is at 2012-03-01 00:15:00, 10 min after the one before; expected ...
    """
    index = _as_times(time)
    if len(index) != frames:
        raise InputError(f"time: got {len(index)} times for {frames} frames; expected one each.")
    if frames < 2:
        return index
    # In UTC, where no hour is left out or comes twice.
    universal = index if index.tz is None else index.tz_convert("UTC").tz_localize(None)
    if index.hasnans:
        gap = int(np.flatnonzero(index.isna())[0])
        raise InputError(f"time: frame {gap} has none; expected one each. Leave it out: df[df.index.notna()].")
    steps = np.diff(universal.to_numpy().astype("datetime64[ns]"))
    lengths, counts = np.unique(steps, return_counts=True)
    # The most frequent step is the series' own; what differs from it is a gap, also where that comes first.
    step = lengths[counts.argmax()]
    gaps = np.flatnonzero(steps != step)
    wall = np.diff(index.tz_localize(None).to_numpy())
    if gaps.size and index.tz is not None and (wall == wall[0]).all():
        raise InputError(
            f"time: the clock of {index.tz} shows even steps, and was changed at {index[gaps[0] + 1]}; expected times "
            "of even length. Where a frame is a day on the clock, drop the zone: df.tz_localize(None)."
        )
    backward = np.flatnonzero(steps <= np.timedelta64(0, "ns"))
    # Before the gaps: times out of order make gaps too, and have another remedy.
    if backward.size:
        first = backward[0] + 1
        twice = steps[first - 1] == np.timedelta64(0, "ns")
        before = "as the one before" if twice else f"and the one before at {index[first - 1]}"
        remedy = "Keep one of each: df[~df.index.duplicated()]." if twice else "Sort them: df.sort_index()."
        # Back by an hour less a step, and onward from there: the clocks were set back.
        back = index.tz is None and steps[first - 1] == step - _HOUR and backward.size == 1
        remedy += f" {CLOCKS}" if back else ""
        raise InputError(f"time: frame {first} is at {index[first]}, {before}; expected times that increase. {remedy}")
    if gaps.size:
        ahead = index.tz is None and gaps.size == 1 and steps[gaps[0]] == step + _HOUR
        clocks = f" {CLOCKS}" if ahead else ""
        apart = steps.astype(np.int64)
        usual = int(step.astype(np.int64))
        raise InputError(
            f"time: frame {gaps[0] + 1} is at {index[gaps[0] + 1]}, {length(int(apart[gaps[0]]))} after the one "
            f"before; expected {length(usual)}. {remedy_for(index, apart, usual)}{clocks}"
        )
    return index


def _as_times(time: Any) -> pd.DatetimeIndex:
    """What was given as times; numbers are those since 1970, and text is ISO 8601.

    Raises:
        InputError: where it could mean other times, or none.
    """
    index = pd.Index(time)
    if isinstance(index, pd.DatetimeIndex | pd.PeriodIndex) or not len(index):
        return index.to_timestamp() if isinstance(index, pd.PeriodIndex) else pd.DatetimeIndex(index)
    if pd.api.types.is_numeric_dtype(index):
        if written := date_format(index):
            raise InputError(
                f"time: got numbers, the first {index[0]}, which are dates by their digits; expected times. Give "
                f"{how_to_read(written).replace('times', 'pd.Series(time)')}."
            )
        if (found := since_1970(index)) is None:
            raise InputError(
                f"time: got numbers, the first {index[0]}; expected times, such as pd.date_range('2020-01-01', "
                "periods=..., freq='5min'), or seconds since 1970."
            )
        return found
    if isinstance(index[0], str):
        try:
            return pd.DatetimeIndex(pd.to_datetime(index, format="ISO8601"))
        except ValueError as error:
            raise InputError(
                f"time: got text such as {index[0]!r}, in which day and month may stand either way; expected times, or "
                "text as 2012-03-31 08:00. Give pd.to_datetime(time, dayfirst=True), or dayfirst=False."
            ) from error
    return pd.DatetimeIndex(index)
