import numpy as np
import pandas as pd
import pytest

from stexplain.bench.shared.event_selection import EventSelection, observed_slowdowns, planted_slowdowns
from stexplain.bench.shared.forecasts import last_observation
from stexplain.data.baselines.historical import HistoricalAverage
from stexplain.data.series import WindowedSeries
from stexplain.graph import STGraph

OPTIONS = EventSelection(horizon=3, fall=15.0, forecast_share=0.5, count=10)


def series(speeds, **options):
    time = pd.date_range("2024-01-01", periods=len(speeds), freq="4h")
    graph = STGraph.from_edges(["a", "b"], [("a", "b")])
    return WindowedSeries(speeds, window=6, horizon=6, time=time, graph=graph, **options)


@pytest.fixture
def fall():
    """Sensor a falls from 60 to 30 at frame 30 and stays there; b shows a single low observation at frame 30."""
    speeds = np.full((60, 2), 60.0)
    speeds[30:, 0] = 30.0
    speeds[30, 1] = 20.0
    return series(speeds)


def constant(value):
    return lambda batch: np.full(batch.y.shape, value)


def test_a_fall_counts_once_and_a_single_low_observation_not_at_all(fall):
    average = HistoricalAverage.fit(fall, weekdays=False)
    found = observed_slowdowns(fall, constant(40.0), average, OPTIONS, 5.0)
    assert (found.events, found.forecast) == (1, 1)
    row = found.table.iloc[0]
    assert (row["node"], row["last_observation"], row["observed"], row["forecast"], row["fall"]) == (0, 60, 30, 40, 20)
    at = fall.starts[int(row["window"])] + 6 - 1
    assert at < 30 <= at + 3
    assert "the model forecast 1." in found.rule


def test_what_was_not_forecast_is_counted_but_not_explained(fall):
    found = observed_slowdowns(fall, constant(46.0), HistoricalAverage.fit(fall, weekdays=False), OPTIONS, 5.0)
    assert (found.events, found.forecast, len(found.table)) == (1, 0, 0)


def test_missing_observations_are_no_fall():
    speeds = np.full((60, 2), 60.0)
    speeds[30:, 0] = 0.0
    found = observed_slowdowns(
        series(speeds, missing=0.0), constant(0.0), HistoricalAverage.fit(series(speeds), weekdays=False), OPTIONS, 5.0
    )
    assert found.events == 0


@pytest.mark.parametrize(("forecast", "count"), [(44.0, 1), (46.0, 0)])
def test_planted_slowdowns_are_judged_against_the_historical_average(forecast, count):
    speeds = np.full((60, 2), 60.0)
    speeds[53:, 1] = 30.0
    truth = np.zeros((1, 6, 2), bool)
    events = pd.DataFrame({"target": ["b"], "frame": [46], "horizon": [3]})
    whole = series(speeds, events=events, truth=truth)
    average = HistoricalAverage.fit(series(np.full((60, 2), 60.0)))
    found = planted_slowdowns(whole, constant(forecast), average, OPTIONS)
    assert (found.events, found.forecast) == (1, count)
    if count:
        row = found.table.iloc[0]
        assert (row["last_observation"], row["observed"], row["historical_average"], row["fall"]) == (60, 30, 60, 16)


def test_the_historical_average_is_the_mean_observation_at_that_time_of_day():
    speeds = np.arange(48.0).reshape(24, 2)
    speeds[::6, 1] = np.nan  # b has no observation at midnight
    whole = series(speeds)
    average = HistoricalAverage.fit(whole, weekdays=False)
    assert average.minutes == 240.0
    np.testing.assert_allclose(average.mean[2, 0, 0], speeds[2::6, 0].mean())
    np.testing.assert_allclose(average.mean[0, 1, 0], np.nanmean(speeds[:, 1]))
    batch = whole.batch([1, 5])
    np.testing.assert_allclose(average.in_window(batch)[0, 0, :, 0, 0], np.roll(average.mean[:, 0, 0], -1))
    np.testing.assert_allclose(average.in_horizon(batch, 0)[1, :, 0], np.roll(average.mean[:, 0, 0], -5))


def test_a_series_without_times_has_one_historical_average():
    whole = WindowedSeries(np.arange(40.0).reshape(20, 2), window=4, horizon=2)
    average = HistoricalAverage.fit(whole, weekdays=False)
    batch = whole.batch([3])
    np.testing.assert_allclose(average.in_horizon(batch, 0)[0], [[19.0, 20.0]] * 2)
    assert average.in_window(batch).shape == batch.x.shape


def test_the_last_observation_skips_missing_ones():
    speeds = np.arange(48.0).reshape(24, 2)
    speeds[4:6, 0] = np.nan
    whole = series(speeds)
    average = HistoricalAverage.fit(whole, weekdays=False)
    np.testing.assert_allclose(last_observation(whole.batch([0]), average, 0), [[6.0, 11.0]])
