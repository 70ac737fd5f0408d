"""Samples with more frames, or fewer."""

from dataclasses import replace

import torch
from torch import Tensor

from stexplain.axes import Layout
from stexplain.explainers.model.model_input import ModelInput


def repeated(model_input: ModelInput, layout: Layout, times: int) -> ModelInput:
    """The samples with their frames again and again."""
    return _with_frames(model_input, layout, torch.arange(model_input.sizes["t"]).repeat(times))


def cut(model_input: ModelInput, layout: Layout, frames: int) -> ModelInput:
    """The first frames of the samples."""
    return _with_frames(model_input, layout, torch.arange(frames))


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
