"""Edges of tensors of weights by their shapes, and which tensors are found by name."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.edge_weights import edges_in, edges_of_layer, gradient_times_weight, weight_tensor
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.model_input import ModelInput
from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN
from stexplain.nn.traffic import STGCNForecaster

DENSE = torch.tensor([[0.0, 2.0, 0.0], [0.0, 0.0, -1.0], [3.0, 0.0, 0.0]])
PATH = STGraph.from_edges(list("abc"), [("a", "b"), ("b", "c")], directed=True, center="b")


class Weighted(nn.Module):
    """x ``[B, T, N]`` to one score: messages over a dense tensor, squared, and what is given beside it."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.register_buffer("count", torch.tensor([1, 2]))
        self.register_buffer("idle", torch.ones(3, 3))

    def forward(self, x, scale=None):
        mixed = torch.einsum("...kuv,btu->btkv", self.weight if self.weight.ndim == 3 else self.weight[None], x)
        return (mixed.square().sum((1, 2)) * (1 if scale is None else scale)).sum(1)[:, None]


def pairs(found):
    return list(zip(found.relation.tolist(), found.source.tolist(), found.target.tolist(), strict=True))


def test_dense_tensors_have_their_edges_where_they_are_not_zero():
    caller = ModelCaller(Weighted(DENSE))
    forth = edges_in(caller, DENSE, "weight", 3, "source target", None)
    assert pairs(forth) == [(0, 0, 1), (0, 1, 2), (0, 2, 0)]
    assert pairs(edges_in(caller, DENSE, "weight", 3, "target source", None)) == [(0, 1, 0), (0, 2, 1), (0, 0, 2)]
    assert DENSE[forth.entries].tolist() == [2, -1, 3]
    stacked = torch.stack([torch.zeros(3, 3), DENSE])
    of_two = edges_in(caller, stacked, "weight", 3, "source target", None)
    assert pairs(of_two) == [(1, 0, 1), (1, 1, 2), (1, 2, 0)]
    assert stacked[of_two.entries].tolist() == [2, -1, 3]


def test_lists_of_weights_have_the_edges_that_are_given():
    caller, edges = ModelCaller(Weighted(DENSE)), torch.tensor([[0, 1], [2, 1]])
    found = edges_in(caller, torch.ones(2), "weight", 3, "source target", edges)
    assert pairs(found) == [(0, 0, 1), (0, 2, 1)]
    assert found.entries[0].tolist() == [0, 1]
    # Of another length, or a dense tensor, they are not meant.
    assert pairs(edges_in(caller, DENSE, "weight", 3, "source target", edges)) == [(0, 0, 1), (0, 1, 2), (0, 2, 0)]
    for wrong in (torch.ones(3), torch.ones(3, 2), torch.ones(2, 3), torch.ones(1, 1, 3, 3), torch.ones(2, 2, 3)):
        with pytest.raises(InputError, match=r"of: 'weight' has shape .*; expected \[3, 3\] or \[relations, 3, 3\]"):
            edges_in(caller, wrong, "weight", 3, "source target", None if len(wrong) == 2 else edges)


def test_the_packages_convolutions_know_their_edges():
    model = STGCN(PATH, classes=2, channels=(4,), strides=(1,))
    layer = model.blocks[0].spatial
    relations = model.relations
    expected = [
        (k, int(u), int(v))
        for k, (sources, targets) in enumerate(zip(relations.source, relations.target, strict=True))
        for u, v in zip(sources, targets, strict=True)
    ]
    assert sorted(pairs(edges_of_layer(layer))) == sorted(expected)
    named = edges_in(ModelCaller(model), layer.importance, "blocks.0.spatial.importance", 3, "source target", None)
    assert pairs(named) == pairs(edges_of_layer(layer))


@pytest.mark.parametrize("relations", ["random_walk", "chebyshev"])
def test_the_edges_of_a_forecasters_convolutions(relations):
    graph = PATH if relations == "random_walk" else STGraph.from_edges(list("abc"), [("a", "b"), ("b", "c")])
    model = STGCNForecaster(graph, blocks=((4, 2, 4), (4, 2, 4)), relations=relations)
    layer = model.get_submodule("blocks.0.spatial")
    found = edges_of_layer(layer)
    source, target = layer.topology.tensors()
    nodes = layer.topology.targets
    assert len(found.source) == len(layer.topology)
    assert found.target.tolist() == target.tolist()
    assert found.source.tolist() == [int(u) % nodes for u in source]
    assert found.relation.tolist() == [int(u) // nodes if relations == "random_walk" else 0 for u in source]


def prepared(caller, x, **arguments):
    return caller._prepare(x, None, arguments or None, None)


@pytest.mark.parametrize("weight", [DENSE, torch.stack([DENSE, DENSE.T])])
def test_gradient_times_weight_of_a_parameter_and_of_an_argument(weight):
    """The score is a sum of squares of messages, so each weight counts 2 w_uv x_u (x W)_v."""
    model, x = Weighted(weight), torch.tensor([[[1.0, -2.0, 0.5]]])
    caller = ModelCaller(model, inputs="b t n")
    score_fn = lambda output: type("S", (), {"scores": output[:, 0]})()  # noqa: E731
    with caller._model_frozen():
        values, _ = gradient_times_weight(caller, ["weight"], prepared(caller, x), score_fn, "source target", None)
    stacked = weight if weight.ndim == 3 else weight[None]
    mixed = torch.einsum("kuv,u->kv", stacked, x[0, 0])
    expected = (2 * stacked * x[0, 0][None, :, None] * mixed[:, None])[stacked != 0]
    np.testing.assert_allclose(values["weight"], expected[None].detach(), rtol=1e-5)
    assert model.weight.grad is None


def test_tensors_by_name():
    caller = ModelCaller(Weighted(DENSE), inputs="b t n")
    with caller._model_frozen():
        given: ModelInput = prepared(caller, torch.ones(1, 2, 3), scale=torch.tensor(2.0))
    assert weight_tensor(caller, "weight", given) is caller.model.weight
    assert weight_tensor(caller, "idle", given) is caller.model.idle
    assert float(weight_tensor(caller, "scale", given)) == 2.0
    with pytest.raises(InputError, match="Did you mean 'weight'"):
        weight_tensor(caller, "wight", given)
    with pytest.raises(InputError, match="of: 'count' is not a floating tensor"):
        weight_tensor(caller, "count", given)


def test_what_the_target_does_not_depend_on_is_named():
    model, x = Weighted(DENSE), torch.ones(1, 1, 3)
    caller = ModelCaller(model, inputs="b t n")
    score_fn = lambda output: type("S", (), {"scores": output[:, 0]})()  # noqa: E731
    with caller._model_frozen(), pytest.raises(InputError, match="does not depend on 'idle' in a differentiable way"):
        gradient_times_weight(caller, ["weight", "idle"], prepared(caller, x), score_fn, "source target", None)
