"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

MAX_SEED = 2**32 - 1
"""The largest seed that every random number generator in use accepts (numpy's legacy one is the narrowest)."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]
Seed = Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Of everything random.")]
CardArgument = Annotated[
    str, typer.Argument(metavar="CARD", help="A dataset card: its name (see `stexplain data list`), or its path.")
]
Data = Annotated[
    Path | None,
    typer.Option(help="A prepared store, or the folder of data as downloaded.  [default: synthetic data]"),
]
