"""What every command does alike: it speaks of options in its errors, and says how to resume where it was stopped."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperCommand

from stexplain.cli.wording import in_options
from stexplain.errors import StexplainError
from stexplain.system import as_typed

_EXAMPLES = ("  stexplain ", "  for ")


class Stopped(StexplainError):
    """Ctrl-C; the message says what is left, and how to resume."""

    exit_code = 130  # what a shell reports of a program that an interrupt ended: 128 + SIGINT


class Command(TyperCommand):
    """A command whose errors name its options, not arguments of Python, and whose examples can be copied."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Writes what it does, with examples that a shell takes as they stand."""
        plain = self.help
        self.help = copyable(plain or "", formatter.width)
        try:
            super().format_help_text(ctx, formatter)
        finally:
            self.help = plain

    def invoke(self, ctx: Any) -> Any:
        """Runs it.

        Raises:
            StexplainError: of the same kind, with the message in the words of the command line.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Stopped("stopped.") from error
        except StexplainError as error:
            # Changed in place: kind, cause and exit code stay.
            error.args = (in_options(str(error), self._options(), _method_options(ctx.params.get("method"))),)
            raise

    def _options(self) -> dict[str, str]:
        """How each parameter is written on the command line, by its name in Python."""
        # Arguments are written by their place: they have no flag.
        flags = {param.name: max(param.opts, key=len) for param in self.params if param.param_type_name == "option"}
        return {str(name): flag for name, flag in flags.items() if name is not None}


def _method_options(method: str | None) -> frozenset[str]:
    """The options of a method, which `--option` gives; none where the mistake was found before torch was imported."""
    loaded = sys.modules.get("stexplain.explainers.by_name")
    if method is None or loaded is None or method not in loaded.methods():
        return frozenset()
    return frozenset(loaded.option_names(method))


def echo_json(value: Any) -> None:
    """Prints a value as JSON, which has no NaN and no infinity: null stands for both.

    Example:
        >>> echo_json({"contrastivity": float("nan")})
        {"contrastivity": null}
    """
    import json

    from stexplain.files import plain

    typer.echo(json.dumps(plain(value), allow_nan=False))


def copyable(text: str, width: int) -> str:
    r"""Help whose examples are folded as a shell takes them: before an option, after a backslash.

    Args:
        text: of a command, its examples in paragraphs of their own.
        width: of the terminal, in characters.

    Example:
        >>> print(copyable("Trains.\n\nAs in:\n\n  stexplain bench ntu --out runs/ntu", 24).replace(chr(8), ""))
        Trains.
        <BLANKLINE>
        As in:
        <BLANKLINE>
        <BLANKLINE>
          stexplain bench ntu \
            --out runs/ntu
    """
    paragraphs = cleandoc(text).split("\n\n")
    return "\n\n".join(_folded(one, width) if one.startswith(_EXAMPLES) else one for one in paragraphs)


def _folded(example: str, width: int) -> str:
    lines: list[str] = []
    for word in re.split(r" (?=--)", example.strip()):
        # The help is indented by 2, and a line that goes on ends with a space and a backslash.
        if lines and len(lines[-1]) + 1 + len(word) + 2 + 2 <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(f"{'    ' if lines else '  '}{word}")
    # A paragraph that begins with a backspace is not filled by click.
    return "\b\n" + " \\\n".join(lines)


@contextmanager
def resumable(said: str) -> Iterator[None]:
    """Turns Ctrl-C in a block into `Stopped`.

    Args:
        said: what is left and how to resume. "{command}" stands for the command as it was typed.

    Example:
        >>> with resumable("Nothing was written."):
        ...     raise KeyboardInterrupt
        Traceback (most recent call last):
        ...
        stexplain.cli.command.Stopped: stopped. Nothing was written.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise Stopped(f"stopped. {said.replace('{command}', typed())}") from error


def typed() -> str:
    """The command as it can be typed again."""
    return as_typed(*sys.argv[1:])
