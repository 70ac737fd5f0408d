"""Importance of single messages, against closed forms of models that are linear in them."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stexplain.errors import InputError
from stexplain.explainers.methods.edge_importance import EdgeImportance
from stexplain.explainers.model.adjacency.table import adjacencies
from stexplain.graph import STGraph
from tests.explainers.model.adjacency import mixing_models
from tests.explainers.model.adjacency.mixing_models import FRAMES, NODES, Mixes, road

# torch says so itself of every tensor of compressed rows.
pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
ONE_ROAD = [
    *("Einsum", "Product", "Linear", "Pointwise", "Folded", "Sparse", "Compressed"),
    *("Scattered", "FrameByFrame", "Entrywise", "Expanded"),
]


def made(name: str) -> tuple[Mixes, torch.Tensor]:
    torch.manual_seed(0)
    return getattr(mixing_models, name)().double().eval(), torch.randn(3, FRAMES, NODES, 2).double()


def explained(model: Mixes, x: torch.Tensor) -> np.ndarray:
    """Importance ``[B, T, relation, source, target]``."""
    frame = EdgeImportance(model, inputs="b t n c")(x, target=lambda scores: scores).to_frame()
    result = np.zeros((len(x), FRAMES, 1 + frame["relation"].astype(int).max(), NODES, NODES))
    places = tuple(frame[name].astype(int) for name in ("sample", "frame", "relation", "source", "target"))
    np.add.at(result, places, frame["importance"])
    return result


def messages(model: Mixes, x: torch.Tensor, adjacency: torch.Tensor, weight: torch.Tensor | None = None) -> np.ndarray:
    """What each message adds to the score: of [source, target] or with further axes b, t before."""
    sent = model.before(x).detach()
    adjacency = adjacency.to(x).expand(*x.shape[:2], NODES, NODES)
    return torch.einsum("btuv,btuc,tvc->btuv", adjacency, sent, model.weight if weight is None else weight).numpy()


@pytest.mark.parametrize("name", ONE_ROAD)
def test_each_message_counts_as_what_it_adds(name):
    model, x = made(name)
    np.testing.assert_allclose(explained(model, x)[:, :, 0], messages(model, x, road()), rtol=1e-5, atol=1e-6)


def test_weights_of_the_signals_count_as_they_are():
    """The score less what it is without one message, its weight left out after the softmax."""
    model, x = made("Attention")
    sent = model.before(x).detach()
    # Row: the node that receives.
    attention = (torch.tanh(sent) @ sent.transpose(-1, -2)).softmax(-1).transpose(-1, -2)
    np.testing.assert_allclose(explained(model, x)[:, :, 0], messages(model, x, attention), rtol=1e-5, atol=1e-6)
    (row,) = adjacencies(model, x, inputs="b t n c").to_dict("records")
    assert (row["kind"], row["axes"], row["per_sample"], row["per_frame"]) == (
        "computed",
        "sample frame target source",
        True,
        True,
    )


def test_heads_are_relations_whose_messages_add_up():
    model, x = made("Heads")
    result = explained(model, x)
    assert result.shape[2] == 2
    layer = model.attention
    mixed = F.linear(model.before(x), layer.in_proj_weight, layer.in_proj_bias)
    query, key, value = (part.unflatten(-1, (2, 2)) for part in mixed.chunk(3, -1))
    attention = (torch.einsum("btvhc,btuhc->bthuv", query, key) / 2**0.5).softmax(3)
    out = torch.einsum("tvo,ohc->tvhc", model.weight, layer.out_proj.weight.unflatten(1, (2, 2)))
    expected = torch.einsum("bthuv,btuhc,tvhc->bthuv", attention, value, out)
    np.testing.assert_allclose(result, expected.detach(), rtol=1e-5, atol=1e-6)


def test_relations_are_told_apart():
    model, x = made("Relations")
    sent = model.wide(model.before(x)).unflatten(-1, (2, 3)).detach()
    expected = torch.einsum("kuv,btukc,tvc->btkuv", model.roads, sent, model.weight)
    np.testing.assert_allclose(explained(model, x), expected, rtol=1e-5, atol=1e-6)
    model, x = made("Stacked")
    result = explained(model, x)
    np.testing.assert_allclose(result[:, :, 0], messages(model, x, road(1)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(result[:, :, 1], -2 * messages(model, x, road(2)), rtol=1e-5, atol=1e-6)


def test_one_message_less_by_finite_difference():
    """Of a model that is not linear: a small part of one message, at one frame of one sample, is taken away."""

    class Bent(mixing_models.Einsum):
        def mix(self, x, less=None):
            mixed = super().mix(x)
            return torch.tanh(mixed if less is None else mixed - less)

    torch.manual_seed(0)
    model, x = Bent().double().eval(), torch.randn(2, FRAMES, NODES, 2).double()
    result = explained(model, x)[:, :, 0]
    sent = model.before(x).detach()
    for sample, frame, source, target in [(0, 2, 1, 1), (1, 5, *map(int, road().fill_diagonal_(0).nonzero()[0]))]:
        less = torch.zeros_like(sent)
        less[sample, frame, target] = road()[source, target].double() * sent[sample, frame, source]
        step = 1e-6
        fall = (model(x, less=-step * less) - model(x, less=step * less))[sample] / (2 * step)
        assert result[sample, frame, source, target] == pytest.approx(fall.item(), rel=1e-5)


def test_calls_of_a_recurrent_model_are_frames():
    """What is sent at frame t goes on by half of the road at each step: with R the road, R (R / 2)^(T - 1 - t)."""
    model, x = made("Remembers")
    sent, hidden = model.before(x).detach(), torch.zeros(3, NODES, 3).double()
    expected = torch.zeros(3, FRAMES, NODES, NODES).double()
    matrix = road().double()
    for frame in range(FRAMES):
        both = sent[:, frame] + hidden / 2
        onwards = torch.linalg.matrix_power(matrix / 2, FRAMES - 1 - frame)
        # The gradient at node v of this frame: what goes from v to all w at the last.
        expected[:, frame] = torch.einsum("uv,buc,vw,wc->buv", matrix, both, onwards, model.weight[0])
        hidden = torch.einsum("uv,buc->bvc", matrix, both)
    np.testing.assert_allclose(explained(model, x)[:, :, 0], expected, rtol=1e-5, atol=1e-6)


def test_layers_of_pytorch_geometric():
    model, x = made("MessagePassing")
    source, target = road().fill_diagonal_(0).nonzero().T
    weight = road()[source, target].double()
    arguments = {"edge_index": torch.stack([source, target]), "edge_weight": weight}
    # Kipf & Welling: D^-1/2 (A + I) D^-1/2 over incoming edges.
    adjacency = torch.eye(NODES).double()
    adjacency[source, target] = weight
    scale = adjacency.sum(0).rsqrt()
    adjacency = scale[:, None] * adjacency * scale
    frame = EdgeImportance(model, inputs="b t n c")(x, target=lambda scores: scores, shared=arguments).to_frame()
    through = model.layer.lin.weight.detach()
    expected = messages(model, x, adjacency, model.weight @ through)
    np.testing.assert_allclose(_dense(frame, x), expected, rtol=1e-5, atol=1e-6)


def test_attention_over_edges_has_one_entry_whose_softmax_is_no_message():
    model, x = made("GraphAttention")
    source, target = road().nonzero().T
    table = adjacencies(model, x, inputs="b t n c", shared={"edge_index": torch.stack([source, target])})
    assert table["edges"].tolist() == [len(source)]
    explain = EdgeImportance(model, inputs="b t n c")
    frame = explain(x, target=lambda scores: scores, shared={"edge_index": torch.stack([source, target])}).to_frame()
    sent = model.layer.lin(model.before(x)).detach()
    own, other = ((sent * weight[0, 0].detach()).sum(-1) for weight in (model.layer.att_src, model.layer.att_dst))
    scores = F.leaky_relu(own[..., :, None] + other[..., None, :], 0.2).masked_fill(road() == 0, -torch.inf)
    expected = torch.einsum("btuv,btuc,tvc->btuv", scores.softmax(2), sent, model.weight)
    np.testing.assert_allclose(_dense(frame, x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_messages_of_dgl(reduce):
    torch.manual_seed(0)
    model, x = mixing_models.ByDGL(reduce).double().eval(), torch.randn(3, FRAMES, NODES, 2).double()
    adjacency = road() / ((road() > 0).sum(0) if reduce == "mean" else 1)
    np.testing.assert_allclose(explained(model, x)[:, :, 0], messages(model, x, adjacency), rtol=1e-5, atol=1e-6)


def test_the_largest_message_is_no_sum_and_said_so():
    torch.manual_seed(0)
    model, x = mixing_models.ByDGL("max").double().eval(), torch.randn(3, FRAMES, NODES, 2).double()
    assert adjacencies(model, x, inputs="b t n c")["why"].tolist() == ["the max of messages is no sum of them"]
    with pytest.raises(InputError, match="max of messages"):
        EdgeImportance(model, inputs="b t n c")(x, target=lambda scores: scores)


def _dense(frame: pd.DataFrame, x: torch.Tensor) -> np.ndarray:
    """Importance ``[B, T, source, target]``, summed over relations."""
    result = np.zeros((*x.shape[:2], NODES, NODES))
    places = tuple(frame[name].astype(int) for name in ("sample", "frame", "source", "target"))
    np.add.at(result, places, frame["importance"])
    return result


def test_one_large_graph_of_the_whole_batch():
    """Edges that are given for all samples at once belong to the sample of their nodes."""

    class Whole(nn.Module):
        def forward(self, x, edge_index):  # (b n) t
            mixed = torch.zeros_like(x).index_add(0, edge_index[1], x[edge_index[0]])
            return mixed.view(-1, NODES, FRAMES).sum((1, 2))

    source, target = road().nonzero().T
    edges = torch.cat([torch.stack([source, target]) + NODES * sample for sample in range(3)], 1)
    # The second sample has one edge less.
    lost = len(source) + 4
    edges = torch.cat([edges[:, :lost], edges[:, lost + 1 :]], 1)
    x = torch.randn(3 * NODES, FRAMES, generator=torch.Generator().manual_seed(0))
    graph = STGraph([f"s{node}" for node in range(NODES)], [(node, node + 1) for node in range(NODES - 1)])
    explain = EdgeImportance(Whole(), inputs="(b n) t", graph=graph)
    e = explain(x, target=lambda scores: scores, shared={"edge_index": edges})
    assert len(e.source) == len(source)
    sent = x.view(3, NODES, FRAMES)[:, [int(name[1:]) for name in e.source]].transpose(1, 2).numpy().copy()
    without = list(zip(e.source, e.target, strict=True)).index((f"s{source[4]}", f"s{target[4]}"))
    sent[1, :, without] = 0
    (part,) = e.over_time.values()
    assert part.frames.tolist() == list(range(FRAMES))
    np.testing.assert_allclose(part.values, sent, rtol=1e-6)


def test_adjacencies_of_each_frame_are_one_entry():
    model, x = made("RoadsOverTime")
    (row,) = adjacencies(model, x, inputs="b t n c").to_dict("records")
    assert (row["name"], row["calls"], row["per_frame"]) == ("supports", FRAMES, True)
    adjacency = torch.stack([road(seed) for seed in range(FRAMES)])
    np.testing.assert_allclose(explained(model, x)[:, :, 0], messages(model, x, adjacency), rtol=1e-5, atol=1e-6)


def test_edges_of_each_frame_are_one_entry():
    model, x = made("EdgesOverTime")
    edges = [road(seed).nonzero().T.contiguous() for seed in range(FRAMES)]
    (row,) = adjacencies(model, x, inputs="b t n c", shared={"edges": edges}).to_dict("records")
    assert (row["name"], row["kind"], row["calls"]) == ("edges", "argument", FRAMES)
    explain = EdgeImportance(model, inputs="b t n c")
    frame = explain(x, target=lambda scores: scores, shared={"edges": edges}).to_frame()
    adjacency = torch.stack([(road(seed) > 0).double() for seed in range(FRAMES)])
    np.testing.assert_allclose(_dense(frame, x), messages(model, x, adjacency), rtol=1e-5, atol=1e-6)


def test_one_of_two_roads_that_run_at_one_place():
    """What runs there before it is none of those requested."""
    model, x = made("InTurn")
    assert adjacencies(model, x, inputs="b t n c")["name"].tolist() == ["first", "second"]
    explain = EdgeImportance(model, inputs="b t n c", of="second")
    frame = explain(x, target=lambda scores: scores).to_frame()
    sent = torch.einsum("btuc,uv->btvc", model.before(x), model.first).detach()
    expected = torch.einsum("uv,btuc,tvc->btuv", model.second, sent, model.weight)
    np.testing.assert_allclose(_dense(frame, x), expected, rtol=1e-5, atol=1e-6)


class WeightsOnTheSameLine(Mixes):
    """Roads and weights of channels in one line, with as many channels as nodes."""

    def __init__(self) -> None:
        super().__init__(NODES)
        self.register_buffer("road", road())
        self.theta = nn.Parameter(torch.randn(NODES, NODES, generator=torch.Generator().manual_seed(3)))

    def mix(self, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum("btvc,cd->btvd", torch.einsum("uv,btuc->btvc", self.road, x), self.theta)


def test_channels_that_are_mixed_on_the_same_line_are_no_further_runs():
    torch.manual_seed(0)
    model, x = WeightsOnTheSameLine().double().eval(), torch.randn(3, FRAMES, NODES, 2).double()
    weight = torch.einsum("tvd,cd->tvc", model.weight, model.theta).detach()
    np.testing.assert_allclose(explained(model, x)[:, :, 0], messages(model, x, road(), weight), rtol=1e-5, atol=1e-6)


def test_an_operation_that_runs_more_often_than_where_it_was_measured_is_refused():
    model, x = made("InTurn")
    # Measured on copies of the first sample alone.
    x[1] *= 1e5
    with pytest.raises(InputError, match="ran more often than on copies of one sample"):
        EdgeImportance(model, inputs="b t n c")(x, target=lambda scores: scores)


@pytest.mark.parametrize(("strategy", "expected"), [("uniform", ["0", "1"]), ("distance", ["hop 0", "hop 1"])])
def test_relations_of_an_operation_have_the_names_of_the_models_own_where_there_are_as_many(strategy, expected):
    """Two of the operation: a model whose graph has a single one mixes by something else there."""
    graph = STGraph.from_edges(list("abcde"), [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")])
    model, x = made("Relations")
    model.relations = graph.relations(strategy)
    frame = EdgeImportance(model, inputs="b t n c", graph=graph)(x, target=lambda scores: scores).to_frame()
    assert frame["relation"].unique().tolist() == expected
