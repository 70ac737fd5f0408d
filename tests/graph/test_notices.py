"""Self loops, nodes without an edge and negative weights: each named once, where it enters, whatever holds it."""

import pickle
import re
import warnings

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.graph.dynamic import DynamicGraph
from stexplain.graph.skeletons.skeleton import skeleton_names

# From a to b, 0.5, and from b to c, -2; d has no edge. A loop at c where a matrix can say it.
NAMES = ["a", "b", "c", "d"]
EDGES, WEIGHT = [("a", "b"), ("b", "c")], [0.5, -2.0]
LOOP = "self loops were excluded, of one node ('c'): relations add their own."
LONELY = "got one node without an edge ('d'): it is kept, and exchanges nothing with others."
NEGATIVE = "1 of 2 weights is negative, such as that of 'b' - 'c', -2: they are kept"


def matrix():
    values = np.zeros((4, 4))
    values[0, 1], values[1, 2], values[2, 2] = 0.5, -2.0, 7.0
    return values


def in_networkx():
    graph = nx.DiGraph()
    graph.add_nodes_from(NAMES)
    graph.add_weighted_edges_from([(*pair, weight) for pair, weight in zip(EDGES, WEIGHT, strict=True)])
    return STGraph.from_networkx(graph)


def table():
    return pd.DataFrame(EDGES, columns=["source", "target"]).assign(weight=WEIGHT)


WAYS = {
    "STGraph": lambda: STGraph(NAMES, [(0, 1), (1, 2)], WEIGHT, directed=True),
    "from_edges": lambda: STGraph.from_edges(NAMES, EDGES, WEIGHT, directed=True),
    "from_edges, table": lambda: STGraph.from_edges(NAMES, table(), directed=True),
    "from_pandas": lambda: STGraph.from_pandas(table(), NAMES, directed=True),
    "from_networkx": in_networkx,
    "array": lambda: STGraph.from_adjacency(matrix(), NAMES),
    "list": lambda: STGraph.from_adjacency(matrix().tolist(), NAMES),
    "table": lambda: STGraph.from_adjacency(pd.DataFrame(matrix(), NAMES, NAMES)),
    "sparse": lambda: STGraph.from_adjacency(sp.csr_array(matrix()), NAMES),
    "tensor": lambda: STGraph.from_adjacency(torch.tensor(matrix()), NAMES),
    "sparse tensor": lambda: STGraph.from_adjacency(torch.tensor(matrix()).to_sparse(), NAMES),
}
MATRICES = ("array", "list", "table", "sparse", "tensor", "sparse tensor")


def named(make):
    """A graph, and what was said of it, without the word in front."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        graph = make()
    return graph, [str(one.message).removeprefix("graph: ") for one in caught]


@pytest.mark.parametrize("way", WAYS)
def test_each_is_named_once_with_its_name(way):
    graph, said = named(WAYS[way])
    expected = [LOOP, LONELY, NEGATIVE] if way in MATRICES else [LONELY, NEGATIVE]
    assert len(said) == len(expected)
    assert all(one.startswith(each) for one, each in zip(said, expected, strict=True))
    # What is done about it: loops are left out, the rest is kept.
    assert graph.edges.tolist() == [[0, 1], [1, 2]]
    assert graph.weight.tolist() == WEIGHT
    assert graph.nodes == tuple(NAMES)


def test_a_table_in_another_order_names_the_same_nodes():
    _, said = named(lambda: STGraph.from_adjacency(pd.DataFrame(matrix(), NAMES, NAMES), ["d", "c", "b", "a"]))
    assert [re.split(r",| \(", one)[0] for one in said[:2]] == [
        "self loops were excluded",
        "got one node without an edge",
    ]
    assert "('c')" in said[0]
    assert "('d')" in said[1]


@pytest.mark.parametrize(
    "make",
    [
        lambda: STGraph(NAMES, [(0, 1), (1, 1)]),
        lambda: STGraph.from_edges(NAMES, [("a", "b"), ("b", "b")]),
        lambda: STGraph.from_pandas(pd.DataFrame({"from": ["a", "b"], "to": ["b", "b"]})),
        lambda: STGraph.from_networkx(nx.Graph([("a", "b"), ("b", "b")])),
    ],
)
def test_a_list_of_edges_has_no_loop(make):
    with pytest.raises(InputError, match="'b'.*self loop"):
        make()


def far(size=3):
    """Distances of nodes in a line, from the last to itself 5."""
    distances = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(float)
    distances[-1, -1] = 5
    return distances


def long_table(distances):
    ends = [(f"s{i}", f"s{j}", d) for (i, j), d in np.ndenumerate(distances)]
    return pd.DataFrame(ends, columns=["from", "to", "cost"])


@pytest.mark.parametrize(
    ("distances", "where"),
    [
        (far(), r"at \[2, 2\]"),
        (sp.coo_array(far()), r"at \[2, 2\]"),
        (torch.tensor(far()), r"at \[2, 2\]"),
        (torch.tensor(far()).to_sparse(), r"at \[2, 2\]"),
        (long_table(far()), "of 's2'"),
        (pd.DataFrame(far(), list("abc"), list("abc")), "of 'c'"),
    ],
    ids=["array", "sparse", "tensor", "sparse tensor", "long table", "table"],
)
def test_a_distance_of_a_node_to_itself_is_refused_in_every_form(distances, where):
    with pytest.raises(InputError, match=rf"distances {where}: got 5 from a node to itself; expected 0"):
        STGraph.from_distances(distances, sigma=1.0)


def test_a_node_at_no_distance_from_itself_is_no_loop():
    distances = far()
    distances[-1, -1] = 0
    # Sparse matrices store no zeros; a table need not list a node with itself.
    for each in (distances, sp.coo_array(distances), long_table(distances), long_table(distances).query("cost > 0")):
        graph, said = named(lambda each=each: STGraph.from_distances(each, sigma=1.0))
        assert not said
        assert len(graph.edges) == 2


def test_nodes_that_are_too_far_or_uncorrelated_are_named():
    distances = np.array([[0.0, 1.0, 99.0], [1.0, 0.0, 99.0], [99.0, 99.0, 0.0]])
    assert named(lambda: STGraph.from_distances(distances, "abc", sigma=1.0))[1] == [LONELY.replace("'d'", "'c'")]
    points = [(0.0, 0.0), (1.0, 0.0), (99.0, 0.0)]
    near = {"nearest": 1, "sigma": 1.0, "threshold": 0.1}
    assert named(lambda: STGraph.from_coordinates(points, "abc", **near))[1] == [LONELY.replace("'d'", "'c'")]
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 500))
    values = np.stack([a, a + 0.1 * b, c, -a], 1)
    _, said = named(lambda: STGraph.from_correlation(values, NAMES, threshold=0.5, negative="drop"))
    assert said == [
        "2 correlations are negative and as strong as those that are edges: excluded. negative='absolute' counts their "
        "size.",
        "got 2 nodes without an edge ('c', 'd'): they are kept, and exchange nothing with others.",
    ]


def test_what_is_made_of_a_graph_says_nothing_again():
    graph, _ = named(WAYS["STGraph"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert STGraph.from_dict(graph.to_dict()) == pickle.loads(pickle.dumps(graph)) == graph
        assert graph.permute([3, 2, 1, 0]).permute([3, 2, 1, 0]) == graph
        assert len(graph.subgraph(["a", "d"]).edges) == 0
        assert len(graph.undirected().edges) == 2
        assert len(graph.unroll(2)) == 8
        assert DynamicGraph.from_snapshots([graph, graph]).at(1) == graph


def test_new_weights_are_named_where_they_enter():
    graph = STGraph.from_edges("abc", EDGES)
    assert named(lambda: graph.with_weight(WEIGHT))[1] == named(WAYS["STGraph"])[1][1:]
    _, said = named(lambda: DynamicGraph(graph, [[1.0, 0.5], [-3.0, 0.5]]))
    assert said[0].startswith("1 of 2 weights is negative, such as that of 'a' - 'b', -3")
    assert len(said) == 1


@pytest.mark.parametrize("name", skeleton_names())
def test_skeletons_are_whole(name):
    assert named(lambda: STGraph.skeleton(name))[1] == []


def test_fewer_names_than_rows_are_refused():
    with pytest.raises(InputError, match="nodes: got 2 names; expected 3, one for each row"):
        STGraph.from_adjacency(np.eye(3), ["a", "b"])
