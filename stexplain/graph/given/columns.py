"""What the columns of a table of pairs hold, by the names that people give them."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from stexplain.errors import InputError, unknown

COLUMNS = {
    "source": ("source", "from", "src", "origin", "start", "i", "u"),
    "target": ("target", "to", "dst", "dest", "destination", "end", "j", "v"),
    "distance": ("distance", "dist", "cost", "length", "metres", "meters", "miles", "km", "d"),
}
"""Names by which the columns of a table of pairs are known, in lower case."""
WEIGHTS = ("weight", "weights", "w", "strength")
"""And those of weights."""
# Words that say it in a longer name, such as origin_id; "start" and "end" are also of times.
_ENDS = {"source": ("source", "from", "src", "origin"), "target": ("target", "to", "dst", "dest", "destination")}
_DISTANCES = (
    *("dist", "distance", "distances", "cost", "length", "time", "duration", "delay"),
    *("metres", "meters", "miles", "km"),
)


def is_distance(column: str) -> bool:
    """Whether a column is named like distances, such as ``dist_m``, ``Distance (km)`` or ``travelTime``.

    Example:
        >>> [is_distance(name) for name in ("dist_m", "travelTime", "Length (m)", "weight", "timestamped_weight", "d")]
        [True, True, True, False, False, False]
    """
    return any(word in _DISTANCES for word in _words(column))


def role_of(name: object) -> str:
    """Whether a name is that of sources or of targets; empty: of neither, or of both.

    Example:
        >>> [role_of(name) for name in ("From", "origin_id", "node_to", "u", "start_time", "from_to")]
        ['source', 'source', 'target', 'source', '', '']
    """
    text = str(name).strip().lower()
    words = _words(str(name))
    found = [role for role in _ENDS if text in COLUMNS[role]] or [
        role for role, known in _ENDS.items() if any(word in known for word in words)
    ]
    return found[0] if len(found) == 1 else ""


def end_columns(
    columns: Sequence[str], argument: str, source: str | None = None, target: str | None = None
) -> tuple[int, int]:
    """The places of the columns of sources and targets: as given, else by name, else the first and the second.

    Args:
        columns: the names of all.
        argument: for the message.
        source: that of sources, as the caller says.
        target: that of targets, as the caller says.

    Raises:
        InputError: where they do not say which is which.

    Example:
        >>> end_columns(["id", "to", "from"], "table"), end_columns(["a", "b", "weight"], "table")
        ((2, 1), (0, 1))
    """
    chosen = []
    for place, (role, given) in enumerate((("source", source), ("target", target))):
        if given is not None and given not in columns:
            raise unknown("column", given, columns)
        known = [name for name in columns if name.strip().lower() in COLUMNS[role]]
        known = known or [name for name in columns if role_of(name) == role]
        chosen.append(columns.index(given if given is not None else known[0]) if given or known else place)
    weight = weight_column(columns)
    if chosen[0] == chosen[1] or (weight in chosen and None in (source, target)):
        raise InputError(
            f"{argument}: got the columns {list(columns)}, which do not say which are source and target. Call them so, "
            "such as table.rename(columns={'a': 'source', 'b': 'target'})."
        )
    return chosen[0], chosen[1]


def lists_pairs(table: Any) -> bool:
    """Whether a table has a row for each pair: its rows are counted, and its columns named source, target and the like.

    Example:
        >>> import pandas as pd
        >>> lists_pairs(pd.DataFrame([[0, 1, 5.0]], columns=["from", "to", "cost"]))
        True
    """
    columns = {str(name).strip().lower() for name in table.columns}
    counted = [str(label) for label in table.index] == [str(place) for place in range(len(table.index))]
    # Of more columns, nodes may well be called i and j.
    return (
        len(columns) <= 3
        and counted
        and not columns.isdisjoint(COLUMNS["source"])
        and not columns.isdisjoint(COLUMNS["target"])
    )


def weight_column(columns: Sequence[str]) -> int | None:
    """The place of the column called weight, in letters of any case; none where there is none.

    Example:
        >>> weight_column(["from", "to", "Weight"]), weight_column(["from", "to"])
        (2, None)
    """
    names = [name.strip().lower() for name in columns]
    return names.index("weight") if "weight" in names else None


def refuse_lost_row(columns: Iterable[object], used: Iterable[int], argument: str, remedy: str = "") -> None:
    """Refuses a table whose header is its first row: a column in use is called by a number, as text.

    Args:
        columns: the names of all.
        used: the places of those in use.
        argument: for the message.
        remedy: where they are names after all.

    Raises:
        InputError: saying how to read it.

    Example:
        >>> refuse_lost_row(["from", "to", "cost"], [0, 1, 2], "table")
        >>> refuse_lost_row(["773869", "767541", "0.5"], [0, 1, 2], "table")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: table: got the columns ['773869', '767541', '0.5'], which are a row of values: ...
    """
    names = list(columns)
    # Columns that were counted, and written to a file so, are 0, 1, 2.
    if [str(name) for name in names] == [str(at) for at in range(len(names))]:
        return
    for name in (names[place] for place in used):
        if isinstance(name, str) and re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", name):
            raise InputError(
                f"{argument}: got the columns {names}, which are a row of values: the first row was read as a header, "
                f"and would be lost. Read the file by pd.read_csv(path, header=None).{remedy}"
            )


def _words(name: str) -> list[str]:
    return re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
