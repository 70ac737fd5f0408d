import torch

from stexplain.graph import Relations, STGraph
from stexplain.nn.graph_convolution import GraphConvolution, relation_topology
from stexplain.nn.temporal_convolution import TemporalConvolution


def test_targets_are_node_major():
    relations = Relations.from_matrices([[[0, 1.0], [0, 0]], [[2.0, 0], [3.0, 0]]])
    topology = relation_topology(relations, 2)
    edges = {
        (int(source), divmod(int(target), 2)) for source, target in zip(topology.source, topology.target, strict=True)
    }
    assert edges == {(0, (1, 0)), (0, (0, 1)), (1, (0, 1))}


def test_a_graph_convolution_by_hand():
    """Two relations between two nodes: y[n] = sum over e = (v -> n) of a Q (W_k x[v] + b_k)."""
    relations = Relations.from_matrices([[[0, 0.5], [0, 0]], [[2.0, 0], [3.0, 0]]])
    layer = GraphConvolution(relations, relation_topology(relations, 2), 1, 1).double()
    with torch.no_grad():
        layer.importance.copy_(torch.tensor([2.0, 1.0, 10.0]))
        layer.weight.copy_(torch.tensor([5.0, 7.0]).view(1, 1, 2, 1))
        layer.bias.copy_(torch.tensor([[0.25, 0.5]]))
    x = torch.tensor([1.0, 4.0], dtype=torch.float64).view(2, 1, 1, 1)
    first = 2.0 * (7 * 1 + 0.5) + 3.0 * 10 * (7 * 4 + 0.5)
    second = 0.5 * 2 * (5 * 1 + 0.25)
    assert layer(x).flatten().tolist() == [first, second]


def test_a_relation_without_edges_adds_nothing():
    relations = Relations.from_matrices([[[1.0, 0], [0, 1.0]], [[0.0, 0], [0, 0]]])
    layer = GraphConvolution(relations, relation_topology(relations, 2), 2, 3).double()
    x = torch.randn(2, 3, 4, 2, dtype=torch.float64)
    torch.testing.assert_close(layer(x), x @ layer.weight[:, :, 0, 0].T)


def test_a_temporal_convolution_shifts_frames():
    layer = TemporalConvolution(1, 1, kernel=3)
    with torch.no_grad():
        layer.weight.zero_()[..., 2] = 1.0
    x = torch.arange(1.0, 6.0).view(1, 1, 5, 1)
    assert layer(x).flatten().tolist() == [2.0, 3.0, 4.0, 5.0, 0.0]


def test_gradients_of_a_graph_convolution():
    relations = STGraph("abc", [(0, 1), (1, 2)]).relations("chebyshev")
    layer = GraphConvolution(relations, relation_topology(relations, 3), 2, 2).double()
    x = torch.randn(3, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    names = ("importance", "weight", "bias")

    def apply(x, *values):
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(apply, (x, layer.importance, layer.weight + torch.randn(2, 2, 3, 1), layer.bias))
