"""Station files of PeMS, of the California Department of Transportation: a row for each station and time."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from stexplain.data.signals.sensor_data import SensorData
from stexplain.errors import DataError
from stexplain.reading import readable, text_file
from stexplain.reading.table import read_csv

_ROW = re.compile(r'"?\d{2}/\d{2}/\d{4} \d{2}:\d{2}:\d{2}"?,\d+,\d+,\d+,[NSEW],[A-Z]{2},')
_CHANNELS, _UNITS = ("flow", "occupancy", "speed"), ("vehicles", "", "mph")
_FIRST = 9
"""Columns: time, station, district, freeway, direction, type of lane, length, samples, % observed; then flow,
occupancy, speed of all lanes together, and five for each lane."""


def is_stations(path: Path) -> bool:
    """Whether a text file begins as one of stations.

    Raises:
        DataError: where the file cannot be read.
    """
    with readable(path, "a table in CSV"), text_file(path).open(encoding="utf-8-sig") as file:
        return _ROW.match(file.readline()) is not None


def read_stations(files: Sequence[Path]) -> SensorData:
    """Flow, occupancy and speed of all lanes of each station, of files of one day each, in order of their times.

    Flow is counted per row of the file, in vehicles; occupancy is a share of time from 0 to 1, speed in miles per hour.
    Empty cells were not observed; a station that a day does not list was silent then.

    Args:
        files: of one kind.

    Raises:
        DataError: where a line is another, or a station has two rows of one time.
    """
    parts = [_rows(path) for path in files]
    rows = pd.concat(parts, ignore_index=True)
    twice = rows.duplicated(["time", "station"])
    if twice.any():
        row = rows[twice].iloc[0]
        raise DataError(
            f"{files[0]}: station {row['station']} has two rows of {row['time']}; expected one. Is a file of the "
            "folder there twice?"
        )
    time, at = np.unique(rows["time"].to_numpy(), return_inverse=True)
    nodes, of = np.unique(rows["station"].to_numpy(str), return_inverse=True)
    values = np.full((len(time), len(nodes), len(_CHANNELS)), np.nan, np.float32)
    values[at, of] = rows[list(_CHANNELS)].to_numpy(np.float32)
    # Links lie beside the first.
    return SensorData(files[0], values, tuple(map(str, nodes)), _CHANNELS, units=_UNITS, time=pd.DatetimeIndex(time))


def _rows(path: Path) -> pd.DataFrame:
    cells = read_csv(path, header=None, dtype=str, keep_default_na=False)
    if cells.shape[1] < _FIRST + len(_CHANNELS):
        raise DataError(
            f"{path}: got {cells.shape[1]} columns; expected {_FIRST + len(_CHANNELS)} at least, as in PeMS' 5-minute "
            "and hourly station files."
        )
    time = pd.to_datetime(cells[0], errors="coerce", format="%m/%d/%Y %H:%M:%S")
    found = cells.iloc[:, _FIRST : _FIRST + len(_CHANNELS)].set_axis(list(_CHANNELS), axis=1)
    numbers: pd.DataFrame = found.apply(pd.to_numeric, errors="coerce")
    if _ends_early(path):
        raise DataError(f"{path}, line {len(cells)}: it has fewer cells than the first. Is the file truncated?")
    wrong = (time.isna() | (numbers.isna() & (found != "")).any(axis=1)).to_numpy()
    if wrong.any():
        line = int(wrong.argmax())
        shown = ", ".join(cells.iloc[line, [0, *range(_FIRST, _FIRST + len(_CHANNELS))]])
        raise DataError(
            f"{path}, line {line + 1}: got {shown}; expected a time such as 03/31/2012 08:00:00, and numbers for flow, "
            "occupancy and speed. Is the file truncated?"
        )
    numbers["time"], numbers["station"] = time, cells[1]
    return numbers


def _ends_early(path: Path) -> bool:
    """Whether the last line has fewer cells than the first, which pandas takes for empty ones."""
    with readable(path, "a table in CSV"), path.open("rb") as file:
        first = file.readline()
        file.seek(max(0, path.stat().st_size - 2 * len(first)))
        last = file.read().rstrip(b"\r\n").rpartition(b"\n")[2]
    return last.count(b",") < first.count(b",")
