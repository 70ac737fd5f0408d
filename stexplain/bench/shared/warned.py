"""Warnings during an experiment are lines of its own, each kind once."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console

from stexplain.bench.records import log

_NUMBER = re.compile(r"-?\d[\d.,]*(e[-+]?\d+)?")


@contextmanager
def warned_in_words(console: Console, name: str) -> Iterator[None]:
    """The block's warnings to a user are logged in full, and shown as a line for each kind.

    A stage explains some thousand samples batch by batch, and a method that warns does so for each batch, with other
    numbers. Warnings of programs, such as of what is deprecated, and those that are errors stay what they are.

    Args:
        console: where the lines go.
        name: of what the block does.

    Example:
        >>> import sys
        >>> with warned_in_words(Console(file=sys.stdout, width=200), "ntu/truth"), warnings.catch_warnings():
        ...     warnings.simplefilter("always")
        ...     for missed in (3, 5):
        ...         warnings.warn(f"method: {missed} samples missed. Give more steps.", stacklevel=1)
        ntu/truth: method: 3 samples missed. (and once more with other numbers)
    """
    kinds: dict[str, list[str]] = {}
    before = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if category is not UserWarning:
            before(message, category, filename, lineno, file, line)
            return
        log.info("%s: %s", name, message)
        kinds.setdefault(_NUMBER.sub("#", str(message)), []).append(str(message))

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before
        for messages in kinds.values():
            others = len(messages) - 1
            times = "once" if others == 1 else f"{others:,} times"
            more = f" (and {times} more with other numbers)" if others else ""
            console.print(f"{name}: {_first_sentence(messages[0])}{more}", markup=False)


def _first_sentence(text: str) -> str:
    """A text up to its first full stop before a space; log.txt has all of it."""
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]
