"""Order in time: a class is that one event came before another."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stexplain.checks.known.network import FRAMES, KnownModel, KnownNetwork, as_x, background
from stexplain.graph import STGraph


class Order(KnownNetwork):
    """Class 0 is that node a was active before b, class 1 that b was before a; noted where the second is active."""

    earlier: Tensor
    gate: Tensor

    def __init__(self, graph: STGraph, nodes: tuple[int, int]):
        super().__init__(graph, torch.eye(2))
        first, second = nodes
        self.register_buffer("earlier", torch.tensor([first, second]))
        self.register_buffer("gate", torch.zeros(len(graph), 2))
        self.gate[second, 0] = self.gate[first, 1] = 1

    def evidence(self, signal: Tensor) -> Tensor:
        """See `KnownNetwork`."""
        # The highest signal before each frame, of the node that must come first.
        past = F.pad(signal.cummax(2).values[:, :, :-1], (0, 0, 1, 0))[..., self.earlier]  # [B, M, T, 2]
        return torch.relu(past[:, :, :, None] + signal[..., None] - 1.5) * self.gate


def make(graph: STGraph, over: str, samples: int, seed: int) -> KnownModel:
    """The model, and samples with both events, in one order or the other, at frames of their own."""
    generator = np.random.default_rng(seed)
    a, b = (int(n) for n in generator.choice(len(graph), 2, replace=False))
    signal = background(samples, graph, generator)
    sign = np.zeros(signal.shape, np.int8)
    classes = tuple((row + 1) % 2 for row in range(samples))
    for row, which in enumerate(classes):
        early, late = sorted(generator.choice(np.arange(2, FRAMES - 2), 2, replace=False))
        for t, n in ((early, (a, b)[which]), (late, (b, a)[which])):
            signal[row, 0, t, n] = 1
            sign[row, 0, t, n] = 1
    model = Order(graph, (a, b)).eval()
    return KnownModel(
        "order", over, model, as_x(signal), classes, sign != 0, sign, "one event, and another later: both are needed"
    )
