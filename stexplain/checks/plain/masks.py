"""The methods that mask regions, region by region: occlusion, and Shapley values of a few players."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stexplain.checks.plain.part import Part, PlainMap
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.methods.perturbation.owen import OwenValueSampling
from stexplain.explainers.methods.perturbation.regions import node_groups
from stexplain.explainers.methods.perturbation.shapley import ShapleyValueSampling
from stexplain.explainers.model.index_channels import signal_mask
from stexplain.explainers.model.perturb import with_baseline
from stexplain.explainers.random_generator import own_generator

_Place = tuple[int, int, int]
"""An instance, a window and a group, by index."""
# How many regions are masked by themselves: enough to see a map that is moved, few enough to take seconds.
_REGIONS = 24
_PLAYERS = 3


def occlusion(part: Part, explainer: Occlusion, values: NDArray[np.float32]) -> PlainMap | str:
    """The drop of the score by some regions: those where the explainer's map is largest, and others at random."""
    frames = part.x.shape[2]
    length = min(explainer.window or frames, frames)
    if explainer.stride is not None and explainer.stride != length:
        return "windows overlap, or leave frames out"
    groups = list(node_groups(explainer.groups, part.caller.graph, part.x.shape[3]).values())
    if len({node for group in groups for node in group}) < sum(map(len, groups)):
        return "groups overlap"
    baseline = with_baseline(part.caller, part.samples, explainer.baseline)
    of_samples = part.score_number(part.x)
    result = np.zeros(values.shape)
    computed = np.zeros(values.shape, bool)
    magnitude = np.abs(of_samples)
    for m, window, g in _chosen(values, groups, length, _REGIONS):
        inside = slice(window * length, (window + 1) * length)
        drop = np.zeros(len(values))
        # Every signal by itself, where the explainer does so; else all at once.
        for channels in [[c] for c in _signals(part)] if explainer.per_channel else [slice(None)]:
            masked = part.x.clone()
            for n in groups[g]:
                masked[:, m, inside, n, channels] = baseline[:, m, inside, n, channels]
            drop += of_samples - part.score_number(masked)
        for n in groups[g]:
            result[:, m, inside, n] = drop[:, None]
            computed[:, m, inside, n] = True
    return PlainMap(part.masked(result), magnitude, computed=computed)


def shapley(part: Part, explainer: ShapleyValueSampling, values: NDArray[np.float32]) -> PlainMap | str:
    """The values of a few players: the mean over orders of what a player adds to those before it."""
    if explainer.per_channel:
        return "every signal is a player of its own"
    instances, frames, nodes = part.x.shape[1:4]
    length = min(explainer.window or frames, frames)
    groups, unions = _players(explainer, part)
    windows = range(-(-frames // length))
    count = explainer.orders // 2 if explainer.antithetic else explainer.orders
    # Every player draws a number for each order, after its union if there are any, and shows itself in their order.
    drawn = {
        (m, window, g): [
            own_generator(explainer.seed, drawing).random(count)
            for drawing in (
                *([f"union {unions[g]}, instance {m}, window {window}"] if unions else []),
                f"instance {m}, window {window}, {name}",
            )
        ]
        for m in range(instances)
        for g, name in enumerate(groups)
        for window in windows
    }

    def turn(player: _Place, order: int) -> list[float]:
        # The reverse of an order is that of the negative numbers.
        which, sign = (order // 2, 1 - 2 * (order % 2)) if explainer.antithetic else (order, 1)
        return [sign * float(numbers[which]) for numbers in drawn[player]]

    members = list(groups.values())
    baseline = with_baseline(part.caller, part.samples, explainer.baseline)
    result, computed = np.zeros(values.shape), np.zeros(values.shape, bool)
    for player in _chosen(values, members, length, _PLAYERS):
        added = np.zeros(len(values))
        for order in range(explainer.orders):
            before = [other for other in drawn if turn(other, order) < turn(player, order)]
            without = _shown(part, baseline, members, length, before)
            shown = _shown(part, baseline, members, length, [*before, player])
            added += part.score_number(shown) - part.score_number(without)
        m, window, g = player
        inside = slice(window * length, (window + 1) * length)
        held = part.present[:, m, inside][:, :, members[g]].sum((1, 2))
        for n in members[g]:
            result[:, m, inside, n] = (added / explainer.orders / np.maximum(held, 1))[:, None]
            computed[:, m, inside, n] = True
    return PlainMap(part.masked(result), np.abs(part.score_number(part.x)) / (frames * nodes), computed=computed)


def _players(explainer: ShapleyValueSampling, part: Part) -> tuple[dict[str, list[int]], list[str]]:
    """Groups that play together, and every node that is in none; or single nodes, and the union of each."""
    graph, nodes = part.caller.graph, part.x.shape[3]
    requested = explainer.groups
    if requested is None and graph is not None and graph.groups:
        requested = graph.groups
    groups = node_groups(requested, graph, nodes)
    inside = {node for group in groups.values() for node in group}
    names = [str(n) for n in range(nodes)] if graph is None else list(graph.nodes)
    groups |= {f"node {names[n]}": [n] for n in range(nodes) if n not in inside}
    if not isinstance(explainer, OwenValueSampling):
        return groups, []
    unions = [next(name for name, members in groups.items() if n in members) for n in range(nodes)]
    return {names[n]: [n] for n in range(nodes)}, unions


def _shown(
    part: Part, baseline: Tensor, members: Sequence[Sequence[int]], length: int, players: Sequence[_Place]
) -> Tensor:
    """The samples with these players' observations, and the baseline elsewhere."""
    x = baseline.clone()
    for m, window, g in players:
        inside = slice(window * length, (window + 1) * length)
        for n in members[g]:
            x[:, m, inside, n] = part.x[:, m, inside, n]
    return x


def _signals(part: Part) -> list[int]:
    mask = signal_mask(part.caller, part.samples)
    return list(range(part.x.shape[-1])) if mask is None else mask.nonzero()[:, 0].tolist()


def _chosen(values: NDArray[np.float32], groups: Sequence[Sequence[int]], length: int, count: int) -> "list[_Place]":
    """Half of the places where the map of any sample is largest in size, half at random; all where there are few."""
    instances, frames = values.shape[1:3]
    places = [(m, w, g) for m in range(instances) for w in range(-(-frames // length)) for g in range(len(groups))]
    if len(places) <= count:
        return places
    size = np.abs(values)

    def largest(place: _Place) -> float:
        m, window, g = place
        # Relative to the sample's own largest value: samples with small scores count as much.
        inside = size[:, m, window * length : (window + 1) * length][:, :, list(groups[g])].reshape(len(size), -1)
        return float((inside.max(1) / np.maximum(size.reshape(len(size), -1).max(1), 1e-30)).max())

    ordered = sorted(places, key=largest, reverse=True)
    others = ordered[(count + 1) // 2 :]
    drawn = torch.randperm(len(others), generator=torch.Generator().manual_seed(0), device="cpu")[: count // 2].tolist()
    return [*ordered[: (count + 1) // 2], *(others[index] for index in drawn)]
