"""What is said once where a graph enters: self loops that are left out, nodes without an edge, negative weights."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stexplain.checking import warn_caller
from stexplain.graph.distances import is_distance


def warn_of_graph(nodes: Sequence[str], edges: NDArray[np.int64], weight: NDArray[np.float64]) -> None:
    """Warns of what a reader of data would want to know of a graph that enters.

    Args:
        nodes: N names.
        edges: ``[E, 2]``.
        weight: ``[E]``.

    Warns:
        UserWarning: of nodes without an edge, and of negative weights, with the first of them by name.
    """
    lonely = np.setdiff1d(np.arange(len(nodes)), edges)
    # A single node has nothing to be joined with.
    if len(lonely) and len(nodes) > 1:
        names = _shown([nodes[int(index)] for index in lonely])
        _warn(f"got nodes without an edge, {names}: they are kept, and exchange nothing with others.")
    warn_of_negative(nodes, edges, weight)


def warn_of_negative(nodes: Sequence[str], edges: NDArray[np.int64], weight: NDArray[np.float64]) -> None:
    """Warns of negative weights, with the first by name; see `warn_of_graph`."""
    negative = np.flatnonzero(weight < 0)
    if len(negative):
        source, target = (nodes[int(end)] for end in edges[negative[0]])
        _warn(
            f"{len(negative)} of {len(edges)} weights are negative, such as that of {source!r} - {target!r}, "
            f"{weight[negative[0]]:.3g}: they are kept, and named relations refuse them. Take their absolute "
            "value, or leave these edges out.",
        )


def warn_of_loops(nodes: Sequence[str]) -> None:
    """Warns that self loops were left out, where there are some.

    Args:
        nodes: the names of their nodes.
    """
    if len(nodes):
        _warn(f"self loops were excluded, of {_shown(nodes)}: relations add their own.")


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
