"""What a reader of a network of sensors gives: values with all labels, and where the graph is."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.checking import warn_caller
from stexplain.data.labelled import check_span
from stexplain.data.times.even import ZONE
from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.graph.coordinates import checked_points, of_columns
from stexplain.graph.labels import IDS, is_table, own_names
from stexplain.reading import given_path
from stexplain.reading.decimals import with_points
from stexplain.reading.sparse_npz import PLACES
from stexplain.reading.table import read_csv, separator_of
from stexplain.wording import agree

_HOUR, _NIGHT = pd.Timedelta(hours=1), 4
"""By so much clocks go ahead, and before this hour."""


@dataclass(frozen=True)
class SensorData:
    """A series as read from files.

    Attributes:
        path: of the values, for messages.
        values: ``[T, N, C]``, NaN where a value is missing; a memory map where the format allows one.
        nodes: N names.
        channels: C names.
        units: of each channel, empty text where the files do not say it.
        time: of each frame, or none.
        missing: a number that stands for a missing value, as the files say, or none.
        positions: of the nodes, ``[N, 2]``: longitude and latitude, or x and y; or none.
        geographic: whether positions are longitude and latitude.
        graph: as the files say it, or none.
        links: a file of links, see `links.graph_of_file`, or none.
        minutes: from frame to frame, where the files say it and have no times.
        window: frames of a window, where the files say it.
        horizon: frames to be predicted, where the files say it.
        in_memory: whether the values came from no file: nothing lies beside them.
    """

    path: Path
    values: Any
    nodes: tuple[str, ...]
    channels: tuple[str, ...]
    units: tuple[str, ...] = ()
    time: pd.DatetimeIndex | None = None
    missing: float | None = None
    positions: NDArray[np.float64] | None = None
    geographic: bool = False
    graph: STGraph | None = None
    links: Path | None = None
    minutes: float | None = None
    window: int | None = None
    horizon: int | None = None
    in_memory: bool = False


def with_locations(data: SensorData, locations: Any) -> SensorData:
    """The series with the places of its sensors, from a table or a CSV; it may hold more sensors than the series.

    Args:
        data: as read, without places.
        locations: a row per sensor, with its id, and longitude and latitude, or x and y; or the path of such a CSV.

    Raises:
        InputError: where columns do not tell what is what, or a sensor is missing or there twice.

    Example:
        >>> data = SensorData(Path("speeds.csv"), np.zeros((9, 2, 1)), ("a", "b"), ("speed",))
        >>> table = pd.DataFrame({"sensor_id": ["b", "c", "a"], "latitude": [1, 2, 3], "longitude": [10, 20, 30]})
        >>> with_locations(data, table).positions.tolist()
        [[30.0, 3.0], [10.0, 1.0]]
    """
    table = locations if is_table(locations) else _read_locations(given_path(locations, "locations"))
    # Rows that were picked from a table keep the numbers that they had in it: a column of ids names them.
    if table.index.name is None and own_names(table.reset_index(drop=True)) is not None:
        table = table.reset_index(drop=True)
    names, points, geographic = of_columns(table, None)
    if names is None:
        raise InputError(
            f"locations: got a table with the columns {list(map(str, table.columns))}; expected one of ids, such as "
            "sensor_id, whose names are those of the sensors."
        )
    place = {name: row for row, name in enumerate(names)}
    if len(place) < len(names):
        raise InputError(f"locations: got {next(n for n in names if names.count(n) > 1)!r} twice; expected each once.")
    if missing := [name for name in data.nodes if name not in place]:
        raise InputError(
            f"locations: got no row for {len(missing)} of {len(data.nodes)} sensors, such as {missing[0]!r}; its ids "
            f"are such as {names[0]!r}."
        )
    chosen = checked_points(points, geographic)[[place[name] for name in data.nodes]]
    return replace(data, positions=chosen, geographic=geographic)


def _read_locations(path: Path) -> pd.DataFrame:
    """A CSV of places; ids stay as they are written, such as 007."""
    if path.suffix.lower() in (".geojson", ".json"):
        raise InputError(f"locations: {path} {PLACES}.")
    table = read_csv(path, dtype=str, keep_default_na=False, sep=separator_of(path), skipinitialspace=True)
    ids = [name for name in table.columns if str(name).strip().lower() in IDS]
    table = with_points(path, table, separator_of(path), text=ids)
    for name in table.columns:
        column = table[name].str.strip()
        if str(name).strip().lower() in IDS:
            # A column that had a gap once holds 773869.0.
            table[name] = column.str.removesuffix(".0") if column.str.fullmatch(r"\d+\.0").all() else column
        else:
            numbers = pd.to_numeric(column, errors="coerce")
            table[name] = column if numbers.isna().any() else numbers
    return table


def filled_evenly(values: Any, time: pd.DatetimeIndex | None, path: Path) -> tuple[Any, pd.DatetimeIndex | None]:
    """The values with a frame of NaN at each time that is left out, as where clocks or loggers skipped some.

    Args:
        values: ``[T, N, C]``.
        time: of each frame; none: not known.
        path: of the file, for the message.

    Warns:
        UserWarning: with how many are left out, and where it may be that clocks went ahead.
    """
    if time is None or len(time) < 3 or not time.is_monotonic_increasing or time.has_duplicates:
        return values, time
    step = pd.Series(time).diff().mode().iloc[0]
    check_span(time[0], time[-1], step, len(time), path)
    every = pd.date_range(time[0], time[-1], freq=step)
    # Times beside the raster are refused by the series itself, which names the first.
    if len(every) == len(time) or not time.isin(every).all():
        return values, time
    filled = np.full((len(every), *values.shape[1:]), np.nan, np.float32)
    filled[every.get_indexer(time)] = values
    hour = _hour_skipped(time, step)
    ahead = "" if hour is None else f" The hour of {hour} is one of them. {ZONE}"
    warn_caller(
        f"{path}: {len(every) - len(time):,} of {len(every):,} times "
        f"{agree(len(every) - len(time), 'is', 'are')} not there, from {time[0]} to {time[-1]}: "
        f"their observations are missing.{ahead}"
    )
    return filled, every


def _hour_skipped(time: pd.DatetimeIndex, step: pd.Timedelta) -> pd.Timestamp | None:
    """The first hour of a night that is left out alone, as where clocks go ahead; none where times have a zone."""
    skipped = np.flatnonzero(np.diff(time.to_numpy()) == (step + _HOUR).to_timedelta64())
    if time.tz is not None or step > _HOUR:
        return None
    hours = [time[place] + step for place in skipped.tolist()]
    return next((hour for hour in hours if hour.hour < _NIGHT and hour == hour.floor("h")), None)
