"""Labels of values are kept, or their loss is refused: times of any kind, nodes, channels."""

import numpy as np
import pandas as pd
import pytest

from stexplain import STGraph, WindowedSeries
from stexplain.data.samples import Measured
from stexplain.errors import InputError

GRAPH = STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")])
VALUES = np.arange(60.0).reshape(20, 3)
DATES = pd.date_range("2012-03-01 22:00", periods=20, freq="30min")


def windows(values, **options):
    return WindowedSeries(values, window=4, horizon=2, graph=GRAPH, **options)


@pytest.mark.parametrize(
    "index",
    [
        DATES,
        DATES.to_period("30min"),
        pd.Index(DATES.to_numpy().astype("datetime64[s]").astype(int)),
        pd.Index(DATES.to_numpy().astype("datetime64[ms]").astype(int)),
        pd.Index(DATES.to_numpy().astype("datetime64[ns]").astype(int)),
        pd.Index(DATES.to_numpy().astype("datetime64[s]").astype(float)),
    ],
    ids=["dates", "periods", "seconds", "milliseconds", "nanoseconds", "float seconds"],
)
def test_an_index_of_times_is_kept(index):
    series = windows(pd.DataFrame(VALUES, index=index, columns=list("abc")))
    assert (series.time == DATES).all()
    assert series.batch([4]).ids == ("2012-03-02 00:00:00",)


@pytest.mark.parametrize("start", [0, 1, 100])
def test_numbers_of_frames_are_no_times(start):
    assert windows(pd.DataFrame(VALUES, index=np.arange(start, start + 20), columns=list("abc"))).time is None


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (np.arange(20) * 0.5, "an index of numbers, the first .*0.0.*neither times nor frames"),
        (pd.timedelta_range(0, periods=20, freq="5min"), "an index of Timedelta"),
        ([f"08:{minute:02d}" for minute in range(20)], "index is text, such as '08:00'"),
    ],
)
def test_another_index_is_not_lost_without_a_word(index, words):
    with pytest.raises(InputError, match=words):
        windows(pd.DataFrame(VALUES, index=index, columns=list("abc")))
    given = windows(pd.DataFrame(VALUES, index=index, columns=list("abc")), time=DATES)
    assert given.time is not None, "times that are given are taken"


def test_windows_are_named_by_the_clock_that_the_calendar_reads():
    local = pd.date_range("2012-11-03 22:00", periods=20, freq="30min", tz="America/Los_Angeles")
    series = windows(pd.DataFrame(VALUES, index=local, columns=list("abc")))
    names = series.batch(slice(None)).ids
    assert names[4] == "2012-11-04 00:00:00-0700"
    assert (names[6], names[8]) == ("2012-11-04 01:00:00-0700", "2012-11-04 01:00:00-0800")
    assert len(set(names)) == len(names), "an hour that comes twice has two names"
    day = series.with_calendar().batch([4]).x[0, 0, 0, 0, 1]
    assert day == 0, "midnight in both"
    assert series.batch([4]).start[0] == np.datetime64("2012-11-04T00:00:00")


@pytest.mark.parametrize("order", ["abc", "cab"])
def test_columns_of_node_and_channel_are_channels(order):
    cube = np.arange(120.0).reshape(20, 3, 2)
    columns = pd.MultiIndex.from_product([list(order), ["speed", "flow"]], names=["nodes", "channels"])
    places = ["abc".index(name) for name in order]
    series = windows(pd.DataFrame(cube[:, places].reshape(20, 6), index=DATES, columns=columns))
    assert series.channels == ("speed", "flow")
    np.testing.assert_array_equal(series.batch([0]).x[0, 0], cube[:4])


def test_a_node_without_a_channel_is_named():
    columns = pd.MultiIndex.from_tuples([("a", "speed"), ("a", "flow"), ("b", "speed")])
    with pytest.raises(InputError, match="node 'b' has no channel 'flow'"):
        WindowedSeries(pd.DataFrame(VALUES, columns=columns), window=4, horizon=2)


@pytest.mark.parametrize(
    "dims", [("time", "node", "channel"), ("node", "channel", "time"), ("channel", "time", "sensor")]
)
def test_an_xarray_keeps_times_nodes_and_channels(dims):
    xarray = pytest.importorskip("xarray")
    cube = np.arange(120.0).reshape(20, 3, 2)
    axes = {"time": 0, "node": 1, "sensor": 1, "channel": 2}
    coords = {
        "time": DATES,
        "channel": ["speed", "flow"],
        next(name for name in dims if axes[name] == 1): ["c", "a", "b"],
    }
    array = xarray.DataArray(cube.transpose([axes[name] for name in dims]), dims=dims, coords=coords)
    series = windows(array)
    assert series.channels == ("speed", "flow")
    assert (series.time == DATES).all()
    np.testing.assert_array_equal(series.batch([0]).x[0, 0], cube[:4][:, [1, 2, 0]])


def test_an_xarray_that_does_not_say_what_its_axes_are():
    xarray = pytest.importorskip("xarray")
    with pytest.raises(InputError, match="dimensions x, y; expected time, node"):
        windows(xarray.DataArray(VALUES, dims=("x", "y")))
    with pytest.raises(InputError, match="got a Dataset with speed, flow; expected one array"):
        windows(xarray.Dataset({"speed": (("time", "node"), VALUES), "flow": (("time", "node"), VALUES)}))


def test_what_nobody_named_is_called_value():
    assert windows(VALUES).channels == ("value",)
    assert windows(VALUES).unit == ""


def test_the_unit_of_an_xarray_is_kept_and_what_is_said_comes_first():
    xarray = pytest.importorskip("xarray")
    values = xarray.DataArray(VALUES, dims=("time", "node"), coords={"node": list("abc")}, attrs={"units": "km/h"})
    series = windows(values)
    assert (series.unit, series.measured.units) == ("km/h", ("km/h",))
    assert windows(values, unit="mph").unit == "mph"
    assert windows(values, measured=Measured(("m/s",))).unit == "m/s"
    assert windows(values.assign_attrs(units=3)).unit == "", "a number is no unit"
