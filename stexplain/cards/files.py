"""Finds and reads cards: TOML files that say what something is, for a person to review.

A bundled card is found by its name (``"ntu"``, ``"stgcn10"``), a user's own by the path of its file or folder; both
work alike. Folders named in the environment variable `STEXPLAIN_CARDS` (separated as `PATH` is) are searched by name
too. What a card may say is a class, field by field; anything else is an error that names the nearest field.
"""

import hashlib
import os
import tomllib
from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from stexplain.errors import CardError, suggest


class Part(BaseModel):
    """A part of a card: unknown fields are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Card(Part):
    """What every card has: a `name`, and the file that it was read from."""

    name: str
    _path: Path = PrivateAttr()

    @property
    def path(self) -> Path:
        """The file that the card was read from."""
        return self._path

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the card's file; kept with every result."""
        return hashlib.sha256(self._path.read_bytes()).hexdigest()


AnyCard = TypeVar("AnyCard", bound=Card)
AnyPart = TypeVar("AnyPart", bound=Part)


def card_names(kind: Literal["datasets", "models"]) -> list[str]:
    """The names of all cards of a kind that are found without a path, sorted.

    Example:
        >>> "ntu" in card_names("datasets")
        True
    """
    return sorted(_known(kind))


def card_path(kind: Literal["datasets", "models"], card: "str | Path") -> Path:
    """The file of the card of this name, or at this path.

    Args:
        kind: of card.
        card: a bundled name, or a path to a card's file or folder.

    Raises:
        CardError: where there is none, with the nearest name.

    Example:
        >>> card_path("datasets", "ntu").name
        'card.toml'
    """
    known = _known(kind)
    path = known.get(str(card)) if isinstance(card, str) else None
    if path is not None:
        return path
    given = Path(card).expanduser()
    path = given / "card.toml" if given.is_dir() else given
    if path.is_file():
        return path
    if given.is_dir():
        raise CardError(f"the folder {given} holds no card.toml. See the bundled cards for what one says.")
    raise CardError(
        f"there is no {kind[:-1]} card {str(card)!r}. {suggest(str(card), known)} "
        "Or give the path of a card's file or folder."
    )


def load_card(kind: Literal["datasets", "models"], card: "str | Path", model: type[AnyCard]) -> AnyCard:
    """The card of this name, or at this path, read as one of this class; see `dataset_card`."""
    path = card_path(kind, card)
    loaded = read_toml(path, model)
    loaded._path = path
    return loaded


def read_toml(path: Path, model: type[AnyPart]) -> AnyPart:
    """Reads a TOML file into a `Part`, with an error that names the file, the field, what it got and the remedy."""
    return read_part(card_values(path), model, source=path)


def read_part(values: Mapping[str, Any], model: type[AnyPart], *, source: object, at: str = "") -> AnyPart:
    """Checks values as the fields of a `Part`.

    Args:
        values: field -> value, as TOML gives them.
        model: the part.
        source: the file that they come from, for messages.
        at: where they stand in it, such as ``"stages.faithfulness"``.

    Raises:
        CardError: a line per wrong field.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise CardError(f"{source} is not a valid {model.__name__}:\n" + _in_words(error, model, at)) from None


def card_values(path: Path) -> dict[str, Any]:
    """What a TOML file says, as it stands there.

    Raises:
        CardError: where it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise CardError(f"{path} could not be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CardError(f"{path} is not TOML: {error}.") from error


def imported(path: str, what: str) -> Any:
    """What an import path of a card names: ``"package.module"`` or ``"package.module:name"``.

    Raises:
        CardError: where it cannot be imported, naming what wanted it.
    """
    module_name, _, name = path.partition(":")
    try:
        module: ModuleType = import_module(module_name)
    except ModuleNotFoundError as error:
        raise CardError(f"{what} names {path!r}, but {error.name!r} cannot be imported. Is it installed?") from error
    if not name:
        return module
    if not hasattr(module, name):
        raise CardError(f"{what} names {path!r}, but {module_name} has no {name!r}. {suggest(name, dir(module))}")
    return getattr(module, name)


def _roots() -> list[Path]:
    """Folders that hold `datasets/` and `models/`: the user's, then the checkout's, then the wheel's."""
    package = Path(__file__).resolve().parents[1]
    own = [Path(part).expanduser() for part in os.environ.get("STEXPLAIN_CARDS", "").split(os.pathsep) if part]
    # The checkout wins over a copy in the wheel, which would be stale while the checkout is edited.
    checkout = [package.parent] if (package.parent / "pyproject.toml").is_file() else []
    return [*own, *checkout, package / "_cards"]


def _known(kind: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for root in reversed(_roots()):
        folder = root / kind
        for file in sorted([*folder.glob("*/card.toml"), *folder.glob("*.toml")]):
            found[file.parent.name if file.name == "card.toml" else file.stem] = file
    return found


def _in_words(error: ValidationError, model: type[Part], at: str = "") -> str:
    lines = []
    for entry in error.errors():
        where = ".".join(filter(None, [at, *map(str, entry["loc"])]))
        if entry["type"] == "extra_forbidden":
            fields = _fields_at(model, entry["loc"][:-1])
            lines.append(f"  {where}: there is no such field. {suggest(str(entry['loc'][-1]), fields)}")
        elif entry["type"] == "missing":
            lines.append(f"  {where}: is missing.")
        else:
            lines.append(f"  {where}: {entry['msg']}; {entry['input']!r} came.")
    return "\n".join(lines)


def _fields_at(model: type[Part], loc: tuple[int | str, ...]) -> list[str]:
    """The fields that a part has at a place in a card, for the nearest match."""
    parts: list[type[Part]] = [model]
    for step in loc:
        inner = [part.model_fields[str(step)].annotation for part in parts if str(step) in part.model_fields]
        parts = [part for kind in inner for part in _parts_in(kind)] or parts
    return [field for part in parts for field in part.model_fields]


def _parts_in(kind: Any) -> list[type[Part]]:
    if isinstance(kind, type) and issubclass(kind, Part):
        return [kind]
    return [part for argument in getattr(kind, "__args__", ()) for part in _parts_in(argument)]
