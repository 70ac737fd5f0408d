"""An easy task whose truth is known, and networks that have learned it, learned nonsense, or learned nothing.

Each node makes one burst, all of one size, at a time of its own. Class k is the one node whose burst is in channel 0;
the others burst in channel 1. What moves, how much and when says nothing about the class.
"""

from functools import cache

import torch
from torch import Tensor, nn

from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN

CLASSES, FRAMES, NODES = 3, 16, 5
LAYOUT = "b c t n"
GRAPH = STGraph.from_edges("abcde", [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")], center="c")


def samples(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """x ``[B, 2, T, N]`` and labels ``[B]``."""
    random = torch.Generator().manual_seed(seed)
    x = 0.1 * torch.randn(count, 2, FRAMES, NODES, generator=random)
    labels = torch.arange(count) % CLASSES
    starts = torch.randint(0, FRAMES - 4, (count, NODES), generator=random)
    for row in range(count):
        for node in range(NODES):
            channel = 0 if node == labels[row] else 1
            x[row, channel, starts[row, node] : starts[row, node] + 4, node] += 1
    return x, labels


def network(seed: int, kind: str = "convolution") -> nn.Module:
    """A network without training."""
    torch.manual_seed(seed)
    if kind == "convolution":
        return nn.Sequential(
            nn.Conv2d(2, 8, (5, 1), padding=(2, 0)),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d((1, None)),
            nn.Flatten(),
            nn.Linear(8 * NODES, CLASSES),
        ).eval()
    if kind == "perceptron":
        hidden = nn.Linear(2 * FRAMES * NODES, 32)
        return nn.Sequential(nn.Flatten(), hidden, nn.Tanh(), nn.Linear(32, CLASSES)).eval()
    return STGCN(GRAPH, classes=CLASSES, channels=(8,), channels_in=2, strides=(1,), temporal_kernel=3).eval()


@cache
def trained(seed: int = 0, *, shuffled: bool = False) -> nn.Module:
    """The convolution, trained on the true labels or on shuffled ones."""
    model = network(seed).train()
    x, labels = samples(300, 1000 + seed)
    if shuffled:
        labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(120):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()
    return model.eval()
