"""Absence of movement: what decides is that a node is still while all others move."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stexplain.checks.known.network import FRAMES, KnownModel, KnownNetwork, as_x, background
from stexplain.graph import STGraph

_WINDOWS = ((2, 7), (9, 14))


class Absence(KnownNetwork):
    """The logit of class k is the sum of max(0, 0.5 - |x[t] - x[t - 1]|) of one node over a window of frames."""

    gate: Tensor

    def __init__(self, graph: STGraph, nodes: list[int]):
        super().__init__(graph, torch.eye(len(nodes)))
        gate = torch.zeros(1, FRAMES, len(graph), len(nodes))
        for which, (node, (start, stop)) in enumerate(zip(nodes, _WINDOWS, strict=True)):
            gate[0, start:stop, node, which] = 1
        self.register_buffer("gate", gate)

    def evidence(self, signal: Tensor) -> Tensor:
        """See `KnownNetwork`."""
        steps = F.pad((signal[:, :, 1:] - signal[:, :, :-1]).abs(), (0, 0, 1, 0), value=1.0)
        return torch.relu(0.5 - steps)[..., None] * self.gate


def make(graph: STGraph, over: str, samples: int, seed: int) -> KnownModel:
    """The model, and samples in which everything moves but the two nodes, each in its window."""
    generator = np.random.default_rng(seed)
    nodes = [int(n) for n in generator.choice(len(graph), len(_WINDOWS), replace=False)]
    signal = background(samples, graph, generator)
    # All move by about one from frame to frame; the still ones rest at one.
    signal[:, :, ::2] += 1
    sign = np.zeros(signal.shape, np.int8)
    classes = tuple((row + 1) % len(nodes) for row in range(samples))
    for node, (start, stop) in zip(nodes, _WINDOWS, strict=True):
        signal[:, :, start - 1 : stop, node] = 1
    for row, which in enumerate(classes):
        start, stop = _WINDOWS[which]
        # The frame before the window belongs to it: the first step is from there.
        sign[row, 0, start - 1 : stop, nodes[which]] = 1
    model = Absence(graph, nodes).eval()
    text = "that a node is still for five frames; any movement there counts against it"
    return KnownModel("absence", over, model, as_x(signal), classes, sign != 0, sign, text)
