"""From the name of a dataset to its clips, or to the windows of its series."""

from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np
import pandas as pd

from stexplain.cards import (
    DatasetCard,
    Recipe,
    SeriesCard,
    Trust,
    dataset_card,
    import_of,
    is_series_card,
    series_card,
    trusting,
)
from stexplain.checking import checked
from stexplain.data.clips import Clips
from stexplain.data.planted.cache import planted_series, planted_store
from stexplain.data.series import WindowedSeries
from stexplain.data.series_file import COUNTERFACTUAL, EVENTS, TRUTH, SeriesFile
from stexplain.data.splits import parse_split, protocol_mask
from stexplain.data.store.prepared import Store, is_store
from stexplain.data.times.measured import UNMEASURED, Measured
from stexplain.data.times.zones import in_zone
from stexplain.errors import DataError, InputError, unknown
from stexplain.graph import STGraph
from stexplain.reading import given_path
from stexplain.system import as_typed

# In the order of `WindowedSeries.split`.
SERIES_PARTS = ("train", "validation", "test")
# Everything, as the command line calls it; in Python None says so, too.
ALL = "all"


@overload
def load_dataset(
    card: DatasetCard,
    data: Path | str | None = None,
    split: str | None = None,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    trust: Trust = (),
) -> Clips: ...


@overload
def load_dataset(
    card: SeriesCard,
    data: Path | str | None = None,
    split: str | None = None,
    *,
    recipe: None = None,
    seed: int = 0,
    trust: Trust = (),
) -> WindowedSeries: ...


@overload
def load_dataset(
    card: str | Path,
    data: Path | str | None = None,
    split: str | None = None,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    trust: Trust = (),
) -> Any: ...


@checked
def load_dataset(
    card: str | Path | DatasetCard | SeriesCard,
    data: Path | str | None = None,
    split: str | None = None,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    trust: Trust = (),
) -> Clips | WindowedSeries:
    """The clips of a dataset of recordings, or the windows of a series.

    Args:
        card: a dataset card: its name, its path, or itself; or a prepared store that has its own card, as those of
            `stexplain data prepare skeletons`, `regions` and `eeg` have.
        data: of recordings, a prepared store (`stexplain data prepare`); of a series, the folder of its files as
            downloaded. None: the store that the card lies in; else synthetic data, which is generated once and kept in
            the cache folder.
        split: of recordings, a protocol of the card and a part of it: ``"xsub/train"`` (without the validation split),
            ``"xsub/validation"``, ``"xsub/train+validation"``, ``"xsub/test"``; of a series ``"train"``,
            ``"validation"`` or ``"test"``. None or ``"all"``: everything.
        recipe: how clips are sampled; none: raw. `Clips.with_recipe` changes it later. A series has none.
        seed: of synthetic data.
        trust: modules outside this package that the card may import, such as a reader of one's own beside it; see
            `stexplain.cards.trusting`.

    Returns:
        `Clips` (whose classes are those of which the store holds recordings, whatever the split), or a
        `WindowedSeries` with its graph.

    Raises:
        InputError: for an unknown protocol or split, a folder that is no store, or a card without synthetic data.
        DataError: where the data is broken or holds nothing of the split.

    Example:
        >>> from stexplain.data import load_dataset
        >>> load_dataset("ntu", split="xsub")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: unknown split 'xsub'. Did you mean 'xsub/test'?
    """
    # By the card alone: recordings and series share no field by which the data could be recognised.
    if isinstance(card, SeriesCard) or (not isinstance(card, DatasetCard) and is_series_card(card)):
        if recipe is not None:
            raise InputError("got a recipe for a series; recipes sample clips. Leave `recipe` out.")
        with trusting(trust):
            return load_series(card, data, split, seed=seed)
    with trusting(trust):
        return load_clips(card, data, split, recipe=recipe, seed=seed)


@checked
def load_clips(
    card: str | Path | DatasetCard,
    data: Path | str | None = None,
    split: str | None = None,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
) -> Clips:
    r"""The clips of a dataset of recordings; see `load_dataset`.

    Args:
        card: a dataset card: its name, its path, or itself; or a prepared store that has its own card.
        data: a prepared store (`stexplain data prepare`). None: the store that the card lies in; else synthetic data,
            which is generated once and kept in the cache folder.
        split: a protocol of the card and a part of it: ``"xsub/train"`` (without the validation split),
            ``"xsub/validation"``, ``"xsub/train+validation"``, ``"xsub/test"``. None or ``"all"``: all clips.
        recipe: how clips are sampled; none: raw. `Clips.with_recipe` changes it later.
        seed: of synthetic data.

    Returns:
        Clips whose classes are those of which the store holds recordings, whatever the split.

    Raises:
        InputError: for an unknown protocol or split, a folder that is no store, or a card without synthetic data.
        DataError: where the store is broken or holds no clip of the split.

    Example:
        >>> import tempfile
        >>> from stexplain.data.skeletons.prepare import prepare_skeletons
        >>> folder, graph = Path(tempfile.mkdtemp()), STGraph.from_edges(["hip", "foot"], [("hip", "foot")])
        >>> rows = [f"{clip},{t},{joint},{t},0" for clip in ("a", "b") for t in range(3) for joint in graph.nodes]
        >>> _ = (folder / "steps.csv").write_text("sample,frame,joint,x,y\n" + "\n".join(rows))
        >>> labels = {"a": "up", "b": "down"}
        >>> _ = prepare_skeletons(folder / "steps.csv", folder / "store", graph=graph, labels=labels)
        >>> clips = load_clips(folder / "store")
        >>> clips.classes, clips.ids, clips[0].x.shape
        (['down', 'up'], ['a', 'b'], (1, 3, 2, 2))
    """
    card = dataset_card(card)
    # Before anything is read or generated: a misspelt split must not cost minutes.
    requested = None if split in (None, ALL) else parse_split(card, split)
    # The card of one's own files lies in their store, and is that store's.
    data = card.store if data is None else data
    folder = planted_store(card, seed) if data is None else given_path(data, "data")
    if data is not None:
        _check_folder(folder, card)
    store = Store.open(folder)
    _check_card(store, card)
    # Of the whole store, so that classes and labels are the same whatever the split.
    clips = Clips(
        store.rows,
        store.table,
        classes=store.class_names,
        graph=STGraph.from_card(card),
        channels=card.axes.channels,
        instances=card.axes.instances,
        recipe=recipe,
        card=card,
        store=store.path,
        measured=_measured(store, card),
    )
    if requested is None:
        return clips
    chosen = np.flatnonzero(protocol_mask(store.table, card, *requested))
    if not len(chosen):
        raise DataError(
            f"{folder} holds no recordings of {split!r} ({card.protocols[requested[0]].title}). "
            f"It holds {len(store.table)} of other parts: was only a part of the dataset prepared?"
        )
    return clips.subset(chosen)


@checked
def load_series(
    card: str | Path | SeriesCard, data: Path | str | None = None, split: str | None = None, *, seed: int = 0
) -> WindowedSeries:
    r"""The windows of a series, with its graph.

    Args:
        card: a series card: its name, its path, or itself.
        data: the folder of its files as downloaded, or the file of values in it. None: synthetic data, which is
            generated once and kept in the cache folder.
        split: ``"train"``, ``"validation"`` or ``"test"``, by the card's shares of time; none or ``"all"``: everything.
        seed: of synthetic data.

    Returns:
        A series whose windows are ``[1, window, N, C]``, in the units of the card.

    Raises:
        InputError: for an unknown split, a missing folder, or a card without synthetic data.
        DataError: where a file is missing or broken, or does not fit the card.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "los_speed.csv").write_text("A1,A2\n" + "60,55\n" * 400)
        >>> _ = (folder / "los_adj.csv").write_text("1,0.5\n0.5,1\n")
        >>> test = load_series("los-loop", folder, "test")
        >>> test.graph.nodes, test.channels, test.batch([0]).x[0, 0, -1, :, 0].tolist()
        (('A1', 'A2'), ('speed',), [60.0, 55.0])
    """
    card = series_card(card)
    if split is not None and split not in (*SERIES_PARTS, ALL):
        raise unknown("split", split, [*SERIES_PARTS, ALL])
    folder = planted_series(card, seed) if data is None else given_path(data, "data")
    if not folder.exists():
        raise InputError(f"there is no folder {folder}. How to get {card.name!r}: {card.obtain.strip()}")
    file = _read_series(folder, card)
    declared = card.series
    # Events are looked for in synthetic data only: a user's folder may hold an events.csv of another meaning.
    events = _planted_events(folder) if data is None else {}
    try:
        series = WindowedSeries(
            file.values,
            window=declared.window,
            horizon=declared.horizon,
            graph=file.graph,
            time=file.time,
            observed=file.observed,
            missing=declared.missing,
            channels=declared.channels,
            target_channel=declared.channels.index(declared.target_channel),
            unit=declared.unit,
            **events,
        )
        if split in (None, ALL):
            return series
        parts = series.split(declared.splits.train, declared.splits.validation)
    except InputError as error:
        # What the user gave is a folder, so the message names the folder and the card, not an array.
        raise DataError(f"{folder} does not fit the card {card.name!r}: {error}") from error
    return parts[SERIES_PARTS.index(split)]


def _read_series(folder: Path, card: SeriesCard) -> SeriesFile:
    file: SeriesFile = import_of(card, card.reader, "read").read(folder, card)
    if file.time is not None:
        try:
            file = replace(file, time=in_zone(file.time, card.series.time_zone))
        except InputError as error:
            raise DataError(f"{folder} does not fit the card {card.name!r}: {error}") from error
    elif card.series.time_zone is not None:
        raise DataError(
            f"{folder} has no times, and the card {card.name!r} a time_zone. Write start = 2012-03-01T00:00:00 into "
            "the card, or leave time_zone out."
        )
    time, minutes = file.time, card.series.minutes
    # The first step is enough to tell a wrong dataset; `WindowedSeries` checks that all steps are equal.
    if time is not None and len(time) > 1 and time[1] - time[0] != pd.Timedelta(minutes=minutes):
        raise DataError(
            f"{folder}: the second frame is {time[1] - time[0]} after the first; the card {card.name!r} says "
            f"{minutes:g} min. Is it this dataset?"
        )
    return file


def _planted_events(folder: Path) -> dict[str, Any]:
    """Events and their ground truth, as `WindowedSeries` takes them; nothing where the folder has none."""
    if not (folder / EVENTS).is_file():
        return {}
    found = {"events": pd.read_csv(folder / EVENTS), "truth": np.load(folder / TRUTH, allow_pickle=False)}
    if (folder / COUNTERFACTUAL).is_file():
        found["counterfactual"] = np.load(folder / COUNTERFACTUAL, allow_pickle=False)
    return found


def _check_folder(folder: Path, card: DatasetCard) -> None:
    """Refuses a folder that is no store, and tells raw recordings from anything else."""
    if is_store(folder):
        return
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}. Give a store that `stexplain data prepare` made.")
    if import_of(card, card.reader, "find", "read").find(folder, card):
        # The most frequent mistake: the message gives the command that is missing.
        raise InputError(
            f"{folder} holds recordings as downloaded, not a prepared store. Prepare them once, then give DIR:\n"
            f"  {as_typed('data', 'prepare', card.name, folder, '--out', 'DIR')}"
        )
    raise InputError(
        f"{folder} is neither a prepared store nor does it hold recordings of {card.name!r}. "
        f"How to get them: {card.obtain.strip()}"
    )


def _measured(store: Store, card: DatasetCard) -> Measured:
    """Units and frame rate, where the store or its card says them."""
    said = store.info.get("measured")
    measured = UNMEASURED
    if said:
        measured = Measured(tuple(said["units"]), said["frame_rate"], said["start"], up=said.get("up", ""))
    # The card is what its owner may complete or correct.
    rate = card.axes.frame_rate
    return measured if rate is None else replace(measured, frame_rate=rate)


def _check_card(store: Store, card: DatasetCard) -> None:
    """Refuses a store whose nodes, channels or classes are not those of the card."""
    unlisted = {entry["id"] for entry in store.info["classes"]} - {entry.id for entry in card.classes}
    differences = [
        f"{what}: {len(stored)} in the store, {len(declared)} on the card, or in another order"
        for what, stored, declared in (
            ("nodes", store.info["nodes"], card.graph.nodes),
            ("channels", store.info["channels"], card.axes.channels),
        )
        if stored != declared
    ]
    # The other way round is fine: a store may hold recordings of some of the card's classes.
    differences += [f"classes: {sorted(map(str, unlisted))[0]!r} is not on the card"] if unlisted else []
    if differences:
        raise InputError(
            f"{store.path} was prepared with the card {store.info['card']!r} and does not fit {card.name!r} "
            f"({'; '.join(differences)}). Load it with its own card, or prepare the recordings again."
        )
