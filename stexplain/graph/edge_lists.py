"""Edge lists from an adjacency matrix, distances or coordinates: functions of arrays, used by `construct`."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from stexplain.errors import InputError

EdgeList = tuple[int, NDArray[np.int64], NDArray[np.float64], bool]
"""N, edges ``[E, 2]``, weights ``[E]``, and whether the edges are directed."""


def adjacency_edges(matrix: Any, directed: bool | None) -> EdgeList:
    """The edges of an adjacency matrix ``[N, N]`` without its diagonal; see `STGraph.from_adjacency`."""
    try:
        entries = sp.coo_array(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"matrix: got a {type(matrix).__name__} without numbers; expected a matrix [N, N].") from None
    if entries.ndim != 2 or entries.shape[0] != entries.shape[1]:
        raise InputError(f"matrix has shape {entries.shape}; expected [N, N].")
    # A sparse matrix may hold one entry in parts, which count together.
    entries.sum_duplicates()
    invalid = ~np.isfinite(entries.data)
    _refuse(entries.row[invalid], entries.col[invalid], entries.data[invalid], "matrix", "a finite number")
    present = (entries.row != entries.col) & (entries.data != 0)
    row, col, data = entries.row[present], entries.col[present], entries.data[present]
    count = int(entries.shape[0])
    square = sp.csr_array((data, (row, col)), shape=(count, count))
    difference = sp.coo_array(square - square.T)
    difference.eliminate_zeros()
    if directed is False and difference.nnz:
        source, target = int(difference.row[0]), int(difference.col[0])
        raise InputError(
            f"matrix is not symmetric: [{source}, {target}] is {square[source, target]} and "
            f"[{target}, {source}] is {square[target, source]}. Give directed=True, or a symmetric matrix."
        )
    directed = bool(difference.nnz) if directed is None else directed
    if not directed:
        # The lower triangle repeats the upper one.
        upper = row < col
        row, col, data = row[upper], col[upper], data[upper]
    order = np.lexsort((col, row))
    return count, np.stack([row, col], axis=1)[order].astype(np.int64), data[order], directed


def kernel_edges(
    distances: ArrayLike, sigma: float | None, threshold: float | None, nearest: int | None, directed: bool | None
) -> EdgeList:
    """The edges of a Gaussian kernel over distances ``[N, N]``; see `STGraph.from_distances`."""
    values = np.array(distances, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise InputError(f"distances has shape {values.shape}; expected [N, N].")
    rows, cols = np.nonzero(~(values >= 0))  # this way round, NaN is invalid too
    _refuse(rows, cols, values[rows, cols], "distances", "at least 0, infinite where there is no path")
    if threshold is not None and not 0 <= threshold <= 1:
        raise InputError(f"threshold: got {threshold}; expected a weight in [0, 1], the range of the kernel.")
    if nearest is not None and (not isinstance(nearest, int) or nearest < 1):
        raise InputError(f"nearest: got {nearest!r}; expected an integer of at least 1.")
    finite = values[np.isfinite(values)]
    width = float(finite.std()) if sigma is None and finite.size else float(sigma or 0)
    if not (width > 0 and np.isfinite(width)):
        given = f"got {sigma}" if sigma is not None else f"got {width}, as the finite distances are all the same"
        raise InputError(f"sigma: {given}; expected a finite number above 0, in the unit of the distances.")
    weight = np.exp(-np.square(values / width))
    # 0.1 is DCRNN's threshold (Li et al. 2018).
    least = (0.1 if nearest is None else 0.0) if threshold is None else threshold
    mask = np.isfinite(values) & (weight >= least)
    np.fill_diagonal(mask, False)
    if nearest is not None:
        # Per column, as edges into a node are counted; a stable sort breaks ties by the order of nodes.
        ranked = np.where(mask, values, np.inf)
        order = np.argsort(ranked, axis=0, kind="stable")[:nearest]
        selected = np.zeros_like(mask)
        np.put_along_axis(selected, order, True, axis=0)
        mask &= selected
    symmetric = np.array_equal(values, values.T)
    if directed is False and not symmetric:
        raise InputError("distances is not symmetric. Give directed=True, or symmetric distances.")
    directed = not symmetric if directed is None else directed
    if not directed:
        mask = np.triu(mask | mask.T)
    source, target = np.nonzero(mask)
    return len(values), np.stack([source, target], axis=1), weight[source, target], directed


EARTH_RADIUS = 6_371_008.8
"""The mean radius of the earth in metres (IUGG)."""


def pairwise_distances(coordinates: ArrayLike, geographic: bool) -> NDArray[np.float64]:
    """The distances between points ``[N, 2]`` as ``[N, N]``; see `STGraph.from_coordinates`."""
    points = np.asarray(coordinates, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"coordinates has shape {points.shape}; expected [N, 2], a point per node.")
    invalid = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if invalid.size:
        node = invalid[0]
        raise InputError(f"coordinates of node {node}: got {points[node].tolist()}; expected finite numbers.")
    if not geographic:
        # [N, 1, 2] - [N, 2]: differences of all pairs.
        return np.asarray(np.hypot(*(points[:, None] - points).transpose(2, 0, 1)))
    out = np.flatnonzero((np.abs(points[:, 0]) > 180) | (np.abs(points[:, 1]) > 90))
    if out.size:
        raise InputError(
            f"coordinates of node {out[0]}: got longitude {points[out[0], 0]} and latitude {points[out[0], 1]}; "
            "expected degrees, the longitude first, in [-180, 180], then the latitude, in [-90, 90]."
        )
    longitude, latitude = np.radians(points).T
    # Haversine: half = sin^2(d / 2R), stable for near points, where the cosine formula cancels.
    half = np.sin((latitude[:, None] - latitude) / 2) ** 2
    half += np.cos(latitude)[:, None] * np.cos(latitude) * np.sin((longitude[:, None] - longitude) / 2) ** 2
    # Rounding may leave `half` a little outside of [0, 1], where arcsin is NaN.
    return np.asarray(2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.clip(half, 0, 1))))


def _refuse(rows: NDArray[Any], cols: NDArray[Any], values: NDArray[Any], name: str, expected: str) -> None:
    """Raises for the first of these invalid entries, where there is one."""
    if len(rows):
        raise InputError(f"{name} at [{rows[0]}, {cols[0]}]: got {values[0]}; expected {expected}.")
