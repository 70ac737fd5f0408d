"""Slow, obvious re-implementations in float64, written from the definitions, that tests compare the package with."""

from fractions import Fraction
from pathlib import Path

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


def slow_scores(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float, NDArray[np.int64]]:
    """Accuracy, top-5 accuracy and confusion [label, answer], sample by sample."""
    classes = logits.shape[1]
    confusion = np.zeros((classes, classes), dtype=np.int64)
    right = among = 0
    for row, label in zip(logits, labels, strict=True):
        order = sorted(range(classes), key=lambda answer: -row[answer])
        confusion[label, order[0]] += 1
        right += order[0] == label
        among += label in order[:5]
    return right / len(labels), among / len(labels), confusion


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


def slow_grad_cam(features: torch.Tensor, slopes: torch.Tensor, ok: torch.Tensor) -> NDArray[np.float64]:
    """STG-Grad-CAM of one sample and instance, Eq. 4-5 without the ReLU, by loops.

    Args:
        features: F, ``[T', N, C]``.
        slopes: dy/dF, ``[T', N, C]``.
        ok: cells to be averaged over, ``[T']``.
    """
    frames, nodes, channels = features.shape
    cells = [t for t in range(frames) if ok[t]] or list(range(frames))
    result = np.zeros((frames, nodes))
    for channel in range(channels):
        alpha = sum(float(slopes[t, n, channel]) for t in cells for n in range(nodes)) / (len(cells) * nodes)
        for t in range(frames):
            for n in range(nodes):
                result[t, n] += alpha * float(features[t, n, channel])
    return result


def slow_to_frames(cells: NDArray[np.float64], ok: NDArray[np.bool_], frames: int, stride: int) -> NDArray[np.float64]:
    """Cells ``[T', N]`` at frames 0, s, 2s, ... drawn as straight lines through those that are ok; constant beyond."""
    result = np.zeros((frames, cells.shape[1]))
    for t in range(frames):
        near = {min(t // stride, len(cells) - 1), min(t // stride + 1, len(cells) - 1)}
        shares = {i: max(0.0, 1 - abs(t - i * stride) / stride) for i in near}
        if t > (len(cells) - 1) * stride:
            shares = {len(cells) - 1: 1.0}
        shares = {i: share for i, share in shares.items() if ok[i]}
        total = sum(shares.values())
        if total > 0:
            result[t] = sum(share * cells[i] for i, share in shares.items()) / total
    return result


def slow_auroc(values: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """The chance that a true one is above another, by all pairs; a tie is half a win."""
    wins = [float(a > b) + 0.5 * float(a == b) for a in values[truth] for b in values[~truth]]
    return sum(wins) / len(wins)


def slow_average_precision(values: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """The mean, over true ones, of the precision among all that are at least as high."""
    return sum(float(truth[values >= a].mean()) for a in values[truth]) / int(truth.sum())


def slow_contrastivity(psi: NDArray[np.float64]) -> float:
    """1 - the mean of numpy's Pearson correlation over pairs of rows that vary."""
    rows = [row for row in psi if row.std() > 0]
    pairs = [np.corrcoef(rows[i], rows[j])[0, 1] for i in range(len(rows)) for j in range(i)]
    return 1 - sum(pairs) / len(pairs)


def slow_read_skeleton(path: Path) -> dict[int, NDArray[np.float32]]:
    """NTU's text format, a line at a time: values [T, 25, 12] per body id, NaN where the body is not there."""
    bodies: dict[int, NDArray[np.float32]] = {}
    with path.open() as file:
        frames = int(file.readline())
        for frame in range(frames):
            for _ in range(int(file.readline())):
                body = int(file.readline().split()[0])
                bodies.setdefault(body, np.full((frames, 25, 12), np.nan, np.float32))
                assert int(file.readline()) == 25
                for joint in range(25):
                    for column, text in enumerate(file.readline().split()):
                        bodies[body][frame, joint, column] = float(text)
    return bodies


def slow_resample(
    x: NDArray[np.float32], valid: NDArray[np.bool_], frames: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Stretches the frames [M, T, N, C] in which any instance is valid to `frames`, cell by cell."""
    kept = [t for t in range(valid.shape[1]) if valid[:, t].any()]
    out = np.zeros((x.shape[0], frames, *x.shape[2:]))
    there = np.zeros((x.shape[0], frames), bool)
    for t in range(frames):
        place = Fraction(t * (len(kept) - 1), frames - 1) if frames > 1 else Fraction(len(kept) - 1, 2)
        low = int(place)
        share = place - low
        nearer = kept[low] if share < Fraction(1, 2) else kept[low + 1]
        for m in range(x.shape[0]):
            there[m, t] = valid[m, nearer]
            parts = [(float(1 - share), kept[low])] + ([(float(share), kept[low + 1])] if share else [])
            parts = [(weight, frame) for weight, frame in parts if valid[m, frame]]
            if there[m, t]:
                total = sum(weight for weight, _ in parts)
                out[m, t] = sum(weight * x[m, frame].astype(float) for weight, frame in parts) / total
    return out, there
