"""Maps of explainers, by loops over samples, channels and frames."""

from collections.abc import Callable
from itertools import permutations

import numpy as np
import torch
from numpy.typing import NDArray


def slow_grad_cam(features: torch.Tensor, gradients: torch.Tensor, ok: torch.Tensor) -> NDArray[np.float64]:
    """STG-Grad-CAM of one sample and instance, Eq. 4-5 without the ReLU, by loops.

    Args:
        features: F, ``[T', N, C]``.
        gradients: dy/dF, ``[T', N, C]``.
        ok: cells to be averaged over, ``[T']``.
    """
    frames, nodes, channels = features.shape
    cells = [t for t in range(frames) if ok[t]] or list(range(frames))
    result = np.zeros((frames, nodes))
    for channel in range(channels):
        alpha = sum(float(gradients[t, n, channel]) for t in cells for n in range(nodes)) / (len(cells) * nodes)
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


def slow_hires_cam(features: torch.Tensor, gradients: torch.Tensor, ok: torch.Tensor) -> NDArray[np.float64]:
    """HiResCAM of one sample and instance by loops: features and gradients ``[T', N, C]``."""
    frames, nodes, channels = features.shape
    values, slope = features.tolist(), gradients.tolist()
    result = np.zeros((frames, nodes))
    for t in range(frames):
        for n in range(nodes):
            result[t, n] = sum(values[t][n][k] * slope[t][n][k] for k in range(channels))
    return result


def slow_layer_cam(features: torch.Tensor, gradients: torch.Tensor, ok: torch.Tensor) -> NDArray[np.float64]:
    """Layer-CAM of one sample and instance by loops: features and gradients ``[T', N, C]``."""
    frames, nodes, channels = features.shape
    values, slope = features.tolist(), gradients.tolist()
    result = np.zeros((frames, nodes))
    for t in range(frames):
        for n in range(nodes):
            result[t, n] = sum(values[t][n][k] * max(slope[t][n][k], 0) for k in range(channels))
    return result


def slow_grad_cam_plus_plus(features: torch.Tensor, gradients: torch.Tensor, ok: torch.Tensor) -> NDArray[np.float64]:
    """Grad-CAM++ of one sample and instance by loops, powers written out; `ok` are the cells to be pooled over."""
    frames, nodes, channels = features.shape
    values, slope = features.tolist(), gradients.tolist()
    cells = [(t, n) for t in range(frames) if ok[t] or not ok.any() for n in range(nodes)]
    result = np.zeros((frames, nodes))
    for k in range(channels):
        total = sum(values[t][n][k] for t, n in cells)
        weight = 0.0
        for t, n in cells:
            g = slope[t][n][k]
            if g > 0:
                weight += g**2 / (2 * g**2 + total * g**3) * g
        for t in range(frames):
            for n in range(nodes):
                result[t, n] += weight * values[t][n][k]
    return result


def slow_mask_loss(
    mask: NDArray[np.float64],
    kept: float,
    ok: NDArray[np.bool_],
    edges: NDArray[np.int64],
    goal: str,
    *,
    size: float,
    smoothness: float,
    connectedness: float,
) -> float:
    """The loss of a learned mask [M, T, N] of one sample, cell by cell."""

    def apart(first: tuple[int, ...], second: tuple[int, ...]) -> float:
        return float(np.hypot(mask[first] - mask[second], 0.05)) - 0.05

    instances, frames, nodes = mask.shape
    cells = [mask[cell] for cell in np.ndindex(*mask.shape) if ok[cell]]
    steps = [
        apart((m, t, n), (m, t + 1, n))
        for m, t, n in np.ndindex(instances, frames - 1, nodes)
        if ok[m, t, n] and ok[m, t + 1, n]
    ]
    ends = [
        apart((m, t, u), (m, t, v))
        for m, t in np.ndindex(instances, frames)
        for u, v in edges.tolist()
        if ok[m, t, u] and ok[m, t, v]
    ]
    missed = 1 - kept if goal == "keep" else kept
    loss = max(0.0, missed) ** 2 + size * sum(cells) / len(cells)
    return loss + smoothness * sum(steps) / len(steps) + connectedness * sum(ends) / len(ends)


def exact_shapley(worth: Callable[[list[int]], float], players: int) -> list[float]:
    """Shapley values over all orders; `worth` is of which players are in, a zero or one for each."""
    values = [0.0] * players
    orders = list(permutations(range(players)))
    for order in orders:
        inside = [0] * players
        before = worth(inside)
        for player in order:
            inside[player] = 1
            after = worth(inside)
            values[player] += (after - before) / len(orders)
            before = after
    return values


def slow_temporal_rescaling(
    relevance: Callable[[torch.Tensor], NDArray[np.float64]], x: torch.Tensor, valid: NDArray[np.bool_], alpha: float
) -> NDArray[np.float64]:
    """Algorithm 1 of Ismail et al. (2020) of one sample [M, T, N, C], reading by reading, zero as baseline."""
    instances, frames, nodes = x.shape[:-1]
    first = relevance(x)
    time = np.zeros(frames)
    for t in range(frames):
        if valid[:, t].any():
            hidden = x.clone()
            hidden[:, t] = 0
            time[t] = np.abs(first - relevance(hidden)).sum()
    read = [t for t in range(frames) if valid[:, t].any()]
    above = sorted(read, key=lambda t: -time[t])[: len(read) - int(alpha * len(read))]
    values = np.zeros((instances, frames, nodes))
    for m, t, n in np.ndindex(*values.shape):
        if t in above and valid[m, t]:
            hidden = x.clone()
            hidden[m, t, n] = 0
            values[m, t, n] = time[t] * np.abs(first - relevance(hidden)).sum()
    return values
