"""What a reader of series gives: values on a graph over time; and how readers find files and times."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.cards import SeriesCard
from stexplain.checking import checked
from stexplain.data.times.zones import in_zone
from stexplain.errors import DataError
from stexplain.graph import STGraph
from stexplain.reading import is_there

EVENTS, TRUTH, COUNTERFACTUAL = "events.csv", "truth.npy", "counterfactual.npy"
"""What a generator of planted series writes beside the values: its events, their ground truth, and their windows
without the cause."""


@checked
@dataclass(frozen=True)
class SeriesFile:
    """A series as read from its files.

    Attributes:
        values: ``[T, N, C]`` or ``[T, N]``; a memory map where the format allows one.
        graph: whose nodes are N, in the order of `values`; with positions where they are known.
        time: of each frame, or none where the files do not have it.
        observed: the missing-value mask, ``[T, N]``, bool; none: NaN and the card's `missing` alone mark it.

    Example:
        >>> roads = STGraph.from_edges(["A1", "A2"], [("A1", "A2")])
        >>> series = SeriesFile(np.full((288, 2), 60.0), roads, pd.date_range("2026-01-01", periods=288, freq="5min"))
        >>> series.node_names, str(series.time[-1])
        (('A1', 'A2'), '2026-01-01 23:55:00')
    """

    values: Any
    graph: STGraph
    time: pd.DatetimeIndex | None = None
    observed: NDArray[np.bool_] | None = None

    @property
    def node_names(self) -> tuple[str, ...]:
        """The names of the N nodes."""
        return self.graph.nodes


def found_file(where: Path, names: "str | tuple[str, ...]", what: str, *, companion: bool = True) -> Path:
    """A file of a folder, by one of the names that its publishers give it.

    Args:
        where: the folder, or a file in it: then the file's own folder is searched.
        names: what it may be called, with wildcards; the first that exists is taken.
        what: it is, for the message.
        companion: whether `where`, being a file, is another file than the one looked for; else it is that file.

    Raises:
        DataError: naming the folder, the names looked for and what the folder holds.
    """
    # A user may give the file itself, under any name.
    if where.is_file() and not companion:
        return where
    folder = where.parent if where.is_file() else where
    if not folder.is_dir():
        raise DataError(f"{where} is not there. Give the folder that holds {what}, or the file.")
    patterns = (names,) if isinstance(names, str) else names
    for name in patterns:
        matches = sorted(folder.glob(name))
        if len(matches) > 1:
            # Taking the first could pair the values of one district with the graph of another.
            listed = ", ".join(path.name for path in matches[:5])
            raise DataError(
                f"{folder}: got {len(matches)} files {name} ({listed}); expected one, {what}. Give the file."
            )
        if matches:
            return matches[0]
    # What the folder holds shows at a glance whether it is the wrong one.
    here = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
    raise DataError(f"{folder} holds no {' or '.join(patterns)}, {what}. It holds: {here}. Put the file there.")


def optional_file(where: Path, *names: str) -> Path | None:
    """A file of a folder that may be missing; see `found_file`."""
    folder = where.parent if where.is_file() else where
    return next((folder / name for name in names if is_there(folder / name)), None)


def times_from_start(card: SeriesCard, frames: int) -> pd.DatetimeIndex | None:
    """The times of so many frames by the card's `start` and `minutes`; none where it gives no start."""
    if card.series.start is None:
        return None
    # Steps are counted from the first moment: clocks that are set leave no hour out.
    start = in_zone(pd.DatetimeIndex([card.series.start]), card.series.time_zone)[0]
    return pd.date_range(start, periods=frames, freq=pd.Timedelta(minutes=card.series.minutes))
