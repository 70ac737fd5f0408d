"""Planted data in the cache folder: generated when it is first requested, then reused while it is as it was made."""

import logging
import os
import shutil
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from stexplain.cards import DatasetCard, SeriesCard, dataset_card, import_of, series_card
from stexplain.data.planted.generate import generate, generator_hash
from stexplain.data.store.prepare import prepare
from stexplain.data.store.prepared import is_store
from stexplain.errors import DataError, InputError
from stexplain.files import cache_folder, folder_lock, read_json, sha256, write_json

log = logging.getLogger(__name__)


def planted_store(card: str | Path | DatasetCard, seed: int = 0) -> Path:
    """The prepared store of a card's planted recordings; generated and prepared where the cache lacks it.

    Args:
        card: whose `planted` names a generator.
        seed: of the generator.

    Returns:
        The folder. A store that another version of the generator made is not reused.

    Raises:
        InputError: where the card has no synthetic data.
        DataError: where the generator fails or the disk is full.
    """
    card = dataset_card(card)
    if card.planted is None:
        raise InputError(
            f"the card {card.name!r} has no synthetic data, so it needs a prepared store: "
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
        InputError: where the card has no synthetic data.
        DataError: where the disk is full.
    """
    card = series_card(card)
    if card.planted is None:
        raise InputError(
            f"the card {card.name!r} has no synthetic data, so it needs its files: "
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
    work, sums = home / f".{out.name}.generating", home / f"{out.name}.sha256.json"
    damage, writable = _damage(out, sums, complete), os.access(home, os.W_OK)
    # What a process left that was killed after it had made it is removed; where nobody may write, it stays.
    if out.exists() and not damage and not (writable and (work.exists() or not sums.is_file())):
        return out
    if out.exists() and damage and not writable:
        raise DataError(f"{out} is damaged: {damage}. Remove it where that is allowed, and it is made again.")
    with folder_lock(work):
        # Another process may have made it while this one waited for the lock.
        if out.exists() and (damage := _damage(out, sums, complete)):
            log.warning("%s is damaged: %s. It is made again.", out, damage)
            out.rename(work / "damaged")
            sums.unlink(missing_ok=True)
        if not out.exists():
            raw = work / "raw"
            # What a killed process left behind.
            shutil.rmtree(raw, ignore_errors=True)
            try:
                make(raw, out)
            # A generator of one's own need not say it in words.
            except OSError as error:
                reason = error.strerror or error
                remedy = "Free some space, or name another folder in STEXPLAIN_CACHE."
                raise DataError(f"{out} could not be made: {reason}. {remedy}") from error
        if not sums.is_file():
            files = sorted(path for path in out.rglob("*") if path.is_file())
            write_json(sums, {path.relative_to(out).as_posix(): sha256(path) for path in files})
        shutil.rmtree(work, ignore_errors=True)
    return out


def _damage(folder: Path, sums: Path, complete: Callable[[Path], bool]) -> str | None:
    """What is not as it was made, in words; none: all is, or nothing says what it was."""
    if not complete(folder):
        return "it is not complete"
    if not sums.is_file():
        return None
    try:
        expected = read_json(sums, dict[str, str])
    except DataError as error:
        return str(error)
    return _changed(folder, tuple((name, sha, *_state(folder / name)) for name, sha in expected.items()))


def _state(path: Path) -> tuple[int, int]:
    """Size and time of a file; both 0 where it is missing."""
    if not path.is_file():
        return 0, 0
    return path.stat().st_size, path.stat().st_mtime_ns


# Once a process while sizes and times stay the same: to read a large store takes a second.
@lru_cache(maxsize=64)
def _changed(folder: Path, files: tuple[tuple[str, str, int, int], ...]) -> str | None:
    """The first file whose content is not that of its checksum, in words."""
    for name, expected, *_ in files:
        if not (folder / name).is_file():
            return f"{name} is missing"
        if sha256(folder / name) != expected:
            return f"{name} is not as it was made"
    return None
