"""The data of an experiment: generated, given, or prepared from raw recordings; and what the results say of it."""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from stexplain.cards import DatasetCard, SeriesCard
from stexplain.checking.implausible import FRAMES, implausible_sensors
from stexplain.data.load import load_dataset
from stexplain.data.planted.cache import planted_series, planted_store
from stexplain.data.store.implausible import implausible_recordings
from stexplain.data.store.prepare import prepare
from stexplain.data.store.prepared import Store, is_store
from stexplain.errors import InputError
from stexplain.files import digest, sha256

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
    content = content_of(card, data, Path(info["source"]))
    about = {"name": card.name, "title": card.title, "card_hash": card.hash}
    return {**about, **info, "content": content, "obtain": card.obtain}


def check_unchanged(card: DatasetCard | SeriesCard, data: Path | None, info: Info, *, progress: bool) -> None:
    """Refuses data that is no longer what a run began with: its later stages would speak of other data than its first.

    Args:
        card: of the dataset.
        data: as for `open_data`.
        info: what `open_data` gave when the run began.
        progress: whether progress bars are shown.

    Raises:
        InputError: where values, graph or ground truth have changed.
    """
    source = Path(info["source"])
    if isinstance(card, DatasetCard) and data is not None and not is_store(data):
        # Refused there where a recording has changed, was added or is gone; else it only looks.
        prepare(card, data, source, progress=progress)
    # Runs of earlier versions did not note it.
    if info.get("content") not in (None, content_of(card, data, source)):
        where = source if data is None else data
        raise InputError(
            f"{where} has changed since this run began: values, graph or ground truth of {card.name!r} are others. "
            "Give another folder with --out, or bring the data back as it was."
        )


def content_of(card: DatasetCard | SeriesCard, data: Path | None, source: Path) -> str:
    """The SHA-256 of all that is read of a dataset: values, what was observed, times, graph and ground truth."""
    total = hashlib.sha256()
    if isinstance(card, DatasetCard):
        for name in sorted(Store.open(source).info["files"]):
            total.update(f"{name} {sha256(source / name)}\n".encode())
        return total.hexdigest()
    series = load_dataset(card, data)
    for values, observed in series.observations():
        # What was not observed may hold anything.
        total.update(np.where(observed, values, np.float32(0)).tobytes() + observed.tobytes())
    graph = None if series.graph is None else series.graph.to_dict()
    total.update(f"{digest({'graph': graph})} {None if series.time is None else list(series.time.asi8)}".encode())
    if series.planted:
        total.update(series.events.to_csv().encode())
        for changed in (False, True):
            with suppress(InputError):  # events without a counterfactual
                batch = series.events_batch("all", counterfactual=changed)
                total.update(np.asarray(batch.truth).tobytes() + np.asarray(batch.x).tobytes())
    return total.hexdigest()


def _recordings(card: DatasetCard, data: Path | None, folder: Path, progress: bool) -> Info:
    data = card.store if data is None else data
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
        "implausible": implausible_recordings(store),
    }


def _series(card: SeriesCard, data: Path | None) -> Info:
    series = load_dataset(card, data)
    # Block by block: the observations of a long series need not fit into the memory.
    total = present = at = 0
    # The calendar, where it is read, says nothing about a sensor.
    channels, step = len(card.series.channels), max(1, series.frames // FRAMES)
    looked = []
    for values, observed in series.observations():
        total += observed.size
        present += int(observed.sum())
        chosen = slice(-at % step, None, step)
        looked.append(np.where(observed[chosen], values[chosen], np.float32(np.nan))[..., :channels])
        at += len(values)
    names = [str(node) for node in range(series.nodes)] if series.graph is None else list(series.graph.nodes)
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
        "implausible": implausible_sensors(np.concatenate(looked), names) if looked else [],
        "windows": {part: len(load_dataset(card, data, part)) for part in PARTS},
    }
