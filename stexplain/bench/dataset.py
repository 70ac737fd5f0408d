"""The data of an experiment: generated, given, or prepared from raw recordings; and what the results say of it."""

from pathlib import Path
from typing import Any

from stexplain.cards import DatasetCard, SeriesCard
from stexplain.data.load import load_dataset
from stexplain.data.planted.cache import planted_series, planted_store
from stexplain.data.store.prepare import prepare
from stexplain.data.store.prepared import Store, is_store

Info = dict[str, Any]
PARTS = ("train", "validation", "test")


def open_data(card: DatasetCard | SeriesCard, data: Path | None, folder: Path, *, progress: bool) -> Info:
    """Makes data ready and describes it.

    Args:
        card: of the dataset.
        data: a prepared store, raw recordings, or the files of a series; none: generated data, which is kept in the
            cache.
        folder: where raw recordings are prepared.
        progress: whether progress bars are shown.

    Returns:
        Plain JSON. Its ``source`` is where the data lies.
    """
    # The keys are those that the report's section Data knows.
    info = _series(card, data) if isinstance(card, SeriesCard) else _recordings(card, data, folder, progress)
    return {"name": card.name, "title": card.title, "card_hash": card.hash, **info, "obtain": card.obtain}


def _recordings(card: DatasetCard, data: Path | None, folder: Path, progress: bool) -> Info:
    if data is None:
        # The generator is slow: its store is kept in the cache for all runs.
        path = planted_store(card)
    elif is_store(data):
        path = data
    else:
        # Raw recordings are read once, into the run folder; `stexplain data prepare` makes a store for several runs.
        path = folder
        prepare(card, data, path, progress=progress)
    store = Store.open(path)
    return {
        "source": str(path.resolve()),
        "planted": store.rows.truth is not None,
        "samples": len(store.table),
        "excluded": store.info["excluded"],
    }


def _series(card: SeriesCard, data: Path | None) -> Info:
    series = load_dataset(card, data)
    # Block by block: the observations of a long series need not fit into the memory.
    total = present = 0
    for _, observed in series.observations():
        total += observed.size
        present += int(observed.sum())
    time, frames = series.time, series.frames
    first, last = (None, None) if time is None else (str(time[0]), str(time[-1]))
    return {
        "source": str((planted_series(card) if data is None else data).resolve()),
        "planted": series.planted,
        "nodes": series.nodes,
        "edges": 0 if series.graph is None else len(series.graph.edges),
        "frames": frames,
        "first": first,
        "last": last,
        "days": frames * card.series.minutes / (24 * 60),
        "minutes": card.series.minutes,
        "window": series.window,
        "horizon": series.horizon,
        "unit": series.unit,
        # `max`: an empty series has no share to divide.
        "missing": 1 - present / max(total, 1),
        "windows": {part: len(load_dataset(card, data, part)) for part in PARTS},
    }
