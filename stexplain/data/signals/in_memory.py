"""Networks of sensors that are in memory: pandas frames, xarray objects and arrays, as files of them are read."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stexplain.data.labelled import without_labels
from stexplain.data.signals import netcdf
from stexplain.data.signals.sensor_data import SensorData
from stexplain.data.signals.tables import index_of, refuse_other_columns
from stexplain.errors import DataError, InputError
from stexplain.wording import an

_CHANNELS = ("channel", "feature", "variable", "signal", "measure", "band")
_GIVE = (
    "expected the path of a file or folder, a DataFrame (rows are times, columns sensors), an xarray Dataset or "
    "DataArray, or an array [T, N] or [T, N, C]"
)


def is_given(values: object) -> bool:
    """Whether something is values, and no path to them."""
    return not isinstance(values, str | Path) and not hasattr(values, "__fspath__")


def read_given(values: Any, zone: str | None = None) -> SensorData:
    """The values of an object as `read_sensors` gives those of a file.

    Args:
        values: a DataFrame whose columns are sensors, or (sensor, channel), and whose index, or else first column, is
            of times; an xarray Dataset, whose variables are channels, or DataArray; or an array, or tensor, ``[T, N]``
            or ``[T, N, C]``.
        zone: of times in text, where it is given.

    Raises:
        InputError: where it is none of these, or its labels are not known for certain.
        DataError: where a Dataset's variables do not fit.

    Example:
        >>> times = pd.date_range("2012-03-01", periods=3, freq="5min")
        >>> data = read_given(pd.DataFrame({"a": [1.0, 2, 3], "b": [4.0, 5, 6]}, index=times))
        >>> data.nodes, data.values.shape, str(data.time[1])
        (('a', 'b'), (3, 2, 1), '2012-03-01 00:05:00')
    """
    if hasattr(values, "data_vars"):
        return netcdf.read(values, Path("the dataset"), in_memory=True)
    try:
        if isinstance(values, pd.DataFrame):
            return _of_frame(values, zone)
        if hasattr(values, "dims") and hasattr(values, "coords"):
            return netcdf.read(_dataset_of(values), Path("the array"), in_memory=True)
    except InputError as error:
        # Found by what also serves `WindowedSeries`, whose argument is called so.
        raise type(error)(str(error).replace("values: ", "path: ", 1)) from error
    if isinstance(values, pd.Series):
        raise InputError(
            "path: got a Series, of one sensor, or of all below each other; expected a DataFrame with a column for "
            "each sensor. Use series.unstack(), or series.to_frame() of one sensor."
        )
    if hasattr(values, "to_pandas"):
        raise InputError(f"path: got a table of {type(values).__module__.split('.')[0]}; {_GIVE}. Use its to_pandas().")
    return _of_array(values)


def _of_frame(table: pd.DataFrame, zone: str | None) -> SensorData:
    path = Path("the DataFrame")
    try:
        refuse_other_columns(path, table.columns if table.columns.nlevels == 1 else [])
    except DataError as error:
        raise InputError(f"path: {error}") from error
    first = table.iloc[:, 0] if table.shape[1] else pd.Series(dtype=float)
    if isinstance(table.index, pd.RangeIndex) and table.size and table.columns.nlevels == 1 and first.dtype.kind != "b":
        table = _by_first_column(path, table, first, zone)
    if table.columns.nlevels == 2 and not any(table.columns.names):
        # As tsl writes them.
        table = table.set_axis(table.columns.set_names(["node", "channel"]), axis=1)
    table = _as_numbers(table)
    words = [name for name, kind in table.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
    if len(words) == table.shape[1] > 1 and table.columns.nlevels == 1:
        raise InputError(
            f"path: the columns of the DataFrame hold text, such as {table.iloc[0, 0]!r}; expected numbers. Convert "
            "them: df.apply(pd.to_numeric); of decimals with commas df.map(lambda cell: float(cell.replace(',', '.')))."
        )
    if words and table.columns.nlevels == 1:
        raise InputError(
            f"path: the column {words[0]!r} of the DataFrame holds no numbers; expected a column for each sensor. "
            f"Drop it, df.drop(columns={words[0]!r}); or where it holds times, df.set_index({words[0]!r})."
        )
    if not table.size:
        raise InputError(f"path: got a DataFrame of shape {table.shape}; expected times and sensors.")
    found = without_labels(table, None, named=False)
    values = np.asarray(found.values, np.float32)
    values = values[..., None] if values.ndim == 2 else values
    nodes = found.nodes or tuple(map(str, range(values.shape[1])))
    return SensorData(path, values, nodes, found.channels or ("value",), time=found.time, in_memory=True)


def _by_first_column(path: Path, table: pd.DataFrame, first: "pd.Series[Any]", zone: str | None) -> pd.DataFrame:
    """A table by the times of its first column, as of a CSV that was read without index_col=0; else as it is."""
    if first.dtype.kind == "M":
        return table.iloc[:, 1:].set_axis(pd.DatetimeIndex(first), axis=0)
    try:
        labels, time = index_of(path, first if first.dtype.kind in "fiu" else first.astype(str), True, zone)
    except DataError as error:
        raise InputError(f"path: {error}") from error
    if not labels:
        return table
    return table.iloc[:, 1:] if time is None else table.iloc[:, 1:].set_axis(time, axis=0)


def _as_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose columns of objects that are all numbers are of floats, as where it was turned round."""
    kept = table.copy(deep=False)
    for place, kind in enumerate(table.dtypes):
        cells = table.iloc[:, place]
        if pd.api.types.is_object_dtype(kind) and not any(isinstance(one, str | bytes | bool) for one in cells):
            numbers = pd.to_numeric(cells, errors="coerce")
            if numbers.notna().equals(cells.notna()):
                kept.isetitem(place, numbers.to_numpy(np.float64))
    return kept


def _dataset_of(array: Any) -> Any:
    """An xarray array as a dataset, a variable for each channel."""
    name = str(array.name or "value")
    channels = [dim for dim in array.dims if str(dim).lower().removesuffix("s") in _CHANNELS]
    if array.ndim == 2 and not channels:
        return array.to_dataset(name=name)
    if array.ndim != 3 or len(channels) != 1:
        raise InputError(
            f"path: got an array with dimensions {', '.join(map(str, array.dims))}; expected time, node, and perhaps "
            "channel. Rename them: array.rename({...})."
        )
    (dim,) = channels
    units = array.attrs.get("units", "")
    if dim not in array.coords:
        array = array.assign_coords({dim: [f"channel {number}" for number in range(array.sizes[dim])]})
    dataset = array.assign_coords({dim: [str(one) for one in array[dim].to_numpy().tolist()]}).to_dataset(dim=dim)
    return dataset.assign({one: dataset[one].assign_attrs(units=units) for one in dataset.data_vars} if units else {})


def _of_array(values: Any) -> SensorData:
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(np.float32), np.nan)
    elif hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    if not isinstance(values, np.ndarray):
        raise InputError(f"path: got {an(type(values).__name__)}; {_GIVE}.")
    if values.ndim not in (2, 3) or values.dtype.kind not in "fiu" or 0 in values.shape:
        raise InputError(f"path: got {values.dtype} of shape {values.shape}; {_GIVE}.")
    values = values[..., None] if values.ndim == 2 else values
    nodes = tuple(map(str, range(values.shape[1])))
    channels = ("value",) if values.shape[2] == 1 else tuple(f"channel {n}" for n in range(values.shape[2]))
    return SensorData(Path("the array"), values, nodes, channels, in_memory=True)
