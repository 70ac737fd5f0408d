"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
Seed = Annotated[int, typer.Option(help="The seed of everything random; 0 or more.")]
CardArgument = Annotated[
    str, typer.Argument(metavar="CARD", help="A dataset card: its name (see `stexplain data list`), or its path.")
]
Data = Annotated[
    Path | None,
    typer.Option(help="A prepared store, or the folder of data as downloaded.  [default: synthetic data]"),
]


def _allow(context: typer.Context, names: list[str] | None) -> list[str] | None:
    """Trusts modules until the command ends."""
    if not names:
        return names
    # Cards import pydantic, which help need not wait for.
    from stexplain.cards.trust import trusting

    context.with_resource(trusting(names))
    return names


Trust = Annotated[
    list[str] | None,
    typer.Option(
        "--trust",
        metavar="MODULE",
        callback=_allow,
        help="A module outside stexplain that a card or a saved model may import, which runs its code; repeatable.",
    ),
]
