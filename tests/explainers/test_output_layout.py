"""The layout of forecasts is found by sizes, and where these do not tell it, by changing nodes."""

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx


class PerNode(nn.Module):
    """Each node's forecasts are a linear function of its own observations, laid out by an einsum pattern."""

    def __init__(self, out: str, horizon: int, *, neighbours: bool = False, nodes: int = 5):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(6, horizon, generator=generator))
        self.mix = torch.eye(nodes) + (torch.eye(nodes).roll(1, 0) if neighbours else 0)
        self.out = out

    def forward(self, x):  # b t n
        y = torch.einsum("btn,nm,th->bhm", x, self.mix, self.weight)
        if self.out == "(b n) t":
            return y.mT.flatten(0, 1)
        if self.out == "b t n 1":
            return y[..., None]
        if self.out == "b 1 n t":
            return y.mT[:, None]
        return torch.einsum(f"bhm->{self.out.replace('t', 'h').replace('n', 'm').replace(' ', '')}", y)


def expected(model, node, horizon):
    values = np.zeros((6, 5))
    for source in range(5):
        values[:, source] = float(model.mix[source, node]) * model.weight[:, horizon - 1].detach().numpy()
    return values


@pytest.mark.parametrize("samples", [1, 3, 5, 12])
@pytest.mark.parametrize("horizon", [1, 5, 12])
@pytest.mark.parametrize("out", ["b t n", "b n t", "t b n", "n b t", "n t b", "b t n 1", "b 1 n t"])
def test_every_order_of_the_axes(out, horizon, samples):
    model = PerNode(out, horizon, neighbours=True)
    x = torch.randn(samples, 6, 5, generator=torch.Generator().manual_seed(1))
    e = stx.InputGradient(model, inputs="b t n", reduce="sum")(x, target=stx.Forecast(3, horizon=horizon))
    for sample in range(samples):
        np.testing.assert_allclose(e.values[sample, 0], expected(model, 3, horizon), atol=1e-5)
    assert any("laid out" in note for note in e.notes)


def test_nodes_folded_with_samples():
    model = PerNode("(b n) t", 12)
    e = stx.InputGradient(model, inputs="b t n", reduce="sum")(torch.randn(3, 6, 5), target=stx.Forecast(3, horizon=12))
    np.testing.assert_allclose(e.values[2, 0], expected(model, 3, 12), atol=1e-5)


def test_a_given_layout_and_a_stated_one_come_first():
    x = torch.randn(3, 6, 5)
    model = PerNode("b n t", 5)
    given = stx.InputGradient(model, inputs="b t n", reduce="sum")(x, target=stx.Forecast(2, 4, layout="b n t"))
    model.outputs = "b n t"
    stated = stx.InputGradient(model, inputs="b t n", reduce="sum")(x, target=stx.Forecast(2, 4))
    np.testing.assert_array_equal(given.values, stated.values)
    assert not any("laid out" in note for note in (*given.notes, *stated.notes))


@pytest.mark.parametrize("name", ["Occlusion", "ExpectedGradients", "ShapleyValueSampling"])
def test_every_method_and_a_target_per_sample(name):
    model, x = PerNode("b n t", 5), torch.randn(3, 6, 5, generator=torch.Generator().manual_seed(2))
    explain = getattr(stx, name)(model, inputs="b t n")
    targets = stx.PerSample([stx.Forecast(node, 2) for node in (0, 1, 4)])
    values = np.abs(explain(x, target=targets).values[:, 0]).sum(1)
    assert [values[sample].argmax() for sample in range(3)] == [0, 1, 4]
    assert np.count_nonzero(values) == 3


def test_edges_of_a_forecast():
    class Mixes(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("adjacency", torch.eye(5) + torch.eye(5).roll(1, 0))

        def forward(self, x):  # b t n
            return (x @ self.adjacency).mT

    found = stx.EdgeImportance(Mixes(), inputs="b t n")(torch.ones(2, 6, 5), target=stx.Forecast(3, 2)).to_frame()
    assert set(found.loc[found["importance"] != 0, "target"].astype(int)) == {3}


class Everywhere(nn.Module):
    """Every entry depends on every node, and two axes have their number."""

    def forward(self, x):  # b t n
        return x.sum((1, 2))[:, None, None] * torch.arange(25.0).view(5, 5)


class NoNodes(nn.Module):
    def forward(self, x):
        return x.sum(2)


@pytest.mark.parametrize("model", [Everywhere(), NoNodes()])
def test_what_cannot_be_told_is_refused(model):
    with pytest.raises(stx.errors.InputError, match=r"is not known.*layout='b t n'"):
        stx.InputGradient(model, inputs="b t n")(torch.randn(3, 6, 5), target=stx.Forecast(2, horizon=1))


def test_the_metrics_go_on_with_the_layout_that_was_found():
    model, x = PerNode("b n t", 5), torch.randn(4, 6, 5)
    e = stx.IntegratedGradients(model, inputs="b t n", baseline="zero")(x, target=stx.Forecast(2, 4))
    np.testing.assert_allclose(e.values.sum((1, 2, 3)), model(x)[:, 2, 3].detach(), atol=1e-4)
