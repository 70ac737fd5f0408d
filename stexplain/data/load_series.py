"""From a series' name to its windows."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stexplain.cards import SeriesCard, imported, series_card
from stexplain.data.planted.generate import made_by
from stexplain.data.series import WindowedSeries
from stexplain.data.series_file import SeriesFile
from stexplain.errors import DataError, InputError, unknown
from stexplain.files import cache_folder, folder_lock

PARTS = ("train", "validation", "test")
EVENTS, TRUTH = "events.csv", "truth.npy"
"""What a generator of planted series leaves beside the readings; see `WindowedSeries`."""


def load_series(
    card: str | Path | SeriesCard, data: Path | str | None = None, split: str | None = None, *, seed: int = 0
) -> WindowedSeries:
    """The windows of a series, with its graph.

    Args:
        card: a series card: its name, its path, or itself.
        data: the folder of its files as downloaded, or the file of readings in it. None: planted data, which is
            generated once and kept in the cache folder.
        split: ``"train"``, ``"validation"`` or ``"test"``, by the card's shares of time; none: everything.
        seed: of planted data.

    Raises:
        InputError: for an unknown part, a folder that is not there, or a card without planted data.
        DataError: where a file is missing or broken, or does not fit the card.
    """
    card = series_card(card)
    if split is not None and split not in PARTS:
        raise unknown("split", split, PARTS)
    folder = planted_series(card, seed) if data is None else Path(data)
    if not folder.exists():
        raise InputError(f"there is no folder {folder}. How to get {card.name!r}: {card.obtain.strip()}")
    found = _read(folder, card)
    part = card.series
    try:
        series = WindowedSeries(
            found.values,
            window=part.window,
            horizon=part.horizon,
            graph=found.graph,
            time=found.time,
            observed=found.observed,
            missing=part.missing,
            channels=part.channels,
            target_channel=part.channels.index(part.target_channel),
            unit=part.unit,
            **(_planted_truth(folder) if data is None else {}),
        )
        if split is None:
            return series
        parts = series.split(part.splits.train, part.splits.validation)
    except InputError as error:
        raise DataError(f"{folder} does not fit the card {card.name!r}: {error}") from error
    return parts[PARTS.index(split)]


def planted_series(card: str | Path | SeriesCard, seed: int = 0) -> Path:
    """The folder of a card's planted series; generated where it is not in the cache yet.

    Raises:
        InputError: where the card has no planted data.
        DataError: where the disk is full.
    """
    card = series_card(card)
    if card.planted is None:
        raise InputError(
            f"the card {card.name!r} has no planted data, so it wants its files: load_dataset({card.name!r}, "
            f"data=DIR). How to get them: {card.obtain.strip()}"
        )
    generator = imported(card.planted, f"the card {card.name!r}")
    home = cache_folder()
    out = home / f"{card.name}-planted-{made_by(generator, card)}-seed{seed}"
    if out.is_dir():
        return out
    with folder_lock(home / f".{out.name}.generating") as work:
        # Another process may have made it while this one waited.
        if not out.is_dir():
            raw = work / "raw"
            shutil.rmtree(raw, ignore_errors=True)
            generator.generate(card, raw, seed=seed)
            raw.rename(out)
        shutil.rmtree(work, ignore_errors=True)
    return out


def _read(folder: Path, card: SeriesCard) -> SeriesFile:
    found: SeriesFile = imported(card.reader, f"the card {card.name!r}").read(folder, card)
    frames, minutes = found.time, card.series.minutes
    if frames is not None and len(frames) > 1 and frames[1] - frames[0] != pd.Timedelta(minutes=minutes):
        raise DataError(
            f"{folder}: the second frame is {frames[1] - frames[0]} after the first; the card {card.name!r} says "
            f"{minutes:g} min. Is it this dataset?"
        )
    return found


def _planted_truth(folder: Path) -> dict[str, Any]:
    if not (folder / EVENTS).is_file():
        return {}
    return {"events": pd.read_csv(folder / EVENTS), "truth": np.load(folder / TRUTH, allow_pickle=False)}
