"""The methods that differentiate with respect to the input: gradients, integrated gradients, gradient SHAP."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm
from torch import Tensor

from stexplain.checks.plain.part import Part, PlainMap, as_float64
from stexplain.explainers.methods.gradient.expected_fall import ExpectedFall
from stexplain.explainers.methods.gradient.expected_gradients import ExpectedGradients
from stexplain.explainers.methods.gradient.gradient_shap import GradientSHAP
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.model.index_channels import signal_mask
from stexplain.explainers.model.perturb import with_baseline
from stexplain.explainers.random_generator import node_noise, own_generator

_Array = NDArray[np.float64]


def input_gradient(part: Part, explainer: InputGradient) -> PlainMap:
    """Eq. 3 of Das & Ortega: the gradient, and its norm (or what `reduce` says) over channels."""
    gradient = part.gradient(part.x)
    if part.caller.signals is not None:
        left_out = set(range(gradient.shape[-1])) - set(part.samples.channels(part.caller.signals))
        gradient[..., sorted(left_out)] = 0
    return _by_channel(part, gradient, explainer.reduce)


def reduced(gradient: _Array, reduce: str) -> _Array:
    """Channels as one number, by the name of an `InputGradient.reduce`."""
    if reduce == "sum":
        total: _Array = gradient.sum(-1)
        return total
    length: _Array = np.sqrt((np.maximum(gradient, 0 if reduce == "positive" else -np.inf) ** 2).sum(-1))
    return length


def integrated_gradients(part: Part, explainer: IntegratedGradients) -> PlainMap:
    """The gradients along the straight line from the baseline, at the points and by the weights of Gauss-Legendre."""
    baseline = with_baseline(part.caller, part.samples, explainer.baseline)
    points, weights = np.polynomial.legendre.leggauss(explainer.steps)
    total = np.zeros(part.x.shape)
    for point, weight in zip(points, weights, strict=True):
        # From [-1, 1], where the rule is defined, to [0, 1].
        share = (1 + float(point)) / 2
        total += weight / 2 * part.gradient(baseline + share * (part.x - baseline))
    return _by_channel(part, total * as_float64(part.x - baseline), "sum")


def gradient_shap(part: Part, explainer: GradientSHAP) -> PlainMap:
    """Gradients at random points of the way from random baselines, draw by draw; without noise."""
    starts = [with_baseline(part.caller, part.samples, one) for one in explainer.baselines]
    valid, total = part.samples.known_valid, np.zeros(part.x.shape)
    chosen, shares = [], []
    for row, name in enumerate(part.samples.ids):
        generator = own_generator(explainer.seed, name, part.x[row][valid[row]].cpu().numpy())
        chosen.append(generator.integers(len(starts), size=explainer.draws))
        shares.append(generator.random(explainer.draws))
    for draw in range(explainer.draws):
        start = torch.stack([starts[int(which[draw])][row] for row, which in enumerate(chosen)])
        share = _column([one[draw] for one in shares], part.x)
        total += part.gradient(start + share * (part.x - start)) * as_float64(part.x - start)
    return _by_channel(part, total / explainer.draws, "sum")


def expected_gradients(part: Part, explainer: ExpectedGradients) -> PlainMap:
    """Gradients at one point of each stratum of the last part of the way from each baseline, times the way."""
    drawn = np.random.default_rng(explainer.seed).random((len(explainer.baselines), explainer.steps))
    total = np.zeros(part.x.shape)
    for which, numbers in zip(explainer.baselines, drawn, strict=True):
        baseline = with_baseline(part.caller, part.samples, which)
        for stratum, number in enumerate(numbers):
            share = 1 - explainer.reach + explainer.reach * (stratum + float(number)) / explainer.steps
            total += part.gradient(baseline + share * (part.x - baseline)) * as_float64(part.x - baseline)
    return _by_channel(part, total / drawn.size, explainer.reduce)


def expected_fall(part: Part, explainer: ExpectedFall) -> PlainMap:
    """Gradients at noisy samples, and by each how far a redrawn observation lowers the score, channel by channel."""
    x, present, kept = as_float64(part.x), part.present, signal_mask(part.caller, part.samples)
    channels = range(x.shape[-1]) if kept is None else np.flatnonzero(kept.cpu().numpy()).tolist()
    away, spread = np.zeros(x.shape), np.zeros((len(x), x.shape[-1]))
    for row, here in enumerate(present):
        for instance, node in np.argwhere(here.any(1)):
            frames = here[instance, :, node]
            observations = x[row, instance, frames, node]
            away[row, instance, frames, node] = observations - observations.mean(0)
        spread[row] = explainer.spread * np.sqrt((away[row][here] ** 2).mean(0)) if here.any() else 0
    graph, nodes = part.caller.graph, x.shape[3]
    names = [str(node) for node in range(nodes)] if graph is None or len(graph) != nodes else graph.nodes
    noise = node_noise(explainer.seed, names, x.shape[1:], explainer.draws, present.any(0))
    of_none = part.scores.classes.cpu().numpy() < 0
    rises = of_none if explainer.rises is None else np.full(len(x), explainer.rises)
    total = np.zeros(x.shape)
    for draw, one in enumerate(noise):
        moved = x.copy()
        for channel in channels:
            strength = (draw + 0.5) / explainer.draws * spread[:, channel, None, None, None]
            noisy = x[..., channel] + strength * one[..., channel]
            for row, here in enumerate(present):
                # Within what the channel has in the sample.
                low, high = (x[row, here, channel].min(), x[row, here, channel].max()) if here.any() else (0, 0)
                moved[row, here, channel] = np.clip(noisy[row, here], low, high)
        gradient = part.gradient(torch.from_numpy(moved).to(part.x))
        for channel in channels:
            fall = gradient[..., channel] * away[..., channel]
            deviation = np.abs(gradient[..., channel]) * spread[:, channel, None, None, None]
            # The positive part of a normal variable; of one without any spread, of its mean.
            ratio = fall / np.where(deviation > 0, deviation, 1)
            normal = fall * norm.cdf(ratio) + deviation * norm.pdf(ratio)
            total[..., channel] += np.where(deviation > 0, normal, np.maximum(fall, 0))
            # Where a rise counts too: the mean size of a normal variable is twice the positive part, less the mean.
            total[rises, ..., channel] += np.where(deviation > 0, normal - fall, np.maximum(-fall, 0))[rises]
    return _by_channel(part, total / explainer.draws, "sum")


def _by_channel(part: Part, channels: _Array, reduce: str) -> PlainMap:
    channels = part.masked(channels)
    magnitude = np.abs(channels).sum(-1).reshape(len(channels), -1).max(1)
    return PlainMap(reduced(channels, reduce), magnitude, channels=channels)


def _column(numbers: "list[float]", like: Tensor) -> Tensor:
    """A number per sample, which broadcasts to ``[B, M, T, N, C]``."""
    return torch.tensor(numbers, dtype=like.dtype, device=like.device).view(-1, 1, 1, 1, 1)
