"""`stexplain verify`: whether a run folder is as it was written, and whether a second run has its numbers."""

from pathlib import Path
from typing import Annotated

import typer

from stexplain.cli.command import echo_json
from stexplain.cli.options import Json
from stexplain.errors import InputError

WORDS = {"ok": "ok     ", "differs": "differs", "wrong": "WRONG  "}


def verify(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A finished run folder, or its results.json.")],
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
    # Who was sent results.json alone has a folder that holds it, and hears what else belongs there.
    folder, against = _folder_of(folder), None if against is None else _folder_of(against)
    for name, place in (("FOLDER", folder), ("SECOND", against)):
        # At once: the import below takes seconds.
        if place is not None and not place.is_dir():
            raise InputError(f"{name}: got {place}, which is not a folder. Give a run folder of `stexplain bench`.")
    from stexplain.bench.verifying.verify import again, verify

    found = verify(folder, against)
    wrong = any(each.found == "wrong" for each in found)
    if as_json:
        echo_json([vars(each) for each in found])
    else:
        for each in found:
            typer.echo(f"{WORDS[each.found]} {each.name:<22} {each.value}")
        if not wrong:
            typer.echo(f"again:  {again(folder)}")
    if wrong:
        raise typer.Exit(1)


def _folder_of(place: Path) -> Path:
    """The run folder that a results.json lies in; any other path as it is."""
    return place.parent if place.name == "results.json" and place.is_file() else place
