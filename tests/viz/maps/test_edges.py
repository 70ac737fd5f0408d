import numpy as np
import pytest

from stexplain.errors import InputError
from stexplain.explainers.edge_explanation import EdgeExplanation, EdgeFrames
from stexplain.graph import STGraph
from stexplain.viz import edge_network, edge_timeline
from stexplain.viz.maps.layout import _layout, drawing_positions
from tests.viz.drawing import drawn, marks, records, words

GRAPH = STGraph.from_edges(list("abcd"), [("a", "b"), ("b", "c"), ("c", "d")])


def explained() -> EdgeExplanation:
    """Two blocks: edges a to b and b to a in the first, at frames 1 to 3; c to d and a loop in the second, at 2.5."""
    first = np.array([[[1.0, 0.5], [0.0, -4.0], [2.0, 0.0]]])
    second = np.array([[[3.0, 9.0]]])
    return EdgeExplanation(
        np.concatenate([first.sum(1), second.sum(1)], 1),
        tuple("abcd"),
        tuple("badd"),
        ("0",) * 4,
        ("x", "x", "y", "y"),
        explained="class 1",
        node_names=tuple("abcd"),
        over_time={"x": EdgeFrames(np.arange(1.0, 4), first), "y": EdgeFrames(np.array([2.5]), second)},
    )


def test_sums_by_frame_of_blocks_at_other_frames():
    table = explained().by_frame(0)
    assert table.columns.tolist() == [1.0, 2.0, 2.5, 3.0]
    assert table.loc[("b", "a")].tolist() == [0.5, -4.0, 0.0, 0.0]
    assert table.loc[("c", "d")].tolist() == [0.0, 0.0, 3.0, 0.0]
    with pytest.raises(InputError, match="sample: got 1"):
        explained().by_frame(1)
    with pytest.raises(InputError, match="no block"):
        EdgeExplanation(np.zeros((1, 1)), ("a",), ("b",), ("0",), ("x",)).by_frame(0)


def test_both_directions_of_an_edge_are_drawn_side_by_side_without_self_loops():
    chart = edge_network(explained(), GRAPH)
    table = records(chart, "frame", "text", "value")
    lines = {row["edge"]: row for row in records(chart, "edge", "x", "x2")}
    assert list(lines) == ["a → b", "c → d", "b → a"]
    assert [row["value"] for row in table] == [[1, 0, 0.5], [0, 0, -4], [0, 3, 0], [2, 0, 0]]
    place = dict(zip("abcd", drawing_positions(GRAPH, 0), strict=True))
    there, back = lines["a → b"], lines["b → a"]
    # Parallel, each as far from the middle as the other, on its other side; the arrow lies in the way of its line.
    middle = (place["a"] + place["b"]) / 2
    centres = [np.array([row["x"] + row["x2"], row["y"] + row["y2"]]) / 2 - middle for row in (there, back)]
    assert centres[0] == pytest.approx(-centres[1], abs=1e-6)
    assert np.hypot(*centres[0]) > 0.005 * np.hypot(*(place["b"] - place["a"]))
    for row in lines.values():
        way = np.array([row["x2"] - row["x"], row["y2"] - row["y"]])
        turned = np.deg2rad(row["angle"])
        assert np.array([np.sin(turned), np.cos(turned)]) == pytest.approx(way / np.hypot(*way), abs=1e-4)
    # A head whose sides are equal would look the same turned by a third.
    assert not {str(mark.get("d")).count("L") for mark in marks(chart, "point")} - {3}
    alone = lines["c → d"]
    assert [alone["x"], alone["y"], alone["x2"], alone["y2"]] == pytest.approx([*place["c"], *place["d"]], abs=1e-6)
    assert "Arrows point to the node that receives." in " ".join(words(chart))
    (slider,) = chart.to_dict()["params"]
    assert slider["value"] == 1  # opens at the greatest value, of the second frame
    assert {"frame 2", "a", "d"} <= set(words(chart))
    # The graph's own edges in grey, and three in colour, each with an arrow.
    assert len(marks(chart, "rule mark")) == 3 + 3
    assert len(marks(chart, "point")) == 3
    drawn(chart)


def test_totals_are_drawn_where_frames_are_not_asked_for():
    chart = edge_network(explained(), GRAPH, over_time=False)
    assert [row["value"] for row in records(chart, "frame", "text", "value")] == [[3, 3, -3.5]]
    assert "params" not in chart.to_dict()
    with pytest.raises(InputError, match="no node 'c', 'd'"):
        edge_network(explained(), STGraph.from_edges(list("ab"), [("a", "b")]))


def test_edges_over_time():
    chart = edge_timeline(explained(), edges=2)
    table = records(chart, "edge", "frame", "value")
    assert list(dict.fromkeys(row["edge"] for row in table)) == ["d, itself", "b → a", "2 others, summed"]
    assert [row["value"] for row in table if row["edge"] == "2 others, summed"] == [1, 0, 3, 2]
    assert len(marks(chart, "rect mark")) == 3 * 4
    drawn(chart)


def test_edges_without_any_importance_get_no_row_over_time_and_are_counted():
    values = np.array([[[1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]])
    ends = tuple("abc"), tuple("bcd"), ("0",) * 3, ("x",) * 3
    frames = {"x": EdgeFrames(np.array([0.0, 1.0]), values)}
    chart = edge_timeline(EdgeExplanation(values.sum(1), *ends, node_names=tuple("abcd"), over_time=frames))
    assert {row["edge"] for row in records(chart, "edge", "frame", "value")} == {"a → b"}
    assert "Not drawn: 2 edges" in str(chart.to_dict()["title"])


def test_the_layout_of_a_graph_is_computed_once():
    graph = STGraph.from_edges("abcd", [("a", "b"), ("b", "c"), ("c", "d")])
    before = _layout.cache_info().hits
    first, again = drawing_positions(graph, 3), drawing_positions(STGraph.from_dict(graph.to_dict()), 3)
    assert _layout.cache_info().hits == before + 1
    np.testing.assert_array_equal(first, again)
    first[:] = 0
    assert drawing_positions(graph, 3).any(), "a caller's array is its own"
    assert not np.array_equal(drawing_positions(graph, 4), again)
