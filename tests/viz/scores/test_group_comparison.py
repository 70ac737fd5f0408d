"""The chart of two groups: what is named, filled and listed."""

import numpy as np
import pytest

import stexplain as stx
from stexplain.errors import InputError
from stexplain.viz import group_comparison
from tests.viz.drawing import drawn, records, words

GRAPH = stx.STGraph.skeleton("coco-17")


@pytest.fixture(scope="module")
def result():
    values = np.random.default_rng(0).gamma(50, size=(16, 1, 20, 17))
    values[8:, ..., 9] *= 2
    values[8:, ..., 4] /= 2
    e = stx.Explanation(values, np.ones((16, 1, 20), bool), GRAPH.nodes, graph=GRAPH)
    return stx.compare_groups(e, ["control"] * 8 + ["patient"] * 8)


def test_what_differs_is_named_on_the_graph_and_filled_in_the_list(result):
    chart = group_comparison(result)
    listed = {row["name"]: row["verdict"] for row in records(chart, "name", "verdict")}
    clear = {name for name, verdict in listed.items() if not verdict.startswith("p >")}
    assert clear == {GRAPH.nodes[9], GRAPH.nodes[4]} == set(result.different().query("kind == 'node'")["name"])
    shown = words(chart)
    assert shown.count(GRAPH.nodes[9]) == 2, "on the body and in the list"
    assert "Where: patient minus control" in shown
    drawn(chart)


def test_a_graph_without_positions_is_not_drawn():
    values = np.random.default_rng(0).gamma(2, size=(6, 1, 8, 3))
    result = stx.compare_groups(stx.Explanation(values, np.ones((6, 1, 8), bool)), list("aaabbb"), windows=0)
    shown = words(group_comparison(result, nodes=2))
    assert not any(word.startswith(("Where", "When")) for word in shown)
    assert any("1 further node:" in word for word in shown)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"nodes": 0}, "nodes: got 0"), ({"result": 3}, "result: got an int; expected what compare_groups")],
)
def test_what_cannot_be_drawn(result, wrong, message):
    with pytest.raises(InputError, match=message):
        group_comparison(**{"result": result, **wrong})


@pytest.mark.parametrize("size", [2e-8, 3e-5, 1.0, 4e7])
def test_numbers_on_the_axes_are_short_whatever_the_unit(size):
    values = np.random.default_rng(0).gamma(50, size=(12, 1, 8, 3)) / 50 * size
    shown = words(
        group_comparison(stx.compare_groups(stx.Explanation(values, np.ones((12, 1, 8), bool)), list("aaaaaabbbbbb")))
    )
    numbers = [word for word in shown if word.strip("−+-").replace(".", "").replace(",", "").isdigit()]
    assert len(numbers) > 6
    assert max(map(len, numbers)) <= 7, numbers
    assert any("in 10" in word for word in shown) == (size != 1.0)


def test_intervals_are_over_samples_where_no_clusters_are_given():
    values = np.random.default_rng(0).gamma(50, size=(12, 1, 8, 3))
    e = stx.Explanation(values, np.ones((12, 1, 8), bool))
    groups = list("aaaaaabbbbbb")
    alone = " ".join(words(group_comparison(stx.compare_groups(e, groups))))
    assert "95% intervals over samples." in alone
    assert "clusters" not in alone
    within = " ".join(words(group_comparison(stx.compare_groups(e, groups, clusters=list("112233445566")))))
    assert "95% intervals over clusters." in within
