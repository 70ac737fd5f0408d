"""Arrays and wide tables of sensors: PEMS' npz, npy, and CSV with a row for each time and a column for each sensor."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stexplain.checking import warn_caller
from stexplain.data.labelled import times_of
from stexplain.data.readers.number_table import has_header, read_table, read_text_table
from stexplain.data.readers.pems_npz import read_arrays
from stexplain.data.readers.road_graph import positions_beside
from stexplain.data.series_file import optional_file
from stexplain.data.signals.sensor_data import SensorData
from stexplain.data.times.anew import SENSORS, day_in_columns, written_anew
from stexplain.data.times.numbers import date_format, how_to_read
from stexplain.data.times.written import written_times, zone_said
from stexplain.data.times.zones import in_zone
from stexplain.errors import DataError, InputError
from stexplain.reading import read_text, readable, text_file
from stexplain.reading.npy import load_npy, opened_npz
from stexplain.reading.table import separator_of

_CALENDAR = (
    *("weekday", "day_of_week", "dayofweek", "day of week", "hour", "minute", "month", "day", "year", "holiday"),
    *("is_weekend", "weekend", "is_holiday", "timeofday", "time_of_day"),
)
_MEASURED = (
    *("speed", "flow", "occupancy", "volume", "count", "density", "demand", "load", "power", "energy", "voltage"),
    *("current", "temperature", "temp", "humidity", "pressure", "wind", "rain", "precipitation", "radiation"),
    *("pm25", "pm2.5", "pm10", "no2", "o3", "so2", "co", "co2", "inflow", "outflow", "level", "discharge"),
)
_OF_SENSOR = re.compile(
    rf"(?P<sensor>.+)(?P<sign>[_ /-])(?P<what>{'|'.join(map(re.escape, _MEASURED))})", re.IGNORECASE
)
_INDEX = ("", "unnamed: 0", "index", "time", "date", "datetime", "timestamp", "unix", "epoch", "frame", "step", "t")
"""Names of a first column that is of no sensor; pandas writes its index without one."""
_ONE_NUMBER = (
    "Where a line is one number with a decimal comma: pd.read_csv(path, header=None, sep=';', decimal=',')."
    "to_csv('x.csv', index=False)."
)
_DATES = ("time", "date", "datetime", "timestamp")


def read_array(path: Path) -> SensorData:
    """PEMS03, 04, 07, 08 and -BAY as npz (`data`, ``[T, N, C]``), or an npy of that shape or ``[T, N]``.

    A text file of the same name beside it, as PEMS03 has, lists the ids of the sensors; else they are numbers from 0.

    Raises:
        DataError: where the file is broken, or of another shape.
    """
    if path.suffix.lower() == ".npz":
        values = read_arrays(path, "data")["data"]
        with opened_npz(path) as arrays:
            if gone := [name for name in arrays.names if name != "data"]:
                warn_caller(
                    f"{path}: of its arrays only 'data' is read, and not {', '.join(gone[:5])}. Times are given by "
                    "start= and minutes=; names by a text file of ids beside it."
                )
    else:
        values = load_npy(path, mapped=True)
    if values.ndim not in (2, 3) or values.dtype.kind not in "fiu" or 0 in values.shape:
        raise DataError(f"{path}: got {values.dtype} of shape {values.shape}; expected numbers [T, N, C] or [T, N].")
    values = values[..., None] if values.ndim == 2 else values
    count = values.shape[1]
    listed = optional_file(path, f"{path.stem}.txt", f"{path.stem.upper()}.txt")
    nodes = [str(number) for number in range(count)] if listed is None else read_text(listed).split()
    if len(nodes) != count:
        raise DataError(f"{listed} lists {len(nodes)} sensors; expected {count}, as {path.name} holds.")
    channels = ["value"] if values.shape[2] == 1 else [f"channel {number}" for number in range(values.shape[2])]
    return SensorData(
        path, values, tuple(nodes), tuple(channels), positions=positions_beside(path, nodes), geographic=True
    )


def is_separated(path: Path) -> bool:
    """Whether the first line of a text file has commas, semicolons or tabs between cells.

    Raises:
        DataError: where the file cannot be read.
    """
    with readable(path, "a table"), text_file(path).open(encoding="utf-8-sig") as file:
        return not set(file.readline()).isdisjoint(",;\t") and separator_of(path) in ",;\t"


def read_wide(path: Path, header: bool | None = None, zone: str | None = None) -> SensorData:
    """A CSV with a column for each sensor, and perhaps times first.

    Args:
        path: of the file.
        header: whether the first line names the sensors; none: it does where it holds words, or ids among observations.
        zone: of the times, where it is given.

    Raises:
        DataError: where a cell is no number, with its line.
        InputError: where ids and observations cannot be distinguished.
    """
    seen = header is None
    header = _names_sensors(path) if header is None else header
    text = read_text_table(path, header=header)
    if header:
        refuse_other_columns(path, text.columns, text)
    labels, time = index_of(path, text.iloc[:, 0], header, zone)
    if time is not None:
        _refuse_long(path, time, text)
    table = read_table(path, header=header, labels=labels)
    if (
        seen
        and not (header or labels)
        and table.shape[1] == 2
        and separator_of(path) == ","
        and not (table % 1).to_numpy().any()
    ):
        first = table.iloc[0].astype(int).tolist()
        warn_caller(
            f"{path}: its lines are taken for two whole numbers, such as {first[0]} and {first[1]}, of two sensors. "
            f"{_ONE_NUMBER}"
        )
    nodes = [str(name) for name in table.columns] if header else [str(number) for number in range(table.shape[1])]
    return SensorData(
        path,
        table.to_numpy(np.float32)[..., None],
        tuple(nodes),
        ("value",),
        time=time,
        positions=positions_beside(path, nodes),
        geographic=True,
    )


def refuse_other_columns(path: Path, columns: Iterable[object], text: pd.DataFrame | None = None) -> None:
    """Refuses a table with a row for each sensor and time, whose columns are no sensors, and a column without a name.

    Args:
        path: of the file, for messages.
        columns: their names.
        text: the cells of a file, by which a remedy can say what to write; or none.

    Raises:
        DataError: with the remedy.
    """
    columns = list(columns)
    if text is not None and (known := day_in_columns(text, separator_of(path))):
        raise DataError(
            f"{path}: its columns are times of a day, a row for each day; expected a row for each time and a column "
            f"for each sensor. Write it anew, a column's time counted from the day's begin: {known}."
        )
    lower = [str(name).strip().lower() for name in columns]
    if ids := next((name for name in lower if name in SENSORS), ""):
        name = str(columns[lower.index(ids)])
        raise DataError(
            f"{path}: the column {ids!r} names sensors, as where each has a row for each time; expected a column for "
            f"each sensor. Write it anew: {_anew(path, text, name)}."
        )
    if (
        text is not None
        and {"year", "month", "day"} <= set(lower)
        and (known := written_anew(text, separator_of(path)))
    ):
        raise DataError(
            f"{path}: the columns year, month and day are parts of times, and no sensors; expected times in the first "
            f"column. Write it anew: {known}."
        )
    dates = pd.to_datetime(pd.Series(lower[1:], dtype=str), errors="coerce", format="ISO8601")
    # A name such as 20120301 is a number, as of a sensor.
    if len(lower) > 2 and dates.notna().all() and all("-" in name for name in lower[1:]):
        raise DataError(
            f"{path}: its columns are times, from {columns[1]} to {columns[-1]}; expected a row for each time and a "
            "column for each sensor. Write it anew: pd.read_csv(path, index_col=0).T.to_csv(path)."
        )
    _say_channels(path, columns)
    if calendar := [name for name in lower if name in _CALENDAR]:
        warn_caller(
            f"{path}: the column {calendar[0]!r} is taken for a sensor. Where it says the time of observations, leave "
            "it out; WindowedSeries.with_calendar adds time of day and day of week."
        )
    for place, name in enumerate(lower):
        if place and re.fullmatch(r"unnamed: \d+", name):
            raise DataError(
                f"{path}: column {place + 1} has no name in the first line; expected that of a sensor. Is "
                "there a comma too many at the end of each line?"
            )


def _say_channels(path: Path, columns: Iterable[object]) -> None:
    """Says where columns are called as several numbers of each sensor, ``a_speed, a_flow, b_speed, b_flow``."""
    found = [_OF_SENSOR.fullmatch(str(name).strip()) for name in columns]
    # The first may be that of times.
    rest = [match for match in found[0 if found and found[0] else 1 :] if match is not None]
    held: dict[str, list[str]] = {}
    for match in rest:
        held.setdefault(match["sensor"], []).append(match["what"].lower())
    whats = next(iter(held.values()), [])
    if len(rest) < len(found) - 1 or len(held) < 2 or len(whats) < 2 or any(one != whats for one in held.values()):
        return
    warn_caller(
        f"{path}: its {len(rest)} columns are taken for sensors, and are called as {' and '.join(whats)} of "
        f"{len(held)}. Where they are channels, give load_sensors the DataFrame with table.columns = "
        f"pd.MultiIndex.from_tuples([tuple(name.rsplit({rest[0]['sign']!r}, 1)) for name in table.columns])."
    )


def _anew(path: Path, text: pd.DataFrame | None, name: str = "") -> str:
    """How to write a table with a row for each sensor and time anew."""
    known = written_anew(text, separator_of(path)) if text is not None else ""
    return known or f"table.pivot(index=..., columns={repr(name) if name else '...'}, values=...).to_csv(path)"


def _refuse_long(path: Path, time: pd.DatetimeIndex, text: pd.DataFrame) -> None:
    """Refuses times of which each stands equally often, as where each sensor has a row for each time.

    Raises:
        DataError: with the remedy.
    """
    times = time.value_counts().to_numpy()
    anew = _anew(path, text) if len(times) and times[0] > 1 else ""
    if "pd.to_timedelta(" in anew:
        raise DataError(
            f"{path}: each day stands up to {times[0]} times, as another column counts its parts; expected a row for "
            f"each time. Write it anew: {anew}."
        )
    if len(times) > 1 and times[0] > 1 and (times == times[0]).all():
        raise DataError(
            f"{path}: each time stands {times[0]} times, as where each sensor has a row for each; expected a column "
            f"for each sensor. Write it anew: {anew}."
        )


def index_of(
    path: Path, first: "pd.Series[Any]", header: bool, zone: str | None = None
) -> tuple[bool, pd.DatetimeIndex | None]:
    """Whether the first column labels the rows, as no sensor does, and the times that it says.

    Args:
        path: of the file, for messages.
        first: the column, as text or numbers.
        header: whether its name is one.
        zone: that times with offsets are brought to; none: several offsets are refused.

    Raises:
        DataError: where it has the name of an index, or several time zones, and says no times.
    """
    numbers = pd.to_numeric(first, errors="coerce")
    if numbers.notna().all():
        index = pd.Index(numbers)
        named = header and str(first.name).strip().lower() in _INDEX
        # No sensor counts the seconds since 1970.
        counted = bool(index.is_monotonic_increasing and index.is_unique and len(index) > 2 and index[0] >= 1e7)
        if not named and not counted:
            return False, None
        if written := date_format(index):
            raise DataError(
                f"{path}: the column {first.name!r} has dates by their digits, such as {first.iloc[0]}; expected times "
                f"as 2012-03-31 08:00. Write them anew: {how_to_read(written)}."
            )
        if header and str(first.name).strip().lower() in _DATES and index.is_monotonic_increasing and _are_days(index):
            raise DataError(
                f"{path}: the column {first.name!r} counts days, from {first.iloc[0]} to {first.iloc[-1]}, as "
                "spreadsheets write dates; expected times as 2012-03-31 08:00. Write them anew: pd.to_datetime("
                f"table[{first.name!r}], unit='D', origin='1899-12-30').dt.round('s')."
            )
        try:
            return True, times_of(index)
        except InputError as error:
            if not named:
                return False, None
            raise DataError(
                f"{path}: the column {first.name!r} numbers its rows, from {first.iloc[0]} to {first.iloc[-1]}, which "
                "are neither times nor frames one by one. Write times, or leave the column out and give start= and "
                "minutes=."
            ) from error
    try:
        time = pd.to_datetime(first, errors="coerce", format="ISO8601")
    except ValueError:
        # Several offsets from UTC, as where clocks change: the moments are certain, their zone is not.
        time = pd.to_datetime(first, errors="coerce", format="ISO8601", utc=True)
        if zone is None and time.notna().all():
            raise DataError(
                f"{path}: the times of column {first.name!r} have several offsets from UTC, such as {first.iloc[0]} "
                f"and {first.iloc[-1]}; whose clocks are these? Give load_sensors time_zone=, such as 'Europe/Berlin' "
                "or 'UTC'; write it into a card as time_zone = \"UTC\" below [series]."
            ) from None
    # It holds times where its cells are such, and no numbers.
    whole = numbers.isna().all() and time.notna().all()
    found = pd.DatetimeIndex(time) if whole else written_times(first)
    return (False, None) if found is None else (True, _on_clocks_said(path, first.name, found))


def _on_clocks_said(path: Path, name: object, time: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Times in the zone that the heading of their column says, as ``MTU (CET/CEST)`` does."""
    zone = zone_said(name)
    if zone is None or time.tz is not None:
        return time
    try:
        return in_zone(time, zone)
    except InputError as error:
        cause = str(error.__cause__ or error)
        raise DataError(
            f"{path}: the column {name!r} says the clocks of {zone}, and its times do not fit them: {cause}. Leave out "
            "the rows of the hour that clocks skip in spring, and have those of the hour that they show twice twice."
        ) from error


def _are_days(index: pd.Index) -> bool:
    """Whether numbers are days since 1899, as of the years 1982 to 2064: numbers of frames begin far below."""
    return bool(index[0] >= 30_000 and index[-1] <= 60_000)


def _names_sensors(path: Path) -> bool:
    r"""Whether the first line names sensors, whose names may be numbers.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "speeds.csv"
        >>> _ = path.write_text("773869,767541\n64.4,67.6\n62.7,68\n")
        >>> _names_sensors(path)
        True
    """
    if has_header(path):
        return True
    text = read_text_table(path, header=False)
    first, rest = text.iloc[0].str.strip(), text.iloc[1:]
    cell = str(first.iloc[0])
    if not cell:
        return True
    if not cell.replace(".", "", 1).replace("-", "", 1).isdigit():
        # Above times stands a word; a time there is the first of them.
        return bool(pd.isna(pd.to_datetime(cell, errors="coerce", format="ISO8601")))
    whole = first.str.fullmatch(r"\d+")
    if not whole.all() or first.duplicated().any() or rest.empty:
        return False
    if bool(rest.apply(lambda cells: cells.str.contains(".", regex=False)).to_numpy().any()):
        return True
    raise InputError(
        f"header: the first line of {path} ({', '.join(first[:3])}, ...) may be ids of sensors or observations. Give "
        f"header=True or header=False.{f' {_ONE_NUMBER}' if len(first) == 2 and separator_of(path) == ',' else ''}"
    )
