"""A second person: both do the same, and what one of them does counts."""

import numpy as np
import torch
from torch import Tensor

from stexplain.checks.known.network import FRAMES, KnownModel, KnownNetwork, as_x, background, gates, spread
from stexplain.graph import STGraph

_CLASSES = 2


class SecondPerson(KnownNetwork):
    """The logit of class k is the signal at position k of instance 1 - k, whatever the other instance does."""

    gate: Tensor

    def __init__(self, graph: STGraph, places: list[tuple[int, int]]):
        super().__init__(graph, torch.eye(_CLASSES), instances=2)
        each = [(1 - which, t, n) for which, (t, n) in enumerate(places)]
        self.register_buffer("gate", gates(each, (2, FRAMES, len(graph))))

    def evidence(self, signal: Tensor) -> Tensor:
        """See `KnownNetwork`."""
        return signal[..., None] * self.gate


def make(graph: STGraph, over: str, samples: int, seed: int) -> KnownModel:
    """The model, and samples in which both instances are active at the same positions."""
    generator = np.random.default_rng(seed)
    places = spread(_CLASSES, graph, generator)
    signal = background(samples, graph, generator, instances=2)
    sign = np.zeros(signal.shape, np.int8)
    classes = tuple((row + 1) % _CLASSES for row in range(samples))
    for row, which in enumerate(classes):
        for t, n in places:
            signal[row, :, t, n] = 1
        sign[(row, 1 - which, *places[which])] = 1
    model = SecondPerson(graph, places).eval()
    text = "the signal of one node at one frame of one of two instances, which do the same"
    return KnownModel("second person", over, model, as_x(signal), classes, sign != 0, sign, text)
