"""A small classifier and small data for the tests of training: the contracts of the real ones, in milliseconds."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stexplain.cards import Recipe
from stexplain.data.samples import Batch
from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN

NODES = 4


class Probe(nn.Module):
    """Batch norm, dropout and two linear layers: something of each kind that training has to keep."""

    def __init__(self, classes: int, seed: int = 0, dropout: float = 0.2) -> None:
        super().__init__()
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            self.classes = classes
            self.norm = nn.BatchNorm1d(NODES * 3)
            self.first = nn.Conv2d(3, 16, (1, 3), padding=(0, 1)).to(memory_format=torch.channels_last)
            self.dropout = nn.Dropout(dropout)
            self.last = nn.Linear(16 * NODES, classes)

    def forward(self, x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        b, m, t, n, c = x.shape
        h = self.norm(x.reshape(b * m * t, n * c)).reshape(b * m, t, n, c).permute(0, 3, 2, 1)
        h = torch.relu(self.first(h)).mean(3).reshape(b, m, -1).mean(1)
        return self.last(self.dropout(h))


class Straight(nn.Module):
    """One linear layer over all of a sample."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.last = nn.Linear(5 * NODES * 3, classes)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        return self.last(x.flatten(1))


class StandInClips:
    """Separable classes: each moves one node along one axis."""

    def __init__(self, count: int = 24, classes: int = 3, seed: int = 0, prefix: str = "clip", frames: int = 5) -> None:
        random = np.random.default_rng(seed)
        self.labels: NDArray[np.int64] = np.arange(count, dtype=np.int64) % classes
        self.x = random.normal(size=(count, 1, frames, NODES, 3)).astype(np.float32)
        for row, label in enumerate(self.labels):
            self.x[row, :, :, label % NODES, label % 3] += 3
        self.ids = [f"{prefix}{row}" for row in range(count)]
        self.classes = [f"class {index}" for index in range(classes)]
        self.graph = SimpleNamespace(nodes=tuple(f"node {index}" for index in range(NODES)))
        self.card = SimpleNamespace(name="stand-in", hash="0")
        self.before_batch: Callable[[int], None] | None = None
        self.calls = 0

    def __len__(self) -> int:
        return len(self.ids)

    def with_recipe(self, recipe: Recipe) -> "StandInClips":
        return self

    def batch(self, indices: Sequence[int] | NDArray[Any], generator: np.random.Generator | None = None) -> Batch:
        self.calls += generator is not None
        if self.before_batch is not None and generator is not None:
            self.before_batch(self.calls)
        x = self.x[indices]
        if generator is not None:
            x = x * generator.uniform(0.8, 1.2, size=(len(x), 1, 1, 1, 1)).astype(np.float32)
        return Batch(
            torch.from_numpy(x),
            torch.ones(x.shape[:3], dtype=torch.bool),
            torch.from_numpy(self.labels[indices]),
            tuple(self.ids[index] for index in indices),
        )

    def batches(self, size: int) -> Iterator[Batch]:
        for start in range(0, len(self), size):
            yield self.batch(np.arange(start, min(start + size, len(self))))


class Unaugmented(StandInClips):
    """The same, whatever the generator."""

    def batch(self, indices: Sequence[int] | NDArray[Any], generator: np.random.Generator | None = None) -> Batch:
        self.calls += generator is not None
        if self.before_batch is not None and generator is not None:
            self.before_batch(self.calls)
        return super().batch(indices)


class PaddedClips(Unaugmented):
    """The same, two persons and twelve frames, of which some are padding and half of the second persons are absent."""

    def __init__(self, count: int = 24, classes: int = 3) -> None:
        super().__init__(count, classes, frames=12)
        self.x = np.concatenate([self.x, self.x[:, :, ::-1]], 1)
        self.valid = np.arange(12) < 1 + np.arange(count)[:, None, None] * 5 % 12 + np.zeros((1, 2, 1))
        self.valid[::2, 1] = False
        self.x *= self.valid[..., None, None]

    def batch(self, indices: Sequence[int] | NDArray[Any], generator: np.random.Generator | None = None) -> Batch:
        return replace(super().batch(indices, generator), valid=torch.from_numpy(self.valid[indices]))


def network_on(clips: StandInClips, dropout: float = 0.0) -> STGCN:
    """A small network for these clips, the same at each call."""
    nodes = clips.graph.nodes
    graph = STGraph(list(nodes), [(0, 1), (1, 2), (2, 3)], center=nodes[1])
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return STGCN(
            graph,
            classes=len(clips.classes),
            channels=(4, 6, 6),
            strides=(1, 2, 1),
            temporal_kernel=3,
            dropout=dropout,
        )


def recipe(**changes: Any) -> Recipe:
    values: dict[str, Any] = {
        "epochs": 4,
        "batch": 8,
        "frames": 5,
        "sampling": "pad",
        "rate": 0.1,
        "summary": "for tests",
    }
    return Recipe(**{**values, **changes})


def killed_at(call: int) -> Callable[[int], None]:
    """Kills the process at the n-th training batch, as the system would."""

    def kill(calls: int) -> None:
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)

    return kill


def assert_same(one: nn.Module, other: nn.Module) -> None:
    """Equal, bit by bit, in all that is saved."""
    for (name, a), (_, b) in zip(one.state_dict().items(), other.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
