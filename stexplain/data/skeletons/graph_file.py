"""A skeleton of one's own from a table: a row for each joint, in the order of the data, and its parent."""

from pathlib import Path

import numpy as np
import pandas as pd

from stexplain.errors import DataError
from stexplain.graph import STGraph
from stexplain.reading import naming
from stexplain.reading.table import read_csv

_COLUMNS = ("joint", "parent")
_PLACES = ("x", "y")
_EXAMPLE = "joint,parent\nhip,\nknee,hip\nankle,knee"


def read_skeleton(path: Path) -> STGraph:
    r"""The graph of a table of joints.

    Args:
        path: a CSV with the columns ``joint`` and ``parent``, and perhaps ``x`` and ``y``, where it is drawn. Joints
            are in the order of the data, which counts where the data do not name them. A joint without a parent is a
            root; one of several neighbours has a further row for each.

    Raises:
        DataError: where a column is lacking, a parent is no joint, or a position is no number; with its line.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp()) / "leg.csv"
        >>> _ = path.write_text("joint,parent\nhip,\nknee,hip\nankle,knee\n")
        >>> graph = read_skeleton(path)
        >>> graph.nodes, graph.edges.tolist()
        (('hip', 'knee', 'ankle'), [[0, 1], [1, 2]])
    """
    table = read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    columns = [str(name).strip().lower() for name in table.columns]
    if not set(_COLUMNS) <= set(columns):
        raise DataError(
            f"{path}: got the columns {', '.join(map(str, table.columns))}; expected a row for each joint in the order "
            f"of the data, such as\n{_EXAMPLE}"
        )
    table = table.set_axis(columns, axis=1).apply(lambda column: column.str.strip())
    joints = list(dict.fromkeys(table["joint"]))
    edges: dict[tuple[str, str], None] = {}
    for line, (joint, parent) in enumerate(zip(table["joint"], table["parent"], strict=True), start=2):
        if not joint:
            raise DataError(f"{path}, line {line}: got a row without a joint; expected its name.")
        if parent and (parent not in joints or parent == joint):
            raise DataError(
                f"{path}, line {line}: got the parent {parent!r} of {joint!r}; expected another joint of the table, or "
                "nothing for a root."
            )
        if parent and (joint, parent) not in edges:
            edges[parent, joint] = None
    with naming(path):
        return STGraph.from_edges(joints, list(edges), positions=_positions(path, table))


def _positions(path: Path, table: pd.DataFrame) -> list[list[float]] | None:
    """Where each joint is drawn: by its first row."""
    if not set(_PLACES) <= set(table.columns):
        return None
    numbers = table[list(_PLACES)].apply(pd.to_numeric, errors="coerce")
    numbers = numbers.where(np.isfinite(numbers))
    first = ~table["joint"].duplicated()
    for row, (is_first, lacks) in enumerate(zip(first, numbers.isna().any(axis=1), strict=True)):
        if is_first and lacks:
            raise DataError(f"{path}, line {row + 2}: got no number as x or y; expected a position of each joint.")
    return [[float(value) for value in pair] for pair in numbers[first].to_numpy()]
