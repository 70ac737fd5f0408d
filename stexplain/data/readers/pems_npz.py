"""Reads PEMS03, 04, 07 and 08 as ASTGCN's authors published them: `data` [T, N, C] in an npz, and distances in CSV."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.cards import SeriesCard
from stexplain.data.readers.links import graph_of_file
from stexplain.data.readers.number_table import has_header, read_text_table
from stexplain.data.readers.road_graph import positions_beside
from stexplain.data.series_file import SeriesFile, found_file, optional_file, times_from_start
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph
from stexplain.graph.given.columns import COLUMNS
from stexplain.graph.notices import without_loops
from stexplain.reading import read_text
from stexplain.reading.npy import opened_npz


def read(where: Path, card: SeriesCard) -> SeriesFile:
    """Reads the series and its graph.

    The graph has an edge of weight 1 for every pair of the distance file, in its direction, as Guo et al. (2019) have
    it: the file lists neighbours on the road only. `STGraph.from_distances` would weight them by distance.

    Args:
        where: the folder with one ``.npz`` file and ``distance.csv`` (from, to, cost), or a matrix N x N in its place,
            of weights or distances as `graph_of_file` tells them and `series.links` says; or the npz file. A file
            ``{name of the npz}.txt``, as PEMS03 has, lists the ids of the sensors; without, they are numbers from 0.
        card: of the series; `series.start` is the time of the first frame, which the files do not have.

    Returns:
        Values ``[T, N, C]``, float32.

    Raises:
        DataError: where a file is missing or broken, or does not fit the card.
    """
    where = Path(where)
    path = found_file(where, card.files.get("values", "*.npz"), "the values", companion=False)
    values = read_arrays(path, "data")["data"]
    channels = card.series.channels
    if values.ndim != 3 or values.shape[2] != len(channels):
        raise DataError(
            f"{path}: data has shape {values.shape}; expected [T, N, {len(channels)}] ({', '.join(channels)})."
        )
    # Of the four, only PEMS03 numbers its sensors by id; the others' distance files use rows.
    listed = optional_file(path, f"{path.stem}.txt", f"{path.stem.upper()}.txt")
    ids = [str(number) for number in range(values.shape[1])] if listed is None else read_text(listed).split()
    if len(ids) != values.shape[1]:
        raise DataError(f"{listed} lists {len(ids)} sensors; expected {values.shape[1]}, as {path.name} holds.")
    names = (
        card.files.get("distances", "distance.csv"),
        "distances.csv",
        f"{path.stem}.csv",
        f"{path.stem.upper()}.csv",
        "adj*.csv",
        "adj*.npy",
    )
    links, positions = found_file(path, names, "the distances (from, to, cost)"), positions_beside(path, ids)
    try:
        if card.series.links is not None or _is_matrix(links, len(ids)):
            graph = graph_of_file(links, ids, card.series.links, positions=positions)
            return SeriesFile(values.astype(np.float32, copy=False), graph, times_from_start(card, len(values)))
        table = read_text_table(links)
        if table.shape[1] < 2:
            raise DataError(f"{links} has the columns {list(table.columns)}; expected from, to and cost.")
        apart = without_loops(table, ids, table.iloc[:, 2] if table.shape[1] > 2 else None)
        pairs = table[apart].iloc[:, :2].drop_duplicates()
        graph = STGraph.from_pandas(pairs, ids, directed=True, positions=positions)
    except InputError as error:
        raise DataError(str(error) if str(links) in str(error) else f"{links}: {error}") from error
    return SeriesFile(values.astype(np.float32, copy=False), graph, times_from_start(card, len(values)))


def _is_matrix(links: Path, count: int) -> bool:
    """Whether a file of links has a row and a column for each sensor, and is no table of pairs."""
    if links.suffix.lower() != ".csv":
        return True
    table = read_text_table(links, header=False)
    first = [str(cell).strip().lower() for cell in table.iloc[0, :2]]
    if len(first) == 2 and first[0] in COLUMNS["source"] and first[1] in COLUMNS["target"]:
        return False
    # Of three sensors it is not known, and refused further on.
    return table.shape[1] > 3 or (table.shape == (count, count) and not has_header(links))


def read_arrays(path: Path, *names: str) -> dict[str, NDArray[Any]]:
    """Arrays of numbers from an npz file; nothing is unpickled.

    Raises:
        DataError: where the file is no npz, lacks an array, or one is of objects.
    """
    again = "Fetch the file again."
    with opened_npz(path, again) as arrays:
        found = {name: arrays[name] for name in names}
    for name, values in found.items():
        if values.dtype.kind not in "fiu":
            raise DataError(f"{path}: {name} is of type {values.dtype}; expected numbers. {again}")
    return found
