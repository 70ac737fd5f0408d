"""What an STGraph is made of, read from matrices, distances and networkx."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from stexplain.errors import InputError

EdgeList = tuple[int, NDArray[np.int64], NDArray[np.float64], bool]
"""N, edges ``[E, 2]``, weights ``[E]``, and whether the edges are directed."""


def matrix_edges(matrix: Any, directed: bool | None) -> EdgeList:
    """The edges of an adjacency matrix ``[N, N]`` without its diagonal; see `STGraph.from_adjacency`."""
    try:
        found = sp.coo_array(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"the adjacency is a {type(matrix).__name__} of no numbers; wanted a matrix [N, N].") from None
    if found.ndim != 2 or found.shape[0] != found.shape[1]:
        raise InputError(f"the adjacency has shape {found.shape}; wanted [N, N].")
    found.sum_duplicates()
    bad = ~np.isfinite(found.data)
    _refuse(found.row[bad], found.col[bad], found.data[bad], "the adjacency", "a finite number")
    kept = (found.row != found.col) & (found.data != 0)
    row, col, data = found.row[kept], found.col[kept], found.data[kept]
    count = int(found.shape[0])
    square = sp.csr_array((data, (row, col)), shape=(count, count))
    difference = sp.coo_array(square - square.T)
    difference.eliminate_zeros()
    if directed is False and difference.nnz:
        source, target = int(difference.row[0]), int(difference.col[0])
        raise InputError(
            f"the adjacency is not symmetric: [{source}, {target}] is {square[source, target]} and "
            f"[{target}, {source}] is {square[target, source]}. Give directed=True, or a symmetric matrix."
        )
    way = bool(difference.nnz) if directed is None else directed
    if not way:
        upper = row < col
        row, col, data = row[upper], col[upper], data[upper]
    order = np.lexsort((col, row))
    return count, np.stack([row, col], axis=1)[order].astype(np.int64), data[order], way


def kernel_edges(
    distances: ArrayLike, sigma: float | None, threshold: float | None, nearest: int | None, directed: bool | None
) -> EdgeList:
    """The edges of a Gaussian kernel over distances ``[N, N]``; see `STGraph.from_distances`."""
    values = np.array(distances, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise InputError(f"distances have shape {values.shape}; wanted [N, N].")
    rows, cols = np.nonzero(~(values >= 0))
    _refuse(rows, cols, values[rows, cols], "distances", "a distance of at least 0, infinite where there is no way")
    if threshold is not None and not 0 <= threshold <= 1:
        raise InputError(f"threshold is {threshold}; wanted a weight in [0, 1], as the kernel gives.")
    if nearest is not None and (not isinstance(nearest, int) or nearest < 1):
        raise InputError(f"nearest is {nearest!r}; wanted a whole number of at least 1.")
    finite = values[np.isfinite(values)]
    width = float(finite.std()) if sigma is None and finite.size else float(sigma or 0)
    if not (width > 0 and np.isfinite(width)):
        why = (
            f"sigma is {sigma}"
            if sigma is not None
            else f"sigma would be {width}: the finite distances are all the same"
        )
        raise InputError(f"{why}; wanted a finite number above 0, in the unit of the distances.")
    weight = np.exp(-np.square(values / width))
    least = (0.1 if nearest is None else 0.0) if threshold is None else threshold
    kept = np.isfinite(values) & (weight >= least)
    np.fill_diagonal(kept, False)
    if nearest is not None:
        ranked = np.where(kept, values, np.inf)
        order = np.argsort(ranked, axis=0, kind="stable")[:nearest]
        chosen = np.zeros_like(kept)
        np.put_along_axis(chosen, order, True, axis=0)
        kept &= chosen
    same = np.array_equal(values, values.T)
    if directed is False and not same:
        raise InputError("the distances are not symmetric. Give directed=True, or symmetric distances.")
    way = not same if directed is None else directed
    if not way:
        kept = np.triu(kept | kept.T)
    source, target = np.nonzero(kept)
    return len(values), np.stack([source, target], axis=1), weight[source, target], way


def networkx_parts(graph: Any, weight: str, position: str) -> dict[str, Any]:
    """The arguments of an STGraph from a networkx graph; see `STGraph.from_networkx`."""
    if not all(hasattr(graph, name) for name in ("is_directed", "nodes", "edges", "graph")):
        raise InputError(f"a {type(graph).__name__} came; wanted a networkx Graph or DiGraph.")
    place = {node: index for index, node in enumerate(graph.nodes)}
    links = list(graph.edges(data=weight, default=1.0))
    groups = {name: [str(node) for node in members] for name, members in graph.graph.get("groups", {}).items()}
    center = graph.graph.get("center")
    points = {str(node): point for node, point in graph.nodes(data=position) if point is not None}
    return {
        "nodes": [str(node) for node in graph.nodes],
        "edges": [(place[source], place[target]) for source, target, _ in links],
        "weight": [value for _, _, value in links],
        "groups": groups,
        "positions": points or None,
        "center": None if center is None else str(center),
        "directed": graph.is_directed(),
    }


def _refuse(rows: NDArray[Any], cols: NDArray[Any], values: NDArray[Any], name: str, wanted: str) -> None:
    """Refuses the entries at these places; none is well."""
    if len(rows):
        raise InputError(f"{name} at [{rows[0]}, {cols[0]}] is {values[0]}; wanted {wanted}.")
