"""What the package raises: a message names what was asked, what came, and the remedy.

Two families, because a program that calls us must tell them apart: `InputError` says that the call was wrong (the
command line ends with 2), `DataError` that a file or a run is broken (it ends with 1).
"""

from collections.abc import Iterable
from difflib import get_close_matches


class StexplainError(Exception):
    """The root of every error raised on purpose by this package.

    Attributes:
        exit_code: what the command line ends with when this error reaches it.
    """

    exit_code = 1


class InputError(StexplainError, ValueError):
    """An argument, a name or a shape that does not fit. Mend the call."""

    exit_code = 2


class CardError(InputError):
    """A card that is missing, unreadable or says something impossible."""


class DataError(StexplainError):
    """A file, a folder or a run that is broken, truncated or not whole."""


def suggest(name: str, options: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest match, or what there is.

    Args:
        name: what was asked for.
        options: the names that exist.

    Returns:
        One sentence, or a sentence and the options where no match is near.

    Example:
        >>> suggest("xsubb", ["xsub", "xview"])
        "Did you mean 'xsub'?"
        >>> suggest("zzz", ["xsub", "xview"])
        "There are: 'xsub', 'xview'."
    """
    known = sorted({str(option) for option in options})
    near = get_close_matches(name, known, n=1, cutoff=0.6) or get_close_matches(
        name.lower(), [option.lower() for option in known], n=1, cutoff=0.6
    )
    if near:
        match = next(option for option in known if option.lower() == near[0].lower())
        return f"Did you mean {match!r}?"
    if not known:
        return "There are none."
    shown = ", ".join(repr(option) for option in known[:20])
    return f"There are: {shown}{', ...' if len(known) > 20 else ''}."


def unknown(kind: str, name: object, options: Iterable[str]) -> InputError:
    """The error for a name that does not exist, with the nearest that does.

    Args:
        kind: what the name should be of, such as ``"node"`` or ``"protocol"``.
        name: what was asked for.
        options: the names that exist.

    Example:
        >>> raise unknown("protocol", "xsubb", ["xsub", "xview"])
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: unknown protocol 'xsubb'. Did you mean 'xsub'?
    """
    return InputError(f"unknown {kind} {str(name)!r}. {suggest(str(name), options)}")
