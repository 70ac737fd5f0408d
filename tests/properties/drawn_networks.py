"""Small networks over any graph, whose tensors have any layout and whose blocks any stride, drawn by hypothesis."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from einops import rearrange
from hypothesis import assume
from hypothesis import strategies as st
from torch import Tensor, nn

from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.targets import Class
from stexplain.graph import STGraph
from tests.graph.drawn_graphs import dense, graphs

CHANNELS, WIDTH, CLASSES, LABEL = 2, 3, 3, 1
# `square` makes the score of one block a polynomial of degree two in the input.
ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "square": torch.square}


def explain(kind, network: "DrawnNetwork", batch: Batch, **options) -> Explanation:
    """The explanation of class 1; the layout of a layer is given where it cannot be measured.

    Of fewer than five nodes that all hear each other, an axis of nodes cannot be told from one of channels.
    """
    try:
        with kind(network, **options) as explainer:
            return explainer(batch, target=Class(LABEL))
    except InputError as refused:
        if "Give `layout`" not in str(refused) or len(network.graph) >= 5:
            return _unless_refused(refused)
        # Sizes of both are the layer's own.
        layout = network.blocks[-1].layout
        assume("(c t)" not in layout and "(t c)" not in layout)
        try:
            with kind(network, layout=layout, **options) as explainer:
                return explainer(batch, target=Class(LABEL))
        except InputError as again:
            return _unless_refused(again)


def _unless_refused(error: InputError) -> Explanation:
    """A layer whose positions all see all frames is refused, and its case is not counted; all else is raised."""
    assume("cannot be measured" not in str(error))
    raise error


@dataclass(frozen=True)
class Case:
    """What is drawn: a network and samples for it.

    Attributes:
        graph: of the nodes.
        inputs: the layout of the network's input.
        outputs: the layout of its blocks' outputs.
        strides: of its blocks in time, one for each.
        kernel: odd: of the convolutions in time.
        activation: a name in `ACTIVATIONS`.
        seed: of weights and signals.
        valid: the padding mask, ``[B, M, T]``; the first instance of every sample has a valid frame.
    """

    graph: STGraph
    inputs: str
    outputs: str
    strides: tuple[int, ...]
    kernel: int
    activation: str
    seed: int
    valid: np.ndarray

    def network(self) -> "DrawnNetwork":
        """In float64 and eval mode."""
        return DrawnNetwork(self).double().eval()

    def batch(self) -> Batch:
        """Signals in float64, zero on padding; samples are named, so that what is drawn follows their names."""
        samples, instances, frames = self.valid.shape
        shape = (samples, instances, frames, len(self.graph), CHANNELS)
        x = torch.from_numpy(np.random.default_rng(self.seed).normal(size=shape))
        valid = torch.from_numpy(self.valid)
        names = tuple(f"s{index}" for index in range(samples))
        return Batch(x * valid[..., None, None], valid, torch.zeros(samples, dtype=torch.int64), names)

    def permuted(self, order: list[int]) -> "Case":
        """The same network over renumbered nodes."""
        return replace(self, graph=self.graph.permute(order))


class DrawnNetwork(nn.Module):
    """Blocks of a graph convolution, a convolution in time and an activation; a mean over what is valid; a linear head.

    What is padded is zero in every block, so that padding changes nothing of the function.
    """

    def __init__(self, case: Case):
        super().__init__()
        self.inputs, self.graph, self.activation = case.inputs, case.graph, ACTIVATIONS[case.activation]
        self.blocks = nn.ModuleList()
        generator = torch.Generator().manual_seed(case.seed)
        for number, stride in enumerate(case.strides):
            self.blocks.append(Block(case, WIDTH if number else CHANNELS, stride))
        self.head = nn.Linear(WIDTH, CLASSES)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        sizes = dict(zip("bmt", valid.shape, strict=True))
        x = opened(x, self.inputs, n=len(self.graph), **sizes)
        for block in self.blocks:
            out = block(x, valid)
            valid = strided(valid, block.stride)
            sizes["t"] = valid.shape[2]
            x = opened(out, block.layout, n=len(self.graph), **sizes) * valid[..., None, None]
        count = valid.sum((1, 2)).clamp(min=1) * len(self.graph)
        return self.head(x.sum((1, 2, 3)) / count[:, None])


class Block(nn.Module):
    """Of channels last to a layout of its own."""

    def __init__(self, case: Case, channels: int, stride: int):
        super().__init__()
        # No weight that is likely to be drawn: two nodes that hear the same could not be told apart.
        adjacency = dense(case.graph) + 1.7 * np.eye(len(case.graph))
        self.register_buffer("adjacency", torch.from_numpy(adjacency / adjacency.sum(0, keepdims=True)))
        self.weight = nn.Parameter(torch.empty(channels, WIDTH))
        self.bias = nn.Parameter(torch.empty(WIDTH))
        self.taps = nn.Parameter(torch.empty(case.kernel, WIDTH, WIDTH))
        self.layout, self.stride, self.activation = case.outputs, stride, ACTIVATIONS[case.activation]

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        x = (torch.einsum("bmtnc,nw->bmtwc", x, self.adjacency) @ self.weight + self.bias) * valid[..., None, None]
        (samples, instances, frames, nodes, width), half = x.shape, len(self.taps) // 2
        columns = x.permute(0, 1, 3, 4, 2).reshape(-1, width, frames)
        mixed = nn.functional.conv1d(columns, self.taps.permute(2, 1, 0), stride=self.stride, padding=half)
        mixed = mixed.view(samples, instances, nodes, width, -1).permute(0, 1, 4, 2, 3)
        return rearrange(self.activation(mixed), f"{five(self.layout)} -> {self.layout}")


def strided(valid: Tensor, stride: int) -> Tensor:
    """Position i is valid where one of the frames i s to i s + s - 1 is."""
    padded = nn.functional.pad(valid.float(), (0, -valid.shape[2] % stride))
    return padded.unflatten(2, (-1, stride)).any(3)


def five(layout: str) -> str:
    """The five axes of a batch as an einops pattern; those that a layout lacks are of size one."""
    return " ".join(letter if letter in layout else "1" for letter in "bmtnc")


def opened(x: Tensor, layout: str, **sizes: int) -> Tensor:
    """A tensor of a layout as ``[B, M, T, N, C]``."""
    return rearrange(x, f"{layout} -> {five(layout)}", **{key: size for key, size in sizes.items() if key in layout})


@st.composite
def layouts(draw: st.DrawFn, instances: int) -> str:
    """Any order of the axes; two neighbours may be folded, and an axis of one instance left out."""
    letters = list("bmtnc" if instances > 1 or draw(st.booleans()) else "btnc")
    letters = draw(st.permutations(letters))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(letters) - 2))
        letters[at : at + 2] = [f"({letters[at]} {letters[at + 1]})"]
    return " ".join(letters)


@st.composite
def cases(draw: st.DrawFn, activations: tuple[str, ...] = ("tanh", "relu"), blocks: int = 2) -> Case:
    """Any case of up to six nodes, nine frames, two instances and three samples."""
    graph = draw(graphs().filter(lambda one: len(one) <= 6))
    instances, frames = draw(st.integers(1, 2)), draw(st.integers(4, 9))
    valid = np.zeros((draw(st.integers(1, 3)), instances, frames), bool)
    for sample in valid:
        for number, instance in enumerate(sample):
            instance[: draw(st.integers(0 if number else 1, frames))] = True
    return Case(
        graph=graph,
        inputs=draw(layouts(instances)),
        outputs=draw(layouts(instances)),
        strides=tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=blocks))),
        kernel=draw(st.sampled_from((1, 3, 5))),
        activation=draw(st.sampled_from(activations)),
        seed=draw(st.integers(0, 99)),
        valid=valid,
    )
