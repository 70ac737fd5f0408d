"""Whose code cards and saved models may run: this package's, what the program imported itself, and what is trusted.

A card names a reader, a generator or an architecture, and a saved model names its class. To import a module runs it, so
a card or a model from a stranger could run anything. Names outside this package are imported where the caller allows
them, and nowhere else.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from stexplain.errors import InputError

ALL = "all"
"""In place of a name: whatever is named is trusted."""
_NAME = re.compile(r"(?!__)[A-Za-z_]\w*(\.(?!__)[A-Za-z_]\w*)*", re.ASCII)
_LONGEST = 200

Trust = str | Sequence[str]
"""The name of a module that may be imported, several, or ``"all"``."""

_trusted: ContextVar[frozenset[str]] = ContextVar("trusted", default=frozenset())


@contextmanager
def trusting(names: Trust = ()) -> Iterator[None]:
    """Lets cards and saved models import these modules within a block, beside what is allowed around it.

    Args:
        names: modules, or packages with all that is in them, as the card names them; or ``"all"``.

    Yields:
        Nothing; the modules may be imported meanwhile.

    Raises:
        InputError: where a name is none.

    Example:
        >>> with trusting("my_reader"):
        ...     trusted("my_reader"), trusted("my_reader.kinect"), trusted("other")
        (True, True, False)
    """
    given = [names] if isinstance(names, str) else list(names)
    for name in given:
        if not isinstance(name, str) or len(name) > _LONGEST or not _NAME.fullmatch(name.removesuffix(".py")):
            shown = repr(name) if len(repr(name)) <= 60 else f"{repr(name)[:60]}..."
            raise InputError(f"trust: got {shown}; expected the names of modules, such as 'my_reader', or 'all'.")
    token = _trusted.set(_trusted.get() | frozenset(name.removesuffix(".py") for name in given))
    try:
        yield
    finally:
        _trusted.reset(token)


def trusted(module: str) -> bool:
    """Whether a module may be imported because the caller said so, or said it of a package that holds it.

    Args:
        module: its full name.

    Example:
        >>> with trusting("lab"):
        ...     trusted("lab.readers"), trusted("laboratory")
        (True, False)
    """
    allowed = _trusted.get()
    parts = module.split(".")
    return ALL in allowed or any(".".join(parts[:count]) in allowed for count in range(1, len(parts) + 1))


def trusted_names() -> list[str]:
    """All that is trusted now, sorted: for other processes, which do not share this one's context.

    Example:
        >>> with trusting(["my_reader", "lab"]):
        ...     trusted_names()
        ['lab', 'my_reader']
    """
    return sorted(_trusted.get())
