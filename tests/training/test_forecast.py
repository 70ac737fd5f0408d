from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from stexplain.data.grouping import window_blocks
from stexplain.data.scaler import Scaler
from stexplain.data.series import WindowedSeries
from stexplain.errors import DataError, InputError
from stexplain.intervals.bootstrap import ratio_interval
from stexplain.training.forecast import METRICS, ForecastEvaluation, Metric, evaluate_forecast, forecast_errors
from tests.reference.scores import slow_forecast_errors
from tests.training.roads import NODES, forecaster, series, speeds


class Constant(nn.Module):
    def __init__(self, value: float = 50.0, horizon: int = 3):
        super().__init__()
        self.value, self.ahead = value, horizon

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.full((len(x), self.ahead, x.shape[3]), self.value)


@pytest.mark.parametrize("batch", [1, 7, 64, 1000])
def test_errors_are_those_of_the_whole_part_and_not_the_mean_of_batches(batch: int) -> None:
    values = speeds(60)
    values[:20][np.random.default_rng(1).random((20, NODES)) < 0.7] = np.nan  # so that batches weigh unequally
    values[30:33, 2] = 0.0
    part = series(values)
    model = forecaster(scaler=Scaler([50.0], [9.0])).double()
    whole = part.batch(slice(None))
    forecasts = model(whole.x.double(), observed=whole.observed).detach().numpy()
    slow = slow_forecast_errors(forecasts, whole.y.double().numpy(), whole.y_observed.numpy())
    evaluation = evaluate_forecast(model, part, batch=batch)
    assert len(evaluation) == len(part) == 52
    for metric in METRICS:
        np.testing.assert_allclose(getattr(evaluation, metric), slow[metric][:3], rtol=1e-10)
        assert evaluation.score(metric).value == pytest.approx(slow[metric][3], rel=1e-10)
        assert evaluation.score(metric, 2).value == pytest.approx(slow[metric][1], rel=1e-10)
    assert evaluation.relative_count.sum() < evaluation.count.sum()


def test_what_a_missing_target_holds_is_no_matter() -> None:
    values = speeds(60, missing=0.0)
    observed = np.random.default_rng(0).random(values.shape) > 0.3
    one = evaluate_forecast(Constant(), series(values, observed=observed))
    other = evaluate_forecast(Constant(), series(np.where(observed, values, 1e6), observed=observed))
    for metric in METRICS:
        np.testing.assert_array_equal(getattr(one, metric), getattr(other, metric))


def test_the_model_s_layouts_are_kept_to() -> None:
    class Theirs(nn.Module):
        inputs, outputs = "b c n t", "b n t"

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, 0, :, -3:]

    values = speeds(40, missing=0.0)
    part = series(values)
    evaluation = evaluate_forecast(Theirs(), part)
    whole = part.batch(slice(None))
    np.testing.assert_allclose(
        evaluation.mae, (whole.x[:, 0, -3:, :, 0] - whole.y).abs().double().mean((0, 2)).numpy(), rtol=1e-6
    )


def test_the_mode_comes_back_also_after_an_error() -> None:
    model = forecaster(dropout=0.5).train()
    one, two = evaluate_forecast(model, series()), evaluate_forecast(model, series())
    np.testing.assert_array_equal(one.mae, two.mae)
    assert model.training
    frozen = next(module for module in model.modules() if isinstance(module, nn.Dropout)).eval()
    model.forward = lambda x: 1 / 0  # type: ignore[method-assign, assignment]
    with pytest.raises(ZeroDivisionError):
        evaluate_forecast(model, series())
    assert model.training
    assert not frozen.training


def test_blocks_are_days_where_there_are_enough() -> None:
    short = series(speeds(9 * 24), every="h")
    assert window_blocks(short.starts, 9, short.time)[1] == "24 blocks of 9 frames"
    long = series(speeds(12 * 24), every="h")
    blocks, words = window_blocks(long.starts, 9, long.time)
    assert np.array_equal(blocks, long.groups)
    assert words == "12 days"
    assert np.bincount(blocks).tolist() == [24] * 11 + [24 - 8]
    # Windows of any subset are grouped by their frames.
    part = series(speeds(100), stride=4)
    assert part.groups.tolist() == [4 * index // 9 for index in range(23)]
    assert part.subset([0, 2, 5, 6]).groups.tolist() == [0, 0, 1, 1]


def test_intervals_are_over_the_groups_of_the_series() -> None:
    part = series(speeds(150))
    evaluation = evaluate_forecast(Constant(), part)
    of_mean = ratio_interval(evaluation.absolute[:, 1], evaluation.count[:, 1], groups=part.groups)
    assert evaluation.score("mae", 2) == pytest.approx(of_mean)
    assert evaluation.score("mae", 2).value == pytest.approx(evaluation.mae[1])
    squared = ratio_interval(evaluation.squared[:, 1], evaluation.count[:, 1], groups=part.groups)
    assert evaluation.score("rmse", 2) == pytest.approx(np.sqrt(squared))
    relative = ratio_interval(evaluation.relative[:, 1], evaluation.relative_count[:, 1], groups=part.groups)
    assert evaluation.score("mape", 2) == pytest.approx(100 * np.array(relative))


@pytest.mark.parametrize("metric", METRICS)
def test_the_interval_of_a_difference_is_that_of_a_slow_bootstrap_over_blocks(metric: Metric) -> None:
    part = series(speeds(600))
    one, other = evaluate_forecast(Constant(54.0), part), evaluate_forecast(Constant(66.0), part)
    random, count = np.random.default_rng(5), int(one.blocks.max()) + 1
    members = [np.flatnonzero(one.blocks == block) for block in range(count)]

    def slow(of: ForecastEvaluation, rows: NDArray[np.int64]) -> float:
        total = {"mae": of.absolute, "rmse": of.squared, "mape": of.relative}[metric][rows, 1].sum()
        mean = total / (of.relative_count if metric == "mape" else of.count)[rows, 1].sum()
        return float(mean**0.5 if metric == "rmse" else 100 * mean if metric == "mape" else mean)

    draws = []
    for _ in range(2000):
        rows = np.concatenate([members[block] for block in random.integers(0, count, count)])
        draws.append(slow(one, rows) - slow(other, rows))
    found = one.minus(other, metric, 2)
    assert found.value == pytest.approx(slow(one, np.arange(len(one))) - slow(other, np.arange(len(one))), rel=1e-9)
    low, high = np.quantile(draws, [0.025, 0.975])
    # Of many blocks both agree but for the noise of the draws; of few, percentiles are too narrow.
    assert count > 60
    assert [found.low, found.high] == pytest.approx([low, high], abs=0.15 * (high - low))
    # What windows add is what a paired test takes: its sum is the difference.
    each, weight = one.differences(other, metric, 2)
    assert (each.sum(), weight.sum()) == (pytest.approx(found.value), pytest.approx(1.0))


def test_a_paired_difference_knows_what_is_hard_for_both() -> None:
    # Errors that differ by exactly 1 mph at every reading: how hard a block is for both does not widen the interval.
    part = series(speeds(150) + 100)
    one, other = evaluate_forecast(Constant(60.0), part), evaluate_forecast(Constant(61.0), part)
    value, low, high = one.minus(other)
    assert value == pytest.approx(1.0, rel=1e-5)
    assert one.score("mae").high - one.score("mae").low > 0.5
    # No width at all would claim certainty: 16 blocks that agree leave room for others, between no difference and this.
    assert int(one.blocks.max()) + 1 == 16
    assert [low, high] == pytest.approx([0.05 ** (1 / 16), 1.0], rel=1e-5)
    assert other.minus(one, "mae", 2).value == pytest.approx(-1.0, rel=1e-5)
    with pytest.raises(InputError, match="of other windows: 142 and 92"):
        one.minus(evaluate_forecast(Constant(), series(speeds(100))))


def test_one_block_has_no_interval() -> None:
    value, low, high = evaluate_forecast(Constant(), series(speeds(15))).score()
    assert np.isfinite(value)
    assert np.isnan([low, high]).all()


def test_the_table_has_a_row_for_each_horizon_that_there_is() -> None:
    evaluation = evaluate_forecast(Constant(), series())
    frame = evaluation.to_frame()
    assert frame["horizon"].tolist() == [3, "all"]
    assert frame.columns.tolist() == ["horizon", *(f"{m}{end}" for m in METRICS for end in ("", "_low", "_high"))]
    assert frame.loc[0, "rmse"] == pytest.approx(evaluation.rmse[2])
    assert "MAE" in repr(evaluation)
    assert "mph" in repr(evaluation)


def test_wrong_calls_are_named() -> None:
    def call(match: str, model: Any, part: WindowedSeries, kind: type[Exception] = InputError) -> None:
        with pytest.raises(kind, match=match):
            evaluate_forecast(model, part)

    part = series()
    call("series: got no windows", Constant(), part.subset(slice(0, 0)))
    call("got horizon 3; expected the model's 2", forecaster(horizon=2), part)
    call("got channels_in 1; expected the model's 2", forecaster(channels_in=2), part)
    call("got a graph of 3 nodes; expected the model's 4 nodes", forecaster(), series(speeds()[:, :3], graph=None))
    call(r"got shape \(64, 2, 4\) in layout 'b t n'; expected 64 samples, 3 horizons", Constant(horizon=2), part)
    call("NaN or infinite for the window '0'", Constant(float("nan")), part, DataError)
    call("series: got no observed target", Constant(), series(np.full((20, NODES), np.nan)), DataError)
    with pytest.raises(InputError, match="unknown metric"):
        evaluate_forecast(Constant(), part).score("mse")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="horizon: got 4; expected 1 to 3"):
        evaluate_forecast(Constant(), part).score("mae", 4)


def test_any_function_can_be_evaluated() -> None:
    part = series(speeds(40))
    perfect = forecast_errors(lambda windows: windows.y, part)
    assert not perfect.mae.any()
    assert perfect.score().value == 0


def test_no_unit_is_said_where_none_was_given() -> None:
    text = repr(evaluate_forecast(Constant(), series(unit="")))
    assert "mph" not in text
    assert "  " not in text


def test_a_model_that_torch_cannot_compute_on_the_series_is_refused_in_words() -> None:
    message = r"the model raised RuntimeError for x of shape .*, laid out as 'b m t n c': mat1 and mat2 .* Is it built"
    with pytest.raises(InputError, match=message):
        evaluate_forecast(nn.Linear(7, 2), series())
