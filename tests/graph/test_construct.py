import os
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.graph.coordinates import distance_between
from tests.reference import graphs as reference


def test_from_edges_takes_names_indices_and_tables():
    expected = STGraph("abc", [(0, 1), (2, 1)], [1.0, 0.5], center="a")
    assert STGraph.from_edges("abc", [("a", "b"), ("c", "b")], [1.0, 0.5], center="a") == expected
    assert STGraph.from_edges("abc", [(0, 1), (2, 1)], [1.0, 0.5], center="a") == expected
    assert STGraph.from_edges("abc", np.array([[0, 1], [2, 1]]), [1.0, 0.5], center="a") == expected
    table = pd.DataFrame({"from": ["a", "c"], "to": ["b", "b"], "weight": [1.0, 0.5]})
    assert STGraph.from_edges("abc", table, center="a") == expected
    assert STGraph.from_edges("abc", table, [2, 2]).weight.tolist() == [2, 2]
    assert STGraph.from_edges("abc", table[["from", "to"]]).weight.tolist() == [1, 1]


def test_from_edges_refuses_wrong_edges():
    with pytest.raises(InputError, match=r"unknown node 'shoulde'. Did you mean 'shoulder'\?"):
        STGraph.from_edges(["shoulder", "hip"], [("shoulde", "hip")])
    with pytest.raises(InputError, match=r"edges: got \('a', 'b', 'c'\) with 3 ends"):
        STGraph.from_edges("abc", [("a", "b", "c")])
    with pytest.raises(InputError, match=r"edge 0: got \(0, 5\)"):
        STGraph.from_edges("abc", [(0, 5)])


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, sp.csr_matrix, sp.coo_array, sp.csc_matrix, list])
def test_from_adjacency_takes_dense_and_sparse_matrices(kind):
    with pytest.warns(UserWarning, match=r"self loops were excluded, of 2 nodes \('0', '1'\)"):
        graph = STGraph.from_adjacency(kind([[1.0, 0.5, 0.0], [0.5, 1.0, 2.0], [0.0, 2.0, 0.0]]))
    assert graph == STGraph("012", [(0, 1), (1, 2)], [0.5, 2.0])


def test_from_adjacency_is_directed_where_the_matrix_is_not_symmetric():
    asymmetric = [[0, 1], [0, 0]]
    assert STGraph.from_adjacency(asymmetric).directed
    assert not STGraph.from_adjacency([[0, 1], [1, 0]]).directed
    both = STGraph.from_adjacency([[0, 1], [1, 0]], "ab", directed=True)
    assert both == STGraph("ab", [(0, 1), (1, 0)], directed=True)
    with pytest.raises(InputError, match=r"not symmetric: \[0, 1\] is 1.0 and \[1, 0\] is 0.0"):
        STGraph.from_adjacency(asymmetric, directed=False)


def test_from_adjacency_takes_booleans_and_integers_and_sums_duplicates():
    assert STGraph.from_adjacency(np.array([[False, True], [True, False]])).weight.tolist() == [1.0]
    twice = sp.coo_array(([1, 2, 3], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    assert STGraph.from_adjacency(twice, "ab") == STGraph("ab", [(0, 1)], [3.0])


def test_from_adjacency_refuses_wrong_matrices():
    with pytest.raises(InputError, match=r"matrix has shape \(2, 3\); expected \[N, N\]"):
        STGraph.from_adjacency(np.ones((2, 3)))
    with pytest.raises(InputError, match=r"matrix at \[0, 1\]: got nan; expected a finite number"):
        STGraph.from_adjacency([[0, np.nan], [0, 0]])
    with pytest.raises(InputError, match="got a str without numbers"):
        STGraph.from_adjacency("ab")
    with pytest.raises(InputError, match=r"got 'a' twice"):
        STGraph.from_adjacency(np.ones((2, 2)), ["a", "a"])


def test_from_distances_is_the_gaussian_kernel():
    # As DCRNN: sigma is the standard deviation of all finite distances, weights below 0.1 are dropped.
    distances = np.array([[0.0, 1.0, np.inf], [2.0, 0.0, 6.0], [1.5, np.inf, 0.0]])
    sigma = np.std([0, 1, 2, 0, 6, 1.5, 0])
    graph = STGraph.from_distances(distances, "abc")
    assert graph.directed
    assert graph.edges.tolist() == [[0, 1], [1, 0], [2, 0]]
    np.testing.assert_allclose(graph.weight, np.exp(-(np.array([1.0, 2.0, 1.5]) ** 2) / sigma**2))
    assert np.exp(-((6 / sigma) ** 2)) < 0.1
    everything = STGraph.from_distances(distances, "abc", threshold=0.0)
    assert everything.edges.tolist() == [[0, 1], [1, 0], [1, 2], [2, 0]]


def test_the_threshold_keeps_a_weight_that_equals_it():
    far = np.array([[0.0, 2.0], [2.0, 0.0]])
    assert len(STGraph.from_distances(far, sigma=2.0, threshold=float(np.exp(-1.0))).edges) == 1
    with pytest.warns(UserWarning, match=r"2 nodes without an edge \('0', '1'\)"):
        assert len(STGraph.from_distances(far, sigma=2.0, threshold=float(np.exp(-1.0)) + 1e-9).edges) == 0


def test_links_of_which_the_kernel_leaves_none_are_refused_with_what_keeps_them():
    """A chain of neighbours at like distances, as a table of links has them: the width is their small deviation."""
    links = pd.DataFrame({"from": list("abc"), "to": list("bcd"), "distance": [2.0, 2.5, 3.0]})
    with pytest.raises(
        InputError, match=r"got 2 to 3, of which none gives an edge.*threshold=0\).*nearest=4, or sigma="
    ):
        STGraph.from_distances(links)
    for remedy in ({"threshold": 0}, {"nearest": 4}, {"sigma": 2.5}):
        assert len(STGraph.from_distances(links, **remedy).edges) == 3


def test_nearest_nodes():
    points = np.array([0.0, 1.0, 3.0, 7.0])
    distances = np.abs(points[:, None] - points)
    graph = STGraph.from_distances(distances, "abcd", sigma=10.0, nearest=1)
    assert graph.edges.tolist() == [[0, 1], [1, 2], [2, 3]]
    assert not graph.directed
    directed = STGraph.from_distances(distances, "abcd", sigma=10.0, nearest=1, directed=True)
    assert {tuple(edge) for edge in directed.edges.tolist()} == {(1, 0), (0, 1), (1, 2), (2, 3)}
    # Under a threshold, a distant node has no edge although it has a nearest node.
    with pytest.warns(UserWarning, match=r"2 nodes without an edge \('c', 'd'\)"):
        near = STGraph.from_distances(distances, "abcd", sigma=1.0, nearest=2, threshold=0.1)
    assert near.edges.tolist() == [[0, 1]]
    assert len(STGraph.from_distances(distances, "abcd", nearest=99).edges) == 6


def test_a_link_that_is_listed_once_is_near_from_both_ends():
    """Each of three has the hub as its nearest, though the hub has but one."""
    links = pd.DataFrame({"from": list("abc"), "to": list("xxx"), "distance": [1.0, 2.0, 3.0]})
    graph = STGraph.from_distances(links, sigma=5.0, nearest=1)
    assert not graph.directed
    named = {frozenset(graph.nodes[end] for end in edge) for edge in graph.edges.tolist()}
    assert named == {frozenset("ax"), frozenset("bx"), frozenset("cx")}
    assert sorted(graph.weight) == pytest.approx(sorted(np.exp(-np.square(np.array([1, 2, 3]) / 5))))
    with pytest.warns(UserWarning, match=r"2 nodes without an edge \('b', 'c'\)"):
        one_way = STGraph.from_distances(links, sigma=5.0, nearest=1, directed=True)
    assert [[one_way.nodes[end] for end in edge] for edge in one_way.edges.tolist()] == [["a", "x"]]


def test_equal_distances_take_the_first_nodes():
    distances = np.ones((4, 4)) - np.eye(4)
    graph = STGraph.from_distances(distances, "abcd", nearest=1, directed=True)
    assert {tuple(edge) for edge in graph.edges.tolist()} == {(1, 0), (0, 1), (0, 2), (0, 3)}


@pytest.mark.parametrize(
    ("distances", "options", "message"),
    [
        (np.ones((2, 3)), {}, r"shape \(2, 3\)"),
        ([[0, -1], [1, 0]], {}, r"distances at \[0, 1\]: got -1.0; expected at least 0"),
        ([[0, np.nan], [1, 0]], {}, "got nan"),
        ([[0, 1], [1, 0]], {"threshold": 1.5}, r"threshold: got 1.5; expected a weight in \[0, 1\]"),
        ([[0, 1], [1, 0]], {"nearest": 0}, "nearest: got 0"),
        ([[0, 1], [1, 0]], {"sigma": 0.0}, "sigma: got 0.0"),
        ([[0, 1], [1, 0]], {"sigma": np.nan}, "sigma: got nan"),
        ([[np.inf, 1], [1, np.inf]], {}, "sigma: got 0.0, as the finite distances are all the same"),
        (np.full((2, 2), np.inf), {}, "sigma: got 0.0"),
        ([[0, 1], [2, 0]], {"directed": False}, "not symmetric"),
    ],
)
def test_from_distances_refuses_wrong_arguments(distances, options: dict, message: str):
    with pytest.raises(InputError, match=message):
        STGraph.from_distances(distances, **options)


def test_from_networkx_takes_attributes_and_order():
    graph = nx.DiGraph(center=7, groups={"g": [5, 7]})
    graph.add_node(7, pos=(0.0, 1.0))
    graph.add_node(5, pos=(1.0, 1.0))
    graph.add_edge(5, 7, weight=2.0)
    graph.add_edge(7, 5)
    expected = STGraph(
        ["7", "5"],
        [(1, 0), (0, 1)],
        [2.0, 1.0],
        groups={"g": ["5", "7"]},
        positions=[(0, 1), (1, 1)],
        center="7",
        directed=True,
    )
    assert STGraph.from_networkx(graph) == expected
    assert STGraph.from_networkx(nx.path_graph(3)).weight.tolist() == [1, 1]
    with pytest.raises(InputError, match="unknown attribute of edges"):
        STGraph.from_networkx(nx.path_graph(3), weight="length")


def test_from_networkx_refuses_parallel_edges_loops_and_other_things():
    with pytest.raises(InputError, match="more than once"):
        STGraph.from_networkx(nx.MultiGraph([(0, 1), (0, 1)]))
    with pytest.raises(InputError, match="got a self loop of '0'"):
        STGraph.from_networkx(nx.Graph([(0, 0)]))
    with pytest.raises(InputError, match="graph: got a dict; expected a networkx"):
        STGraph.from_networkx({})
    partly = nx.path_graph(2)
    partly.nodes[0]["pos"] = (0, 0)
    with pytest.raises(InputError, match="positions: '1' missing"):
        STGraph.from_networkx(partly)
    both = nx.Graph()
    both.add_nodes_from([1, "1"])
    with pytest.raises(InputError, match="got '1' twice"):
        STGraph.from_networkx(both)


def test_from_coordinates_joins_the_nearest():
    points = [(0.0, 0.0), (3.0, 4.0), (3.0, 5.0), (9.0, 9.0)]
    graph = STGraph.from_coordinates(points, "abcd", nearest=1, sigma=5.0)
    assert graph.edges.tolist() == [[0, 1], [1, 2], [2, 3]]
    np.testing.assert_allclose(graph.weight, np.exp(-(np.array([5.0, 1.0, np.hypot(6, 4)]) ** 2) / 25))
    np.testing.assert_array_equal(graph.positions, points)
    assert len(STGraph.from_coordinates(points, nearest=3).edges) == 6
    with pytest.raises(InputError, match=r"coordinates has shape \(4,\); expected \[N, 2\]"):
        STGraph.from_coordinates([0, 1, 2, 3])
    with pytest.raises(InputError, match=r"coordinates of node 1: got \[0.0, nan\]"):
        STGraph.from_coordinates([(0, 0), (0, np.nan)])


def test_distances_on_the_globe_are_metres():
    # A degree of a great circle is a 360th of the circumference, at the equator and along every meridian.
    degree = 2 * np.pi * 6_371_008.8 / 360
    points = np.array([(0, 0), (1, 0), (0, 90), (1, 90), (180, 0), (-118, 34), (-118, 35)])
    metres = distance_between(points[:, None], points, geographic=True)
    np.testing.assert_allclose(metres[0, 1], degree)
    np.testing.assert_allclose(metres[0, 2], 90 * degree)
    np.testing.assert_allclose(metres[2, 3], 0, atol=1e-6)
    np.testing.assert_allclose(metres[0, 4], 180 * degree)
    np.testing.assert_allclose(metres[5, 6], degree)
    np.testing.assert_array_equal(metres, metres.T)
    # Nearest in metres: at 60 degrees north a degree of longitude is half a degree of latitude.
    north = STGraph.from_coordinates(
        [(10, 60), (11, 60), (10, 60.7)], nearest=1, geographic=True, directed=True, sigma=degree
    )
    assert [1, 0] in north.edges.tolist()
    with pytest.raises(InputError, match="got longitude 34.0 and latitude -118.0; expected degrees, the"):
        STGraph.from_coordinates([(34.0, -118.0), (35.0, -118.0)], geographic=True)


def test_from_pandas_takes_ids_as_names():
    table = pd.DataFrame({"from": [7, 5], "to": [5, 9], "cost": [2.0, 0.5]})
    with pytest.warns(UserWarning, match="'cost' is taken for weights"):
        graph = STGraph.from_pandas(table, [9, 7, 5], weight="cost", directed=True)
    assert graph == STGraph(["9", "7", "5"], [(1, 2), (2, 0)], [2.0, 0.5], directed=True)
    table = table.rename(columns={"cost": "lanes"}).astype({"lanes": str})
    assert STGraph.from_pandas(table).weight.tolist() == [1, 1]
    swapped = STGraph.from_pandas(table, source="to", target="from", directed=True)
    assert swapped.nodes == ("5", "9", "7")
    with pytest.raises(InputError, match=r"unknown column 'lane'. Did you mean 'lanes'\?"):
        STGraph.from_pandas(table, weight="lane")
    with pytest.raises(InputError, match=r"unknown node \(in the table of edges\) '9'"):
        STGraph.from_pandas(table, ["7", "5"])
    with pytest.raises(InputError, match="at least two"):
        STGraph.from_pandas(table[["from"]])


def test_the_kernel_is_that_of_dcrnn():
    # scripts/gen_adj_mx.py of DCRNN: a matrix of infinities, filled by the rows of the distance file (which has a
    # sensor's distance to itself), normalised by the standard deviation of all finite entries; weights below 0.1 are
    # dropped.
    rng = np.random.default_rng(0)
    rows = [(i, j, 0.0 if i == j else rng.uniform(100, 9000)) for i in range(6) for j in range(6) if rng.random() < 0.7]
    rows += [(i, i, 0.0) for i in range(6) if (i, i, 0.0) not in rows]
    matrix = np.full((6, 6), np.inf)
    for i, j, d in rows:
        matrix[i, j] = d
    expected = np.exp(-np.square(matrix / matrix[~np.isinf(matrix)].flatten().std()))
    expected[expected < 0.1] = 0
    ours = STGraph.from_distances(matrix, directed=True).to_scipy().toarray()
    np.testing.assert_allclose(ours, expected - np.diag(np.diag(expected)))


REAL = os.environ.get("STEXPLAIN_REAL_DATA")


# A sensor of this network has no neighbour, which is said.
@pytest.mark.filterwarnings("ignore:graph. got .* without an edge")
@pytest.mark.skipif(REAL is None, reason="STEXPLAIN_REAL_DATA names no folder of real data")
def test_a_real_road_network():
    matrix = np.loadtxt(Path(REAL or "") / "los-loop" / "los_adj.csv", delimiter=",")
    with pytest.warns(UserWarning, match="self loops were excluded, of 207 nodes"):
        graph = STGraph.from_adjacency(matrix)
    assert len(graph) == 207
    assert not graph.directed
    off = matrix * (1 - np.eye(207))
    assert 2 * len(graph.edges) == np.count_nonzero(off)
    np.testing.assert_array_equal(graph.to_scipy().toarray(), off)
    np.testing.assert_allclose(graph.relations("uniform").matrices(207)[0], reference.uniform_relations(off)[0])
    expected = np.stack(reference.walk_relations(off, 2, directed=False))
    np.testing.assert_allclose(graph.relations("random_walk").matrices(207), expected, atol=1e-12)
    expected = np.stack(reference.chebyshev_relations(off, 3))
    np.testing.assert_allclose(graph.relations("chebyshev").matrices(207), expected, atol=1e-6)


def test_a_skeleton_by_name_is_that_of_the_recordings_it_made():
    graph = STGraph.skeleton("kinect-v2")
    # Positions and groups count too: the card of the recordings declares the same sensor.
    assert graph == STGraph.from_card("ntu")
    assert graph.center == "spine shoulder"
    assert len(graph.groups["left arm"]) == 6
    with pytest.raises(InputError, match=r"unknown skeleton 'kinect_v2'. Did you mean 'kinect-v2'\?"):
        STGraph.skeleton("kinect_v2")


def test_a_first_pair_that_was_read_as_a_header_is_not_lost(tmp_path):
    # As DCRNN's file of distances: no header.
    pairs = ["400001,400017,1000.5", "400017,400030,800.0", "400030,400001,300.0", "400001,400030,310.0", "7,400030,9"]
    for count in (3, 4, 5):
        # Three rows stay of four: as many as there are columns.
        (tmp_path / "d.csv").write_text("\n".join(pairs[:count]) + "\n")
        with pytest.raises(InputError, match="the first row was read as a header"):
            STGraph.from_distances(pd.read_csv(tmp_path / "d.csv"))
    graph = STGraph.from_distances(pd.read_csv(tmp_path / "d.csv", header=None), threshold=0.0)
    assert len(graph.edges) == 5
    assert graph.nodes == ("400001", "400017", "400030", "7")
    # Columns that were counted and written are names.
    counted = pd.DataFrame([["a", "b", 1.0], ["b", "c", 2.0]], columns=["0", "1", "2"])
    assert len(STGraph.from_distances(counted, threshold=0.0).edges) == 2
