"""Measures which axis of each tensor that a model returns follows the samples of a batch.

The model runs on the samples, and with some of them changed, by a pattern that no size imitates. What changes in the
output must be the entries of those samples and no others. So the axis is found wherever it lies, alone or folded with
others, and a model in which samples influence each other is noticed: then the others are changed, as a largest value of
the batch may lie in either. It runs on the same samples once more, with
gradients on, which must give the same: a model that carries something from call to call has no map.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from stexplain.errors import StexplainError
from stexplain.explainers.outputs.model_output import OutputAxes
from stexplain.explainers.outputs.nested import Path, mapped, tensors_in
from stexplain.explainers.outputs.same_draws import seeded
from stexplain.explainers.outputs.sample_axis import SampleAxis

Forward = Callable[[Tensor], Any]
"""From signals ``[B, M, T, N, C]`` to what the model returns; for twice as many samples, of two copies of them."""


def measured_axes(run: Forward, x: Tensor, present: Tensor | None = None, rounding: float = 0) -> OutputAxes:
    """The axis of each tensor that follows the samples.

    It costs four inferences of the batch, or six of a single sample; up to three more where a model's output hardly
    depends on its input, or two axes of one size changed alike. The results of the model are not changed.

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

    def forward(signals: Tensor) -> Any:
        # The same random numbers in each pass, which then differ in the signals alone.
        with seeded():
            return run(signals)

    with torch.no_grad():
        axes, reference = _measured_alone_or_in_pairs(forward, x, present, rounding)
        again = _with_gradients(forward, x)
        feeds = frozenset[Path]() if again is None or len(axes.shapes) < 2 else _feeding(again)
        steady = again is None or _is_same(reference, again)
        return replace(axes, feeds=feeds, twice=None if steady else (reference, mapped(again, _detached)))


def _measured_alone_or_in_pairs(
    forward: Forward, x: Tensor, present: Tensor, rounding: float
) -> tuple[OutputAxes, Any]:
    """The axes, and what the model returned for the samples."""
    reference = forward(x)
    if len(x) > 1:
        return _measured(forward, x, present, reference, rounding), reference
    try:
        # Of two that are alike, neither would show what depends on the largest value, or on the mean, of both.
        pair = torch.cat([_still(x), x])
        axes = _measured(forward, pair, torch.cat([present, present]), forward(pair), rounding, pair=True)
    # A model of a fixed batch size, or of a single graph, or with an argument of the size of the batch.
    except (StexplainError, RuntimeError):
        axes = OutputAxes()
    if axes.axes:
        return axes, reference
    # Copies may then have to run one by one; what a single sample gives tells them apart from the sample itself.
    shapes = {path: tuple(tensor.shape) for path, tensor in tensors_in(reference).items()}
    return OutputAxes(shapes=shapes, samples=1, mixed=axes.mixed), reference


def _with_gradients(forward: Forward, x: Tensor) -> Any:
    """What the model returns for the same samples where gradients are on; none where it does not run so."""
    try:
        with torch.enable_grad():
            return forward(x.detach().clone().requires_grad_())
    # What follows says it better.
    except (StexplainError, RuntimeError):
        return None


def _is_same(one: Any, other: Any) -> bool:
    """Whether two outputs hold the same values, but for rounding: with gradients on, other kernels may run."""
    ones, others = tensors_in(one), tensors_in(other)
    return ones.keys() == others.keys() and all(
        tensor.shape == others[path].shape
        and (tensor.layout != torch.strided or torch.allclose(tensor, others[path], rtol=1e-5, atol=0, equal_nan=True))
        for path, tensor in ones.items()
    )


def _detached(path: Path, tensor: Tensor) -> Tensor:
    return tensor.detach()


def _feeding(output: Any) -> frozenset[Path]:
    """Where a tuple holds tensors that others in it, of other shapes, are computed from, as features and logits are."""
    if not isinstance(output, tuple | list):
        return frozenset()
    found = {path: one for path, one in tensors_in(output).items() if one.requires_grad and one.ndim > 1}
    try:
        with torch.enable_grad():
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


def _measured(
    forward: Forward, x: Tensor, present: Tensor, reference: Any, rounding: float, *, pair: bool = False
) -> OutputAxes:
    tensors = {path: each for path, each in tensors_in(reference).items() if each.layout == torch.strided}
    pattern = _pattern(len(x)).to(x.device)
    axes: dict[Path, SampleAxis] = {}
    undecided: dict[Path, SampleAxis] = {}
    mixed = set[Path]()
    # The outputs before and after samples were changed, and which were not.
    witness = (reference, reference, _numbers(~pattern))
    for signals in _others(x, present, pattern):
        witness = (reference, forward(_replaced(x, pattern, signals)), _numbers(~pattern))
        found = _axes_in(tensors, witness[1], pattern, rounding, axes)
        mixed |= {path for path, candidates in found.items() if not candidates}
        several = {path: candidates for path, candidates in found.items() if path not in mixed}
        axes |= {path: candidates[0] for path, candidates in several.items()}
        if several and not (pair and all(len(candidates) == 1 for candidates in several.values())):
            complement = forward(_replaced(x, ~pattern, signals))
            confirmed = _axes_in(tensors, complement, ~pattern, rounding)
            for path, candidates in several.items():
                if len(candidates) > 1 and path not in confirmed:
                    # By these signals the others are as they were: further ones may tell.
                    undecided.setdefault(path, axes.pop(path))
                    continue
                # Of two axes that changed alike, the one that changes again is right.
                left = [one for one in candidates if one in confirmed.get(path, candidates)]
                if left:
                    axes[path] = left[0]
                elif not confirmed[path]:
                    # A largest value of the batch lay in what was not changed before.
                    axes.pop(path)
                    mixed.add(path)
                    witness = (reference, complement, _numbers(pattern))
        # Tensors that did not change at all are tried again.
        if set(tensors) <= axes.keys() | mixed:
            break
    axes |= {path: axis for path, axis in undecided.items() if path not in axes.keys() | mixed}
    if mixed:
        mixed -= _random(forward, x, tensors)
    shapes = {path: tuple(tensor.shape) for path, tensor in tensors.items()}
    return OutputAxes(axes, shapes, len(x), frozenset(mixed), witness if mixed else None)


def _axes_in(
    tensors: Mapping[Path, Tensor], after: Any, pattern: Tensor, rounding: float, known: Collection[Path] = ()
) -> dict[Path, list[SampleAxis]]:
    """The axes that changed as the samples of a pattern did, of each tensor that changed and is not known already."""
    others = tensors_in(after)
    differences = {path: _difference(one, others.get(path), rounding) for path, one in tensors.items()}
    return {
        path: _candidates(difference, pattern)
        for path, difference in differences.items()
        if path not in known and difference is not None and bool(difference.any())
    }


def _numbers(pattern: Tensor) -> tuple[int, ...]:
    return tuple(pattern.nonzero()[:, 0].tolist())


def _pattern(samples: int) -> Tensor:
    """Which samples are changed, ``[B]``: the Thue-Morse sequence, which no period imitates; never the first."""
    return torch.tensor([index.bit_count() % 2 == 1 for index in range(samples)], device="cpu")


def _others(x: Tensor, present: Tensor, pattern: Tensor) -> Iterator[Tensor]:
    """Signals to replace some of the samples by."""
    order = torch.randperm(x[..., 0].numel(), generator=torch.Generator().manual_seed(0), device="cpu").to(x.device)
    random = torch.rand(x.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float32, device="cpu").to(x)
    others = (
        # An index of a table must stay one: another sample's values, first at their place, then elsewhere. Without the
        # largest, as samples may be divided by that of the batch.
        _still(x).roll(1, 0),
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
            yield other


def _still(x: Tensor) -> Tensor:
    """Of each sample the two frames whose largest value is smallest, by turns: two, as what stands still has no spread.

    Example:
        >>> _still(torch.tensor([9.0, 1, -7, 2]).view(1, 1, 4, 1, 1)).flatten().tolist()
        [1.0, 2.0, 1.0, 2.0]
    """
    frames = x.shape[2]
    quiet = x.abs().amax((1, 3, 4)).topk(min(2, frames), largest=False).indices  # [B, 2], or 1 of a single frame
    turns = quiet[:, torch.arange(frames, device="cpu") % quiet.shape[1]]
    return x.gather(2, turns[:, None, :, None, None].expand_as(x))


def _replaced(x: Tensor, pattern: Tensor, other: Tensor) -> Tensor:
    return torch.where(pattern.view(-1, 1, 1, 1, 1), other, x)


def _difference(one: Tensor, other: Tensor | None, rounding: float = 0) -> Tensor | None:
    """Where two tensors differ by more than this share of the largest difference, bool; none: not to be compared."""
    if other is None or one.shape != other.shape:
        return None
    same = one == other
    if rounding and one.numel() and one.is_floating_point():
        by = (one - other).abs()
        # What is finite in one of both alone differs, and is no measure of the largest difference.
        same |= by <= rounding * by.nan_to_num(posinf=0).max()
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
