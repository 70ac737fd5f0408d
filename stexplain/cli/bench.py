"""`stexplain bench`: runs an experiment."""

from pathlib import Path
from typing import Annotated

import typer

from stexplain.cli.command import resumable, typed
from stexplain.cli.options import Data, Json, Quiet, Seed, Trust


def bench(
    experiment: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT", help="ntu, nw-ucla, planted, roads, or a dataset card of your own with an experiment."
        ),
    ],
    card: Annotated[str | None, typer.Option(help="Run the experiment on this dataset card instead.")] = None,
    data: Data = None,
    out: Annotated[Path | None, typer.Option(help="The run folder.  [default: runs/CARD]")] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="A training recipe of the model cards.  [default: the experiment's own]"),
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option(help="Only this run, such as xsub/stgcn10; may be repeated."),
    ] = None,
    seed: Seed = 0,
    seeds: Annotated[
        int,
        typer.Option(min=1, help="Train each run this many times, with seeds from --seed on, and report the spread."),
    ] = 1,
    workers: Annotated[
        int,
        typer.Option(min=1, help="Compute this many runs at a time, each with its share of the threads."),
    ] = 1,
    trust: Trust = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run an experiment: train, explain, score, report.

    A run that was stopped resumes after its last finished stage when the same command is given again.

    Examples:

      stexplain bench ntu

      stexplain bench ntu --data DIR --out runs/ntu-real

      stexplain bench nw-ucla --data all_sqe --run xview/stgcn10

      stexplain bench planted --seeds 5

      stexplain bench roads --data los-loop --card los-loop
    """
    from stexplain.cli.validate.bench import validate_bench

    # Before the import below, which takes seconds: a misspelt name is reported at once.
    validate_bench(experiment, card=card, data=data, out=out, recipe=recipe, runs=run, seed=seed)
    import stexplain.bench

    with resumable("Finished stages are kept. To resume after the last one, give the same command again:\n  {command}"):
        folder = stexplain.bench(
            experiment,
            card=card,
            data=data,
            out=out,
            recipe=recipe,
            runs=run,
            seed=seed,
            seeds=seeds,
            workers=workers,
            progress=not quiet,
            # For the report: what to type to get the same numbers.
            command=typed(),
        )
    if as_json:
        # The file as it is: numbers are rounded nowhere on the way.
        typer.echo((folder / "results.json").read_text("utf-8"))
        return
    from stexplain.bench.summary import print_summary

    print_summary(folder)
