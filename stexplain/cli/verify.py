"""`stexplain verify`: whether a run folder is as it was written, and whether a second run has its numbers."""

import json
from pathlib import Path
from typing import Annotated

import typer

from stexplain.cli.options import Json

WORDS = {"ok": "ok     ", "differs": "differs", "wrong": "WRONG  "}


def verify(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A finished run folder.")],
    against: Annotated[
        Path | None, typer.Argument(metavar="[SECOND]", help="The folder of a second run, to compare its numbers.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a run folder: checksums, files, verdicts, cards, versions. Exit with 1 if something is wrong.

    Nothing is computed again and no data is needed. "differs" is no fault of the folder: here is another card, version
    or number. The last line is the command that runs it again.

    Examples:

      stexplain verify runs/planted

      stexplain verify theirs/planted runs/planted
    """
    from stexplain.bench.verifying.verify import again, verify

    found = verify(folder, against)
    wrong = any(each.found == "wrong" for each in found)
    if as_json:
        typer.echo(json.dumps([vars(each) for each in found]))
    else:
        for each in found:
            typer.echo(f"{WORDS[each.found]} {each.name:<22} {each.value}")
        if not wrong:
            typer.echo(f"again:  {again(folder)}")
    if wrong:
        raise typer.Exit(1)
