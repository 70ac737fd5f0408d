"""How to write a table anew with a row for each time and a column for each sensor: lines of pandas, for messages."""

import re

import pandas as pd

from stexplain.data.times.short_dates import other_orders, short_dates
from stexplain.data.times.written import day_comes_first, written_times

SENSORS = (
    *("sensor", "sensor_id", "station", "station_id", "detector", "detector_id", "node", "node_id", "region_id"),
    *("meter", "meter_id", "lclid", "device", "device_id", "household", "household_id", "site_id", "location_id"),
    *(
        "segment_id",
        "link_id",
        "road_id",
        "zone_id",
        "zoneid",
        "cell_id",
        "detid",
        "site",
        "site num",
        "station_name",
        "siteid",
    ),
)
"""Names of a column that says of which sensor a row is."""
_PARTS = ("year", "month", "day", "hour", "minute", "second")
_NO_VALUES = re.compile(
    r"|unnamed: 0|index|lat|lon|latitude|longitude|x|y|error|table|(.*[_ ])?(id|code|num|no|number)s?"
)
"""Names of columns of numbers that are no observations."""
_ASKED = "dayfirst=True"
"""Where the order of day and month is not certain."""
_IN_A_DAY = (24, 48, 96, 144, 288)
"""How many columns hold a day."""
_CLOCK = r"\d{1,2}[:.]\d{2}([:.]\d{2})?"


def written_anew(text: pd.DataFrame, separator: str) -> str:
    """Lines that make the table of a file one that is read, with ``x.csv`` as its name; empty where none is known.

    Where the order of day and month is not certain, it is asked for behind them.

    Args:
        text: its cells, as text, under their names.
        separator: of the file.

    Example:
        >>> rows = [["2012-03-01", "a", "1"], ["2012-03-01", "b", "2"], ["2012-03-02", "a", "3"]]
        >>> rows.append(["2012-03-02", "b", "4"])
        >>> written_anew(pd.DataFrame(rows, columns=["date", "who", "kwh"]), ",")
        "t = pd.read_csv(path, dtype=str).rename(columns=str.strip); t['time'] = pd.to_datetime(t['date']); t.pivot(..."
    """
    lines = _lines(text, separator)
    # One of the two would be a guess at months.
    if _ASKED in lines and not _pointed(text):
        return f"{lines}; or dayfirst=False, where months come first"
    return lines + next(filter(None, (other_orders(text[name]) for name in text.columns)), "") if lines else ""


def _pointed(text: pd.DataFrame) -> bool:
    """Whether dates have points, before which days come first."""
    return any(text[name].str.contains(r"^\d{1,2}\.\d{1,2}\.\d{4}").any() for name in text.columns)


def _lines(text: pd.DataFrame, separator: str) -> str:
    text = text.apply(lambda cells: cells.astype(str).str.strip())
    text = text.loc[:, (text != "").any()]
    time, of_time = _times(text)
    if not time:
        return ""
    # Cells stay as they are written: decimals with commas, and ids that begin with 0.
    how = "dtype=str" if separator == "," else f"sep={separator!r}, dtype=str"
    read = f"pd.read_csv(path, {how}).rename(columns=str.strip)"
    numbers = {name: pd.to_numeric(text[name], errors="coerce") for name in text.columns}
    numeric = [name for name, cells in numbers.items() if cells.notna().mean() > 0.5 and name not in of_time]
    words = [name for name in text.columns if name not in numeric and name not in of_time]
    ids = next((name for name in text.columns if str(name).lower() in SENSORS and name not in of_time), None)
    if ids is None and len(_repeated(text, words)) == 1 and text[of_time].duplicated().any():
        ids = _repeated(text, words)[0]
    values = [name for name in numeric if name != ids and not _NO_VALUES.fullmatch(str(name).strip().lower())]
    if not values or text[[*of_time, *([] if ids is None else [ids])]].duplicated().any():
        return ""
    rest = [name for name in text.columns if name not in [of_time[0], *values]]
    alone = of_time[0] == text.columns[0] and " + " not in time and _is_read(text.iloc[:, 0])
    if ids is None and rest and alone:
        return f"{read}.drop(columns={rest!r}).to_csv('x.csv', index=False)"
    start = f"t = {read}; t['time'] = {time}; "
    if ids is None:
        return f"{start}t.set_index('time')[{values!r}].to_csv('x.csv')"
    if len(values) == 1:
        return f"{start}t.pivot(index='time', columns={ids!r}, values={values[0]!r}).to_csv('x.csv')"
    return (
        f"{start}t.pivot(index='time', columns={ids!r}, values={values!r}).swaplevel(axis=1)"
        ".rename_axis(columns=['sensor', 'channel']).to_csv('x.csv')"
    )


def day_in_columns(text: pd.DataFrame, separator: str) -> str:
    """Lines that make a table with a row for each day, and a column for each hour or less of it, one that is read.

    Args:
        text: its cells, as text, under their names.
        separator: of the file.

    Returns:
        Empty where the columns are no such times: as many as a day has, one after the other, named by one word and
        their number, ``h1, h2, ...``, or by clocks, ``00:00, 00:30, ...``; beside dates without a time of day.

    Example:
        >>> table = pd.DataFrame([["2012-10-13", *"1" * 24]], columns=["day", *(f"h{n}" for n in range(1, 25))])
        >>> day_in_columns(table, ",").split("; ")[2]
        'hours = list(t.columns[1:25])'
    """
    names = [str(name).strip() for name in text.columns]
    matches = [
        re.fullmatch(r"(h|hh|hr|hour|p|t|i|v)?[_ ]?(\d{1,3})|(\d{1,2}:\d{2})(:00)?", one.lower()) for one in names
    ]
    matched = {place: match for place, match in enumerate(matches) if match is not None}
    places = list(matched)
    if len(places) not in _IN_A_DAY or places != list(range(places[0], places[0] + len(places))):
        return ""
    minutes = 1440 // len(places)
    clocks = [str(match[3]) for match in matched.values()]
    numbers = [match[2] for match in matched.values()]
    if all(numbers):
        counted = [int(number) for number in numbers]
        if counted not in (list(range(len(places))), list(range(1, len(places) + 1))):
            return ""
    elif [60 * int(one[:-3]) + int(one[-2:]) for one in clocks if one != "None"] != list(range(0, 1440, minutes)):
        return ""
    text = text.apply(lambda cells: cells.astype(str).str.strip())
    time, of_time = _times(text.iloc[:, [place for place in range(len(names)) if place not in places]])
    if not time or text[of_time].apply(lambda cells: cells.str.contains(":").any()).any():
        return ""
    ids = next((name for name in text.columns if str(name).strip().lower() in SENSORS and name not in of_time), None)
    if text[[*of_time, *([] if ids is None else [ids])]].duplicated().any():
        return ""
    how = "dtype=str" if separator == "," else f"sep={separator!r}, dtype=str"
    kept = ["time", *([] if ids is None else [str(ids).strip()])]
    rest = ".set_index('time').sort_index()[['value']]"
    turned = rest if ids is None else f".pivot(index='time', columns={kept[1]!r}, values='value')"
    return (
        f"t = pd.read_csv(path, {how}).rename(columns=str.strip); t['time'] = {time}; "
        f"hours = list(t.columns[{places[0]}:{places[-1] + 1}]); t = t.melt({kept!r}, hours); "
        f"t['time'] += pd.to_timedelta({minutes} * t['variable'].map(hours.index), unit='min'); "
        f"t{turned}.to_csv('x.csv')"
    )


def _is_read(cells: "pd.Series[str]") -> bool:
    """Whether a first column of such times is read as it is."""
    return bool(cells.str.fullmatch(r"\d{4}-\d{2}-\d{2}.*").all()) or written_times(cells) is not None


def _repeated(text: pd.DataFrame, words: list[str]) -> list[str]:
    """Columns of words of which each stands in several rows, as the names of sensors do."""
    return [name for name in words if 1 < text[name].nunique() <= len(text) / 2]


def _times(text: pd.DataFrame) -> tuple[str, list[str]]:
    """What makes times of the columns of a table ``t``, and the columns it takes; empty where it is not known."""
    lower = {str(name).strip().lower(): name for name in reversed(text.columns)}
    if all(part in lower for part in ("year", "month", "day")):
        parts = [lower[part] for part in _PARTS if part in lower]
        # Pandas knows them by these names alone, in any case.
        return f"pd.to_datetime(t[{parts!r}])", parts
    for place, name in enumerate(text.columns):
        cells, said = text[name], _read(text[name], f"t[{name!r}]")
        # The beginning of a query stands in each row, before the time of each.
        if not said or (cells.nunique() == 1 < len(cells) and any(_varies(text[one]) for one in text.columns[place:])):
            continue
        after = text.columns[place + 1] if place + 1 < text.shape[1] else None
        if after is not None and not cells.str.contains(":").any():
            if text[after].str.fullmatch(_CLOCK).all() and text[after].str.contains(r"[:.]\d{2}$").all():
                clock = f"t[{after!r}]" + (
                    ".str.replace('.', ':')" if text[after].str.contains(".", regex=False).any() else ""
                )
                return _read(cells, f"t[{name!r}] + ' ' + {clock}"), [name, after]
            if str(after).lower() == "interval" and text[after].str.fullmatch(r"\d+").all():
                return f"{said} + pd.to_timedelta(t[{after!r}].astype(int), unit='s')", [name, after]
            if counted := _counted(str(after), text[after]):
                return counted.format(said=said, after=f"t[{after!r}].astype(int)"), [name, after]
        ends = [name]
        if after is not None and _read(text[after], ""):
            ends.append(after)
        return said, ends
    return "", []


def _counted(name: str, cells: "pd.Series[str]") -> str:
    """What makes times of days and a column that counts half hours or hours of the day; empty where it is none."""
    if not cells.str.fullmatch(r"\d{1,2}").all():
        return ""
    numbers, name = cells.astype(int), re.sub(r"[^a-z]", "", name.lower())
    first, last = int(numbers.min()), int(numbers.max())
    if name in ("settlementperiod", "sp") and first == 1 and last in (46, 48, 50):
        # Great Britain's days have 46 or 50 of them where clocks change.
        return (
            "({said}.dt.tz_localize('Europe/London') + pd.to_timedelta(30 * ({after} - 1), unit='min'))"
            ".dt.tz_convert('UTC')"
        )
    if name in ("hour", "hr") and (first, last) in ((0, 23), (1, 24)):
        return f"{{said}} + pd.to_timedelta({{after}}{' - 1' * first}, unit='h')"
    return ""


def _varies(cells: "pd.Series[str]") -> bool:
    """Whether a column holds times that differ."""
    return bool(_read(cells, "")) and cells.nunique() > 1


def _read(cells: "pd.Series[str]", what: str) -> str:
    """How pandas makes times of such cells; empty where they are none."""
    if known := short_dates(cells, what):
        return known
    if pd.to_numeric(cells, errors="coerce").notna().any():
        return ""
    if cells.str.fullmatch(r"\d{4}-\d{2}-\d{2}.*").all():
        # Of words such as CET pandas knows few.
        if cells.str.fullmatch(r".*\d [A-Z]{3,5}").all():
            universal = ", utc=True" if cells.str.endswith((" UTC", " GMT")).all() else ""
            return f"pd.to_datetime({what}.str.rsplit(' ', n=1).str[0]{universal})"
        offsets = ", utc=True" if cells.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$").all() else ""
        return f"pd.to_datetime({what}{offsets})"
    first = re.match(r"\d{1,2}[./-]\d{1,2}[./-]\d{4}", cells.iloc[0]) if len(cells) else None
    if first is None:
        return ""
    begin = f"{what}.str.split(' - ').str[0]" if cells.str.contains(" - ", regex=False).all() else what
    # A file that lists sensors one after the other goes through its dates again and again.
    order = re.search(r"\b(mm?|dd?)[./-](mm?|dd?)[./-]yy", str(cells.name).lower())
    day = day_comes_first(cells.drop_duplicates()) if order is None else order[1][0] == "d"
    return f"pd.to_datetime({begin}, dayfirst={day})" if day is not None else f"pd.to_datetime({begin}, {_ASKED})"
