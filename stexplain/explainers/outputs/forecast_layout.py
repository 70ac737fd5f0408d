"""Finds how a forecaster lays out its output: which axis follows the nodes, and which the horizon."""

from collections.abc import Callable
from itertools import islice

import torch
from torch import Tensor

from stexplain.axes import Layout
from stexplain.explainers.outputs.sample_axis import SampleAxis

PROBED = 4
"""How many nodes are changed, one at a time, where sizes do not tell which axis is theirs."""


def forecast_layout(
    run: Callable[[Tensor], Tensor], x: Tensor, shape: tuple[int, ...], axis: SampleAxis | None
) -> Layout | None:
    """The layout of forecasts over b, t (the horizon), n and c, or none where it cannot be determined.

    The axis with as many entries as there are nodes is theirs. Of several of that size it is the one along which a
    change of one node changes that node's entry, and not all others, while it changes every entry along the rest. That
    costs an inference for each of up to four nodes. The axis left is the horizon; one more of size one is ignored.

    Args:
        run: from signals ``[B, M, T, N, C]`` to the forecasts, as the model lays them out.
        x: the samples, ``[B, M, T, N, C]``.
        shape: of the forecasts.
        axis: of the forecasts that follows the samples; none: the model knows no batches.

    Example:
        >>> x = torch.randn(2, 1, 5, 5, 1)
        >>> forecast_layout(lambda x: x[:, 0, :, :, 0].mT, x, (2, 5, 5), SampleAxis(0)).pattern
        'b n t'
    """
    nodes = x.shape[3]
    letters = [""] * len(shape)
    if axis is not None:
        folded = (axis.outer, axis.inner)
        if nodes > 1 and folded in ((1, nodes), (nodes, 1)):
            # Nodes folded with the samples: by their size alone, and only where no other axis has it.
            if any(size == nodes for dim, size in enumerate(shape) if dim != axis.dim):
                return None
            letters[axis.dim] = "(b n)" if axis.inner == nodes else "(n b)"
        elif folded == (1, 1):
            letters[axis.dim] = "b"
        else:
            return None
    if not any("n" in each for each in letters):
        found = [dim for dim, size in enumerate(shape) if not letters[dim] and size == nodes]
        if len(found) > 1:
            found = _following(run, x, axis, found)
        if len(found) != 1:
            return None
        letters[found[0]] = "n"
    return _with_horizon(shape, letters)


def _with_horizon(shape: tuple[int, ...], letters: list[str]) -> Layout | None:
    """The axes that are left: the horizon, and a channel."""
    left = [dim for dim, letter in enumerate(letters) if not letter]
    longer = [dim for dim in left if shape[dim] > 1] or left[:1]
    # Horizons and channels: neither sizes nor changes tell them apart.
    if len(longer) > 1:
        return None
    for dim in left:
        letters[dim] = "t" if dim in longer else "1"
    return Layout(" ".join(letters))


def _following(run: Callable[[Tensor], Tensor], x: Tensor, axis: SampleAxis | None, candidates: list[int]) -> list[int]:
    """Of axes as long as the nodes are many, those that follow them."""
    reference = run(x)
    left, whole = set(candidates), dict.fromkeys(candidates, True)
    # Evenly over the nodes; the same in each run.
    for node in islice(range(0, x.shape[3], max(1, x.shape[3] // PROBED)), PROBED):
        changed = x.clone()
        # In another order, and somewhat smaller where all are alike: an index of a table stays within it.
        changed[:, :, :, node] = x[:, :, :, node].flip(1) * 0.9
        if torch.equal(changed, x):
            continue
        differs = run(changed) != reference
        for dim in candidates:
            along = differs.any([other for other in range(differs.ndim) if other != dim])
            if not bool(along[node]):
                left.discard(dim)
            whole[dim] &= bool(along.all())
    if len(left) > 1:
        # A change of one node that reaches every entry of an axis does not show that it is that of the nodes.
        left = {dim for dim in left if not whole[dim]}
    return sorted(left)
