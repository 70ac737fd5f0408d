"""Gradients and Grad-CAM by hand: autograd and hooks of torch alone, and how a layout is read."""

import math
import re
from typing import Any

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

import stexplain as stx
from stexplain.axes import Layout
from stexplain.explainers.random_generator import own_generator
from stexplain.graph import STGraph
from tests.explainers.architectures.case import Case, Layer


def called(case: Case, x: Any) -> Any:
    """What the model returns for a copy of these signals: some models work in place."""
    further = {**case.shared, **case.per_sample}
    name = case.options.get("argument")
    return case.model(**{name: x.clone()}, **further) if name else case.model(x.clone(), **further)


def input_gradient(case: Case) -> Tensor:
    """The score's gradient at the signals, ``[B, M, T, N, C]``."""
    x = case.x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(case.score(called(case, x)).sum(), x)
    return canonical(gradient, case.inputs, case.sizes)


def expected_gradients(case: Case, indices: int) -> Tensor:
    """Expected gradients on half of the way from a line in time and from the mean over time, ``[B, M, T, N, C]``.

    Args:
        case: all of whose frames are valid.
        indices: how many of the last channels the model looks up, which stay as they are.
    """
    layout, x = Layout(case.inputs), canonical(case.x, case.inputs, case.sizes)
    share = torch.linspace(0, 1, x.shape[2], dtype=x.dtype)[:, None, None]
    baselines = [x[:, :, :1] * (1 - share) + x[:, :, -1:] * share, x.mean(2, keepdim=True).expand_as(x)]
    # One draw in each of eight parts of the half that is nearer to the sample, as the method's seed 0 gives them.
    jitter = np.random.default_rng(0).random((2, 8))
    total = torch.zeros_like(x)
    for row, baseline in zip(jitter, baselines, strict=True):
        start = torch.cat([baseline[..., : x.shape[-1] - indices], x[..., x.shape[-1] - indices :]], -1)
        for step, draw in enumerate(row):
            at = layout.from_batch(start + float(0.5 + (step + draw) / 16) * (x - start)).contiguous().requires_grad_()
            (gradient,) = torch.autograd.grad(case.score(called(case, at)).sum(), at)
            total += canonical(gradient, case.inputs, case.sizes) * (x - start) / 16
    return total


def expected_fall(case: Case, indices: int) -> Tensor:
    """Expected fall, of forecasts expected change, by 16 draws and one standard deviation, ``[B, M, T, N, C]``.

    Args:
        case: see `expected_gradients`.
        indices: see `expected_gradients`.
    """
    layout, x = Layout(case.inputs), canonical(case.x, case.inputs, case.sizes)
    _, instances, frames, nodes, channels = x.shape
    away = x - x.mean(2, keepdim=True)
    away[..., channels - indices :] = 0
    deviation = away.square().mean((1, 2, 3), keepdim=True).sqrt()
    graph = case.options.get("graph") or getattr(case.model, "graph", None)
    # One of them has a method of that name.
    names = graph.nodes if isinstance(graph, STGraph) else range(nodes)
    noise = torch.empty(16, instances, frames, nodes, channels)
    for instance in range(instances):
        for node, name in enumerate(names):
            drawn = own_generator(0, f"{instance}/{name}").standard_normal((frames, 16, channels), np.float32)
            noise[:, instance, :, node] = torch.from_numpy(drawn).transpose(0, 1)
    total = torch.zeros_like(x)
    normal = torch.distributions.Normal(0.0, 1.0)
    for draw, one in enumerate(noise):
        noisy = (x + (draw + 0.5) / 16 * deviation * one).clamp(x.amin((1, 2, 3), True), x.amax((1, 2, 3), True))
        at = layout.from_batch(noisy).contiguous().requires_grad_()
        (gradient,) = torch.autograd.grad(case.score(called(case, at)).sum(), at)
        slope = canonical(gradient, case.inputs, case.sizes)
        mean, spread = slope * away, slope.abs() * deviation
        ratio = mean / spread.clamp(min=1e-30)
        total += torch.where(spread > 0, mean * normal.cdf(ratio) + spread * normal.log_prob(ratio).exp(), 0) / 16
        if not isinstance(case.target, int | stx.Class | stx.Predicted):
            # A rise counts too: the mean size of a normal variable is twice its positive part, less its mean.
            fall = mean * normal.cdf(ratio) + spread * normal.log_prob(ratio).exp()
            total += torch.where(spread > 0, fall - mean, 0) / 16
    return total


def outputs_at(case: Case, layer: Layer, x: Any) -> tuple[Any, list[Tensor]]:
    """What the model returns, and what the layer gave: the last time that it ran, or each time, once per frame."""
    kept: list[Tensor] = []
    name, place = re.fullmatch(r"(.*?)(?:\[(\d+)\])?", layer.name).groups()  # type: ignore[union-attr]

    def keep(_module: Any, _arguments: Any, output: Any) -> Any:
        is_tensor = isinstance(output, Tensor)
        index = int(place or 0)
        chosen = output if is_tensor else output[index]
        kept.append(chosen)
        # The model goes on with a copy: what comes next may overwrite it in place.
        return chosen.clone() if is_tensor else (*output[:index], chosen.clone(), *output[index + 1 :])

    handle = case.model.get_submodule(name).register_forward_hook(keep)
    try:
        output = called(case, x)
    finally:
        handle.remove()
    return output, kept if layer.by_frame else kept[-1:]


def grad_cam(case: Case, layer: Layer) -> NDArray[Any]:
    """Grad-CAM at a layer, on frames, ``[B, M, T, N]``."""
    output, calls = outputs_at(case, layer, case.x)
    gradients = torch.autograd.grad(case.score(output).sum(), calls)
    features, gradients = (
        torch.cat([canonical(one.detach(), layer.layout, case.sizes) for one in several], 2)
        for several in (calls, gradients)
    )
    frames = case.sizes["t"]
    low, high = standing(layer, features.shape[2], frames)
    # Eq. 4 and 5: the mean over nodes and positions of the gradient, times the features, summed over channels.
    weights = gradients.mean((2, 3), keepdim=True)
    at_positions = (weights * features).sum(-1)
    columns = []
    for frame in range(frames):
        where = min(max((frame - layer.offset) / layer.stride, low), high)
        before, share = math.floor(where), where - math.floor(where)
        after = min(before + 1, high)
        columns.append((1 - share) * at_positions[:, :, before] + share * at_positions[:, :, after])
    # A layer without nodes gives the same at each of them.
    on_frames = torch.stack(columns, 2).expand(-1, -1, -1, case.sizes["n"])
    return on_frames.numpy()


def standing(layer: Layer, positions: int, frames: int) -> tuple[int, int]:
    """The first and the last position that stand for a frame of the clip; a map on frames needs no others.

    A position stands for its own frame and those up to the next position's; the first also for those before, and the
    last for those after.
    """
    if layer.time == "none":
        return 0, 0
    places = [math.floor((frame - layer.offset) / layer.stride) for frame in (0, frames - 1)]
    low, high = (min(max(place, 0), positions - 1) for place in places)
    return low, high


def canonical(tensor: Tensor, layout: str, sizes: Any) -> Tensor:
    """A tensor as ``[B, M, T, N, C]``; axes that it lacks have size one."""
    letters = re.findall("[a-z]", layout)
    order = " ".join(letter if letter in letters else "1" for letter in "bmtnc")
    # A layer has positions and channels of its own.
    known = {letter: sizes[letter] for letter in letters if letter in "bmn"}
    if layout.replace(" ", "").find("(bmt)") >= 0 or "(b n t)" in layout or "(b t" in layout:
        known["t"] = sizes["t"]
    return rearrange(tensor, f"{layout} -> {order}", **known)


def relative_error(found: Any, expected: Any) -> float:
    """The largest difference, in units of the largest expected value."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape, (found.shape, expected.shape)
    scale = np.abs(expected).max()
    assert scale > 0, "nothing to compare: all expected values are zero"
    return float(np.abs(found - expected).max() / scale)
