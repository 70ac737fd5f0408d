"""Graphs as they are drawn: names beside roads, computed layouts, and one wording of time."""

import numpy as np
import pytest

from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph
from stexplain.viz import network, timeline
from stexplain.viz.maps.layout import drawing_positions
from stexplain.viz.panel import LETTER, LINE
from tests.viz.drawing import records, words


def crossing() -> STGraph:
    """Two roads that cross, each with both ways side by side, as on a map of detectors."""
    names, places, edges = [], [], []
    for road, (along, across) in {"east": ((1, 0), (0, 0.04)), "north": ((0, 1), (0.04, 0))}.items():
        for way in (0, 1):
            first = len(names)
            names += [f"{road} {way} {number}" for number in range(7)]
            places += [np.subtract(number, 3) * np.array(along) + way * np.array(across) for number in range(7)]
            edges += [(first + number, first + number + 1) for number in range(6)]
    return STGraph(names, edges, positions=np.array(places, float))


def test_no_road_strikes_through_a_name():
    graph = crossing()
    # One node matters; where all matter, all are named, whatever lies below.
    chart = network(graph, np.eye(len(graph))[1], width=640, height=560).to_dict()
    (table,) = (rows for rows in chart["datasets"].values() if rows and set(rows[0]) == {"node", "x", "y"})
    across, upward = (
        next(layer["encoding"][axis]["scale"]["domain"] for layer in chart["layer"] if axis in layer["encoding"])
        for axis in "xy"
    )
    scale = 560 / (upward[1] - upward[0])
    assert scale == pytest.approx(640 / (across[1] - across[0]))
    places = np.asarray(graph.positions)
    struck = []
    for row in table:
        half = np.array([LETTER * len(row["node"]), LINE]) / 2 / scale
        low, high = np.array([row["x"], row["y"]]) - half, np.array([row["x"], row["y"]]) + half
        for a, b in np.asarray(graph.edges):
            along = places[a] + np.linspace(0, 1, 200)[:, None] * (places[b] - places[a])
            if ((low < along) & (along < high)).all(axis=1).any():
                struck.append(row["node"])
    assert len(table) >= 24
    assert struck == []


def test_a_computed_layout_is_said_to_be_one():
    graph = crossing()
    said = "Where nodes lie is computed: the graph has no positions."
    assert said not in network(graph, np.ones(len(graph))).to_dict()["title"]["subtitle"]
    bare = STGraph(graph.nodes, graph.edges)
    assert said in network(bare, np.ones(len(bare))).to_dict()["title"]["subtitle"]
    assert said in network(bare, np.ones(len(bare)), subtitle=["my own"]).to_dict()["title"]["subtitle"]


@pytest.mark.filterwarnings("ignore:graph. got .* without an edge")
@pytest.mark.parametrize("lonely", [0, 1, 30])
def test_lonely_nodes_do_not_squeeze_the_others(lonely):
    """A ring of 12 fills most of the drawing, and all nodes are as far apart as neighbours of the ring or further."""
    ring = [(number, (number + 1) % 12) for number in range(12)]
    graph = STGraph([f"n{number}" for number in range(12 + lonely)], ring)
    points = drawing_positions(graph, 0)
    extent = np.ptp(points, axis=0)
    assert np.ptp(points[:12], axis=0).max() > 0.4 * extent.max()
    apart = np.hypot(*(points[:, None] - points[None]).T)
    apart[np.arange(len(points)), np.arange(len(points))] = np.inf
    assert apart.min() > 0.9 * min(apart[a, b] for a, b in ring)


def test_parts_do_not_lie_on_each_other():
    triangles = [(3 * part + a, 3 * part + b) for part in range(9) for a, b in ((0, 1), (1, 2), (2, 0))]
    points = drawing_positions(STGraph([f"n{number}" for number in range(27)], triangles), 1).reshape(9, 3, 2)
    low, high = points.min(axis=1), points.max(axis=1)
    for one in range(9):
        for other in range(one):
            overlap = np.minimum(high[one], high[other]) - np.maximum(low[one], low[other])
            assert overlap.min() < 0, (one, other)


@pytest.mark.parametrize(("unit", "name"), [("min", "minutes "), ("step", "observations "), ("frame", "frame ")])
def test_a_slider_says_what_it_counts(unit, name):
    values = np.random.default_rng(0).normal(size=(3, 28))
    (slider,) = network(crossing(), values, time=[-10, -5, 0], time_unit=unit).to_dict()["params"]
    assert slider["bind"]["name"] == name


def test_no_names_and_no_marks_are_none():
    graph = crossing()
    bare = network(graph, np.ones(len(graph)), labels=[], marked={"cause": []})
    assert not set(words(bare)) & set(graph.nodes)
    assert "cause" not in words(bare)
    some = network(graph, np.ones(len(graph)), labels=False, marked={"cause": [], "forecast": ["east 0 1"]})
    assert [row["mark"] for row in records(some, "mark")] == ["forecast"]


def test_of_a_forecast_the_timeline_speaks_as_the_other_charts_do():
    values = np.random.default_rng(0).normal(size=(1, 1, 4, 2)).astype(np.float32)
    e = Explanation(values, np.ones((1, 1, 4), bool), measures="score", target="the forecast of s2")
    title = timeline(e, signed=True).to_dict()["title"]
    assert title["text"] == "Importance over time for the forecast of s2"
    assert title["subtitle"] == ["Orange: raised it; blue: lowered it. Stronger: by more."]
    of_class = Explanation(values, e.valid, measures="score", targets=np.array([1]))
    assert "Orange contributes to the class, blue against it." in words(timeline(of_class, signed=True))
    assert records(timeline(of_class, signed=True), "node", "value")
