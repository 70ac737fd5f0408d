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

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.roads = nn.Parameter(torch.eye(NODES) + 0.1 * torch.rand(NODES, NODES))
        self.layers = nn.ModuleList([nn.Conv2d(3 if not number else 8, 8, 1) for number in range(6)])
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
