"""What is said once where a graph enters: self loops that are left out, nodes without an edge, negative weights."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.checking import warn_caller
from stexplain.graph.given.columns import WEIGHTS, is_distance
from stexplain.wording import agree


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
        count, _, names = _shown([nodes[int(index)] for index in lonely]).partition(" (")
        they = "it is kept, and exchanges" if len(lonely) == 1 else "they are kept, and exchange"
        _warn(f"got {count} without an edge ({names}: {they} nothing with others.")
    warn_of_negative(nodes, edges, weight)


def warn_of_negative(nodes: Sequence[str], edges: NDArray[np.int64], weight: NDArray[np.float64]) -> None:
    """Warns of negative weights, with the first by name; see `warn_of_graph`."""
    negative = np.flatnonzero(weight < 0)
    if len(negative):
        source, target = (nodes[int(end)] for end in edges[negative[0]])
        _warn(
            f"{len(negative)} of {len(edges)} weights {agree(len(negative), 'is', 'are')} negative, such as "
            f"that of {source!r} - {target!r}, "
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


def warn_of_unused(columns: Sequence[str], lone: bool = False) -> None:
    """Warns where a column named like distances or weights is not used.

    Args:
        columns: that are not used.
        lone: whether it is the only one, and holds numbers: it is then named, whatever it is called.
    """
    for column in columns:
        if is_distance(column):
            _warn(
                f"the column {column!r} is not used, and every edge has the weight 1; of distances, give "
                "STGraph.from_distances(table), or name it by weight=, if the far are strong."
            )
        elif lone or column.strip().lower() in WEIGHTS:
            _warn(f"{column!r} is not used, and every edge has the weight 1. Name it: weight={column!r}.")


def warn_of_half(edges: NDArray[np.int64], size: int, what: str) -> None:
    """Warns of a matrix of which one half is empty, where it has more entries than a tree.

    Of a river, where all water goes down, each node but the last has one entry at most.

    Args:
        edges: ``[E, 2]``.
        size: N.
        what: the argument.
    """
    source, target = edges[:, 0], edges[:, 1]
    above = bool((source < target).all())
    if len(edges) >= max(size, 3) and (above or bool((source > target).all())):
        _warn(
            f"{what} has entries {'above' if above else 'below'} the diagonal alone, and is taken as directed. Where "
            "they are half of a symmetric one, give m + m.T; where they are meant so, directed=True."
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


def without_kernel_diagonal(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights without a diagonal of ones, which a Gaussian kernel has by construction: exp(-0) = 1.

    Published adjacencies have it at every node, and relations add the same. Any other diagonal stays, so that
    `STGraph.from_adjacency` leaves it out and names its nodes.

    Args:
        matrix: ``[N, N]``; it is not changed.

    Example:
        >>> without_kernel_diagonal(np.ones((2, 2))).tolist()
        [[0.0, 1.0], [1.0, 0.0]]
        >>> without_kernel_diagonal(np.array([[1.0, 2.0], [2.0, 0.0]])).tolist()
        [[1.0, 2.0], [2.0, 0.0]]
    """
    if not (np.diag(matrix) == 1).all():
        return matrix
    bare = matrix.copy()
    np.fill_diagonal(bare, 0)
    return bare


def without_loops(pairs: Any, nodes: Sequence[str], weight: Any = None) -> NDArray[np.bool_]:
    """Which rows of a table of edges join two nodes; loops are named, but those of weight 1 at every node.

    Args:
        pairs: a row for each edge, its first two columns source and target.
        nodes: the names of all nodes.
        weight: of each row, or its distance: at zero there is no loop, but a node at no distance from itself; none: 1.

    Returns:
        ``[rows]``, bool.

    Warns:
        UserWarning: of the loops, with the names of the first nodes.

    Example:
        >>> import pandas as pd
        >>> without_loops(pd.DataFrame({"from": ["a", "a", "b"], "to": ["a", "b", "b"]}), ["a", "b"]).tolist()
        [False, True, False]
    """
    import pandas as pd  # on demand: who has a table has it

    source, target = pairs.iloc[:, 0], pairs.iloc[:, 1]
    loops = (source == target).to_numpy()
    strength = np.ones(len(pairs)) if weight is None else np.asarray(pd.to_numeric(weight, errors="coerce"), np.float64)
    heavy = loops & (strength != 0)
    named = list(dict.fromkeys(source[heavy].astype(str)))
    if set(named) != set(map(str, nodes)) or not (strength[heavy] == 1).all():
        warn_of_loops(named)
    return np.asarray(~loops)


def _shown(names: Sequence[str]) -> str:
    count = "one node" if len(names) == 1 else f"{len(names)} nodes"
    return f"{count} ({', '.join(map(repr, names[:5]))}{', ...' if len(names) > 5 else ''})"


def _warn(sentence: str) -> None:
    warn_caller(f"graph: {sentence}")
