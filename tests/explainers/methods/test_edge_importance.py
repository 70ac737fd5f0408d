"""Edge importance: against ordinary backward passes, finite differences and the dense network; Euler's identity."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.edge_explanation import EdgeExplanation
from stexplain.explainers.methods.edge_importance import EdgeImportance
from stexplain.explainers.targets import Class, Custom, Forecast
from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN
from stexplain.nn.traffic import STGCNForecaster
from tests.explainers.our_models import PATH, lively, padded
from tests.explainers.small_models import AdaptiveGraph, PlainSTGCN, Recurrent, signals
from tests.reference.networks import ReleasedSTGCN


def with_importance(padding="masked"):
    model = lively(padding).double()
    for block in model.blocks:
        nn.init.uniform_(block.spatial.importance, 0.2, 1.8)
    return model


@pytest.mark.parametrize("padding", ["masked", "counted"])
@pytest.mark.parametrize("chunk", [None, 2])
def test_equals_a_backward_pass_for_every_sample(padding, chunk):
    model, (x, valid) = with_importance(padding), padded()
    with EdgeImportance(model, chunk=chunk) as explain:
        e = explain(x, target=Class([1, 0, 3]), valid=valid)
        assert e.made_by["explainer"] == repr(explain)
        assert repr(explain).startswith("EdgeImportance(STGCN")
    weights = [block.spatial.importance for block in model.blocks]
    for row, number in enumerate([1, 0, 3]):
        score = model(x[row : row + 1], valid=valid[row : row + 1])[0, number]
        expected = [
            gradient * weight for gradient, weight in zip(torch.autograd.grad(score, weights), weights, strict=True)
        ]
        np.testing.assert_allclose(e.values[row], torch.cat(expected).detach(), rtol=1e-5, atol=1e-8)
        assert e.score[row] == pytest.approx(score.item(), rel=1e-5)
    assert e.targets.tolist() == [1, 0, 3]
    assert np.abs(e.values).max() > 1e-2


def test_edges_are_those_of_the_relations():
    model, (x, valid) = with_importance(), padded()
    with EdgeImportance(model) as explain:
        table = explain(x, target=Class(1), valid=valid).edges()
    assert table["block"].unique().tolist() == [f"blocks.{i}.spatial" for i in range(3)]
    of_block, start = table[table["block"] == "blocks.1.spatial"], 0
    for name, source, target in zip(model.relations.names, model.relations.source, model.relations.target, strict=True):
        part = of_block[start : start + len(source)]
        assert part["relation"].unique().tolist() == [name]
        assert part["source"].tolist() == [PATH.nodes[index] for index in source]
        assert part["target"].tolist() == [PATH.nodes[index] for index in target]
        start += len(source)
    assert start == len(of_block)


def test_finite_differences():
    model, (x, valid) = with_importance(), padded()
    with EdgeImportance(model) as explain:
        e = explain(x, target=Class(2), valid=valid)
    weight, edges = model.blocks[1].spatial.importance, len(model.blocks[0].spatial.importance)
    for edge in (0, 4, 9):
        result = []
        with torch.no_grad():
            for step in (1e-5, -2e-5):
                weight[edge] += step
                result.append(model(x, valid=valid)[:, 2])
            weight[edge] += 1e-5
        expected = (result[0] - result[1]) / 2e-5 * weight[edge].detach()
        np.testing.assert_allclose(e.values[:, edges + edge], expected, rtol=1e-4, atol=1e-7)


@pytest.fixture(scope="module")
def released():
    torch.manual_seed(0)
    relations = torch.from_numpy(PATH.relations("spatial").matrices(5)).double()
    model = ReleasedSTGCN(relations, [6, 8], [1, 2], 3, 4, 0.0).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0.0, 0.4)
    for importance in model.edge_importance:
        nn.init.uniform_(importance, 0.2, 1.8)
    return model.eval()


def test_of_the_dense_network_by_name(released):
    """The dense parameters' gradients, at entries where the adjacency is not zero."""
    x = signals(3, 3, 9, 5, 2).double()
    names = ["edge_importance.0", "edge_importance.1"]
    with EdgeImportance(released, of=names, inputs="b c t n m", graph=PATH) as explain:
        e = explain(x, target=Class(1))
    table = e.edges(sample=2)
    score = released(x[2:3])[0, 1]
    gradients = torch.autograd.grad(score, list(released.edge_importance))
    assert len(table) == 2 * 3 * 25
    for row in table.itertuples():
        source, target = PATH.index(row.source), PATH.index(row.target)
        place = int(row.relation), source, target
        number = names.index(row.block)
        expected = (gradients[number][place] * released.edge_importance[number][place]).item()
        assert row.value == pytest.approx(expected, rel=1e-5, abs=1e-8)
        if released.A[place] == 0:
            assert row.value == 0


def test_a_released_network_and_ours_made_of_it_give_the_same_pairs(released):
    x = signals(3, 3, 9, 5, 2).double()
    mine = STGCN(PATH, classes=4, channels=(6, 8), strides=(1, 2), temporal_kernel=3, padding="counted").double().eval()
    copy_of(released, mine)
    torch.testing.assert_close(mine(x.permute(0, 4, 2, 3, 1)), released(x))
    with EdgeImportance(
        released, of=["edge_importance.0", "edge_importance.1"], inputs="b c t n m", graph=PATH
    ) as dense:
        theirs = dense(x, target=Class(1)).pairs()
    with EdgeImportance(mine) as explain:
        result = explain(x.permute(0, 4, 2, 3, 1), target=Class(1)).pairs()
    theirs = theirs.set_index(["source", "target"])["value"]
    for row in result.itertuples():
        assert row.value == pytest.approx(theirs[row.source, row.target], rel=1e-5, abs=1e-7)
    assert theirs.abs().sum() == pytest.approx(result["value"].abs().sum(), rel=1e-5)


def copy_of(released, mine):
    """Our network's parameters from the dense one's."""

    def copy(target, source):
        with torch.no_grad():
            target.copy_(source.reshape(target.shape))

    mine.data_norm.load_state_dict(released.data_bn.state_dict())
    for block, dense, weight in zip(mine.blocks, released.st_gcn_networks, released.edge_importance, strict=True):
        mix = dense.gcn["conv"]
        copy(block.spatial.weight, mix.weight.view(3, -1, *mix.weight.shape[1:3]).permute(1, 2, 0, 3))
        copy(block.spatial.bias, mix.bias.view(3, -1).T)
        source, target = block.spatial.topology.tensors()
        copy(block.spatial.importance, weight[target % 3, source, target // 3])
        block.spatial_norm.load_state_dict(dense.tcn[0].state_dict())
        copy(block.temporal.weight, dense.tcn[2].weight.transpose(2, 3))
        copy(block.temporal.bias, dense.tcn[2].bias)
        block.temporal_norm.load_state_dict(dense.tcn[3].state_dict())
        if isinstance(block.residual, nn.Sequential):
            copy(block.residual[0].weight, dense.residual[0].weight.transpose(2, 3))
            copy(block.residual[0].bias, dense.residual[0].bias)
            block.residual[1].load_state_dict(dense.residual[1].state_dict())
    mine.head.load_state_dict({"weight": released.fcn.weight[:, :, 0, 0], "bias": released.fcn.bias})


def test_where_the_score_is_homogeneous_the_block_sums_to_it():
    """In the first block, which has no residual, once no bias follows: y(s Q) = s y(Q) (Euler)."""
    model, (x, valid) = with_importance(), padded()
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if not name.startswith(("data_norm", "blocks.0.spatial.")) and name.endswith(("bias", "running_mean")):
            nn.init.zeros_(tensor)
    with EdgeImportance(model) as explain:
        e = explain(x, target=Class(1), valid=valid)
    first = np.asarray([block == "blocks.0.spatial" for block in e.block])
    np.testing.assert_allclose(e.values[:, first].sum(1), e.score, rtol=1e-4)
    assert not np.allclose(e.values[:, ~first].sum(1), 2 * e.score, rtol=0.01)


def test_buffers_and_arguments_by_name():
    model, x = PlainSTGCN().double().eval(), signals(2, 3, 10, 5, 2).double()
    # out[w] = sum over n of A[w, n] x[n].
    with EdgeImportance(model, of="adjacency", ends="target source", inputs="b c t n m") as explain:
        e = explain(x, target=Class(1))
    adjacency = model.adjacency.clone().requires_grad_()
    score = torch.func.functional_call(model, {"adjacency": adjacency}, (x[1:],))[0, 1]
    (gradient,) = torch.autograd.grad(score, adjacency)
    table = e.edges(sample=1)
    assert len(table) == 13
    for row in table.itertuples():
        place = int(row.target), int(row.source)
        assert row.value == pytest.approx((gradient[place] * adjacency[place]).item(), rel=1e-5, abs=1e-8)

    class Weighted(nn.Module):
        def forward(self, x, weight):
            return (
                x.new_zeros(x.shape).index_add(2, torch.tensor([1, 2]), x[:, :, [0, 0]] * weight[:, None]).sum((1, 3))
            )

    sent = torch.tensor([2.0, 3.0])
    with EdgeImportance(Weighted(), of="weight", edges=[[0, 1], [0, 2]], inputs="b t n c") as explain:
        e = explain(torch.ones(1, 4, 3, 1), target=Class(2), shared={"weight": sent})
    assert e.values.tolist() == [[0.0, 12.0]]
    assert sent.requires_grad is False


@pytest.mark.parametrize("relations", ["chebyshev", "random_walk"])
def test_the_adjacency_of_a_forecaster(relations):
    graph = STGraph.from_edges(list("abcd"), [("a", "b"), ("b", "c"), ("c", "d")], directed=relations != "chebyshev")
    torch.manual_seed(0)
    known = {"blocks": ((4, 2, 4), (4, 2, 4)), "relations": relations, "dropout": 0.0}
    model, x = STGCNForecaster(graph, **known).double(), signals(2, 1, 12, 4, 1).double()
    names = ["blocks.0.spatial.adjacency", "blocks.1.spatial.adjacency"]
    with EdgeImportance(model, of=names) as explain:
        e = explain(x, target=Forecast("d", 3))
    layer = model.get_submodule("blocks.1.spatial")
    first, start = np.asarray(e.block) == names[1], layer.topology.source
    assert [e.source[edge] for edge in first.nonzero()[0]] == [graph.nodes[index % 4] for index in start]
    assert len(set(e.relation)) == (1 if relations == "chebyshev" else max(start) // 4 + 1)
    model.eval()
    for edge in (0, 3, len(start) - 1):
        scores = []
        for step in (1e-5, -2e-5):
            layer.adjacency[edge] += step
            scores.append(model(x)[:, 2, 3].detach())
        layer.adjacency[edge] += 1e-5
        expected = (scores[0] - scores[1]) / 2e-5 * layer.adjacency[edge]
        np.testing.assert_allclose(e.values[:, first][:, edge], expected, rtol=1e-4, atol=1e-8)


def test_nothing_is_left_on_the_model():
    model, (x, valid) = with_importance().train(), padded()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    result = []
    for of in (None, ["blocks.0.spatial.importance"]):
        with EdgeImportance(model, of=of) as explain:
            result.append(explain(x, target=Class(1), valid=valid))
    np.testing.assert_allclose(result[0].values[:, :13], result[1].values, rtol=1e-5, atol=1e-8)
    assert result[0].source[:13] == result[1].source
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert all(
        module.training and not module._forward_hooks and not module._forward_pre_hooks for module in model.modules()
    )
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_what_does_not_fit_is_named():
    x = signals(2, 3, 9, 5)
    with (
        EdgeImportance(Recurrent(), inputs="b t n c") as explain,
        pytest.raises(InputError, match="no operation of Rec"),
    ):
        explain(signals(2, 6, 5, 2), target=Class(0))
    with (
        EdgeImportance(AdaptiveGraph(), of="sendng", inputs="b c t n") as explain,
        pytest.raises(InputError, match="sending"),
    ):
        explain(x, target=Class(0))
    with (
        EdgeImportance(AdaptiveGraph(), of="sending", inputs="b c t n") as explain,
        pytest.raises(InputError, match=r"\(5, 4\).*\[5, 5\]"),
    ):
        explain(x, target=Class(0))
    with pytest.raises(InputError, match=r"\(3,\).*\[E, 2\]"):
        EdgeImportance(AdaptiveGraph(), of="sending", edges=[1, 2, 3])
    with EdgeImportance(lively().double()) as explain, pytest.raises(InputError, match="does not depend on any"):
        explain(padded()[0], target=Custom(lambda output: torch.zeros(len(output))))
    with pytest.raises(InputError, match="source has 1 entry; expected 2"):
        EdgeExplanation(np.zeros((1, 2)), ("a",), ("b", "b"), ("0", "0"), ("x", "x"))
    with pytest.raises(InputError, match="sample: got 1; expected 0 to 0"):
        EdgeExplanation(np.zeros((1, 1)), ("a",), ("b",), ("0",), ("x",)).edges(1)
