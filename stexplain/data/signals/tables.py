"""Arrays and wide tables of sensors: PEMS' npz, npy, and CSV with a row for each time and a column for each sensor."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from stexplain.data.labelled import times_of
from stexplain.data.readers.number_table import has_header, read_table, read_text_table
from stexplain.data.readers.pems_npz import read_arrays
from stexplain.data.readers.road_graph import positions_beside
from stexplain.data.series_file import optional_file
from stexplain.data.signals.sensor_data import SensorData
from stexplain.data.times.numbers import date_format, how_to_read
from stexplain.errors import DataError, InputError
from stexplain.reading import read_text
from stexplain.reading.npy import load_npy

_LONG = ("sensor", "sensor_id", "station", "station_id", "detector", "detector_id", "node", "node_id", "region_id")
_INDEX = ("", "unnamed: 0", "index", "time", "date", "datetime", "timestamp", "unix", "epoch", "frame", "step", "t")
"""Names of a first column that is of no sensor; pandas writes its index without one."""


def read_array(path: Path) -> SensorData:
    """PEMS03, 04, 07, 08 and -BAY as npz (`data`, ``[T, N, C]``), or an npy of that shape or ``[T, N]``.

    A text file of the same name beside it, as PEMS03 has, lists the ids of the sensors; else they are numbers from 0.

    Raises:
        DataError: where the file is broken, or of another shape.
    """
    values = read_arrays(path, "data")["data"] if path.suffix.lower() == ".npz" else load_npy(path, mapped=True)
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


def read_wide(path: Path, header: bool | None = None) -> SensorData:
    """A CSV with a column for each sensor, and perhaps times first.

    Args:
        path: of the file.
        header: whether the first line names the sensors; none: it does where it holds words, or ids among observations.

    Raises:
        DataError: where a cell is no number, with its line.
        InputError: where ids and observations cannot be told apart.
    """
    header = _names_sensors(path) if header is None else header
    text = read_text_table(path, header=header)
    if header:
        _refuse_other_columns(path, text.columns)
    labels, time = _index_of(path, text.iloc[:, 0], header)
    table = read_table(path, header=header, labels=labels)
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


def _refuse_other_columns(path: Path, columns: "pd.Index[str]") -> None:
    """Refuses a table with a row for each sensor and time, whose columns are no sensors, and a column without a name.

    Raises:
        DataError: with the remedy.
    """
    lower = [str(name).strip().lower() for name in columns]
    if ids := next((name for name in lower if name in _LONG), ""):
        name = str(columns[lower.index(ids)])
        raise DataError(
            f"{path}: the column {ids!r} names sensors, as where each has a row for each time; expected a column for "
            f"each sensor. Write it anew: table.pivot(index=..., columns={name!r}, values=...)."
            "to_csv(path)."
        )
    for place, name in enumerate(lower):
        if place and re.fullmatch(r"unnamed: \d+", name):
            raise DataError(
                f"{path}: column {place + 1} has no name in the first line; expected that of a sensor. Is "
                "there a comma too many at the end of each line?"
            )


def _index_of(path: Path, first: "pd.Series[str]", header: bool) -> tuple[bool, pd.DatetimeIndex | None]:
    """Whether the first column labels the rows, as no sensor does, and the times that it says.

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
    except ValueError as error:
        raise DataError(
            f"{path}: the times of column {first.name!r} have several offsets from UTC, such as {first.iloc[0]} and "
            f"{first.iloc[-1]}; expected one. Write them in UTC, or without a zone: pd.to_datetime(times, utc=True)."
            "tz_convert('America/Los_Angeles').tz_localize(None)."
        ) from error
    # It holds times where its cells are such, and no numbers.
    return (True, pd.DatetimeIndex(time)) if numbers.isna().all() and time.notna().all() else (False, None)


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
        "header=True or header=False."
    )
