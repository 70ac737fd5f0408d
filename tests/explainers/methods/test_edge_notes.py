"""What passes between nodes beside the edges that are explained is said, whichever way they are named."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.explainers.methods.edge_importance import EdgeImportance
from stexplain.explainers.targets import Class
from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN

N = 5
ROAD = torch.tensor([[1.0, 2, 0, 0, 0], [0, 1, 0, -1, 0], [0, 3, 0, 0, 0], [0, 0, 0, 1, 2], [1, 0, 0, 0, 2]])
X = torch.randn(2, 4, N, 2, generator=torch.Generator().manual_seed(0))
PATH = STGraph.from_edges("abcde", [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")], center="c")


def product(road, x):
    return road @ x


def normalised(road, x):
    return road / (1 + road.abs().sum(1, keepdim=True)) @ x


def rows(road, x):
    """No edge of it is followed, but its weights have gradients."""
    return torch.stack([torch.einsum("u,btuc->btc", row, x) for row in road], 2)


class Net(nn.Module):
    def __init__(self, mix, shift):
        super().__init__()
        self.mix, self.shift, self.road = mix, shift, nn.Parameter(ROAD.clone())

    def forward(self, x):
        return (torch.tanh(self.mix(self.road, x)).roll(self.shift, 2) * ROAD[:, :2]).flatten(1).sum(1)


NAMED = [
    *((mix, options) for mix in (product, normalised) for options in ({}, {"of": "road"})),
    *((mix, {"of": "road", "ends": "target source"}) for mix in (product, normalised, rows)),
]


@pytest.mark.parametrize(("mix", "options"), NAMED)
def test_a_shift_behind_a_named_tensor_is_said_and_nothing_else(mix, options):
    alone, shifted = (
        EdgeImportance(Net(mix, shift).eval(), inputs="b t n c", **options)(X, target=lambda scores: scores).notes
        for shift in (0, 1)
    )
    assert not any("Not explained" in note for note in alone)
    (note,) = [note for note in shifted if "Not explained" in note]
    assert note.startswith("Not explained: roll: values pass between nodes here")
    asked = options == {"of": "road"} and mix is normalised
    assert ("Rows of road were taken for sources" in " ".join(alone)) == asked


def test_weights_keep_their_memory_and_their_values():
    net = Net(rows, 1).eval()
    memory = net.road.data_ptr()
    EdgeImportance(net, inputs="b t n c", of="road", ends="target source")(X, target=lambda scores: scores)
    assert (net.road.data_ptr(), net.road.tolist()) == (memory, ROAD.tolist())


def test_weights_that_are_an_argument():
    class Given(nn.Module):
        def forward(self, x, road):
            return normalised(road, x).roll(1, 2).flatten(1).sum(1)

    explain = EdgeImportance(Given(), inputs="b t n c", of="road", ends="target source")
    (note,) = explain(X, target=lambda scores: scores, shared={"road": ROAD}).notes
    assert note.startswith("Not explained: roll: values pass")


class Ours(STGCN):
    """With something else that passes values between nodes."""

    beside = "nothing"

    def forward(self, x, valid=None):
        x = x + x.roll(1, 3) if self.beside == "shift" else x
        x = x + torch.einsum("bmtuc,uv->bmtvc", x, ROAD) if self.beside == "product" else x
        return super().forward(x, valid)


SAID = {
    "nothing": "",
    "shift": "Not explained: roll: values pass between nodes here",
    "product": "Not explained: einsum: it learns no importance of its edges; name it in `of`.",
}


@pytest.mark.parametrize("beside", SAID)
def test_what_passes_beside_the_packages_convolutions_is_said(beside):
    torch.manual_seed(0)
    model = Ours(PATH, classes=2, channels=(4,), strides=(1,)).eval()
    model.beside = beside
    x = torch.randn(2, 1, 6, N, 3)
    notes = EdgeImportance(model)(x, target=Class(1)).notes
    assert len(notes) == (beside != "nothing")
    assert all(note.startswith(SAID[beside]) for note in notes)
    named = EdgeImportance(model, of="blocks.0.spatial.importance")(x, target=Class(1))
    assert len(named.notes) == (beside != "nothing")


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_model_that_cannot_be_watched_is_explained_and_that_is_said():
    class Scripted(nn.Module):
        def __init__(self):
            super().__init__()
            self.road = nn.Parameter(ROAD.clone())
            self.act = torch.jit.script(nn.Tanh())

        def forward(self, x):
            return self.act(self.road @ x).flatten(1).sum(1)

    explain = EdgeImportance(Scripted().eval(), inputs="b t n c", of="road", ends="target source")
    e = explain(X, target=lambda scores: scores)
    (note,) = e.notes
    assert note.startswith("Not explained: elsewhere: whether values pass between nodes there could not be measured")
    assert np.isfinite(e.values).all()
    assert e.values.any()
