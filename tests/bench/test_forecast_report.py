import json

import pandas as pd
import pytest

from stexplain.bench.report import write_report
from stexplain.bench.stage import RunResults
from stexplain.bench.stages.deletion import DeletionStage
from stexplain.bench.stages.event_localisation import EventLocalisationStage
from stexplain.bench.stages.forecast_error import ForecastErrorStage
from stexplain.bench.stages.forecast_masking import ForecastMaskingStage
from stexplain.bench.stages.graph_ablation import NAME, GraphAblationStage
from stexplain.files import write_json
from stexplain.viz import horizon_errors, save
from tests.bench.page import Page, score


def located(value):
    return {
        over: {"auroc": score(value), "ap": score(value / 2), "pointing": score(value / 3)}
        for over in ("nodes", "frames", "positions")
    }


EVENT = {
    "target": "s7", "start": "2012-03-05 07:00", "window": 3, "horizon": 3, "last_observation": 61.0, "observed": 24.4,
    "forecast": 31.2, "historical_average": 58.0,
}  # fmt: skip


def stages(**changes):
    """Results of the stages of a run."""
    results = {
        "train": {"parameters": 12345, "train": 2800, "validation": 400, "selected_epoch": 3},
        "forecast_error": {
            "test": 800, "horizons": [1, 3], "resampled": "days",
            "errors": {
                "model": {"mae": [2.0, 2.51, 3.0], "rmse": [4.0, 5.0, 6.0], "mape": [5.0, 6.1, 7.04]},
                "persistence": {"mae": [2.2, 3.5, 4.7], "rmse": [5.0, 6.0, 7.0], "mape": [6.0, 7.0, 8.0]},
                "historical average": {"mae": [4.0, 4.0, 4.0], "rmse": [6.0, 6.0, None], "mape": [10.0, 10.0, 10.0]},
            },
            "differences": {
                "persistence": {"1": score(0.2), "3": score(1.7)},
                "historical average": {"1": score(2.0), "3": score(1.0)},
            },
        },
        "graph_ablation": {
            "errors": {NAME: {"mae": [2.0, 2.6, 3.2], "rmse": [4.0, 5.0, 6.1], "mape": [5.0, 6.0, 8.0]}},
            "differences": {NAME: {"1": score(0.0), "3": score(0.2)}},
        },
        "events": {
            "rule": "Explained are falls by 15 mph.", "events": 31, "forecast": 24, "explained": [EVENT] * 12,
            "methods": ["IntegratedGradients"],
            "shown": [
                {**EVENT, "row": 0, "method": "IntegratedGradients", "contributions": [
                     {"node": "s8", "lag": 2, "value": -7.31}, {"node": "s7", "lag": 0, "value": -2.0},
                 ]}
            ],
            "share_at_other_nodes": {"IntegratedGradients": score(0.4321)},
            "completeness_gap": {"IntegratedGradients": score(0.123)},
        },
        "event_localisation": {
            "localisation": {
                "IntegratedGradients": located(0.9), "STGGradCAM": located(0.6), "Motion": located(0.7),
                "Random": located(0.5),
            }
        },
        "deletion": {
            "deletion": {
                "IntegratedGradients": {
                    kind: {"explained": score(5.0), "random": score(2.0), "gain": score(3.0)}
                    for kind in ("deletion", "insertion")
                },
                "STGGradCAM": {"deletion": {"explained": score(2.1), "random": score(2.1), "gain": score(0.0)}},
                "Random": {"deletion": {"explained": score(2.1), "random": score(2.1), "gain": score(0.0)}},
            }
        },
        "forecast_masking": {"masking": {}, "nodes": 3},
    }  # fmt: skip
    return {**results, **changes}


DATASET = {
    "name": "roads", "title": "Planted roads", "planted": True, "source": "generated", "obtain": "It is made.",
    "nodes": 48, "edges": 96, "frames": 4032, "minutes": 5, "window": 12, "horizon": 3, "unit": "mph",
    "windows": {"train": 2800, "validation": 400, "test": 800}, "missing": 0.0312, "days": 14.0,
}  # fmt: skip
ABOUT = {
    "task": "forecasting", "dataset": "roads", "model": "stgcn-roads", "model_title": "STGCN", "recipe": "quick",
    "recipe_summary": "few epochs", "epochs": 5, "published": {},
}  # fmt: skip
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


def a_run(**changes):
    return RunResults("stgcn-roads", {**ABOUT, "stages": stages(**changes)}, DATASET, "sensor")


def judged(kind, run, **options):
    """The verdicts of a stage, as a mapping from sentence to verdict."""
    return dict(kind(kind.Options(**options)).verdicts(run))


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
        "Lowered most by s8, lag 10 min: -7.3 mph; s7, lag 0 min: -2.0 mph.",
        "Of 31 slowdowns, the model forecast 24",
        "miss 12.3% of the change", "1.700 (1.680–1.720)", "7.04", "0.900 (0.880–0.920)", "0.432", "3.1%", "2,800",
        "Explained are falls by 15 mph.", "They rise.", "stexplain bench roads", "sensors × lags",
        "bootstrap over days",
    ):  # fmt: skip
        assert shown in text, shown


def test_the_section_of_the_graph_ablation_alone_has_its_errors():
    run = a_run()
    errors = ForecastErrorStage(ForecastErrorStage.Options(horizons=[1, 3])).section([run])
    assert "no message passing" not in errors
    ablation = Page(GraphAblationStage(GraphAblationStage.Options()).section([run])).text
    for shown in ("MAE of the model, mph", "3.000", "3.200", "0.200 (0.180–0.220)"):
        assert shown in ablation, shown


def test_verdicts_follow_from_the_intervals():
    run = a_run()
    errors = judged(ForecastErrorStage, run, horizons=[1, 3])
    assert list(errors.values()) == ["supported", "supported"]
    assert next(iter(errors)) == (
        "Forecasts of STGCN are more accurate than persistence (MAE is 0.20 mph lower 5 min ahead; 1.70 mph lower "
        "15 min ahead)."
    )
    ((text, verdict),) = judged(GraphAblationStage, run).items()
    assert verdict == "inconclusive"
    assert "uses its graph, but at some horizons only" in text
    assert "0.00 mph higher 5 min ahead, the interval includes 0; 0.20 mph higher 15 min ahead." in text
    located = judged(EventLocalisationStage, run)
    assert list(located.values()) == ["supported", "not supported"]
    first, second = located
    assert first.startswith(
        "IntegratedGradients localises the ground truth more accurately than temporal change and random attribution"
    )
    assert "AUROC over sensors 0.90 against 0.70 and 0.50" in first
    assert "more accurately than random attribution and no better than temporal change" in second
    ((text, verdict),) = judged(DeletionStage, run).items()
    assert verdict == "inconclusive"
    assert "not for STGGradCAM 2.10 against 2.10" in text


@pytest.mark.parametrize(
    ("motion", "verdict", "says"),
    [
        (3.0, "supported", "which uses no model (3.00): IntegratedGradients."),
        (5.0, "inconclusive", "which uses no model (5.00): none."),
    ],
)
def test_a_change_no_larger_than_that_of_motion_is_inconclusive(motion, verdict, says):
    deletion = {
        name: {"deletion": {"explained": score(value), "random": score(2.0), "gain": score(value - 2.0)}}
        for name, value in (("IntegratedGradients", 5.0), ("Motion", motion))
    }
    ((text, outcome),) = judged(DeletionStage, a_run(deletion={"deletion": deletion})).items()
    assert outcome == verdict
    assert text.endswith(says)


def masked(highlighted, random=2.0):
    return {
        which: {"masking": [0.0, 1.0], "error": [score(2.0), score(value)], "change": [], "beta": score(0.0)}
        for which, value in (("highlighted", highlighted), ("least", 2.0), ("random", random))
    }


@pytest.mark.parametrize(
    ("errors", "verdict", "says"),
    [
        ({"IntegratedGradients": 9.0, "Motion": 3.0}, "supported", "For every explainer, masking the 3 sensors"),
        (
            {"IntegratedGradients": 3.0, "Motion": 3.0},
            "not supported",
            "(error in mph: IntegratedGradients 3.00 against 2.00 and 3.00)",
        ),
        (
            {"InputGradient": 9.0, "STGGradCAM": 2.0, "Motion": 3.0},
            "inconclusive",
            "not for STGGradCAM 2.00 against 2.00 and 3.00",
        ),
    ],
)
def test_what_masking_sensors_costs_the_forecast(errors, verdict, says):
    masking = {"masking": {name: masked(value) for name, value in errors.items()}, "nodes": 3}
    ((text, outcome),) = judged(ForecastMaskingStage, a_run(forecast_masking=masking)).items()
    assert outcome == verdict
    assert says in text


def test_errors_under_masking_are_shown_beside_the_unmasked_error(written):
    masking = {"masking": {"IntegratedGradients": masked(9.0)}, "nodes": 3}
    text = written(runs={"stgcn-roads": {**ABOUT, "stages": stages(forecast_masking=masking)}}).text
    assert "Unmasked, it is 2.000" in text
    assert "with 3 sensors masked by their historical average" in text


def test_of_a_handful_of_events_nothing_is_supported():
    few = {**stages()["events"], "explained": [EVENT]}
    run = a_run(events=few)
    assert list(judged(ForecastErrorStage, run, horizons=[1]).values()) == ["supported", "supported"]
    for kind in (EventLocalisationStage, DeletionStage):
        for text, verdict in judged(kind, run).items():
            assert verdict == "inconclusive"
            assert text.endswith("Only 1 event was explained, too few to tell.")


@pytest.mark.parametrize(
    ("differences", "verdict", "says"),
    [
        ({"3": score(-0.3), "12": score(-0.2)}, "not supported", "are less accurate than persistence"),
        ({"3": score(0.0), "12": score(-0.2)}, "inconclusive", "are not more accurate than persistence"),
        (
            {"3": score(0.3), "12": score(0.0)},
            "inconclusive",
            "are more accurate at some horizons only than persistence",
        ),
    ],
)
def test_a_model_that_does_not_beat_persistence(differences, verdict, says):
    error = {**stages()["forecast_error"], "differences": {"persistence": differences}}
    ((text, outcome),) = judged(ForecastErrorStage, a_run(forecast_error=error), horizons=[3]).items()
    assert outcome == verdict
    assert says in text


@pytest.mark.parametrize(("value", "verdict"), [(0.3, "supported"), (0.0, "not supported"), (-0.3, "not supported")])
def test_whether_the_graph_is_used_tells_whether_neighbours_may_be_trusted(value, verdict):
    ablation = {"differences": {NAME: {"6": score(value)}}}
    ((text, outcome),) = judged(GraphAblationStage, a_run(graph_ablation=ablation)).items()
    assert outcome == verdict
    assert ("has little weight" in text) is (verdict != "supported")


def test_a_weak_model_on_a_week_of_real_data_is_said_to_be_both(written):
    error = {**stages()["forecast_error"], "differences": {"persistence": {"3": score(-0.5)}}}
    run = {**ABOUT, "stages": stages(forecast_error=error, event_localisation={"localisation": None})}
    text = written(datasets={"roads": {**DATASET, "planted": False, "days": 7.0}}, runs={"stgcn-roads": run}).text
    assert "7 days are little data" in text
    assert "no better than a simple forecast is not worth explaining" in text
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
