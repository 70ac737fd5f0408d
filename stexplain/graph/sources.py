"""What an STGraph is made of, read from matrices, distances and networkx."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from stexplain.errors import InputError, unknown

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


EARTH = 6_371_008.8
"""The mean radius of the earth in metres (IUGG)."""


def between(coordinates: ArrayLike, geographic: bool) -> NDArray[np.float64]:
    """The distances between points ``[N, 2]``, ``[N, N]``; see `STGraph.from_coordinates`."""
    points = np.asarray(coordinates, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"coordinates have shape {points.shape}; wanted [N, 2], a point per node.")
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if bad.size:
        raise InputError(f"the coordinates of node {bad[0]} are {points[bad[0]].tolist()}; wanted finite numbers.")
    if not geographic:
        return np.asarray(np.hypot(*(points[:, None] - points).transpose(2, 0, 1)))
    out = np.flatnonzero((np.abs(points[:, 0]) > 180) | (np.abs(points[:, 1]) > 90))
    if out.size:
        raise InputError(
            f"node {out[0]} lies at longitude {points[out[0], 0]} and latitude {points[out[0], 1]}; wanted degrees, "
            "the longitude first, in [-180, 180], then the latitude, in [-90, 90]."
        )
    longitude, latitude = np.radians(points).T
    half = np.sin((latitude[:, None] - latitude) / 2) ** 2
    half += np.cos(latitude)[:, None] * np.cos(latitude) * np.sin((longitude[:, None] - longitude) / 2) ** 2
    return np.asarray(2 * EARTH * np.arcsin(np.sqrt(np.clip(half, 0, 1))))


def table_parts(
    table: Any, nodes: Iterable[str] | None, source: str | None, target: str | None, weight: str | None
) -> dict[str, Any]:
    """The nodes, edges and weights of an STGraph from a table of edges; see `STGraph.from_pandas`."""
    columns = [str(name) for name in table.columns]
    if len(columns) < 2:
        raise InputError(
            f"the table has the columns {columns}; wanted at least two, the source and the target of edges."
        )
    for name in (source, target, weight):
        if name is not None and name not in table.columns:
            raise unknown("column", name, columns)
    ends = [table.iloc[:, place] if name is None else table[name] for place, name in enumerate((source, target))]
    sources, targets = ([str(value) for value in column.tolist()] for column in ends)
    names = list(dict.fromkeys([*sources, *targets])) if nodes is None else [str(name) for name in nodes]
    known = set(names)
    for name in [*sources, *targets]:
        if name not in known:
            raise unknown("node (in the table of edges)", name, names)
    weight = weight or ("weight" if "weight" in table.columns else None)
    return {
        "nodes": names,
        "edges": list(zip(sources, targets, strict=True)),
        "weight": None if weight is None else table[weight].to_numpy(),
    }


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
