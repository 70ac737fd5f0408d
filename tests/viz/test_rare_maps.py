"""Maps that a reader could take for others: dark ones, of one frame, with long names, with nodes that are all alike."""

import itertools

import numpy as np
import pandas as pd
import pytest

from stexplain.explainers import Explanation
from stexplain.graph import STGraph
from stexplain.viz import class_bodies, confusion, importance_map, lag_map, network, skeleton, timeline, top_nodes
from stexplain.viz.names import labelled, shortened
from tests.viz.drawing import words as drawn_words

NAMES = ["hip", "knee", "hand"]
GRAPH = STGraph.from_edges(
    NAMES, [("hip", "knee"), ("hip", "hand")], positions={"hip": (0, 0), "knee": (0, -1), "hand": (1, 0)}
)
ROADS = [f"sensor {index} on the highway from A to B, northbound" for index in range(5)]
CIRCLE = np.stack([np.cos(np.arange(5)), np.sin(np.arange(5))], 1)


def explained(values, graph=GRAPH, **more):
    values = np.asarray(values, np.float32)
    return Explanation(values, np.ones(values.shape[:3], bool), tuple(graph.nodes), graph=graph, **more)


def words(chart):
    """The lines below the title."""
    title = chart.to_dict()["title"]
    return " ".join(title.get("subtitle", []))


def axis(chart, which, layer=0):
    return chart.to_dict()["layer"][layer]["encoding"][which]["axis"]


@pytest.mark.parametrize("draw", [skeleton, timeline, top_nodes])
def test_a_map_without_a_bright_place_says_why(draw):
    assert "Every value is zero." in words(draw(explained(np.zeros((1, 1, 4, 3)))))
    negative = " ".join(words(draw(explained(-np.ones((1, 1, 4, 3))))).split())
    assert "No value is above zero" in negative
    assert "counts against the target" in negative
    assert "zero" not in words(draw(explained(np.ones((1, 1, 4, 3)), target="walk")))


def test_where_only_the_drawn_person_has_no_importance_it_is_said():
    values = np.zeros((1, 2, 4, 3))
    values[0, 1] = 1
    assert "Every value is zero." in words(skeleton(explained(values), instance=0))
    assert "Every value is zero." not in words(skeleton(explained(values), instance=1))


def test_maps_of_values_either_way_say_that_all_are_zero():
    zeros = explained(np.zeros((1, 1, 4, 3)), target="speed")
    assert "Every value is zero." in words(lag_map(zeros))
    assert "Every value is zero." in words(network(GRAPH, np.zeros(3), signed=True))
    assert "Every value" not in words(network(GRAPH, -np.ones(3)))


def test_grey_nodes_and_bodies_are_explained():
    assert "Grey: no value." in words(network(GRAPH, [1.0, np.nan, 2.0]))
    assert "Grey" not in words(network(GRAPH, [1.0, 0.0, 2.0]))
    psi = pd.DataFrame([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]], index=["walk", "stand"], columns=NAMES)
    assert "Grey: no value, or the same value at every node." in words(class_bodies(psi, GRAPH))
    assert "blue against it" in words(class_bodies(psi - 2, GRAPH, per_class=False))


def test_a_node_that_is_zero_everywhere_has_an_interval_in_the_units_of_importance():
    values = np.zeros((20, 1, 4, 3))
    values[:, :, :, 0] = np.linspace(1e-6, 2e-6, 20)[:, None, None]
    table = pd.DataFrame(top_nodes(explained(values)).data.values).set_index("node")
    # A share of 1 - 0.05 ** (1 / 20) of unseen samples, each with at most the greatest importance that was seen.
    assert table["high"]["hand"] == pytest.approx((1 - 0.05 ** (1 / 20)) * 2e-6, rel=1e-4)
    assert table["high"]["hip"] < 2e-6
    # Nothing was seen: nothing says how large it could have been.
    assert pd.DataFrame(top_nodes(explained(0 * values)).data.values)["high"].isna().all()


def test_axes_of_very_small_importance_write_powers():
    assert axis(top_nodes(explained(np.full((1, 1, 4, 3), 2e-8))), "x")["format"] == ".2~e"
    assert "format" not in axis(top_nodes(explained(np.ones((1, 1, 4, 3)))), "x")


def test_the_most_important_of_one_node_is_no_plural():
    one = explained(np.ones((1, 1, 4, 1)), STGraph.from_edges(["a"], []))
    assert top_nodes(one).title.text == "The most important node, 1 sample"


def test_one_frame_has_a_mark_and_a_whole_number():
    chart = skeleton(explained(np.ones((1, 1, 1, 3))))
    curve = chart.to_dict()["vconcat"][1]["layer"][0]
    assert curve["mark"]["point"]
    assert curve["encoding"]["x"]["axis"]["values"] == [0]
    assert not skeleton(explained(np.ones((1, 1, 4, 3)))).to_dict()["vconcat"][1]["layer"][0]["mark"]["point"]
    assert axis(timeline(explained(np.ones((1, 1, 1, 3)))), "x")["values"] == [0]


def test_a_group_whose_nodes_lie_apart_is_drawn_together():
    psi = pd.DataFrame([[1.0, 2.0, 3.0]], index=["walk"], columns=NAMES)
    groups = {"leg": ["hip", "hand"], "other leg": ["knee"]}
    domain = axis(importance_map(psi, groups=groups), "x")["values"]
    assert [name for name in domain if name in NAMES] == ["hip", "hand", "knee"]
    # An order that was asked for stays.
    domain = axis(importance_map(psi, groups=groups, nodes=NAMES), "x")["values"]
    assert [name for name in domain if name in NAMES] == NAMES


@pytest.mark.parametrize(
    "names",
    [
        ROADS,
        [f"{index} at the very end of a name of a street" for index in range(4)],
        [f"the same begin and end {index} {'x' * 40}" for index in range(4)],
        ["x" * 50 + letter + "y" * 50 for letter in "abc"],
        ["x" * 50 + "".join(pair) + "y" * 50 for pair in ("aab", "aba", "baa")] + ["x" * 30],
        ["x" * 19 + "…", "x" * 19 + "yz", "x" * 60],
        ["hip", "knee"],
    ],
)
@pytest.mark.parametrize("most", [8, 20, 28])
def test_shortened_names_differ_and_fit(names, most):
    texts = shortened(names, most)
    assert list(texts) == names
    assert len(set(texts.values())) == len(names)
    assert all(len(text) <= most for text in texts.values())
    assert all(texts[name] == name for name in names if len(name) <= most)


def test_a_long_name_alone_loses_its_end():
    assert shortened(["hip", "a name that is too long"], 10) == {"hip": "hip", "a name that is too long": "a name th…"}


def test_labels_of_an_axis_are_what_they_were_where_they_fit():
    assert labelled(NAMES, 260) == {"labelLimit": 260}


def test_long_names_are_told_apart_in_every_chart():
    graph = STGraph.from_edges(ROADS, list(itertools.pairwise(ROADS)), positions=CIRCLE)
    values = np.random.default_rng(0).normal(size=(1, 1, 4, 5))
    e = explained(values, graph, target="speed")
    psi = pd.DataFrame(values[0, 0], columns=ROADS, index=ROADS[:4])
    for chart in (
        timeline(e),
        lag_map(e),
        top_nodes(e),
        confusion(np.eye(5), ROADS),
        importance_map(psi),
        network(graph, values[0, 0, 0]),
        class_bodies(psi, graph, width=100),
    ):
        texts = [text for text in drawn_words(chart) if "…" in text]
        assert len(set(texts)) >= 4, texts


def test_quotes_and_backslashes_in_long_names_are_drawn():
    names = ['a "quoted" \\ name of more than forty letters, one', 'a "quoted" \\ name of more than forty letters, two']
    texts = drawn_words(confusion(np.eye(2), names))
    assert [text for text in texts if text.endswith("one")]
    assert [text for text in texts if text.endswith("two")]


def test_of_a_large_graph_the_nodes_with_the_greatest_values_are_named():
    names = [f"n{index}" for index in range(60)]
    graph = STGraph.from_edges(names, list(itertools.pairwise(names)))
    values = np.zeros(60)
    values[[3, 40]] = 2, -5
    assert {text for text in drawn_words(network(graph, values)) if text in names} == {"n3", "n40"}
    assert not {text for text in drawn_words(network(graph, values, labels=False)) if text in names}


def test_a_name_in_a_drawing_is_told_from_one_that_is_not_written():
    graph = STGraph.from_edges(ROADS, list(itertools.pairwise(ROADS)), positions=CIRCLE)
    shown = [text for text in drawn_words(network(graph, np.ones(5), labels=[ROADS[2]])) if "…" in text]
    assert shown == [shortened(ROADS, 28)[ROADS[2]]]
    assert "2" in shown[0]
