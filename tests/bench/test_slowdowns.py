import numpy as np
import pandas as pd
import pytest

from stexplain.bench.forecast_experiment import Slowdowns
from stexplain.bench.forecasts import last_readings
from stexplain.bench.slowdowns import observed_slowdowns, planted_slowdowns
from stexplain.data.series import WindowedSeries
from stexplain.graph import STGraph
from stexplain.training.daily_average import HistoricalAverage

ASKED = Slowdowns(horizon=3, fall=15.0, foreseen=0.5, count=10, shown=1)


def series(speeds, **options):
    time = pd.date_range("2024-01-01", periods=len(speeds), freq="4h")
    graph = STGraph.from_edges(["a", "b"], [("a", "b")])
    return WindowedSeries(speeds, window=6, horizon=6, time=time, graph=graph, **options)


@pytest.fixture
def fall():
    """Sensor a falls from 60 to 30 at frame 30 and stays there; b shows a single low reading at frame 30."""
    speeds = np.full((60, 2), 60.0)
    speeds[30:, 0] = 30.0
    speeds[30, 1] = 20.0
    return series(speeds)


def constant(value):
    return lambda batch: np.full(batch.y.shape, value)


def test_a_fall_counts_once_and_a_single_low_reading_not_at_all(fall):
    usual = HistoricalAverage.fit(fall)
    found = observed_slowdowns(fall, constant(40.0), usual, ASKED, 5.0)
    assert (found.found, found.foreseen) == (1, 1)
    row = found.table.iloc[0]
    assert (row["node"], row["before"], row["observed"], row["forecast"], row["strength"]) == (0, 60, 30, 40, 20)
    at = fall.starts[int(row["window"])] + 6 - 1
    assert at < 30 <= at + 3
    assert "it foresaw 1." in found.rule


def test_what_was_not_foreseen_is_counted_but_not_explained(fall):
    found = observed_slowdowns(fall, constant(46.0), HistoricalAverage.fit(fall), ASKED, 5.0)
    assert (found.found, found.foreseen, len(found.table)) == (1, 0, 0)


def test_readings_that_are_missing_are_no_fall():
    speeds = np.full((60, 2), 60.0)
    speeds[30:, 0] = 0.0
    found = observed_slowdowns(
        series(speeds, missing=0.0), constant(0.0), HistoricalAverage.fit(series(speeds)), ASKED, 5.0
    )
    assert found.found == 0


@pytest.mark.parametrize(("forecast", "foreseen"), [(44.0, 1), (46.0, 0)])
def test_planted_slowdowns_are_judged_against_what_is_usual(forecast, foreseen):
    speeds = np.full((60, 2), 60.0)
    speeds[53:, 1] = 30.0
    truth = np.zeros((1, 6, 2), bool)
    events = pd.DataFrame({"target": ["b"], "frame": [46], "horizon": [3]})
    whole = series(speeds, events=events, truth=truth)
    usual = HistoricalAverage.fit(series(np.full((60, 2), 60.0)))
    found = planted_slowdowns(whole, constant(forecast), usual, ASKED)
    assert (found.found, found.foreseen) == (1, foreseen)
    if foreseen:
        row = found.table.iloc[0]
        assert (row["before"], row["observed"], row["usual"], row["strength"]) == (60, 30, 60, 16)


def test_usual_is_the_mean_of_what_was_observed_at_that_time_of_day():
    speeds = np.arange(48.0).reshape(24, 2)
    speeds[::6, 1] = np.nan  # b has no reading at midnight
    whole = series(speeds)
    usual = HistoricalAverage.fit(whole)
    assert usual.minutes == 240.0
    np.testing.assert_allclose(usual.mean[2, 0, 0], speeds[2::6, 0].mean())
    np.testing.assert_allclose(usual.mean[0, 1, 0], np.nanmean(speeds[:, 1]))
    batch = whole.batch([1, 5])
    np.testing.assert_allclose(usual.in_window(batch)[0, 0, :, 0, 0], np.roll(usual.mean[:, 0, 0], -1))
    np.testing.assert_allclose(usual.in_horizon(batch, 0)[1, :, 0], np.roll(usual.mean[:, 0, 0], -5))


def test_a_series_without_times_has_one_level_that_is_usual():
    whole = WindowedSeries(np.arange(40.0).reshape(20, 2), window=4, horizon=2)
    usual = HistoricalAverage.fit(whole)
    batch = whole.batch([3])
    np.testing.assert_allclose(usual.in_horizon(batch, 0)[0], [[19.0, 20.0]] * 2)
    assert usual.in_window(batch).shape == batch.x.shape


def test_the_last_reading_is_the_last_that_was_observed():
    speeds = np.arange(48.0).reshape(24, 2)
    speeds[4:6, 0] = np.nan
    whole = series(speeds)
    usual = HistoricalAverage.fit(whole)
    np.testing.assert_allclose(last_readings(whole.batch([0]), usual, 0), [[6.0, 11.0]])
