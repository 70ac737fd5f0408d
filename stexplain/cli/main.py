"""The command line: the same calls as from Python. Everything heavy is imported where it is used."""

import os
import sys
from typing import Annotated

import typer

from stexplain.cli.bench import bench
from stexplain.cli.data import data_app
from stexplain.cli.doctor import doctor
from stexplain.cli.explain import explain
from stexplain.cli.join import join
from stexplain.cli.openmp import wait_passively
from stexplain.errors import StexplainError

app = typer.Typer(
    name="stexplain",
    help="Explain spatio-temporal graph networks: which nodes, when, and how reliable the explanation is.\n\n"
    "Examples:\n\n"
    "  stexplain bench ntu                       the paper's experiment on synthetic data, a few minutes\n\n"
    "  stexplain data prepare ntu RAW --out DIR  NTU's recordings into a store\n\n"
    "  stexplain bench ntu --data DIR            the paper's experiment on them\n\n"
    "  stexplain bench planted                   which method finds the ground truth, where it is known\n\n"
    "  stexplain bench roads                     traffic forecasts, explained\n\n"
    "  stexplain explain MODEL --card ntu        one sample, one method: map, chart, JSON\n\n"
    "  stexplain doctor                          what is installed, and whether it works",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
# The order of the help.
app.command()(bench)
app.command()(join)
app.add_typer(data_app, name="data")
app.command()(explain)
app.command()(doctor)


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
    """The entry point: an error of ours becomes one message and its exit code, 2 for wrong use and 1 for failure."""
    # Both are read once, when DGL and the OpenMP runtime are loaded. Without the first, DGL writes to the home folder.
    os.environ.setdefault("DGLBACKEND", "pytorch")
    wait_passively()
    try:
        app()
    except StexplainError as error:
        typer.echo(f"stexplain: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("stexplain: stopped. The same command resumes after the last finished stage.", err=True)
        sys.exit(130)  # what a shell reports of a program that an interrupt ended: 128 + SIGINT


if __name__ == "__main__":
    main()
