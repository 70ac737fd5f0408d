"""The nearest neighbours of points, and their distances, without a matrix of all pairs."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from stexplain.errors import InputError
from stexplain.graph.distances import Pairs
from stexplain.graph.labels import as_table, is_table, own_names, table_numbers

EARTH_RADIUS = 6_371_008.8
"""The mean radius of the earth in metres (IUGG)."""
_LONGITUDE, _LATITUDE = ("longitude", "lon", "lng", "long"), ("latitude", "lat")
# Rows of distances at a time, for the spread of all of them: bounds memory, changes no number.
_BLOCK = 256


def of_columns(coordinates: Any, geographic: bool | None) -> tuple[list[str] | None, Any, bool]:
    """The nodes' names, the coordinates, and whether they are longitude and latitude, of a table by its columns' names.

    Args:
        coordinates: a table; anything else is given back, without names.
        geographic: as the caller says; none: by the columns' names.

    Raises:
        InputError: where the columns do not tell what is what.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"sensor": [7], "lat": [34.1], "lon": [-118.2]}).set_index("sensor")
        >>> names, points, geographic = of_columns(table, None)
        >>> names, points.tolist(), geographic
        (['7'], [[-118.2, 34.1]], True)
    """
    table = as_table(coordinates)
    if not is_table(table):
        return None, coordinates, bool(geographic)
    if table is not coordinates and list(table.columns) == list(range(table.shape[1])):
        # An array whose nodes alone have names.
        return own_names(table), table.to_numpy(), bool(geographic)
    coordinates = table
    columns = [str(name) for name in coordinates.columns]
    lower = [name.strip().lower() for name in columns]
    sphere = [_first(lower, names) for names in (_LONGITUDE, _LATITUDE)]
    plane = [lower.index(name) for name in ("x", "y", "z") if lower.count(name) == 1]
    if None not in sphere:
        if geographic is False:
            raise InputError(f"geographic: got False with the columns {columns}; expected columns x and y.")
        chosen, geographic = [place for place in sphere if place is not None], True
    elif len(plane) >= 2 and lower[plane[0]] == "x" and lower[plane[1]] == "y" and not geographic:
        chosen, geographic = plane, False
    else:
        expected = "longitude and latitude" if geographic else "x, y and z, or longitude and latitude"
        raise InputError(
            f"coordinates: got a table with the columns {columns}; expected {expected}. Rename them, or give an array."
        )
    return own_names(coordinates), table_numbers(coordinates.iloc[:, chosen]), geographic


def _first(columns: list[str], names: tuple[str, ...]) -> int | None:
    return next((columns.index(name) for name in names if name in columns), None)


def checked_points(coordinates: ArrayLike, geographic: bool) -> NDArray[np.float64]:
    """Points ``[N, 2]`` or ``[N, 3]``; see `STGraph.from_coordinates`.

    Longitudes of 0 to 360 degrees become -180 to 180.
    """
    try:
        points = np.array(coordinates, dtype=np.float64)
    except (TypeError, ValueError):
        text = [one for one in np.asarray(coordinates, object).ravel() if isinstance(one, str) and not _is_number(one)]
        got = f"text such as {text[0]!r}" if text else "rows that are not numbers"
        raise InputError(
            f"coordinates: got {got}; expected [N, 2], a point per node, of numbers with a decimal point; of degrees "
            "and minutes degrees + minutes / 60, negative in the south and west."
        ) from None
    if points.ndim != 2 or points.shape[1] not in ((2,) if geographic else (2, 3)):
        expected = "[N, 2], longitude and latitude" if geographic else "[N, 2] or [N, 3], a point"
        raise InputError(f"coordinates has shape {points.shape}; expected {expected} per node.")
    invalid = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if invalid.size:
        node = invalid[0]
        raise InputError(f"coordinates of node {node}: got {points[node].tolist()}; expected finite numbers.")
    if not geographic:
        return points
    out = np.flatnonzero((points[:, 0] < -180) | (points[:, 0] > 360) | (np.abs(points[:, 1]) > 90))
    if out.size:
        raise InputError(
            f"coordinates of node {out[0]}: got longitude {points[out[0], 0]} and latitude {points[out[0], 1]}; "
            "expected degrees, the longitude first, in [-180, 180] or [0, 360], then the latitude, in [-90, 90]."
        )
    points[:, 0] = np.where(points[:, 0] > 180, points[:, 0] - 360, points[:, 0])
    return points


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def neighbour_pairs(points: NDArray[np.float64], nearest: int, geographic: bool) -> Pairs:
    """The pairs of each node with its nearest, in both directions.

    Args:
        points: of `checked_points`.
        nearest: how many neighbours each node has at least in the result; more where several are as near as the last.
        geographic: whether points are longitude and latitude.

    Example:
        >>> pairs = neighbour_pairs(np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]]), 1, False)
        >>> pairs.source.tolist(), pairs.target.tolist()
        ([0, 1, 1, 2], [1, 0, 2, 1])
    """
    count = len(points)
    if count < 2:
        none = np.zeros(0, np.int64)
        return Pairs(None, count, none, none, np.zeros(0))
    # On the sphere, straight lines through the earth are in the same order as great circles.
    places = _on_sphere(points) if geographic else points
    tree = cKDTree(places)
    within = np.asarray(tree.query(places, k=[min(nearest + 1, count)])[0])[:, 0]
    # All as near as the last one, so that ties are broken by the order of the nodes, and the node itself.
    found = tree.query_ball_point(places, within * (1 + 1e-9) + 1e-12 * float(np.ptp(places)), return_sorted=True)
    target = np.repeat(np.arange(count), [len(one) for one in found])
    source = np.concatenate([np.asarray(one, np.int64) for one in found])
    keys = np.unique(np.concatenate([source * count + target, target * count + source]))
    source, target = keys // count, keys % count
    apart = source != target
    source, target = source[apart], target[apart]
    return Pairs(None, count, source, target, distance_between(points[source], points[target], geographic))


def spread_of_distances(points: NDArray[np.float64], geographic: bool) -> float:
    """The standard deviation of the distances of all pairs, each node with itself among them.

    Example:
        >>> spread_of_distances(np.array([[0.0, 0.0], [2.0, 0.0]]), False)
        1.0
    """
    total = squares = 0.0
    for start in range(0, len(points), _BLOCK):
        block = distance_between(points[start : start + _BLOCK, None], points[None], geographic)
        total += float(block.sum())
        squares += float(np.square(block).sum())
    count = max(len(points), 1) ** 2
    return float(np.sqrt(max(squares / count - (total / count) ** 2, 0.0)))


def distance_between(one: NDArray[Any], other: NDArray[Any], geographic: bool) -> NDArray[np.float64]:
    """The distances between points, in the unit of the coordinates; in metres between longitudes and latitudes.

    Example:
        >>> float(distance_between(np.array([0.0, 0.0]), np.array([3.0, 4.0]), False))
        5.0
    """
    if not geographic:
        return np.asarray(np.linalg.norm(one - other, axis=-1))
    one, other = np.radians(one), np.radians(other)
    # Haversine: half = sin^2(d / 2R), stable for near points, where the cosine formula cancels.
    half = np.sin((one[..., 1] - other[..., 1]) / 2) ** 2
    half = half + np.cos(one[..., 1]) * np.cos(other[..., 1]) * np.sin((one[..., 0] - other[..., 0]) / 2) ** 2
    # Rounding may leave `half` a little outside of [0, 1], where arcsin is NaN.
    return np.asarray(2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.clip(half, 0, 1))))


def _on_sphere(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitude and latitude in degrees as points of the unit sphere, ``[N, 3]``."""
    longitude, latitude = np.radians(points).T
    across = np.cos(latitude)
    return np.stack([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)], axis=1)
