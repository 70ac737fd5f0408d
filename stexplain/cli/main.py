"""The command line: the same calls as from Python. Everything heavy is imported where it is used."""

import errno
import json
import os
import re
import sys
from typing import Annotated, Any, NoReturn

import typer

from stexplain.cli.bench import bench
from stexplain.cli.command import Command, Stopped
from stexplain.cli.data import data_app
from stexplain.cli.doctor import doctor
from stexplain.cli.explain import explain
from stexplain.cli.join import join
from stexplain.cli.measure import measure
from stexplain.cli.openmp import wait_passively
from stexplain.cli.verify import verify
from stexplain.cli.wording import warnings_as_lines
from stexplain.errors import StexplainError, UntrustedError
from stexplain.system import as_typed

app = typer.Typer(
    name="stexplain",
    help="Explain spatio-temporal graph networks: which nodes, when, and how reliable the explanation is.\n\n"
    "Examples:\n\n"
    "  stexplain bench ntu                       the paper's, on synthetic data\n\n"
    "  stexplain data prepare ntu RAW --out DIR  NTU's recordings into a store\n\n"
    "  stexplain bench ntu --data DIR            the paper's experiment on them\n\n"
    "  stexplain bench planted                   which method finds a known cause\n\n"
    "  stexplain bench roads                     traffic forecasts, explained\n\n"
    "  stexplain explain MODEL --card ntu        one sample: map, chart, JSON\n\n"
    "  stexplain verify RUN                      is a run as it was written?\n\n"
    "  stexplain doctor                          what is installed; does it work?",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
# Typer's parser is click, or a copy of it in later releases: its base of errors is found by one that it exports.
_PARSER_ERRORS: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

_IN_PYTHON = ("trust", "selftest", "compare", "compare_groups", "fit", "layers", "layer_sweep", "adjacencies")
"""What people look for among the commands."""

# The order of the help.
app.command(cls=Command)(bench)
app.command(cls=Command)(join)
app.command(cls=Command)(verify)
app.add_typer(data_app, name="data", short_help="Prepare, list, show and check datasets.")
app.command(cls=Command)(explain)
app.command(cls=Command)(measure)
app.command(cls=Command)(doctor)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    if version:
        from stexplain.version import __version__

        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


def main() -> None:
    """The entry point: an error of ours becomes one message and its exit code, 2 for wrong use and 1 for failure.

    Where JSON was requested, the message is a JSON object on standard output as well.
    """
    # Both are read once, when DGL and the OpenMP runtime are loaded. Without the first, DGL writes to the home folder.
    os.environ.setdefault("DGLBACKEND", "pytorch")
    wait_passively()
    try:
        # Not standalone: errors of the parser come here too.
        with warnings_as_lines():
            code = app(standalone_mode=False)
    except StexplainError as error:
        typer.echo(f"stexplain: {error}", err=True)
        if isinstance(error, UntrustedError):
            typer.echo(f"  {as_typed(*sys.argv[1:], '--trust', error.module)}", err=True)
        _end(str(error), type(error).__name__, error.exit_code)
    except _PARSER_ERRORS as error:
        # Usage and message, or the help where nothing was given.
        if words := _elsewhere(error.format_message()):
            error.message += words
        error.show()
        _end(error.format_message(), "UsageError", error.exit_code)
    except typer.Abort:
        typer.echo("stexplain: stopped.", err=True)
        _end("stopped.", "Stopped", Stopped.exit_code)
    except OSError as error:
        # Readers and writers say what to do; the system says of the rest, such as of rights, which file and why.
        if error.filename is not None:
            said = f"{os.fsdecode(error.filename)}: {error.strerror}."
        elif error.errno == errno.ENOSPC:
            said = f"the output could not be written: {error.strerror}."
        else:
            raise
        typer.echo(f"stexplain: {said}", err=True)
        _end(said, type(error).__name__, 1)
    else:
        # A command that ends early gives its exit code, any other nothing.
        sys.exit(code if isinstance(code, int) else 0)


def _elsewhere(message: str) -> str:
    """Where a command is that there is none of; empty for one that is nowhere."""
    found = re.match(r"No such command '(\w+)'", message)
    name = found.group(1) if found else ""
    if name == "train":
        return " `stexplain bench CARD` trains, explains and scores; in Python it is stexplain.fit."
    return f" In Python it is stexplain.{name}." if name in _IN_PYTHON else ""


def _end(message: str, kind: str, code: int) -> NoReturn:
    """Ends with an exit code; for scripts that read JSON, with the error as JSON."""
    # By the words as typed: where they could not be parsed, no option has a value.
    if "--json" in sys.argv[1:]:
        typer.echo(json.dumps({"error": message, "kind": kind, "exit_code": code}))
    sys.exit(code)


if __name__ == "__main__":
    main()
