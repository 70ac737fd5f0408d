"""What a series does with its values: gaps, targets, times, the calendar, scalers, and values that do not fit."""

import numpy as np
import pandas as pd
import pytest

from stexplain.data.scaler import Scaler
from stexplain.data.series import CALENDAR, WindowedSeries
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph
from tests.data.counting_series import series


def test_missing_readings_are_a_mask_and_never_a_speed():
    values = 10.0 + np.arange(40.0).reshape(20, 2)
    values[2, 1] = np.nan
    values[5, 0] = 0.0
    observed = np.ones((20, 2), bool)
    observed[3, 0] = False
    batch = WindowedSeries(values, window=4, horizon=4, observed=observed, missing=0.0).batch([0])
    assert np.argwhere(~batch.observed[0, 0].numpy()).tolist() == [[2, 1], [3, 0]]
    assert batch.x[0, 0, 2, 1, 0] == batch.x[0, 0, 3, 0, 0] == 0
    assert np.argwhere(~batch.y_observed[0].numpy()).tolist() == [[1, 0]]
    assert batch.y[0, 1, 0] == 0
    # Without `missing`, zero is a speed.
    assert WindowedSeries(values, window=4, horizon=4).batch([0]).y_observed.all()


def test_a_reading_lacks_where_any_of_its_channels_does_and_a_target_only_where_its_own_does():
    values = np.ones((10, 2, 2))
    values[1, 0, 1] = values[6, 1, 1] = np.nan
    windows = WindowedSeries(values, window=4, horizon=4, channels=("flow", "speed"), target_channel=0)
    batch = windows.batch([0])
    assert np.argwhere(~batch.observed[0, 0].numpy()).tolist() == [[1, 0]]
    assert batch.x[0, 0, 1, 0].tolist() == [0, 0]
    assert batch.y_observed.all()
    other = WindowedSeries(values, window=4, horizon=4, channels=("flow", "speed"), target_channel=1).batch([0])
    assert np.argwhere(~other.y_observed[0].numpy()).tolist() == [[2, 1]]


def test_the_target_is_its_channel_and_one_channel_needs_no_axis():
    values = np.arange(80.0).reshape(20, 2, 2)
    batch = WindowedSeries(values, window=4, horizon=2, channels=("flow", "speed"), target_channel=1).batch([3])
    np.testing.assert_array_equal(batch.y[0], values[7:9, :, 1])
    np.testing.assert_array_equal(batch.x[0, 0], values[3:7])
    flat = WindowedSeries(values[..., 0], window=4, horizon=2).batch([3])
    deep = WindowedSeries(values[..., :1], window=4, horizon=2).batch([3])
    np.testing.assert_array_equal(flat.x, deep.x)


def test_a_data_frame_gives_times_and_its_columns_follow_the_graph():
    time = pd.date_range("2012-03-01", periods=30, freq="5min")
    frame = pd.DataFrame(np.tile([1.0, 2.0, 3.0], (30, 1)), index=time, columns=[30, 10, 20])
    graph = STGraph(["10", "20", "30"], [(0, 1), (1, 2)])
    windows = WindowedSeries(frame, window=4, horizon=3, graph=graph)
    assert windows.batch([0]).x[0, 0, 0, :, 0].tolist() == [2, 3, 1]
    assert windows.time is not None
    assert windows.time_of(2) == pd.Timestamp("2012-03-01 00:10")
    assert windows.time_of(2, 4) == pd.Timestamp("2012-03-01 00:30")
    assert windows.batch([2]).start[0] == np.datetime64("2012-03-01T00:10")
    with pytest.raises(InputError, match=r"unknown node \(a column of the DataFrame\) '40'"):
        WindowedSeries(frame.rename(columns={30: 40}), graph=graph)
    with pytest.raises(InputError, match="node '30' of the graph has no column"):
        WindowedSeries(frame[[10, 20]], graph=graph)


def test_the_calendar_is_two_further_channels():
    time = pd.date_range("2012-03-03 23:50", periods=30, freq="5min")  # a Saturday
    values = np.ones((30, 2))
    values[1, 0] = np.nan
    windows = WindowedSeries(values, window=4, horizon=3, time=time)
    assert windows.calendar.shape == (30, 2)
    dated = windows.with_calendar()
    assert dated.channels == ("value", *CALENDAR)
    x = dated.batch([0]).x[0, 0]
    np.testing.assert_allclose(x[:, 1, 1], [1430 / 1440, 1435 / 1440, 0, 5 / 1440])
    assert x[:, 0, 2].tolist() == [5, 5, 6, 6]
    assert x[1, 0].tolist() == [0, x[1, 1, 1], 5]
    assert dated.batch([0]).y.shape == (1, 3, 2)
    assert windows.channels == dated.with_calendar(False).channels == ("value",)
    with pytest.raises(InputError, match="has no times, so no calendar"):
        series().with_calendar()


def test_a_scaler_knows_training_windows_only():
    values = np.random.default_rng(1).uniform(10, 70, (200, 3))
    values[3, 1] = np.nan
    train, _, _ = WindowedSeries(values, window=4, horizon=3).split(0.6, 0.2)
    first = Scaler.fit(train)
    used = values[:120][~np.isnan(values[:120])]
    np.testing.assert_allclose([first.mean[0], first.std[0]], [used.mean(), used.std()], rtol=1e-6)
    values[120:] = 1e6
    assert Scaler.fit(train) == first


def test_a_scaler_counts_each_value_once_over_many_parts(monkeypatch):
    values = np.random.default_rng(2).normal(1000, 0.5, (300, 2, 2)) * [1, 3]
    windows = WindowedSeries(values, window=4, horizon=3, stride=2, channels=("flow", "speed"))
    whole = Scaler.fit(windows)
    monkeypatch.setattr("stexplain.data.series._CHUNK", 7)
    parts = Scaler.fit(windows)
    used = values[:299].astype(np.float32).astype(np.float64)
    for scaler in (whole, parts):
        np.testing.assert_allclose(scaler.mean, used.mean(axis=(0, 1)))
        np.testing.assert_allclose(scaler.std, used.std(axis=(0, 1)))


def test_a_scaler_of_nothing_or_of_a_constant():
    with pytest.raises(DataError, match="no observed value of 'value'"):
        Scaler.fit(WindowedSeries(np.zeros((30, 2)), window=4, horizon=3, missing=0.0))
    assert Scaler.fit(WindowedSeries(np.full((30, 2), 7.0), window=4, horizon=3)) == Scaler([7.0], [1.0])
    with pytest.raises(InputError, match="got 1 values of mean and 2 of std"):
        Scaler([1.0], [1.0, 2.0])
    with pytest.raises(InputError, match="std above 0"):
        Scaler([1.0], [0.0])


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (np.ones((30, 2, 2)), {}, r"shape \(30, 2, 2\) and 1 channel \(value\); expected \[T, N, 1\] or \[T, N\]"),
        (np.ones((30, 2)), {"channels": ("flow", "speed")}, "expected 2 channels"),
        (np.ones((10, 2)), {}, "values: got 10 frames; expected at least 24"),
        (np.ones((30, 2)), {"graph": STGraph("abc", [(0, 1), (1, 2)])}, "2 nodes; expected 3, as the graph has"),
        (np.ones((30, 2)), {"observed": np.ones((30, 3), bool)}, r"observed: got shape \(30, 3\)"),
        (
            np.ones((30, 2)),
            {"time": pd.date_range("2012", periods=29, freq="5min")},
            "time: got 29 times for 30 frames",
        ),
        (np.ones((30, 2)), {"target_channel": 1}, "target_channel: got 1; expected 0 to 0"),
        (np.ones((30, 2)), {"stride": 0}, "stride: got 0"),
        (np.full((30, 2), "a"), {}, "expected numbers"),
        (np.ones((30, 2)), {"truth": np.ones((1, 12, 2), bool)}, "got truth without events"),
    ],
)
def test_what_does_not_fit_is_refused(values, options, message):
    with pytest.raises(InputError, match=message):
        WindowedSeries(values, **options)


def test_times_have_no_gap():
    time = pd.date_range("2012-03-01", periods=30, freq="5min").delete(4)
    with pytest.raises(InputError, match=r"frame 4 is at 2012-03-01 00:25:00, 10 min .*asfreq\('5min'\)"):
        WindowedSeries(np.ones((29, 2)), time=time)
    filled = pd.DataFrame(np.ones((29, 2)), index=time).asfreq("5min")
    assert not WindowedSeries(filled).batch([0]).observed[0, 0, 4].any()


def test_infinite_readings_are_refused():
    values = np.ones((30, 2))
    values[3, 1] = np.inf
    with pytest.raises(InputError, match="NaN or infinite"):
        WindowedSeries(values).batch([0])


def test_the_remedy_for_times_that_do_not_increase_is_named():
    times = pd.date_range("2012-03-01", periods=20, freq="5min")
    frame = pd.DataFrame(np.ones((20, 2)), index=times)
    with pytest.raises(
        InputError, match=r"frame 1 is at .*expected times that increase\. Sort them: df\.sort_index\(\)"
    ):
        WindowedSeries(frame.iloc[::-1], window=2, horizon=1)
    twice = pd.concat([frame.iloc[:4], frame.iloc[3:]])
    with pytest.raises(InputError, match=r"frame 4 is at .*, as the one before.*df\[~df\.index\.duplicated\(\)\]"):
        WindowedSeries(twice, window=2, horizon=1)
    assert len(WindowedSeries(twice[~twice.index.duplicated()], window=2, horizon=1)) == 18
    text = frame.set_axis(frame.index.astype(str))
    with pytest.raises(InputError, match=r"index is text, such as '2012-03-01 00:00:00'.*pd\.to_datetime\(df\.index\)"):
        WindowedSeries(text, window=2, horizon=1)
    assert WindowedSeries(text.reset_index(drop=True), window=2, horizon=1).time is None


def test_what_is_masked_was_not_observed():
    masked = np.ma.masked_equal(np.array([[1, 0], [2, 3], [0, 4], [5, 6]]), 0)
    series = WindowedSeries(masked, window=2, horizon=1)
    batch = series.batch([0, 1])
    assert batch.observed[:, 0].tolist() == [[[True, False], [True, True]], [[True, True], [False, True]]]
    assert batch.y_observed[:, 0].tolist() == [[False, True], [True, True]]
    assert batch.x[0, 0, :, :, 0].tolist() == [[1, 0], [2, 3]]


def test_digits_that_float32_has_no_room_for_are_told():
    """A meter at a million kWh that goes on by thousandths: as float32 it stands still."""
    readings = np.random.default_rng(0).normal(0, 1e-3, (300, 2))
    with pytest.warns(
        UserWarning, match=r"1 of 2 nodes varies too little .* such as node 1, 'value': by 0\.00\d+ about"
    ):
        large = WindowedSeries(readings + np.array([0.0, 1e6]), window=4, horizon=2)
    assert np.ptp(large.batch(slice(None)).x[..., 1, 0].numpy()) < 0.07
    # None of these: a mean as large as the spread, a constant, one with rounding, gaps, whole numbers, float32.
    gaps = np.where(np.arange(300)[:, None] % 3 == 0, np.nan, readings + 1)
    gaps[:, 1] = np.nan
    rounding = np.full((300, 2), 0.1) + np.random.default_rng(1).choice([0, 1.4e-17], (300, 2))
    for values in (readings + 5, np.full((300, 2), 0.1), rounding, gaps, np.arange(600).reshape(300, 2) + 10**6):
        WindowedSeries(values, window=4, horizon=2)
    WindowedSeries((readings + 1e6).astype(np.float32), window=4, horizon=2)
