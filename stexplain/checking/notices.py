"""Warnings that point at the line of the caller's own code, and say once what holds of many files."""

import os
import re
import sys
import warnings
from contextvars import ContextVar, Token
from pathlib import Path
from types import TracebackType

PACKAGE = str(Path(__file__).parents[1])
"""The folder of the package's code."""
_NUMBERS = re.compile(r"\d[\d.,]*")
_GATHERED: ContextVar[list[str] | None] = ContextVar("_GATHERED", default=None)


def warn_caller(text: str) -> None:
    """Warns, at the first line outside of the package on the way up: the line that the user wrote.

    Args:
        text: the warning.

    Example:
        >>> with warnings.catch_warnings(record=True) as said:
        ...     warnings.simplefilter("always")
        ...     warn_caller("the last window is cut short")
        >>> str(said[0].message)
        'the last window is cut short'
    """
    if (gathered := _GATHERED.get()) is not None:
        gathered.append(text)
        return
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, UserWarning, stacklevel=level)


class SaidOnce:
    """A block that reads the files of a folder: what it warns of several of them is said once, at its end.

    Two warnings are the same where they differ in the file and in numbers alone; the first is shown.

    Args:
        folder: whose files are read; warnings begin with a path below it.

    Example:
        >>> with warnings.catch_warnings(record=True, action="always") as said, SaidOnce(Path("raw")):
        ...     for name in ("a", "b", "c"):
        ...         warn_caller(f"{Path('raw') / name}.csv: the column 'time' was left out.")
        >>> [str(one.message) for one in said]
        ["raw: in 3 files, such as a.csv: the column 'time' was left out."]
    """

    # A class: of a generator, contextlib's own line would be the first outside of the package.
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._token: Token[list[str] | None] | None = None
        self._texts: list[str] = []

    def __enter__(self) -> None:
        self._token = _GATHERED.set(self._texts)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._token is not None, "a block is left once"
        _GATHERED.reset(self._token)
        found: dict[str, list[tuple[str, str]]] = {}
        for text in self._texts:
            place, said = self._parted(text)
            found.setdefault(_NUMBERS.sub("#", said) if place else text, []).append((place, said))
        for same in found.values():
            place, said = same[0]
            files = len(dict(same))
            if not place:
                warn_caller(said)
            elif files == 1:
                warn_caller(f"{self._folder / place}: {said}")
            else:
                warn_caller(f"{self._folder}: in {files:,} files, such as {place}: {said}")

    def _parted(self, text: str) -> tuple[str, str]:
        """The file below the folder that a warning begins with, and the rest; no file where there is none."""
        start = f"{self._folder}{os.sep}"
        place, colon, said = text.removeprefix(start).partition(": ")
        return (place, said) if text.startswith(start) and colon else ("", text)
