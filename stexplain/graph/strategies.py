"""The strategies that derive relations from the edges of a graph, by name.

Every strategy uses the weights of edges, and adds self loops itself where its formula has them.
"""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import numpy as np
import scipy.sparse as sp

from stexplain.errors import InputError, unknown
from stexplain.graph.arcs import Arcs, Floats, Ints
from stexplain.graph.relations import Relations, relations_from


def uniform(arcs: Arcs) -> Relations:
    """One relation: D^-1/2 (A + I) D^-1/2, with the degrees D of A + I (Kipf & Welling 2017; Eq. 1 of Das & Ortega).

    In a directed graph the source's degree is its outgoing weight, the target's its incoming weight.
    """
    source, target, weight = _with_loops(arcs)
    out, into = _sums(source, weight, arcs.nodes), _sums(target, weight, arcs.nodes)
    return relations_from([("uniform", source, target, weight / np.sqrt(out[source] * into[target]))])


def distance(arcs: Arcs, *, max_hop: int = 1) -> Relations:
    """One relation per hop distance 0 .. `max_hop`, of A D^-1 (Yan et al. 2018, distance partitioning).

    A holds every pair within `max_hop`, self loops included. D is the incoming weight of the target, summed over all
    relations, so that the weights into a node sum to one.
    """
    lists = [
        (f"hop {hop}", source, target, weight) for hop, (source, target, weight) in enumerate(_by_hop(arcs, max_hop))
    ]
    return relations_from(lists)


def spatial(arcs: Arcs, *, max_hop: int = 1) -> Relations:
    """Root, centripetal and centrifugal edges by hop distance to the centre (Yan et al. 2018), of A D^-1.

    The relation ``root`` holds the self loops; ``centripetal`` messages towards the centre (the source is further out
    than the target) or between nodes at equal distance; ``centrifugal`` messages away from it. Subsets, their order and
    the normalisation (as for `distance`, over all subsets together) are those of the released code. With `max_hop`
    above 1 there are two relations per hop. Distances to the centre ignore direction. Nodes that the centre does not
    reach count as equally far.
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

    out = sum over k of theta_k (D_O^-1 W)^k x + theta'_k (D_I^-1 W^T)^k x: a node receives the weighted mean over the
    ends of walks of k steps along the edges (``forward``) and against them (``backward``). Messages of ``forward``
    therefore flow against the edges. The power 0 is one relation, ``self``. In an undirected graph both directions are
    equal, and there is only ``forward``. Nodes without edges receive nothing. (The code released with that paper
    transposes these matrices.)
    """
    _count("steps", steps, 0)
    _no_negative(arcs)
    weights = arcs.matrix()
    matrices: dict[str, Any] = {"self": sp.eye_array(arcs.nodes, format="csr")}
    directions = {"forward": (weights, arcs.source), "backward": (weights.T, arcs.target)}
    for name, (matrix, ends) in list(directions.items())[: 2 if arcs.directed else 1]:
        degree = _sums(ends, arcs.weight, arcs.nodes)
        # Zero, not infinity, for a node without edges.
        inverse = np.divide(1.0, degree, out=np.zeros_like(degree), where=degree > 0)
        step = sp.diags_array(inverse) @ matrix
        power = sp.eye_array(arcs.nodes, format="csr")
        for k in range(1, steps + 1):
            power = power @ step
            # Row i of the power weighs what node i receives: the transpose has the source in the row.
            matrices[f"{name} {k}"] = power.T
    return Relations.from_matrices(matrices)


def chebyshev(arcs: Arcs, *, order: int = 3, largest: float | None = None) -> Relations:
    """Chebyshev polynomials T_0 .. T_{order-1} of the scaled Laplacian (Defferrard et al. 2016; Yu et al. 2018).

    T_0 = I, T_1 = L~, T_k = 2 L~ T_{k-1} - T_{k-2}, where L~ = 2 L / largest - I and L = I - D^-1/2 A D^-1/2.
    `largest` is the largest eigenvalue of L; none: it is computed (2 is an upper bound that needs no computation).
    """
    _count("order", order, 1)
    _no_negative(arcs)
    if arcs.directed:
        raise InputError(
            "strategy 'chebyshev': got a directed graph; expected an undirected one. Use graph.undirected()."
        )
    adjacency = arcs.matrix()
    degree = _sums(arcs.source, arcs.weight, arcs.nodes)
    root = sp.diags_array(np.divide(1.0, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0))
    identity = sp.eye_array(arcs.nodes, format="csr")
    laplacian = sp.csr_array(identity - root @ adjacency @ root)
    bound = _largest_eigenvalue(laplacian) if largest is None else float(largest)
    if not bound > 0:
        raise InputError(f"largest: got {largest}; expected the largest eigenvalue of the Laplacian, above 0.")
    scaled = laplacian * (2 / bound) - identity
    # The spectrum of `scaled` is in [-1, 1], where the polynomials stay bounded.
    terms = [identity, scaled]
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
    """The relations of the strategy of this name.

    Raises:
        InputError: for an unknown strategy or option, or a graph that does not fit the strategy.
    """
    if strategy not in STRATEGIES:
        raise unknown("relation strategy", strategy, STRATEGIES)
    function = STRATEGIES[strategy]
    # The function's own signature is the list of options, so that a new strategy is one function.
    allowed = [name for name in signature(function).parameters if name != "arcs"]
    for name in options:
        if name not in allowed:
            raise unknown(f"option of the relation strategy {strategy!r}", name, allowed)
    return function(arcs, **options)


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
    """A D^-1 over all pairs within `max_hop`, as one edge list per hop distance."""
    _count("max_hop", max_hop, 0)
    _no_negative(arcs)
    own = np.arange(arcs.nodes)
    lists = [(own, own, np.ones(arcs.nodes)), (arcs.source, arcs.target, arcs.weight)][: max_hop + 1]
    if max_hop > 1:
        if (arcs.weight != 1).any():
            raise InputError(
                f"max_hop: got {max_hop} for a graph with weights other than 1, but pairs further apart than one hop "
                "have no weight. Use max_hop=1, or a graph without weights."
            )
        hops = arcs.hops()
        for hop in range(2, max_hop + 1):
            source, target = np.nonzero(hops == hop)
            lists.append((source, target, np.ones(len(source))))
    into = sum((_sums(target, weight, arcs.nodes) for _, target, weight in lists), np.zeros(arcs.nodes))
    # `into` is never 0: the self loops are in it.
    return [(source, target, weight / into[target]) for source, target, weight in lists]


def _by_center(arcs: Arcs, max_hop: int, center: Floats) -> Relations:
    """The edges of each hop, split by whether they lead away from the centre."""
    (source, target, weight), *further = _by_hop(arcs, max_hop)
    lists = [("root", source, target, weight)]
    for hop, (source, target, weight) in enumerate(further, 1):
        # Equal distances, infinite ones too, are centripetal: the released code puts them there.
        away = center[source] < center[target]
        for name, subset in (("centripetal", ~away), ("centrifugal", away)):
            label = name if max_hop == 1 else f"{name} {hop}"
            lists.append((label, source[subset], target[subset], weight[subset]))
    return relations_from(lists)


def _center_distance(arcs: Arcs) -> Floats:
    if arcs.center is None:
        raise InputError(
            "strategy 'spatial': got a graph without a centre. Give it one: STGraph(..., center='name of a node')."
        )
    return arcs.hops(directed=False, start=arcs.center)


def _sums(ends: Ints, weight: Floats, nodes: int) -> Floats:
    """The weight at each node, ``[N]``: summed over the edges that end, or start, there."""
    return np.bincount(ends, weights=weight, minlength=nodes).astype(np.float64)


def _largest_eigenvalue(laplacian: "sp.csr_array[np.float64]") -> float:
    # Exact up to 1,000 nodes; beyond, Lanczos, as the dense decomposition takes O(N^3).
    if laplacian.shape[0] <= 1000:
        return float(np.linalg.eigvalsh(laplacian.toarray())[-1])
    # A fixed start makes the result the same on every run; a constant one is an eigenvector in regular graphs.
    start = np.random.default_rng(0).standard_normal(laplacian.shape[0])
    values = sp.linalg.eigsh(laplacian, k=1, which="LA", v0=start, return_eigenvectors=False)
    return float(values[0])


def _count(name: str, value: int, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise InputError(f"{name}: got {value!r}; expected an integer of at least {least}.")


def _no_negative(arcs: Arcs) -> None:
    if (arcs.weight < 0).any():
        raise InputError(
            f"weight: got {arcs.weight.min()}; expected at least 0, as relations are normalised by sums of weights. "
            "Take absolute values, leave such edges out, or give a strategy of your own as a callable."
        )
