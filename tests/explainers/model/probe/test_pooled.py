"""What a model pools over the clip, silent units and maxima: they do not hide what positions see."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import stexplain as stx
from stexplain.explainers.model.probe.open_relu import OpenReLU
from tests.explainers.small_models import path_adjacency, signals


class Gated(nn.Module):
    """x ``[B, C, T, N]``; convolutions, each gated by what is pooled over the whole clip, in one of three ways."""

    def __init__(self, way):
        super().__init__()
        self.first = nn.Conv2d(3, 6, (3, 1), padding=(1, 0))
        self.second = nn.Conv2d(6, 6, (5, 1), (2, 1), (2, 0))
        self.squeeze = nn.Sequential(nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 6), nn.Sigmoid())
        self.out, self.head, self.way = nn.Identity(), nn.Linear(6, 2), way
        self.register_buffer("adjacency", path_adjacency(5).float())

    def gate(self, x):
        if self.way == "squeeze":
            return x * self.squeeze(x.mean((2, 3)))[:, :, None, None]
        if self.way == "standardise":
            return (x - x.mean(2, keepdim=True)) / (x.std(2, keepdim=True) + 1e-3)
        left = x.permute(0, 3, 1, 2).flatten(2)
        graph = self.adjacency + torch.softmax(left @ left.transpose(1, 2) / left.shape[-1], -1)
        return torch.einsum("bctn,bnm->bctm", x, graph)

    def forward(self, x):
        x = F.relu(self.gate(self.first(x)))
        return self.head(self.out(self.gate(self.second(x))).mean((2, 3)))


@pytest.mark.parametrize("frames", [12, 40])
@pytest.mark.parametrize("way", ["squeeze", "standardise", "attend"])
def test_what_is_pooled_over_the_clip_hides_no_position(way, frames):
    """Position p of the last layer sees frames 2 p - 3 to 2 p + 3, and all others by what is pooled."""
    torch.manual_seed(0)
    row = stx.layers(Gated(way).eval(), signals(2, 3, frames, 5), inputs="b c t n").set_index("layer").loc["out"]
    assert (row["layout"], row["stride"], row["offset"]) == ("b c t n", 2, 0)
    assert row["sees"] in (7, frames)


class Silent(nn.Module):
    """x ``[B, C, T, N]``; units most of which are silent, and maxima of which one frame decides."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3, 3, (3, 1), padding=(1, 0)) for _ in range(4))
        self.pool, self.head = nn.MaxPool2d((3, 1), (3, 1)), nn.Linear(3, 2)
        for conv in self.convs:
            nn.init.constant_(conv.bias, -0.5)

    def forward(self, x):
        for conv in self.convs:
            x = F.relu(conv(x))
        return self.head(self.pool(x).mean((2, 3)))


@pytest.mark.parametrize("seed", range(5))
def test_silent_units_and_maxima_lose_no_frame(seed):
    torch.manual_seed(seed)
    row = stx.layers(Silent().eval(), signals(2, 3, 36, 5), inputs="b c t n").set_index("layer").loc["pool"]
    # Three positions of nine frames each, the first around frame 0, 1 and 2.
    assert (row["layout"], row["time"], row["stride"], row["offset"]) == ("b c t n", "aligned", 3, 1)
    assert row["sees"] == 11


def test_rectifiers_are_open_inside_of_the_block_alone():
    x = torch.tensor([-3.0, -1.0, 0.0, 2.0])
    ways = [torch.relu, F.relu, nn.ReLU(), lambda y: y.clone().relu_(), nn.ReLU(inplace=True), lambda y: y.relu()]
    before = [way(x.clone()) for way in ways]
    with OpenReLU():
        opened = [way(x.clone()) for way in ways]
        pooled = F.max_pool1d(x[None, None], 2)
    for one in opened:
        assert (one > 0).all()
        assert (one.diff() > 0).all()
        torch.testing.assert_close(one[-1], torch.tensor(2.01))
    torch.testing.assert_close(pooled.flatten(), torch.tensor([-2.0, 1.0]))
    for one, way in zip(before, ways, strict=True):
        assert torch.equal(way(x.clone()), one)
        assert one.tolist() == [0, 0, 0, 2]
