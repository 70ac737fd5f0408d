"""Dates that pandas does not know by itself: of two-digit years, of digits alone, and seconds since 1970."""

import re

import pandas as pd

from stexplain.data.times.numbers import date_format, since_1970

_SHORT = re.compile(r"\d{1,2}(?P<sign>[./-])\d{1,2}(?P=sign)\d{2}(?P<clock>[ T]\d{1,2}:\d{2}(:\d{2})?( ?[AaPp][Mm])?)?")
_DIGITS = re.compile(r"\d{7,8} \d{1,2}:\d{2}(:\d{2})?")
_NAMES = ("time", "timestamp", "ts", "epoch", "unix", "date", "datetime", "_time")
"""Of columns whose numbers may be times; of others they are hardly any."""
_ORDERS = {
    ("%m", "%d", "%y"): "where months come first",
    ("%d", "%m", "%y"): "where days come first",
    ("%y", "%m", "%d"): "where years come first",
}


def short_dates(cells: "pd.Series[str]", what: str) -> str:
    """How pandas makes times of such cells; empty where they are none.

    Args:
        cells: text; its name is that of the column.
        what: the cells, as an expression.

    Example:
        >>> short_dates(pd.Series(["01/31/06 00:00", "02/01/06 00:05"]), "t['time']")
        "pd.to_datetime(t['time'], format='%m/%d/%y %H:%M')"
        >>> short_dates(pd.Series(["20120101 1:00", "20120101 2:00"]), "t['time']")
        "pd.to_datetime(t['time'], format='%Y%m%d %H:%M')"
        >>> short_dates(pd.Series(["1714521600000000000"], name="time"), "t['time']")
        "pd.to_datetime(t['time'].astype('int64'), unit='ns')"
    """
    if len(cells) and cells.str.fullmatch(r"\d+").all():
        return _of_numbers(cells, what)
    formats = _formats(cells)
    if not formats:
        return ""
    # A month such as 1012001 has lost its zero.
    filled = f"{what}.str.replace(r'^(\\d{{7}} )', r'0\\1', regex=True)" if cells.str.match(r"\d{7} ").any() else what
    return f"pd.to_datetime({filled}, format={formats[0][0]!r})"


def other_orders(cells: "pd.Series[str]") -> str:
    """What to give in place of the format of `short_dates` where another order is possible; else empty.

    Example:
        >>> other_orders(pd.Series(["01/02/06", "01/02/06"]))
        "; or format='%d/%m/%y', where days come first; or format='%y/%m/%d', where years come first"
    """
    return "".join(f"; or format={one!r}, {meant}" for one, meant in _formats(cells)[1:])


def _of_numbers(cells: "pd.Series[str]", what: str) -> str:
    if str(cells.name).strip().lower() not in _NAMES or cells.str.len().max() > 19:
        return ""
    index = pd.Index(cells.astype("int64"))
    if written := date_format(index):
        return f"pd.to_datetime({what}, format={written!r})"
    if since_1970(index) is None:
        return ""
    unit = {9: "s", 10: "s", 12: "ms", 13: "ms", 15: "us", 16: "us"}.get(len(str(index[0])), "ns")
    return f"pd.to_datetime({what}.astype('int64'), unit={unit!r})"


def _formats(cells: "pd.Series[str]") -> list[tuple[str, str]]:
    """The formats in which all cells are times that go up, and what they mean."""
    # A file that lists sensors one after the other goes through its dates again and again.
    once = cells.drop_duplicates()
    if not len(once):
        return []
    if once.str.fullmatch(_DIGITS).all():
        once = once.str.replace(r"^(\d{7} )", r"0\1", regex=True)
        clock = "%H:%M:%S" if once.iloc[0].count(":") == 2 else "%H:%M"
        orders = {
            ("%Y", "%m", "%d"): "",
            ("%m", "%d", "%Y"): "where months come first",
            ("%d", "%m", "%Y"): "where days come first",
        }
        tried = [(f"{''.join(order)} {clock}", meant) for order, meant in orders.items()]
    elif once.str.fullmatch(_SHORT).all():
        match = _SHORT.fullmatch(once.iloc[0])
        assert match is not None
        clock = ""
        if match["clock"]:
            half = match[4] or ""
            hours = "%I" if half else "%H"
            clock = f"{match['clock'][0]}{hours}:%M{':%S' if match[3] else ''}{half[:-2] + '%p' if half else ''}"
        tried = [(match["sign"].join(order) + clock, meant) for order, meant in _ORDERS.items()]
    else:
        return []
    return [(one, meant) for one, meant in tried if _go_up(pd.to_datetime(once, format=one, errors="coerce"))]


def _go_up(times: "pd.Series[pd.Timestamp]") -> bool:
    """Whether all are times of our years, and none goes back by more than clocks do."""
    if times.isna().any() or not times.dt.year.between(1900, 2100).all():
        return False
    return bool((times.diff().iloc[1:] >= -pd.Timedelta(hours=2)).all())
