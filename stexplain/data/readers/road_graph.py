"""The graph of a road network, from the files beside its values."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.data.readers import dcrnn_pickle
from stexplain.data.readers.number_table import has_header, read_table, read_text_table, require_ids
from stexplain.data.series_file import found_file
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph
from stexplain.graph.notices import without_kernel_diagonal
from stexplain.reading import is_there, naming

EDGES = ("edges.csv",)
DISTANCES = ("distances.csv", "distance.csv", "distances_*.csv")
PICKLES = ("adj_mx.pkl", "adj_mx*.pkl")
PLACES = ("sensors.csv", "graph_sensor_locations.csv", "graph_sensor_locations*.csv")


def graph_beside(where: Path, ids: Sequence[str]) -> STGraph:
    """The graph of the sensors in this order, from a file of the folder.

    Files searched, in order: ``adj_mx.pkl`` (DCRNN's), ``edges.csv`` (source, target and, where there is one, weight)
    and ``distances.csv`` (from, to, distance along the road: DCRNN's Gaussian kernel with threshold 0.1). Positions
    are those of ``sensors.csv`` or ``graph_sensor_locations.csv``.

    Args:
        where: the folder, or a file in it.
        ids: of the sensors, in the order of the values.

    Raises:
        DataError: where there is none of these files, or one of them lacks a sensor.
    """
    what = "which gives the graph (DCRNN's pickle, or CSV with source, target or with from, to, distance)"
    path = found_file(where, (*PICKLES, *EDGES, *DISTANCES), what)
    positions = positions_beside(where, ids)
    try:
        if path.suffix == ".pkl":
            names, matrix = dcrnn_pickle.read_adjacency(path)
            return adjacency_graph(path, matrix, names, ids, positions)
        if path.name in EDGES:
            table = _edges(path, ids)
            weight = "weight" if "weight" in table.columns else None
            if weight:
                # The table is read as text, so that ids such as 007 survive.
                table[weight] = pd.to_numeric(table[weight])
            groups = groups_beside(where, ids)
            return STGraph.from_pandas(table, ids, weight=weight, directed=True, positions=positions, groups=groups)
        return STGraph.from_distances(read_distances(path, ids), ids, directed=True, positions=positions)
    except (InputError, ValueError) as error:
        raise DataError(f"{path}: {error}") from error


def _edges(path: Path, ids: Sequence[str]) -> pd.DataFrame:
    """Edges as text: source, target and perhaps weight, by their order where the file has no header."""
    table = read_text_table(path, header=False)
    # Names of sensors may be words too: a first line that joins two of them is a pair.
    if has_header(path) and not set(table.iloc[0, :2]) <= set(ids):
        return read_text_table(path)
    names = ["source", "target", "weight"][: table.shape[1]]
    return table.iloc[:, : len(names)].set_axis(names, axis=1)


def adjacency_graph(
    path: Path,
    matrix: NDArray[np.float64],
    names: Sequence[str],
    ids: Sequence[str],
    positions: NDArray[np.float64] | None,
) -> STGraph:
    """The graph of an adjacency matrix whose rows are `names`, with its nodes in the order of `ids`."""
    require_ids(list(names), list(ids), "sensor", path)
    row = {name: number for number, name in enumerate(names)}
    order = [row[name] for name in ids]
    # Rows and columns both; sensors that are not among `ids` fall out.
    matrix = without_kernel_diagonal(matrix[np.ix_(order, order)])
    with naming(path):
        return STGraph.from_adjacency(matrix, ids, positions=positions)


def read_distances(path: Path, ids: Sequence[str]) -> NDArray[np.float64]:
    """Distances ``[N, N]`` from a CSV file with the columns from, to and distance (whatever they are called).

    A pair that is not in the file is infinitely far; a sensor is at 0 from itself. Sensors that are not among `ids`
    are ignored, since DCRNN's files hold all of a district.
    """
    header = has_header(path)
    table = read_text_table(path, header=header)
    if table.shape[1] < 3:
        raise DataError(
            f"{path} has the columns {list(table.columns)}; expected from, to and distance. Fetch it again."
        )
    row = {name: number for number, name in enumerate(ids)}
    # NaN where a sensor is not among `ids`.
    source, target = (table.iloc[:, column].map(row) for column in (0, 1))
    known_pairs = (source.notna() & target.notna()).to_numpy()
    known = set(table.iloc[:, 0]) | set(table.iloc[:, 1])
    require_ids(list(known), list(ids), "sensor", path)
    cost = pd.to_numeric(table.iloc[:, 2], errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero(np.isnan(cost))
    if bad.size:
        raise DataError(
            f"{path}, line {bad[0] + 1 + header}: {table.iloc[bad[0], 2]!r} is not a distance; expected a number."
        )
    # exp(-inf) = 0: a pair without a distance gets no edge from the Gaussian kernel.
    distances = np.full((len(ids), len(ids)), np.inf)
    np.fill_diagonal(distances, 0)
    distances[source[known_pairs].to_numpy(np.int64), target[known_pairs].to_numpy(np.int64)] = cost[known_pairs]
    return distances


def positions_beside(where: Path, ids: Sequence[str]) -> NDArray[np.float64] | None:
    """Where the sensors lie, ``[N, 2]``: longitude and latitude, or x and y; none where no file has them.

    Raises:
        DataError: where the file lacks a sensor or a column.
    """
    folder = where.parent if where.is_file() else where
    paths = [path for name in PLACES for path in sorted(folder.glob(name))]
    if not paths:
        return None
    return read_positions(paths[0], ids)


def read_positions(path: Path, ids: Sequence[str]) -> NDArray[np.float64]:
    """The positions of sensors, ``[N, 2]``, from a CSV file; see `positions_beside`.

    The file has a column ``sensor_id`` or ``sensor`` and the columns ``longitude`` and ``latitude``, or ``x`` and
    ``y``; or it has no header and its columns are sensor, latitude and longitude, as PEMS-BAY's has.
    """
    table = read_text_table(path)
    # Without a header pandas took the first sensor for one: read again.
    if table.shape[1] == 3 and not {"latitude", "x"} & set(table.columns):
        table = read_text_table(path, header=False).set_axis(["sensor_id", "latitude", "longitude"], axis=1)
    name = next((column for column in ("sensor_id", "sensor") if column in table.columns), None)
    pair = next((pair for pair in (("longitude", "latitude"), ("x", "y")) if set(pair) <= set(table.columns)), None)
    if name is None or pair is None:
        raise DataError(
            f"{path} has the columns {list(table.columns)}; expected sensor_id, latitude and longitude, or sensor, "
            "x, y."
        )
    require_ids(table[name].tolist(), list(ids), "sensor", path)
    # The list may repeat a sensor and has its own order; `loc` gives that of `ids`.
    found = table.drop_duplicates(name).set_index(name)[list(pair)].loc[list(ids)]
    try:
        return np.asarray(found.to_numpy().astype(np.float64))
    except ValueError as error:
        raise DataError(f"{path}: {error}; expected numbers.") from error


def groups_beside(where: Path, ids: Sequence[str]) -> dict[str, list[str]]:
    """The groups of sensors, such as roads, by the column ``group`` of ``sensors.csv``; none where it has none."""
    path = (where.parent if where.is_file() else where) / PLACES[0]
    if not is_there(path):
        return {}
    table = read_text_table(path)
    if not {"sensor", "group"} <= set(table.columns):
        return {}
    group_of = dict(zip(table["sensor"], table["group"], strict=True))
    groups: dict[str, list[str]] = {}
    for sensor in ids:
        if group := group_of.get(sensor):
            groups.setdefault(group, []).append(sensor)
    return groups


def read_matrix(path: Path, size: int) -> NDArray[np.float64]:
    """An adjacency ``[N, N]`` from a CSV file without header.

    Raises:
        DataError: where it is not of this size.
    """
    matrix = read_table(path, header=False).to_numpy()
    if matrix.shape != (size, size):
        raise DataError(
            f"{path} holds {matrix.shape[0]} x {matrix.shape[1]} numbers; expected {size} x {size}, one row and one "
            "column per sensor of the values."
        )
    return np.asarray(matrix)
