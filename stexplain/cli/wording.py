"""Errors of functions in the words of the command line."""

import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

import typer

# A value in a message: quoted, in brackets, or up to what ends it.
_VALUE = r"""(?P<value>"[^"]*"|'[^']*'|\[[^\]]*\]|\([^)]*\)|[^\s,.;:)]+(?:\.\d+)?|\.\.\.)"""
_GIVEN = re.compile(rf"(?<![\w.\-])(?P<name>[a-z_]+)={_VALUE}")
_TICKED = re.compile(r"`(?P<name>[a-z_]+)(?P<more>=[^`]*)?`")
_FIRST = re.compile(r"^(?P<name>[a-z_]+)(?=: | (?:got|holds|is) )")


def in_options(message: str, options: Mapping[str, str], method: Collection[str] = ()) -> str:
    """A message about arguments of a function as one about the options of a command.

    Args:
        message: of an error.
        options: how each parameter of the command is written, such as ``{"chunk": "--chunk"}``.
        method: names of arguments that are given by ``--option NAME=VALUE``.

    Example:
        >>> in_options("layer: got 'l1'. Give chunk=1, or `layout`.", {"layer": "--layer", "chunk": "--chunk"})
        "--layer: got 'l1'. Give --chunk 1, or `layout`."
        >>> in_options("steps: got 0. Give steps=20.", {"option": "--option"}, ["steps"])
        '--option steps: got 0. Give --option steps=20.'
    """

    def written(name: str) -> str | None:
        if name in options:
            return options[name]
        return f"--option {name}" if name in method and "option" in options else None

    def given(match: re.Match[str]) -> str:
        flag = written(match["name"])
        if flag is None:
            return match[0]
        return f"{flag}{'=' if flag.startswith('--option ') else ' '}{match['value']}"

    def ticked(match: re.Match[str]) -> str:
        flag = written(match["name"])
        if flag is None:
            return match[0]
        between = "=" if flag.startswith("--option ") else " "
        return f"`{flag}{between + match['more'][1:] if match['more'] else ''}`"

    def first(match: re.Match[str]) -> str:
        return written(match["name"]) or match[0]

    return _GIVEN.sub(given, _TICKED.sub(ticked, _FIRST.sub(first, message)))


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """A block in which a warning is a line on standard error, without the place in the code, which is nobody's here.

    Warnings of programs, such as of what is deprecated, and those that are errors stay what they are.
    """
    before = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if category is UserWarning and file is None:
            typer.echo(f"stexplain: {message}", err=True)
        else:
            before(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before
