"""Where the nodes of a graph are drawn: at its own positions, or where a layout puts them."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.graph import STGraph

COMPUTED = "Where nodes lie is computed: the graph has no positions."
"""What a chart says of a layout that is not the graph's own."""
_UNTANGLED = 300
"""Larger parts of a graph have the force-directed layout: the cost of the better one is cubic."""


def drawing_positions(graph: STGraph, seed: int) -> NDArray[np.float64]:
    """The graph's own positions, or those of a layout that is computed once, ``[N, 2]``."""
    if graph.positions is not None:
        return np.asarray(graph.positions, dtype=np.float64)
    return _layout(graph, seed).copy()


def centred(points: NDArray[np.float64], valid: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Points ``[..., N, 2]`` about the middle of all that are drawn, where they lie far from zero; else as they are.

    Charts keep five digits of them: of metres on a map, which begin in the millions, or of degrees these would be no
    places any more.

    Example:
        >>> centred(np.array([[4480123.0, 0.0], [4480125.0, 1.0]])).tolist()
        [[-1.0, 0.0], [1.0, 1.0]]
    """
    drawn = points if valid is None else points[valid]
    low, high = (extreme(drawn.reshape(-1, 2), axis=0) for extreme in (np.nanmin, np.nanmax))
    middle, half = (low + high) / 2, (high - low) / 2
    return points - np.where(np.abs(middle) > 10 * half, middle, 0.0)


# Charts of one graph are drawn again and again, and the layout of 2,000 nodes takes many seconds.
@lru_cache(maxsize=16)
def _layout(graph: STGraph, seed: int) -> NDArray[np.float64]:
    """Each connected part on its own, the largest first, beside and below each other, ``[N, 2]``.

    A layout of the whole graph pushes parts that no edge holds far away, and squeezes the others to a knot.
    """
    import networkx as nx

    plain = nx.Graph()
    plain.add_nodes_from(range(len(graph.nodes)))
    plain.add_edges_from(np.asarray(graph.edges).tolist())
    parts = sorted((sorted(part) for part in nx.connected_components(plain)), key=lambda part: (-len(part), part))
    placed = [_part(plain.subgraph(part), part, seed) for part in parts]
    # Shelves: parts stand side by side, with a gap as long as an edge, until a shelf is as wide as the drawing.
    sizes = np.array([np.ptp(points, axis=0) + 1.0 for points in placed])
    width = max(float(sizes[0, 0]), 1.3 * float(np.sqrt(sizes.prod(axis=1).sum())))
    found = np.zeros((len(graph.nodes), 2))
    x, y, tall = 0.0, 0.0, 0.0
    for part, points, (across, upward) in zip(parts, placed, sizes, strict=True):
        if x > 0 and x + across > width + 1e-9:
            x, y, tall = 0.0, y - tall, 0.0
        low, high = points.min(axis=0), points.max(axis=0)
        # From the upper left corner of its place.
        found[part] = points - [low[0], high[1]] + [x, y]
        x, tall = x + float(across), max(tall, float(upward))
    return found


def _part(plain: Any, part: list[int], seed: int) -> NDArray[np.float64]:
    """A connected part, in which half of the edges are longer than one."""
    import networkx as nx

    if len(part) == 1:
        return np.zeros((1, 2))
    placed = nx.spring_layout(plain, seed=seed, iterations=100)
    # Kamada and Kawai's layout untangles small graphs best.
    if len(part) <= _UNTANGLED:
        placed = nx.kamada_kawai_layout(plain, pos=placed)
    points = np.array([placed[index] for index in part], dtype=np.float64)
    at = {index: row for row, index in enumerate(part)}
    ends = np.array([(at[a], at[b]) for a, b in plain.edges if a != b])
    lengths = np.hypot(*(points[ends[:, 0]] - points[ends[:, 1]]).T)
    return points / max(float(np.median(lengths)), 1e-9)
