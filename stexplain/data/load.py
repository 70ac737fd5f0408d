"""From a dataset's name to its clips, or to the windows of its series."""

import shutil
from pathlib import Path
from typing import Any, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.cards import DatasetCard, Protocol, Recipe, Selection, SeriesCard, dataset_card, imported, is_series_card
from stexplain.data.clips import Clips
from stexplain.data.load_series import load_series
from stexplain.data.planted.generate import generate, made_by
from stexplain.data.series import WindowedSeries
from stexplain.data.store.prepare import prepare
from stexplain.data.store.prepared import Store, is_store
from stexplain.errors import CardError, DataError, InputError, unknown
from stexplain.files import cache_folder, folder_lock
from stexplain.graph import STGraph

PARTS = ("train", "validation", "test", "train+validation")


@overload
def load_dataset(
    card: DatasetCard,
    data: Path | str | None = None,
    split: str | None = None,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
) -> Clips: ...


@overload
def load_dataset(
    card: SeriesCard, data: Path | str | None = None, split: str | None = None, *, recipe: None = None, seed: int = 0
) -> WindowedSeries: ...


@overload
def load_dataset(
    card: str | Path,
    data: Path | str | None = None,
    split: str | None = None,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
) -> Any: ...


def load_dataset(
    card: str | Path | DatasetCard | SeriesCard,
    data: Path | str | None = None,
    split: str | None = None,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
) -> Clips | WindowedSeries:
    """The clips of a dataset of recordings, or the windows of a series.

    Args:
        card: a dataset card: its name, its path, or itself.
        data: of recordings, a prepared store (`stexplain data prepare`); of a series, the folder of its files as
            downloaded. None: planted data, which is generated once and kept in the cache folder.
        split: of recordings, a protocol of the card and a part of it: ``"xsub/train"`` (without the validation part),
            ``"xsub/validation"``, ``"xsub/train+validation"``, ``"xsub/test"``; of a series ``"train"``,
            ``"validation"`` or ``"test"``. None: everything.
        recipe: how clips are sampled; none: as recorded. `Clips.with_recipe` changes it later. A series has none.
        seed: of planted data.

    Returns:
        `Clips` (whose classes are those of which the store holds recordings, whatever the split), or a
        `WindowedSeries` with its graph.

    Raises:
        InputError: for an unknown protocol or part, a folder that is no store, or a card without planted data.
        DataError: where the data is broken or holds nothing of the split.
    """
    if isinstance(card, SeriesCard) or (not isinstance(card, DatasetCard) and is_series_card(card)):
        if recipe is not None:
            raise InputError("a recipe came for a series; recipes sample clips. Leave it out.")
        return load_series(card, data, split, seed=seed)
    return load_clips(card, data, split, recipe=recipe, seed=seed)


def load_clips(
    card: str | Path | DatasetCard,
    data: Path | str | None = None,
    split: str | None = None,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
) -> Clips:
    """The clips of a dataset of recordings; see `load_dataset`.

    Args:
        card: a dataset card: its name, its path, or itself.
        data: a prepared store (`stexplain data prepare`). None: planted data, which is generated once and kept in the
            cache folder.
        split: a protocol of the card and a part of it: ``"xsub/train"`` (without the validation part),
            ``"xsub/validation"``, ``"xsub/train+validation"``, ``"xsub/test"``. None: all clips.
        recipe: how clips are sampled; none: as recorded. `Clips.with_recipe` changes it later.
        seed: of planted data.

    Returns:
        Clips whose classes are those of which the store holds recordings, whatever the split.

    Raises:
        InputError: for an unknown protocol or part, a folder that is no store, or a card without planted data.
        DataError: where the store is broken or holds no clip of the split.
    """
    card = dataset_card(card)
    # A misspelt split is told before minutes of generating.
    wanted = None if split is None else _parsed(card, split)
    folder = planted(card, seed) if data is None else Path(data)
    if data is not None:
        _check_folder(folder, card)
    store = Store.open(folder)
    _check_card(store, card)
    clips = Clips(
        store.rows,
        store.table,
        classes=store.class_names,
        graph=STGraph.from_card(card),
        channels=card.axes.channels,
        instances=card.axes.instances,
        recipe=recipe,
        card=card,
    )
    if wanted is None:
        return clips
    chosen = np.flatnonzero(_part(store.table, card, *wanted))
    if not len(chosen):
        raise DataError(
            f"{folder} holds no recordings of {split!r} ({card.protocols[wanted[0]].title}). "
            f"It holds {len(store.table)} of other parts: was only a part of the dataset prepared?"
        )
    return clips.subset(chosen)


def planted(card: str | Path | DatasetCard, seed: int = 0) -> Path:
    """The store of a card's planted data; generated and prepared where it is not in the cache yet.

    Args:
        card: whose `planted` names a generator.
        seed: of the generator.

    Returns:
        The folder. One that was made by another version of the generator is not taken.

    Raises:
        InputError: where the card has no planted data.
        DataError: where the disk is full.
    """
    card = dataset_card(card)
    if card.planted is None:
        raise InputError(
            f"the card {card.name!r} has no planted data, so it wants a store: load_dataset({card.name!r}, data=DIR). "
            f"How to get the recordings: {card.obtain.strip()}"
        )
    generator = imported(card.planted, f"the card {card.name!r}")
    home = cache_folder()
    out = home / f"{card.name}-planted-{made_by(generator, card)}-seed{seed}"
    if is_store(out):
        return out
    with folder_lock(home / f".{out.name}.generating") as work:
        # Another process may have made it while this one waited.
        if not is_store(out):
            raw = work / "raw"
            shutil.rmtree(raw, ignore_errors=True)
            generate(card, raw, seed)
            prepare(card, raw, out)
        shutil.rmtree(work, ignore_errors=True)
    return out


def _parsed(card: DatasetCard, split: str) -> tuple[str, str]:
    protocol, _, part = split.partition("/")
    if protocol not in card.protocols:
        raise unknown("split", split, [f"{name}/{one}" for name in card.protocols for one in PARTS])
    if part not in PARTS:
        options = [f"{protocol}/{name}" for name in PARTS]
        raise unknown("split", split, options)
    return protocol, part


def _part(table: pd.DataFrame, card: DatasetCard, name: str, part: str) -> NDArray[np.bool_]:
    protocol: Protocol = card.protocols[name]

    def selected(selection: Selection) -> NDArray[np.bool_]:
        if selection.field not in table.columns:
            raise CardError(
                f"protocol {name!r} of the card {card.name!r} splits by {selection.field!r}, which the recordings do "
                f"not have. They have: {', '.join(map(str, table.columns))}."
            )
        return np.asarray(table[selection.field].isin(selection.values).to_numpy(), bool)

    train = selected(protocol.train)
    validation = train & selected(protocol.validation)
    test = ~train if protocol.test is None else selected(protocol.test) & ~train
    parts = {"train": train & ~validation, "validation": validation, "test": test, "train+validation": train}
    return parts[part]


def _check_folder(folder: Path, card: DatasetCard) -> None:
    if is_store(folder):
        return
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}. Give a store that `stexplain data prepare` made.")
    if imported(card.reader, f"the card {card.name!r}").find(folder, card):
        raise InputError(
            f"{folder} holds recordings as downloaded, not a prepared store. Prepare them once, then give DIR:\n"
            f"  stexplain data prepare {card.name} {folder} --out DIR"
        )
    raise InputError(
        f"{folder} is neither a prepared store nor does it hold recordings of {card.name!r}. "
        f"How to get them: {card.obtain.strip()}"
    )


def _check_card(store: Store, card: DatasetCard) -> None:
    unlisted = {entry["id"] for entry in store.info["classes"]} - {entry.id for entry in card.classes}
    differ = [
        f"{what}: {len(found)} in the store, {len(wanted)} on the card, or in another order"
        for what, found, wanted in (
            ("nodes", store.info["nodes"], card.graph.nodes),
            ("channels", store.info["channels"], card.axes.channels),
        )
        if found != wanted
    ]
    differ += [f"classes: {sorted(map(str, unlisted))[0]!r} is not on the card"] if unlisted else []
    if differ:
        raise InputError(
            f"{store.path} was prepared with the card {store.info['card']!r} and does not fit {card.name!r} "
            f"({'; '.join(differ)}). Load it with its own card, or prepare the recordings again."
        )
