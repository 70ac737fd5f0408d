"""Whether the gradient that torch computes is the derivative of the score: models leave parts of it out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Unpack

import torch
from torch import Tensor, nn

from stexplain.checking import warn_caller
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.fixed_target import FixedTarget
from stexplain.explainers.model.gradients import gradients
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.model.probe.observe import as_double, runner_of
from stexplain.explainers.target import Target
from stexplain.explainers.targets import Custom, PerSample

NO_DERIVATIVE = "The gradient is not the derivative of the score"
_SAMPLES = 2
_SEED = 0
# Steps are shares of a channel's spread: two, as a slope that follows from the step is a jump, or rounding.
_STEPS = (2e-6, 1e-5)
_STABLE, _MISSED, _ROUNDING = 1e-3, 0.02, 1e-7


class Slope(NamedTuple):
    """How a score changes when a sample moves by its spread: as measured, and by the gradient."""

    measured: float
    gradient: float


class DifferentiatesInput(Explainer):
    """An explainer by gradients with respect to the input, which should be the derivative of the score."""

    def __init__(self, model: nn.Module, **options: Unpack[CallOptions]):
        super().__init__(model, **options)
        # Measured once for all samples that are alike but for their frames, and targets of one text.
        self._slopes: dict[Any, list[Slope | None]] = {}

    def _by_target(self, model_input: ModelInput, targets: Sequence[Target]) -> list[Explanation]:
        if self._locality is not None and self._locality.proven:
            # A network of this package, whose gradients are tested; a look at all of its nodes may cost far more.
            return super()._by_target(model_input, targets)
        sizes = {axis: size for axis, size in model_input.sizes.items() if axis not in "bt"}
        names = [(type(target), target.text()) for target in targets]
        key = (*sizes.items(), *sorted(model_input.shared), *sorted(model_input.per_sample), *names)
        # Functions, and what has an entry per sample, are not distinguished by their text.
        known = None if {kind for kind, _ in names} & {Custom, PerSample} else self._slopes.get(key)
        if known is None:
            try:
                known = wrong_slopes(self, model_input, targets)
            except Exception:  # a model need not run in float64, or on a few of its samples: it is not known then
                known = [None] * len(targets)
            self._slopes[key] = known
        found = super()._by_target(model_input, targets)
        return [_noted(one, slope) for one, slope in zip(found, known, strict=True)]


def wrong_slopes(explainer: Explainer, model_input: ModelInput, targets: Sequence[Target]) -> list[Slope | None]:
    """Of each target the slope that its gradient misses most; none where it misses none, or that is not known.

    Of the first samples, in float64 on a copy of the model: the score's gradient times a random direction, and the
    difference of scores a little way on and back. The samples are moved off what they are first, within their range,
    since many values lie where a network has a kink, as zeros do.

    Args:
        explainer: of the model, which is frozen.
        model_input: the samples.
        targets: of the explanations.
    """
    chunk, score_fns = next(explainer._chunks(model_input, targets, _SAMPLES))
    device = model_input.x.device
    # A model that draws takes nothing from the caller's stream of random numbers.
    forked = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
    with runner_of(explainer, exact=True) as runner, forked:
        # All of the model, not the part that a target of few nodes needs; and what is said of it is said already.
        runner._locality, runner._ways, runner._notes = None, {}, []
        chunk = as_double(chunk)
        fixed = [FixedTarget(score_fn, chunk.sizes["b"]) for score_fn in score_fns]

        def scores(x: Tensor) -> list[Tensor]:
            # The same in each pass.
            torch.manual_seed(_SEED)
            (copied,) = runner._copies(chunk, x)
            output = runner._forward(copied)
            return [target(output).scores.double() for target in fixed]

        x = runner.inputs.to_batch(chunk.x, **chunk.sizes)
        x, direction = _moved(x, chunk.observed_positions[..., None])
        leaf = x.clone().requires_grad_()
        # The first pass: classes are those of this point, at all others too.
        here = scores(leaf.clone())
        by_target = gradients(here, [leaf])
        near, far = _STEPS
        with torch.no_grad():
            on, back, nearer = (scores(x + step * direction) for step in (far, -far, near))
    return [
        None
        if gradient is None
        else _worst(
            (gradient * direction).flatten(1).sum(1),
            (gradient * direction).flatten(1).norm(dim=1),
            (on[row] - back[row]) / (2 * far),
            (nearer[row] - here[row].detach()) / near,
            here[row].detach().abs(),
        )
        for row, (gradient,) in enumerate(by_target)
    ]


def _moved(x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    """Samples a little off what they are, and a direction, in the spread of each channel; zero where none is."""
    random = torch.Generator().manual_seed(_SEED)
    lowest = torch.where(observed, x, torch.inf).amin((1, 2, 3), keepdim=True)
    highest = torch.where(observed, x, -torch.inf).amax((1, 2, 3), keepdim=True)
    spread = torch.where(observed & (highest > lowest), highest - lowest, 0)
    drawn = torch.rand(2, *x.shape, generator=random, dtype=torch.float64).to(x)
    # Towards a place within the range of their channel: a model may look values up.
    moved = torch.where(spread > 0, x + (0.01 + 0.01 * drawn[0]) * (lowest + drawn[1] * spread - x), x)
    return moved, spread * torch.randn(x.shape, generator=random, dtype=torch.float64).to(x)


def _worst(by_gradient: Tensor, size: Tensor, one: Tensor, other: Tensor, score: Tensor) -> Slope | None:
    """The slope that a gradient misses most, by sample; none where it misses none by much.

    Args:
        by_gradient: the slopes by the gradient, ``[B]``.
        size: what they are in other directions, ``[B]``.
        one: the slopes as they were measured, ``[B]``.
        other: the same with another step.
        score: the size of the scores, ``[B]``.
    """
    floor = _ROUNDING * score
    # One direction may be one that hardly changes the score: what others would change counts as well.
    size = torch.maximum(size, one.abs())
    known = (one - other).abs() <= _STABLE * size + floor
    missed = torch.where(known & ((by_gradient - one).abs() > _MISSED * size + floor), (by_gradient - one).abs(), 0)
    row = int(missed.argmax())
    return Slope(float(one[row]), float(by_gradient[row])) if missed[row] > 0 else None


def _noted(explanation: Explanation, slope: Slope | None) -> Explanation:
    if slope is None:
        return explanation
    note = (
        f"{NO_DERIVATIVE}: in one direction that has a slope of {slope.measured:.3g}, by the gradient of "
        f"{slope.gradient:.3g}. The model leaves a part of itself out (.detach(), torch.no_grad(), numpy), or has a "
        "backward pass of its own, and what goes through that is missing from this map, or wrong in it. Methods that "
        "perturb, such as Occlusion and ShapleyValueSampling, see it."
    )
    warn_caller(f"{explanation.method}: {note}")
    return replace(explanation, notes=(*explanation.notes, note))
