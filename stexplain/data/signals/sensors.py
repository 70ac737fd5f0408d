"""From a file or folder of a network of sensors, in any of the common formats, to a series on its graph."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stexplain.checking import checked, warn_caller
from stexplain.checking.implausible import implausible_sensors
from stexplain.data.labelled import check_span
from stexplain.data.readers.links import LINK_FILES, Links, graph_of_file
from stexplain.data.samples import UNMEASURED, Measured
from stexplain.data.series import WindowedSeries
from stexplain.data.signals import basicts_folder, libcity, netcdf, tables, tsl_folder
from stexplain.data.signals.sensor_data import SensorData, with_locations
from stexplain.errors import DataError, InputError, unknown
from stexplain.graph import STGraph
from stexplain.reading import given_path

_ARRAYS, _NETCDF = (".npz", ".npy"), (".nc", ".nc4", ".netcdf", ".cdf")


@checked
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
    missing: float | None = None,
    header: bool | None = None,
    window: int | None = None,
    horizon: int | None = None,
    stride: int = 1,
) -> WindowedSeries:
    r"""A series on its graph, from a file or folder; its format is seen from its names. No card is needed.

    Read are: LibCity's ``.geo``/``.rel``/``.dyna``, BasicTS' ``data.dat``, tsl's and DCRNN's frames in HDF5 or parquet
    with columns (sensor) or (sensor, channel), netCDF and zarr (or an xarray dataset) with several variables, PEMS'
    ``.npz``, ``.npy``, and CSV with a column for each sensor. Nothing is executed.

    Args:
        path: of the file or folder; or an xarray dataset.
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
        missing: a value that stands for a missing one, such as 0.0; none: what the file says, else only NaN does.
        header: whether the first line of a CSV names the sensors; none: seen from the file, where that is certain.
        window: how many frames a window reads; none: what the file says, else 12.
        horizon: how many frames it predicts; none: what the file says, else 12.
        stride: from one window to the next.

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
    data = with_channels(read_sensors(path, header, beside), channels)
    if locations is not None:
        if data.positions is not None or data.graph is not None or isinstance(graph, STGraph):
            whose = "the STGraph" if isinstance(graph, STGraph) else str(data.path)
            raise InputError(f"locations: {whose} has a graph of its own: positions belong to it. Leave locations out.")
        data = with_locations(data, locations)
    time = data.time if data.time is not None else _times(data, start, minutes)
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
            f"{data.path}: {len(left)} of {len(data.nodes)} sensors are no node of the graph and were left out: {some}."
        )
    order = [place[name] for name in own.nodes]
    values = data.values if order == list(range(len(data.nodes))) else np.asarray(data.values)[:, order]
    target = _target(target_channel, data.channels)
    said = data.units if units is None else _units(units, data.channels)
    for sentence in implausible_sensors(values, own.nodes, data.missing if missing is None else missing):
        warn_caller(f"{data.path}: {sentence}. Leave them out, or say in what you publish that they are in.")
    try:
        frames = len(values)
        values, time = _evenly(values, time, data.path)
        if time is not None and len(values) > frames:
            warn_caller(
                f"{data.path}: {len(values) - frames:,} of {len(values):,} times are not there, from {time[0]} to "
                f"{time[-1]}: their observations are missing."
            )
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
        raise DataError(f"{data.path}: {error}") from error


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


def read_sensors(path: Any, header: bool | None = None, links: Path | None = None) -> SensorData:
    """The data of a file or folder, by the first format that it has.

    Args:
        path: of it, or an xarray dataset.
        header: of a CSV, see `load_sensors`.
        links: a file that is none of values.

    Raises:
        InputError: where the format is not known for certain.
        DataError: where a file is broken.
    """
    if hasattr(path, "data_vars"):
        return netcdf.read(path, Path("the dataset"))
    path = given_path(path, "path")
    if not path.exists():
        raise InputError(f"path: there is no {path}.")
    if path.is_dir() and not _is_zarr(path):
        for pattern, read in ((("*.geo"), libcity.read), (("desc.json"), basicts_folder.read)):
            if sorted(path.glob(pattern)):
                return read(path)
        return _of_file(_values_file(path, links), header)
    if path.suffix.lower() in (".geo", ".rel", ".dyna"):
        return libcity.read(path.parent)
    if path.name in ("data.dat", "desc.json"):
        return basicts_folder.read(path.parent)
    return _of_file(path, header)


def _of_file(path: Path, header: bool | None) -> SensorData:
    suffix = path.suffix.lower()
    if suffix in _NETCDF or _is_zarr(path):
        data = netcdf.read(netcdf.open_dataset(path), path)
    elif suffix in tsl_folder.ENDINGS:
        data = tsl_folder.read(path)
    elif suffix in _ARRAYS:
        data = tables.read_array(path)
    elif suffix == ".csv":
        data = tables.read_wide(path, header)
    else:
        raise InputError(f"path: {path} is in no supported format. See `stexplain data list`.")
    return data


def _values_file(folder: Path, other: Path | None) -> Path:
    """The file of values in a folder: the only one that is no file of links or places."""
    links = {file for pattern in LINK_FILES for file in folder.glob(pattern)}

    def is_values(file: Path) -> bool:
        suffix = file.suffix.lower()
        known = suffix in (*_NETCDF, *_ARRAYS, *tsl_folder.ENDINGS, ".csv") or _is_zarr(file)
        places = ("sensor" in file.stem and suffix == ".csv") or file.stem == "events"
        return known and file not in links and not places and (other is None or file.resolve() != other.resolve())

    found = [file for file in sorted(folder.iterdir()) if is_values(file)]
    if len(found) != 1:
        here = ", ".join(sorted(file.name for file in folder.iterdir())[:8]) or "nothing"
        listed = f" ({', '.join(file.name for file in found[:4])})" if found else ""
        raise InputError(
            f"path: {folder} holds {len(found)} files that may be values{listed}; expected one. Give the file. The "
            f"folder holds: {here}."
        )
    return found[0]


def _links_beside(path: Path) -> Path | None:
    """The file of links beside the values; none where there is none.

    Raises:
        InputError: where several could be it.
    """
    found = sorted({file for pattern in LINK_FILES for file in path.parent.glob(pattern) if file != path})
    if len(found) > 1:
        listed = ", ".join(file.name for file in found)
        raise InputError(f"graph: beside {path.name} lie {listed}; which is the graph? Give graph= with one of them.")
    return found[0] if found else None


def _is_zarr(path: Path) -> bool:
    return path.is_dir() and any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zmetadata"))


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


def _times(data: SensorData, start: Any, minutes: float | None) -> pd.DatetimeIndex | None:
    if start is None:
        return None
    step = minutes or data.minutes
    if step is None:
        raise InputError(f"minutes: {data.path} does not say how long a frame is. Give minutes= beside start=.")
    try:
        first = pd.Timestamp(start)
    except (TypeError, ValueError) as error:
        raise InputError(f"start: got {start!r}; expected a time, such as '2012-03-01 00:00'.") from error
    return pd.date_range(first, periods=data.values.shape[0], freq=pd.Timedelta(minutes=step))


def _evenly(values: Any, time: pd.DatetimeIndex | None, path: Path) -> tuple[Any, pd.DatetimeIndex | None]:
    """The values with a frame of NaN at each time that is left out, as where clocks or loggers skipped some."""
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
    return filled, every


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
    if nearest is not None:
        if data.positions is None:
            raise InputError(
                f"nearest: {data.path} has no positions of its nodes. Give locations=, or graph= with a file of links."
            )
        return STGraph.from_coordinates(data.positions, data.nodes, nearest=nearest, geographic=data.geographic)
    if graph is None and data.graph is not None and links is None:
        return data.graph
    file = Path(graph) if graph is not None else data.links or _links_beside(data.path)
    if file is None and data.graph is not None:
        raise InputError(
            f"links: got {links!r}; {data.path} says itself what its links are, and there is no other file of links. "
            "Leave it out, or give the file as graph=."
        )
    if file is None:
        positions = " nearest=4 (by the nodes' positions)," if data.positions is not None else ""
        raise InputError(
            f"graph: {data.path} has no links, and there is no file of links beside it. Give graph= with an STGraph or "
            f"a file (adj.csv, distances.csv, ...),{positions} or links='none' for a graph without edges."
        )
    return graph_of_file(file, data.nodes, links, no_link=no_link, positions=data.positions)
