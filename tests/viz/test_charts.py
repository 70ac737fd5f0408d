import json

import numpy as np
import pandas as pd
import pytest

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph
from stexplain.viz import confusion, history, localisation, masking_curves, network, timeline
from tests.viz.drawing import colours, drawn, marks, records, words


@pytest.fixture
def masked() -> pd.DataFrame:
    curves = [
        (kind, m, 0.9 - loss * m, 0.85 - loss * m, 0.95 - loss * m, baseline)
        for baseline in ("zero", "mean")
        for kind, loss in (("highlighted", 0.6), ("random", 0.3), ("least", 0.1))
        for m in (0.0, 0.5, 0.9)
    ]
    return pd.DataFrame(curves, columns=["set", "masking", "accuracy", "low", "high", "baseline"])


def test_masking_curves_draw_the_given_table(masked):
    chart = masking_curves(masked, chance=0.1)
    found = pd.DataFrame(records(chart, "masking"))
    pd.testing.assert_frame_equal(found[masked.columns.tolist()], masked, check_dtype=False)
    assert {"baseline: zero", "baseline: mean", "highlighted", "random", "least important"} <= set(words(chart))
    drawn(chart)


def test_masking_curves_of_chosen_baselines(masked):
    shown = words(masking_curves(masked, baselines=["mean"]))
    assert "baseline: mean" in shown
    assert "baseline: zero" not in shown


def test_masking_curves_without_intervals(masked):
    drawn(masking_curves(masked.assign(low=np.nan, high=np.nan)))


def test_masking_curves_reject_wrong_tables(masked):
    with pytest.raises(InputError, match="unknown column 'accuracy'"):
        masking_curves(masked.drop(columns="accuracy"))
    with pytest.raises(InputError, match=r"unknown baseline 'zeros'. Did you mean 'zero'"):
        masking_curves(masked, baselines=["zeros"])
    with pytest.raises(InputError, match="no rows"):
        masking_curves(masked.iloc[:0])


def test_confusion_shares_are_of_the_true_class():
    chart = confusion([[3, 1, 0], [0, 0, 0], [2, 0, 2]], ["a", "b", "c"])
    share = {(row["true"], row["predicted"]): row["share"] for row in records(chart, "true", "predicted")}
    assert share["a", "a"] == 0.75
    assert share["c", "a"] == 0.5
    assert share["b", "b"] is None
    assert "#8c8c8c" in colours(chart, "rect mark")
    assert any("62.5% of 8" in text for text in words(chart))
    drawn(chart)


def test_confusion_of_sixty_classes_names_them_all():
    names = [f"action {index}" for index in range(60)]
    chart = confusion(np.eye(60), names)
    assert set(names) <= set(words(chart))
    assert len(marks(chart, "rect mark")) == 3600


@pytest.mark.parametrize(
    ("matrix", "classes", "message"),
    [
        ([[1, 2]], ["a", "b"], "matrix has shape"),
        ([[1, -2], [0, 1]], ["a", "b"], "negative"),
        ([[1, 2], [0, 1]], ["a", "a"], "classes: got 'a' twice"),
    ],
)
def test_confusion_rejects_wrong_input(matrix, classes, message):
    with pytest.raises(InputError, match=message):
        confusion(matrix, classes)


def test_history_leaves_out_missing_values():
    table = pd.DataFrame(
        {"epoch": [1, 2], "loss": [2.0, 1.0], "accuracy": [0.1, 0.4], "validation_accuracy": [np.nan, 0.3]}
    )
    found = records(history(table, selected_epoch=2), "epoch", "split")
    assert [row["value"] for row in found if row["split"] == "validation"] == [0.3]
    assert len(found) == 5
    drawn(history(table, selected_epoch=2))
    with pytest.raises(InputError, match="expected values in one of"):
        history(table[["epoch"]])


def test_localisation_draws_baseline_explainers_last_and_grey():
    scores = [
        (method, over, "auroc", value, value - 0.05, value + 0.05)
        for method, value in (("Motion", 0.8), ("STGGradCAM", 0.9), ("Random", 0.5))
        for over in ("nodes", "frames")
    ]
    table = pd.DataFrame(scores, columns=["method", "over", "measure", "value", "low", "high"])
    chart = localisation(table)
    shown = words(chart)
    assert shown.index("STGGradCAM") < shown.index("Motion") < shown.index("Random")
    assert {"over nodes", "over frames", "AUROC"} <= set(shown)
    assert "#8c8c8c" in colours(chart, "point")
    assert sorted(row["value"] for row in records(chart, "method")) == [0.5, 0.5, 0.8, 0.8, 0.9, 0.9]
    drawn(chart)
    with pytest.raises(InputError, match="unknown method 'Cam'"):
        localisation(table, methods=["Cam"])


def test_network_draws_every_node_edge_and_name(graph):
    chart = network(graph, [1.0, -2.0, 0.5, 0.0, np.nan])
    assert len(marks(chart, "circle")) == 5
    assert len(marks(chart, "rule mark")) == 4
    assert set(graph.nodes) <= set(words(chart))
    assert "#8c8c8c" in colours(chart, "circle")  # the node without a value
    drawn(chart)


def test_network_over_time_opens_at_the_greatest_value(graph):
    values = np.zeros((4, 5))
    values[2, 1] = -3.0
    chart = network(graph, values)
    (slider,) = chart.to_dict()["params"]
    assert slider["value"] == 2
    assert slider["bind"]["max"] == 3
    assert "frame 2" in words(chart)
    assert [row["value"] for row in records(chart, "frame", "value")] == values.tolist()


@pytest.mark.filterwarnings("ignore:graph. got .* without an edge")
def test_network_without_positions_is_laid_out_the_same_way_each_time():
    graph = STGraph([f"s{index}" for index in range(60)], [(index, index + 1) for index in range(58)])
    chart = network(graph, np.arange(60.0))
    assert len(marks(chart, "circle")) == 60
    # Too many to be named all: those with the greatest values are, where there is room.
    named = set(graph.nodes) & set(words(chart))
    assert "s59" in named
    assert named <= {f"s{index}" for index in range(48, 60)}
    assert chart.to_dict() == network(graph, np.arange(60.0)).to_dict()


@pytest.mark.filterwarnings("ignore:graph. got .* without an edge")
def test_network_of_ten_thousand_rows_is_drawn():
    graph = STGraph(
        [str(index) for index in range(6000)],
        np.zeros((0, 2), int),
        positions=np.random.default_rng(0).random((6000, 2)),
    )
    assert len(records(network(graph, np.ones(6000)), "node", "x")) == 6000


def test_network_rejects_wrong_shapes(graph):
    with pytest.raises(InputError, match=r"values: got shape .*expected \[5\] or \[T, 5\]"):
        network(graph, [1.0, 2.0])
    with pytest.raises(InputError, match=r"time: got shape .*expected \[3\]"):
        network(graph, np.zeros((3, 5)), time=[0.0, 1.0])


def test_timeline_holds_importance_and_leaves_invalid_frames_out(explanation):
    chart = timeline(explanation, instance=1)
    value = {row["node"]: row["value"] for row in records(chart, "node", "value")}
    expected = np.maximum(explanation.values[0, 1], 0)
    assert value["left foot"][:8] == pytest.approx(expected[:8, 3], rel=1e-4)
    assert value["left foot"][8:] == [None] * 4
    assert {"arms", "legs", "other", "left foot"} <= set(words(chart))
    assert len(marks(chart, "rect mark")) == 5 * 12
    drawn(chart)


def test_timeline_in_bins_is_the_mean_of_its_frames(explanation):
    value = {row["node"]: row["value"] for row in records(timeline(explanation, bins=4, signed=True), "node", "value")}
    means = explanation.values[0, 0].reshape(4, 3, 5).mean(axis=1)
    assert value["spine"] == pytest.approx(means[:, 0], rel=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nodes": ["spin"]}, "unknown node 'spin'. Did you mean 'spine'"),
        ({"sample": 5}, "sample: got 5; expected 0 to 1"),
        ({"bins": 0}, "bins: got 0"),
    ],
)
def test_timeline_rejects_wrong_arguments(explanation, options, message):
    with pytest.raises(InputError, match=message):
        timeline(explanation, **options)


def test_errors_of_forecasts_are_drawn_in_their_unit_with_a_panel_per_method():
    table = pd.DataFrame(
        [
            {"set": which, "masking": m, "error": 2 + m, "low": 1.5 + m, "high": 2.5 + m, "method": method}
            for which in ("highlighted", "least", "random")
            for m in (0.0, 0.5, 1.0)
            for method in ("one", "other")
        ]
    )
    spec = masking_curves(table, panel="method", measure="error", unit="mph").to_dict()
    assert spec["facet"]["sort"] == ["method: one", "method: other"]
    y = spec["spec"]["layer"][1]["encoding"]["y"]
    assert (y["field"], y["title"]) == ("error", "error, mph")


def test_timeline_of_many_nodes_draws_the_most_important():
    values = np.full((1, 1, 3, 100), 0.1, np.float32)
    values[..., 90:] = 1
    e = Explanation(values, np.ones((1, 1, 3), bool))
    chart = timeline(e)
    shown = {row["node"] for row in records(chart, "node", "value")}
    assert len(shown) == 40
    assert {str(node) for node in range(90, 100)} <= shown
    assert "The 40 most important of 100 nodes." in " ".join(words(chart))
    assert {row["node"] for row in records(timeline(e, nodes=["3", "95"]), "node", "value")} == {"3", "95"}


@pytest.mark.parametrize(
    ("others", "said"),
    [(0.0, "2 of 100 nodes: all others are zero."), (-1.0, "2 of 100 nodes: no other is above zero.")],
)
def test_rows_of_zeros_are_left_out_of_many(others, said):
    values = np.full((1, 1, 3, 100), others, np.float32)
    values[..., [7, 95]] = 1.0
    e = Explanation(values, np.ones((1, 1, 3), bool))
    assert {row["node"] for row in records(timeline(e), "node", "value")} == {"7", "95"}
    assert said in " ".join(words(timeline(e)))
    # Of zeros alone there is something to see.
    assert len(records(timeline(Explanation(values * 0, e.valid)), "node", "value")) == 40


def test_history_without_validation_has_no_legend_for_it():
    table = pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0], "validation_loss": [np.nan, np.nan]})
    assert "validation" not in json.dumps(history(table).to_dict())
