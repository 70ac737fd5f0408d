"""The methods of a layer, by loops: Grad-CAM, Grad-CAM++, HiResCAM, Layer-CAM and CAM, and the way back to frames."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stexplain.checks.plain.part import Part, PlainMap, as_float64
from stexplain.explainers.methods.layer.cam import CAM
from stexplain.explainers.methods.layer.layer_explainer import LayerExplainer
from stexplain.explainers.methods.layer.place import LayerPlace
from stexplain.explainers.model.activations import capture_activations
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.score_fn import ScoreFn
from stexplain.explainers.target import Scores

_Array = NDArray[np.float64]
Formula = Callable[[_Array, _Array, NDArray[np.bool_]], _Array]
"""From features and gradients ``[M, T', N, C]`` of a sample and the positions to be pooled ``[M, T']`` to summands
``[M, T', N, C]`` of its map."""


class Locator(LayerExplainer):
    """Tells where a layer's positions lie; it explains nothing."""

    def _layer_maps(self, model_input: ModelInput, score_fns: Sequence[ScoreFn]) -> list[tuple[Tensor, Scores]]:
        raise AssertionError("a locator explains nothing")


def layer_map(part: Part, locator: Locator, formula: Formula) -> PlainMap:
    """A method's map of a part, by the method's formula over features and gradients of the layer that is named."""
    place = locator._place(part.samples)
    with torch.enable_grad(), capture_activations({place.name: place.module}, gradient=True) as activations:
        score = part.score_fn(part.caller._forward(part.samples)).scores.sum()
        calls = activations.calls(place.name)[0 if place.by_frame else -1 :]
        gradients = torch.autograd.grad(score, calls, allow_unused=True)
    filled = [torch.zeros_like(call) if one is None else one for call, one in zip(calls, gradients, strict=True)]
    features = as_float64(locator._features([call.detach() for call in calls], part.samples))
    gradient = as_float64(locator._features(filled, part.samples))
    return _on_frames(part, place, features, gradient, formula)


def cam_map(part: Part, locator: Locator, explainer: CAM) -> PlainMap:
    """CAM of a part: the features times the head's weights of the target's classes."""
    place = locator._place(part.samples)
    with torch.no_grad(), capture_activations({place.name: place.module}, gradient=False) as activations:
        part.caller._forward(part.samples)
    features = as_float64(locator._features(activations.calls(place.name), part.samples))
    # A target is a weighted sum of logits: Class(c) of one, a margin of two.
    _, of_logits = part.score_fn.with_gradient(part.output)
    classes, weight = as_float64(of_logits.flatten(1)), as_float64(explainer.weight)
    gradient = np.zeros_like(features)
    for b in range(len(features)):
        for c in range(weight.shape[0]):
            gradient[b] += classes[b, c] * weight[c]
    return _on_frames(part, place, features, gradient, hires_cam)


def _on_frames(part: Part, place: LayerPlace, features: _Array, gradient: _Array, formula: Formula) -> PlainMap:
    """The formula's map of every sample, at the layer's positions and on frames."""
    sizes, valid = part.samples.sizes, part.samples.known_valid.cpu().numpy()
    samples, instances, positions, layer_nodes = features.shape[:4]
    layer_values = np.zeros((samples, instances, positions, sizes["n"]))
    values = np.zeros((samples, instances, sizes["t"], sizes["n"]))
    magnitude = np.zeros(samples)
    for b in range(samples):
        known = [_positions_of(valid[b, m], positions, place) for m in range(instances)]
        pooled = np.array([one[1] for one in known])
        summands = formula(features[b], gradient[b], pooled)
        magnitude[b] = np.abs(summands).sum(-1).max()
        # A layer without nodes has one, whose value all nodes get.
        layer_values[b] = np.broadcast_to(summands.sum(-1), (instances, positions, layer_nodes))
        for m in range(instances):
            values[b, m] = _frames_of(layer_values[b, m], known[m][0], sizes["t"], place)
    return PlainMap(part.masked(values), magnitude, layer_values)


def _positions_of(
    valid: NDArray[np.bool_], positions: int, place: LayerPlace
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which positions of an instance stand for a valid frame, and which are pooled over."""
    if not place.in_time:
        found = np.array([bool(valid.any())])
        return found, found if found.any() else ~found
    own = [min(max(math.floor((t - place.offset) / place.stride), 0), positions - 1) for t in range(len(valid))]
    known = np.array([any(valid[t] and own[t] == i for t in range(len(valid))) for i in range(positions)])
    # Positions before the first frame, and behind the last, are pooled as the nearest that stands for a frame.
    pooled = np.array([known[min(max(i, own[0]), own[-1])] for i in range(positions)])
    return known, pooled if pooled.any() else np.ones_like(pooled)


def _frames_of(layer_values: _Array, known: NDArray[np.bool_], frames: int, place: LayerPlace) -> _Array:
    """The map of an instance ``[T', N]`` on frames ``[T, N]``: linear between the two positions beside a frame."""
    result = np.zeros((frames, layer_values.shape[1]))
    last = len(layer_values) - 1
    for t in range(frames):
        if not place.in_time:
            result[t] = layer_values[0] * known[0]
            continue
        at = min(max((t - place.offset) / place.stride, 0), last)
        before = math.floor(at)
        after = min(before + 1, last)
        weights = {before: 1 - (at - before)}
        weights[after] = weights.get(after, 0) + (at - before)
        # Positions on padding take no part.
        weights = {i: weight for i, weight in weights.items() if known[i]}
        if (total := sum(weights.values())) > 0:
            result[t] = sum(weight * layer_values[i] for i, weight in weights.items()) / total
    return result


def grad_cam(features: _Array, gradient: _Array, pooled: NDArray[np.bool_]) -> _Array:
    """Eq. 4-5 of Das & Ortega: every channel is weighted by its mean gradient over nodes and pooled positions."""
    result = np.zeros_like(features)
    for m in range(len(features)):
        for k in range(features.shape[-1]):
            alpha = gradient[m, pooled[m], :, k].mean()
            result[m, :, :, k] = alpha * features[m, :, :, k]
    return result


def grad_cam_das2022(features: _Array, gradient: _Array, pooled: NDArray[np.bool_]) -> _Array:
    """The authors' released code: alpha over instances and padding too, and the mean over channels."""
    result = np.zeros_like(features)
    for k in range(features.shape[-1]):
        result[..., k] = gradient[..., k].mean() * features[..., k] / features.shape[-1]
    return result


def hires_cam(features: _Array, gradient: _Array, pooled: NDArray[np.bool_]) -> _Array:
    """Every feature times its own gradient."""
    return features * gradient


def layer_cam(features: _Array, gradient: _Array, pooled: NDArray[np.bool_]) -> _Array:
    """Every feature times its own gradient, where that is positive."""
    return features * np.maximum(gradient, 0)


def grad_cam_plus_plus(features: _Array, gradient: _Array, pooled: NDArray[np.bool_]) -> _Array:
    """Eq. 11 and 19 of Grad-CAM++: the weight of a channel is its gradients' sum, each by its own share."""
    result = np.zeros_like(features)
    for m in range(len(features)):
        for k in range(features.shape[-1]):
            total = features[m, pooled[m], :, k].sum()
            weight = 0.0
            for g in gradient[m, pooled[m], :, k].ravel():
                if g > 0:
                    weight += g / (2 + total * g)
            result[m, :, :, k] = weight * features[m, :, :, k]
    return result
