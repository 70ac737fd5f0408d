"""Part and Card: the classes that declare, field by field, what a TOML file may contain."""

import hashlib
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, PrivateAttr


class Part(BaseModel):
    """A table of a card: unknown fields are an error, values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Card(Part):
    """The base of every card: a `name`, and the file that it was read from."""

    name: str
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
