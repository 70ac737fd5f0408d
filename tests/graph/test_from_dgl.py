"""STGraph.from_dgl: what DGL holds, once for each edge."""

import pytest
import torch

import stexplain as stx
from stexplain.backend.dgl import dgl_installed
from stexplain.errors import InputError

if not dgl_installed():
    pytest.skip("DGL has no wheel for this Python or system", allow_module_level=True)

import dgl


def both_ways(weight=None):
    graph = dgl.graph(([0, 1, 1, 2, 2], [1, 0, 2, 1, 2]))
    if weight is not None:
        graph.edata["w"] = torch.tensor(weight)
    return graph


def test_edges_both_ways_are_undirected_and_loops_left_out():
    graph = stx.STGraph.from_dgl(both_ways(), ["hip", "knee", "foot"], center="hip")
    assert (graph.nodes, graph.edges.tolist(), graph.directed) == (("hip", "knee", "foot"), [[0, 1], [1, 2]], False)
    assert graph.center == "hip"
    assert stx.STGraph.from_dgl(graph.to_dgl(), graph.nodes, center="hip") == graph


def test_one_way_is_directed():
    graph = stx.STGraph.from_dgl(dgl.graph(([0, 1], [1, 2])))
    assert (graph.nodes, graph.edges.tolist(), graph.directed) == (("0", "1", "2"), [[0, 1], [1, 2]], True)


@pytest.mark.parametrize(
    ("weight", "directed", "weights"),
    [([1.0, 1, 2, 2, 9], False, [1, 2]), ([1.0, 1, 2, 3, 9], True, [1, 1, 2, 3])],
)
def test_weights(weight, directed, weights):
    graph = stx.STGraph.from_dgl(both_ways(weight), weight="w")
    assert (graph.directed, graph.weight.tolist()) == (directed, weights)


@pytest.mark.parametrize(
    ("graph", "options", "words"),
    [
        (3, {}, "graph: got an int; expected a dgl.DGLGraph"),
        (dgl.batch([both_ways(), both_ways()]), {}, "dgl.unbatch"),
        (dgl.heterograph({("a", "r", "b"): ([0], [1])}), {}, "expected one kind of both"),
        (both_ways(), {"weight": "w"}, "unknown edge data"),
        (both_ways(), {"nodes": ["a"]}, "got 1 names; expected 3"),
        (both_ways(), {"centre": "0"}, "unknown argument 'centre'"),
    ],
)
def test_what_is_refused(graph, options, words):
    with pytest.raises(InputError, match=words):
        stx.STGraph.from_dgl(graph, **options)


def test_a_dgl_graph_in_the_place_of_ours_is_told_how():
    with pytest.raises(InputError, match="from_dgl"):
        stx.InputGradient(torch.nn.Flatten(), inputs="b t n", graph=both_ways())
