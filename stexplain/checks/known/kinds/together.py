"""Two nodes that matter only together: either alone changes nothing."""

import numpy as np
import torch
from torch import Tensor

from stexplain.checks.known.network import FRAMES, KnownModel, KnownNetwork, as_x, background, gates, spread
from stexplain.graph import STGraph

_CLASSES = 2


class Together(KnownNetwork):
    """The logit of class k is max(0, x[a] + x[b] - 1.2) for a pair of nodes (a, b) at one frame."""

    gate: Tensor
    partner: Tensor

    def __init__(self, graph: STGraph, pairs: list[tuple[int, int, int]]):
        super().__init__(graph, torch.eye(_CLASSES) / 2)
        # Each of the two holds the evidence, and hears the other.
        ends = [gates([(0, pair[0], pair[own]) for pair in pairs], (1, FRAMES, len(graph))) for own in (1, 2)]
        self.register_buffer("gate", ends[0] + ends[1])
        self.register_buffer("partner", torch.arange(len(graph)).repeat(_CLASSES, 1))
        for k, (_, a, b) in enumerate(pairs):
            self.partner[k, a], self.partner[k, b] = b, a

    def evidence(self, signal: Tensor) -> Tensor:
        """See `KnownNetwork`."""
        sums = torch.stack([signal + signal[..., partner] for partner in self.partner], -1)
        return torch.relu(sums - 1.2) * self.gate


def make(graph: STGraph, over: str, samples: int, seed: int) -> KnownModel:
    """The model, and samples in which the nodes of both pairs are active."""
    generator = np.random.default_rng(seed)
    ends = spread(2 * _CLASSES, graph, generator)
    pairs = [(ends[2 * k][0], ends[2 * k][1], ends[2 * k + 1][1]) for k in range(_CLASSES)]
    signal = background(samples, graph, generator)
    sign = np.zeros(signal.shape, np.int8)
    classes = tuple((row + 1) % _CLASSES for row in range(samples))
    for row, which in enumerate(classes):
        for t, a, b in pairs:
            signal[row, 0, t, [a, b]] = 1
        t, a, b = pairs[which]
        sign[row, 0, t, [a, b]] = 1
    model = Together(graph, pairs).eval()
    text = "two nodes at one frame, which count only where both are active"
    return KnownModel("together", over, model, as_x(signal), classes, sign != 0, sign, text)
