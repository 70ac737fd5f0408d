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
    columns = pd.MultiIndex.from_tuples([("a", "speed"), ("a", "flow"), ("b", "speed")], names=["node", "channel"])
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


def test_levels_without_names_are_told_by_the_graph_or_refused():
    columns = pd.MultiIndex.from_product([["speed", "flow"], list("cab")])
    cube = np.arange(120.0).reshape(20, 2, 3)
    table = pd.DataFrame(cube.reshape(20, 6), index=DATES, columns=columns)
    for given in (table, table.swaplevel(axis=1)):
        series = windows(given)
        assert series.channels == ("speed", "flow")
        np.testing.assert_array_equal(series.batch([0]).x[0, 0], cube[:4, :, [1, 2, 0]].transpose(0, 2, 1))
        with pytest.raises(InputError, match=r"two levels without names.*df\.columns\.names = \['node', 'channel'\]"):
            WindowedSeries(given, window=4, horizon=2)


@pytest.mark.parametrize("kind", ["Int64", "Float64", "Float32"])
@pytest.mark.parametrize("every", [True, False])
def test_what_is_missing_in_a_nullable_column_was_not_observed(kind, every):
    table = pd.DataFrame(VALUES, index=DATES, columns=list("abc"))
    lost = table["a"].astype(kind).mask(table["a"] == 3)
    table = table.astype(kind).assign(a=lost) if every else table.assign(a=lost)
    batch = windows(table[["c", "a", "b"]]).batch([0])
    assert batch.observed[0, 0].tolist() == [[True] * 3, [False, True, True], [True] * 3, [True] * 3]
    assert batch.x[0, 0, 1, :, 0].tolist() == [0, 4, 5]


def test_labels_may_be_categories():
    table = pd.DataFrame(
        VALUES[:, [2, 0, 1]], index=pd.CategoricalIndex(DATES), columns=pd.CategoricalIndex(list("cab"))
    )
    series = windows(table)
    assert (series.time == DATES).all()
    np.testing.assert_array_equal(series.batch([0]).x[0, 0, :, :, 0], VALUES[:4])


@pytest.mark.parametrize("kind", ["frame", "boolean", "xarray"])
def test_a_mask_with_names_is_matched_by_them(kind):
    xarray = pytest.importorskip("xarray")
    mask = pd.DataFrame(VALUES != 4, columns=list("abc"))[["c", "a", "b"]]
    observed = {
        "frame": mask,
        "boolean": mask.astype("boolean"),
        "xarray": xarray.DataArray(mask, dims=("time", "node"), coords={"node": list("cab")}),
    }[kind]
    for values in (VALUES, pd.DataFrame(VALUES[:, [1, 2, 0]], columns=list("bca"))):
        batch = windows(values, observed=observed).batch([0])
        assert batch.observed[0, 0].tolist() == (VALUES[:4] != 4).tolist()


def test_names_of_an_xarray_that_lie_beside_its_dimension():
    xarray = pytest.importorskip("xarray")
    array = xarray.DataArray(VALUES, dims=("time", "node"), coords={"name": ("node", list("cab"))})
    with pytest.raises(InputError, match=r"names along node as name.*array\.set_index\(node='name'\)"):
        windows(array)
    assert windows(array.set_index(node="name")).batch([0]).x[0, 0, 0, :, 0].tolist() == [1, 2, 0]
    levels = pd.MultiIndex.from_product([["speed"], list("cab")], names=["channel", "sensor"])
    array = xarray.DataArray(
        VALUES, dims=("time", "node"), coords=xarray.Coordinates.from_pandas_multiindex(levels, "node")
    )
    with pytest.raises(InputError, match=r"2 names for each entry of node \(channel, sensor\).*unstack\('node'\)"):
        windows(array)
    stacked = array.unstack("node")
    assert windows(stacked.rename(sensor="node")).channels == ("speed",)


def at(index, **options):
    return windows(pd.DataFrame(VALUES, index=index, columns=list("abc")), **options)


def test_clocks_that_are_changed_have_a_remedy_that_works():
    back = pd.date_range("2012-11-03 23:00", periods=20, freq="30min", tz="America/Los_Angeles")
    with pytest.raises(
        InputError, match=r"times that increase.*tz_localize\('America/Los_Angeles', ambiguous='infer'\)"
    ):
        at(back.tz_localize(None))
    assert (at(back.tz_localize(None).tz_localize("America/Los_Angeles", ambiguous="infer")).time == back).all()
    ahead = pd.date_range("2012-03-10 23:00", periods=20, freq="30min", tz="America/Los_Angeles")
    with pytest.raises(
        InputError, match=r"90 min after the one before.*tz_localize\('America/Los_Angeles', ambiguous='infer'\)"
    ):
        at(ahead.tz_localize(None))
    assert (at(ahead.tz_localize(None).tz_localize("America/Los_Angeles", ambiguous="infer")).time == ahead).all()
    days = pd.date_range("2012-03-01", periods=20, freq="D", tz="America/Los_Angeles")
    with pytest.raises(InputError, match=r"the clock of America/Los_Angeles shows even steps.*tz_localize\(None\)"):
        at(days)
    assert len(at(days.tz_localize(None)).time) == 20


def test_a_frame_without_a_time_is_named():
    with pytest.raises(InputError, match=r"frame 5 has none.*df\[df\.index\.notna\(\)\]"):
        at(DATES.where(np.arange(20) != 5))


@pytest.mark.parametrize("kind", ["frame", "channels", "xarray"])
def test_names_that_no_graph_keeps_are_not_lost_without_a_word(kind):
    xarray = pytest.importorskip("xarray")
    table = pd.DataFrame(VALUES, columns=["x", "y", "z"])
    columns = pd.MultiIndex.from_product([["x", "y", "z"], ["speed"]], names=["node", "channel"])
    values = {
        "frame": table,
        "channels": table.set_axis(columns, axis=1),
        "xarray": xarray.DataArray(VALUES, dims=("time", "node"), coords={"node": ["x", "y", "z"]}),
    }[kind]
    with pytest.warns(UserWarning, match=r"the names of the nodes \('x', 'y', 'z'\) are not kept without a graph"):
        WindowedSeries(values, window=4, horizon=2)
    WindowedSeries(pd.DataFrame(VALUES), window=4, horizon=2)  # columns that are counted have no names
