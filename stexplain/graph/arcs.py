"""Arcs: the edges of a graph as messages flow, which is what relations and exports are made of."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Arcs:
    """The directed edges of a graph: an undirected edge in both directions, no self loops.

    Attributes:
        nodes: N, the number of nodes.
        source: ``[A]``, int64.
        target: ``[A]``, int64.
        weight: ``[A]``, float64.
        directed: whether the graph is directed.
        center: the index of the centre node, or none.
    """

    nodes: int
    source: Ints
    target: Ints
    weight: Floats
    directed: bool
    center: int | None

    def matrix(self) -> "sp.csr_array[np.float64]":
        """The adjacency ``[N, N]``, row = source."""
        return sp.csr_array((self.weight, (self.source, self.target)), shape=(self.nodes, self.nodes))

    def hops(self, *, directed: bool | None = None, start: int | None = None) -> Floats:
        """Hop distances, infinite where there is no path: ``[N, N]``, or ``[N]`` from the node `start`."""
        # Ones, not weights: a hop counts edges, and an edge of weight zero is an edge.
        links = sp.csr_array((np.ones(len(self.source)), (self.source, self.target)), shape=(self.nodes, self.nodes))
        respected = self.directed if directed is None else directed
        hops: Floats = shortest_path(links, method="D", directed=respected, unweighted=True, indices=start)
        return hops
