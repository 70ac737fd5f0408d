"""A decoy that is computed and not used: large signals, large features, no weight in the head."""

import numpy as np
import torch
from torch import Tensor

from stexplain.checks.known.network import FRAMES, KnownModel, KnownNetwork, as_x, background, gates, spread
from stexplain.graph import STGraph

_CLASSES = 3


class Decoy(KnownNetwork):
    """The logit of class k is the signal at position k; ten times the signal of a decoy is computed beside it."""

    gate: Tensor

    def __init__(self, graph: STGraph, places: list[tuple[int, int]]):
        super().__init__(graph, torch.cat([torch.eye(_CLASSES), torch.zeros(_CLASSES, _CLASSES)], 1))
        self.register_buffer("gate", gates([(0, t, n) for t, n in places], (1, FRAMES, len(graph))))
        self.gate[..., _CLASSES:] *= 10

    def evidence(self, signal: Tensor) -> Tensor:
        """See `KnownNetwork`."""
        return signal[..., None] * self.gate


def make(graph: STGraph, over: str, samples: int, seed: int) -> KnownModel:
    """The model, and samples in which the decoys' signals are three times as large as those that count."""
    generator = np.random.default_rng(seed)
    places = spread(2 * _CLASSES, graph, generator)
    signal = background(samples, graph, generator)
    sign = np.zeros(signal.shape, np.int8)
    classes = tuple((row + 1) % _CLASSES for row in range(samples))
    for row, which in enumerate(classes):
        for number, (t, n) in enumerate(places):
            signal[row, 0, t, n] = 1 if number < _CLASSES else 3
        sign[(row, 0, *places[which])] = 1
    model = Decoy(graph, places).eval()
    text = "the signal of one node at one frame; larger ones elsewhere are computed, and have no weight"
    return KnownModel("decoy", over, model, as_x(signal), classes, sign != 0, sign, text)
