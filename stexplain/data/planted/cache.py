"""Planted data in the cache folder: generated when it is first requested, then reused."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from stexplain.cards import DatasetCard, SeriesCard, dataset_card, import_of, series_card
from stexplain.data.planted.generate import generate, generator_hash
from stexplain.data.store.prepare import prepare
from stexplain.data.store.prepared import is_store
from stexplain.errors import InputError
from stexplain.files import cache_folder, folder_lock


def planted_store(card: str | Path | DatasetCard, seed: int = 0) -> Path:
    """The prepared store of a card's planted recordings; generated and prepared where the cache lacks it.

    Args:
        card: whose `planted` names a generator.
        seed: of the generator.

    Returns:
        The folder. A store that another version of the generator made is not reused.

    Raises:
        InputError: where the card has no planted data.
        DataError: where the generator fails or the disk is full.
    """
    card = dataset_card(card)
    if card.planted is None:
        raise InputError(
            f"the card {card.name!r} has no planted data, so it needs a prepared store: "
            f"load_dataset({card.name!r}, data=DIR). How to get the recordings: {card.obtain.strip()}"
        )

    def make(raw: Path, out: Path) -> None:
        generate(card, raw, seed)
        prepare(card, raw, out, people=False)

    return _cached(card, card.planted, seed, is_store, make)


def planted_series(card: str | Path | SeriesCard, seed: int = 0) -> Path:
    """The folder of a card's planted series; generated where the cache lacks it.

    Args:
        card: whose `planted` names a generator.
        seed: of the generator.

    Raises:
        InputError: where the card has no planted data.
        DataError: where the disk is full.
    """
    card = series_card(card)
    if card.planted is None:
        raise InputError(
            f"the card {card.name!r} has no planted data, so it needs its files: "
            f"load_dataset({card.name!r}, data=DIR). How to get them: {card.obtain.strip()}"
        )
    generator = import_of(card, card.planted, "generate")

    def make(raw: Path, out: Path) -> None:
        generator.generate(card, raw, seed=seed)
        # A rename is atomic: a folder of this name is always complete.
        raw.rename(out)

    return _cached(card, card.planted, seed, Path.is_dir, make)


def _cached(
    card: DatasetCard | SeriesCard,
    generator: str,
    seed: int,
    complete: Callable[[Path], bool],
    make: Callable[[Path, Path], None],
) -> Path:
    """The cached folder of a card, generator and seed; `make(raw, out)` makes it, one process at a time."""
    home = cache_folder()
    # The hash is in the name: data of an older generator is never mistaken for this one's.
    version = generator_hash(import_of(card, generator), card)
    out = home / f"{card.name}-planted-{version}-seed{seed}"
    work = home / f".{out.name}.generating"
    # What a process left that was killed after it had made it is removed; where nobody may write, it stays.
    if complete(out) and not (work.exists() and os.access(home, os.W_OK)):
        return out
    with folder_lock(work):
        # Another process may have made it while this one waited for the lock.
        if not complete(out):
            raw = work / "raw"
            # What a killed process left behind.
            shutil.rmtree(raw, ignore_errors=True)
            make(raw, out)
        shutil.rmtree(work, ignore_errors=True)
    return out
