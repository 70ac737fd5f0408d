"""Part, Card and DataCard: the classes that declare, field by field, what a TOML file may contain."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from stexplain.reading.within import leads_out


def _of_folder(name: str) -> str:
    if leads_out(name) or "/" in name or name.strip(" .") == "":
        raise ValueError(f"got {name[:80]!r}; expected a name without slashes: folders of results are called by it")
    return name


def _within(name: str) -> str:
    if leads_out(name):
        raise ValueError(f"got {name[:80]!r}; expected a path within the folder of the data")
    return name


FileName = Annotated[str, AfterValidator(_within)]
"""A path within the folder that is given for the data."""


class Part(BaseModel):
    """A table of a card: unknown fields are an error, values are immutable.

    Example:
        >>> class Sensor(Part):
        ...     name: str
        ...     minutes: int = 5
        >>> Sensor(name="A1"), Sensor(name="A1") == Sensor(name="A1", minutes=5)
        (Sensor(name='A1', minutes=5), True)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class Card(Part):
    """The base of every card: a `name`, and the file that it was read from.

    Attributes:
        name: without slashes: folders of results are called by it.

    Example:
        >>> from stexplain.cards import dataset_card
        >>> card = dataset_card("ntu")
        >>> isinstance(card, Card), card.name, card.path.name, len(card.hash)
        (True, 'ntu', 'card.toml', 64)
    """

    name: Annotated[str, AfterValidator(_of_folder)]
    # Private, so that it is no field of the TOML file.
    _path: Path = PrivateAttr()

    @property
    def path(self) -> Path:
        """The file that the card was read from."""
        return self._path

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the card's file; stored with every result."""
        # Of the bytes: a changed comment counts too, but no two files with one hash differ.
        return hashlib.sha256(self._path.read_bytes()).hexdigest()


class DataCard(Card):
    """What the cards of datasets and of series share: titles, source, and files; `DatasetCard` says what each is."""

    title: str = ""
    summary: str = ""
    licence: str = "not stated"
    url: str = ""
    citation: str = ""
    obtain: str = "The card does not say."
    planted: str | None = None
    files: dict[str, FileName] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _title(cls, values: Any) -> Any:
        # A report needs a heading: the name is the only text that is certainly there.
        return {"title": values["name"], **values} if isinstance(values, dict) and "name" in values else values
