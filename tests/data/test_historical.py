"""The historical average as a baseline: against a plain group-by, and in the clock of the series' own time zone."""

import numpy as np
import pandas as pd
import pytest
import torch

from stexplain.data.baselines.window_history import SplitHistory, WindowHistory
from stexplain.data.series import WindowedSeries
from stexplain.errors import InputError
from stexplain.training import HistoricalAverage, historical_average
from tests.training.roads import NODES, series, speeds

ZONE = "America/Los_Angeles"


def test_it_is_the_mean_by_weekday_and_time_of_day() -> None:
    values = speeds(24 * 28)
    whole = series(values, every="h")
    average = HistoricalAverage.fit(whole)
    # float32, as a series holds its values; no slot of four weeks is wholly missing with this seed.
    table = pd.DataFrame(values.astype(np.float32).astype(float))
    clock = pd.date_range("2024-01-01", periods=len(values), freq="h")
    expected = table.groupby([clock.day_of_week, clock.hour]).mean().to_numpy()
    assert average.mean.shape == (7 * 24, NODES, 1)
    assert not np.isnan(expected).any()
    np.testing.assert_allclose(average.mean[..., 0], expected, rtol=1e-12)
    batch = whole.batch([5, 200])
    times = batch.start[:, None] + np.timedelta64(1, "h") * np.arange(9)
    slots = [[stamp.weekday() * 24 + stamp.hour for stamp in pd.DatetimeIndex(row)] for row in times]
    np.testing.assert_allclose(average.in_window(batch)[:, 0, :, :, 0], expected[slots][:, :6], rtol=1e-6)
    np.testing.assert_allclose(average.in_horizon(batch, 0), expected[slots][:, 6:], rtol=1e-12)


def test_a_time_of_the_week_that_was_not_observed_has_the_mean_of_its_time_of_day() -> None:
    values = np.tile(np.arange(24.0)[:, None] + [0.0, 100.0, 200.0, 300.0], (3, 1))  # Monday to Wednesday
    values[5, 0] = np.nan
    values[:, 1] = np.where(np.arange(72) % 24 == 7, np.nan, values[:, 1])
    mean = HistoricalAverage.fit(series(values, every="h")).mean.reshape(7, 24, NODES)
    assert mean[0, 5, 0] == 5  # of Tuesday and Wednesday
    assert mean[4, 9, 3] == 309  # no Friday was there
    np.testing.assert_allclose(mean[:, 7, 1], np.nanmean(values[:, 1]))  # never at that time of day


@pytest.mark.parametrize("weekdays", [False, True])
def test_times_are_those_of_the_zone(weekdays: bool) -> None:
    # Six weeks over the change of the clocks on 10 March: what depends on the local hour alone is exact beside it.
    time = pd.date_range("2024-02-12", periods=24 * 42, freq="h", tz=ZONE)
    values = np.repeat(time.hour.to_numpy(float)[:, None], NODES, axis=1)
    whole = series(values, time=time)
    average = HistoricalAverage.fit(whole, weekdays=weekdays)
    batch = whole.batch([0, 100, len(whole) - 1])
    torch.testing.assert_close(average.in_window(batch), batch.x, rtol=0, atol=0)
    np.testing.assert_array_equal(average.in_horizon(batch, 0), batch.y)
    train, test = whole.subset(slice(0, 24 * 26)), whole.subset(slice(24 * 30, None))
    np.testing.assert_array_equal(historical_average(train, test).mae, 0)


@pytest.mark.parametrize(("day", "hour"), [("2024-03-10", 0), ("2024-03-09", 20), ("2024-11-03", 0)])
def test_where_clocks_change_within_a_window_its_frames_have_their_own_hours(day: str, hour: int) -> None:
    time = pd.date_range(f"{day} {hour:02}:00", periods=24 * 28, freq="h", tz=ZONE)
    # What depends on the local hour and weekday alone; the first windows are across the change.
    values = np.repeat((time.hour + 24 * time.day_of_week).to_numpy(float)[:, None], NODES, axis=1)
    whole = series(values, time=time)
    average = HistoricalAverage.fit(whole)
    batch = whole.batch([0, 1, 2, 3, 8])
    assert batch.timestamps is not None
    offsets = batch.timestamps.map(lambda moment: moment.utcoffset()).unique()
    assert len(offsets) == 2  # before the change and after it
    torch.testing.assert_close(average.in_window(batch), batch.x, rtol=0, atol=0)
    np.testing.assert_array_equal(average.in_horizon(batch, 0), batch.y)
    history = WindowHistory(SplitHistory(whole), batch.timestamps)
    torch.testing.assert_close(history.values(6), batch.x, rtol=0, atol=0)
    torch.testing.assert_close(history.repeated(2).values(6), batch.x.repeat(2, 1, 1, 1, 1), rtol=0, atol=0)
    twice = type(history).joined([history[2:], history[:2]])
    assert twice is not None
    torch.testing.assert_close(twice.values(6), torch.cat([batch.x[2:], batch.x[:2]]), rtol=0, atol=0)


def test_a_step_that_does_not_divide_a_day_is_refused_by_weekday() -> None:
    odd = series(speeds(400), every="7min")
    with pytest.raises(InputError, match=r"every 7 min, which does not divide a day.*weekdays=False"):
        HistoricalAverage.fit(odd)
    assert len(HistoricalAverage.fit(odd, weekdays=False).mean) == 24 * 60 // 7 + 1  # the last of 5 min


def test_without_times_it_is_one_mean() -> None:
    values = speeds()
    average = HistoricalAverage.fit(series(values))
    np.testing.assert_allclose(average.mean[:, :, 0], np.nanmean(values, axis=0)[None], rtol=1e-6)
    assert not average.weekdays


@pytest.mark.parametrize(("hours", "slots"), [(5, 5), (7, 4), (13, 2), (24, 1)])
def test_the_end_of_a_day_is_not_averaged_with_its_beginning(hours: int, slots: int) -> None:
    """Where the step does not divide a day, the last slot is shorter than the others."""
    time = pd.date_range("2024-01-01", periods=200, freq=f"{hours}h")
    slot = time.hour.to_numpy() // hours
    series = WindowedSeries(10.0 * slot[:, None], window=2, horizon=1, time=time)
    average = HistoricalAverage.fit(series, weekdays=False)
    np.testing.assert_allclose(average.mean.ravel(), 10.0 * np.arange(slots))
    np.testing.assert_allclose(average.at(series.batch([7]).start, 0, 3).ravel(), 10.0 * slot[7:10])
