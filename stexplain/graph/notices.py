"""What is said once where a graph enters: self loops that are left out, nodes without an edge, negative weights."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stexplain.checking import warn_caller
from stexplain.graph.distances import is_distance

if TYPE_CHECKING:
    from stexplain.graph.fields import GraphFields


def warn_of(graph: "GraphFields", loops: NDArray[np.int64] | None = None) -> None:
    """Warns of what a reader of data would want to know of a graph.

    Args:
        graph: as it was built.
        loops: the indices of nodes whose self loop was left out.

    Warns:
        UserWarning: a sentence for each kind, with the names of the first nodes.
    """
    if loops is not None and len(loops):
        names = _shown([graph.nodes[int(index)] for index in loops])
        _warn(f"self loops were excluded, of {names}: relations add their own.")
    lonely = np.setdiff1d(np.arange(len(graph)), graph.edges)
    # A single node has nothing to be joined with.
    if len(lonely) and len(graph) > 1:
        names = _shown([graph.nodes[int(index)] for index in lonely])
        _warn(f"got nodes without an edge, {names}: they are kept, and exchange nothing with others.")
    negative = np.flatnonzero(graph.weight < 0)
    if len(negative):
        source, target = (graph.nodes[int(end)] for end in graph.edges[negative[0]])
        _warn(
            f"{len(negative)} of {len(graph.edges)} weights are negative, such as that of {source!r} - {target!r}, "
            f"{graph.weight[negative[0]]:.3g}: they are kept, and named relations refuse them. Take their absolute "
            "value, or leave these edges out.",
        )


def warn_of_distances(column: str) -> None:
    """Warns where a column that is taken for weights has a name of distances.

    Args:
        column: its name.
    """
    if is_distance(column):
        _warn(
            f"the column {column!r} is taken for weights, by which the far are strong; of distances, give "
            "STGraph.from_distances(table), by which the near are.",
        )


def warn_of_unused(columns: Sequence[str]) -> None:
    """Warns where a column named like distances is not used.

    Args:
        columns: that are not used.
    """
    for column in filter(is_distance, columns):
        _warn(
            f"the column {column!r} is not used, and every edge has the weight 1; of distances, give "
            "STGraph.from_distances(table), or name it by weight=, if the far are strong."
        )


def warn_of_negative_correlations(count: int) -> None:
    """Warns that negative correlations as strong as edges were left out."""
    what = "one correlation is" if count == 1 else f"{count} correlations are"
    _warn(
        f"{what} negative and as strong as those that are edges: excluded. negative='absolute' counts their size.",
    )


def warn_of_ready_correlations(count: int, nodes: int) -> None:
    """Warns that matrices of correlations were taken as they are."""
    what = f"a matrix {nodes} x {nodes} of correlations" if count == 1 else f"{count} matrices of correlations"
    _warn(f"got {what}, taken as given: nothing was correlated again.")


def _shown(names: Sequence[str]) -> str:
    count = "one node" if len(names) == 1 else f"{len(names)} nodes"
    return f"{count} ({', '.join(map(repr, names[:5]))}{', ...' if len(names) > 5 else ''})"


def _warn(sentence: str) -> None:
    warn_caller(f"graph: {sentence}")
