"""What every command does alike: it speaks of options in its errors, and says how to resume where it was stopped."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer.core import TyperCommand

from stexplain.cli.wording import in_options
from stexplain.errors import StexplainError


class Stopped(StexplainError):
    """Ctrl-C; the message says what is left, and how to resume."""

    exit_code = 130  # what a shell reports of a program that an interrupt ended: 128 + SIGINT


class Command(TyperCommand):
    """A command whose errors name its options, not arguments of Python."""

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
    return shlex.join(["stexplain", *sys.argv[1:]])
