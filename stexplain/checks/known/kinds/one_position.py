"""One node at one time counts for each class, and another against it."""

import numpy as np
import torch
from torch import Tensor

from stexplain.checks.known.network import FRAMES, KnownModel, KnownNetwork, as_x, background, gates, spread
from stexplain.graph import STGraph

_CLASSES = 4


class OnePosition(KnownNetwork):
    """The logit of class k is the signal at position k, less half of that at position k + 1."""

    gate: Tensor

    def __init__(self, graph: STGraph, places: list[tuple[int, int]]):
        eye = torch.eye(_CLASSES)
        super().__init__(graph, eye - 0.5 * eye.roll(1, 1))
        self.register_buffer("gate", gates([(0, t, n) for t, n in places], (1, FRAMES, len(graph))))

    def evidence(self, signal: Tensor) -> Tensor:
        """See `KnownNetwork`."""
        return signal[..., None] * self.gate


def make(graph: STGraph, over: str, samples: int, seed: int) -> KnownModel:
    """The model, and samples that differ in noise and in the class that is explained."""
    generator = np.random.default_rng(seed)
    places = spread(_CLASSES, graph, generator)
    signal = background(samples, graph, generator)
    sign = np.zeros(signal.shape, np.int8)
    # Class 0 comes last: whatever explains it alone is then wrong at once.
    classes = tuple((row + 1) % _CLASSES for row in range(samples))
    for row, which in enumerate(classes):
        for t, n in places:
            signal[row, 0, t, n] += 0.6
        sign[(row, 0, *places[which])] = 1
        sign[(row, 0, *places[(which + 1) % _CLASSES])] = -1
    model = OnePosition(graph, places).eval()
    text = "the signal of one node at one frame, less half of that of another at another"
    return KnownModel("one position", over, model, as_x(signal), classes, sign != 0, sign, text)
