"""netCDF and zarr through xarray: every variable over (time, node) is a channel with its own unit."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray
from numpy.typing import NDArray

from stexplain.data.labelled import times_of
from stexplain.data.signals.dataset_arrays import dataset_of, engine_of
from stexplain.data.signals.sensor_data import SensorData
from stexplain.errors import DataError, InputError
from stexplain.graph.labels import IDS
from stexplain.reading import readable, regular_file
from stexplain.reading.child_process import arrays_in_child
from stexplain.reading.contents import reason_of

_TIMES = ("time", "date", "datetime", "timestamp", "t")
_LON, _LAT = ("longitude", "lon"), ("latitude", "lat")
_REAL = ("standard", "gregorian", "proleptic_gregorian", "")
_OFFSET = re.compile(r"\s([+-]\d{1,2}):?(\d{2})?\s*$")


def open_dataset(path: Path) -> Any:
    """A netCDF file or zarr folder as an xarray dataset, its times as they are stored.

    It is read in another process: a damaged file may crash the libraries below xarray.

    Raises:
        InputError: where a package is not installed.
        DataError: where the file is broken, or refers to another one.
    """
    engine = engine_of(path) if path.is_dir() else engine_of(regular_file(path))
    if not engine:
        raise DataError(
            f"{path} could not be read as netCDF: it begins like none. Read are netCDF-4 and the classic format, not "
            "CDF-5: `nccopy -k nc4 old.nc new.nc`."
        )
    needed = {"h5netcdf": ("h5netcdf", "h5py"), "zarr": ("zarr",)}.get(engine, ())
    if lacking := [name for name in needed if find_spec(name) is None]:
        raise InputError(f"{path} needs {lacking[0]}, which is not installed: pip install 'stexplain[netcdf]'.")
    what = "zarr" if engine == "zarr" else "netCDF"
    parts = arrays_in_child("stexplain.data.signals.dataset_arrays", path, what)
    with readable(path, what):
        return dataset_of(parts)


def read(dataset: Any, path: Path, *, in_memory: bool = False) -> SensorData:
    """The series in a dataset.

    Channels are the variables over exactly time and one other dimension, the nodes, in either order; their ``units``
    are kept. Variables over the nodes alone that are called longitude and latitude (or x and y) are positions. Others
    over time and further dimensions are refused, since it is not known what a node would be.

    Args:
        dataset: an xarray dataset.
        path: of it, for messages.
        in_memory: whether it came from no file.

    Raises:
        DataError: where dimensions do not fit, or the calendar is none of the real world.
    """
    time_name = _time_dimension(dataset, path)
    over_time = {str(name): one for name, one in dataset.data_vars.items() if time_name in one.dims}
    others = {tuple(dim for dim in one.dims if dim != time_name) for one in over_time.values()}
    if len(others) != 1 or len(next(iter(others))) != 1:
        shapes = "; ".join(f"{name} ({', '.join(map(str, one.dims))})" for name, one in over_time.items()) or "none"
        raise DataError(
            f"{path}: the variables over {time_name!r} are {shapes}; expected each over time and one dimension of "
            "nodes, the same for all. Choose variables: dataset[['speed', 'flow']]; or make a grid nodes: "
            "dataset.stack(node=('lat', 'lon')).reset_index('node')."
        )
    node_name = next(iter(others))[0]
    bad = [name for name, one in over_time.items() if one.dtype.kind not in "fiu"]
    if bad:
        raise DataError(f"{path}: {bad[0]} is of type {over_time[bad[0]].dtype}; expected numbers.")
    values = np.stack([_values(one.transpose(time_name, node_name), path) for one in over_time.values()], -1)
    nodes = _names(dataset, node_name, path)
    positions, geographic = _positions(dataset, node_name, path)
    return SensorData(
        path,
        values.astype(np.float32, copy=False),
        nodes,
        tuple(over_time),
        tuple(str(one.attrs.get("units", "")) for one in over_time.values()),
        time=_times(dataset[time_name], path) if time_name in dataset.coords else None,
        positions=positions,
        geographic=geographic,
        in_memory=in_memory,
    )


def _names(dataset: Any, node: str, path: Path) -> tuple[str, ...]:
    """What the nodes are called: by their coordinate, else by a variable of ids over them; else "0" to "N-1"."""
    count = int(dataset.sizes[node])
    beside = {str(name).lower(): str(name) for name, one in dataset.variables.items() if one.dims == (node,)}
    text = [name for name in beside.values() if dataset[name].dtype.kind in "OUS"]
    ids = [beside[name] for name in IDS if name in beside and dataset[beside[name]].dtype.kind in "OUSiu"]
    for name in [node] if node in dataset.coords else [*ids, *(text if len(text) == 1 else [])]:
        names = [one.decode() if isinstance(one, bytes) else str(one) for one in _values(dataset[name], path).tolist()]
        # What several nodes share, such as a road, names none of them.
        if name == node or len(set(names)) == count:
            return tuple(names)
    return tuple(map(str, range(count)))


def _time_dimension(dataset: Any, path: Path) -> str:
    dims = [str(name) for name in dataset.dims]
    found = [name for name in dims if name.lower() in _TIMES]
    found = found or [
        name for name in dims if name in dataset.coords and " since " in str(dataset[name].attrs.get("units", ""))
    ]
    found = found or [name for name in dims if name in dataset.coords and dataset[name].dtype.kind == "M"]
    if len(found) != 1:
        raise DataError(
            f"{path} has the dimensions {', '.join(dims) or 'none'}, of which {len(found)} are times; expected one, "
            "called time. Rename it: dataset.rename(...)."
        )
    return found[0]


def _values(array: Any, path: Path) -> NDArray[Any]:
    try:
        return np.asarray(array.to_numpy())
    # Damage shows when a variable is read, as an error of the library below xarray.
    except Exception as error:
        raise DataError(f"{path}: {array.name} could not be read: {reason_of(error)}.") from error


def _times(time: Any, path: Path) -> pd.DatetimeIndex | None:
    """The times in their zone; of a calendar that is not the real one they are refused."""
    numbers = _values(time, path)
    units, calendar = str(time.attrs.get("units", "")), str(time.attrs.get("calendar", "")).lower()
    calendar = calendar or str(time.encoding.get("calendar", "")).lower()
    if calendar not in _REAL:
        raise DataError(
            f"{path}: the calendar of time is {calendar!r}, whose days are not those of the real one; expected "
            "'standard'. Convert it: dataset.convert_calendar('standard'), or drop them: dataset.drop_vars('time')."
        )
    if numbers.dtype.kind == "M":
        index: pd.DatetimeIndex | None = pd.DatetimeIndex(numbers)
    elif " since " in units:
        match = _OFFSET.search(units)
        plain = units[: match.start()] if match else units.removesuffix("Z")
        try:
            decoded = xarray.decode_cf(xarray.Dataset({"time": ("time", numbers, {"units": plain})}))["time"].to_numpy()
            index = pd.DatetimeIndex(decoded)
        # Of an odd unit xarray raises anything; where only another library knows it, an ImportError.
        except Exception as error:
            raise DataError(f"{path}: the times, {units!r}, could not be read: {reason_of(error)}.") from error
        if match:
            # Counted since a moment of that zone, whose clock the times then show.
            hours, minutes = int(match.group(1)), int(match.group(2) or 0)
            zone = pd.Timedelta(hours=hours, minutes=minutes if hours >= 0 else -minutes)
            index = index.tz_localize(f"{'-' if zone < pd.Timedelta(0) else '+'}{abs(hours):02d}:{minutes:02d}")
    else:
        try:
            index = times_of(pd.Index(numbers))
        except InputError as error:
            raise DataError(f"{path}: time: {error}") from error
    name = str(time.attrs.get("timezone", time.attrs.get("time_zone", "")))
    if index is None or index.tz is not None or not name:
        return index
    try:
        return index.tz_localize(name)
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: the times do not fit their zone {name!r}: {error}.") from error


def _positions(dataset: Any, node: str, path: Path) -> tuple[NDArray[np.float64] | None, bool]:
    """Where the nodes are, and whether these are longitude and latitude."""
    of_nodes = {
        str(name).lower(): one
        for name, one in dataset.variables.items()
        if one.dims == (node,) and one.dtype.kind in "fiu"
    }
    for pair, geographic in ((_LON, True), (("x",), False)):
        across = next((of_nodes[name] for name in pair if name in of_nodes), None)
        up = next((of_nodes[name] for name in (_LAT if geographic else ("y",)) if name in of_nodes), None)
        if across is not None and up is not None:
            return np.stack(
                [np.asarray(across.to_numpy(), np.float64), np.asarray(up.to_numpy(), np.float64)], 1
            ), geographic
    return None, False
