"""The errors that the package raises. A message names the argument, what it got, what it expected, and the remedy.

There are two families, which a calling program can tell apart: `InputError`, the call was wrong (the command line ends
with 2), and `DataError`, a file or a run is broken (it ends with 1).
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

T = TypeVar("T")


class StexplainError(Exception):
    """The base class of the errors of this package.

    Attributes:
        exit_code: the exit code of the command line for this error.

    Args:
        message: what is wrong, what was expected, and the remedy.

    Example:
        >>> try:
        ...     raise InputError("digits: got '2'; expected an integer.")
        ... except StexplainError as error:
        ...     print(error)
        digits: got '2'; expected an integer.
    """

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(_screen(str(message)))


class InputError(StexplainError, ValueError):
    """An argument, a name or a shape is wrong. Correct the call.

    Args:
        message: the argument, what it got, what was expected, and the remedy.

    Example:
        >>> import stexplain as stx
        >>> stx.STGraph.from_edges(["hip", "knee"], [("hip", "kne")])
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: unknown node 'kne'. Did you mean 'knee'?
    """

    exit_code = 2


class CardError(InputError):
    """A card is missing, unreadable or invalid.

    Args:
        message: the file, the field, what it got, and what was expected.

    Example:
        >>> import stexplain as stx
        >>> stx.load_dataset("ntuu")
        Traceback (most recent call last):
        ...
        stexplain.errors.CardError: there is no dataset card 'ntuu'. Did you mean 'ntu'? ...
    """


class UntrustedError(CardError):
    """A card or a saved model names code that the caller has not allowed; nothing of it was run.

    Attributes:
        module: the name that `trust` takes.

    Args:
        message: what names the code, and how to allow it.
        module: the name that `trust` takes; empty: not one alone.

    Example:
        >>> error = UntrustedError("the card 'mine' names 'my_reader'. Nothing was imported.", "my_reader")
        >>> error.module  # that one may allow, by trust="my_reader"
        'my_reader'
    """

    def __init__(self, message: str, module: str = "") -> None:
        super().__init__(message)
        self.module = module


class DataError(StexplainError):
    """A file, a folder or a run is broken, truncated or incomplete.

    Args:
        message: the file, what is wrong with it, and the remedy.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import stexplain as stx
        >>> path = Path(tempfile.mkdtemp()) / "maps.nc"
        >>> _ = path.write_bytes(b"half a file")
        >>> stx.Explanation.load(path)
        Traceback (most recent call last):
        ...
        stexplain.errors.DataError: /.../maps.nc could not be read ...
    """


def _screen(message: str) -> str:
    """A message of at most a screen: what is wrong stands at its start, and the remedy at its end.

    A value of a damaged file can be megabytes.
    """
    if len(message) <= 3000 and message.count("\n") <= 40:
        return message
    lines = message.split("\n")
    if len(lines) > 41:
        lines = [*lines[:35], f"... ({len(lines) - 40} lines omitted) ...", *lines[-5:]]
    text = "\n".join(lines)
    return text if len(text) <= 3000 else f"{text[:2000]} ... ({len(text) - 2800} characters omitted) ... {text[-800:]}"


def suggest(name: str, options: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known name, or all of them.

    Args:
        name: the unknown name.
        options: the names that exist.

    Returns:
        One sentence: the nearest name, or up to 20 names where none is near.

    Example:
        >>> suggest("xsubb", ["xsub", "xview"])
        "Did you mean 'xsub'?"
        >>> suggest("zzz", ["xsub", "xview"])
        "There are: 'xsub', 'xview'."
    """
    known = sorted({str(option) for option in options})
    # Exact case first: 'xsub' is nearer to 'Xsubb' than another name that only agrees in lower case.
    near = get_close_matches(name, known, n=1, cutoff=0.6) or get_close_matches(
        name.lower(), [option.lower() for option in known], n=1, cutoff=0.6
    )
    if near:
        # A match of the second kind is in lower case: find the name that it stands for.
        match = near[0] if near[0] in known else next(option for option in known if option.lower() == near[0])
        return f"Did you mean {match!r}?"
    if not known:
        return "There are none."
    shown = ", ".join(repr(option) for option in known[:20])
    return f"There are: {shown}{', ...' if len(known) > 20 else ''}."


def entry_of(kind: str, name: object, entries: Mapping[Any, T]) -> T:
    """The entry of this name, of those that there are.

    Args:
        kind: what should have this name, such as ``"axis"``.
        name: of the entry.
        entries: by name.

    Raises:
        InputError: where there is none, with the nearest name.

    Example:
        >>> entry_of("axis", "node", {"node": 3, "time": 4})
        3
        >>> entry_of("axis", "NODE", {"node": 3, "time": 4})
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: unknown axis 'NODE'. Did you mean 'node'?
    """
    if name not in entries:
        raise unknown(kind, name, entries)
    return entries[name]


def unknown(kind: str, name: object, options: Iterable[str]) -> InputError:
    """The error for a name that does not exist, with the nearest one that does.

    Args:
        kind: what should have this name, such as ``"node"`` or ``"protocol"``.
        name: the unknown name.
        options: the names that exist.

    Example:
        >>> raise unknown("protocol", "xsubb", ["xsub", "xview"])
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: unknown protocol 'xsubb'. Did you mean 'xsub'?
    """
    return InputError(f"unknown {kind} {str(name)!r}. {suggest(str(name), options)}")
