"""Times that are written as numbers: since 1970, or by the digits of the date."""

from typing import Any, Literal

import numpy as np
import pandas as pd

# Seconds, milliseconds, microseconds and nanoseconds since 1970 of the years 1973 to 2100.
_UNIX: tuple[tuple[float, float, Literal["s", "ms", "us", "ns"]], ...] = (
    (1e8, 4.2e9, "s"),
    (1e11, 4.2e12, "ms"),
    (1e14, 4.2e15, "us"),
    (1e17, 4.2e18, "ns"),
)
_DIGITS = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


def since_1970(index: pd.Index) -> pd.DatetimeIndex | None:
    """Numbers of the size of seconds (or milli-, micro- or nanoseconds) since 1970 as times; of others none.

    Example:
        >>> since_1970(pd.Index([1330560000, 1330560300]))[1]
        Timestamp('2012-03-01 00:05:00')
    """
    numbers = index.to_numpy(np.float64)
    # Nanoseconds have more digits than a float holds.
    exact: Any = index.to_numpy(np.int64) if pd.api.types.is_integer_dtype(index) else numbers
    if not len(numbers) or not np.isfinite(numbers).all() or date_format(index):
        return None
    for low, high, unit in _UNIX:
        if (numbers >= low).all() and (numbers <= high).all():
            return pd.DatetimeIndex(pd.to_datetime(exact, unit=unit))
    return None


def date_format(index: pd.Index) -> str:
    """The format of numbers whose digits are dates, such as 202003010005; empty where they are none.

    202003010005 is a number of milliseconds of 1976, too, of which no series is.

    Example:
        >>> date_format(pd.Index([202003010000, 202003010005])), date_format(pd.Index([1330560000]))
        ('%Y%m%d%H%M', '')
    """
    numbers = index.to_numpy(np.float64)
    if not len(numbers) or not np.isfinite(numbers).all() or (numbers % 1 != 0).any() or (numbers < 1e7).any():
        return ""
    text = pd.Series(numbers.astype(np.int64)).astype(str)
    lengths = text.str.len().unique()
    if len(lengths) != 1 or int(lengths[0]) not in _DIGITS or not text.str[:4].between("1900", "2100").all():
        return ""
    written = _DIGITS[int(lengths[0])]
    return "" if pd.to_datetime(text, format=written, errors="coerce").isna().any() else written


def how_to_read(written: str) -> str:
    """How to make times of such numbers, for messages.

    Args:
        written: by `date_format`.
    """
    return f"pd.to_datetime(times.astype(str), format={written!r})"
