"""Reads METR-LA's and PEMS-BAY's HDF5: a pandas DataFrame in the fixed format, speeds by time and sensor."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stexplain.cards import SeriesCard
from stexplain.data.readers import speeds_csv
from stexplain.data.readers.road_graph import graph_beside
from stexplain.data.series_file import SeriesFile, found_file
from stexplain.errors import DataError, InputError

# The datasets of one block of a DataFrame: columns, rows, and names and values of the block.
_PARTS = ("axis0", "axis1", "block0_items", "block0_values")


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
    table = speeds_csv.filled(read_frame(path), card.series.minutes, path)
    ids = [str(name) for name in table.columns]
    return SeriesFile(table.to_numpy(np.float32), graph_beside(path, ids), pd.DatetimeIndex(table.index))


def read_frame(path: Path) -> pd.DataFrame:
    """A DataFrame of one block that pandas wrote with `to_hdf` in the fixed format; read without PyTables.

    Args:
        path: of the HDF5 file, with one DataFrame.

    Returns:
        Numbers, indexed by time; the names of columns are text.

    Raises:
        DataError: where the file is no HDF5, or holds no such DataFrame.
        InputError: where h5py is not installed.
    """
    try:
        import h5py  # type: ignore[import-not-found, import-untyped, unused-ignore]  # optional, and ships no types
    except ModuleNotFoundError as error:
        raise InputError(f"{path} is HDF5, which needs h5py: pip install 'stexplain[traffic]'.") from error
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path} could not be read as HDF5: {error}. Fetch the file again.") from error
    with file:
        # METR-LA calls its group `df`, PEMS-BAY `speed`: found by what is in it, not by name.
        tables = [group for group in file.values() if all(name in group for name in _PARTS)]
        if len(tables) != 1:
            raise DataError(
                f"{path} holds {len(tables)} DataFrames of pandas' fixed format with one block (groups: "
                f"{', '.join(file) or 'none'}); expected one, as DCRNN's files have. Fetch the file again."
            )
        table = tables[0]
        try:
            values = np.asarray(table["block0_values"][()])
            columns, items = (_names(table[name][()]) for name in ("axis0", "block0_items"))
            time = _times(table["axis1"])
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{path} is damaged: {error}. Fetch the file again.") from error
    if values.shape != (len(time), len(columns)) or sorted(items) != sorted(columns):
        raise DataError(
            f"{path} holds values {values.shape} for {len(time)} times and {len(columns)} sensors. Fetch it again."
        )
    # A block may list its columns in another order than the DataFrame.
    return pd.DataFrame(values, index=time, columns=items)[columns]


def _names(values: Any) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]


def _times(axis: Any) -> pd.DatetimeIndex:
    """Times as pandas keeps them: whole numbers since 1970, in nanoseconds unless the axis says otherwise."""
    kind = axis.attrs.get("kind", b"datetime64")
    label = kind.decode() if isinstance(kind, bytes) else str(kind)
    if not label.startswith("datetime64"):
        raise ValueError(f"the rows are labelled by {label}; expected times")
    # Where the unit is not written, pandas means nanoseconds.
    return pd.DatetimeIndex(np.asarray(axis[()]).astype(label if "[" in label else "datetime64[ns]"))
