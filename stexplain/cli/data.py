"""`stexplain data`: prepare, list, show and check datasets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stexplain.cli.command import Command, echo_json, resumable
from stexplain.cli.options import CardArgument, Json, Quiet, Trust
from stexplain.system import as_typed

if TYPE_CHECKING:
    from stexplain.cards import DatasetCard, SeriesCard

# As a group of its own, so that `stexplain data` alone prints the help of its commands.
data_app = typer.Typer(
    help="Prepare, list, show and check datasets.\n\n"
    "Examples:\n\n"
    "  stexplain data list\n\n"
    "  stexplain data prepare skeletons DIR --labels labels.csv --out stores/own\n\n"
    "  stexplain data check stores/own",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@data_app.command("prepare", cls=Command)
def prepare(
    card: CardArgument,
    raw: Annotated[Path, typer.Argument(metavar="RAW", help="The folder of recordings as downloaded.")],
    out: Annotated[Path, typer.Option(help="The store to write.")],
    missing: Annotated[
        Path | None,
        typer.Option(help="A file that names recordings to exclude, one per line, as the dataset's site gives it."),
    ] = None,
    # `stexplain.data.recording.Keep` is the same type, but its module imports numpy.
    keep: Annotated[
        Literal["energy", "first"],
        typer.Option(help="Which persons are kept where there are too many: those that move most, or the first."),
    ] = "energy",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes.  [default: one per core]")] = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="Processes of this machine, or a Ray cluster: RAY_ADDRESS's."),
    ] = "local",
    labels: Annotated[
        Path | None,
        typer.Option(help="For `skeletons`, `regions`: a CSV with the columns file and label, and any more."),
    ] = None,
    graph: Annotated[
        str | None,
        typer.Option(
            help="For `skeletons`: one by name, such as coco-17, or a CSV: joint,parent for each joint in order."
        ),
    ] = None,
    axes: Annotated[str | None, typer.Option(help="For `skeletons`: the axes of an array, such as 'b t n c'.")] = None,
    channels: Annotated[
        str | None,
        typer.Option(help="For `skeletons`: names of its channels, a,b,c.  [default: the format's, else x, y, z]"),
    ] = None,
    score: Annotated[
        float | None,
        typer.Option(help="For `skeletons`: joints whose confidence is at most this are missing.  [default: 0]"),
    ] = None,
    frame_rate: Annotated[
        float | None,
        typer.Option(help="For `skeletons`: frames per second.  [default: as the files say; else time is in frames]"),
    ] = None,
    train: Annotated[
        str | None,
        typer.Option(help="For `regions`: subjects of training, a,b,c or a file of them, one per line; or all."),
    ] = None,
    tr: Annotated[float | None, typer.Option(help="For `regions`: the repetition time in seconds.")] = None,
    density: Annotated[
        float | None, typer.Option(help="For `regions`: the share of pairs that are edges.  [default: 0.1]")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="For `regions`: its unit; for `eeg`: the one to convert to.")] = None,
    picks: Annotated[str | None, typer.Option(help="For `eeg`: channels, as MNE takes them, such as eeg.")] = None,
    all_bodies: Annotated[
        bool,
        typer.Option(
            "--all-bodies", help="Keep every body of the raw recordings: join none whose id changes, drop no furniture."
        ),
    ] = False,
    trust: Trust = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read recordings once, in parallel, into a memory-mapped store. The same command resumes where it was stopped.

    CARD is a dataset, or `skeletons` for files of your own: .skeleton of any name, tidy CSV, npz, npy, pyskl's pickle,
    CTR-GCN's and ST-GCN's arrays, JSON of Kinetics, OpenPose, COCO, AlphaPose and MMPose, HDF5 of
    SLEAP and DeepLabCut, BVH, C3D. Or `regions` for time series of a brain atlas: npz, npy, a folder of tables. Or
    `eeg` for trials: MNE's -epo.fif and -ave.fif, EEGLAB's .set. These get a card of their own in the store.

    Examples:

      stexplain data prepare ntu nturgb+d_skeletons --out stores/ntu --missing missing.txt

      stexplain data prepare skeletons recordings --labels labels.csv --graph coco-17 --out stores/own

      stexplain data prepare regions timeseries --labels participants.tsv --train sub-01,sub-02 --out stores/regions

      stexplain data prepare eeg epochs --unit uV --out stores/eeg
    """
    given = {
        "labels": labels, "graph": graph, "axes": axes, "channels": channels, "score": score,
        "frame_rate": frame_rate, "train": train, "tr": tr, "density": density, "unit": unit, "picks": picks,
    }  # fmt: skip
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    from stexplain.cli.own_files import KINDS, check_options, prepare_own

    # A folder of this name is a card's, as everywhere.
    kind = str(card) if str(card) in KINDS and not Path(str(card)).exists() else None
    check_options(kind, options)
    if kind is not None:
        people = {"keep": keep, "people": not all_bodies} if kind == "skeletons" else {}
        with resumable("Nothing was written. Give the same command again:\n  {command}"):
            summary: Any = prepare_own(kind, raw, out, {**people, **options})
        _print(summary, as_json)
        return
    from stexplain.cli.validate.datasets import validate_prepare

    validate_prepare(card, raw, out, missing)
    from stexplain.data.store.prepare import prepare as prepare_store

    with resumable(f"What was read stays in {out}. To resume, give the same command again:\n  {{command}}"):
        summary = prepare_store(
            card,
            raw,
            out,
            missing=missing,
            keep=keep,
            people=not all_bodies,
            workers=workers,
            engine=engine,
            progress=not quiet,
        )
    _print(summary, as_json)


@data_app.command("new", cls=Command)
def new(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The new card's folder; its name is the card's.")],
    like: Annotated[str, typer.Option(help="The card to begin with, by name or path.")] = "ntu",
) -> None:
    """Write a commented card to change, a copy of another's. Nothing is overwritten.

    Example:

      stexplain data new my-card --like ntu
    """
    from stexplain.cards import new_card

    typer.echo(f"{new_card(folder, like)}: change what differs, then run `{as_typed('data', 'check', folder)}`.")


# The underscore keeps the name of the type free in this module.
@data_app.command("list", cls=Command)
def list_(as_json: Json = False) -> None:
    """List dataset cards, formats of files, and skeletons by name.

    Example:

      stexplain data list --json
    """
    from dataclasses import asdict

    from stexplain.cards import any_card, card_names, card_path
    from stexplain.data.signals.formats import FORMATS
    from stexplain.errors import StexplainError
    from stexplain.graph import skeleton_named, skeleton_names

    skeletons = [skeleton_named(name) for name in skeleton_names()]
    cards, broken = {}, {}
    for name in card_names("datasets"):
        # One that is broken is named, and hides no other.
        try:
            cards[name] = any_card(name)
        except StexplainError as error:
            broken[name] = str(error)
    if as_json:
        rows = [{"name": name, "title": card.title, "path": str(card.path)} for name, card in cards.items()]
        rows += [{"name": name, "path": str(card_path("datasets", name)), "error": broken[name]} for name in broken]
        bodies = [
            {"name": one.name, "title": one.title, "joints": one.joints, "pairs": one.pairs, "up": one.up}
            for one in skeletons
        ]
        echo_json({"cards": rows, "formats": [asdict(each) for each in FORMATS], "skeletons": bodies})
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("card", "title", "content", box=None, pad_edge=False)
    for name, card in cards.items():
        table.add_row(*map(escape, (name, card.title, _content(card))))
    for name, problem in broken.items():
        table.add_row(escape(name), "broken", escape(problem))
    console = Console(highlight=False)
    console.print(table)
    # By the call: a heading says what all lines below it have in common.
    for content in dict.fromkeys(each.content for each in FORMATS):
        chosen = [each for each in FORMATS if each.content == content]
        commands = ", ".join(f"`{command}`" for command in dict.fromkeys(each.command for each in chosen) if command)
        console.print(f"\nFiles of your own, {content}{f': {commands}' if commands else ''}", markup=False)
        formats = Table("format", "files", "call", "needs", box=None, pad_edge=False)
        for each in chosen:
            extra = f"stexplain[{each.extra}]" if each.extra else ""
            formats.add_row(*map(escape, (each.name, each.files, each.call, extra)))
        console.print(formats)
    console.print("\nSkeletons by name: --graph NAME, STGraph.skeleton(NAME)", markup=False)
    bones = Table("skeleton", "title", "joints", "left and right", "up", box=None, pad_edge=False)
    for one in skeletons:
        bones.add_row(escape(one.name), escape(one.title), f"{len(one.joints)}", f"{len(one.pairs)} pairs", one.up)
    console.print(bones)


def _content(card: "DatasetCard | SeriesCard") -> str:
    from stexplain.cards import DatasetCard

    if isinstance(card, DatasetCard):
        return f"{len(card.graph.nodes)} nodes, {len(card.classes)} classes; {', '.join(card.protocols)}"
    series = card.series
    return f"a series, one frame per {series.minutes:g} min; {series.window} frames in, {series.horizon} ahead"


@data_app.command("show", cls=Command)
def show(card: CardArgument, as_json: Json = False) -> None:
    """Show a card: graph, classes, protocols, licence, how to get it.

    Example:

      stexplain data show ntu
    """
    from stexplain.cards import DatasetCard, any_card

    shown = any_card(card)
    if as_json:
        # Path and hash are of the file, not in it.
        echo_json({**shown.model_dump(mode="json"), "path": str(shown.path), "hash": shown.hash})
        return
    # The folder or file by which it is found; resolved, because "card.toml" alone names no folder.
    path = shown.path.resolve()
    typer.echo(f"{shown.title} ({path.parent.name if path.name == 'card.toml' else path.stem})")
    typer.echo(f"{shown.summary.strip()}\n" if shown.summary.strip() else "")
    typer.echo(f"card       {shown.path}")
    typer.echo(f"licence    {shown.licence}")
    for label, text in (("site", shown.url), ("cite", shown.citation)):
        if text:
            typer.echo(f"{label}       {text}")
    for line in _recordings_lines(shown) if isinstance(shown, DatasetCard) else _series_lines(shown):
        typer.echo(line)
    typer.echo(f"\nHow to get it:\n{shown.obtain.strip()}")


def _recordings_lines(card: "DatasetCard") -> list[str]:
    axes, graph = card.axes, card.graph
    unit = f" ({axes.unit})" if axes.unit else ""
    return [
        f"sample     {axes.instances} instances x T frames x {len(graph.nodes)} nodes x {', '.join(axes.channels)}"
        f"{unit}, {'frame rate not stated' if axes.frame_rate is None else f'{axes.frame_rate:g} frames per second'}",
        f"graph      {len(graph.edges)} edges, centre {graph.center or 'none'}",
        *(f"           {name}: {', '.join(nodes)}" for name, nodes in graph.groups.items()),
        f"classes    {len(card.classes)}: {', '.join(card.class_names)}",
        *(f"protocol   {name}: {protocol.title}" for name, protocol in card.protocols.items()),
    ]


def _series_lines(card: "SeriesCard") -> list[str]:
    series, splits = card.series, card.series.splits
    return [
        f"series     {', '.join(series.channels)} ({series.unit}), one frame per {series.minutes:g} minutes",
        f"window     {series.window} frames in, {series.target_channel} up to {series.horizon} frames ahead",
        f"missing    {'NaN' if series.missing is None else f'NaN or {series.missing:g}'}",
        f"split      by time: the first {splits.train:.0%} train, the next {splits.validation:.0%} validate, "
        "the rest test",
        "graph      comes with the data",
    ]


@data_app.command("check", cls=Command)
def check(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="A prepared store, or a card: its folder, its file, or a bundled name."),
    ],
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """Verify a prepared store, or list the problems of a card. Of a store: sizes, labels, values and checksums.

    Exits with 1 if there is a problem. Values that are hardly measurements, such as joints far outside of any room or
    a sensor that never changes, are warnings.

    Examples:

      stexplain data check stores/ntu

      stexplain data check datasets/mine

      stexplain data check ntu
    """
    from stexplain.cards import card_names, card_path
    from stexplain.cli.validate.datasets import is_card, is_store, validate_store_or_card

    # A folder comes before a bundled card of the same name, as everywhere.
    named = not Path(folder).exists() and str(folder) in card_names("datasets")
    if not named:
        validate_store_or_card(folder)
    # A card that breaks is a report of problems; a store that breaks is an error, at the first one.
    # The store of files of one's own holds its card, too: that is read with it.
    if named or (is_card(folder) and not is_store(folder)):
        from stexplain.bench.check_card import check_card

        report = check_card(card_path("datasets", str(folder)) if named else folder)
        _print(report, as_json)
        if not report.ok:
            raise typer.Exit(1)
        return
    from stexplain.data.store.check import check_store

    _print(check_store(folder), as_json)


def _print(result: Any, as_json: bool) -> None:
    """Prints a result that has `to_dict` and reads well as text."""
    if as_json:
        echo_json(result.to_dict())
    else:
        typer.echo(str(result))
