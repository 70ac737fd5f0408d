"""A message that crosses k edges with a lag: it is read where it arrives, and sent elsewhere, earlier."""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stexplain.checks.known.network import FRAMES, KnownModel, KnownNetwork, as_x, background
from stexplain.errors import InputError
from stexplain.graph import STGraph

_EDGES = 3


class Message(KnownNetwork):
    """What a path's first node sends at t arrives at its last at t + k, an edge a frame; class k is that of path k."""

    step: Tensor

    def __init__(self, graph: STGraph, paths: list[list[int]]):
        super().__init__(graph, torch.eye(len(paths)))
        # One matrix of messages per edge of a path, [classes, edges, N, N].
        step = torch.zeros(len(paths), _EDGES, len(graph), len(graph))
        for which, path in enumerate(paths):
            for edge, (source, target) in enumerate(pairwise(path)):
                step[which, edge, source, target] = 1
        self.register_buffer("step", step)

    def evidence(self, signal: Tensor) -> Tensor:
        """See `KnownNetwork`."""
        arrived = []
        for steps in self.step:
            # Below 0.6 nothing is sent.
            message = torch.relu(signal - 0.6)
            for matrix in steps:
                message = F.pad((message @ matrix)[:, :, :-1], (0, 0, 1, 0))
            arrived.append(message)
        return torch.stack(arrived, -1)


def make(graph: STGraph, over: str, samples: int, seed: int) -> KnownModel:
    """The model, and samples in which the first nodes of both paths send once; all other nodes are active later."""
    generator = np.random.default_rng(seed)
    paths = [_path(graph, generator, ()), []]
    paths[1] = _path(graph, generator, (paths[0][0], paths[0][-1]))
    signal = background(samples, graph, generator)
    sign = np.zeros(signal.shape, np.int8)
    classes = tuple((row + 1) % 2 for row in range(samples))
    for row, which in enumerate(classes):
        sent = generator.choice(np.arange(2, FRAMES - _EDGES - 3), 2, replace=False)
        for path, t in zip(paths, sent, strict=True):
            signal[row, 0, t, path[0]] = 1
        sign[row, 0, sent[which], paths[which][0]] = 1
    model = Message(graph, paths).eval()
    text = f"the signal of a node, read {_EDGES} edges further and {_EDGES} frames later"
    return KnownModel("message", over, model, as_x(signal), classes, sign != 0, sign, text)


def _path(graph: STGraph, generator: np.random.Generator, without: tuple[int, ...]) -> list[int]:
    """A path of so many edges that visits no node twice, and neither starts nor ends at some nodes."""
    follow: dict[int, list[int]] = {n: [] for n in range(len(graph))}
    for source, target in graph.edges.tolist():
        follow[source].append(target)
        if not graph.directed:
            follow[target].append(source)
    # Enough tries for any graph of this catalogue.
    for _ in range(1000):
        path = [int(generator.integers(len(graph)))]
        while len(path) <= _EDGES and (nexts := [n for n in follow[path[-1]] if n not in path]):
            path.append(int(generator.choice(nexts)))
        if len(path) == _EDGES + 1 and path[0] not in without and path[-1] not in without:
            return path
    raise InputError(f"graph: got one without two paths of {_EDGES} edges; expected such paths.")
