"""From a file or folder of a network of sensors, in any of the common formats, to a series on its graph."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stexplain.checking import checked, takes_masks, warn_caller
from stexplain.checking.implausible import implausible_sensors
from stexplain.data.readers.links import Links, graph_of_file
from stexplain.data.series import WindowedSeries
from stexplain.data.signals import basicts_folder, libcity, netcdf, tables, tsl_folder
from stexplain.data.signals.beside import ARRAYS, NETCDF, is_zarr, links_beside, values_file
from stexplain.data.signals.exports import pems_stations, three_columns, two_rows
from stexplain.data.signals.formats import remedy_for_series
from stexplain.data.signals.in_memory import is_given, read_given
from stexplain.data.signals.sensor_data import SensorData, filled_evenly, with_locations
from stexplain.data.times.even import CLOCKS, ZONE
from stexplain.data.times.measured import UNMEASURED, Measured
from stexplain.data.times.zones import in_zone
from stexplain.errors import DataError, InputError, unknown
from stexplain.graph import STGraph
from stexplain.reading import given_path
from stexplain.wording import agree, an

_TURNED = 4
"""Hardly any series has so many times as many sensors as frames."""


@checked
@takes_masks("path")
def load_sensors(
    path: Any,
    *,
    graph: "STGraph | str | Path | None" = None,
    links: Links | None = None,
    no_link: float | None = None,
    nearest: int | None = None,
    locations: Any = None,
    channels: Sequence[str] | None = None,
    target_channel: str | int = 0,
    units: str | Sequence[str] | Mapping[str, str] | None = None,
    start: Any = None,
    minutes: float | None = None,
    time_zone: str | None = None,
    missing: float | None = None,
    header: bool | None = None,
    window: int | None = None,
    horizon: int | None = None,
    stride: int = 1,
) -> WindowedSeries:
    r"""A series on its graph, from a file or folder; its format is seen from its names. No card is needed.

    Read are: LibCity's ``.geo``/``.rel``/``.dyna``, BasicTS' ``data.dat``, tsl's and DCRNN's frames in HDF5 or parquet
    with columns (sensor) or (sensor, channel), netCDF and zarr (or an xarray dataset) with several variables, PEMS'
    ``.npz``, ``.npy``, station files of PeMS, and CSV with a column for each sensor, or with two rows of names (sensor,
    channel). Nothing is executed.

    Args:
        path: of the file or folder; or what is in memory: a DataFrame of times x sensors, or x (sensor, channel), an
            xarray Dataset or DataArray, an array ``[T, N]`` or ``[T, N, C]``.
        graph: over the nodes by their names; or a file of links; none: what the data says, else the file of links
            beside it, such as ``adj_mx.pkl`` or ``distances.csv``.
        links: what the numbers of the file are, where it does not say it: ``"distances"``, ``"weights"``,
            ``"neighbours"``; or ``"none"``: a graph without edges.
        no_link: in a matrix of distances, the number that stands for no link, such as 0.
        nearest: instead of links: each node with so many nearest, by its position.
        locations: where sensors are, for charts and `nearest`: a table or a CSV with a column of their ids, and
            ``latitude`` and ``longitude``, or ``x`` and ``y``; where neither the data nor the graph says it.
        channels: those to keep, by name; of arrays without names, the names of all.
        target_channel: which one is to be predicted, by name or index.
        units: of each channel kept, in order or by name, such as ``{"speed": "mph"}``; of a single channel a text;
            none: what the file says.
        start: the time of the first frame, where the file has none.
        minutes: from frame to frame, where the file does not say it.
        time_zone: whose clocks the times are on, such as ``"Europe/Berlin"``, where they have no zone and clocks change
            between them; of times with a zone or offsets, the one to bring them to, which their time of day is of.
        missing: a value that stands for a missing one, such as 0.0; none: what the file says, else only NaN does.
        header: whether the first line of a CSV names the sensors; none: seen from the file, where that is certain.
        window: how many frames a window reads; none: what the file says, else 12.
        horizon: how many frames it predicts; none: what the file says, else 12.
        stride: from one window to the next.

    Returns:
        A series whose windows are ``[1, window, N, C]``, in the units of the file.

    Raises:
        InputError: where the format, the graph or what its numbers mean is not known for certain; with what to give.
        DataError: where a file is broken, or files do not fit each other.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> np.savez(folder / "pems.npz", data=np.arange(120.0).reshape(30, 4, 1))
        >>> _ = (folder / "distance.csv").write_text("from,to,cost\n0,1,2.0\n1,2,3.0\n2,3,2.5\n")
        >>> series = load_sensors(
        ...     folder, links="neighbours", channels=["flow"], start="2018-01-01", minutes=5, window=4, horizon=2
        ... )
        >>> len(series), series.channels, series.graph.edges.tolist(), str(series.time[1])
        (25, ('flow',), [[0, 1], [1, 2], [2, 3]], '2018-01-01 00:05:00')
    """
    if minutes is not None and not 0 < minutes < np.inf:
        raise InputError(f"minutes: got {minutes}; expected a number above 0.")
    for name, count in (("window", window), ("horizon", horizon), ("stride", stride)):
        if count is not None and count < 1:
            raise InputError(f"{name}: got {count}; expected at least 1 frame.")
    beside = Path(graph) if isinstance(graph, str | Path) else None
    data = with_channels(read_sensors(path, header, beside, time_zone), channels)
    if locations is not None:
        if data.positions is not None or data.graph is not None or isinstance(graph, STGraph):
            whose = "the STGraph" if isinstance(graph, STGraph) else str(data.path)
            raise InputError(f"locations: {whose} has a graph of its own: positions belong to it. Leave locations out.")
        data = with_locations(data, locations)
    time = _times(data, start, minutes, time_zone)
    if data.time is not None and start is not None:
        raise InputError(f"start: {data.path} has times of its own, from {data.time[0]}. Leave start out.")
    if data.time is not None and minutes is not None:
        raise InputError(f"minutes: {data.path} has times of its own, from {data.time[0]}. Leave minutes out.")
    window = window or data.window or 12
    step = 60 * (minutes or data.minutes or 0)
    # Without a first time the length of a frame is known all the same.
    steps = Measured(frame_rate=1 / step, start=-step * (window - 1)) if time is None and step else UNMEASURED
    if links == "none":
        # Requested so: that no node has an edge need not be said.
        own = STGraph._known(data.nodes, [], positions=data.positions)
    else:
        own = graph_of(data, graph, links, no_link, nearest)
    place = {name: number for number, name in enumerate(data.nodes)}
    if set(own.nodes) - set(place):
        raise unknown("node (of the graph)", sorted(set(own.nodes) - set(place))[0], data.nodes)
    if left := [name for name in data.nodes if name not in set(own.nodes)]:
        some = ", ".join(map(repr, left[:5])) + (", ..." if len(left) > 5 else "")
        warn_caller(
            f"{data.path}: {len(left)} of {len(data.nodes)} sensors "
            f"{agree(len(left), 'is no node', 'are no nodes')} of the graph and "
            f"{agree(len(left), 'was', 'were')} left out: {some}."
        )
    order = [place[name] for name in own.nodes]
    values = data.values if order == list(range(len(data.nodes))) else np.asarray(data.values)[:, order]
    target = _target(target_channel, data.channels)
    said = data.units if units is None else _units(units, data.channels)
    if data.time is None and len(values) * _TURNED < len(own) and own.nodes == tuple(map(str, range(len(own)))):
        warn_caller(
            f"{data.path}: got {len(values)} times of {len(own)} sensors without names: is it turned round? Expected "
            "[T, N] or [T, N, C]."
        )
    for sentence in implausible_sensors(values, own.nodes, data.missing if missing is None else missing):
        warn_caller(f"{data.path}: {sentence}. Leave them out, or say in what you publish that they are in.")
    try:
        values, time = filled_evenly(values, time, data.path)
        return WindowedSeries(
            values,
            window=window,
            horizon=horizon or data.horizon or 12,
            stride=stride,
            graph=own,
            time=time,
            missing=data.missing if missing is None else missing,
            channels=data.channels,
            target_channel=target,
            measured=replace(steps, units=said if any(said) else ()),
        )
    except InputError as error:
        # The times are in a file, and not in a frame of the user's.
        message = str(error).replace(CLOCKS, ZONE)
        raise DataError(f"{data.path}: {message}") from error


def _units(units: str | Sequence[str] | Mapping[str, str], channels: Sequence[str]) -> tuple[str, ...]:
    """The unit of each channel, empty where it is not given."""
    if isinstance(units, Mapping):
        for name in units:
            if name not in channels:
                raise unknown("channel (of units)", name, channels)
        return tuple(units.get(name, "") for name in channels)
    given = (units,) if isinstance(units, str) else tuple(units)
    if len(given) != len(channels):
        raise InputError(
            f"units: got {', '.join(map(repr, given))} for the channels {', '.join(channels)}; expected one each."
        )
    return given


def read_sensors(
    path: Any, header: bool | None = None, links: Path | None = None, zone: str | None = None
) -> SensorData:
    """The data of a file or folder, by the first format that it has.

    Args:
        path: of it; or an object with values, see `read_given`.
        header: of a CSV, see `load_sensors`.
        links: a file that is none of values.
        zone: of its times, where it is given.

    Raises:
        InputError: where the format is not known for certain.
        DataError: where a file is broken.
    """
    if is_given(path):
        return read_given(path, zone)
    path = given_path(path, "path")
    if not path.exists():
        raise InputError(f"path: there is no {path}.")
    if path.is_dir() and not is_zarr(path):
        for pattern, read in ((("*.geo"), libcity.read), (("desc.json"), basicts_folder.read)):
            if sorted(path.glob(pattern)):
                return read(path)
        if stations := [file for file in sorted(path.glob("*text_station*.txt")) if pems_stations.is_stations(file)]:
            return pems_stations.read_stations(stations)
        return _of_file(values_file(path, links), header, zone)
    if path.suffix.lower() in (".geo", ".rel", ".dyna"):
        return libcity.read(path.parent)
    if path.name in ("data.dat", "desc.json"):
        return basicts_folder.read(path.parent)
    return _of_file(path, header, zone)


def _of_file(path: Path, header: bool | None, zone: str | None) -> SensorData:
    suffix = path.suffix.lower()
    if suffix in NETCDF or is_zarr(path):
        data = netcdf.read(netcdf.open_dataset(path), path)
    elif suffix in tsl_folder.ENDINGS:
        data = tsl_folder.read(path)
    elif suffix in ARRAYS:
        data = tables.read_array(path)
    elif suffix in (".csv", ".tsv", ".txt") and pems_stations.is_stations(path):
        data = pems_stations.read_stations([path])
    elif suffix in (".csv", ".tsv") or (suffix == ".txt" and tables.is_separated(path)):
        three_columns.refuse_three_columns(path, header)
        two = header is not False and two_rows.has_two_rows(path)
        data = two_rows.read_two_rows(path, zone) if two else tables.read_wide(path, header, zone)
    else:
        raise InputError(f"path: {path} is in no supported format. {remedy_for_series(path)}See `stexplain data list`.")
    return data


def with_channels(data: SensorData, channels: Sequence[str] | None) -> SensorData:
    """The data with the channels that are requested."""
    if channels is None:
        return data
    unnamed = data.channels == ("value",) or data.channels[0] == "channel 0"
    if unnamed:
        if len(channels) != len(data.channels):
            raise InputError(f"channels: got {len(channels)} names; {data.path} holds {len(data.channels)} channels.")
        return replace(data, channels=tuple(channels))
    for name in channels:
        if name not in data.channels:
            raise unknown("channel", name, data.channels)
    kept = [data.channels.index(name) for name in channels]
    units = tuple(data.units[number] for number in kept) if data.units else ()
    return replace(data, values=np.asarray(data.values)[..., kept], channels=tuple(channels), units=units)


def _target(which: str | int, channels: tuple[str, ...]) -> int:
    if isinstance(which, int):
        return which
    if which not in channels:
        raise unknown("target channel", which, channels)
    return channels.index(which)


def _times(data: SensorData, start: Any, minutes: float | None, zone: str | None) -> pd.DatetimeIndex | None:
    """The times of the frames in the zone, as the data has them or as they follow from the first."""
    if data.time is not None:
        return in_zone(data.time, zone)
    if start is None:
        if zone is not None:
            raise InputError(f"time_zone: {data.path} has no times. Give the first by start=, or leave time_zone out.")
        return None
    step = minutes or data.minutes
    if step is None:
        raise InputError(f"minutes: {data.path} does not say how long a frame is. Give minutes= beside start=.")
    cause: Exception | None = None
    first: Any = pd.NaT
    try:
        first = pd.Timestamp(start)
    except (TypeError, ValueError) as error:
        cause = error
    # Of empty text and of NaN pandas makes a time that is none.
    if first is pd.NaT:
        raise InputError(f"start: got {start!r}; expected a time, such as '2012-03-01 00:00'.") from cause
    first = in_zone(pd.DatetimeIndex([first]), zone)[0]
    return pd.date_range(first, periods=data.values.shape[0], freq=pd.Timedelta(minutes=step))


def graph_of(
    data: SensorData,
    graph: "STGraph | str | Path | None",
    links: Links | None,
    no_link: float | None,
    nearest: int | None,
) -> STGraph:
    """The graph of sensors: as given, by positions, as the data says, or of the file of links beside it.

    Raises:
        InputError: where there is none of these, or it is not known what the numbers of the file are.
        DataError: where the file is broken.
    """
    if isinstance(graph, STGraph):
        return graph
    if graph is not None and not isinstance(graph, str | Path):
        raise InputError(
            f"graph: got {an(type(graph).__name__)}; expected an STGraph, or the path of a file of links. Of a table "
            "make a graph: STGraph.from_distances(table) where its numbers are distances, else from_pandas(table)."
        )
    if nearest is not None:
        if data.positions is None:
            raise InputError(
                f"nearest: {data.path} has no positions of its nodes. Give locations=, or graph= with a file of links."
            )
        return STGraph.from_coordinates(data.positions, data.nodes, nearest=nearest, geographic=data.geographic)
    if graph is None and data.graph is not None and links is None:
        return data.graph
    beside = None if data.in_memory else data.path
    file = Path(graph) if graph is not None else data.links or (beside and links_beside(beside))
    if file is None and data.graph is not None:
        raise InputError(
            f"links: got {links!r}; {data.path} says itself what its links are, and there is no other file of links. "
            "Leave it out, or give the file as graph=."
        )
    if file is None:
        missing = "" if data.in_memory else ", and there is no file of links beside it"
        positions = " nearest=4 (by the nodes' positions)," if data.positions is not None else ""
        raise InputError(
            f"graph: {data.path} has no links{missing}. Give graph= with an STGraph or "
            f"a file (adj.csv, distances.csv, ...),{positions} or links='none' for a graph without edges."
        )
    return graph_of_file(file, data.nodes, links, no_link=no_link, positions=data.positions)
