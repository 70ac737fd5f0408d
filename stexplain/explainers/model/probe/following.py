"""Whether an axis follows what is changed in the copies of a probe."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

FEW_LABELS = 5
"""Of fewer nodes, an axis of channels may agree with the changes by chance: only exact zeros count."""
ALL_ORDERS = 6
"""Of so many nodes or less, the right order is compared with all others."""


def follows(response: NDArray[np.float64], strength: NDArray[np.float64], labels: Sequence[int]) -> float:
    """Whether an axis follows what is changed, in its order: the index that was changed responds, and most.

    Exact zeros tell most: where nodes do not mix, or only with their neighbours, many indices do not respond at all,
    and never the changed one. Where all mix, the assignment of each copy to its own index must be the one of the
    strongest, or of the weakest, responses by a margin, among all assignments; after taking out how strong a change is
    and how strongly an index responds. Both would hold for an axis of channels, or of nodes in another order, in a few
    of a thousand cases.

    Args:
        response: the largest change at each index in each copy, ``[copies, size]``.
        strength: the mean square of the changes, of the same shape.
        labels: the index that was changed in each copy.

    Returns:
        0 where it does not follow; else how clearly: up to 1 by the strongest response, above that by zeros.

    Example:
        >>> alone, alike, mixed = np.eye(6), np.ones((6, 6)), 1 + np.eye(6)
        >>> [follows(each, each**2, range(6)) > 0 for each in (alone, alike, mixed)]
        [True, False, True]
    """
    own = np.asarray(labels)
    # A copy that changes nothing at all, such as of a node that the layer does not see, tells nothing.
    kept = response.max(1, initial=0) > 0
    response, strength, own = response[kept], strength[kept], own[kept]
    columns = np.unique(own)
    if len(columns) < 2:
        return 0.0
    among = response[:, columns]
    diagonal = own[:, None] == columns
    if (among[diagonal] == 0).any():
        return 0.0
    return _separated(among, diagonal) or _assigned(strength[:, columns], own, columns)


def _separated(among: NDArray[np.float64], diagonal: NDArray[np.bool_]) -> float:
    """Whether indices do not respond to the changes of others, in more cases than chance would leave the own ones out.

    Zeros of an axis of channels, such as behind a ReLU, would lie on the diagonal as well as beside it.
    """
    zeros = (among == 0) & ~diagonal
    # By pairs: the one does not respond to the other, nor the other to the one.
    by_pair = np.stack([zeros[diagonal[:, column]].all(0) for column in range(among.shape[1])])
    chance = (1 - 1 / among.shape[1]) ** int(zeros.sum())
    return 1.0 + int(zeros.sum()) if (by_pair & by_pair.T).any() and chance < 0.25 else 0.0


def _assigned(among: NDArray[np.float64], own: NDArray[np.int64], columns: NDArray[np.int64]) -> float:
    """Whether assigning each copy to its own index stands out among all assignments, and by how much.

    As a rule its own index responds most. It may respond least, as in attention, where what an index asks for and what
    it gets change together, or in a graph without self loops: only one that follows the change stands out either way.
    """
    count = len(columns)
    if count < FEW_LABELS or not (among > 0).any():
        return 0.0
    table = _centred(np.stack([_logs(among)[own == column].mean(0) for column in columns]))
    trace = float(np.trace(table))
    if count > ALL_ORDERS:
        # Beyond 3.2 deviations lie 1.4 of 1,000 random assignments.
        deviation = _deviation(table)
        return abs(trace) / (abs(trace) + 1) if abs(trace) > max(3.2 * deviation, 0.1) else 0.0
    rows = np.arange(count)
    others = [float(table[rows, order].sum()) for order in permutations(rows) if list(order) != list(rows)]
    # One of 120 or 720 assignments, and by a margin.
    margin = max(trace - max(others), min(others) - trace)
    return margin / (margin + 1) if margin > 0.2 else 0.0


def _logs(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    logs: NDArray[np.float64] = np.log(np.maximum(strength, 1e-3 * strength[strength > 0].min()))
    return logs


def _centred(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without how strong a change is, and how strongly an index responds to any."""
    rows: NDArray[np.float64] = table - table.mean(1, keepdims=True)
    return np.asarray(rows - rows.mean(0))


def _deviation(table: NDArray[np.float64]) -> float:
    """The standard deviation of the trace of a centred table whose columns are in random order; its mean is 0."""
    return float(np.sqrt((table**2).sum() / (len(table) - 1)))


def deviations(strength: NDArray[np.float64], labels: Sequence[int]) -> float:
    """By how many standard deviations the responses of what was changed stand out: that of a random axis is around 1.

    Args:
        strength: the mean square of the changes at each index in each copy, ``[copies, size]``.
        labels: the index that was changed in each copy.

    Example:
        >>> deviations(np.eye(6) + 0.1, range(6)) > 4
        True
    """
    own = np.asarray(labels)
    columns = np.unique(own)
    if len(columns) < 2 or not (strength[:, columns] > 0).any():
        return 0.0
    table = _centred(np.stack([_logs(strength[:, columns])[own == column].mean(0) for column in columns]))
    return abs(float(np.trace(table))) / max(_deviation(table), 1e-9)


def strongest_shift(strength: NDArray[np.float64], labels: Sequence[int]) -> int:
    """By how many indices what stands out lies beside what was changed, of up to two either way.

    Args:
        strength: the mean square of the changes at each index in each copy, ``[copies, size]``.
        labels: the index that was changed in each copy.

    Example:
        >>> strongest_shift(np.roll(np.eye(6), 1, axis=1) + 0.1, range(6))
        1
    """
    table = _centred(_logs(strength))
    rows, own = np.arange(len(table)), np.asarray(labels)
    sums = {}
    # No shift comes first: it wins where others are as strong.
    for shift in (0, -1, 1, -2, 2):
        there = (own + shift >= 0) & (own + shift < table.shape[1])
        sums[shift] = table[rows[there], own[there] + shift].mean() if there.any() else 0.0
    return max(sums, key=lambda shift: abs(sums[shift]))
