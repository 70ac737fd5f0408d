import json

import pandas as pd
import pytest

from stexplain.errors import DataError
from stexplain.files import write_json
from stexplain.report import write_report
from stexplain.report.forecast_verdicts import forecast_verdicts
from stexplain.viz import horizon_errors, save
from tests.report.page import Page, score


def located(value):
    return {
        over: {"auroc": score(value), "ap": score(value / 2), "pointing": score(value / 3)}
        for over in ("nodes", "frames", "positions")
    }


def a_run(**changes):
    errors = {
        "model": {"mae": [2.0, 2.51, 3.0], "rmse": [4.0, 5.0, 6.0], "mape": [5.0, 6.1, 7.04]},
        "without its graph": {"mae": [2.0, 2.6, 3.2], "rmse": [4.0, 5.0, 6.1], "mape": [5.0, 6.0, 8.0]},
        "persistence": {"mae": [2.2, 3.5, 4.7], "rmse": [5.0, 6.0, 7.0], "mape": [6.0, 7.0, 8.0]},
        "historical average": {"mae": [4.0, 4.0, 4.0], "rmse": [6.0, 6.0, None], "mape": [10.0, 10.0, 10.0]},
    }
    run = {
        "model": "stgcn-roads", "model_title": "STGCN", "recipe": "quick", "recipe_summary": "few epochs",
        "parameters": 12345, "horizons": [1, 3], "errors": errors,
        "differences": {
            "without its graph": {"1": score(0.0), "3": score(0.2)},
            "persistence": {"1": score(0.2), "3": score(1.7)},
            "historical average": {"1": score(2.0), "3": score(1.0)},
        },
        "events": {
            "rule": "Taken are falls by 15 mph.", "found": 31, "foreseen": 24,
            "explained": [
                {"target": "s7", "start": "2012-03-05 07:00", "horizon": 3, "before": 61.0, "observed": 24.4,
                 "forecast": 31.2, "usual": 58.0}
            ] * 12,
            "shown": [
                {"target": "s7", "start": "2012-03-05 07:00", "horizon": 3, "forecast": 31.2, "usual": 58.0,
                 "observed": 24.4, "method": "IntegratedGradients",
                 "readings": [
                     {"node": "s8", "frames_before": 2, "value": -7.31},
                     {"node": "s7", "frames_before": 0, "value": -2.0},
                 ]}
            ],
        },
        "localisation": {
            "IntegratedGradients": located(0.9), "STGGradCAM": located(0.6), "Motion": located(0.7),
            "Random": located(0.5),
        },
        "deletion": {
            "IntegratedGradients": {
                kind: {"explained": score(5.0), "random": score(2.0), "gain": score(3.0)}
                for kind in ("deletion", "insertion")
            },
            "STGGradCAM": {"deletion": {"explained": score(2.1), "random": score(2.1), "gain": score(0.0)}},
            "Random": {"deletion": {"explained": score(2.1), "random": score(2.1), "gain": score(0.0)}},
        },
        "elsewhere": {"IntegratedGradients": score(0.4321)},
        "incomplete": {"IntegratedGradients": score(0.123)},
    }  # fmt: skip
    return {**run, **changes}


RESULTS = {
    "kind": "forecast",
    "title": "Slowdowns, explained",
    "question": "Which sensors?",
    "citation": "Yu 2018",
    "dataset": {
        "name": "roads", "title": "Planted roads", "planted": True, "source": "generated", "obtain": "It is made.",
        "nodes": 48, "edges": 96, "frames": 4032, "minutes": 5, "window": 12, "horizon": 3, "unit": "mph",
        "windows": {"train": 2800, "validation": 400, "test": 800}, "missing": 0.0312, "days": 14.0,
    },
    "command": "stexplain bench roads", "seed": 7, "versions": {"torch": "2.13.0"}, "seconds": {"train": 90.0},
    "runs": {"stgcn-roads": a_run()},
    "figures": [{"id": "errors-stgcn", "title": "Errors", "caption": "They rise.", "file": "figures/errors.json"}],
}  # fmt: skip


@pytest.fixture
def written(tmp_path):
    table = pd.DataFrame({"method": ["a"], "measure": ["mae"], "horizon": [1], "value": [2.0]})
    save(horizon_errors(table), tmp_path / "figures/errors.json")

    def write(**changes):
        write_json(tmp_path / "results.json", {**RESULTS, **changes})
        return Page(write_report(tmp_path).read_text("utf-8"))

    return write


def test_numbers_are_those_given(written):
    text = written().text
    for shown in (
        "15 min ahead: STGCN 3.00, without its graph 3.20, persistence 4.70, historical average 4.00 mph",
        "5 min ahead: STGCN 2.00",
        "STGCN forecasts better than persistence (its mean error is 0.20 mph lower 5 min ahead; 1.70 mph lower 15 min",
        "Sensor s7, window from 2012-03-05 07:00: 15 min ahead the network expects 31 mph where 58 are usual",
        "s8 10 min before the last reading (-7.3 mph) and s7 at the last reading (-2.0 mph)",
        "Of 31 slowdowns, the network foresaw 24",
        "should sum to by 12.3% of it", "1.700 (1.680–1.720)", "7.04", "0.900 (0.880–0.920)", "0.432", "3.1%", "2800",
        "Taken are falls by 15 mph.", "They rise.", "stexplain bench roads", "sensors × lags",
    ):  # fmt: skip
        assert shown in text, shown


def test_verdicts_follow_from_the_intervals():
    said = {verdict["text"]: verdict["holds"] for verdict in forecast_verdicts(a_run())}
    texts = list(said)
    assert [said[text] for text in texts] == [True, True, None, True, False, None]
    assert "gains from its graph at some horizons only" in texts[2]
    assert "0.00 mph higher 5 min ahead, which may be chance; 0.20 mph higher 15 min ahead." in texts[2]
    assert texts[3].startswith("IntegratedGradients finds the planted cause better than Motion and Random")
    assert "which sensors 0.90 against 0.70 and 0.50" in texts[3]
    assert "STGGradCAM finds the planted cause better than Random and no better than Motion" in texts[4]
    assert "but not STGGradCAM 2.10 against 2.10" in texts[5]


@pytest.mark.parametrize(
    ("motion", "holds", "says"),
    [
        (3.0, True, "which asks no model (3.00): IntegratedGradients."),
        (5.0, None, "which asks no model (5.00): none of them."),
    ],
)
def test_what_moves_the_forecast_no_more_than_motion_does_is_left_open(motion, holds, says):
    deletion = {
        name: {"deletion": {"explained": score(value), "random": score(2.0), "gain": score(value - 2.0)}}
        for name, value in (("IntegratedGradients", 5.0), ("Motion", motion))
    }
    (verdict,) = forecast_verdicts({"deletion": deletion})
    assert verdict["holds"] is holds
    assert verdict["text"].endswith(says)


def hidden(highlighted, random=2.0):
    return {
        which: {"masking": [0.0, 1.0], "error": [score(2.0), score(value)], "change": [], "beta": score(0.0)}
        for which, value in (("highlighted", highlighted), ("least", 2.0), ("random", random))
    }


@pytest.mark.parametrize(
    ("errors", "holds", "says"),
    [
        ({"IntegratedGradients": 9.0, "Motion": 3.0}, True, "For every explainer, hiding the 3 sensors"),
        (
            {"IntegratedGradients": 3.0, "Motion": 3.0},
            False,
            "IntegratedGradients 3.00 against 2.00 and 3.00: error in mph",
        ),
        (
            {"InputGradient": 9.0, "STGGradCAM": 2.0, "Motion": 3.0},
            None,
            "but not STGGradCAM 2.00 against 2.00 and 3.00",
        ),
    ],
)
def test_what_hiding_sensors_costs_the_forecast(errors, holds, says):
    run = {"masking": {name: hidden(value) for name, value in errors.items()}, "masked_nodes": 3}
    (verdict,) = forecast_verdicts(run)
    assert verdict["holds"] is holds
    assert says in verdict["text"]


def test_hidden_sensors_are_told_beside_the_untouched_error(written):
    run = a_run(masking={"IntegratedGradients": hidden(9.0)}, masked_nodes=3)
    text = written(runs={"stgcn-roads": run}).text
    assert "with all sensors the error is 2.000" in text
    assert "And with 3 whole sensors set to what is usual" in text


def test_of_a_handful_of_slowdowns_nothing_is_said_to_hold():
    run = a_run()
    few = {**run["events"], "explained": run["events"]["explained"][:1]}
    found = forecast_verdicts({**run, "events": few})
    assert [verdict["holds"] for verdict in found] == [True, True, None, None, None, None]
    assert found[3]["text"].endswith("Only 1 slowdown was explained, which is too few to tell.")


@pytest.mark.parametrize(
    ("differences", "holds", "says"),
    [
        ({"3": score(-0.3), "12": score(-0.2)}, False, "forecasts worse than persistence"),
        ({"3": score(0.0), "12": score(-0.2)}, None, "forecasts no better than persistence"),
        ({"3": score(0.3), "12": score(0.0)}, None, "forecasts only in part better than persistence"),
    ],
)
def test_a_model_that_does_not_beat_persistence(differences, holds, says):
    (verdict,) = forecast_verdicts({"model_title": "STGCN", "differences": {"persistence": differences}})
    assert verdict["holds"] is holds
    assert says in verdict["text"]


@pytest.mark.parametrize(("value", "holds"), [(0.3, True), (0.0, False), (-0.3, False)])
def test_whether_the_graph_is_used_tells_whether_neighbours_may_be_trusted(value, holds):
    (verdict,) = forecast_verdicts({"differences": {"without its graph": {"6": score(value)}}})
    assert verdict["holds"] is holds
    assert ("is to be distrusted" in verdict["text"]) is not holds


def test_a_weak_model_on_a_week_of_real_data_is_said_to_be_both(written):
    dataset = {**RESULTS["dataset"], "planted": False, "days": 7.0}
    run = a_run(differences={"persistence": {"3": score(-0.5)}}, localisation=None)
    text = written(dataset=dataset, runs={"stgcn-roads": run}).text
    assert "7 days are little data" in text
    assert "does not beat a baseline is not worth explaining" in text
    assert "localisation cannot be scored" in text
    assert "The data is generated" not in text


def test_what_a_run_lacks_is_said(written):
    text = written(runs={}, dataset={}, figures=[]).text
    for said in ("No forecast was evaluated", "No slowdown was explained", "Nothing was measured that could tell"):
        assert said in text


def test_hostile_names_stay_text(written):
    hostile = "<img src=x onerror=alert(1)>"
    run = json.loads(json.dumps(a_run()).replace("s7", hostile).replace("STGCN", hostile))
    page = written(runs={hostile: run}, title=hostile)
    assert page.stack == []
    assert hostile in page.text
    assert not [tag for tag, _ in page.elements if tag == "img"]


def test_a_kind_that_is_not_known(written):
    with pytest.raises(DataError, match="of the kind 'forcast'. Did you mean 'forecast'"):
        written(kind="forcast")
