"""Self loops of published graphs: a kernel's own are left out in silence, all others are named."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.graph.notices import warn_of_loops


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


def without_loops(pairs: pd.DataFrame, nodes: Sequence[str], weight: Any = None) -> NDArray[np.bool_]:
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
        >>> without_loops(pd.DataFrame({"from": ["a", "a", "b"], "to": ["a", "b", "b"]}), ["a", "b"]).tolist()
        [False, True, False]
    """
    source, target = pairs.iloc[:, 0], pairs.iloc[:, 1]
    loops = (source == target).to_numpy()
    strength = np.ones(len(pairs)) if weight is None else np.asarray(pd.to_numeric(weight, errors="coerce"), np.float64)
    heavy = loops & (strength != 0)
    named = list(dict.fromkeys(source[heavy].astype(str)))
    if set(named) != set(map(str, nodes)) or not (strength[heavy] == 1).all():
        warn_of_loops(named)
    return np.asarray(~loops)
