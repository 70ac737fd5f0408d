"""Checks the options of commands before anything heavy is imported.

torch and DGL take seconds to import, cards a tenth of one: a misspelt name is reported at once. Only what a name, a
path or a JSON file tells is checked here; what needs the data or the model is checked where those are loaded.
"""

from pathlib import Path

from stexplain.cards import DatasetCard, SeriesCard, any_card, card_names
from stexplain.errors import InputError, suggest, unknown
from stexplain.reading import given_path
from stexplain.system import as_typed

SPLIT_PARTS = ("train", "validation", "test", "train+validation")
"""Parts of a protocol's split; a series has all but the last."""
ALL = "all"
"""In place of a split: everything."""


def validate_out(out: Path | None) -> None:
    """Refuses an output folder that is a file, or lies below one.

    Raises:
        InputError: where it is so.
    """
    if out is None:
        return
    out = given_path(out, "--out")
    if out.is_symlink() and not out.exists():
        raise InputError(f"--out: got {out}, a link to {out.readlink()}, which is not there. Give another path.")
    # The nearest folder above that exists is where the first new one would be made.
    existing = next(path for path in [out, *out.absolute().parents] if path.exists())
    if not existing.is_dir():
        raise InputError(f"--out: got {out}, but {existing} is a file; expected a folder. Give another path.")


def validate_data(card: DatasetCard | SeriesCard, data: Path | None) -> None:
    """Refuses data that does not exist, and none where the card has no synthetic data and lies in no store.

    Raises:
        InputError: where it is so.
    """
    how_to_get = f"How to get the data of {card.name!r}: {card.obtain.strip()}"
    if data is None:
        if card.planted is None and not (isinstance(card, DatasetCard) and card.store):
            raise InputError(
                f"--data: got nothing; expected a path, because the card {card.name!r} has no synthetic data. "
                f"{how_to_get}"
            )
    elif not given_path(data, "--data").exists():
        raise InputError(f"--data: got {data}, which does not exist. {how_to_get}")


def validate_store(card: DatasetCard, data: Path | None) -> None:
    """Refuses data of recordings that is not a prepared store.

    Raises:
        InputError: where it is not one.
    """
    if data is not None and not is_store(data):
        raise InputError(
            f"--data: got {data}, which is not a prepared store (it has no store.json). If it holds the recordings as "
            "downloaded, prepare them once:\n  " + as_typed("data", "prepare", card.name, data, "--out", "DIR")
        )


def validate_recordings(card: DatasetCard, data: Path | None) -> None:
    """Refuses data that is neither a prepared store nor a folder of recordings that the card's reader finds.

    Raises:
        InputError: where it is neither.
    """
    from stexplain.cards import import_of

    if data is None or is_store(data):
        return
    # Readers import numpy and pandas, no torch; they list names here and open no file.
    if not data.is_dir() or not import_of(card, card.reader, "find", "read").find(data, card):
        raise InputError(
            f"--data: got {data}, which is neither a prepared store nor a folder of recordings of {card.name!r}. "
            f"How to get them: {card.obtain.strip()}"
        )


def validate_split(card: DatasetCard | SeriesCard, split: str | None) -> None:
    """Refuses a split that the card does not define.

    Raises:
        InputError: where it does not exist; with the nearest that does.
    """
    if split in (None, ALL):
        return
    if isinstance(card, DatasetCard):
        splits = [f"{protocol}/{part}" for protocol in card.protocols for part in SPLIT_PARTS]
    else:
        splits = list(SPLIT_PARTS[:3])  # time is split in one way, so a series has no protocols
    splits.append(ALL)
    if split not in splits:
        raise unknown("split", split, splits)


def validate_prepare(card: str, raw: Path, out: Path, missing: Path | None) -> None:
    """Checks the arguments of `stexplain data prepare`.

    Raises:
        CardError: where there is no such card, or it is not valid.
        InputError: where the card is of a series, or a path is not what it should be.
    """
    dataset = any_card(card)
    # A series is read from its files each time: it fits into memory as it is.
    if isinstance(dataset, SeriesCard):
        raise InputError(
            f"CARD: got {card!r}, the card of a series; expected one of recordings. The files of a series need no "
            "preparation: give their folder as --data."
        )
    if not given_path(raw, "RAW").is_dir():
        raise InputError(
            f"RAW: got {raw}, which is not a folder. Give the folder of the recordings of {dataset.name!r}."
        )
    if is_store(raw):
        raise InputError(f"RAW: got {raw}, which is a prepared store already. Give the recordings as downloaded.")
    validate_out(out)
    if missing is not None and not given_path(missing, "--missing").is_file():
        raise InputError(
            f"--missing: got {missing}, which is not a file. Give one that names recordings, one per line."
        )


def validate_store_or_card(folder: Path) -> None:
    """Checks the argument of `stexplain data check`.

    Raises:
        InputError: where it is neither a prepared store nor a card.
    """
    folder = given_path(folder, "FOLDER")
    if is_card(folder) or is_store(folder):
        return
    if not folder.exists():
        names = card_names("datasets")
        near = f" {suggest(str(folder), names)}" if len(folder.parts) == 1 else ""
        raise InputError(
            f"FOLDER: got {folder}, which does not exist. Give a prepared store, or a card by folder or name.{near}"
        )
    raise InputError(
        f"FOLDER: got {folder}, which is neither a prepared store (it has no store.json) nor the folder of a card (it "
        "has no card.toml). Make a store with `stexplain data prepare CARD RAW --out DIR`."
    )


def is_card(folder: Path) -> bool:
    """Whether a path is that of a card: its folder, or its file."""
    return (folder / "card.toml").is_file() or (folder.suffix == ".toml" and folder.is_file())


def is_store(folder: Path) -> bool:
    """Whether a path is that of a prepared store; `stexplain.data.store.prepared` would import pandas to say so."""
    return (folder.expanduser() / "store.json").is_file()
