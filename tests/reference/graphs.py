"""Relations of a graph, and the messages that go over them, by dense matrices and loops."""

import numpy as np
import torch
from numpy.typing import NDArray


def aggregate_dense(
    source: NDArray[np.int64], target: NDArray[np.int64], targets: int, x: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """The weighted sum over incoming edges as one dense matrix [targets, sources]; parallel edges add up."""
    one_hot_target = torch.zeros(len(source), targets, dtype=x.dtype)
    one_hot_source = torch.zeros(len(source), x.shape[0], dtype=x.dtype)
    for edge, (start, end) in enumerate(zip(source, target, strict=True)):
        one_hot_target[edge, end] = 1
        one_hot_source[edge, start] = 1
    matrix = one_hot_target.t() @ (weight[:, None] * one_hot_source)
    return matrix @ x


def dense_adjacency(
    nodes: int, edges: NDArray[np.int64], weight: NDArray[np.float64], directed: bool
) -> NDArray[np.float64]:
    """A[source, target], both ways where undirected."""
    matrix = np.zeros((nodes, nodes))
    for (source, target), value in zip(edges.tolist(), weight.tolist(), strict=True):
        matrix[source, target] = value
        if not directed:
            matrix[target, source] = value
    return matrix


def hop_distances(links: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Floyd and Warshall: the fewest links on a way from row to column."""
    nodes = len(links)
    hops = np.where(links, 1.0, np.inf)
    np.fill_diagonal(hops, 0)
    for middle in range(nodes):
        for source in range(nodes):
            for target in range(nodes):
                hops[source, target] = min(hops[source, target], hops[source, middle] + hops[middle, target])
    return hops


def uniform_relations(adjacency: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """D^-1/2 (A + I) D^-1/2 of a symmetric A (Kipf & Welling 2017, Eq. 2)."""
    own = adjacency + np.eye(len(adjacency))
    root = np.linalg.inv(np.sqrt(np.diag(own.sum(axis=1))))
    return [root @ own @ root]


def hop_relations(adjacency: NDArray[np.float64], max_hop: int) -> list[NDArray[np.float64]]:
    """Yan et al. (2018), distance partitioning: l(j) = d(i, j); every target divides by what reaches it."""
    nodes = len(adjacency)
    hops = hop_distances(adjacency != 0)
    reach = np.zeros((nodes, nodes))
    for source in range(nodes):
        for target in range(nodes):
            if source == target:
                reach[source, target] = 1
            elif hops[source, target] == 1:
                reach[source, target] = adjacency[source, target]
            elif hops[source, target] <= max_hop:
                reach[source, target] = 1
    if max_hop == 0:
        reach = np.eye(nodes)
    normalised = reach / reach.sum(axis=0, keepdims=True)
    return [np.where(hops == hop, normalised, 0) for hop in range(max_hop + 1)]


def spatial_relations(
    adjacency: NDArray[np.float64], center: int, max_hop: int = 1, truncate: bool = False
) -> list[NDArray[np.float64]]:
    """Yan et al. (2018), spatial partitioning, pair by pair; `truncate` as released: beyond `max_hop` is infinite."""
    nodes = len(adjacency)
    far = hop_distances((adjacency != 0) | (adjacency != 0).T)[:, center]
    if truncate:
        far = np.array([value if value <= max_hop else np.inf for value in far])
    root, *further = hop_relations(adjacency, max_hop)
    found = [root]
    for matrix in further:
        towards, away = np.zeros((nodes, nodes)), np.zeros((nodes, nodes))
        for source in range(nodes):
            for target in range(nodes):
                subset = away if far[source] < far[target] else towards
                subset[source, target] = matrix[source, target]
        found += [towards, away]
    return found


def walk_relations(adjacency: NDArray[np.float64], steps: int, directed: bool) -> list[NDArray[np.float64]]:
    """Li et al. (2018), Eq. 2: out = (D_O^-1 W)^k x and (D_I^-1 W^T)^k x; given as [source, target] matrices."""
    nodes = len(adjacency)
    found = [np.eye(nodes)]
    for matrix in [adjacency, adjacency.T][: 2 if directed else 1]:
        step = np.zeros((nodes, nodes))
        for node in range(nodes):
            if matrix[node].sum() > 0:
                step[node] = matrix[node] / matrix[node].sum()
        found += [np.linalg.matrix_power(step, k).T for k in range(1, steps + 1)]
    return found


def chebyshev_relations(adjacency: NDArray[np.float64], order: int) -> list[NDArray[np.float64]]:
    """T_k(L~) = U cos(k arccos(lambda~)) U^T over the spectrum of the scaled Laplacian (Defferrard et al. 2016)."""
    degree = adjacency.sum(axis=1)
    root = np.diag([1 / np.sqrt(value) if value > 0 else 0.0 for value in degree])
    values, vectors = np.linalg.eigh(np.eye(len(adjacency)) - root @ adjacency @ root)
    scaled = np.clip(2 * values / values[-1] - 1, -1, 1)
    return [vectors @ np.diag(np.cos(k * np.arccos(scaled))) @ vectors.T for k in range(order)]
