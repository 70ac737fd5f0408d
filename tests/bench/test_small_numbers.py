"""Numbers of a unit in which all are small, such as volts of an EEG: a report wrote 0.00 of each."""

from types import SimpleNamespace
from typing import Any

from stexplain.bench.html import number
from stexplain.bench.shared.baseline_tests import beside_best, means_in_words
from stexplain.bench.stages.forecast_error import ForecastErrorStage, horizon_tests
from tests.bench.forecast_results import at_horizons
from tests.bench.page import score


def a_run() -> Any:
    errors = {"model": {"mae": [1.2e-05]}, "persistence": {"mae": [3.6e-05]}}
    result = {"horizons": [1], "errors": errors, "tests": {"persistence": at_horizons(h1=2.4e-05)}}
    stages = {"forecast_error": result}
    run = SimpleNamespace(stages=stages, unit="V", label="small", model="STGCN", minutes=lambda step: f"{step} s")
    run.trainings = [run]
    return run


def test_errors_and_their_difference_are_told() -> None:
    _, words, short = horizon_tests(a_run(), "forecast_error", "persistence")
    assert words == short == "MAE is 2.4e-05 V lower 1 s ahead"
    stage = ForecastErrorStage(ForecastErrorStage.Options(horizons=[1]))
    stage.name = "forecast_error"
    assert "STGCN 1.2e-05, persistence 3.6e-05 V." in stage.summary([a_run()]).html
    assert "small 1.2e-05, persistence 3.6e-05 V." in next(iter(stage.trust([a_run()])))


def test_means_and_intervals_are_told() -> None:
    assert means_in_words({"Random": 0.00031, "Motion": 0.0}) == "Random 0.00031 and Motion 0.00"
    assert beside_best("change", {"Random": 0.00031, "Motion": -2e-06}, "Motion") == "change -2e-06, Random 0.00031"
    assert number({**score(0.0), "value": 2e-05, "low": 1e-05, "high": 0.5}) == "2e-05 (1e-05–0.500)"
