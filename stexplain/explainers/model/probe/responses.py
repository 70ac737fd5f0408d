"""How much each copy of a probe changed a tensor, index by index of each of its axes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stexplain.explainers.model.probe.plan import Plan


@dataclass(frozen=True)
class Factor:
    """An axis of a tensor, or one of the axes that are folded into it.

    Attributes:
        dimension: of the tensor.
        size: of the axis.
        letter: what it follows; empty where that is not known, yet or at all.
        response: the largest change at each index in each copy, ``[P, size]``; none for the axis of samples.
        strength: the mean square of the changes, likewise.
    """

    dimension: int
    size: int
    letter: str = ""
    response: NDArray[np.float64] | None = None
    strength: NDArray[np.float64] | None = None

    def views(self, size: int) -> "Iterator[tuple[int, int]]":
        """The ways in which an axis of this size may be folded into it: the sizes outside and inside of it."""
        if self.letter or self.size % size:
            return
        rest = self.size // size
        yield from ((outer, rest // outer) for outer in range(1, rest + 1) if rest % outer == 0)

    def split(self, letter: str, size: int, outer: int) -> "list[Factor]":
        """The axis unfolded: what is outside of the named axis, the axis, and what is inside of it."""
        inner = self.size // size // outer
        return [
            Factor(self.dimension, part, name, self.largest(outer, size)[place], self.mean_square(outer, size)[place])
            for place, (part, name) in enumerate(((outer, ""), (size, letter), (inner, "")))
            if part > 1 or name
        ]

    def largest(self, outer: int, size: int) -> list[NDArray[np.float64]]:
        """The largest change along each of the three axes that it is folded of."""
        folded = _folded(self.response, outer, size)
        return [folded.max(others) for others in ((2, 3), (1, 3), (1, 2))]

    def mean_square(self, outer: int, size: int) -> list[NDArray[np.float64]]:
        """The mean square of the changes along each of the three axes that it is folded of."""
        folded = _folded(self.strength, outer, size)
        return [folded.mean(others) for others in ((2, 3), (1, 3), (1, 2))]


def _folded(values: NDArray[np.float64] | None, outer: int, size: int) -> NDArray[np.float64]:
    assert values is not None, "the axis of samples responds to nothing: it is where the copies differ"
    return values.reshape(len(values), outer, size, -1)


def alike(first: Sequence[Factor], second: Sequence[Factor]) -> bool:
    """Whether two observations are of a tensor with the same axes, but for the number of samples."""
    sizes = [[(one.dimension, one.letter or one.size) for one in factors] for factors in (first, second)]
    return sizes[0] == sizes[1]


def joined_factors(first: list[Factor], second: list[Factor]) -> list[Factor]:
    """The factors of one tensor in two observations, with the copies of both.

    Args:
        first: as `factors_of` gives them.
        second: the same for other copies.
    """

    def together(a: NDArray[np.float64] | None, b: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        return None if a is None or b is None else np.concatenate([a, b])

    return [
        replace(one, response=together(one.response, two.response), strength=together(one.strength, two.strength))
        for one, two in zip(first, second, strict=True)
    ]


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
    change = torch.where(same, 0, (perturbed - reference).abs().double().nan_to_num(nan=1e100, posinf=1e100))
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
                response = by_copy.amax(others) if others else by_copy
                strength = by_copy.square().mean(others) if others else by_copy.square()
                factors.append(Factor(index, part, "", response.cpu().numpy(), strength.cpu().numpy()))
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
