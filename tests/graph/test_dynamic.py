import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.graph.dynamic import DynamicGraph
from tests.graph.drawn_graphs import dense
from tests.properties.examples import EXAMPLES

# Graphs are drawn at random, and some are made so: what is named of them is held by test_notices.
pytestmark = [
    pytest.mark.filterwarnings("ignore:graph. got .* without an edge"),
    pytest.mark.filterwarnings("ignore:graph. .* weights (is|are) negative"),
]

WEIGHT = [[1.0, 0.0, 3.0], [0.5, 2.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]


@pytest.fixture
def dynamic() -> DynamicGraph:
    return DynamicGraph(STGraph("abcd", [(0, 1), (1, 2), (3, 2)], center="b"), WEIGHT)


def test_every_frame_is_a_graph(dynamic: DynamicGraph):
    assert dynamic.frames == 4
    assert dynamic.at(0) == STGraph("abcd", [(0, 1), (3, 2)], [1.0, 3.0], center="b")
    assert dynamic.at(2) == STGraph("abcd", [], center="b")
    with pytest.raises(InputError, match="frame: got 4; expected 0 to 3"):
        dynamic.at(4)


@pytest.mark.parametrize(
    "strategy", ["uniform", "distance", "spatial", "spatial-stgcn2018", "random_walk", "chebyshev"]
)
def test_relations_are_those_of_each_frame(dynamic: DynamicGraph, strategy: str):
    relations = dynamic.relations(strategy)
    matrices = relations.matrices(4)
    assert matrices.shape == (4, len(relations), 4, 4)
    for frame in range(4):
        np.testing.assert_allclose(matrices[frame], dynamic.at(frame).relations(strategy).matrices(4), atol=1e-12)


@settings(max_examples=EXAMPLES or 30)
@given(st.lists(st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=3, max_size=3), min_size=1, max_size=4))
def test_snapshots_and_frames_are_inverse(weight: list[list[float]]):
    dynamic = DynamicGraph(STGraph("abc", [(0, 1), (1, 2), (2, 0)]), weight)
    assert DynamicGraph.from_snapshots([dynamic.at(frame) for frame in range(len(weight))]) == dynamic


def test_the_product_graph_has_the_edges_of_each_frame(dynamic: DynamicGraph):
    matrix = dynamic.unroll(temporal_weight=2.0).to_scipy().toarray()
    for frame in range(4):
        rows = slice(4 * frame, 4 * frame + 4)
        np.testing.assert_array_equal(matrix[rows, rows], dense(dynamic.at(frame)))
        if frame:
            np.testing.assert_array_equal(matrix[rows, 4 * frame - 4 : 4 * frame], 2 * np.eye(4))


def test_equality_ignores_edges_that_are_never_present():
    more = DynamicGraph(STGraph("abc", [(0, 1), (1, 2)]), [[1.0, 0.0]])
    less = DynamicGraph(STGraph("abc", [(1, 0)]), [[1.0]])
    assert more == less
    assert hash(more) == hash(less)
    assert more != DynamicGraph(STGraph("abc", [(1, 0)]), [[2.0]])
    assert more != "graph"


def test_wrong_arguments_are_refused():
    graph = STGraph("abc", [(0, 1), (1, 2)])
    with pytest.raises(InputError, match=r"weight has shape \(2,\); expected \[T, 2 edges\]"):
        DynamicGraph(graph, [1.0, 2.0])
    with pytest.raises(InputError, match=r"weight has shape \(0, 2\)"):
        DynamicGraph(graph, np.zeros((0, 2)))
    with pytest.raises(InputError, match="weight at frame 1, edge 0: got NaN"):
        DynamicGraph(graph, [[1, 1], [np.nan, 1]])
    with pytest.raises(InputError, match="graphs: got none"):
        DynamicGraph.from_snapshots([])
    with pytest.raises(InputError, match="graphs: frame 1 has other nodes"):
        DynamicGraph.from_snapshots([graph, STGraph("abd", [])])


def test_it_is_immutable(dynamic: DynamicGraph):
    with pytest.raises(ValueError, match="read-only"):
        dynamic.weight[0, 0] = 9
    with pytest.raises(AttributeError):
        dynamic.graph = dynamic.at(0)  # type: ignore[misc]
