from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from stexplain.data.series import WindowedSeries
from stexplain.errors import InputError
from stexplain.training.baselines import historical_average, persistence
from tests.training.roads import NODES, network, series, speeds


def test_persistence_of_a_ramp_is_off_by_the_horizon() -> None:
    ramp = np.arange(200.0)[:, None] * np.array([1.0, -2.0, 0.5, 0.0]) + 500
    train, _, test = series(ramp).split()
    evaluation = persistence(train, test)
    np.testing.assert_allclose(evaluation.mae, np.arange(1, 4) * (1 + 2 + 0.5) / 4, rtol=1e-6)
    np.testing.assert_allclose(evaluation.rmse, np.arange(1, 4) * np.sqrt((1 + 4 + 0.25) / 4), rtol=1e-6)


def test_persistence_keeps_the_last_observed_reading() -> None:
    values = np.full((60, NODES), 40.0)
    values[:, 0] = 30.0
    train = series(values).subset(slice(0, 20))
    test = values.copy()
    test[45] = [10.0, 20.0, 20.0, 20.0]
    test[46:51] = np.nan  # the window of 45 .. 50 has its first frame only
    test[51:54, 1:] = 25.0
    test[51:54, 0] = np.nan
    part = series(test).subset([45])
    evaluation = persistence(train, part)
    np.testing.assert_allclose(evaluation.mae, [5.0, 5.0, 5.0])
    # With nothing observed in the window it is the node's mean over the training part.
    test[45] = np.nan
    np.testing.assert_allclose(persistence(train, series(test).subset([45])).mae, [15.0, 15.0, 15.0])


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("calendar", [False, True])
def test_persistence_takes_what_the_target_says_where_another_channel_is_silent(target: int, calendar: bool) -> None:
    values = np.random.default_rng(0).normal(50, 9, (120, NODES, 2))
    alone = values[..., target].copy()
    values[np.random.default_rng(1).random(values.shape[:2]) < 0.4, 1 - target] = np.nan
    time = pd.date_range("2024-01-01", periods=120, freq="h")
    both = WindowedSeries(
        values, window=6, horizon=3, time=time, channels=["speed", "flow"], target_channel=target, unit="mph"
    )
    expected = WindowedSeries(alone, window=6, horizon=3, time=time, unit="mph")
    parts = [part.with_calendar(calendar) for part in both.split()]
    evaluation = persistence(parts[0], parts[2])
    train, _, test = expected.split()
    np.testing.assert_allclose(evaluation.mae, persistence(train, test).mae, rtol=1e-12)
    assert evaluation.unit == "mph"


def test_the_historical_average_of_what_comes_every_week_is_exact() -> None:
    random = np.random.default_rng(0)
    week = random.normal(50, 10, (7 * 24, NODES))
    values = np.tile(week, (4, 1))
    train, _, test = series(values, every="h").split()
    np.testing.assert_allclose(historical_average(train, test).mae, 0, atol=1e-4)
    # The first and the last day of the week begin at midnight, not at the series' start.
    shifted = series(values[31:], every="h")
    train, _, test = shifted.split()
    np.testing.assert_allclose(historical_average(train, test).mae, 0, atol=1e-4)


def test_the_historical_average_is_a_mean_over_training_weeks_only() -> None:
    week = np.zeros((7 * 24, NODES)) + 50
    values = np.concatenate([week, week + 4, week + 100])
    whole = series(values, every="h")
    train = whole.subset(whole.starts + 9 <= 2 * 7 * 24)
    test = whole.subset(whole.starts >= 2 * 7 * 24)
    np.testing.assert_allclose(historical_average(train, test).mae, 98.0, rtol=1e-6)
    missing = values.copy()
    missing[:100] = np.nan  # of these hours, only the second week is there
    train = series(missing, every="h").subset(whole.starts + 9 <= 2 * 7 * 24)
    evaluation = historical_average(train, test.subset([0]))
    np.testing.assert_allclose(evaluation.mae, 150 - 54, rtol=1e-6)


def test_a_time_of_the_week_that_was_never_seen_is_the_time_of_day_s_mean() -> None:
    day = np.arange(24.0)[:, None] + np.array([50.0, 60.0, 70.0, 80.0])
    whole = series(np.tile(day, (6, 1)), every="h")
    train, test = whole.subset(slice(0, 72)), whole.subset(slice(96, None))  # Monday to Thursday, then Friday
    np.testing.assert_allclose(historical_average(train, test).mae, 0, atol=1e-5)
    # A node without any reading: the mean of all.
    broken = np.tile(day, (6, 1))
    broken[:, 3] = np.nan
    mean = np.nanmean(broken[: 72 + 8])
    train = series(broken, every="h").subset(slice(0, 72))
    one = series(np.where(np.arange(4) == 3, mean, np.nan) * np.ones((144, 1)), every="h").subset([100])
    np.testing.assert_allclose(historical_average(train, one).mae, 0, atol=1e-4)


def test_both_are_evaluated_on_the_same_targets() -> None:
    train, _, test = series(speeds(400), every="5min").split()
    one, other = persistence(train, test, batch=7), historical_average(train, test)
    np.testing.assert_array_equal(one.count, other.count)
    assert one.ids == other.ids
    np.testing.assert_array_equal(one.count.sum(), test.batch(slice(None)).y_observed.sum().item())


def test_wrong_calls_are_named() -> None:
    train, _, test = series(speeds(200)).split()
    with pytest.raises(InputError, match="got no times"):
        historical_average(train, test)
    with pytest.raises(InputError, match="series: got nodes 3; expected 4, as train has"):
        persistence(train, series(speeds()[:, :3], graph=None))
    with pytest.raises(InputError, match="does not divide a day"):
        historical_average(*series(speeds(200), every="7min").split()[::2])


def test_a_clock_that_changes_between_window_and_forecast_is_followed() -> None:
    time = pd.date_range("2024-02-01", periods=60 * 24, freq="h", tz="America/Los_Angeles")
    # Repeats every day on the clock; clocks go ahead on 10 March.
    values = 50 + time.hour.to_numpy()[:, None] + np.zeros(NODES)
    whole = series(values, window=24, horizon=24, time=time)
    train, test = whole.subset(whole.starts < 20 * 24), whole.subset(whole.starts >= 25 * 24)
    np.testing.assert_allclose(historical_average(train, test).mae, 0, atol=1e-4)


def test_times_that_do_not_fit_the_average_are_refused() -> None:
    train = series(speeds(400), every="h")
    with pytest.raises(InputError, match="series: got a frame every 30 min; expected every 60 min, as train has"):
        historical_average(train, series(speeds(400), every="30min"))
    assert train.time is not None
    elsewhere = series(speeds(400), time=train.time.tz_localize("UTC"))
    with pytest.raises(InputError, match="series: got times in UTC; expected them without one"):
        historical_average(train, elsewhere)
    with pytest.raises(InputError, match="series: got times without a zone; expected them in UTC"):
        historical_average(elsewhere, train)


@pytest.mark.parametrize("baseline", [persistence, historical_average])
def test_nodes_in_another_order_are_refused(baseline: Callable[..., object]) -> None:
    train = series(speeds(400), every="h")
    order = [1, 0, 2, 3]
    other = series(speeds(400)[:, order], every="h", graph=network().permute(order))
    with pytest.raises(InputError, match=r"series: got the node '.*' in the place of '.*'; expected the nodes of"):
        baseline(train, other)
