"""Measures which axis of each tensor that a model returns follows the samples of a batch.

The model runs twice: on the samples, and with some of them changed, by a pattern that no size imitates. What changes in
the output must be the entries of those samples and no others. So the axis is found wherever it lies, alone or folded
with others, and a model in which samples influence each other is noticed.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from stexplain.errors import StexplainError
from stexplain.explainers.outputs.model_output import OutputAxes
from stexplain.explainers.outputs.nested import Path, tensors_in
from stexplain.explainers.outputs.sample_axis import SampleAxis

Forward = Callable[[Tensor], Any]
"""From signals ``[B, M, T, N, C]`` to what the model returns; for twice as many samples, of two copies of them."""


def measured_axes(run: Forward, x: Tensor, present: Tensor | None = None, rounding: float = 0) -> OutputAxes:
    """The axis of each tensor that follows the samples.

    It costs two inferences of the batch, or of two copies of a single sample; up to three more where a model's output
    hardly depends on its input, or two axes of one size changed alike. The results of the model are not changed.

    Args:
        run: runs the model.
        x: the samples, ``[B, M, T, N, C]``.
        present: which positions hold an observation, ``[B, M, T, N]``, bool: no others are changed; none: all do.
        rounding: what counts as no change, as a share of the largest: for a model that rounds by the whole batch.

    Example:
        >>> axes = measured_axes(lambda x: x.sum((1, 2)).transpose(0, 1), torch.randn(3, 1, 4, 3, 1))
        >>> axes.axes[()]
        SampleAxis(dim=1, outer=1, inner=1)
    """
    present = torch.ones_like(x[..., 0], dtype=torch.bool) if present is None else present
    devices = [x.device] if x.device.type == "cuda" else []

    def forward(signals: Tensor) -> Any:
        # The same random numbers in each pass, which then differ in the signals alone.
        torch.manual_seed(0)
        return run(signals)

    # The caller's own stream of random numbers is untouched.
    with torch.random.fork_rng(devices), torch.no_grad():
        axes = _measured_alone_or_in_pairs(forward, x, present, rounding)
        return replace(axes, feeds=_feeding(forward, x)) if len(axes.shapes) > 1 else axes


def _measured_alone_or_in_pairs(forward: Forward, x: Tensor, present: Tensor, rounding: float) -> OutputAxes:
    if len(x) > 1:
        return _measured(forward, x, present, forward(x), rounding)
    try:
        pair = torch.cat([x, x])
        axes = _measured(forward, pair, torch.cat([present, present]), forward(pair), rounding)
    # A model of a fixed batch size, or of a single graph, or with an argument of the size of the batch.
    except (StexplainError, RuntimeError):
        axes = OutputAxes()
    if axes.axes:
        return axes
    # Copies may then have to run one by one; what a single sample gives tells them apart from the sample itself.
    shapes = {path: tuple(tensor.shape) for path, tensor in tensors_in(forward(x)).items()}
    return OutputAxes(shapes=shapes, samples=1, mixed=axes.mixed)


def _feeding(forward: Forward, x: Tensor) -> frozenset[Path]:
    """Where a tuple holds tensors that others in it, of other shapes, are computed from, as features and logits are."""
    try:
        with torch.enable_grad():
            output = forward(x.detach().clone().requires_grad_())
            if not isinstance(output, tuple | list):
                return frozenset()
            found = {path: one for path, one in tensors_in(output).items() if one.requires_grad and one.ndim > 1}
            return frozenset(
                path
                for path, tensor in found.items()
                if any(other.shape != tensor.shape and _depends(other, tensor) for other in found.values())
            )
    # What follows says it better; a model whose input has no gradient tells nothing here.
    except (StexplainError, RuntimeError):
        return frozenset()


def _depends(tensor: Tensor, on: Tensor) -> bool:
    (gradient,) = torch.autograd.grad(tensor.sum(), [on], retain_graph=True, allow_unused=True)
    return gradient is not None


def _measured(forward: Forward, x: Tensor, present: Tensor, reference: Any, rounding: float) -> OutputAxes:
    tensors = {path: each for path, each in tensors_in(reference).items() if each.layout == torch.strided}
    pattern = _pattern(len(x)).to(x.device)
    axes: dict[Path, SampleAxis] = {}
    mixed, other = set[Path](), reference
    for signals, changed in _changed(x, present, pattern):
        other = forward(changed)
        others = tensors_in(other)
        for path in [path for path in tensors if path not in axes]:
            difference = _difference(tensors[path], others.get(path), rounding)
            if difference is None or not bool(difference.any()):
                continue
            found = _candidates(difference, pattern)
            if not found:
                mixed.add(path)
            elif path in mixed:
                continue
            elif len(found) == 1:
                axes[path] = found[0]
            else:
                # Two axes changed alike: the same with the other samples changed leaves the right one.
                complement = tensors_in(forward(_replaced(x, ~pattern, signals)))
                difference = _difference(tensors[path], complement.get(path), rounding)
                left = (
                    found if difference is None else [one for one in _candidates(difference, ~pattern) if one in found]
                )
                axes[path] = (left or found)[0]
        # Tensors that did not change at all are tried again.
        if set(tensors) <= axes.keys() | mixed:
            break
    if mixed:
        mixed -= _random(forward, x, tensors)
    shapes = {path: tuple(tensor.shape) for path, tensor in tensors.items()}
    witness = (reference, other, tuple((~pattern).nonzero()[:, 0].tolist())) if mixed else None
    return OutputAxes(axes, shapes, len(x), frozenset(mixed), witness)


def _pattern(samples: int) -> Tensor:
    """Which samples are changed, ``[B]``: the Thue-Morse sequence, which no period imitates; never the first."""
    return torch.tensor([index.bit_count() % 2 == 1 for index in range(samples)], device="cpu")


def _changed(x: Tensor, present: Tensor, pattern: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Signals to replace some of the samples by, and the batch with those of the pattern replaced."""
    order = torch.randperm(x[..., 0].numel(), generator=torch.Generator().manual_seed(0), device="cpu").to(x.device)
    random = torch.rand(x.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float32, device="cpu").to(x)
    others = (
        # An index of a table must stay one: another sample's values, first at their place, then elsewhere.
        x.roll(1, 0),
        x.roll(1, 0).flip(2),
        x.flatten(0, -2)[order].view_as(x),
        # Where all are alike: towards zero, and from zero up, so that an index in a range stays in it.
        torch.where(x == 0, 0.1 * random, x * (1 - 0.1 * random)),
    )
    for number, other in enumerate(others):
        other = torch.where(present[..., None], other, x)
        # Every sample of the pattern must change by it.
        if number == len(others) - 1 or bool((x != other).flatten(1).any(1)[pattern].all()):
            yield other, _replaced(x, pattern, other)


def _replaced(x: Tensor, pattern: Tensor, other: Tensor) -> Tensor:
    return torch.where(pattern.view(-1, 1, 1, 1, 1), other, x)


def _difference(one: Tensor, other: Tensor | None, rounding: float = 0) -> Tensor | None:
    """Where two tensors differ by more than this share of the largest difference, bool; none: not to be compared."""
    if other is None or one.shape != other.shape:
        return None
    same = one == other
    if rounding and one.numel() and one.is_floating_point():
        by = (one - other).abs().nan_to_num(posinf=0)
        same |= by <= rounding * by.max()
    # What is not a number is like itself.
    return ~(same | ((one != one) & (other != other)))


def _candidates(difference: Tensor, pattern: Tensor) -> list[SampleAxis]:
    """The axes along which the entries of the changed samples changed and no others, the likeliest first."""
    samples = len(pattern)
    pattern = pattern.to(difference.device)  # a model's output may lie elsewhere than its input
    exact, partial = [], []
    for dim, size in enumerate(difference.shape):
        if size % samples:
            continue
        others = [each for each in range(difference.ndim) if each != dim]
        along = difference.any(others) if others else difference
        rest = size // samples
        for outer in (each for each in range(1, rest + 1) if rest % each == 0):
            by_sample = along.view(outer, samples, rest // outer).any(2).any(0)
            axis = SampleAxis(dim, outer, rest // outer)
            if torch.equal(by_sample, pattern):
                exact.append(axis)
            elif bool((by_sample <= pattern).all()):
                partial.append(axis)
    # A sample whose entries did not change may be one whose output is flat there.
    return sorted(exact or partial, key=lambda axis: (axis.outer * axis.inner, axis.dim, axis.outer))


def _random(forward: Forward, x: Tensor, tensors: "dict[Path, Tensor]") -> set[Path]:
    """Tensors that differ though nothing was changed."""
    again = tensors_in(forward(x))
    return {
        path
        for path, tensor in tensors.items()
        if (difference := _difference(tensor, again.get(path))) is None or bool(difference.any())
    }
