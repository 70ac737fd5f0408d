import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods import Motion
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.graph_ablated import GraphAblated, graph_removed
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.targets import Class, Forecast, Predicted
from stexplain.nn.traffic import STGCNForecaster
from tests.explainers.our_models import NODES, batch, graph, small_model
from tests.explainers.small_models import PlainSTGCN, signals


def heard(ask, x, node):
    """Which nodes' outputs change when one node's observations do."""
    altered = x.clone()
    altered[:, :, :, node] += 1
    with torch.no_grad():
        return (ask(altered) - ask(x)).abs() > 1e-9


def cells_of(model):
    """The model's last feature map, ``[N, R, T', C]``."""
    kept = []
    handle = model.blocks[-1].register_forward_hook(lambda *given: kept.append(given[-1].clone()))

    def ask(x):
        model.eval()(x)
        return kept[-1]

    return ask, handle


def test_no_node_hears_of_another():
    model, x = small_model(), batch().x
    ask, handle = cells_of(model)
    for node in range(NODES):
        with graph_removed(model):
            alone = heard(ask, x, node).any(3).any(2).any(1)
        assert alone.tolist() == [other == node for other in range(NODES)]
        assert heard(ask, x, node).any(3).any(2).any(1).sum() > 1
    handle.remove()


@pytest.mark.parametrize("relations", ["chebyshev", "uniform", "random_walk"])
def test_no_sensor_of_a_forecaster_hears_of_another(relations):
    torch.manual_seed(0)
    model = STGCNForecaster(graph(), relations=relations, blocks=((4, 2, 4), (4, 2, 4)), horizon=2).double().eval()
    x = signals(2, 1, 12, NODES, 1).double()
    for node in range(NODES):
        with graph_removed(model):
            alone = heard(model, x, node).any(1).any(0)
        assert not alone[[other for other in range(NODES) if other != node]].any()
        # Self loops may all be zero: the scaled Laplacian of a star has a diagonal of zeros.
        assert heard(model, x, node).any(1).any(0).sum() > alone.sum()


def test_all_is_as_before_also_after_an_error():
    model = small_model()
    before = {name: (value, value.data_ptr(), value.clone()) for name, value in model.named_buffers()}
    with graph_removed(model):
        assert any((value == 0).any() for name, value in model.named_buffers() if "adjacency" in name)
    with pytest.raises(ZeroDivisionError), graph_removed(model):
        _ = 1 / 0
    for name, value in model.named_buffers():
        same, pointer, numbers = before[name]
        assert value is same
        assert value.data_ptr() == pointer
        assert torch.equal(value, numbers)


def test_a_foreign_model_by_the_name_of_its_adjacency():
    model, x = PlainSTGCN().double().eval(), signals(2, 3, 12, 5, 2).double()
    other = PlainSTGCN().double().eval()
    other.adjacency.copy_(torch.diag(torch.diag(model.adjacency)))
    with graph_removed(model, adjacency=["adjacency"]):
        torch.testing.assert_close(model(x), other(x))
    assert not torch.allclose(model(x), other(x))
    options = {"layer": "second", "layout": "(b m) c t n", "inputs": "b c t n m"}
    with GraphAblated(STGGradCAM(model, **options), adjacency=["adjacency"]) as explain:
        e = explain(x, target=Class([1, 3]), valid=torch.ones(2, 2, 12, dtype=torch.bool))
    with STGGradCAM(other, **options) as explain:
        expected = explain(x, target=Class([1, 3]), valid=torch.ones(2, 2, 12, dtype=torch.bool))
    np.testing.assert_allclose(e.values, expected.values, atol=1e-6)
    np.testing.assert_allclose(e.layer_values, expected.layer_values, atol=1e-6)
    np.testing.assert_allclose(e.score, expected.score, atol=1e-6)
    np.testing.assert_allclose(e.extra["score_with_graph"], model(x)[[0, 1], [1, 3]].detach(), atol=1e-6)
    assert (e.layer, e.method) == ("second", f"{expected.method}, without the graph (adjacency adjacency)")


def test_parameters_and_attributes_and_stacks():
    class Adaptive(nn.Module):
        def __init__(self):
            super().__init__()
            self.learned = nn.Parameter(torch.rand(3, 4, 4))
            self.inner = nn.Module()
            self.inner.plain = torch.rand(4, 4)

        def forward(self, x):
            return torch.einsum("bmtnc,knw,wv->bv", x, self.learned, self.inner.plain)

    model, x = Adaptive(), signals(1, 1, 3, 4, 1)
    learned, plain = model.learned.detach().clone(), model.inner.plain.clone()
    with graph_removed(model, adjacency=["learned", "inner.plain"]):
        expected = x.sum((1, 2, 4)) * torch.einsum("knn->n", learned) * torch.diag(plain)
        torch.testing.assert_close(model(x).detach(), expected)
    assert torch.equal(model.learned, learned)
    assert torch.equal(model.inner.plain, plain)


def test_the_class_is_that_of_the_whole_model():
    class Relay(nn.Module):
        """Node 0 speaks for class 0, and node 1 for class 1 by what it hears of node 0."""

        def __init__(self):
            super().__init__()
            self.register_buffer("links", torch.tensor([[1.0, 5.0], [0.0, 1.0]]))

        def forward(self, x):
            return x.sum((1, 2, 4)) @ self.links

    x = torch.tensor([2.0, -3.0]).view(1, 1, 1, 2, 1)
    with GraphAblated(InputGradient(Relay(), reduce="sum"), adjacency=["links"]) as explain:
        e = explain(x, target=Predicted())
    # 2 and 7 with the links, 2 and -3 without: the class is still the second.
    assert e.targets.tolist() == [1]
    assert (e.score.tolist(), e.extra["score_with_graph"].tolist()) == ([-3.0], [7.0])
    assert e.values.flatten().tolist() == [0.0, 1.0]


def test_of_a_forecaster():
    torch.manual_seed(0)
    model = STGCNForecaster(graph(), blocks=((4, 2, 4), (4, 2, 4)), horizon=2)
    x = signals(2, 1, 12, NODES, 1)
    with GraphAblated(model) as explain:
        e = explain(x, target=Forecast("n2", 1))
    assert e.values.shape == (2, 1, 12, NODES)
    assert not np.allclose(e.score, e.extra["score_with_graph"])


def test_wrong_use():
    for model, names, message in (
        (PlainSTGCN(), [], "has no graph convolution of this package. Give `adjacency`"),
        (PlainSTGCN(), ["adjacenzy"], "Did you mean 'adjacency'"),
        (PlainSTGCN(), ["fcn.bias"], r"of shape \(4,\); expected a dense matrix"),
        (PlainSTGCN(), ["fcn"], "a Conv2d; expected a dense"),
    ):
        with pytest.raises(InputError, match=message), graph_removed(model, adjacency=names):
            pass
    with pytest.raises(InputError, match="calls no model"):
        GraphAblated(Motion())


class Supports(nn.Module):
    """Supports in a plain list, of float64, beside matrices that are not used, or hold no edge."""

    def __init__(self):
        super().__init__()
        numbers = torch.Generator().manual_seed(0)
        self.supports = [torch.rand(NODES, NODES, generator=numbers, dtype=torch.float64) for _ in range(2)]
        self.unused = torch.rand(NODES, NODES, generator=numbers)
        self.register_buffer("alone", torch.eye(NODES))

    def forward(self, x):
        for support in [*self.supports, self.alone]:
            x = torch.einsum("uv,bmtuc->bmtvc", support.to(x), x)
        return x.flatten(1).pow(2).mean(1, keepdim=True)


@pytest.mark.parametrize(("names", "idle"), [(["supports[1]"], []), (["supports[0]", "unused", "alone"], [1, 2])])
def test_a_matrix_that_changes_nothing_is_said(names, idle):
    model, x = Supports(), signals(2, 1, 4, NODES, 3)
    e = GraphAblated(InputGradient(model), adjacency=names)(x, target=Class(0))
    assert [note.split(":")[0] for note in e.notes] == [f"Nothing is ablated by {names[place]!r}" for place in idle]
    assert (e.score != e.extra["score_with_graph"]).all()
    assert {support.dtype for support in model.supports} == {torch.float64}
