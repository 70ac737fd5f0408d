import json
from dataclasses import replace

import pandas as pd
import pytest

from stexplain.bench.claims import judge
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


def paired(p=0.0001, **differences):
    """Tests against others, named as in results, positive where the method is better."""
    return [
        {"against": name.replace("_", " "), "difference": value, "p": p if value else 1.0}
        for name, value in differences.items()
    ]


def at_horizons(p=0.0001, **differences):
    """Tests of a forecast at steps ahead: positive where the model is better."""
    return [{"against": step[1:], "difference": value, "p": p if value else 1.0} for step, value in differences.items()]


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
            "tests": {
                "persistence": at_horizons(h1=0.2, h3=1.7), "historical average": at_horizons(h1=2.0, h3=1.0),
            },
        },
        "graph_ablation": {
            "errors": {NAME: {"mae": [2.0, 2.6, 3.2], "rmse": [4.0, 5.0, 6.1], "mape": [5.0, 6.0, 8.0]}},
            "differences": {NAME: {"1": score(0.0), "3": score(0.2)}},
            "tests": {NAME: at_horizons(h1=0.0, h3=0.2)},
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
                "IntegratedGradients": located(0.9), "STGGradCAM": located(0.6), "InputGradient": located(0.8),
                "Motion": located(0.7), "Slowness": located(0.75), "Random": located(0.5),
            },
            "tests": {
                "IntegratedGradients": {
                    over: paired(Motion=0.2, Slowness=0.15, Random=0.4, InputGradient=0.1)
                    for over in ("nodes", "frames")
                },
                "STGGradCAM": {
                    over: paired(Motion=-0.1, Slowness=-0.15, Random=0.1, InputGradient=-0.2)
                    for over in ("nodes", "frames")
                },
            },
        },
        "deletion": {
            "deletion": {
                "IntegratedGradients": {
                    kind: {"explained": score(5.0), "random": score(2.0), "gain": score(3.0)}
                    for kind in ("deletion", "insertion")
                },
                "STGGradCAM": {"deletion": {"explained": score(2.1), "random": score(2.1), "gain": score(0.0)}},
                "InputGradient": {"deletion": {"explained": score(4.0), "random": score(2.1), "gain": score(1.9)}},
                "Slowness": {"deletion": {"explained": score(3.5), "random": score(2.1), "gain": score(1.4)}},
                "Random": {"deletion": {"explained": score(2.1), "random": score(2.1), "gain": score(0.0)}},
            },
            "tests": {
                "IntegratedGradients": paired(Motion=2.0, Slowness=1.5, Random=3.0, InputGradient=1.0),
                "STGGradCAM": paired(Motion=0.0, Slowness=-1.4, Random=0.0, InputGradient=-1.9),
            },
        },
        "forecast_masking": {"masking": {}, "tests": {}, "nodes": 3},
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
    return dict(judge(list(kind(kind.Options(**options)).claims(run))))


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
        "bootstrap over days",
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


def test_forecasts_and_the_graph_are_judged_by_their_tests():
    run = a_run()
    errors = judged(ForecastErrorStage, run, horizons=[1, 3])
    assert list(errors.values()) == ["supported", "supported"]
    assert next(iter(errors)) == (
        "For this training, forecasts of STGCN are more accurate than persistence 5 min ahead and 15 min ahead (MAE is "
        "0.20 mph lower 5 min ahead; 1.70 mph lower 15 min ahead)."
    )
    ((text, verdict),) = judged(GraphAblationStage, run).items()
    assert verdict == "inconclusive"
    assert "STGCN uses its graph 15 min ahead; is not shown to use its graph 5 min ahead" in text
    assert "MAE is 0.00 mph higher 5 min ahead; 0.20 mph higher 15 min ahead" in text


def test_one_line_of_a_verdict_has_the_horizon_that_speaks_least_for_it():
    claims = list(ForecastErrorStage(ForecastErrorStage.Options(horizons=[1, 3])).claims(a_run()))
    assert [claim.brief.number for claim in claims] == [
        "MAE is 0.20 mph lower 5 min ahead",
        "MAE is 2.00 mph lower 5 min ahead, 1.00 mph lower 15 min ahead",
    ]


def test_one_line_of_localisation_names_all_that_must_be_beaten_on_both_axes():
    first = next(iter(EventLocalisationStage(EventLocalisationStage.Options()).claims(a_run())))
    assert "better than the gradient and than what uses no model" in first.brief.claim
    assert first.brief.number == "AUROC over sensors 0.90, InputGradient 0.80; over times 0.90, InputGradient 0.80"


def test_a_method_must_beat_chance_every_baseline_explainer_and_the_plain_gradient():
    located = judged(EventLocalisationStage, a_run())
    assert list(located.values()) == ["supported", "not supported"]
    first, second = located
    assert first == (
        "For this training, integrated gradients localises the ground truth better than random attribution over "
        "sensors, the strongest baseline explainer over sensors (slowness), the plain gradient over sensors, random "
        "attribution over times, the strongest baseline explainer over times (slowness) and the plain gradient over "
        "times (AUROC over sensors integrated gradients 0.90, random 0.50, slowness 0.75 and input gradient 0.80; "
        "over times integrated gradients 0.90, random 0.50, slowness 0.75 and input gradient 0.80; 12 events)."
    )
    assert "better than random attribution over sensors and random attribution over times; localises the" in second
    assert "localises the ground truth worse than the strongest baseline explainer over sensors (slowness)" in second
    deleted = judged(DeletionStage, a_run())
    assert list(deleted.values()) == ["supported", "not supported"]
    first, second = deleted
    assert first == (
        "For this training, masking observations in the order of integrated gradients changes the forecast more than a "
        "random order, the strongest baseline explainer (slowness) and the plain gradient (mean change in mph: "
        "integrated gradients 5.00, slowness 3.50, input gradient 4.00 and random orders 2.00; 12 events)."
    )
    assert "is not shown to change the forecast more than a random order; changes the forecast less than the" in second


def test_a_claim_over_trainings_needs_all_of_them_to_agree():
    def deletion(gain):
        tests = {"IntegratedGradients": paired(Slowness=gain, Random=3.0, InputGradient=1.0)}
        return {**stages()["deletion"], "tests": tests}

    first, *others = (a_run(deletion=deletion(gain)) for gain in (1.5, 1.4, 1.6, 1.5))
    run = replace(first, others=tuple(others))
    ((text, verdict),) = judged(DeletionStage, run).items()
    assert verdict == "supported"
    assert text.startswith("Over 4 trainings, masking")
    torn = replace(first, others=(*others[:2], a_run(deletion=deletion(-1.5))))
    ((text, verdict),) = judged(DeletionStage, torn).items()
    assert verdict == "inconclusive"
    assert "is not shown to change the forecast more than the strongest baseline explainer (slowness)" in text


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


def masked(highlighted, random=2.0):
    return {
        which: {
            "masking": [0.0, 1.0], "error": [score(2.0), score(value)], "change": [], "beta": score(0.0), "area": value,
        }
        for which, value in (("highlighted", highlighted), ("least", 2.0), ("random", random))
    }  # fmt: skip


@pytest.mark.parametrize(
    ("differences", "verdict", "says"),
    [
        (
            {"Slowness": 6.0, "InputGradient": 1.0, "random": 7.0, "least": 7.0},
            "supported",
            "ranks first causes a larger error than masking random sensors, the least important sensors, those of the "
            "strongest baseline explainer (slowness) and those of the plain gradient (mean error",
        ),
        (
            {"Slowness": 0.0, "InputGradient": 1.0, "random": 7.0, "least": 7.0},
            "inconclusive",
            "; is not shown to cause a larger error than masking those of the strongest baseline explainer (slowness)",
        ),
        (
            {"Slowness": 6.0, "InputGradient": -1.0, "random": 7.0, "least": -3.0},
            "not supported",
            "; causes a smaller error than masking the least important sensors and those of the plain gradient (mean",
        ),
    ],
)
def test_what_masking_sensors_costs_the_forecast(differences, verdict, says):
    curves = {"IntegratedGradients": masked(9.0), "Slowness": masked(3.0), "InputGradient": masked(8.0)}
    masking = {"masking": curves, "tests": {"IntegratedGradients": paired(**differences)}, "nodes": 3, "events": 12}
    ((text, outcome),) = judged(ForecastMaskingStage, a_run(forecast_masking=masking)).items()
    assert outcome == verdict
    assert says in text
    assert text.startswith("For this training, masking the 3 sensors that integrated gradients ranks first causes")
    assert text.endswith(
        "integrated gradients 9.00, slowness 3.00, input gradient 8.00, random sensors 2.00 and the least important "
        "sensors 2.00; 12 events)."
    )


def test_errors_under_masking_are_shown_beside_the_unmasked_error(written):
    masking = {"masking": {"IntegratedGradients": masked(9.0)}, "tests": {}, "nodes": 3, "events": 12}
    text = written(runs={"stgcn-roads": {**ABOUT, "stages": stages(forecast_masking=masking)}}).text
    assert "Unmasked, it is 2.000" in text
    assert "with 3 sensors masked by their historical average" in text


def test_of_a_handful_of_events_nothing_is_supported():
    few = {**stages()["events"], "explained": [EVENT]}
    run = a_run(events=few)
    assert list(judged(ForecastErrorStage, run, horizons=[1]).values()) == ["supported", "supported"]
    for kind in (EventLocalisationStage, DeletionStage):
        found = judged(kind, run)
        assert len(found) == 2
        for text, verdict in found.items():
            assert verdict == "inconclusive"
            assert text.endswith("Only 1 event was explained, too few to tell.")


@pytest.mark.parametrize(
    ("differences", "verdict", "says"),
    [
        (
            {"h3": -0.3, "h12": -0.2},
            "not supported",
            "are less accurate than persistence 15 min ahead and 60 min ahead",
        ),
        (
            {"h3": 0.0, "h12": -0.2},
            "not supported",
            "not shown to be more accurate than persistence 15 min ahead; less accurate than persistence 60 min ahead",
        ),
        (
            {"h3": 0.3, "h12": 0.0},
            "inconclusive",
            "more accurate than persistence 15 min ahead; not shown to be more accurate than persistence 60 min ahead",
        ),
    ],
)
def test_a_model_that_does_not_beat_persistence(differences, verdict, says):
    error = {**stages()["forecast_error"], "tests": {"persistence": at_horizons(**differences)}}
    ((text, outcome),) = judged(ForecastErrorStage, a_run(forecast_error=error), horizons=[3]).items()
    assert outcome == verdict
    assert says in text
    assert text.endswith("no better than a simple forecast say little.")


@pytest.mark.parametrize(("value", "verdict"), [(0.3, "supported"), (0.0, "inconclusive"), (-0.3, "not supported")])
def test_whether_the_graph_is_used_tells_whether_neighbours_may_be_trusted(value, verdict):
    ablation = {"tests": {NAME: at_horizons(h6=value)}, "differences": {NAME: {"6": score(value)}}}
    ((text, outcome),) = judged(GraphAblationStage, a_run(graph_ablation=ablation)).items()
    assert outcome == verdict
    assert ("has little weight" in text) is (verdict != "supported")


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
