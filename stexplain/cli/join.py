"""`stexplain join`: joins runs of an experiment that ran separately."""

from pathlib import Path
from typing import Annotated

import typer

from stexplain.cli.command import resumable, typed
from stexplain.cli.options import Json, Trust


def join(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The new run folder.")],
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Finished run folders.")],
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """Join separate runs of one experiment, such as one per machine.

    Folders may differ in --seed and --run alone. The report is that of `stexplain bench CARD --seeds K`; nothing is
    computed again.

    Examples:

      for S in 0 1 2 3 4; do stexplain bench planted --seed $S --out runs/planted-$S; done

      stexplain join runs/planted runs/planted-*
    """
    from stexplain.bench.joining import join_runs

    with resumable("Nothing was written. Give the same command again:\n  {command}"):
        folder = join_runs(out, folders, command=typed())
    if as_json:
        typer.echo((folder / "results.json").read_text("utf-8"))
        return
    from stexplain.bench.summary import print_summary

    print_summary(folder)
