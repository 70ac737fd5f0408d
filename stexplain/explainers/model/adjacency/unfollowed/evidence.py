"""What is changed in passes that ask whether values pass between nodes, and what the answers tell of a tensor."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_PAIRS = 6
"""At least so many pairs of passes: an axis of channels agrees with all of few nodes hardly by chance."""
_AGREE = 0.9
_FEW = 0.5

Finding = Literal["local", "passed", "unknown"]


def halves(nodes: int) -> NDArray[np.bool_]:
    """Which nodes are changed in each pass: a half of them, then the other half, so that any two are distinguished.

    Args:
        nodes: N, at least 2.

    Returns:
        ``[2 x pairs, N]``; neighbouring rows are each other's complement.

    Example:
        >>> halves(4)[:4].astype(int)
        array([[0, 1, 0, 1],
               [1, 0, 1, 0],
               [0, 0, 1, 1],
               [1, 1, 0, 0]])
    """
    numbers, generator = np.arange(nodes), np.random.default_rng(nodes)
    bits = max(int(nodes - 1).bit_length(), 1)
    rows = [numbers >> bit & 1 for bit in range(bits)]
    rows += [generator.permutation(nodes) % 2 for _ in range(_PAIRS - bits)]
    return np.concatenate([np.stack([row == 1, row != 1]) for row in rows])


def finding(
    responses: Sequence[NDArray[np.float64]],
    changed: NDArray[np.bool_],
    rounding: float,
    fold: tuple[int, int] | None = None,
) -> Finding:
    """What a tensor is, where nodes' own changes alone were to pass.

    It is ``"local"`` where each position changes with one node only; ``"passed"`` where it has an axis of nodes whose
    positions change with other nodes too; ``"unknown"`` where no axis of nodes is left, as behind a pooling.

    Args:
        responses: of each axis whose length is a multiple of the nodes, the largest change, ``[passes, length]``.
        changed: which nodes were changed, ``[passes, N]``.
        rounding: changes below this share of the largest are none.
        fold: what the axis of nodes is folded with, before and after it; none: that is not known.

    Example:
        >>> changed = halves(5)
        >>> own = changed.astype(float)
        >>> shifted, mean = np.roll(own, 1, 1), own.mean(1, keepdims=True)
        >>> [finding([each], changed, 1e-9) for each in (own, shifted, own + mean, mean + 0 * own)]
        ['local', 'passed', 'passed', 'unknown']
    """
    nodes = changed.shape[1]
    foldings = _foldings(responses, changed, rounding, fold)
    if any(not (one & ~changed[:, :, None]).any() for one in foldings):
        return "local"
    if fold is not None:
        return "passed"
    if any(_of_few(one) > _FEW for one in foldings):
        return "passed"
    for response in responses:
        for before, after in _folds(response.shape[1] // nodes):
            folded = response.reshape(len(changed) // 2, 2, before, nodes, after)
            more = folded[:, 0] > folded[:, 1]
            if (more == changed[::2][:, None, :, None]).mean() >= _AGREE:
                return "passed"
    return "unknown"


def reordered(
    responses: Sequence[NDArray[np.float64]],
    changed: NDArray[np.bool_],
    rounding: float,
    fold: tuple[int, int] | None = None,
) -> bool:
    """Whether each position of a tensor is that of one node, and of some it is another than the input's.

    Args:
        responses: see `finding`.
        changed: see `finding`.
        rounding: see `finding`.
        fold: see `finding`.

    Example:
        >>> changed = halves(5)
        >>> own = changed.astype(float)
        >>> [reordered([each], changed, 1e-9) for each in (own, np.roll(own, 1, 1), own[:, ::-1] + own)]
        [False, True, False]
    """
    node_of = {column.tobytes(): node for node, column in enumerate(np.ascontiguousarray(changed.T))}
    for one in _foldings(responses, changed, rounding, fold):
        of_position = np.ascontiguousarray(one.any(2).T)
        moving = [position for position, row in enumerate(of_position) if row.any()]
        nodes = [node_of.get(of_position[position].tobytes()) for position in moving]
        if moving and None not in nodes and len(set(nodes)) == len(nodes):
            return nodes != moving
    return False


def _foldings(
    responses: Sequence[NDArray[np.float64]],
    changed: NDArray[np.bool_],
    rounding: float,
    fold: tuple[int, int] | None,
) -> list[NDArray[np.bool_]]:
    """Which positions of each node change in each pass, ``[passes, N, copies]``, for each axis that may be of nodes."""
    nodes = changed.shape[1]
    return [
        response.reshape(len(changed), before, nodes, after).transpose(0, 2, 1, 3).reshape(len(changed), nodes, -1)
        > np.max(response) * rounding
        for response in responses
        for before, after in ([fold] if fold else _folds(response.shape[1] // nodes))
    ]


def _of_few(responds: NDArray[np.bool_]) -> float:
    """The share of positions that do not change where some half of the nodes is changed, but with the other half."""
    one, other = responds[::2], responds[1::2]
    return float((one != other).any(0).mean())


def _folds(copies: int) -> Iterator[tuple[int, int]]:
    for before in range(1, copies + 1):
        if copies % before == 0:
            yield before, copies // before
