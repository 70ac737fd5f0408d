"""`stexplain explain`: a model, some samples, a method; map, charts and summary. Heavy things are imported inside."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from stexplain.cli.command import echo_json, resumable
from stexplain.cli.options import Json, Quiet, Trust


def explain(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A trained model's folder, a run folder with one, a model card (untrained), or pkg.mod:factory that "
            "makes one.",
        ),
    ],
    card: Annotated[
        str | None,
        typer.Option(help="The dataset card: its name, or its path.  [default: of a run folder, that of the run]"),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="A prepared store, or the files of a series.  [default: synthetic data]")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Such as xsub/test, or all.  [default: the test split of the first protocol]")
    ] = None,
    ids: Annotated[
        list[str] | None, typer.Option("--ids", help="A sample's id, or a window's number or start; may be repeated.")
    ] = None,
    first: Annotated[
        int | None,
        typer.Option(help="Without --ids: this many samples, from the start.  [default: 1; of groups, all]"),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="An explainer's class, such as IntegratedGradients.  [default: ExpectedFall, as of stexplain.explain; "
            "with --layer or --layout STGGradCAM]"
        ),
    ] = None,
    target: Annotated[
        str, typer.Option(help="predicted, a class (name or index), or forecast:NODE:HORIZON.")
    ] = "predicted",
    layer: Annotated[str | None, typer.Option(help="A layer's name, for methods that explain one.")] = None,
    layout: Annotated[
        str | None, typer.Option(help="The layout of that layer's output, such as '(b m) c t n'.")
    ] = None,
    inputs: Annotated[str | None, typer.Option(help="The layout of the model's input, such as 'b c t n m'.")] = None,
    chunk: Annotated[int | None, typer.Option(min=1, help="Samples per forward pass, where memory is short.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A further option of the method, such as steps=50; may be repeated."),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN[=A,B]",
            help="Compare two groups of recordings, such as patients against controls, by a column of their table "
            "(class, or a field of the card); the first named is the reference.",
        ),
    ] = None,
    cluster_by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="With --group-by: recordings that agree here are not independent.  [default: as the card groups them]",
        ),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="Who explains parts of many samples: processes of this machine, or RAY_ADDRESS's cluster."),
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes.  [default: one; on a cluster one per core]")
    ] = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder for all of it, or a file by its ending: the map as .nc, .zarr, .npz, .csv or .parquet, a "
            "chart as .html, .png, .svg or .pdf, the summary as .json; may be repeated.  [default: explanation]"
        ),
    ] = None,
    trust: Trust = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Explain samples: which nodes, when. Writes a map, a chart per sample and a summary.

    Examples:

      stexplain explain runs/ntu/xsub/stgcn10 --split xsub/test --first 3

      stexplain explain runs/ntu/xsub/stgcn10 --method InputGradient --target throw --out throw.csv --out throw.svg

      stexplain explain runs/roads/stgcn-roads --card roads --target "forecast:A west 3:6"

      stexplain explain mine.net:make --card ntu --layer l10 --layout "(b m) c t n" --inputs "b c t n m"

      stexplain explain runs/ntu/xsub/stgcn10 --first 2000 --engine ray --out maps

      stexplain explain runs/gait --card gait --data stores/gait --group-by group=control,patient --cluster-by subject
    """
    from stexplain.cli.validate.explain import validate_explain
    from stexplain.cli.validate.method_options import parse_options
    from stexplain.cli.validate.outputs import parse_outputs
    from stexplain.cli.validate.target import parse_target

    # As `stexplain.explain` chooses.
    method = method or ("ExpectedFall" if layer is None and layout is None else "STGGradCAM")
    parsed = parse_target(target)
    further = parse_options(option or [])
    checked = validate_explain(
        model,
        card=card,
        data=data,
        split=split,
        ids=ids,
        first=first,
        method=method,
        target=parsed,
        outputs=parse_outputs(out or [], Path("explanation")),
        group_by=group_by,
        cluster_by=cluster_by,
    )
    for sentence in checked.said:
        typer.echo(f"stexplain: {sentence}", err=True)
    # Only now torch: what could be wrong with the names has been reported.
    from stexplain.cli.explaining.work import explain_samples

    options = {**further, "layer": layer, "layout": layout, "inputs": inputs, "chunk": chunk}
    again = "Give the same command again, or fewer samples by --first:"
    if engine != "local" or (workers or 1) > 1:
        again = "To resume, give the same command again:"
    with resumable(again + "\n  {command}"):
        summary, text = explain_samples(
            checked,
            target=parsed,
            ids=ids or [],
            first=first,
            method=method,
            options=options,
            groups=(group_by, cluster_by) if group_by else None,
            progress=not quiet,
            engine=engine,
            workers=workers,
        )
    if as_json:
        echo_json(summary)
    else:
        typer.echo(text)
