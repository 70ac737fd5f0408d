"""What the report of a forecaster shows of given results."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from stexplain.bench.report import write_report
from stexplain.bench.stages.forecast_error import ForecastErrorStage
from stexplain.bench.stages.graph_ablation import GraphAblationStage
from stexplain.files import write_json
from stexplain.viz import horizon_errors, save
from tests.bench.forecast_results import ABOUT, DATASET, a_run, at_horizons, masked, stages
from tests.bench.page import Page, score
from tests.training.roads import forecaster, series, speeds

RESULTS = {
    "title": "Slowdowns, explained", "question": "Which sensors?", "citation": "Yu 2018", "node": "sensor",
    "stages": {
        "forecast_error": {"horizons": [1, 3]}, "graph_ablation": {}, "events": {}, "deletion": {},
        "forecast_masking": {}, "event_localisation": {}, "train": {},
    },
    "datasets": {"roads": DATASET},
    "command": "stexplain bench roads", "seed": 7, "versions": {"torch": "2.13.0"}, "seconds": {"train": 90.0},
    "runs": {"stgcn-roads": {**ABOUT, "stages": stages()}},
    "figures": [
        {"id": "e", "stage": "forecast_error", "title": "Errors", "caption": "They rise.", "json": "figures/e.json"}
    ],
}  # fmt: skip


@pytest.fixture
def written(tmp_path):
    table = pd.DataFrame({"method": ["a"], "measure": ["mae"], "horizon": [1], "value": [2.0]})
    save(horizon_errors(table), tmp_path / "figures/e.json")

    def write(**changes):
        write_json(tmp_path / "results.json", {**RESULTS, **changes})
        return Page(write_report(tmp_path).read_text("utf-8"))

    return write


def test_numbers_are_those_given(written):
    text = written().text
    for shown in (
        "15 min ahead: STGCN 3.00, persistence 4.70, historical average 4.00, no message passing 3.20 mph",
        "5 min ahead: STGCN 2.00",
        "s7, window from 2012-03-05 07:00, 15 min ahead: forecast 31 mph, observed 24, historical average 58.",
        "Lowered most by s8, 10 min earlier: -7.3 mph; s7, last observation: -2.0 mph.",
        "Of 31 slowdowns, the model forecast 24",
        "miss 12.3% of the change", "1.700 (1.680–1.720)", "7.04", "0.900 (0.880–0.920)", "0.432", "3.1%", "2,800",
        "Explained are falls by 15 mph.", "They rise.", "stexplain bench roads", "sensors × times",
        "bootstrap over 12 days",
        "another seed may lead to a model that uses other sensors",
    ):  # fmt: skip
        assert shown in text, shown


def test_each_row_says_what_its_method_is_ranked_by(written):
    curves = {name: masked(9.0) for name in ("IntegratedGradients", "InputGradient")}
    masking = {"masking": curves, "tests": {}, "nodes": 3, "events": 12}
    text = written(runs={"stgcn-roads": {**ABOUT, "stages": stages(forecast_masking=masking)}}).text
    assert text.count("methods with a sign are ranked by what lowered the forecast, all others by magnitude") == 3
    for row in (
        "integrated gradients what lowered the forecast sensors 0.900", "input gradient magnitude, either way sensors",
        "integrated gradients what lowered the forecast deletion", "input gradient magnitude, either way deletion",
        "integrated gradients what lowered the forecast 9.000", "input gradient magnitude, either way 9.000",
    ):  # fmt: skip
        assert row in text, row


def test_the_section_of_the_graph_ablation_alone_has_its_errors():
    run = a_run()
    errors = ForecastErrorStage(ForecastErrorStage.Options(horizons=[1, 3])).section([run])
    assert "no message passing" not in errors
    ablation = Page(GraphAblationStage(GraphAblationStage.Options()).section([run])).text
    for shown in ("MAE of the model, mph", "3.000", "3.200", "0.200 (0.180–0.220)"):
        assert shown in ablation, shown


def test_of_several_trainings_the_first_screen_says_all(written):
    more = stages(
        forecast_error={
            **stages()["forecast_error"],
            "errors": {
                **stages()["forecast_error"]["errors"],
                "model": {"mae": [1.5, 2.0, 2.5], "rmse": [], "mape": []},
            },
        },
        events={**stages()["events"], "forecast": 20, "completeness_gap": {"IntegratedGradients": score(0.25)}},
    )
    runs = {
        "stgcn-roads": {**ABOUT, "stages": stages()},
        "stgcn-roads/seed-8": {**ABOUT, "first": "stgcn-roads", "stages": more},
    }
    text = written(runs=runs, seeds=2).text
    for shown in (
        "Forecast error (MAE) 5 min ahead, over 2 trainings: STGCN 1.50 to 2.00, persistence 2.20, ",
        "Of 31 slowdowns, the model forecast 20 to 24 over 2 trainings; only those are explained",
        "miss up to 25.0% of the change of the forecast that they should sum to over 2 trainings;",
        "Each model was trained 2 times only.",
    ):
        assert shown in text, shown
    five = {**runs, **{f"stgcn-roads/seed-{n}": runs["stgcn-roads/seed-8"] for n in (9, 10, 11)}}
    assert "times only" not in written(runs=five, seeds=5).text


def test_errors_under_masking_are_shown_beside_the_unmasked_error(written):
    masking = {"masking": {"IntegratedGradients": masked(9.0)}, "tests": {}, "nodes": 3, "events": 12}
    text = written(runs={"stgcn-roads": {**ABOUT, "stages": stages(forecast_masking=masking)}}).text
    assert "Unmasked, it is 2.000" in text
    assert "with 3 sensors masked by their historical average" in text


def test_a_week_of_real_data_is_said_to_be_little(written):
    error = {**stages()["forecast_error"], "tests": {"persistence": at_horizons(h3=-0.5)}}
    run = {**ABOUT, "stages": stages(forecast_error=error, event_localisation={"localisation": None})}
    text = written(datasets={"roads": {**DATASET, "planted": False, "days": 7.0}}, runs={"stgcn-roads": run}).text
    assert "7 days are little data" in text
    assert "localisation cannot be scored" in text
    assert "ynthetic" not in text


def test_a_model_that_forecasts_no_slowdown(written):
    events = {"rule": "None.", "events": 3, "forecast": 0, "explained": [], "methods": [], "shown": []}
    run = {**ABOUT, "stages": stages(events=events, deletion={"deletion": {}})}
    text = written(runs={"stgcn-roads": run}, figures=[]).text
    assert "The model forecast no slowdown, so none was explained." in text
    assert "No slowdown was explained, so none was masked." in text


def test_hostile_names_stay_text(written):
    hostile = "<img src=x onerror=alert(1)>"
    run = json.loads(json.dumps({**ABOUT, "stages": stages()}).replace("s7", hostile).replace("STGCN", hostile))
    page = written(runs={hostile: run}, title=hostile)
    assert page.stack == []
    assert hostile in page.text
    assert not [tag for tag, _ in page.elements if tag == "img"]


def test_steps_are_reported_from_the_nearest_on_and_none_is_said_where_the_series_ends_before_all_of_them():
    train, _, test = series(speeds(200, missing=0.0)).split()
    run = SimpleNamespace(windows={"train": train, "test": test}.get, model=forecaster, seed=0)
    stage = ForecastErrorStage(ForecastErrorStage.Options(horizons=[3, 1, 3, 12]))
    result = stage.compute(run, {}, None)
    assert result["horizons"] == [1, 3]
    assert [one["against"] for one in result["tests"]["persistence"]] == ["1", "3"]
    late = ForecastErrorStage(ForecastErrorStage.Options(horizons=[12])).compute(run, {}, None)
    assert late["horizons"] == []
    assert list(stage.trust([a_run(forecast_error=late)])) == []
    assert list(stage.trust([a_run()])) != []
