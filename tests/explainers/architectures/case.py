"""What the tests of an architecture need to know: how it is called, and, worked out by hand, where its layers lie.

Where a layer lies in time follows from kernels, padding, strides and dilation alone: position p sees the frames
first + stride * p to last + stride * p, and stands for the middle of them. A position that only looks back stands for
the last of them, as one of a recurrent layer does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from stexplain import STGraph


@dataclass(frozen=True)
class Layer:
    """The output of a module, as it is known from the architecture.

    Attributes:
        name: of the module; ``name[1]``: the second tensor of the tuple that it returns.
        layout: of the tensor; of one call, where the module runs once per frame.
        time: ``"window"``, ``"recurrent"`` (position p sees the frames up to last + p), ``"global"`` (each sees all
            frames), or ``"none"``: without frames.
        first: the first frame that position 0 sees, below zero where the past is padded.
        last: the last frame that position 0 sees.
        stride: frames from one position to the next.
        by_frame: whether the module runs once per frame.
        known: whether a measurement can tell where its positions lie; else it must say that it cannot.
    """

    name: str
    layout: str
    time: str = "window"
    first: int = 0
    last: int = 0
    stride: int = 1
    by_frame: bool = False
    known: bool = True

    @property
    def looks_back(self) -> bool:
        """Whether position p sees the past up to frame p alone, by a recurrence or by padding before the clip."""
        return self.time == "recurrent" or (self.time == "window" and self.first < 0 and self.last == 0)

    @property
    def kind(self) -> str:
        """How its positions lie in time, in the words of the table of layers."""
        if self.looks_back:
            return "causal"
        if self.time == "window":
            return "one frame" if self.first == self.last else "aligned"
        return self.time

    @property
    def offset(self) -> float:
        """The frame that position 0 stands for."""
        return self.last if self.looks_back else (self.first + self.last) / 2


def window(name: str, layout: str, first: int, last: int, stride: int = 1, **more: Any) -> Layer:
    """A layer of convolutions and pooling: position 0 sees the frames first to last."""
    return Layer(name, layout, "window", first, last, stride, **more)


def recurrent(name: str, layout: str, **more: Any) -> Layer:
    """A layer whose position p sees the frames 0 to p, where `last` says nothing else."""
    return Layer(name, layout, "recurrent", **more)


def everywhere(name: str, layout: str, stride: int = 1, first: int = 0, last: int = 0, known: bool = True) -> Layer:
    """A layer each of whose positions sees all frames, by attention or a mean over time, and stands for its own.

    Without what mixes all frames, position 0 would see the frames first to last.
    """
    return Layer(name, layout, "global", first, last, stride, known=known)


def without_frames(name: str, layout: str, known: bool = True) -> Layer:
    """A layer with an entry per node, or per sample, for all frames together."""
    return Layer(name, layout, "none", known=known)


@dataclass(frozen=True)
class Case:
    """A small model of an architecture, and a call of it.

    Attributes:
        model: in eval mode.
        x: the signals, in the model's own layout.
        inputs: that layout.
        sizes: of the axes b, m, t, n, c of x.
        target: what is explained.
        score: the same by hand: from what the model returned to a score per sample.
        layers: those that are checked.
        defaults: the layers that may be explained where none is named; empty: no layer keeps nodes and frames.
        shared: further arguments of the model's forward.
        per_sample: those with an entry per sample.
        options: how the model is called, beside `inputs`.
        clock_channels: how many of the last channels are indices, in a layout that ends with c.
    """

    model: nn.Module
    x: Any
    inputs: str
    sizes: Mapping[str, int]
    target: Any
    score: Callable[[Any], Tensor]
    layers: tuple[Layer, ...]
    defaults: tuple[str, ...]
    shared: Mapping[str, Any] = field(default_factory=dict)
    per_sample: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    clock_channels: int = 0

    def signals(self, generator: torch.Generator) -> Tensor:
        """Other signals of the same shape, with the same indices."""
        drawn = torch.randn(self.x.shape, generator=generator)
        if self.clock_channels:
            drawn[..., -self.clock_channels :] = self.x[..., -self.clock_channels :]
        return drawn

    @property
    def named_signals(self) -> dict[str, Any]:
        """The option that says which channels are no indices, where some are."""
        return {"signals": list(range(self.sizes["c"] - self.clock_channels))} if self.clock_channels else {}

    def native(self, x: Tensor) -> Tensor:
        """Signals ``[B, M, T, N, C]`` in the model's own layout."""
        present = " ".join(letter if letter in self.inputs else "1" for letter in "bmtnc")
        return rearrange(x, f"{present} -> {self.inputs}")

    @property
    def arguments(self) -> dict[str, Any]:
        """The further arguments, as explainers take them."""
        return {"shared": dict(self.shared), "per_sample": dict(self.per_sample)}


def sizes(**given: int) -> dict[str, int]:
    """The sizes of all five axes; one where none is given."""
    return {**dict.fromkeys("bmtnc", 1), **given}


def lively(model: nn.Module) -> nn.Module:
    """The model in eval mode, with parameters and statistics at which nothing is zero, equal or dead.

    Many architectures start from zeros: adaptive adjacencies, scales of residuals, attention's weights.
    """
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.add_(0.1 * torch.randn(buffer.shape, generator=generator))
            if name.endswith("running_var"):
                buffer.mul_(0.5 + torch.rand(buffer.shape, generator=generator))
    return model.eval()


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal signals."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def row_normalised(adjacency: Tensor) -> Tensor:
    """Each row divided by its sum: a random walk."""
    return adjacency / adjacency.sum(-1, keepdim=True).clamp(min=1e-6)


def ring(nodes: int) -> Tensor:
    """A directed road round a town with a shortcut, and a loop at each node, ``[N, N]``."""
    adjacency = torch.eye(nodes) + torch.roll(torch.eye(nodes), 1, dims=1)
    adjacency[0, nodes // 2] = 0.5
    return adjacency


def two_way(nodes: int) -> Tensor:
    """A road in both directions round a town, weaker than the loop at each node, ``[N, N]``."""
    beside = torch.roll(torch.eye(nodes), 1, dims=1)
    return torch.eye(nodes) + 0.6 * (beside + beside.T)


def road_graph(nodes: int) -> STGraph:
    """The roads of `ring`, whose nodes are named by letters: it tells how many nodes a folded axis holds."""
    names = "abcdefghij"[:nodes]
    edges = (ring(nodes) - torch.eye(nodes)).nonzero().tolist()
    return STGraph.from_edges(list(names), [(names[u], names[v]) for u, v in edges], directed=True)
