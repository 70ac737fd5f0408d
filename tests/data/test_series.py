from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch

from stexplain.data.scaler import Scaler
from stexplain.data.series import CALENDAR, WindowedSeries
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph


def series(frames: int = 60, nodes: int = 3, **options) -> WindowedSeries:
    """The value of node n at frame t is 10 t + n, so each value says where it is from."""
    values = 10.0 * np.arange(frames)[:, None] + np.arange(nodes)
    return WindowedSeries(values, **{"window": 4, "horizon": 3, **options})


def used(part: WindowedSeries) -> set[int]:
    """The frames that a part reads or predicts, by the values in its batches."""
    batch = part.batch(slice(None))
    seen = torch.cat([batch.x[:, 0, :, 0, 0], batch.y[:, :, 0]], dim=1)
    return {int(value) // 10 for value in seen.unique()}


def test_a_window_reads_its_frames_and_predicts_the_next():
    windows = series(stride=2)
    assert len(windows) == 27
    batch = windows.batch([0, 5])
    expected = 10.0 * np.arange(10, 14)[:, None] + np.arange(3)
    np.testing.assert_array_equal(batch.x[1, 0, :, :, 0], expected)
    np.testing.assert_array_equal(batch.y[1], 10.0 * np.arange(14, 17)[:, None] + np.arange(3))
    assert batch.x.dtype == batch.y.dtype == torch.float32
    assert batch.x.shape == (2, 1, 4, 3, 1)
    assert batch.observed.all()
    assert batch.y_observed.all()
    assert batch.valid.all()
    assert batch.label.tolist() == [-1, -1]
    assert batch.ids == ("0", "10")
    assert np.isnat(batch.start).all()


def test_the_last_window_ends_with_the_series():
    windows = series()
    assert windows.batch([-1]).y[0, -1].tolist() == [590, 591, 592]
    assert len(windows) == 60 - 4 - 3 + 1


def test_one_window_is_the_batch_of_one():
    windows = series(time=pd.date_range("2012-03-01", periods=60, freq="5min"))
    sample, batch = windows[-2], windows.batch([len(windows) - 2])
    np.testing.assert_array_equal(sample.x, batch.x[0])
    np.testing.assert_array_equal(sample.observed, batch.observed[0])
    assert sample.id == batch.ids[0] == "2012-03-01 04:20:00"
    assert sample.label == -1
    with pytest.raises(IndexError):
        windows[len(windows)]


def test_batches_cover_all_windows_in_order():
    windows = series()
    ids = [name for batch in windows.batches(10) for name in batch.ids]
    assert ids == [str(frame) for frame in range(54)]


def test_parts_of_a_batch_and_other_devices():
    batch = series(time=pd.date_range("2012-03-01", periods=60, freq="5min")).batch(slice(0, 6))
    part = batch[2:4].to("cpu")
    assert len(part) == 2
    assert part.ids == batch.ids[2:4]
    np.testing.assert_array_equal(part.start, batch.start[2:4])
    np.testing.assert_array_equal(part.y, batch.y[2:4])
    np.testing.assert_array_equal(part.observed, batch.observed[2:4])


def test_parts_share_no_reading():
    windows = series(frames=200)
    train, validation, test = windows.split(0.6, 0.2)
    parts = [used(part) for part in (train, validation, test)]
    assert max(parts[0]) < min(parts[1])
    assert max(parts[1]) < min(parts[2])
    assert parts == [set(range(120)), set(range(120, 160)), set(range(160, 200))]
    assert [len(part) for part in (train, validation, test)] == [120 - 6, 40 - 6, 40 - 6]


def test_parts_of_parts_and_strides_share_no_reading():
    train, validation, test = series(frames=500, stride=3).split(0.5, 0.2)
    inner = train.split(0.5, 0.25)
    parts = [used(part) for part in (*inner, validation, test)]
    assert all(max(a) < min(b) for a, b in pairwise(parts))


def test_a_part_without_a_window_is_refused():
    with pytest.raises(InputError, match=r"the validation part would be frames 42 to 47, which hold no window of 7"):
        series().split(0.7, 0.1)
    with pytest.raises(InputError, match=r"expected train in \(0, 1\), .* a rest above 0"):
        series().split(0.9, 0.1)


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


@pytest.mark.parametrize("kind", ["frame", "memmap", "float32", "zarr", "hdf5"])
def test_whatever_holds_the_readings_gives_the_same_windows(kind, tmp_path):
    values = np.random.default_rng(0).uniform(1, 70, (50, 3))
    values[4, 1] = np.nan
    expected = WindowedSeries(values, window=4, horizon=3).batch([7, 0, 3])
    given: object = values
    if kind == "frame":
        given = pd.DataFrame(values)
    elif kind == "memmap":
        given = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.float64, values.shape)
        given[:] = values
    elif kind == "float32":
        given = values.astype(np.float32)
    elif kind == "zarr":
        given = pytest.importorskip("zarr").array(values, chunks=(16, 3))
    else:
        file = pytest.importorskip("h5py").File(tmp_path / "a.h5", "w")
        given = file.create_dataset("speed", data=values)
    found = WindowedSeries(given, window=4, horizon=3).batch([7, 0, 3])
    for name in ("x", "y", "observed", "y_observed"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_the_series_is_not_copied():
    values = np.zeros((50, 3))
    windows = WindowedSeries(values, window=4, horizon=3)
    train, _, _ = windows.split(0.5, 0.2)
    frame = pd.DataFrame(values)
    framed = WindowedSeries(frame, window=4, horizon=3)
    values[:] = 7.0
    assert windows.batch([0]).x.unique().tolist() == [7.0]
    assert train.batch([0]).x.unique().tolist() == [7.0]
    assert framed.batch([0]).x.unique().tolist() == [frame.iloc[0, 0]]


def test_only_the_frames_asked_for_are_read():
    class Counting:
        """Rows that note which were read."""

        def __init__(self) -> None:
            self.shape, self.dtype, self.read = (1000, 2), np.dtype(np.float32), []

        def __getitem__(self, rows):
            self.read.extend(rows.tolist())
            return np.ones((len(rows), 2), np.float32)

    values = Counting()
    windows = WindowedSeries(values, window=4, horizon=3)
    windows.split()
    assert values.read == []
    windows.batch([10, 12])
    assert values.read == list(range(10, 19))


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


def test_indices_out_of_range():
    with pytest.raises(InputError, match="There are 54 windows"):
        series().batch([99])
    with pytest.raises(InputError, match="expected integers"):
        series().batch([0.5])
    with pytest.raises(InputError, match="step: got 7; expected 0 to 6"):
        series(time=pd.date_range("2012", periods=60, freq="5min")).time_of(0, 7)


def test_events_go_with_their_windows():
    graph = STGraph("abc", [(0, 1), (1, 2)])
    events = pd.DataFrame({"target": ["a", "c", "b"], "frame": [5, 30, 42], "horizon": [1, 3, 2]})
    truth = np.zeros((3, 4, 3), bool)
    truth[0, 3, 1] = truth[1, 2, 0] = truth[2, 1, 2] = True
    whole = series(graph=graph, events=events, truth=truth)
    assert whole.planted
    assert whole.events["window"].tolist() == [5, 30, 42]
    train, test = whole.split(0.6, 0.0)[::2]
    assert train.events["target"].tolist() == ["a"]  # window 30 would read or predict frame 36
    assert test.events[["target", "window", "horizon"]].to_numpy().tolist() == [["b", 6, 2]]
    batch = test.events_batch()
    assert batch.truth is not None
    assert batch.ids == ("42",)
    np.testing.assert_array_equal(batch.truth[0, 0], truth[2])
    assert whole.events_batch([2, 0]).ids == ("42", "5")
    with pytest.raises(InputError, match="events: got 0; expected events of this split: 2"):
        test.events_batch([0])
    with pytest.raises(InputError, match="no planted events"):
        series().events_batch()
    with pytest.raises(InputError, match=r"unknown node 'd'"):
        series(graph=graph, events=events.replace("a", "d"), truth=truth)
    with pytest.raises(InputError, match="and .horizon. is missing"):
        series(graph=graph, events=events.drop(columns="horizon"), truth=truth)
    with pytest.raises(InputError, match="events: got a horizon of 9; expected 1 to 3"):
        series(graph=graph, events=events.assign(horizon=9), truth=truth)
    with pytest.raises(InputError, match=r"truth: got shape \(3, 4, 3\); expected \(3, 5, 3\)"):
        series(window=5, graph=graph, events=events, truth=truth)


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


@pytest.mark.parametrize(
    ("said", "usual"), [({"test": 0.2}, (0.7, 0.1)), ({"validation": 0.2, "test": 0.3}, (0.5, 0.2))]
)
def test_a_share_to_test_on_can_be_said_in_place_of_that_to_train_on(said, usual):
    whole = series(frames=500)
    for part, other in zip(whole.split(**said), whole.split(*usual), strict=True):
        np.testing.assert_array_equal(part.starts, other.starts)


def test_shares_that_do_not_make_one_are_refused():
    match = r"got train 0.7, validation 0.1 and test 0.5, which make 1.3; .*Leave out train or test"
    with pytest.raises(InputError, match=match):
        series(frames=500).split(0.7, test=0.5)
    with pytest.raises(InputError, match="got train 0.0 and validation 0.1"):
        series(frames=500).split(test=0.9)
