"""How much each copy of a probe changed a tensor, index by index of each of its axes; and what an axis follows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stexplain.explainers.model.probe.plan import Plan

FEW_LABELS = 4
"""Of fewer nodes, an axis of channels may agree with the changes by chance: only exact zeros count."""


@dataclass(frozen=True)
class Factor:
    """An axis of a tensor, or one of the axes that are folded into it.

    Attributes:
        dimension: of the tensor.
        size: of the axis.
        letter: what it follows; empty where that is not known, yet or at all.
        response: the largest change at each index in each copy, ``[P, size]``; none for the axis of samples.
    """

    dimension: int
    size: int
    letter: str = ""
    response: NDArray[np.float64] | None = None

    def views(self, size: int) -> "Iterator[tuple[int, int]]":
        """The ways in which an axis of this size may be folded into it: the sizes outside and inside of it."""
        if self.letter or self.size % size:
            return
        rest = self.size // size
        yield from ((outer, rest // outer) for outer in range(1, rest + 1) if rest % outer == 0)

    def split(self, letter: str, size: int, outer: int) -> "list[Factor]":
        """The axis unfolded: what is outside of the named axis, the axis, and what is inside of it."""
        parts = ((outer, 0, ""), (size, 1, letter), (self.size // size // outer, 2, ""))
        return [
            Factor(self.dimension, part, name, self.along(outer, size)[place])
            for part, place, name in parts
            if part > 1 or name
        ]

    def along(self, outer: int, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """The largest changes along the three axes that it is folded of."""
        assert self.response is not None
        folded = self.response.reshape(len(self.response), outer, size, -1)
        return folded.max((2, 3)), folded.max((1, 3)), folded.max((1, 2))


def factors_of(reference: Tensor, perturbed: Tensor, plan: Plan) -> "tuple[list[Factor] | None, str]":
    """The axes of a tensor with that of the samples named, and how much each copy changed it along the others.

    Args:
        reference: of the unchanged copies.
        perturbed: of the changed ones; both ``[P, ...]``, one tensor for each copy, where the plan goes one by one.
        plan: of the copies.

    Returns:
        The factors, or none, and why there are none.
    """
    if reference.shape != perturbed.shape:
        return None, "its shape depends on the values of the input"
    # NaN and infinity that stay what they were are no change.
    reference, perturbed = reference.detach(), perturbed.detach()
    same = (reference == perturbed) | (reference.isnan() & perturbed.isnan())
    if bool(same.all()):
        return None, "it does not depend on the input"
    change = torch.where(same, 0, (perturbed - reference).abs().double().nan_to_num(nan=1e300, posinf=1e300))
    # Of one copy after the other, axis 0 is that of the copies, and the samples' is among the rest.
    found = _samples_one_by_one(change, plan) if plan.one_by_one else _samples_in_batch(change, plan)
    if isinstance(found, str):
        return None, found
    dimension, outer, inner, by_copy = found
    factors = []
    shape = list(change.shape[1:] if plan.one_by_one else change.shape)
    axis = 1  # of by_copy [P, ...], whose further axes are the tensor's, with what the samples are folded with
    for index, size in enumerate(shape):
        parts = [(size, "")] if index != dimension else [(outer, ""), (plan.samples, "b"), (inner, "")]
        for part, letter in parts:
            if letter:
                factors.append(Factor(index, part, letter))
                continue
            # The size one that unfolding leaves beside the samples is no axis of its own.
            if part > 1 or index != dimension:
                others = [other for other in range(1, by_copy.ndim) if other != axis]
                response = (by_copy.amax(others) if others else by_copy).cpu().numpy()
                factors.append(Factor(index, part, "", response))
            axis += 1
    return factors, ""


_Place = tuple[int, int, int, Tensor]


def _samples_in_batch(change: Tensor, plan: Plan) -> "_Place | str":
    """Where the samples are, as dimension, sizes outside and inside of them in it, and the changes by copy."""
    perturbed = [copy for copy in range(len(plan.changes)) if copy not in plan.controls]
    fits = []
    for dimension, size in enumerate(change.shape):
        along = _largest(change, dimension) > 0
        for outer, inner in Factor(dimension, size).views(plan.samples):
            seen = np.asarray(along.reshape(outer, plan.samples, inner).any((0, 2)))
            if not seen[plan.controls].any():
                # A layer may not use all frames or nodes: what counts is that no unchanged copy differs.
                fits.append((float(seen[perturbed].mean()), dimension, outer, inner))
    if not fits:
        return "samples influence each other, or no axis follows them"
    fits.sort(reverse=True)
    if len(fits) > 1 and fits[0][0] == fits[1][0]:
        return "more than one axis follows the samples"
    _, dimension, outer, inner = fits[0]
    split = _unfolded(change, dimension, (outer, plan.samples, inner)).movedim(dimension + 1, 0)
    return dimension, outer, inner, split


def _samples_one_by_one(change: Tensor, plan: Plan) -> "_Place | str":
    """The same of a batch of the caller's, whose first sample was changed in each copy."""
    if plan.samples == 1:
        # An axis of size one follows the only sample, or none does: there is nothing to tell apart.
        return -1, 1, 1, change
    fits = []
    for dimension, size in enumerate(change.shape[1:]):
        along = _largest(change, dimension + 1) > 0
        for outer, inner in Factor(dimension, size).views(plan.samples):
            seen = np.asarray(along.reshape(outer, plan.samples, inner).any((0, 2)))
            if seen[0] and not seen[1:].any():
                fits.append((dimension, outer, inner))
    if len(fits) != 1:
        return (
            "samples influence each other, or no axis follows them" if not fits else "more than one axis follows them"
        )
    dimension, outer, inner = fits[0]
    return (
        dimension,
        outer,
        inner,
        _unfolded(change, dimension + 1, (outer, plan.samples, inner)).select(dimension + 2, 0),
    )


def _largest(change: Tensor, dimension: int) -> NDArray[np.float64]:
    """The largest change at each index of one dimension."""
    others = [other for other in range(change.ndim) if other != dimension]
    largest: NDArray[np.float64] = (change.amax(others) if others else change).cpu().numpy()
    return largest


def _unfolded(tensor: Tensor, dimension: int, sizes: tuple[int, ...]) -> Tensor:
    return tensor.reshape(*tensor.shape[:dimension], *sizes, *tensor.shape[dimension + 1 :])


def follows(response: NDArray[np.float64], labels: Sequence[int]) -> float:
    """Whether an axis follows what is changed, in its order: the index that was changed responds, and most.

    Exact zeros tell most: where nodes do not mix, or only with their neighbours, many indices do not respond at all,
    and never the changed one. Where all mix, the assignment of copies to indices by the strongest response must be the
    right one, by a margin, among all assignments; after taking out how strong a change is and how strongly an index
    responds. Both would hold for an axis of channels, or of nodes in another order, in a few of a thousand cases.

    Args:
        response: the largest change at each index in each copy, ``[copies, size]``.
        labels: the index that was changed in each copy.

    Returns:
        0 where it does not follow; else how clearly: up to 1 by the strongest response, above that by zeros.

    Example:
        >>> follows(np.eye(6), range(6)), follows(np.ones((6, 6)), range(6)), follows(1 + np.eye(6), range(6)) > 0
        (31.0, 0.0, True)
    """
    own = np.asarray(labels)
    # A copy that changes nothing at all, such as of a node that the layer does not see, tells nothing.
    kept = response.max(1, initial=0) > 0
    response, own = response[kept], own[kept]
    columns = np.unique(own)
    if len(columns) < 2:
        return 0.0
    among = response[:, columns]
    diagonal = own[:, None] == columns
    if (among[diagonal] == 0).any():
        return 0.0
    return _separated(among, diagonal) or _assigned(among, own, columns)


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
    """Whether each copy is best assigned to its own index, by a margin over every other assignment."""
    if len(columns) < FEW_LABELS:
        return 0.0
    logs = np.log(np.maximum(among, 0.1 * among[among > 0].min()))
    table = np.stack([logs[own == column].mean(0) for column in columns])
    table = table - table.mean(1, keepdims=True)
    table = table - table.mean(0)
    rows = np.arange(len(columns))
    others = [table[rows, order].sum() for order in permutations(rows) if list(order) != list(rows)]
    # One of 24, 120 or 720 assignments: the fewer there are, the larger the margin has to be.
    needed = 1.0 if len(columns) == FEW_LABELS else 0.1
    margin = float(np.trace(table) - max(others))
    return margin / (margin + 1) if margin > needed else 0.0


def divisors(size: int) -> list[int]:
    """The divisors of a size, the largest first."""
    return [part for part in range(size, 0, -1) if size % part == 0]
