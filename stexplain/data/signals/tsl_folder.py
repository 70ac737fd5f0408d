"""Torch Spatiotemporal's folders: a pandas frame in HDF5 or parquet, columns of sensors or (sensor, channel)."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stexplain.data.labelled import node_first, times_of
from stexplain.data.readers.metr_la_h5 import read_frame
from stexplain.data.readers.road_graph import positions_beside
from stexplain.data.signals.sensor_data import SensorData
from stexplain.data.signals.tables import refuse_other_columns
from stexplain.errors import DataError, InputError
from stexplain.reading.contents import reason_of

ENDINGS = (".h5", ".hdf5", ".parquet")


def read(path: Path) -> SensorData:
    """Reads the frame; links and places lie beside it.

    Args:
        path: of the file.

    Raises:
        DataError: where the file is broken, holds several frames or none, or a column (sensor, channel) is missing.
        InputError: where a package is not installed.
    """
    table = _by_time(_parquet(path)) if path.suffix.lower() == ".parquet" else read_frame(path)
    if table.columns.nlevels == 1:
        refuse_other_columns(path, table.columns)
    values, nodes, channels = split_columns(table, path)
    try:
        time = times_of(table.index)
    except InputError as error:
        raise DataError(f"{path}: {error}") from error
    return SensorData(
        path, values, nodes, channels, time=time, positions=positions_beside(path, nodes), geographic=True
    )


def split_columns(table: pd.DataFrame, path: Path) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Values ``[T, N, C]``, the names of nodes and of channels.

    Raises:
        DataError: where a sensor lacks a channel that another has.

    Example:
        >>> columns = pd.MultiIndex.from_product([["a", "b"], ["speed", "flow"]])
        >>> split_columns(pd.DataFrame([[1.0, 2, 3, 4]], columns=columns), Path("x.h5"))[0].tolist()
        [[[1.0, 2.0], [3.0, 4.0]]]
    """
    bad = [str(name) for name, kind in table.dtypes.items() if kind.kind not in "fiu"]
    if bad:
        raise DataError(
            f"{path}: the column {bad[0]} holds no numbers; expected a column for each sensor. Leave it out, "
            f"table.drop(columns={bad[0]!r}); or where it names sensors, table.pivot(index=..., columns={bad[0]!r}, "
            "values=...)."
        )
    if not isinstance(table.columns, pd.MultiIndex):
        return table.to_numpy(np.float32)[..., None], tuple(map(str, table.columns)), ("value",)
    if table.columns.nlevels != 2:
        raise DataError(f"{path}: columns have {table.columns.nlevels} levels; expected two, sensor and channel.")
    table = node_first(table)
    nodes, channels = (list(dict.fromkeys(table.columns.get_level_values(level))) for level in (0, 1))
    place: dict[Any, int] = {pair: number for number, pair in enumerate(table.columns)}
    for node in nodes:
        for channel in channels:
            if (node, channel) not in place:
                raise DataError(f"{path}: the sensor {node!r} has no channel {channel!r}; expected all of each sensor.")
    order = np.array([[place[node, channel] for channel in channels] for node in nodes])
    return table.to_numpy(np.float32)[:, order], tuple(map(str, nodes)), tuple(map(str, channels))


def _by_time(table: pd.DataFrame) -> pd.DataFrame:
    """A table by its only column of times, where rows are numbered: not every program writes an index."""
    times = [name for name, kind in table.dtypes.items() if kind.kind == "M" or isinstance(kind, pd.DatetimeTZDtype)]
    return table.set_index(times[0]) if isinstance(table.index, pd.RangeIndex) and len(times) == 1 else table


def _parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except ImportError as error:
        raise InputError(f"{path} is parquet, which needs pyarrow: pip install pyarrow.") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} could not be read as parquet: {reason_of(error)}.") from error
