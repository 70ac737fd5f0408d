"""What the parts of a work are: files in one folder, each written by a module that knows how."""

import importlib
from pathlib import Path
from typing import Protocol, cast

PACKAGE = "stexplain."


class Writer(Protocol):
    """A module that writes parts; all that they need is in the folder."""

    def part_path(self, folder: Path, number: int) -> Path:
        """Where a part lies once it is finished."""

    def write_part(self, folder: Path, number: int) -> None:
        """Writes a part, completely or not at all: under another name first, then renamed.

        Raises:
            StexplainError: where it cannot be written; the whole work then stops with this message.
        """


def writer_of(module: str) -> Writer:
    """The writer of a module's name. Only modules of this package are imported by name.

    Example:
        >>> writer_of("antigravity")
        Traceback (most recent call last):
        ...
        ValueError: antigravity is not a module of stexplain
    """
    if not module.startswith(PACKAGE):
        raise ValueError(f"{module} is not a module of stexplain")
    return cast(Writer, importlib.import_module(module))
