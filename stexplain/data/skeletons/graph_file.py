"""The graph of recordings: given, of a table of joints, or known by their number; and where its joints are in them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from stexplain.data.skeletons.joint_names import places_of
from stexplain.data.skeletons.take import Take
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph
from stexplain.graph.skeletons.skeleton import skeleton_named, skeleton_names
from stexplain.reading import given_path, naming
from stexplain.reading.table import read_csv

_COLUMNS = ("joint", "parent")
_PLACES = ("x", "y")
# Other files have as many joints: those of Human3.6M as recorded.
_BY_NAME_ALONE = ("azure-kinect",)
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


def joint_places(take: Take, graph: STGraph) -> list[int]:
    """Where in a recording each node of the graph is: by name where the file names its joints, else by place."""
    if not take.joints or _numbered(take.joints):
        if take.values.shape[2] != len(graph):
            raise InputError(f"graph: got {len(graph)} nodes; {take.id!r} has {take.values.shape[2]} joints.")
        # What is called 0, 1, 2, ... is counted, in whatever order the file has it.
        numbers = [int(name) for name in take.joints] or list(range(len(graph)))
        return [int(place) for place in np.argsort(numbers)]
    places = places_of(graph.nodes, take.joints)
    if places is None:
        lacking = [node for node in graph.nodes if places_of([node], take.joints) is None]
        raise InputError(
            f"graph: {take.id!r} has no joint {(lacking or graph.nodes)[0]!r}, or more than one of that name; it has "
            f"{', '.join(take.joints[:8])}{', ...' if len(take.joints) > 8 else ''}. Rename them, or give a graph with "
            "the names of the file: stx.STGraph.from_edges(joints, bones)."
        )
    return places


def _numbered(joints: Sequence[str]) -> bool:
    """Whether joints are called by their numbers, from 0 or 1, as where programs have no names for them."""
    numbers = sorted(int(name) for name in joints if name.isascii() and name.isdigit())
    return len(numbers) == len(joints) and numbers in (list(range(len(joints))), list(range(1, len(joints) + 1)))


def graph_given(graph: STGraph | str | Path | None) -> STGraph | None:
    """The graph as it was given: by itself, as a table of joints, or as the name of a skeleton."""
    if graph is None or isinstance(graph, STGraph):
        return graph
    if Path(graph).suffix.lower() == ".csv":
        return read_skeleton(given_path(graph, "graph"))
    return STGraph.skeleton(str(graph))


def graph_of(take: Take) -> STGraph:
    """The graph of a recording: its own skeleton, or the only known one with as many joints.

    Raises:
        InputError: where several have as many, or none.
    """
    if take.joints and take.bones:
        return STGraph.from_edges(take.joints, take.bones)
    count = take.values.shape[2]
    named = bool(take.joints) and not _numbered(take.joints)
    known = take.skeletons or [name for name in skeleton_names() if named or name not in _BY_NAME_ALONE]
    fitting = [name for name in known if len(skeleton_named(name).joints) == count]
    if named:
        fitting = [name for name in fitting if places_of(skeleton_named(name).joints, take.joints) is not None]
    if len(fitting) == 1 and not (fitting[0] == "kinect-v1" and take.joints):
        return STGraph.skeleton(fitting[0])
    few = f"{' and '.join(fitting)} have {count} joints" if fitting else f"no known skeleton has these {count} joints"
    listed = f" ({', '.join(take.joints[:3])}{', ...' if count > 3 else ''})" if named else ""
    raise InputError(
        f"graph: it is not known for certain: {few}{listed}. Give the name of one, or a graph of your own: the path of "
        "a CSV with the columns joint and parent, or an STGraph."
    )
