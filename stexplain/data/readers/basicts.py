"""Reads BasicTS' layout: `data.dat` (float32, [T, N, C]), `desc.json` with its shape, and `adj_mx.pkl`."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.cards import SeriesCard
from stexplain.data.readers.dcrnn_pickle import read_adjacency
from stexplain.data.readers.road_graph import positions_beside
from stexplain.data.series_file import SeriesFile, found_file, times_from_start
from stexplain.errors import DataError, InputError
from stexplain.files import read_json
from stexplain.graph import STGraph
from stexplain.graph.notices import without_kernel_diagonal
from stexplain.reading import readable


def read(where: Path, card: SeriesCard) -> SeriesFile:
    """Reads the series and its graph; the values stay on disk and are mapped into memory.

    The first channels are taken, as many as the card names: after them BasicTS stores time of day and day of week,
    which `WindowedSeries.with_calendar` computes.

    Args:
        where: the folder, or ``data.dat`` in it.
        card: of the series; `series.start` is the time of the first frame, which the files do not have.

    Returns:
        Values ``[T, N, C]``, float32, a memory map.

    Raises:
        DataError: where a file is missing or broken, or sizes do not fit.
    """
    where = Path(where)
    path = found_file(where, "data.dat", "the values", companion=False)
    description_path = found_file(path, "desc.json", "which gives the shape of the values")
    values, description = mapped(path, description_path)
    shape, channels = values.shape, len(card.series.channels)
    if channels > shape[2]:
        raise DataError(
            f"{description_path} has {shape[2]} channels; expected {channels}, as the card {card.name!r} names."
        )
    minutes = description.get("frequency (minutes)", card.series.minutes)
    if minutes != card.series.minutes:
        raise DataError(
            f"{description_path} says {minutes} min from frame to frame; expected {card.series.minutes:g}, as the card "
            f"{card.name!r} says."
        )
    # A view of the map: the calendar channels are cut off without reading the file.
    values = values[..., :channels]
    adjacency = found_file(path, ("adj_mx.pkl", "adj_*.pkl"), "the adjacency")
    ids, matrix = read_adjacency(adjacency)
    if len(ids) != shape[1]:
        raise DataError(f"{adjacency} is of {len(ids)} sensors; {path.name} holds {shape[1]}. Are both of one dataset?")
    try:
        graph = STGraph.from_adjacency(without_kernel_diagonal(matrix), ids, positions=positions_beside(path, ids))
    except InputError as error:
        raise DataError(f"{adjacency}: {error}") from error
    return SeriesFile(values, graph, times_from_start(card, shape[0]))


def mapped(path: Path, described: Path) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """The values of ``data.dat`` as a memory map ``[T, N, C]``, and what ``desc.json`` says of them.

    Raises:
        DataError: where the description is broken, or the file has another size than it says.
    """
    description = read_json(described)
    shape = description.get("shape")
    if not (isinstance(shape, list) and len(shape) == 3 and all(isinstance(size, int) and size > 0 for size in shape)):
        raise DataError(f"{described}: shape is {shape!r}; expected [T, N, C]. Fetch the file again.")
    # A memory map of a truncated file would fail only when its last frames are read, by a signal that kills.
    if path.stat().st_size != 4 * int(np.prod(shape)):
        raise DataError(
            f"{path} holds {path.stat().st_size} bytes; expected {4 * int(np.prod(shape))} for {shape} numbers of "
            f"float32, as {described.name} says. Is it truncated?"
        )
    with readable(path, "observations"):
        return np.memmap(path, np.float32, "r", shape=(shape[0], shape[1], shape[2])), description
