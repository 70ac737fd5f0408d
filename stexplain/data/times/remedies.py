"""What to do about times that are not evenly spaced: a remedy that fits how they are spaced."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_UNITS = (
    ("D", 86_400 * 10**9), ("h", 3_600 * 10**9), ("min", 60 * 10**9), ("s", 10**9), ("ms", 10**6), ("us", 10**3),
    ("ns", 1),
)  # fmt: skip
_DAY = 86_400 * 10**9
# No month is shorter.
_MONTH = 28 * _DAY
_COUNTED = "leave the times out, so that frames are counted: df.reset_index(drop=True)"


def frequency(step: int) -> str:
    """A step in nanoseconds as pandas writes it, exactly.

    Example:
        >>> frequency(300 * 10**9), frequency(20 * 10**9), frequency(36 * 3600 * 10**9), frequency(14 * _DAY)
        ('5min', '20s', '36h', '14D')
    """
    unit, size = next((unit, size) for unit, size in _UNITS if step % size == 0)
    # In minutes up to a day, as series of sensors are spoken of.
    if unit == "h" and step < _DAY:
        unit, size = "min", 60 * 10**9
    return f"{step // size}{unit}"


def length(step: int) -> str:
    """A step in nanoseconds in words.

    Example:
        >>> length(600 * 10**9), length(20 * 10**9), length(29 * _DAY), length(_DAY)
        ('10 min', '20 s', '29 days', '1 day')
    """
    for unit, size in _UNITS:
        if unit == "D" and step >= size:
            return f"{step / size:g} day{'' if step == size else 's'}"
        if unit != "h" and step >= size:
            return f"{step / size:g} {unit}"
    return f"{step} ns"


def remedy_for(index: pd.DatetimeIndex, steps: NDArray[np.int64], step: int) -> str:
    """What to do about times that increase and are not evenly spaced.

    Args:
        index: the times.
        steps: from each to the next, in nanoseconds, ``[T - 1]``.
        step: the most frequent one.

    Returns:
        Sentences with calls of pandas that give times, or none, which are taken.

    Example:
        >>> months = pd.date_range("2012-01-01", periods=4, freq="MS")
        >>> remedy_for(months, np.array([31, 29, 31]) * _DAY, 31 * _DAY)
        'Months, quarters and years differ in length: leave the times out, so that frames are counted: ...'
    """
    local = index.tz_localize(None)
    own = np.diff(local.to_numpy().astype("datetime64[ns]")).astype(np.int64)
    if index.tz is not None and step >= _DAY and _on_grid(own, int(own.min())) and not _on_grid(steps, step):
        # Days are longer and shorter where clocks are set.
        return (
            f"Days of the zone {index.tz} differ in length: take its clock alone, df = df.tz_localize(None), then "
            f"{_insert(int(own.min()))}."
        )
    months = np.diff(local.year.to_numpy() * 12 + local.month.to_numpy())
    if steps.min() >= _MONTH and (months > 0).all() and _same_day(local):
        return f"Months, quarters and years differ in length: {_months(months)}."
    if _on_grid(steps, step):
        # Of working days a third of the frames would be missing.
        weekdays = step == _DAY and bool((local.day_of_week.to_numpy() < 5).all())
        insert = _insert(step)
        return f"{insert[0].upper()}{insert[1:]}{f'; or, of working days alone, {_COUNTED}' if weekdays else ''}."
    even = frequency(_rounded(int(np.median(steps))))
    clock = "" if index.tz is None else ".tz_localize(None)"
    return f"Average them over even steps: df{clock}.resample('{even}').mean(); or {_COUNTED}."


def _insert(step: int) -> str:
    return f"insert the missing times as frames of NaN: df.asfreq('{frequency(step)}')"


def _on_grid(steps: NDArray[np.int64], step: int) -> bool:
    """Whether all times lie a whole number of steps after the first."""
    return bool((steps % step == 0).all())


def _same_day(local: pd.DatetimeIndex) -> bool:
    """Whether times are on one day of their months, or all near its end or its beginning, as working days are."""
    day, left = local.day.to_numpy(), (local.days_in_month - local.day).to_numpy()
    return bool((day == day[0]).all() or (left <= 3).all() or (day <= 4).all())


def _months(months: NDArray[np.int64]) -> str:
    """The remedy for one frame each so many months; where some are missing they are put in first."""
    apart = int(np.gcd.reduce(months))
    if (months == apart).all():
        return _COUNTED
    every = f"[::{apart}]" if apart > 1 else ""
    return (
        "insert those that are missing as frames of NaN, df = df.to_period('M'); df = df.reindex("
        f"pd.period_range(df.index[0], df.index[-1], freq='M'){every}); then {_COUNTED}"
    )


def _rounded(step: int) -> int:
    """A step to a tenth of it at least, in round units."""
    size = next(size for _, size in _UNITS if step >= 10 * size or size == 1)
    return round(step / size) * size
