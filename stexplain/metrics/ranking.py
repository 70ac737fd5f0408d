"""Rankings of nodes, frames or positions (node x frame) by importance, and orders drawn at random to compare with."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import unknown
from stexplain.metrics.arrays import sample_generator

OVER = ("nodes", "frames", "positions")
"""What is ranked: nodes, frames, or positions, that is nodes at frames."""
RANKINGS = ("signed", "magnitude")
"""What counts as important: evidence for the target, or the absolute value."""
# How far sums of the same float32 numbers may differ; other means of such numbers differ by more.
_ROUNDING = 1e-12


def aggregate(
    values: NDArray[np.float64], valid: NDArray[np.bool_], over: str
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The importance of every node, frame or position of each sample.

    A node's importance is the mean over its valid positions in all frames and instances; a frame's, the mean over its
    valid positions of all nodes and instances.

    Args:
        values: ``[B, M, T, N]``; zero where not valid.
        valid: the mask of valid positions, ``[B, M, T, N]``.
        over: one of `OVER`.

    Returns:
        Importance, and whether the node, frame or position has any valid value. Both ``[B, L]``: L is N for nodes, T
        for frames, M T N for positions.

    Raises:
        InputError: if `over` is not in `OVER`.

    Example:
        >>> x = np.array([[[[1.0, 0.0], [3.0, 2.0]]]])
        >>> aggregate(x, np.ones(x.shape, bool), "frames")[0].tolist()
        [[0.5, 2.5]]
    """
    if over not in OVER:
        raise unknown("over", over, OVER)
    if over == "positions":
        return values.reshape(len(values), -1), valid.reshape(len(valid), -1)
    # Of [B, M, T, N], average over instances and frames, or over instances and nodes.
    axes = (1, 2) if over == "nodes" else (1, 3)
    count = valid.sum(axes)
    means, sizes = (each.sum(axes) / np.maximum(count, 1) for each in (values, np.abs(values)))
    return equal_but_for_rounding(means, sizes), count > 0


def equal_but_for_rounding(means: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of which those are equal, and so tied, that differ by the rounding of their sums alone.

    Of a map that is the same everywhere, nodes with gaps of several lengths would else have a rank.

    Args:
        means: ``[B, L]``.
        sizes: the means of absolute values, ``[B, L]``, which say how large the rounding may be.

    Example:
        >>> means = np.array([[0.1, 0.3 / 3, (0.1 + 0.1 + 0.1) / 3]])
        >>> len(set(means[0].tolist())), len(set(equal_but_for_rounding(means, means)[0].tolist()))
        (3, 1)
    """
    if not means.shape[1]:
        return means
    order = np.argsort(means, axis=1, kind="stable")
    ordered, size = (np.take_along_axis(each, order, 1) for each in (means, sizes))
    begins = np.ones(means.shape, np.bool_)
    begins[:, 1:] = np.diff(ordered) > _ROUNDING * np.maximum(size[:, 1:], size[:, :-1])
    # Each has the value of the first of its run.
    first = np.maximum.accumulate(np.where(begins, np.arange(means.shape[1]), 0), axis=1)
    equal = np.empty_like(means)
    np.put_along_axis(equal, order, np.take_along_axis(ordered, first, 1), 1)
    return equal


def to_positions(entries: NDArray[Any], over: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Repeats what belongs to nodes, frames or positions ``[B, L]`` at every position of a map ``[B, M, T, N]``."""
    samples, instances, frames, nodes = shape
    # Views that repeat the entries without copying; they are read-only.
    if over == "nodes":
        return np.broadcast_to(entries[:, None, None, :], shape)
    if over == "frames":
        return np.broadcast_to(entries[:, None, :, None], shape)
    return entries.reshape(samples, instances, frames, nodes)


def ranks(
    importance: NDArray[np.float64],
    valid: NDArray[np.bool_],
    ids: Sequence[str],
    *,
    seed: int,
    repeats: int,
) -> tuple[NDArray[np.int32], list[NDArray[np.int32]]]:
    """The rank of every entry by importance, and its ranks in orders drawn at random.

    Ties are broken at random, so that a constant map ranks like random attribution and does not prefer the first nodes.
    The draws for a sample depend on the seed and its name, not on padding.

    Args:
        importance: ``[B, L]``; the highest is the most important.
        valid: which entries are ranked, ``[B, L]``.
        ids: names of the samples.
        seed: of all draws.
        repeats: how many random orders.

    Returns:
        Ranks from 0, the most important, ``[B, L]``; entries that are not valid have rank L. Then the same for each
        random order.

    Example:
        >>> ranks(np.array([[0.1, 0.9, 0.5]]), np.ones((1, 3), bool), ["a"], seed=0, repeats=0)[0].tolist()
        [[2, 0, 1]]
    """
    samples, length = importance.shape
    all_ranks = [np.full((samples, length), length, np.int32) for _ in range(1 + repeats)]
    for row, name in enumerate(ids):
        random = sample_generator(seed, name)
        # Draw for valid entries only: the numbers drawn must not depend on how far the batch is padded.
        members = np.flatnonzero(valid[row])
        # lexsort sorts by its last key first: by importance, descending, then by the random tie breaker.
        # Drawn before the random orders, so that `repeats` does not change how ties are broken.
        order = np.lexsort((random.random(len(members)), -importance[row, members]))
        orders = [order, *(random.permutation(len(members)) for _ in range(repeats))]
        for rank, members_in_order in zip(all_ranks, orders, strict=True):
            rank[row, members[members_in_order]] = np.arange(len(members))
    return all_ranks[0], all_ranks[1:]


def ranking_values(values: NDArray[np.float64], ranking: str) -> NDArray[np.float64]:
    """The values to rank by: as they are, or their absolute values.

    Raises:
        InputError: if `ranking` is not in `RANKINGS`.
    """
    if ranking not in RANKINGS:
        raise unknown("ranking", ranking, RANKINGS)
    return np.abs(values) if ranking == "magnitude" else values
