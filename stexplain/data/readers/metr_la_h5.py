"""Reads METR-LA's and PEMS-BAY's HDF5: a pandas DataFrame in the fixed format, speeds by time and sensor."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.cards import SeriesCard
from stexplain.data.readers import speeds_csv
from stexplain.data.readers.road_graph import graph_beside
from stexplain.data.series_file import SeriesFile, found_file
from stexplain.errors import DataError, InputError
from stexplain.reading import readable
from stexplain.reading.child_process import arrays_in_child


def read(where: Path, card: SeriesCard) -> SeriesFile:
    """Reads the series and its graph.

    Args:
        where: the file (``.h5``; a ``.csv`` is read as `speeds_csv` does), or the folder that holds it as its only
            ``.h5`` file, or else its only file ``{name of the card}.csv``. The graph's file lies beside it, see
            `graph_beside`.
        card: of the series.

    Returns:
        Values ``[T, N]``, float32. Times that the file omits are frames of NaN.

    Raises:
        DataError: where a file is missing or broken.
        InputError: where h5py is not installed.
    """
    where = Path(where)
    names = (card.files.get("values", "*.h5"), f"{card.name}.csv", f"{card.name.upper()}.csv")
    path = found_file(where, names, "the values", companion=False)
    if path.suffix.lower() == ".csv":
        return speeds_csv.read(path, card)
    table = speeds_csv.filled(read_frame(path), card.series.minutes, path, card.series.time_zone)
    ids = [str(name) for name in table.columns]
    return SeriesFile(table.to_numpy(np.float32), graph_beside(path, ids), pd.DatetimeIndex(table.index))


def read_frame(path: Path) -> pd.DataFrame:
    """A DataFrame of one block that pandas wrote with `to_hdf` in the fixed format; read without PyTables.

    Args:
        path: of the HDF5 file, with one DataFrame.

    Returns:
        Numbers, indexed by time; the names of columns are text, or pairs of text where columns have two levels.

    Raises:
        DataError: where the file is no HDF5, or holds no such DataFrame.
        InputError: where h5py is not installed.
    """
    if find_spec("h5py") is None:
        raise InputError(f"{path} is HDF5, which needs h5py: pip install 'stexplain[traffic]'.")
    parts = arrays_in_child("stexplain.data.readers.hdf5_frame", path, "HDF5")
    values, columns, items = parts["block0_values"], _labels(parts["axis0"]), _labels(parts["block0_items"])
    with readable(path, "a DataFrame of times and sensors"):
        time = _times(parts["axis1"], str(parts["kind"]))
        if zone := str(parts["zone"]):
            time = time.tz_localize("UTC").tz_convert(zone)
        values = values.astype(np.float64) if values.dtype.kind in "iu" else values
        if values.dtype.kind != "f":
            raise ValueError(f"its values are {values.dtype}; expected numbers")
    if values.shape != (len(time), len(columns)) or sorted(items) != sorted(columns):
        raise DataError(
            f"{path} holds values {values.shape} for {len(time)} times and {len(columns)} sensors. Fetch it again."
        )
    # A block may list its columns in another order than the DataFrame.
    labels: Any = pd.MultiIndex.from_tuples(items) if parts["axis0"].ndim == 2 else items
    found: pd.DataFrame = pd.DataFrame(values, index=time, columns=labels)[columns]
    if isinstance(found.columns, pd.MultiIndex):
        found.columns.names = [name or None for name in parts["names"].tolist()]
    return found


def _labels(axis: NDArray[Any]) -> list[Any]:
    """Names of columns, or tuples of them where columns have levels, ``[columns, levels]``."""
    return list(map(tuple, axis.tolist())) if axis.ndim == 2 else list(axis.tolist())


def _times(axis: NDArray[Any], label: str) -> pd.DatetimeIndex:
    """Times as pandas keeps them: whole numbers since 1970, in nanoseconds unless the axis says otherwise."""
    if not label.startswith("datetime64"):
        raise ValueError(f"the rows are labelled by {label}; expected times")
    # Where the unit is not written, pandas means nanoseconds.
    return pd.DatetimeIndex(axis.astype(label if "[" in label else "datetime64[ns]"))
