"""Importance per class, ranked nodes, graphs and roads in axes of matplotlib: the numbers of the charts."""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph
from stexplain.metrics import ClassImportance
from stexplain.training import History
from stexplain.viz import (
    draw_class_bodies,
    draw_importance_map,
    draw_network,
    draw_road_network,
    draw_top_nodes,
    top_nodes,
)
from tests.viz.drawing import records

mpl.use("agg")
ROADS = STGraph.from_edges(
    ["s1", "s2", "s3"], [("s1", "s2"), ("s2", "s3")], positions=[[0, 0], [1, 0], [3, 1]], directed=True
)


@pytest.fixture
def ax():
    return Figure().add_subplot()


@pytest.fixture
def psi(graph):
    table = pd.DataFrame(np.arange(10.0).reshape(2, 5), index=["sit", "throw"], columns=list(graph.nodes))
    return table.assign(spine=[np.nan, 9.0])


def test_a_map_of_classes_has_each_class_scaled_and_keeps_what_is_missing(psi, ax):
    draw_importance_map(psi, ax, nodes=["right foot", "spine", "left hand"], classes=["throw", "sit"])
    shown = np.ma.filled(ax.images[-1].get_array().astype(float), np.nan)
    assert shown == pytest.approx(np.array([[1, 1, 0], [1, np.nan, 0]]), nan_ok=True)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["throw", "sit"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["right foot", "spine", "left hand"]
    draw_importance_map(psi - 5, ax, per_class=False)
    assert ax.images[-1].get_clim() == (-4, 4)
    with pytest.raises(InputError, match="node 'tail'"):
        draw_importance_map(psi, ax, nodes=["tail"])


def test_bars_have_the_ranks_values_and_intervals_of_the_chart(explanation, ax):
    many = Explanation(np.random.default_rng(0).random((9, 1, 4, 5)), np.ones((9, 1, 4), bool), explanation.node_names)
    draw_top_nodes(many, ax, k=3)
    expected = records(top_nodes(many, k=3), "node", "value", "low")
    assert [label.get_text() for label in ax.get_yticklabels()] == [row["node"] for row in expected]
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([row["value"] for row in expected])
    ends = [segment[:, 0].tolist() for segment in ax.collections[-1].get_segments()]
    assert ends == [pytest.approx([row["low"], row["high"]]) for row in expected]
    low, high = ax.get_ylim()
    assert low > high, "the most important is on top"


def test_a_network_has_values_where_its_nodes_are_and_rings_where_they_are_marked(ax):
    draw_network(ROADS, [2.0, np.nan, -1.0], ax, marked={"forecast": ["s2"]}, labels=1)
    points = ax.collections[-1]
    assert np.asarray(points.get_offsets()).tolist() == [[3, 1], [0, 0]]
    assert np.asarray(points.get_array()).tolist() == [-1, 2]
    assert points.get_clim() == (-2, 2)
    assert {text.get_text() for text in ax.texts} == {"s1", "s2"}
    (ring,) = [each for each in ax.collections if each.get_label() == "forecast"]
    assert np.asarray(ring.get_offsets()).tolist() == [[1, 0]]
    with pytest.raises(InputError, match=r"values: got shape \(2,\); expected \[3\]"):
        draw_network(ROADS, [1.0, 2.0], ax)


def test_roads_are_drawn_at_the_observation_that_contributes_most_in_the_colours_of_all(ax):
    values = np.array([[0.1, 0.0, 0.2], [0.0, -3.0, 0.0], [1.0, 0.5, 0.0]])[None, None]
    e = Explanation(values, np.ones((1, 1, 3), bool), ROADS.nodes, graph=ROADS, measures="score")
    draw_road_network(e, ax, minutes=5)
    assert ax.get_title() == "5 min earlier"
    assert sorted(np.asarray(ax.collections[-1].get_array()).tolist()) == [-3, 0, 0]
    last = draw_road_network(e, Figure().add_subplot(), minutes=5, frame=2)
    assert last.get_title() == "last observation"
    assert last.collections[-1].get_clim() == (-3, 3)
    with pytest.raises(InputError, match="frame: got 3; expected 0 to 2"):
        draw_road_network(e, ax, frame=3)


def test_there_is_a_body_for_each_class(psi, graph):
    axes = Figure().subplots(2, 2)
    assert draw_class_bodies(psi, graph, axes, classes=["throw", "sit"]) is axes
    assert [ax.get_title() for ax in axes.ravel()] == ["throw", "sit", "", ""]
    assert sorted(np.asarray(axes[0, 0].collections[-1].get_array())) == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])
    assert not axes[1, 1].axison
    with pytest.raises(InputError, match="axes: got 1; expected one for each of the 2 classes"):
        draw_class_bodies(psi, graph, [axes[0, 0]])
    with pytest.raises(InputError, match="has no drawing positions"):
        draw_class_bodies(psi, STGraph(graph.nodes, graph.edges), axes)
    with pytest.raises(InputError, match=r"^axes\[1\]: got a float; expected an Axes"):
        draw_class_bodies(psi, graph, [axes[0, 0], 0.5])


def test_long_names_lie_beside_each_other(graph):
    figure = Figure(figsize=(6, 4))
    axes = figure.subplots(2, 3)
    classes = [f"put a pair of glasses on and take number {number} off again" for number in range(6)]
    psi = pd.DataFrame(np.arange(30.0).reshape(6, 5) % 7, index=classes, columns=list(graph.nodes))
    draw_class_bodies(psi, graph, axes)
    figure.canvas.draw()
    extents = [ax.title.get_window_extent() for ax in axes[0]]
    assert all(one.x1 <= other.x0 for one, other in pairwise(extents))
    assert len({ax.get_title() for ax in axes.ravel()}) == 6
    names = [f"sensor at the corner of Main Street and {number}th Avenue" for number in range(60)]
    wide = Figure(figsize=(6, 4)).add_subplot()
    draw_importance_map(pd.DataFrame(np.eye(60), index=names, columns=names), wide)
    wide.figure.canvas.draw()
    for labels, side in ((wide.get_xticklabels(), "x"), (wide.get_yticklabels(), "y")):
        ends = sorted((getattr(one, f"{side}0"), getattr(one, f"{side}1")) for one in (
            label.get_window_extent() for label in labels
        ))  # fmt: skip
        assert len({label.get_text() for label in labels}) == len(labels) > 20
        assert all(before[1] <= after[0] + 1 for before, after in pairwise(ends))


def test_class_importance_draws_itself_into_axes_and_what_has_no_such_drawing_says_so(ax):
    batch = Explanation(
        np.random.default_rng(1).random((4, 1, 3, 2)), np.ones((4, 1, 3), bool), ("hip", "hand"),
        targets=np.array([0, 1, 0, 1]), classes=("sit", "throw"), ids=tuple("abcd"),
    )  # fmt: skip
    importance = ClassImportance(("sit", "throw"), ("hip", "hand"))
    importance.update(batch, np.array([0, 1, 0, 1]))
    assert importance.plot(ax=ax) is ax
    assert ax.images[-1].get_array().shape == (2, 2)
    with pytest.raises(InputError, match=r"ax: viz.history draws no axes of matplotlib"):
        History((), 1, False).plot(ax=ax)
    with pytest.raises(InputError, match=r"ax: got a str; expected an Axes"):
        importance.plot(ax="here")
