"""What is claimed of a forecaster, and the verdict on it, from given results."""

from dataclasses import replace

import pytest

from stexplain.bench.claims import judge
from stexplain.bench.stages.deletion import DeletionStage
from stexplain.bench.stages.event_localisation import EventLocalisationStage
from stexplain.bench.stages.forecast_error import ForecastErrorStage
from stexplain.bench.stages.forecast_masking import ForecastMaskingStage
from stexplain.bench.stages.graph_ablation import NAME, GraphAblationStage
from tests.bench.forecast_results import EVENT, a_run, at_horizons, masked, paired, stages
from tests.bench.page import score


def judged(kind, run, **options):
    """The verdicts of a stage, as a mapping from sentence to verdict."""
    return dict(judge(list(kind(kind.Options(**options)).claims(run))))


def test_forecasts_and_the_graph_are_judged_by_their_tests():
    run = a_run()
    errors = judged(ForecastErrorStage, run, horizons=[1, 3])
    assert list(errors.values()) == ["supported", "supported"]
    assert next(iter(errors)) == (
        "For this training, forecasts of STGCN are more accurate than persistence 5 min ahead and 15 min ahead (MAE is "
        "0.20 mph lower 5 min ahead; 1.70 mph lower 15 min ahead; 800 test windows in 12 days)."
    )
    ((text, verdict),) = judged(GraphAblationStage, run).items()
    assert verdict == "inconclusive"
    assert "STGCN uses its graph 15 min ahead; is not shown to use its graph 5 min ahead" in text
    assert "MAE is 0.00 mph higher 5 min ahead; 0.20 mph higher 15 min ahead" in text


def test_one_line_of_a_verdict_has_the_horizon_that_speaks_least_for_it():
    claims = list(ForecastErrorStage(ForecastErrorStage.Options(horizons=[1, 3])).claims(a_run()))
    assert [claim.brief.number for claim in claims] == [
        "MAE is 0.20 mph lower 5 min ahead (800 windows)",
        "MAE is 2.00 mph lower 5 min ahead, 1.00 mph lower 15 min ahead (800 windows)",
    ]


def test_one_line_of_localisation_names_all_that_must_be_beaten_on_both_axes():
    first = next(iter(EventLocalisationStage(EventLocalisationStage.Options()).claims(a_run())))
    assert "better than the gradient and than what uses no model" in first.brief.claim
    assert (
        first.brief.number
        == "AUROC over sensors 0.90, InputGradient 0.80; over times 0.90, InputGradient 0.80 (12 events)"
    )


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


def test_of_a_handful_of_events_nothing_is_supported():
    few = {**stages()["events"], "explained": [EVENT]}
    run = a_run(events=few)
    assert list(judged(ForecastErrorStage, run, horizons=[1]).values()) == ["supported", "supported"]
    for kind in (EventLocalisationStage, DeletionStage):
        found = judged(kind, run)
        assert len(found) == 2
        for text, verdict in found.items():
            assert verdict == "inconclusive"
            said = text.partition(" Only 1 event was explained, too few to tell")[2]
            # What the sentence left open before, such as being level with a random order.
            assert said == (": on these events it is level with a random order." if "is not shown to" in text else ".")


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
