"""STGraph.from_pyg: what PyTorch Geometric holds, once for each edge."""

import pytest
import torch

import stexplain as stx
from stexplain.errors import InputError

data_of = pytest.importorskip("torch_geometric.data")
EDGES = torch.tensor([[0, 1, 1, 2, 2], [1, 0, 2, 1, 2]])


def both_ways(**more):
    return data_of.Data(x=torch.zeros(3, 2), edge_index=EDGES, **more)


def test_edges_both_ways_are_undirected_and_loops_left_out():
    graph = stx.STGraph.from_pyg(both_ways(), ["hip", "knee", "foot"], center="hip")
    assert (graph.nodes, graph.edges.tolist(), graph.directed) == (("hip", "knee", "foot"), [[0, 1], [1, 2]], False)
    assert graph.center == "hip"
    index, weight = graph.to_pyg()
    back = data_of.Data(edge_index=index, edge_weight=weight, num_nodes=3)
    assert stx.STGraph.from_pyg(back, graph.nodes, center="hip") == graph


def test_one_way_is_directed_and_a_node_may_have_no_edge():
    with pytest.warns(UserWarning, match="without an edge|no edge"):
        graph = stx.STGraph.from_pyg(data_of.Data(edge_index=torch.tensor([[0, 1], [1, 2]]), num_nodes=4))
    assert (graph.nodes, graph.edges.tolist(), graph.directed) == (("0", "1", "2", "3"), [[0, 1], [1, 2]], True)


@pytest.mark.parametrize("name", ["edge_weight", "edge_attr"])
@pytest.mark.parametrize(
    ("weight", "directed", "weights"),
    [([1.0, 1, 2, 2, 9], False, [1, 2]), ([1.0, 1, 2, 3, 9], True, [1, 1, 2, 3])],
)
def test_weights(name, weight, directed, weights):
    values = torch.tensor(weight)
    # Attributes of edges are a column each; they are weights where that is said.
    found = {"edge_weight": values} if name == "edge_weight" else {"edge_attr": values[:, None]}
    graph = stx.STGraph.from_pyg(both_ways(**found), weight=None if name == "edge_weight" else name)
    assert (graph.directed, graph.weight.tolist()) == (directed, weights)


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (3, {}, "data: got an int without edge_index; expected a torch_geometric.data.Data"),
        (data_of.Data(x=torch.zeros(3, 2)), {}, "without edge_index"),
        (data_of.Batch.from_data_list([both_ways(), both_ways()]), {}, r"a batch of 2 graphs.*batch\[0\]"),
        (data_of.HeteroData({"a": {"x": torch.zeros(2, 1)}}), {}, "expected one kind of nodes"),
        (both_ways(edge_attr=torch.zeros(5, 2)), {"weight": "edge_attr"}, "expected one number per edge"),
        (both_ways(edge_attr=torch.zeros(5)), {"weight": "w"}, "unknown edge data.*edge_attr"),
        (both_ways(), {"nodes": ["a"]}, "got 1 names; expected 3"),
        (both_ways(), {"centre": "0"}, "unknown argument 'centre'"),
    ],
)
def test_what_is_refused(data, options, words):
    with pytest.raises(InputError, match=words):
        stx.STGraph.from_pyg(data, **options)


@pytest.mark.parametrize("name", ["from_torch_geometric", "from_data", "from_edge_index"])
def test_other_names_say_which_it_is(name):
    with pytest.raises(AttributeError, match=f"an STGraph has no '{name}': from_"):
        getattr(stx.STGraph, name)
