"""Relations: the K normalised edge lists of one graph convolution, and the strategies that make them.

An edge of a relation goes from source to target as messages flow: out[target] += weight * x[source]. In a matrix the
row is the source and the column the target. Weights of edges enter every strategy; self loops come from the strategy.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import shortest_path

from stexplain.errors import InputError, unknown

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
        return _relations(lists)


def _relations(lists: Sequence[tuple[str, ArrayLike, ArrayLike, ArrayLike]]) -> Relations:
    """Relations with their edges sorted by source, then target, so that the order of the graph's edges is no matter."""
    columns: list[list[Any]] = [[], [], [], []]
    for name, source, target, weight in lists:
        source, target, weight = np.asarray(source), np.asarray(target), np.asarray(weight)
        order = np.lexsort((target, source))
        for column, values in zip(columns, (name, source[order], target[order], weight[order]), strict=True):
            column.append(values)
    names, sources, targets, weights = (tuple(column) for column in columns)
    return Relations(names, sources, targets, weights)


def uniform(arcs: Arcs) -> Relations:
    """One relation: D^-1/2 (A + I) D^-1/2, with the degrees D of A + I (Kipf & Welling 2017; Eq. 1 of Das & Ortega).

    In a directed graph the degree of the source is its outgoing, of the target its incoming weight.
    """
    source, target, weight = _with_loops(arcs)
    out, into = _sums(source, weight, arcs.nodes), _sums(target, weight, arcs.nodes)
    return _relations([("uniform", source, target, weight / np.sqrt(out[source] * into[target]))])


def distance(arcs: Arcs, *, max_hop: int = 1) -> Relations:
    """One relation per hop distance 0 .. `max_hop`, of A D^-1 (Yan et al. 2018, distance partitioning).

    A holds every pair within `max_hop`, self loops included, and D the sum over what comes in at a target, over all
    relations together: so the weights into a node sum to one.
    """
    lists = [
        (f"hop {hop}", source, target, weight) for hop, (source, target, weight) in enumerate(_by_hop(arcs, max_hop))
    ]
    return _relations(lists)


def spatial(arcs: Arcs, *, max_hop: int = 1) -> Relations:
    """Root, centripetal and centrifugal edges by hop distance to the centre (Yan et al. 2018), of A D^-1.

    The relation ``root`` holds the self loops. ``centripetal`` holds messages that flow towards the centre (the source
    lies further out than the target) or between nodes that lie equally far, ``centrifugal`` those that flow away from
    it. Subsets, their order and the normalisation (as for `distance`, over all subsets together) are those of the
    released code; with `max_hop` above 1 there are two relations for each hop. The distance to the centre ignores
    direction. Nodes that the centre does not reach lie equally far.
    """
    return _by_center(arcs, max_hop, _center_distance(arcs))


def spatial_stgcn2018(arcs: Arcs, *, max_hop: int = 1) -> Relations:
    """`spatial` as ST-GCN's released code computes it: distances above `max_hop` count as equal.

    On the 24 bones of NTU RGB+D its three subsets have 25, 40 and 8 edges where 25, 24 and 24 are meant
    (https://github.com/open-mmlab/mmskeleton/issues/367).
    """
    center = _center_distance(arcs)
    return _by_center(arcs, max_hop, np.where(center <= max_hop, center, np.inf))


def random_walk(arcs: Arcs, *, steps: int = 2) -> Relations:
    """Diffusion (Li et al. 2018, Eq. 2): the powers 0 .. `steps` of D_O^-1 W, and 1 .. `steps` of D_I^-1 W^T.

    out = sum over k of theta_k (D_O^-1 W)^k x + theta'_k (D_I^-1 W^T)^k x, so that a node hears the weighted mean of
    where walks of k steps lead to (``forward``) and come from (``backward``). Messages of the former flow against the
    edges. The step 0 is there once; in an undirected graph both directions are one and only ``forward`` is there.
    Nodes without edges hear nothing. (The code released with that paper transposes these matrices.)
    """
    _count("steps", steps, 0)
    _no_negative(arcs)
    weights = arcs.matrix()
    found: dict[str, Any] = {"self": sp.eye_array(arcs.nodes, format="csr")}
    ways = {"forward": (weights, arcs.source), "backward": (weights.T, arcs.target)}
    for name, (matrix, ends) in list(ways.items())[: 2 if arcs.directed else 1]:
        degree = _sums(ends, arcs.weight, arcs.nodes)
        inverse = np.divide(1.0, degree, out=np.zeros_like(degree), where=degree > 0)
        step = sp.diags_array(inverse) @ matrix
        power = sp.eye_array(arcs.nodes, format="csr")
        for k in range(1, steps + 1):
            power = power @ step
            # Row i of the power says whom node i hears: the transpose has the source in the row.
            found[f"{name} {k}"] = power.T
    return Relations.from_matrices(found)


def chebyshev(arcs: Arcs, *, order: int = 3, largest: float | None = None) -> Relations:
    """Chebyshev polynomials T_0 .. T_{order-1} of the scaled Laplacian (Defferrard et al. 2016; Yu et al. 2018).

    T_0 = I, T_1 = L~, T_k = 2 L~ T_{k-1} - T_{k-2}, where L~ = 2 L / largest - I, L = I - D^-1/2 A D^-1/2, and
    `largest` is the largest eigenvalue of L unless given (2 is a bound, and saves the computation).
    """
    _count("order", order, 1)
    _no_negative(arcs)
    if arcs.directed:
        raise InputError("the strategy 'chebyshev' needs an undirected graph. Take it of graph.undirected().")
    adjacency = arcs.matrix()
    degree = _sums(arcs.source, arcs.weight, arcs.nodes)
    root = sp.diags_array(np.divide(1.0, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0))
    one = sp.eye_array(arcs.nodes, format="csr")
    laplacian = sp.csr_array(one - root @ adjacency @ root)
    bound = _largest_eigenvalue(laplacian) if largest is None else float(largest)
    if not bound > 0:
        raise InputError(f"largest is {largest}; wanted the largest eigenvalue of the Laplacian, above 0.")
    scaled = laplacian * (2 / bound) - one
    terms = [one, scaled]
    while len(terms) < order:
        terms.append(2 * (scaled @ terms[-1]) - terms[-2])
    return Relations.from_matrices({f"T{k}": term for k, term in enumerate(terms[:order])})


STRATEGIES: dict[str, Callable[..., Relations]] = {
    "uniform": uniform,
    "distance": distance,
    "spatial": spatial,
    "spatial-stgcn2018": spatial_stgcn2018,
    "random_walk": random_walk,
    "chebyshev": chebyshev,
}


def relations_of(arcs: Arcs, strategy: str, options: Mapping[str, Any]) -> Relations:
    """The relations of a strategy by its name.

    Raises:
        InputError: for an unknown strategy or option, or a graph that the strategy does not suit.
    """
    if strategy not in STRATEGIES:
        raise unknown("relation strategy", strategy, STRATEGIES)
    function = STRATEGIES[strategy]
    allowed = [name for name in signature(function).parameters if name != "arcs"]
    for name in options:
        if name not in allowed:
            raise unknown(f"option of the relation strategy {strategy!r}", name, allowed)
    return function(arcs, **options)


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


def _with_loops(arcs: Arcs) -> tuple[Ints, Ints, Floats]:
    """A + I as an edge list."""
    _no_negative(arcs)
    own = np.arange(arcs.nodes)
    return (
        np.concatenate([own, arcs.source]),
        np.concatenate([own, arcs.target]),
        np.concatenate([np.ones(arcs.nodes), arcs.weight]),
    )


def _by_hop(arcs: Arcs, max_hop: int) -> list[tuple[Ints, Ints, Floats]]:
    """A D^-1 over all pairs within `max_hop`, parted by their hop distance."""
    _count("max_hop", max_hop, 0)
    _no_negative(arcs)
    own = np.arange(arcs.nodes)
    found = [(own, own, np.ones(arcs.nodes)), (arcs.source, arcs.target, arcs.weight)][: max_hop + 1]
    if max_hop > 1:
        if (arcs.weight != 1).any():
            raise InputError(
                f"max_hop is {max_hop}, and edges have weights other than 1: pairs that are no neighbours have none. "
                "Take max_hop=1, or a graph without weights."
            )
        hops = arcs.hops()
        for hop in range(2, max_hop + 1):
            source, target = np.nonzero(hops == hop)
            found.append((source, target, np.ones(len(source))))
    into = sum((_sums(target, weight, arcs.nodes) for _, target, weight in found), np.zeros(arcs.nodes))
    return [(source, target, weight / into[target]) for source, target, weight in found]


def _by_center(arcs: Arcs, max_hop: int, center: Floats) -> Relations:
    (source, target, weight), *further = _by_hop(arcs, max_hop)
    lists = [("root", source, target, weight)]
    for hop, (source, target, weight) in enumerate(further, 1):
        away = center[source] < center[target]
        for name, chosen in (("centripetal", ~away), ("centrifugal", away)):
            label = name if max_hop == 1 else f"{name} {hop}"
            lists.append((label, source[chosen], target[chosen], weight[chosen]))
    return _relations(lists)


def _center_distance(arcs: Arcs) -> Floats:
    if arcs.center is None:
        raise InputError(
            "spatial relations need a centre, and the graph has none. Give it one: center='name of a node'."
        )
    return arcs.hops(directed=False, start=arcs.center)


def _sums(ends: Ints, weight: Floats, nodes: int) -> Floats:
    return np.bincount(ends, weights=weight, minlength=nodes).astype(np.float64)


def _largest_eigenvalue(laplacian: "sp.csr_array[np.float64]") -> float:
    if laplacian.shape[0] <= 1000:
        return float(np.linalg.eigvalsh(laplacian.toarray())[-1])
    # A fixed start makes the result the same on every run; a constant one is an eigenvector in regular graphs.
    start = np.random.default_rng(0).standard_normal(laplacian.shape[0])
    found = sp.linalg.eigsh(laplacian, k=1, which="LA", v0=start, return_eigenvectors=False)
    return float(found[0])


def _count(name: str, value: int, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise InputError(f"{name} is {value!r}; wanted a whole number of at least {least}.")


def _no_negative(arcs: Arcs) -> None:
    if (arcs.weight < 0).any():
        raise InputError(
            f"an edge has the weight {arcs.weight.min()}, and relations are normalised by sums of weights, at least 0. "
            "Take absolute values, leave such edges out, or give a strategy of your own as a callable."
        )
