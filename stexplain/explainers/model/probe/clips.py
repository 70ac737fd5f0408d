"""Clips of other lengths: samples with more frames, or fewer, and what a longer clip tells of a tensor."""

from dataclasses import replace

import torch
from torch import Tensor

from stexplain.axes import Layout
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.probe.axes import TensorAxes, layout_of
from stexplain.explainers.model.probe.plan import Plan
from stexplain.explainers.model.probe.responses import Factor
from stexplain.explainers.model.probe.time import Timing, fits


def repeated(model_input: ModelInput, layout: Layout, times: int) -> ModelInput:
    """The samples with their frames again and again."""
    return _with_frames(model_input, layout, torch.arange(model_input.sizes["t"], device="cpu").repeat(times))


def cut(model_input: ModelInput, layout: Layout, frames: int) -> ModelInput:
    """The first frames of the samples."""
    return _with_frames(model_input, layout, torch.arange(frames, device="cpu"))


def _with_frames(model_input: ModelInput, layout: Layout, frames: Tensor) -> ModelInput:
    frames = frames.to(model_input.x.device)
    batch = layout.to_batch(model_input.x, **model_input.sizes)
    masks = [None if mask is None else mask[:, :, frames] for mask in (model_input.valid, model_input.observed)]
    return replace(
        model_input,
        x=layout.from_batch(batch[:, :, frames]),
        sizes={**model_input.sizes, "t": len(frames)},
        valid=masks[0],
        observed=masks[1],
    )


def grows(short: TensorAxes, longer: TensorAxes) -> bool:
    """Whether an axis of the tensor is longer where the clip is."""
    return [factor.size for factor in short.unnamed] != [factor.size for factor in longer.unnamed]


def without_time(axes: TensorAxes) -> TensorAxes:
    """The axes of a tensor that is no larger for a longer clip: all that is left are channels."""
    layout, sizes, why = layout_of(list(axes.factors))
    if axes.open_axes or layout is None:
        return replace(axes, timing=Timing("none"), why=axes.open_axes or why)
    return replace(axes, layout=layout, timing=Timing("none"), why="", frames=False, sizes=sizes)


def with_longer(short: TensorAxes, plan: Plan, longer: TensorAxes) -> TensorAxes:
    """The axes of a tensor, with what a longer clip tells of time, where that explains what was seen of the short one.

    Args:
        short: of the clip, with its positions in time unknown.
        plan: of the copies of the clip.
        longer: of the longer clip.
    """
    named = short.factors
    if not grows(short, longer):
        return without_time(short)
    place = next((place for place, factor in enumerate(longer.factors) if factor.letter == "t"), None)
    if place is None or not longer.timing.known or len(named) != len(longer.factors):
        return short
    # A single position is no axis of time, whatever becomes of it in a longer clip.
    if named[place].size < 2:
        return short
    # The same axes, but for the one of time, which was not named.
    for number, (one, other) in enumerate(zip(named, longer.factors, strict=True)):
        same_size = one.size == other.size or one.letter == "b"
        if one.letter not in ("", other.letter) or same_size == (number == place):
            return short
    tests = plan.frame_tests
    response = named[place].response
    changes = [plan.changes[copy] for copy in tests]
    if response is None or not fits(longer.timing, changes, response[tests] > 0, plan.sizes["t"]):
        return short
    return replace(
        short,
        layout=longer.layout,
        timing=longer.timing,
        why="" if longer.layout is not None else longer.why,
        nodes=longer.nodes,
        frames=True,
        sizes={**longer.sizes, "t": named[place].size},
        factors=tuple(replace(one, letter=other.letter) for one, other in zip(named, longer.factors, strict=True)),
    )


def sees_both_ends(factors: list[Factor], plan: Plan) -> bool:
    """Whether each index of each axis responds to the first frame, and to the last.

    Args:
        factors: of a tensor.
        plan: of the copies, which change the first frame, or the last.
    """
    return all(bool((one.response[plan.frame_tests] > 0).all()) for one in factors if one.response is not None)
