"""The command line: the same calls as from Python. Everything heavy is imported where it is used."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from stexplain.cli.explain import explain
from stexplain.errors import InputError, StexplainError

app = typer.Typer(
    name="stexplain",
    help="Explain spatio-temporal graph networks: which nodes, when, and how sure one may be of it.\n\n"
    "Examples:\n\n"
    "  stexplain bench ntu                       the paper's experiment on generated data, a few minutes\n\n"
    "  stexplain data prepare ntu RAW --out DIR  NTU's recordings into a store\n\n"
    "  stexplain bench ntu --data DIR            the paper's experiment on them\n\n"
    "  stexplain bench planted                   which method finds the truth, on data where it is known\n\n"
    "  stexplain bench roads                     traffic forecasts, explained\n\n"
    "  stexplain explain MODEL --card ntu        one sample, one method: map, chart, JSON\n\n"
    "  stexplain doctor                          what is installed, and whether it works",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Prepare, list, show and check datasets.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data_app, name="data")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Card = Annotated[str, typer.Argument(help="A dataset card: its name (see `stexplain data list`), or the path of one.")]


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


@app.command()
def bench(
    experiment: Annotated[
        str, typer.Argument(help="ntu, nw-ucla, planted, roads, or a dataset card of your own with an experiment.")
    ],
    card: Annotated[str | None, typer.Option(help="Run the experiment on this dataset card instead.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="A prepared store, or the folder of data as downloaded. Without: planted data."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder.  [default: runs/CARD]")] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="A recipe of the model cards, instead of the experiment's own."),
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option(help="Only this run, such as xsub/stgcn10; may be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    json_: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
) -> None:
    """Run an experiment: train, explain, score, report.

    A run that was stopped goes on from its last finished stage when the same command is given again.

    Examples:

      stexplain bench ntu

      stexplain bench ntu --data DIR --out runs/ntu-real

      stexplain bench nw-ucla --data all_sqe --run xview/stgcn10

      stexplain bench planted

      stexplain bench roads --data los-loop --card los-loop
    """
    from stexplain.bench.run import bench as run_bench

    folder = run_bench(
        experiment,
        card=card,
        data=data,
        out=out,
        recipe=recipe,
        runs=run,
        seed=seed,
        progress=not quiet,
        command=_command(),
    )
    if json_:
        typer.echo((folder / "results.json").read_text("utf-8"))
        return
    from stexplain.bench.summary import print_summary

    print_summary(folder)


@data_app.command("prepare")
def prepare(
    card: Card,
    raw: Annotated[Path, typer.Argument(help="The folder of recordings as downloaded.")],
    out: Annotated[Path, typer.Option(help="The store to write.")],
    missing: Annotated[
        Path | None,
        typer.Option(help="A file that names recordings to leave out, one a line, as the dataset's site gives it."),
    ] = None,
    keep: Annotated[str, typer.Option(help="Which persons are kept: energy (those that move most), first.")] = "energy",
    workers: Annotated[int | None, typer.Option(help="Processes.  [default: one per core]")] = None,
    json_: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Read recordings once, in parallel, into a memory-mapped store. Goes on where it was stopped.

    Example:

      stexplain data prepare ntu nturgb+d_skeletons --out stores/ntu --missing missing.txt
    """
    from stexplain.data.store.prepare import prepare as run_prepare

    chosen = cast(Literal["energy", "first"], keep)  # an unknown one is refused there, with the nearest that exists
    summary = run_prepare(card, raw, out, missing=missing, keep=chosen, workers=workers, progress=not quiet)
    _print(summary, json_)


@data_app.command("list")
def list_(json_: Json = False) -> None:
    """List the dataset cards that are found by name.

    Example:

      stexplain data list --json
    """
    from stexplain.cards import DatasetCard, any_card, card_names

    cards = {name: any_card(name) for name in card_names("datasets")}
    if json_:
        found = [{"name": name, "title": card.title, "path": str(card.path)} for name, card in cards.items()]
        typer.echo(json.dumps(found))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("card", "title", "what it holds", box=None, pad_edge=False)
    for name, card in cards.items():
        if isinstance(card, DatasetCard):
            what = f"{len(card.graph.nodes)} nodes, {len(card.classes)} classes; {', '.join(card.protocols)}"
        else:
            series = card.series
            what = f"a series, a reading each {series.minutes:g} min; {series.window} frames to {series.horizon} ahead"
        table.add_row(name, card.title, what)
    Console(highlight=False).print(table)


@data_app.command("show")
def show(card: Card, json_: Json = False) -> None:
    """Show what a card says: graph, axes, classes, protocols, licence, and how to get the data.

    Example:

      stexplain data show ntu
    """
    from stexplain.cards import DatasetCard, any_card

    found = any_card(card)
    if json_:
        typer.echo(json.dumps({**found.model_dump(mode="json"), "path": str(found.path), "hash": found.hash}))
        return
    typer.echo(f"{found.title} ({found.path.parent.name})\n{found.summary.strip()}\n")
    typer.echo(f"card       {found.path}")
    typer.echo(f"licence    {found.licence}\nsite       {found.url}\ncite       {found.citation}")
    if isinstance(found, DatasetCard):
        typer.echo(
            f"sample     {found.axes.instances} instances x T frames x {len(found.graph.nodes)} nodes x "
            f"{', '.join(found.axes.channels)} ({found.axes.unit}), {found.axes.frame_rate:g} frames per second"
        )
        typer.echo(f"graph      {len(found.graph.edges)} edges, centre {found.graph.center or 'none'}")
        for name, nodes in found.graph.groups.items():
            typer.echo(f"           {name}: {', '.join(nodes)}")
        typer.echo(f"classes    {len(found.classes)}: {', '.join(found.class_names)}")
        for name, protocol in found.protocols.items():
            typer.echo(f"protocol   {name}: {protocol.title}")
    else:
        series = found.series
        typer.echo(
            f"series     {', '.join(series.channels)} ({series.unit}), a reading each {series.minutes:g} minutes"
        )
        typer.echo(f"window     {series.window} frames in, {series.target_channel} up to {series.horizon} frames ahead")
        typer.echo(f"missing    {'NaN' if series.missing is None else f'NaN or {series.missing:g}'}")
        typer.echo(
            f"split      by time: the first {series.splits.train:.0%} train, the next {series.splits.validation:.0%} "
            "validate, the rest test"
        )
        typer.echo("graph      comes with the data")
    typer.echo(f"\nHow to get it:\n{found.obtain.strip()}")


@data_app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(help="A prepared store, or the folder of a card of your own.")],
    json_: Json = False,
) -> None:
    """Verify a prepared store (sizes, labels, values, checksums), or say what is wrong with a card of your own.

    Ends with 1 where something is to be mended.

    Examples:

      stexplain data check stores/ntu

      stexplain data check datasets/mine
    """
    if (folder / "card.toml").is_file() or folder.suffix == ".toml":
        from stexplain.bench.check_card import check_card

        report = check_card(folder)
        _print(report, json_)
        if not report.ok:
            raise typer.Exit(1)
        return
    from stexplain.data.store.prepared import check as check_store

    if not folder.exists():
        raise InputError(f"there is no folder {folder}. Give a prepared store, or the folder of a card.")
    _print(check_store(folder), json_)


app.command("explain")(explain)


@app.command()
def doctor(json_: Json = False) -> None:
    """Print versions, DGL's state, threads, folders and extras; end with 1 where something is broken.

    Example:

      stexplain doctor --json
    """
    from stexplain.cli.doctor import diagnose

    findings = diagnose()
    if json_:
        typer.echo(json.dumps([vars(finding) for finding in findings]))
    else:
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.ok else 'FAIL'} {finding.name:<24} {finding.value}")
            if not finding.ok:
                typer.echo(f"     {'':<24} {finding.remedy}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _print(result: Any, as_json: bool) -> None:
    """Prints a result that has `to_dict` and reads well as text."""
    typer.echo(json.dumps(result.to_dict()) if as_json else str(result))


def _command() -> str:
    return " ".join(["stexplain", *sys.argv[1:]])


def main() -> None:
    """The entry point: an error of ours becomes one message and its exit code, 2 for wrong use and 1 for failure."""
    os.environ.setdefault("DGLBACKEND", "pytorch")
    try:
        app()
    except StexplainError as error:
        typer.echo(f"stexplain: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("stexplain: stopped. Give the same command again to go on from the last finished stage.", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
