"""Relations: the K normalised edge lists of one graph convolution. `strategies` derives them from a graph.

An edge points in the direction of its message: out[target] += weight * x[source]. In a matrix the row is the source
and the column the target.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from stexplain.checking import checked
from stexplain.checking.values import as_numbers
from stexplain.errors import InputError
from stexplain.graph.arcs import Floats, Ints


@checked
@dataclass(frozen=True, eq=False)
class Relations:
    """K edge lists over the nodes of one graph, with the weights of a convolution. Immutable.

    Attributes:
        names: of the relations, K.
        source: the source of every edge, per relation ``[E_k]``, int64.
        target: the target of every edge, per relation ``[E_k]``, int64.
        weight: of every edge, per relation ``[E_k]``, float64; ``[T, E_k]`` of a dynamic graph.

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
                f"relations: got {len(self.names)} names, {len(self.source)} sources, {len(self.target)} targets and "
                f"{len(self.weight)} weights; expected one of each per relation."
            )
        for field in ("source", "target", "weight"):
            arrays = []
            for values in getattr(self, field):
                # A copy, so that nobody else can write to it.
                array = np.array(values, dtype=np.float64 if field == "weight" else np.int64)
                array.setflags(write=False)
                arrays.append(array)
            object.__setattr__(self, field, tuple(arrays))  # the dataclass is frozen
        for name, source, target, weight in zip(self.names, self.source, self.target, self.weight, strict=True):
            if not source.shape == target.shape == weight.shape[-1:]:
                raise InputError(
                    f"relation {name!r}: got {source.shape} sources, {target.shape} targets and {weight.shape} "
                    "weights; expected one of each per edge."
                )
            if not np.isfinite(weight).all():
                raise InputError(
                    f"relation {name!r} has weights that are NaN or infinite; expected numbers. Leave such edges out."
                )

    def __len__(self) -> int:
        """The number of relations, K."""
        return len(self.names)

    @property
    def edges(self) -> int:
        """The number of edges, summed over all relations."""
        return sum(len(source) for source in self.source)

    def __repr__(self) -> str:
        counts = (f"{name}: {len(source)} edges" for name, source in zip(self.names, self.source, strict=True))
        return f"Relations({', '.join(counts)})"

    def matrices(self, nodes: int) -> Floats:
        """The relations as dense matrices ``[K, N, N]`` (``[T, K, N, N]`` for weights over time), row = source.

        Args:
            nodes: N.

        Raises:
            InputError: where an edge has a node beyond N.
        """
        most = max((int(ends.max()) for ends in (*self.source, *self.target) if len(ends)), default=-1)
        if nodes <= most or nodes < 0:
            raise InputError(f"nodes: got {nodes}; expected at least {most + 1}, as the edges have.")
        dense = [np.zeros((*weight.shape[:-1], nodes, nodes)) for weight in self.weight]
        for matrix, source, target, weight in zip(dense, self.source, self.target, self.weight, strict=True):
            matrix[..., source, target] = weight
        # K goes right before the two node axes, after T where there is one.
        return np.stack(dense, axis=-3)

    @classmethod
    def from_matrices(cls, matrices: "Mapping[str, Any] | Sequence[Any] | NDArray[Any]") -> "Relations":
        """Relations from adjacency matrices ``[N, N]``, dense or scipy sparse, row = source, by name or in order.

        Zero entries are not edges. Edges are sorted by source, then target.

        Raises:
            InputError: where there is no matrix, one is not square, or their sizes differ.

        Example:
            >>> Relations.from_matrices(np.ones((3, 2, 2)))
            Relations(0: 4 edges, 1: 4 edges, 2: 4 edges)
        """
        named = dict(matrices) if isinstance(matrices, Mapping) else {str(k): each for k, each in enumerate(matrices)}
        for name, each in named.items():
            if getattr(each, "ndim", 2) != 2:
                raise InputError(f"matrices[{name!r}]: got {each.ndim} dimensions; expected a matrix [N, N].")
        given: dict[str, Any] = {
            name: each if sp.issparse(each) else as_numbers(f"matrices[{name!r}]", each) for name, each in named.items()
        }
        sparse = {name: sp.coo_array(each) for name, each in given.items()}
        shapes = {each.shape for each in sparse.values()}
        if len(shapes) != 1 or any(len(shape) != 2 or shape[0] != shape[1] for shape in shapes):
            got = ", ".join(str(shape) for shape in sorted(shapes)) or "none"
            raise InputError(f"matrices: got shapes {got}; expected matrices of one shape [N, N].")
        lists = []
        for name, each in sparse.items():
            each.sum_duplicates()
            each.eliminate_zeros()
            lists.append((name, each.row, each.col, each.data))
        return relations_from(lists)


def relations_from(lists: Sequence[tuple[str, ArrayLike, ArrayLike, ArrayLike]]) -> Relations:
    """Relations with their edges sorted by source, then target, so that they do not depend on the order of edges."""
    columns: list[list[Any]] = [[], [], [], []]
    for name, source, target, weight in lists:
        source, target, weight = np.asarray(source), np.asarray(target), np.asarray(weight)
        order = np.lexsort((target, source))  # the last key is the first criterion
        for column, values in zip(columns, (name, source[order], target[order], weight[order]), strict=True):
            column.append(values)
    names, sources, targets, weights = (tuple(column) for column in columns)
    return Relations(names, sources, targets, weights)


def over_time(frames: Sequence[Relations]) -> Relations:
    """The relations of T frames as one: the union of their edges, with weights ``[T, E_k]``; 0 where one is absent."""
    lists = []
    for k, name in enumerate(frames[0].names):
        width = 1 + max(int(ends.max(initial=0)) for each in frames for ends in (each.source[k], each.target[k]))
        # One integer per edge, sorted as (source, target): unions and searches are then in one dimension.
        keys = [each.source[k] * width + each.target[k] for each in frames]
        union = np.unique(np.concatenate(keys))
        weight = np.zeros((len(frames), len(union)))
        for row, key, each in zip(weight, keys, frames, strict=True):
            row[np.searchsorted(union, key)] = each.weight[k]
        lists.append((name, union // width, union % width, weight))
    names, source, target, weights = (tuple(column) for column in zip(*lists, strict=True))
    return Relations(names, source, target, weights)
