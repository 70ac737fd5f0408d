import json

import numpy as np
import pytest

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.intervals.bootstrap import interval
from stexplain.metrics.importance import ClassImportance
from stexplain.viz import top_nodes
from tests.viz.drawing import colours, drawn, marks, records, words


def test_the_most_important_nodes_come_first_with_their_intervals(explanation):
    found = records(top_nodes(explanation, k=3), "node", "value")
    means = explanation.nodes().mean().sort_values(ascending=False)
    assert [row["node"] for row in found] == list(means.index[:3])
    assert [row["value"] for row in found] == pytest.approx(means.to_list()[:3], rel=1e-6)
    first = interval(explanation.nodes()[found[0]["node"]])
    assert first.reason == "too few samples: 2"
    assert found[0]["low"] is None
    assert any("No intervals: too few samples: 2" in text for text in words(top_nodes(explanation, k=3)))
    assert len(marks(top_nodes(explanation, k=3), "bar")) == 3
    drawn(top_nodes(explanation))


def test_intervals_are_over_the_groups_of_the_samples():
    values = np.random.default_rng(0).normal(size=(24, 1, 6, 3))
    e = Explanation(values, np.ones((24, 1, 6), bool), ("hand", "foot", "head"))
    groups = [f"person {row % 6}" for row in range(24)]
    chart = top_nodes(e, k=2, groups=groups)
    first = records(chart, "node", "value")[0]
    expected = interval(e.nodes()[first["node"]], groups=groups)
    assert (first["low"], first["high"]) == pytest.approx((expected.low, expected.high))
    assert any("over groups of samples" in text for text in words(chart))
    few = top_nodes(e, k=2, groups=[f"person {row % 3}" for row in range(24)])
    assert any("No intervals: too few groups: 3" in text for text in words(few))


def test_no_interval_of_importance_goes_below_zero():
    values = np.zeros((6, 1, 1, 2))
    values[0, :, :, 0] = 1
    e = Explanation(values, np.ones((6, 1, 1), bool), ("hand", "foot"))
    assert min(row["low"] for row in records(top_nodes(e), "node", "value")) >= 0


def test_class_importance_has_the_intervals_of_its_own_groups():
    random = np.random.default_rng(0)
    values = random.random((24, 1, 1, 3))
    importance = ClassImportance(["throw", "kick"], ["hand", "foot", "head"])
    e = Explanation(values, np.ones((24, 1, 1), bool), ("hand", "foot", "head"), ids=tuple(map(str, range(24))))
    groups = [f"person {row // 2}" for row in range(24)]
    importance.update(e, labels=[0] * 12 + [1] * 12, correct=[True] * 24, groups=groups)
    ends = importance.interval()[:, 0]
    for row in records(top_nodes(importance, of="throw"), "node", "value"):
        node = importance.nodes.index(row["node"])
        assert (row["low"], row["high"]) == pytest.approx(tuple(ends[:, node]))
    over_classes = records(top_nodes(importance, k=1), "node", "value")[0]
    node = importance.nodes.index(over_classes["node"])
    expected = importance.interval(lambda psi: float(np.nanmean(psi[:, node])))
    assert (over_classes["low"], over_classes["high"]) == pytest.approx((max(expected.low, 0), expected.high))
    with pytest.raises(InputError, match="groups: got some for a ClassImportance"):
        top_nodes(importance, groups=groups)


def test_groups_are_coloured(explanation):
    chart = top_nodes(explanation, k=5)
    assert {"arms", "legs", "other"} <= set(words(chart))
    assert len(colours(chart, "bar")) == 3


def test_one_sample_has_no_interval(explanation):
    found = records(top_nodes(explanation[0], k=2), "node", "value")
    assert found[0]["low"] is None
    drawn(top_nodes(explanation[0]))


def test_importance_of_a_class_is_that_of_psi():
    values = np.array([[[[1.0, 5.0, 3.0]]], [[[3.0, 5.0, 1.0]]], [[[9.0, 0.0, 0.0]]]])
    importance = ClassImportance(["throw", "kick", "nod"], ["hand", "foot", "head"])
    e = Explanation(values, np.ones((3, 1, 1), bool), ("hand", "foot", "head"), ids=("a", "b", "c"))
    importance.update(e, labels=[0, 0, 1], correct=[True] * 3)
    found = records(top_nodes(importance, k=2, of="throw"), "node", "value")
    assert [(row["node"], row["value"]) for row in found] == [("foot", 5.0), ("hand", 2.0)]
    # Two samples are too few for an interval.
    assert found[1]["low"] is None
    mean = records(top_nodes(importance, k=1), "node", "value")
    assert (mean[0]["node"], mean[0]["value"]) == ("hand", 5.5)
    with pytest.raises(InputError, match="unknown class 'throws'. Did you mean 'throw'"):
        top_nodes(importance, of="throws")
    with pytest.raises(InputError, match="class 'nod' has no correctly classified sample"):
        top_nodes(importance, of="nod")


def test_two_thousand_nodes_stay_small():
    values = np.random.default_rng(0).random((3, 1, 4, 2000))
    chart = top_nodes(Explanation(values, np.ones((3, 1, 4), bool)), k=20)
    assert len(marks(chart, "bar")) == 20
    assert len(json.dumps(chart.to_dict())) < 20_000


def test_zero_nodes_are_rejected(explanation):
    with pytest.raises(InputError, match="k: got 0"):
        top_nodes(explanation, k=0)


def test_a_sample_in_which_a_node_was_not_observed_is_no_importance_of_zero():
    """The second sensor was silent in half of the samples, and the third in all."""
    values, observed = np.ones((12, 1, 4, 3)) * [1.0, 1.5, 0.0], np.ones((12, 1, 4, 3), bool)
    values[6:, ..., 1], observed[6:, ..., 1], observed[..., 2] = 0.0, False, False
    values *= np.linspace(0.9, 1.1, 12)[:, None, None, None]
    e = Explanation(values, np.ones((12, 1, 4), bool), ("a", "b", "c"), observed=observed)
    found = records(top_nodes(e), "node", "value")
    assert [row["node"] for row in found] == ["b", "a", "c"]
    assert found[0]["value"] == pytest.approx(values[:6, ..., 1].mean())
    assert found[0]["low"] > 1.2
    assert found[2]["value"] == 0
    assert "most important: b, a>" in repr(e)
