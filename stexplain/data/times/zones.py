"""The time zone of times: given where a file does not say it."""

import pandas as pd

from stexplain.errors import InputError


def in_zone(time: pd.DatetimeIndex, zone: str | None) -> pd.DatetimeIndex:
    """Times in a zone: on its clocks where they have none, the same moments where they have one.

    Where clocks are set back the hour that comes twice is found by the order of the times.

    Args:
        time: in order.
        zone: its name; none: the times stay as they are.

    Raises:
        InputError: where there is no such zone, or its clocks never show one of the times, or show it twice and the
            order does not tell which is meant.

    Example:
        >>> times = pd.DatetimeIndex(["2025-10-26 01:00", "2025-10-26 02:00", "2025-10-26 02:00", "2025-10-26 03:00"])
        >>> in_zone(times, "Europe/Berlin").tz_convert("UTC").hour.tolist()
        [23, 0, 1, 2]
    """
    if zone is None:
        return time
    try:
        pd.Timestamp(0, tz=zone)
    except (KeyError, ValueError, TypeError, OSError, IndexError) as error:
        raise InputError(f"time_zone: got {zone!r}; expected a name such as 'Europe/Berlin' or 'UTC'.") from error
    if time.tz is not None:
        return time.tz_convert(zone)
    try:
        return time.tz_localize(zone, ambiguous="infer")
    except ValueError as error:
        raise InputError(
            f"time_zone: the times do not fit the clocks of {zone}: {error}. Are they in another zone, such as 'UTC', "
            "or without summer time, such as 'Etc/GMT-1' for an hour ahead of UTC?"
        ) from error
