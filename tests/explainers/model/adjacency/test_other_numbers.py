"""Products of complex and of whole numbers: no edges are known of them, which is said; others are explained."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.edge_importance import EdgeImportance
from stexplain.explainers.model.adjacency.table import adjacencies

NODES = 5


class Net(nn.Module):
    """A step of another kind of numbers, and a product with a road after it."""

    def __init__(self, step, road=True):
        super().__init__()
        torch.manual_seed(0)
        self.step, self.with_road = step, road
        self.embed = nn.Linear(2, 3)
        self.register_buffer("road", torch.rand(NODES, NODES))
        self.register_buffer("whole", (torch.rand(NODES, NODES) > 0.4).long())

    def forward(self, x):
        h = self.step(self, torch.tanh(self.embed(x)))
        h = torch.einsum("nm,btnc->btmc", self.road, h) if self.with_road else h
        return torch.tanh(h).mean((1, 2))


def spectral(net, h):
    """As StemGNN and FourierGNN mix nodes: in the frequencies of time."""
    waves = torch.fft.rfft(h, dim=1)
    mixed = torch.einsum("nm,btnc->btmc", net.road.to(waves.dtype), waves)
    return torch.fft.irfft(mixed, n=h.shape[1], dim=1)


def counted(net, h):
    return h * torch.einsum("nm,btnc->btmc", net.whole, (10 * h).long())


@pytest.mark.parametrize(("step", "kind"), [(spectral, "complex"), (counted, "whole")], ids=["complex", "whole"])
def test_they_are_listed_without_edges_and_what_follows_is_explained(step, kind):
    net, x = Net(step).eval(), torch.randn(2, 6, NODES, 2)
    table = adjacencies(net, x, inputs="b t n c").set_index("name")
    assert f"its values are {kind} numbers, whose axes are not measured" in table["why"].tolist()
    assert table["edges"].tolist().count(NODES * NODES) == 1
    e = EdgeImportance(net, inputs="b t n c")(x, target=1)
    assert any(f"its values are {kind} numbers" in note for note in e.notes)
    assert set(e.block) == {"road"}

    # Of the product after it: the gradient at its result, times weight and what is sent, for each pair of nodes.
    sent = step(net, torch.tanh(net.embed(x))).detach()
    result = torch.einsum("nm,btnc->btmc", net.road, sent).requires_grad_()
    (slope,) = torch.autograd.grad(torch.tanh(result).mean((1, 2))[:, 1].sum(), result)
    expected = torch.einsum("nm,btnc,btmc->nmb", net.road, sent, slope)
    source, target = ([int(name.removeprefix("node ")) for name in names] for names in (e.source, e.target))
    np.testing.assert_allclose(e.values.T, expected[source, target].detach().numpy(), rtol=1e-4, atol=1e-7)


def test_alone_they_are_refused_in_words():
    with pytest.raises(InputError, match="its values are complex numbers, whose axes are not measured"):
        EdgeImportance(Net(spectral, road=False).eval(), inputs="b t n c")(torch.randn(2, 6, NODES, 2), target=1)
