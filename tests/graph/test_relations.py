import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stexplain.backend.aggregation import aggregate
from stexplain.backend.topology import Topology
from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.graph.relations import Relations
from stexplain.graph.strategies import STRATEGIES
from tests.graph.drawn_graphs import dense, graphs
from tests.reference import graphs as reference

# Graphs are drawn at random, and some are made so: what is named of them is held by test_notices.
pytestmark = [
    pytest.mark.filterwarnings("ignore:graph. got .* without an edge"),
    pytest.mark.filterwarnings("ignore:graph. .* weights (is|are) negative"),
]


def assert_equal(relations: Relations, expected: list[np.ndarray]) -> None:
    np.testing.assert_allclose(relations.matrices(len(expected[0])), np.stack(expected), rtol=0, atol=1e-12)


@given(graphs(directed=False))
def test_uniform_is_the_symmetric_normalisation(graph: STGraph):
    assert_equal(graph.relations("uniform"), reference.uniform_relations(dense(graph)))


@given(graphs(directed=True))
def test_uniform_in_a_directed_graph_divides_by_outgoing_and_incoming_weights(graph: STGraph):
    own = dense(graph) + np.eye(len(graph))
    expected = own / np.sqrt(np.outer(own.sum(axis=1), own.sum(axis=0)))
    assert_equal(graph.relations("uniform"), [expected])


@given(graphs(weighted=False), st.integers(0, 3))
def test_distance_and_spatial_equal_the_paper(graph: STGraph, max_hop: int):
    center = graph.index(graph.center or "")
    assert_equal(graph.relations("distance", max_hop=max_hop), reference.hop_relations(dense(graph), max_hop))
    for strategy, truncate in (("spatial", False), ("spatial-stgcn2018", True)):
        expected = reference.spatial_relations(dense(graph), center, max_hop, truncate)
        assert_equal(graph.relations(strategy, max_hop=max_hop), expected)


@given(graphs())
def test_weights_enter_distance_and_spatial(graph: STGraph):
    center = graph.index(graph.center or "")
    assert_equal(graph.relations("distance"), reference.hop_relations(dense(graph), 1))
    assert_equal(graph.relations("spatial"), reference.spatial_relations(dense(graph), center))


@given(graphs(), st.integers(0, 3))
def test_random_walk_equals_the_paper(graph: STGraph, steps: int):
    expected = reference.walk_relations(dense(graph), steps, graph.directed)
    assert_equal(graph.relations("random_walk", steps=steps), expected)


@given(graphs(directed=False), st.integers(1, 5))
def test_chebyshev_is_the_cosine_over_the_spectrum(graph: STGraph, order: int):
    expected = reference.chebyshev_relations(dense(graph), order)
    got = graph.relations("chebyshev", order=order).matrices(len(graph))
    np.testing.assert_allclose(got, np.stack(expected), rtol=0, atol=1e-6)  # arccos loses half of the digits at 1


def test_chebyshev_terms_of_two_nodes_by_hand():
    # L = [[1, -1], [-1, 1]] has the eigenvalues 0 and 2: L~ = L - I swaps the nodes' signs, and T_2 = 2 L~^2 - I = I.
    terms = STGraph("ab", [(0, 1)]).relations("chebyshev", order=3).matrices(2)
    np.testing.assert_allclose(terms, [np.eye(2), [[0, -1], [-1, 0]], np.eye(2)], atol=1e-12)


def test_chebyshev_of_a_large_graph_takes_the_sparse_eigenvalue():
    # A ring of even length is bipartite: its largest eigenvalue is exactly 2.
    ring = STGraph(map(str, range(1002)), [(node, (node + 1) % 1002) for node in range(1002)])
    exact = ring.relations("chebyshev", order=2, largest=2.0)
    ours = ring.relations("chebyshev", order=2)
    by_edge = {(s, t): w for s, t, w in zip(exact.source[1], exact.target[1], exact.weight[1], strict=True)}
    for s, t, w in zip(ours.source[1], ours.target[1], ours.weight[1], strict=True):
        assert abs(by_edge.get((s, t), 0.0) - w) < 1e-8


def test_the_skeleton_of_ntu_has_25_24_24_edges_and_25_40_8_as_released():
    graph = STGraph.from_card("ntu")
    assert graph.index(graph.center or "") == 20
    for strategy, counts in (("spatial", (25, 24, 24)), ("spatial-stgcn2018", (25, 40, 8))):
        relations = graph.relations(strategy)
        assert tuple(map(len, relations.source)) == counts
        assert relations.edges == 73
        assert relations.names == ("root", "centripetal", "centrifugal")
        # Normalised over all subsets together: the weights into a node sum to one.
        np.testing.assert_allclose(relations.matrices(25).sum(axis=(0, 1)), np.ones(25), atol=1e-12)
    np.testing.assert_allclose(
        graph.relations("spatial").matrices(25).sum(axis=0),
        graph.relations("spatial-stgcn2018").matrices(25).sum(axis=0),
    )


def test_centripetal_messages_flow_towards_the_centre():
    graph = STGraph(["hip", "knee", "foot"], [(1, 0), (1, 2)], center="hip")
    root, centripetal, centrifugal = graph.relations("spatial").matrices(3)
    np.testing.assert_allclose(np.diag(root), [1 / 2, 1 / 3, 1 / 2])
    assert {(s, t) for s, t in np.argwhere(centripetal).tolist()} == {(1, 0), (2, 1)}
    assert {(s, t) for s, t in np.argwhere(centrifugal).tolist()} == {(0, 1), (1, 2)}
    assert centripetal[2, 1] == pytest.approx(1 / 3)  # hip, knee and foot send to the knee
    assert centripetal[1, 0] == pytest.approx(1 / 2)


def test_nodes_that_the_centre_does_not_reach_are_equally_far():
    graph = STGraph("abcd", [(0, 1), (2, 3)], center="a")
    relations = graph.relations("spatial")
    assert [len(each) for each in relations.source] == [4, 3, 1]


def test_random_walks_of_a_directed_path_by_hand():
    # a -> b -> c: a receives from b by 'forward', c from b by 'backward'.
    relations = STGraph("abc", [(0, 1), (1, 2)], [5.0, 2.0], directed=True).relations("random_walk", steps=1)
    assert relations.names == ("self", "forward 1", "backward 1")
    _, forward, backward = relations.matrices(3)
    np.testing.assert_allclose(forward, [[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(backward, [[0, 1, 0], [0, 0, 1], [0, 0, 0]])


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_relations_are_permutation_equivariant(strategy: str):
    graph = STGraph.from_card("ntu")
    order = np.random.default_rng(0).permutation(25)
    moved = graph.permute(order.tolist()).relations(strategy).matrices(25)
    np.testing.assert_allclose(moved, graph.relations(strategy).matrices(25)[:, order][:, :, order], atol=1e-12)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_relations_do_not_depend_on_the_order_and_direction_of_undirected_edges(strategy: str):
    graph = STGraph.from_card("ntu")
    order = np.random.default_rng(0).permutation(24)
    turned = STGraph(graph.nodes, graph.edges[order][:, ::-1], center=graph.center)
    ours, theirs = graph.relations(strategy), turned.relations(strategy)
    for k in range(len(ours)):
        assert ours.source[k].tolist() == theirs.source[k].tolist()
        assert ours.target[k].tolist() == theirs.target[k].tolist()
        np.testing.assert_allclose(ours.weight[k], theirs.weight[k], atol=1e-14)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_message_passing_over_relations_is_the_product_with_their_matrices(strategy: str):
    graph = STGraph.from_card("ntu")
    relations = graph.relations(strategy)
    x = torch.randn(25, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for k, matrix in enumerate(relations.matrices(25)):
        topology = Topology(relations.source[k], relations.target[k], 25, 25)
        out = aggregate(topology, x, torch.tensor(relations.weight[k]))
        torch.testing.assert_close(out, torch.tensor(matrix).t() @ x, rtol=0, atol=1e-12)


def test_an_own_strategy():
    graph = STGraph("abc", [(0, 1), (1, 2)], [0.5, 2.0])
    scaled = graph.relations(lambda graph, factor: {"scaled": factor * graph.to_scipy()}, factor=3.0)
    assert scaled.names == ("scaled",)
    np.testing.assert_allclose(scaled.matrices(3)[0], 3 * graph.to_scipy().toarray())
    assert len(graph.relations(lambda graph: np.ones((2, 3, 3)))) == 2
    ready = graph.relations("uniform")
    assert graph.relations(lambda graph: ready) is ready


def test_an_own_strategy_with_a_wrong_result_is_refused():
    graph = STGraph("abc", [(0, 1)])
    with pytest.raises(InputError, match="got edges of node 3; the graph has 3 nodes"):
        graph.relations(lambda graph: [np.ones((4, 4))])
    with pytest.raises(InputError, match=r"returns csr_array; expected .* \[matrix\]"):
        graph.relations(lambda graph: graph.to_scipy())
    with pytest.raises(InputError, match=r"got shapes \(2, 3\); expected matrices of one shape \[N, N\]"):
        graph.relations(lambda graph: [np.ones((2, 3))])
    with pytest.raises(InputError, match="got shapes none"):
        graph.relations(lambda graph: [])
    with pytest.raises(InputError, match=r"relation '0' has weights that are NaN"):
        graph.relations(lambda graph: [np.full((3, 3), np.nan)])


def test_wrong_calls_name_the_argument():
    graph = STGraph("abc", [(0, 1)])
    with pytest.raises(InputError, match=r"unknown relation strategy 'spatal'. Did you mean 'spatial'\?"):
        graph.relations("spatal")
    with pytest.raises(InputError, match=r"unknown option of the relation strategy 'spatial' 'max_hops'. .*'max_hop'"):
        graph.relations("spatial", max_hops=2)
    with pytest.raises(InputError, match="without a centre"):
        graph.relations("spatial")
    with pytest.raises(InputError, match="max_hop: got -1"):
        graph.relations("distance", max_hop=-1)
    with pytest.raises(InputError, match="order: got 0; expected an integer of at least 1"):
        graph.relations("chebyshev", order=0)
    with pytest.raises(InputError, match="largest: got 0"):
        graph.relations("chebyshev", largest=0)
    with pytest.raises(InputError, match=r"got a directed graph; expected an undirected one. Use graph.undirected\(\)"):
        STGraph("ab", [(0, 1)], directed=True).relations("chebyshev")
    with pytest.raises(InputError, match="weights other than 1"):
        STGraph("ab", [(0, 1)], [0.5]).relations("distance", max_hop=2)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_negative_weights_cannot_be_normalised(strategy: str):
    with pytest.raises(InputError, match="weight: got -1.0; expected at least 0"):
        STGraph("ab", [(0, 1)], [-1.0], center="a").relations(strategy)


def test_relations_are_immutable_and_complete():
    relations = STGraph("ab", [(0, 1)]).relations("uniform")
    with pytest.raises(ValueError, match="read-only"):
        relations.weight[0][0] = 1
    with pytest.raises(InputError, match="got 1 names, 2 sources"):
        Relations(("a",), (np.zeros(1, np.int64),) * 2, (), ())
    with pytest.raises(InputError, match=r"relation 'a': got \(2,\) sources"):
        Relations(("a",), (np.zeros(2, np.int64),), (np.zeros(2, np.int64),), (np.zeros(3),))


@pytest.mark.parametrize(
    ("hops", "names"),
    [
        (1, ("root", "centripetal", "centrifugal")),
        (2, ("root", "centripetal 1", "centrifugal 1", "centripetal 2", "centrifugal 2")),
    ],
)
def test_relations_of_several_hops_are_named_by_their_hop(hops, names):
    path = STGraph("abc", [(0, 1), (1, 2)], center="a")
    relations = path.relations("spatial", max_hop=hops)
    assert relations.names == names
    if hops == 2:
        assert list(zip(relations.source[3].tolist(), relations.target[3].tolist(), strict=True)) == [(2, 0)]
        assert list(zip(relations.source[4].tolist(), relations.target[4].tolist(), strict=True)) == [(0, 2)]
