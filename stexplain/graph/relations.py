"""Relations: the K normalised edge lists of one graph convolution. `strategies` makes them of a graph.

An edge of a relation goes from source to target as messages flow: out[target] += weight * x[source]. In a matrix the
row is the source and the column the target. Weights of edges enter every strategy; self loops come from the strategy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import shortest_path

from stexplain.errors import InputError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Arcs:
    """The edges of a graph as messages flow: an undirected edge both ways, no self loops.

    Attributes:
        nodes: N, the number of nodes.
        source: ``[A]``, int64.
        target: ``[A]``, int64.
        weight: ``[A]``, float64.
        directed: whether direction means something in this graph.
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
        """The fewest edges on a way, infinite where there is none: ``[N, N]``, or ``[N]`` from a start."""
        links = sp.csr_array((np.ones(len(self.source)), (self.source, self.target)), shape=(self.nodes, self.nodes))
        along = self.directed if directed is None else directed
        found: Floats = shortest_path(links, method="D", directed=along, unweighted=True, indices=start)
        return found


@dataclass(frozen=True, eq=False)
class Relations:
    """K edge lists over the nodes of one graph, with the weights of a convolution. Immutable.

    Attributes:
        names: of the relations, K.
        source: the source of every edge, per relation ``[E_k]``, int64.
        target: the target of every edge, per relation ``[E_k]``, int64.
        weight: of every edge, per relation ``[E_k]``, float64; ``[T, E_k]`` where the graph changes over time.

    Raises:
        InputError: where the lists differ in length or a weight is not finite.

    Example:
        >>> Relations.from_matrices({"only": [[0.5, 0.5], [0.0, 1.0]]})
        Relations(only: 3 edges)
    """

    names: tuple[str, ...]
    source: tuple[Ints, ...]
    target: tuple[Ints, ...]
    weight: tuple[Floats, ...]

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.source) == len(self.target) == len(self.weight):
            raise InputError(
                f"relations got {len(self.names)} names, {len(self.source)} sources, {len(self.target)} targets and "
                f"{len(self.weight)} weights; wanted one of each per relation."
            )
        for field in ("source", "target", "weight"):
            arrays = []
            for values in getattr(self, field):
                array = np.array(values, dtype=np.float64 if field == "weight" else np.int64)
                array.setflags(write=False)
                arrays.append(array)
            object.__setattr__(self, field, tuple(arrays))
        for name, source, target, weight in zip(self.names, self.source, self.target, self.weight, strict=True):
            if not source.shape == target.shape == weight.shape[-1:]:
                raise InputError(
                    f"relation {name!r} has {source.shape} sources, {target.shape} targets and {weight.shape} weights; "
                    "wanted one of each per edge."
                )
            if not np.isfinite(weight).all():
                raise InputError(f"relation {name!r} has weights that are NaN or infinite.")

    def __len__(self) -> int:
        """The number of relations, K."""
        return len(self.names)

    @property
    def edges(self) -> int:
        """The number of edges of all relations together."""
        return sum(len(source) for source in self.source)

    def __repr__(self) -> str:
        counts = (f"{name}: {len(source)} edges" for name, source in zip(self.names, self.source, strict=True))
        return f"Relations({', '.join(counts)})"

    def matrices(self, nodes: int) -> Floats:
        """The relations as dense matrices ``[K, N, N]`` (``[T, K, N, N]`` for weights over time), row = source.

        Args:
            nodes: N.
        """
        dense = [np.zeros((*weight.shape[:-1], nodes, nodes)) for weight in self.weight]
        for matrix, source, target, weight in zip(dense, self.source, self.target, self.weight, strict=True):
            matrix[..., source, target] = weight
        return np.stack(dense, axis=-3)

    @classmethod
    def from_matrices(cls, matrices: "Mapping[str, Any] | Sequence[Any] | NDArray[Any]") -> "Relations":
        """Relations from adjacency matrices ``[N, N]``, dense or scipy sparse, row = source, by name or in order.

        Entries that are zero are no edges. Edges are sorted by source, then target.

        Raises:
            InputError: where there is none, or one is not square, or their sizes differ.

        Example:
            >>> Relations.from_matrices(np.ones((3, 2, 2)))
            Relations(0: 4 edges, 1: 4 edges, 2: 4 edges)
        """
        named = dict(matrices) if isinstance(matrices, Mapping) else {str(k): each for k, each in enumerate(matrices)}
        found = {name: sp.coo_array(each) for name, each in named.items()}
        shapes = {each.shape for each in found.values()}
        if len(shapes) != 1 or any(len(shape) != 2 or shape[0] != shape[1] for shape in shapes):
            came = ", ".join(str(shape) for shape in sorted(shapes)) or "none"
            raise InputError(f"relations need matrices of one shape [N, N]; came {came}.")
        lists = []
        for name, each in found.items():
            each.sum_duplicates()
            each.eliminate_zeros()
            lists.append((name, each.row, each.col, each.data))
        return relations_from(lists)


def relations_from(lists: Sequence[tuple[str, ArrayLike, ArrayLike, ArrayLike]]) -> Relations:
    """Relations with their edges sorted by source, then target, so that the order of the graph's edges is no matter."""
    columns: list[list[Any]] = [[], [], [], []]
    for name, source, target, weight in lists:
        source, target, weight = np.asarray(source), np.asarray(target), np.asarray(weight)
        order = np.lexsort((target, source))
        for column, values in zip(columns, (name, source[order], target[order], weight[order]), strict=True):
            column.append(values)
    names, sources, targets, weights = (tuple(column) for column in columns)
    return Relations(names, sources, targets, weights)


def over_time(frames: Sequence[Relations]) -> Relations:
    """The relations of one graph at T frames as one: the union of their edges, with weights ``[T, E_k]``."""
    lists = []
    for k, name in enumerate(frames[0].names):
        width = 1 + max(int(ends.max(initial=0)) for each in frames for ends in (each.source[k], each.target[k]))
        keys = [each.source[k] * width + each.target[k] for each in frames]
        union = np.unique(np.concatenate(keys))
        weight = np.zeros((len(frames), len(union)))
        for row, key, each in zip(weight, keys, frames, strict=True):
            row[np.searchsorted(union, key)] = each.weight[k]
        lists.append((name, union // width, union % width, weight))
    names, source, target, weights = (tuple(column) for column in zip(*lists, strict=True))
    return Relations(names, source, target, weights)
