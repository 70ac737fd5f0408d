"""Edge maps of layers of PyTorch Geometric and DGL, against the weights that their papers state."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stexplain.errors import InputError
from stexplain.explainers.methods.edge_importance import EdgeImportance
from tests.explainers.graph_convolutions.test_by_hand import by_hand, explained, signals
from tests.explainers.graph_convolutions.written import EDGES, ROAD, SOURCE, TARGET, Case, N, Net, numbers

NONE = torch.eye(N).double() == 0
BETWEEN = EDGES[:, SOURCE != TARGET].contiguous()


def pyg():
    with warnings.catch_warnings():
        # It scripts some of its own classes when it is imported, which torch advises against.
        warnings.simplefilter("ignore")
        return pytest.importorskip("torch_geometric.nn")


def dgl():
    return pytest.importorskip("dgl")


def attended(h, source, target, edges):
    """GAT's weights over incoming edges, ``[b, t, s]``."""
    e = F.leaky_relu((h * source).sum(-1)[:, None] + (h * target).sum(-1)[:, :, None], 0.2)
    return e.masked_fill(~edges.T, float("-inf")).softmax(-1)


def gcn_conv():
    layer, weight = pyg().GCNConv(2, 3).double(), torch.arange(1, BETWEEN.shape[1] + 1).double()
    road = torch.eye(N).double()
    road[tuple(BETWEEN)] = weight
    scale = road.sum(0).rsqrt()
    return Case(
        lambda net, x, A: torch.einsum("btsc,sv,dc->btvd", x, A, net.layer.lin.weight),
        weights=lambda net, x: scale[:, None] * road * scale,
        run=lambda net, x: net.layer(x, BETWEEN, weight),
        held={"layer": layer},
    )


def gat_conv():
    layer = pyg().GATConv(2, 3).double()
    return Case(
        lambda net, x, A: A @ net.layer.lin(x),
        "b t s",
        lambda net, x: attended(
            net.layer.lin(x), net.layer.att_src[0], net.layer.att_dst[0], (ROAD != 0) & NONE | ~NONE
        ),
        lambda net, x: torch.stack([net.layer(each, BETWEEN) for each in x]),
        {"layer": layer},
        "b n c",
    )


def graph():
    return dgl().graph((SOURCE, TARGET), num_nodes=N)


def graph_conv():
    g, layer = graph(), dgl().nn.pytorch.GraphConv(2, 3).double()
    road = (ROAD != 0).double()
    return Case(
        lambda net, x, A: torch.einsum("bsc,sv->bvc", x, A) @ net.layer.weight,
        weights=lambda net, x: road * road.sum(1).rsqrt()[:, None] * road.sum(0).rsqrt(),
        run=lambda net, x: net.layer(g, x.transpose(0, 1)).transpose(0, 1),
        held={"layer": layer},
        inputs="b n c",
    )


def update_all():
    g, functions = graph(), dgl().function

    def run(net, x):
        with g.local_scope():
            g.ndata["h"], g.edata["w"] = x.transpose(0, 1), net.w[:, None, None]
            g.update_all(functions.u_mul_e("h", "w", "m"), functions.sum("m", "out"))
            return g.ndata["out"].transpose(0, 1)

    held = {"w": nn.Parameter(ROAD[SOURCE, TARGET])}
    return Case(lambda net, x, A: torch.einsum("bsc,sv->bvc", x, A), "s t", lambda net, x: ROAD, run, held, "b n c")


def dgl_gat():
    g, layer = graph(), dgl().nn.pytorch.GATConv(2, 3, 1).double()
    return Case(
        lambda net, x, A: A @ net.layer.fc(x),
        "b t s",
        lambda net, x: attended(net.layer.fc(x), net.layer.attn_l[0], net.layer.attn_r[0], ROAD != 0),
        lambda net, x: torch.stack([net.layer(g, each)[:, 0] for each in x]),
        {"layer": layer},
        "b n c",
    )


@pytest.mark.parametrize("made", [gcn_conv, gat_conv, graph_conv, update_all, dgl_gat])
def test_layers_of_libraries(made):
    torch.manual_seed(0)
    net = Net(made()).eval()
    x = signals(net.case.inputs)
    expected = by_hand(net, x)
    torch.testing.assert_close(explained(net, x), expected, rtol=1e-6, atol=1e-6 * abs(expected).max())


def test_functions_of_messages_are_refused_with_their_place():
    g = graph()

    def run(net, x):
        with g.local_scope():
            g.ndata["h"] = x.transpose(0, 1)
            g.update_all(lambda edges: {"m": edges.src["h"]}, lambda nodes: {"out": nodes.mailbox["m"].sum(1)})
            return g.ndata["out"].transpose(0, 1)

    net = Net(Case(run, run=run, held={"w": nn.Parameter(numbers(1))}))
    with pytest.raises(InputError, match="no operation of Net was found .* values pass between nodes here"):
        EdgeImportance(net, inputs="b n c")(signals("b n c"), target=lambda scores: scores)
