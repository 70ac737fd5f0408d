from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph
from stexplain.viz import forecast, horizon_errors, lag_map, network, road_network
from tests.viz.drawing import colours, drawn, marks, records, words


def roads(nodes: int) -> STGraph:
    """Sensors along one road that goes east at latitude 60."""
    names = [f"s{index}" for index in range(nodes)]
    places = np.column_stack([np.arange(nodes) / 100, np.full(nodes, 60.0)])
    edges = [(index, index + 1) for index in range(nodes - 1)] + [(index + 1, index) for index in range(nodes - 1)]
    return STGraph(names, edges, positions=places, directed=True)


def explained(nodes: int, frames: int = 4) -> Explanation:
    """The observation of sensor 1 10 min earlier lowered the forecast; all other values are almost zero."""
    values = np.random.default_rng(0).normal(size=(1, 1, frames, nodes)) / 100
    values[0, 0, frames - 3, 1] = -3.0
    return Explanation(
        values, np.ones((1, 1, frames), bool), roads(nodes).nodes, target="the forecast of s2", graph=roads(nodes),
        measures="score",
    )  # fmt: skip


def test_the_road_network_opens_at_the_most_important_lag():
    chart = road_network(explained(6), minutes=5, unit="mph", marked={"forecast": ["s2"], "cause": ["s0", "s1"]})
    (slider,) = chart.to_dict()["params"]
    assert slider["value"] == -10.0
    assert {key: slider["bind"][key] for key in ("min", "max", "step")} == {"min": -15.0, "max": 0.0, "step": 5.0}
    assert "10 min earlier" in words(chart)
    assert [row["mark"] for row in records(chart, "mark")] == ["forecast", "cause", "cause"]
    assert len(marks(chart, "rule mark")) == 5  # both ways of a road are one line
    assert {"mph", "forecast", "cause", "s0", "s5"} <= set(words(chart))
    drawn(chart)
    assert not any("mph" in word for word in words(road_network(explained(6)))), "no unit is guessed"


def test_signs_have_colours_of_their_own():
    values = np.array([-2.0, 2.0, 0.0])
    graph = roads(3)
    low, high, zero = (marks(network(graph, values), "circle")[index].get("fill") for index in (0, 1, 2))
    assert len({low, high, zero}) == 3


def test_two_thousand_sensors_are_drawn_and_few_are_named():
    chart = road_network(explained(2000), unit="mph", marked={"forecast": ["s2"]}, labels=5)
    named = [word for word in words(chart) if word.startswith("s")]
    assert named[0] in ("s1", "s2")
    assert len(named) <= 6
    assert len(marks(chart, "circle")) == 2000


def test_degrees_of_longitude_are_shorter_away_from_the_equator():
    def width(**options):
        table = records(road_network(explained(6), **options), "node", "x", "y")
        return max(row["x"] for row in table) - min(row["x"] for row in table)

    assert width(degrees=True) == pytest.approx(width() / 2)  # cos 60


@pytest.mark.parametrize("draw", [road_network, lag_map])
def test_road_charts_reject_wrong_arguments(draw):
    e = explained(3)
    with pytest.raises(InputError, match="sample: got 1; expected 0 to 0"):
        draw(e, sample=1)
    two = Explanation(np.zeros((1, 2, 4, 3)), np.ones((1, 2, 4), bool))
    with pytest.raises(InputError, match="e: got 2 instances; expected 1"):
        draw(two)
    with pytest.raises(InputError, match="unknown node 's9'"):
        draw(e, marked={"cause": ["s9"]})


def test_the_road_network_needs_a_graph():
    e = Explanation(np.zeros((1, 1, 4, 3)), np.ones((1, 1, 4), bool))
    with pytest.raises(InputError, match="has no graph.*Pass graph="):
        road_network(e)


def test_the_lag_map_sums_the_sensors_that_it_does_not_show():
    e = explained(30)
    chart = lag_map(e, minutes=5, nodes=3, marked={"forecast": ["s1"]})
    table = pd.DataFrame(records(chart, "sensor", "lag", "value"))
    assert table["value"].sum() == pytest.approx(float(e.values.sum()), abs=1e-6)
    assert table["sensor"].iloc[0] == "s1 (forecast)"
    assert table["sensor"].unique()[-1] == "27 others, summed"
    position = table[(table["sensor"] == "s1 (forecast)") & (table["lag"] == -10)]
    assert position["value"].item() == -3.0
    assert {"15", "10", "5", "0"} <= set(words(chart))
    drawn(chart)


def test_the_lag_map_frames_the_truth_and_greys_missing_frames():
    e = explained(5)
    valid = e.valid.copy()
    valid[0, 0, 0] = False
    truth = np.zeros((4, 5), bool)
    truth[1:3, [1, 4]] = True
    chart = lag_map(
        Explanation(e.values, valid, e.node_names, graph=e.graph), nodes=["s1", "s0"], truth=truth, minutes=5
    )
    assert records(chart, "sensor", "lag") != []
    frames = [row for row in chart.to_dict()["datasets"].values() if row and set(row[0]) == {"sensor", "lag"}]
    assert frames == [[{"sensor": "s1", "lag": -10.0}, {"sensor": "s1", "lag": -5.0}]]
    text = " ".join(words(chart))
    assert "2 more positions of the ground truth" in text
    assert "Grey: no observation" in text
    assert "#8c8c8c" in colours(chart, "rect mark")


@pytest.mark.parametrize(("draw", "column"), [(road_network, "text"), (lag_map, "time")])
def test_no_minutes_are_guessed(draw, column):
    def times(e, **options):
        return {row[column] for row in records(draw(e, **options), column)}

    e = explained(6)
    assert times(e) >= {"3 observations earlier", "1 observation earlier", "last observation"}
    # Seconds are known of series that say their frame rate: 15 minutes here.
    known = replace(e, time=900.0 * np.arange(4), time_unit="s")
    assert times(known) >= {"45 min earlier", "15 min earlier", "last observation"}
    with pytest.raises(InputError, match="minutes: got 0; expected the minutes between observations"):
        draw(e, minutes=0)


def test_the_lag_map_rejects_wrong_arguments():
    with pytest.raises(InputError, match="nodes: got 0"):
        lag_map(explained(3), nodes=0)
    with pytest.raises(InputError, match=r"truth has shape \(4, 2\)"):
        lag_map(explained(3), truth=np.zeros((4, 2), bool))


def test_a_forecast_is_drawn_beside_the_observed_values():
    chart = forecast(
        [60.0, np.nan, 58.0], [50.0, 40.0], {"model": [52.0, 44.0], "persistence": [58.0, 58.0]}, horizon=2, note="then"
    )
    table = pd.DataFrame(records(chart, "line", "minutes", "value"))
    observed = table[table["line"] == "observed"]
    assert observed["minutes"].tolist() == [-10, -5, 0, 5, 10]
    assert observed["value"].tolist()[-2:] == [50.0, 40.0]
    assert table[table["line"] == "model"]["minutes"].tolist() == [5, 10]
    shown = words(chart)
    assert {"model", "persistence", "observed", "minutes after the last observation in the window"} <= {*shown}
    assert any(word.startswith("then") and "10 minutes ahead" in word for word in shown)
    drawn(chart)
    with pytest.raises(InputError, match="horizon: got 3; expected a step from 1 to 2"):
        forecast([60.0], [50.0, 40.0], {}, horizon=3)
    with pytest.raises(InputError, match="forecast 'model' has shape"):
        forecast([60.0], [50.0, 40.0], {"model": [1.0]})


def test_errors_are_drawn_per_measure_with_baselines_grey():
    table = pd.DataFrame(
        [
            (method, measure, horizon, horizon * scale)
            for method in ("persistence", "STGCN")
            for measure, scale in (("mae", 1.0), ("rmse", 2.0), ("mape", 3.0))
            for horizon in (3, 6)
        ],
        columns=["method", "measure", "horizon", "value"],
    )
    chart = horizon_errors(table, unit="mph")
    found = pd.DataFrame(records(chart, "method", "minutes"))
    assert found[found["panel"] == "MAPE, %"]["value"].tolist() == [9, 18, 9, 18]
    assert found["minutes"].unique().tolist() == [15, 30]
    shown = words(chart)
    assert shown.index("STGCN") < shown.index("persistence")
    assert {"MAE, mph", "RMSE, mph"} <= set(shown)
    assert {"MAE", "RMSE", "MAPE, %"} <= set(words(horizon_errors(table))), "no unit is guessed"
    assert "#8c8c8c" in colours(chart, "point")
    drawn(chart)
    with pytest.raises(InputError, match="unknown column 'value'"):
        horizon_errors(table.drop(columns="value"))
