import copy
import json
import pickle
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stexplain.backend.dgl import dgl_installed
from stexplain.errors import CardError, InputError
from stexplain.graph import STGraph
from tests.graph.drawn_graphs import dense, graphs
from tests.reference import graphs as reference

# Graphs are drawn at random, and some are made so: what is named of them is held by test_notices.
pytestmark = [
    pytest.mark.filterwarnings("ignore:graph. got .* without an edge"),
    pytest.mark.filterwarnings("ignore:graph. .* weights (is|are) negative"),
]

BODY = {
    "nodes": ["head", "neck", "left hand", "right hand"],
    "edges": [(0, 1), (2, 1), (3, 1)],
    "weight": [1.0, 0.5, 0.25],
    "groups": {"arms": ["right hand", "left hand"], "all": ["head", "neck", "left hand", "right hand"]},
    "positions": {"head": (0, 2), "neck": (0, 1), "left hand": (-1, 0), "right hand": (1, 0)},
    "center": "neck",
}


@pytest.fixture
def body() -> STGraph:
    return STGraph(**BODY)


def test_lookups(body: STGraph):
    assert len(body) == 4
    assert body.index("left hand") == 2
    assert body.group("arms").tolist() == [3, 2]
    assert body.groups_of("left hand") == ("arms", "all")
    assert body.groups_of("head") == ("all",)
    with pytest.raises(InputError, match=r"unknown node 'lefthand'. Did you mean 'left hand'\?"):
        body.index("lefthand")
    with pytest.raises(InputError, match=r"unknown group 'arm'. Did you mean 'arms'\?"):
        body.group("arm")
    with pytest.raises(InputError, match="unknown node 'tail'"):
        body.groups_of("tail")
    assert repr(body) == "STGraph(4 nodes, 3 edges, undirected, 2 groups, center 'neck')"
    assert repr(STGraph(["a"], [], directed=True)) == "STGraph(1 node, 0 edges, directed)"


def test_it_is_immutable(body: STGraph):
    for array in (body.edges, body.weight, body.positions):
        assert array is not None
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 9
    with pytest.raises(AttributeError, match="is immutable"):
        body.center = "head"
    with pytest.raises(AttributeError, match="is immutable"):
        del body.center
    with pytest.raises(TypeError):
        body.groups["new"] = ("head",)  # type: ignore[index]


def test_shares_no_memory_with_its_arguments():
    edges, weight, groups = np.array([[0, 1]]), np.array([2.0]), {"g": ["a"]}
    graph = STGraph("ab", edges, weight, groups=groups)
    edges[:], weight[:] = 0, 0
    groups["g"].append("b")
    assert (graph.edges.tolist(), graph.weight.tolist(), graph.groups["g"]) == ([[0, 1]], [2.0], ("a",))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nodes": []}, "nodes: got none"),
        ({"nodes": ["a", "b", "a", "c"]}, "got 'a' twice, at 0 and 2"),
        ({"nodes": ["a", 1, "b", "c"]}, "node 1: got the name 1; expected text"),
        ({"nodes": ["a", "", "b", "c"]}, "node 1: got the name ''"),
        ({"edges": [(0, 1), (1, 4)]}, r"edge 1: got \(1, 4\); expected indices from 0 to 3"),
        ({"edges": [(0, -1)]}, r"edge 0: got \(0, -1\)"),
        ({"edges": [(0, 1), (2, 2)]}, "edge 1: got a self loop of 'left hand'"),
        (
            {"edges": [(0, 1), (2, 1), (1, 0)]},
            r"'head' - 'neck' more than once \(an undirected edge.*Give it once, or directed=True",
        ),
        ({"edges": [(0, 1), (0, 1)]}, r"either direction\)\. Give it once\."),
        ({"edges": [(0, 1), (0, 1)], "directed": True}, r"'head' - 'neck' more than once\. Give"),
        ({"edges": [(0.0, 1.0)]}, r"type float64; expected \[E, 2\] integers"),
        ({"edges": [("head", "neck")]}, "use STGraph.from_edges"),
        ({"edges": [(0, 1), (1,)]}, "rows of unequal length"),
        ({"edges": [0, 1]}, r"shape \(2,\)"),
        ({"weight": [1.0, 2.0]}, r"weight has shape \(2,\); expected \[3\]"),
        ({"weight": np.ones((5, 3))}, "use DynamicGraph"),
        ({"weight": [1.0, np.nan, 1.0]}, "weight of the edge 'left hand' - 'neck': got nan"),
        ({"weight": [1.0, 1.0, np.inf]}, "weight of the edge 'right hand' - 'neck': got inf"),
        ({"weight": "heavy"}, "weight: got 'heavy'"),
        ({"groups": {"arms": ["left hnd"]}}, r"node in the group 'arms': 'left hnd'. Did you mean 'left hand'\?"),
        ({"groups": {"arms": []}}, "group 'arms': got no nodes"),
        ({"groups": {"arms": "head"}}, "expected a list of node names"),
        ({"groups": {"arms": ["head", "head"]}}, "got a node twice"),
        ({"center": "nek"}, r"unknown node \(as the centre\) 'nek'. Did you mean 'neck'\?"),
        ({"positions": {"head": (0, 0)}}, "positions: 'neck', 'left hand', 'right hand' missing"),
        ({"positions": {**BODY["positions"], "tail": (0, 0)}}, r"unknown node \(in positions\) 'tail'"),
        ({"positions": np.zeros((4, 3))}, r"positions has shape \(4, 3\); expected \[4, 2\]"),
        ({"positions": [(0, 0), (0, 0), (np.nan, 0), (0, 0)]}, "position of 'left hand': got NaN"),
        ({"positions": [(0, 0), (0,), (0, 0), (0, 0)]}, "rows that are not pairs of numbers"),
    ],
)
def test_wrong_arguments_are_refused(change: dict, message: str):
    with pytest.raises(InputError, match=message):
        STGraph(**{**BODY, **change})


def test_a_directed_graph_may_have_edges_both_ways_and_any_graph_may_be_disconnected():
    graph = STGraph("abcd", [(0, 1), (1, 0)], [1.0, 2.0], directed=True)
    np.testing.assert_array_equal(graph.to_scipy().toarray()[:2, :2], [[0, 1], [2, 0]])
    assert np.isinf(graph.hops()[0, 3])
    assert len(STGraph("abc", []).edges) == 0


def test_equality_ignores_the_order_of_edges(body: STGraph):
    reordered = STGraph(**{**BODY, "edges": [(1, 3), (0, 1), (1, 2)], "weight": [0.25, 1.0, 0.5]})
    assert reordered == body
    assert hash(reordered) == hash(body)
    assert reordered.hash == body.hash
    assert len({reordered, body}) == 1
    assert body != "body"


@pytest.mark.parametrize(
    "change",
    [
        {"nodes": ["head", "neck", "right hand", "left hand"]},
        {"edges": [(0, 1), (2, 1), (3, 2)]},
        {"weight": [1.0, 0.5, 0.26]},
        {"groups": {}},
        {"positions": None},
        {"center": "head"},
        {"directed": True},
    ],
)
def test_every_field_is_in_the_hash(body: STGraph, change: dict):
    other = STGraph(**{**BODY, **change})
    assert other != body
    assert other.hash != body.hash


def test_direction_is_in_the_hash_of_a_directed_graph():
    assert STGraph("ab", [(0, 1)], directed=True) != STGraph("ab", [(1, 0)], directed=True)


@given(graphs())
def test_dictionaries_pickles_and_copies_give_the_same_graph(graph: STGraph):
    for twin in (
        STGraph.from_dict(json.loads(json.dumps(graph.to_dict()))),
        pickle.loads(pickle.dumps(graph)),
        copy.deepcopy(graph),
        copy.copy(graph),
    ):
        assert twin == graph
        assert twin.edges.tolist() == graph.edges.tolist()
        assert twin.weight.tolist() == graph.weight.tolist()


def test_a_wrong_dictionary_is_refused(body: STGraph):
    values = body.to_dict()
    with pytest.raises(InputError, match=r"unknown field of a graph 'weights'. Did you mean 'weight'\?"):
        STGraph.from_dict({**values, "weights": 1})
    values.pop("center")
    with pytest.raises(InputError, match="field 'center' of a graph is missing"):
        STGraph.from_dict(values)


@given(graphs(), st.data())
def test_permuting_moves_everything_and_can_be_undone(graph: STGraph, data: st.DataObject):
    order = data.draw(st.permutations(range(len(graph))))
    moved = graph.permute(order)
    assert moved.nodes == tuple(graph.nodes[index] for index in order)
    np.testing.assert_array_equal(dense(moved), dense(graph)[np.ix_(order, order)])
    assert moved.permute(np.argsort(order).tolist()) == graph


def test_permuting_keeps_groups_center_and_positions(body: STGraph):
    moved = body.permute([3, 1, 0, 2])
    assert moved.groups == body.groups
    assert moved.center == "neck"
    assert moved.positions is not None
    assert moved.positions.tolist() == [[1, 0], [0, 1], [0, 2], [-1, 0]]
    assert moved.group("arms").tolist() == [0, 3]
    with pytest.raises(InputError, match="each of 0 to 3 once"):
        body.permute([0, 1, 2, 2])


def test_a_subgraph(body: STGraph):
    part = body.subgraph(["right hand", 1])
    assert part == STGraph(
        ["right hand", "neck"],
        [(0, 1)],
        [0.25],
        groups={"arms": ["right hand"], "all": ["neck", "right hand"]},
        positions=[(1, 0), (0, 1)],
        center="neck",
    )
    assert body.subgraph(["head"]).center is None
    assert "arms" not in body.subgraph(["head"]).groups
    with pytest.raises(InputError, match="unknown node 'tail'"):
        body.subgraph(["tail"])
    with pytest.raises(InputError, match="nodes: got index 7; expected 0 to 3"):
        body.subgraph([7])
    with pytest.raises(InputError, match="got 'head' twice"):
        body.subgraph(["head", 0])


def test_undirected_takes_the_larger_of_two_opposite_weights():
    graph = STGraph("abc", [(1, 0), (0, 1), (1, 2)], [3.0, 1.0, -2.0], directed=True).undirected()
    assert graph == STGraph("abc", [(0, 1), (1, 2)], [3.0, -2.0])
    assert graph.undirected() == graph


def test_other_weights(body: STGraph):
    assert body.with_weight([3, 2, 1]).weight.tolist() == [3, 2, 1]
    assert body.with_weight(body.weight) == body
    with pytest.raises(InputError, match="weight has shape"):
        body.with_weight([1])


@given(graphs())
def test_hops_are_the_fewest_edges(graph: STGraph):
    np.testing.assert_array_equal(graph.hops(), reference.hop_distances(dense(graph) != 0))


@given(graphs(), st.integers(1, 4))
def test_the_product_graph_is_the_sum_of_kronecker_products(graph: STGraph, frames: int):
    product = graph.unroll(frames, temporal_weight=0.5)
    chain = np.diag(np.full(frames - 1, 0.5), 1)
    chain = chain if graph.directed else chain + chain.T
    expected = np.kron(np.eye(frames), dense(graph)) + np.kron(chain, np.eye(len(graph)))
    np.testing.assert_array_equal(product.to_scipy().toarray(), expected)
    assert len(product.edges) == frames * len(graph.edges) + (frames - 1) * len(graph)
    assert product.nodes[-1] == f"{graph.nodes[-1]}@{frames - 1}"


def test_the_product_graph_keeps_groups_and_names_unique(body: STGraph):
    product = body.unroll(3)
    assert product.group("arms").tolist() == [3, 2, 7, 6, 11, 10]
    assert product.edges[9:12].tolist() == [[0, 4], [1, 5], [2, 6]]
    assert len(STGraph(["a", "a@0"], []).unroll(2)) == 4
    for wrong in (0, 2.0):
        with pytest.raises(InputError, match="frames: got"):
            body.unroll(wrong)  # type: ignore[arg-type]


@given(graphs())
def test_a_round_trip_through_networkx_gives_the_same_graph(graph: STGraph):
    assert STGraph.from_networkx(graph.to_networkx()) == graph


def test_networkx_keeps_every_field(body: STGraph):
    assert STGraph.from_networkx(body.to_networkx()) == body
    assert body.to_networkx().nodes["neck"]["pos"] == (0.0, 1.0)


@given(graphs())
def test_a_round_trip_through_scipy_and_a_dense_matrix_gives_the_same_edges(graph: STGraph):
    bare = STGraph(graph.nodes, graph.edges, graph.weight, directed=graph.directed)
    matrix = graph.to_scipy()
    np.testing.assert_array_equal(matrix.toarray(), dense(graph))
    for each in (matrix, matrix.toarray(), matrix.tocoo()):
        with warnings.catch_warnings():
            # Of nodes without an edge, and of negative weights.
            warnings.simplefilter("ignore", UserWarning)
            again = STGraph.from_adjacency(each, graph.nodes, directed=graph.directed)
        assert again == bare


with_dgl = pytest.mark.skipif(not dgl_installed(), reason="DGL has no wheel for this Python or system")


@with_dgl
@given(graphs())
def test_to_dgl_has_the_same_edges(graph: STGraph):
    exported = graph.to_dgl()
    assert exported.num_nodes() == len(graph)
    matrix = np.zeros((len(graph), len(graph)))
    source, target = (ends.numpy() for ends in exported.edges())
    np.add.at(matrix, (source, target), exported.edata["weight"].numpy())
    np.testing.assert_array_equal(matrix, dense(graph))


# PyTorch Geometric's own, on Python 3.13, as it is imported.
@pytest.mark.filterwarnings("ignore:Failing to pass a value to the 'type_params' parameter:DeprecationWarning")
@pytest.mark.parametrize("directed", [True, False])
def test_to_pyg_is_what_its_layers_take(directed):
    graph = STGraph("abcd", [(0, 1), (2, 1), (3, 2)], [0.5, 2.0, 3.0], directed=directed)
    edge_index, edge_weight = graph.to_pyg()
    dense = torch.zeros(4, 4).index_put((edge_index[0], edge_index[1]), edge_weight, accumulate=True)
    np.testing.assert_array_equal(dense.numpy(), graph.to_scipy().toarray())
    assert (edge_index.dtype, edge_weight.dtype) == (torch.int64, torch.float32)
    geometric = pytest.importorskip("torch_geometric.nn")
    layer = geometric.SimpleConv(aggr="sum")
    x = torch.arange(8.0).view(4, 2)
    torch.testing.assert_close(layer(x, edge_index, edge_weight), dense.T @ x)


def test_to_pyg_of_a_graph_without_edges():
    edge_index, edge_weight = STGraph("ab", []).to_pyg()
    assert (tuple(edge_index.shape), tuple(edge_weight.shape)) == ((2, 0), (0,))


@with_dgl
def test_to_dgl_has_positions(body: STGraph):
    assert body.to_dgl().ndata["position"].tolist() == [[0, 2], [0, 1], [-1, 0], [1, 0]]
    assert "position" not in STGraph("ab", []).to_dgl().ndata


def test_the_graph_of_a_card(tmp_path):
    graph = STGraph.from_card("ntu")
    assert (len(graph), len(graph.edges), graph.center) == (25, 24, "spine shoulder")
    assert np.isfinite(graph.hops()).all()
    with pytest.raises(CardError, match="Did you mean 'ntu'"):
        STGraph.from_card("ntuu")


def test_an_invalid_graph_of_a_card_names_the_card():
    from stexplain.cards import dataset_card

    card = dataset_card("ntu")
    broken = card.model_copy(update={"graph": card.graph.model_copy(update={"center": "spine sholder"})})
    with pytest.raises(InputError, match=r"the graph of the card 'ntu': .*Did you mean 'spine shoulder'\?"):
        STGraph.from_card(broken)
