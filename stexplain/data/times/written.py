"""Times as spreadsheets and authorities write them, where the order of day and month is certain."""

import re

import pandas as pd

_CLOCKS = {
    "UTC": "UTC",
    "GMT": "UTC",
    "CET/CEST": "Europe/Brussels",
    "WET/WEST": "Europe/Lisbon",
    "EET/EEST": "Europe/Athens",
}
"""By what a heading has in brackets, a zone with its clocks: within each of these all places have the same."""
_DATE = r"\d{1,2}(?P<sign>[./-])\d{1,2}(?P=sign)\d{4}"
_CLOCK = r"\d{1,2}:\d{2}(?P<seconds>:\d{2}(?:\.0+)?)?(?P<half> ?[AaPp][Mm])?"
_MOMENT = re.compile(rf"{_DATE}(?:(?P<gap>,? |T){_CLOCK})?")
_RANGE = re.compile(r"\s+(?:-|–|to)\s+")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}.*")


_BACK = pd.Timedelta(hours=2)
"""So much at most go times back where clocks are set."""


def zone_said(name: object) -> str | None:
    """The zone that a heading says, as ``MTU (CET/CEST)`` does; none where it says none.

    Example:
        >>> zone_said("Time (CET/CEST)"), zone_said("time")
        ('Europe/Brussels', None)
    """
    return next((_CLOCKS[said] for said in re.findall(r"\(([^()]+)\)", str(name)) if said in _CLOCKS), None)


def written_times(cells: "pd.Series[str]") -> pd.DatetimeIndex | None:
    """The times of cells as ``31.03.2012 08:00``, ``3/31/2012 8:00 AM``, or of a period ``A - B``, which begins at A.

    With points the day comes first. With strokes it does where one of the two orders alone gives times that go up,
    or both give the same.

    Args:
        cells: text.

    Returns:
        Times without a zone, unless the cells have one; none where they are no such times, or the order of day and
        month is not certain.

    Example:
        >>> written_times(pd.Series(["31.03.2012 08:00 - 31.03.2012 09:00"]))[0]
        Timestamp('2012-03-31 08:00:00')
        >>> written_times(pd.Series(["1/2/2012 8:00 AM", "1/2/2012 9:00 AM"])) is None
        True
        >>> written_times(pd.Series(["1/31/2012 11:00 PM", "2/1/2012 12:00 AM"]))[1]
        Timestamp('2012-02-01 00:00:00')
    """
    begins = _begins(cells.astype(str).str.strip())
    if begins is None:
        return None
    times = pd.to_datetime(begins, errors="coerce", format="ISO8601") if _is_iso(begins) else _in_order(begins)
    return None if times is None or times.isna().any() else pd.DatetimeIndex(times)


def _begins(cells: "pd.Series[str]") -> "pd.Series[str] | None":
    """The cells, or of periods their begins; none where some are periods and others not, or one has no end."""
    parts = cells.map(lambda cell: _RANGE.split(cell))
    if (parts.map(len) == 1).all():
        return cells
    if not (parts.map(len) == 2).all():
        return None
    ends = parts.str[1]
    return parts.str[0] if _is_iso(ends) or ends.str.fullmatch(_MOMENT).all() else None


def _is_iso(cells: "pd.Series[str]") -> bool:
    return bool(cells.str.fullmatch(_ISO).all())


def day_comes_first(cells: "pd.Series[str]") -> bool | None:
    """Whether the day comes before the month in dates that end with the year; none where that is not certain.

    Example:
        >>> day_comes_first(pd.Series(["13/2/2012"])), day_comes_first(pd.Series(["1/2/2012"]))
        (True, None)
    """
    begins = _begins(cells.astype(str).str.strip())
    fits = {} if begins is None else _orders(begins)
    return next(iter(fits)) if len(fits) == 1 else None


def _in_order(cells: "pd.Series[str]") -> "pd.Series[pd.Timestamp] | None":
    """Times whose dates end with the year."""
    fits = list(_orders(cells).values())
    return fits[0] if fits and all(times.equals(fits[0]) for times in fits) else None


def _orders(cells: "pd.Series[str]") -> "dict[bool, pd.Series[pd.Timestamp]]":
    """The times, by whether the day comes first, for each order in which all are times and go up."""
    first = _MOMENT.fullmatch(cells.iloc[0]) if len(cells) else None
    if first is None:
        return {}
    sign, gap = first["sign"], first["gap"] or ""
    clock = "" if not gap else _clock(first)
    orders = {True: ("%d", "%m", "%Y")} if sign == "." else {True: ("%d", "%m", "%Y"), False: ("%m", "%d", "%Y")}
    read = {
        whether: pd.to_datetime(cells, errors="coerce", format=f"{sign.join(order)}{gap}{clock}")
        for whether, order in orders.items()
    }
    return {
        whether: times
        for whether, times in read.items()
        if times.notna().all() and (sign == "." or (times.diff().iloc[1:] >= -_BACK).all())
    }


def _clock(match: re.Match[str]) -> str:
    """The format of the clock of a time."""
    half = match["half"]
    hours = "%H" if half is None else "%I"
    seconds = "" if match["seconds"] is None else ":%S.%f" if "." in match["seconds"] else ":%S"
    return f"{hours}:%M{seconds}{'' if half is None else half[: len(half) - 2] + '%p'}"
