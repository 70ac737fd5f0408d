"""Square matrices of a model that are no adjacencies: weights of as many channels as frames, masks of an attention."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.targets import Class
from tests.explainers.small_models import signals

FRAMES, NODES = 16, 7


class Weights(nn.Module):
    """x ``[B, T, N, C]``: its weights are square, with as many channels as there are frames; its graph is no matrix."""

    def __init__(self, channels=3):
        super().__init__()
        self.embed = nn.Linear(channels, FRAMES)
        self.weight = nn.Parameter(torch.randn(FRAMES, FRAMES))
        self.head = nn.Linear(FRAMES, 3)

    def forward(self, x):
        hidden = self.embed(x)
        hidden = (hidden + hidden.roll(1, 2)) @ self.weight
        return self.head(hidden.relu().mean((1, 2)))


class WeightsOverNodes(Weights):
    """x ``[B, T, N]``: nodes are what its first layer takes for channels."""

    def forward(self, x):
        return self.head((self.embed(x) @ self.weight).relu().mean(1))


class Masked(nn.Module):
    """x ``[B, T, N]``: attention in time that sees no later frame."""

    def __init__(self, mask):
        super().__init__()
        self.embed, self.attention = nn.Linear(NODES, FRAMES), nn.MultiheadAttention(FRAMES, 2, batch_first=True)
        self.register_buffer("mask", mask)
        self.head = nn.Linear(FRAMES, 3)

    def forward(self, x):
        hidden = self.embed(x)
        return self.head(self.attention(hidden, hidden, hidden, attn_mask=self.mask)[0].mean(1))


class Roads(nn.Module):
    """x ``[B, C, T, N]``: the same learned roads behind each of six layers, or others, or roads that it adds to."""

    def __init__(self, kind, kernel=3):
        super().__init__()
        self.kind = kind
        kernels = {"kernel_size": (kernel, 1), "padding": (kernel // 2, 0)}
        self.roads = nn.Parameter(torch.eye(NODES) + 0.1 * torch.rand(NODES, NODES))
        self.layers = nn.ModuleList([nn.Conv2d(3 if not number else 8, 8, **kernels) for number in range(6)])
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        for layer in self.layers:
            hidden, roads = layer(x), self.roads
            if self.kind == "attention":
                seen = hidden.mean(2)
                roads = roads + torch.softmax(seen.transpose(1, 2) @ seen, -1)[:, None]
            elif self.kind == "softmax":
                roads = torch.softmax(roads, -1)
            x = (hidden @ roads).relu()
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize(
    ("model", "shape", "listed"),
    [
        (Weights, (2, FRAMES, NODES, 3), "inputs='b t n c' or inputs='b n t c'"),
        (lambda: WeightsOverNodes(NODES), (2, FRAMES, NODES), "inputs='b t n' or inputs='b n t'"),
        (lambda: Masked(torch.ones(FRAMES, FRAMES).triu(1).bool()), (2, FRAMES, NODES), "inputs='b t n' or"),
        (lambda: Masked(torch.full((FRAMES, FRAMES), -np.inf).triu(1)), (2, FRAMES, NODES), "inputs='b t n' or"),
        (lambda: Masked(-1e9 * torch.ones(FRAMES, FRAMES).triu(1)), (2, FRAMES, NODES), "inputs='b t n' or"),
    ],
    ids=["weights", "weights over nodes", "bool mask", "infinite mask", "large mask"],
)
def test_frames_are_not_read_as_nodes(model, shape, listed):
    torch.manual_seed(0)
    with pytest.raises(InputError, match=listed):
        InputGradient(model().eval())(signals(*shape), target=Class(0))


@pytest.mark.parametrize("kind", ["plain", "softmax", "attention"])
def test_learned_roads_tell_the_nodes(kind):
    torch.manual_seed(0)
    model, x = Roads(kind).eval(), signals(2, 3, FRAMES, NODES)
    e = InputGradient(model)(x, target=Class(0))
    assert e.call.options["inputs"] == "b c t n"
    np.testing.assert_array_equal(e.values, InputGradient(model, inputs="b c t n")(x, target=Class(0)).values)
    if kind != "attention":
        # As many frames: which of both axes it mixes is measured, of sizes alone it would not follow.
        same = signals(2, 3, NODES, NODES)
        assert InputGradient(model)(same, target=Class(0)).call.options["inputs"] == "b c t n"


class OverTime(nn.Module):
    """x ``[B, T, N, C]``: a matrix of frames, which is all that it holds, and no layer over time."""

    def __init__(self, matrix):
        super().__init__()
        self.embed, self.head = nn.Linear(3, 4), nn.Linear(4, 3)
        if isinstance(matrix, nn.Parameter):
            self.matrix = matrix
        else:
            self.register_buffer("matrix", matrix)

    def forward(self, x):
        hidden = torch.einsum("btnc,ts->bsnc", self.embed(x), self.matrix)
        return self.head(hidden.relu().mean((1, 2)))


def frames_apart(frames=FRAMES):
    return (torch.arange(frames)[:, None] - torch.arange(frames)).float()


MATRICES = {
    "learned": lambda: nn.Parameter(torch.randn(FRAMES, FRAMES)),
    "decay": lambda: torch.exp(-frames_apart().abs()),
    "one sided decay": lambda: torch.exp(-frames_apart()).tril(),
    "local": lambda: (frames_apart().abs() <= 2).float(),
    "all": lambda: torch.ones(FRAMES, FRAMES),
    "cosine": lambda: torch.cos(torch.pi / FRAMES * (torch.arange(FRAMES) + 0.5) * torch.arange(FRAMES)[:, None]),
    "differences": lambda: torch.eye(FRAMES) - torch.eye(FRAMES).roll(1, 0),
}


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
@pytest.mark.parametrize("nodes", [NODES, FRAMES])
def test_a_matrix_over_frames_is_not_one_over_nodes(matrix, nodes):
    torch.manual_seed(0)
    model, x = OverTime(matrix()).eval(), signals(2, FRAMES, nodes, 3)
    with pytest.raises(InputError, match=r"Give it, such as .*inputs='b t n c'"):
        InputGradient(model)(x, target=Class(0))
    assert InputGradient(model, inputs="b t n c")(x, target=Class(0)).values.shape == (2, 1, FRAMES, nodes)


def test_learned_roads_alone_do_not_tell_nodes_from_frames():
    """As many layers, none of which is over time: a matrix over frames would look the same."""
    torch.manual_seed(0)
    with pytest.raises(InputError, match=r"inputs='b c t n'"):
        InputGradient(Roads("plain", kernel=1).eval())(signals(2, 3, FRAMES, NODES), target=Class(0))


def test_roads_and_weights_of_one_size_are_told_apart():
    class Both(Roads):
        def __init__(self):
            super().__init__("plain")
            self.weight = nn.Parameter(torch.randn(8, 8))

        def forward(self, x):
            return super().forward(torch.einsum("bctn,cd->bdtn", self.layers[0](x), self.weight)[:, :3])

    torch.manual_seed(0)
    x = signals(2, 3, 8, NODES)
    assert InputGradient(Both().eval())(x, target=Class(0)).call.options["inputs"] == "b c t n"
