"""What known models share: evidence at positions, a ReLU, global average pooling and a linear head, set by hand."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stexplain.graph import STGraph

FRAMES = 16
"""T of the samples of known models."""


@dataclass(frozen=True)
class KnownModel:
    """A network whose function is written down, samples of it, and the truth about them.

    Attributes:
        kind: what the network does, such as "one position".
        over: the name of the graph, such as "roads".
        model: in eval mode; its input is ``[B, M, T, N, 1]``.
        x: samples.
        classes: the class that is explained of each sample, B of them.
        truth: the positions that the score of that class depends on, ``[B, M, T, N]``, bool: replacing the signal
            there by that of rest changes it, and nowhere else.
        sign: 1 where a position raises the class's score, -1 where it lowers it, 0 elsewhere, ``[B, M, T, N]``.
        text: the function, in a sentence.

    Example:
        >>> from stexplain.checks.known import known_models
        >>> known = known_models("one position", samples=2)[0]
        >>> known.name, tuple(known.x.shape), known.truth.shape
        ('one position, skeleton', (2, 1, 16, 25, 1), (2, 1, 16, 25))
        >>> print(known.text)
        the signal of one node at one frame, less half of that of another at another
    """

    kind: str
    over: str
    model: nn.Module
    x: Tensor
    classes: tuple[int, ...]
    truth: NDArray[np.bool_]
    sign: NDArray[np.int8]
    text: str

    @property
    def name(self) -> str:
        """The kind, and the graph."""
        return f"{self.kind}, {self.over}"


class KnownNetwork(nn.Module, ABC):
    """Evidence ``[B, M, T, N, K]`` through a ReLU, averaged over all positions, times the weights of the head.

    One more channel holds the signal itself. The head has no use for it: so each network also computes something that
    it does not use.

    Args:
        graph: of the nodes.
        weight: of the evidence for the classes, ``[classes, K]``.
        instances: M.

    Example:
        >>> class FirstNode(KnownNetwork):
        ...     def evidence(self, signal):
        ...         return signal[..., None] * gates([(0, 3, 0)], (1, FRAMES, 2))  # frame 3 of node 0
        >>> network = FirstNode(STGraph.from_edges("ab", [("a", "b")]), torch.tensor([[0.0], [2.0]]))
        >>> network(torch.full((1, 1, FRAMES, 2, 1), 5.0)).tolist()
        [[0.0, 10.0]]
    """

    inputs = "b m t n c"

    def __init__(self, graph: STGraph, weight: Tensor, instances: int = 1):
        super().__init__()
        self.graph = graph
        self.features = nn.ReLU()
        classes, channels = weight.shape
        self.head = nn.Linear(channels + 1, classes, bias=False)
        # The mean divides by the number of positions, so that the logits are sums of evidence.
        scaled = weight.float() * instances * FRAMES * len(graph)
        with torch.no_grad():
            self.head.weight.copy_(torch.cat([scaled, torch.zeros(classes, 1)], 1))

    @abstractmethod
    def evidence(self, signal: Tensor) -> Tensor:
        """From signals ``[B, M, T, N]`` to evidence ``[B, M, T, N, K]``."""

    def forward(self, x: Tensor) -> Tensor:
        """From ``[B, M, T, N, 1]`` to logits ``[B, classes]``."""
        features = self.features(torch.cat([self.evidence(x[..., 0]), x], -1))
        logits: Tensor = self.head(features.mean((1, 2, 3)))
        return logits


def gates(positions: Sequence[tuple[int, int, int]], shape: tuple[int, int, int]) -> Tensor:
    """One at a position of each channel, zero elsewhere, ``[M, T, N, K]``.

    Example:
        >>> gates([(0, 1, 0)], (1, 2, 1)).flatten().tolist()
        [0.0, 1.0]
    """
    mask = torch.zeros(*shape, len(positions))
    for channel, (m, t, n) in enumerate(positions):
        mask[m, t, n, channel] = 1
    return mask


def background(samples: int, graph: STGraph, generator: np.random.Generator, instances: int = 1) -> NDArray[np.float32]:
    """Signals below one half, which no network here takes for an event, ``[B, M, T, N]``."""
    return generator.uniform(0.1, 0.4, (samples, instances, FRAMES, len(graph))).astype(np.float32)


def spread(count: int, graph: STGraph, generator: np.random.Generator) -> list[tuple[int, int]]:
    """Pairs of frame and node, no two of one node or frame, and no frame at an end."""
    frames = generator.choice(np.arange(2, FRAMES - 2), count, replace=False)
    nodes = generator.choice(len(graph), count, replace=False)
    return [(int(t), int(n)) for t, n in zip(frames, nodes, strict=True)]


def as_x(signal: NDArray[np.float32]) -> Tensor:
    """Signals ``[B, M, T, N]`` as samples of one channel."""
    return torch.from_numpy(signal)[..., None]
