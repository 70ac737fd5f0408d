"""Reads T-GCN's pair of CSV files: `los_speed.csv`, a row per frame and a column per sensor, and `los_adj.csv`."""

from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stexplain.cards import SeriesCard
from stexplain.data.readers.number_table import read_table
from stexplain.data.readers.road_graph import PLACES, adjacency_graph, positions_beside, read_matrix, read_positions
from stexplain.data.series_file import SeriesFile, found_file, times_from_start
from stexplain.errors import DataError


def read(where: Path, card: SeriesCard) -> SeriesFile:
    """Reads the series and its graph.

    Args:
        where: the folder, or the file of values in it. Their names end with ``_speed.csv`` and ``_adj.csv``, or are
            those of `files.values` and `files.adjacency` of the card. Positions are taken from DCRNN's
            ``graph_sensor_locations.csv`` where that lies in the folder, or in one beside it, and knows all sensors.
        card: of the series; `series.start` is the time of the first row, which the files do not have.

    Returns:
        Values ``[T, N]``, float32.

    Raises:
        DataError: where a file is missing or broken: names the line and the cell.
    """
    where = Path(where)
    path = found_file(where, card.files.get("values", "*_speed.csv"), "the values", companion=False)
    table = read_table(path)
    ids = [str(name) for name in table.columns]
    adjacency = found_file(path, card.files.get("adjacency", "*_adj.csv"), "the adjacency")
    matrix = read_matrix(adjacency, len(ids))
    graph = adjacency_graph(adjacency, matrix, ids, ids, _positions(path.parent, ids))
    return SeriesFile(table.to_numpy(np.float32), graph, times_from_start(card, len(table)))


def _positions(folder: Path, ids: list[str]) -> NDArray[np.float64] | None:
    """Positions of the sensors from this folder, or from DCRNN's file in one beside it; T-GCN's files have none."""
    if (found := positions_beside(folder, ids)) is not None:
        return found
    for path in sorted(folder.resolve().parent.glob(f"*/{PLACES[1]}")):
        with suppress(DataError):  # a file in another folder may be of other sensors
            return read_positions(path, ids)
    return None
