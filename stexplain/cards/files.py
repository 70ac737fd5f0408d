"""Finds and reads cards: TOML files that declare a dataset, a model or an experiment.

A bundled card is found by its name (``"ntu"``, ``"stgcn10"``), a user's own by the path of its file or folder; both
work alike. The folders in the environment variable `STEXPLAIN_CARDS` (separated as in `PATH`) are searched by name
too. A class declares the fields of a card; any other field is an error with the nearest name.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from stexplain.cards.messages import field_errors
from stexplain.cards.part import Card, Part
from stexplain.errors import CardError, DataError, suggest
from stexplain.reading import given_path, read_text
from stexplain.reading.contents import reason_of

_PARTS = 200
"""A key of a card has fewer, and a line of prose fewer sentences."""

AnyCard = TypeVar("AnyCard", bound=Card)
AnyPart = TypeVar("AnyPart", bound=Part)


def card_names(kind: Literal["datasets", "models"]) -> list[str]:
    """The names of all cards of a kind that are found by name, sorted.

    Args:
        kind: ``"datasets"`` or ``"models"``.

    Example:
        >>> "ntu" in card_names("datasets")
        True
    """
    return sorted(_paths_by_name(kind))


def card_path(kind: Literal["datasets", "models"], card: "str | Path") -> Path:
    """The file of the card of this name, or at this path.

    Args:
        kind: ``"datasets"`` or ``"models"``.
        card: a bundled name, or a path to a card's file or folder.

    Raises:
        CardError: where there is none, with the nearest name.

    Example:
        >>> card_path("datasets", "ntu").name
        'card.toml'
    """
    known = _paths_by_name(kind)
    # A name wins over a file of the same name in the working folder; give "./ntu" for the file.
    path = known.get(str(card)) if isinstance(card, str) else None
    if path is not None:
        return path
    # In a call from Python no shell has expanded "~".
    location = given_path(card, "card")
    path = location / "card.toml" if location.is_dir() else location
    if path.is_file():
        return path
    if location.is_dir():
        raise CardError(f"the folder {location} holds no card.toml. See the bundled cards for its fields.")
    if str(card) in known:
        raise CardError(f"{kind[:-1]} card: got the path {card!s}, of which there is no file. As text, it is a name.")
    raise CardError(
        f"there is no {kind[:-1]} card {str(card)!r}. {suggest(str(card), known)} "
        "Or give the path of a card's file or folder."
    )


def load_card(kind: Literal["datasets", "models"], card: "str | Path", model: type[AnyCard]) -> AnyCard:
    """The card of this name, or at this path, read as one of this class.

    Args:
        kind: ``"datasets"`` or ``"models"``.
        card: a bundled name, or a path to a card's file or folder.
        model: the class, whose fields are those that the file may have.

    Raises:
        CardError: where there is none, or it is invalid; with the file, the field and the remedy.

    Example:
        >>> from stexplain.cards.model import ModelCard
        >>> load_card("models", "stgcn7", ModelCard).name
        'stgcn7'
    """
    path = card_path(kind, card)
    loaded = read_toml(path, model)
    loaded._path = path  # private attributes may be set on a frozen model
    return loaded


def read_toml(path: Path, model: type[AnyPart]) -> AnyPart:
    """Reads a TOML file as a `Part`.

    Args:
        path: of the file.
        model: the class, whose fields are those that the file may have.

    Returns:
        The part, validated.

    Raises:
        CardError: where it cannot be read or is not TOML, and a line per wrong field: its place, what it got, what it
            expected.

    Example:
        >>> import tempfile
        >>> from stexplain.cards.model import Augment
        >>> path = Path(tempfile.mkdtemp()) / "augment.toml"
        >>> _ = path.write_text("rotate = 15")
        >>> read_toml(path, Augment).rotate
        15.0
        >>> _ = path.write_text("rotation = 15")
        >>> read_toml(path, Augment)
        Traceback (most recent call last):
        ...
        stexplain.errors.CardError: /.../augment.toml is not a valid Augment:
        ...
    """
    return read_part(card_values(path), model, source=path)


def read_part(values: Mapping[str, Any], model: type[AnyPart], *, source: object, at: str = "") -> AnyPart:
    """Validates values as the fields of a `Part`.

    Args:
        values: field -> value, as TOML gives them.
        model: the part.
        source: their file, for messages.
        at: their place in it, such as ``"stages.faithfulness"``.

    Raises:
        CardError: with a line per wrong field: its place, what it got, what it expected, the nearest name.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise CardError(f"{source} is not a valid {model.__name__}:\n" + field_errors(error, model, at)) from None


def card_values(path: Path) -> dict[str, Any]:
    """The content of a TOML file, not validated.

    Args:
        path: of the file.

    Raises:
        CardError: where it cannot be read, or is not TOML; with the line.

    Example:
        >>> card_values(card_path("datasets", "metr-la"))["series"]["minutes"]
        5
    """
    try:
        text = read_text(path)
    except DataError as error:
        raise CardError(str(error)) from error
    # The parser takes minutes for a key of thousands of parts, as it copies what it has at each dot.
    for number, line in enumerate(text.splitlines(), start=1):
        if any(part.count(".") > _PARTS for part in re.split(r"[=#,{}\[\]]", re.sub("[\"']", "", line))):
            raise CardError(
                f"{path} is not TOML, line {number}: a key of more than {_PARTS} parts. Write it as a table."
            )
    try:
        return tomllib.loads(text)
    # A ValueError: of an integer with thousands of digits too.
    except (ValueError, RecursionError) as error:
        raise CardError(f"{path} is not TOML: {reason_of(error)}.") from error


def _roots() -> list[Path]:
    """Folders that hold `datasets/` and `models/`: the user's, then the checkout's, then the wheel's."""
    package = Path(__file__).resolve().parents[1]
    user_folders = [Path(part).expanduser() for part in os.environ.get("STEXPLAIN_CARDS", "").split(os.pathsep) if part]
    # The checkout wins over a copy in the wheel, which would be stale while the checkout is edited.
    checkout = [package.parent] if (package.parent / "pyproject.toml").is_file() else []
    return [*user_folders, *checkout, package / "_cards"]


def _paths_by_name(kind: str) -> dict[str, Path]:
    """The file of every card of a kind by its name: of the folder, or of the file without its suffix."""
    paths: dict[str, Path] = {}
    # From the last root to the first, so that an earlier root overwrites a later one.
    for root in reversed(_roots()):
        folder = root / kind
        for file in sorted([*folder.glob("*/card.toml"), *folder.glob("*.toml")]):
            paths[file.parent.name if file.name == "card.toml" else file.stem] = file
    return paths
