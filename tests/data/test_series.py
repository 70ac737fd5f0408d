"""Windows of a series: what they read and predict, their parts, and where they are from."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch

from stexplain.data.series import WindowedSeries
from stexplain.errors import InputError
from stexplain.graph import STGraph
from tests.data.counting_series import series


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
