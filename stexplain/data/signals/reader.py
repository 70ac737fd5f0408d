"""Reads a series of any format of `load_sensors` as its card says; the reader of a card that names none."""

from pathlib import Path

import numpy as np

from stexplain.cards import SeriesCard
from stexplain.data.series_file import SeriesFile, times_from_start
from stexplain.data.signals.sensors import graph_of, read_sensors, with_channels
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph


def read(where: Path, card: SeriesCard) -> SeriesFile:
    """Reads the series and its graph.

    Args:
        where: the file or folder. Of the card's `files`, ``values`` and ``links`` name the files in it.
        card: of the series; `series.links` says what the numbers of links are, where their file does not, and
            `series.start` the time of the first frame, where the files have none.

    Returns:
        Values ``[T, N, C]``, of the channels that the card names.

    Raises:
        DataError: where the format is not known, a file is broken, or it does not fit the card.
    """
    where, requested = Path(where), card.series
    if not where.exists():
        raise DataError(f"{where} is not there. Give the folder that holds the values, or the file.")
    named = {kind: where / card.files[kind] for kind in ("values", "links") if kind in card.files and where.is_dir()}
    try:
        read = read_sensors(named.get("values", where), links=named.get("links"), zone=requested.time_zone)
        data = with_channels(read, requested.channels)
        if requested.links == "none":
            # Requested so: that no node has an edge need not be said.
            graph = STGraph._known(data.nodes, [], positions=data.positions)
        else:
            graph = graph_of(data, named.get("links"), requested.links, None, None)
    except InputError as error:
        # Options of a call are fields of a card.
        raise DataError(f"{where} does not fit the card {card.name!r}: {error}") from error
    # The card's own value for what is missing wins, and is applied by the series.
    observed = None
    if requested.missing is None and data.missing is not None:
        observed = (np.asarray(data.values) != data.missing).all(-1)
    time = data.time if data.time is not None else times_from_start(card, data.values.shape[0])
    return SeriesFile(data.values, graph, time, observed)
