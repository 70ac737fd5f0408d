"""Labels of rows and columns in files of sensors: none is taken for a sensor, and none goes in silence."""

import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.data.labelled import node_first
from stexplain.errors import DataError
from tests.data.signals.sensor_files import N, T, readings, times, tsl

SHORT = {"window": 4, "horizon": 2}
NAMES = [f"s{n}" for n in range(N)]
LINE = stx.STGraph.from_edges(NAMES, list(pairwise(NAMES)))


def frame(index=None):
    return pd.DataFrame(readings(1)[..., 0], index=times() if index is None else index, columns=NAMES)


def load(tmp_path, table, **more):
    table.to_csv(tmp_path / "s.csv")
    return stx.load_sensors(tmp_path / "s.csv", graph=LINE, **SHORT, **more)


@pytest.mark.parametrize(("unit", "name"), [("s", None), ("ms", "timestamp"), ("us", "unix"), ("ns", "whatever")])
def test_seconds_since_1970_are_times_and_no_sensor(tmp_path, unit, name):
    index = pd.Index(times().as_unit(unit).asi8, name=name)
    series = load(tmp_path, frame(index))
    assert series.graph.nodes == LINE.nodes
    assert (series.time == times()).all()


@pytest.mark.parametrize("name", [None, "frame", "index"])
def test_numbers_of_frames_are_no_sensor(tmp_path, name):
    frame(pd.RangeIndex(T, name=name)).to_csv(tmp_path / "s.csv")
    series = stx.load_sensors(tmp_path / "s.csv", links="none", **SHORT)
    assert (series.graph.nodes, series.time) == (LINE.nodes, None)
    np.testing.assert_allclose(series[0].x[0, :, :, 0], readings(1)[:4, :, 0], rtol=1e-6)


def test_an_index_that_says_nothing_known_is_asked_about(tmp_path):
    with pytest.raises(DataError, match=r"the column 'time' numbers its rows, from 0 to 195, which are neither times"):
        load(tmp_path, frame(pd.Index(np.arange(T) * 5, name="time")))


def test_a_sensor_that_counts_stays_one(tmp_path):
    table = frame().reset_index(drop=True)
    table["s0"] = np.arange(T) + 5
    table.to_csv(tmp_path / "s.csv", index=False)
    assert stx.load_sensors(tmp_path / "s.csv", links="none", **SHORT).graph.nodes == LINE.nodes


def test_offsets_that_change_are_refused_with_the_remedy(tmp_path):
    index = pd.date_range("2012-03-11 00:00", periods=T, freq="5min", tz="America/Los_Angeles") + pd.Timedelta("30min")
    index = index.append(index[-1:] + pd.Timedelta("3h"))[1:]
    with pytest.raises(DataError, match=r"several offsets from UTC.*Give load_sensors time_zone="):
        load(tmp_path, frame(index))


def test_sensors_that_the_graph_lacks_are_named(tmp_path):
    with pytest.warns(UserWarning, match="1 of 5 sensors is no node of the graph and was left out: 'other'"):
        load(tmp_path, frame().assign(other=np.random.default_rng(0).random(T)))


def test_times_that_are_not_there_are_said(tmp_path):
    with pytest.warns(UserWarning, match=r"3 of 40 times are not there.*their observations are missing"):
        series = load(tmp_path, frame().drop(times()[5:8]))
    assert len(series.time) == T
    assert not series.batch([4]).observed[0, 0, 1:4].any()


def test_whole_tables_say_nothing(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(tmp_path, frame())


def test_columns_channel_by_sensor_are_turned_where_their_names_say_it(tmp_path):
    h5py = pytest.importorskip("h5py")
    values = readings()
    tsl(tmp_path / "one.h5", values)
    with h5py.File(tmp_path / "one.h5", "a") as file:
        group = file["df"]
        for axis in ("axis0", "block0_items"):
            # As pandas writes columns (channel, node): the levels change their places.
            for part in ("level", "label"):
                first, second = group[f"{axis}_{part}0"][()], group[f"{axis}_{part}1"][()]
                del group[f"{axis}_{part}0"], group[f"{axis}_{part}1"]
                group[f"{axis}_{part}0"], group[f"{axis}_{part}1"] = second, first
            group[f"{axis}_level0"].attrs["name"] = np.bytes_(b"channels")
            group[f"{axis}_level1"].attrs["name"] = np.bytes_(b"nodes")
    series = stx.load_sensors(tmp_path / "one.h5", links="none", **SHORT)
    assert (series.graph.nodes, series.channels) == (LINE.nodes, ("speed", "flow"))
    np.testing.assert_allclose(series[0].x[0], values[:4], rtol=1e-6)


def test_the_zone_of_a_frame_in_hdf5_is_kept(tmp_path):
    h5py = pytest.importorskip("h5py")
    tsl(tmp_path / "zone.h5", readings())
    with h5py.File(tmp_path / "zone.h5", "a") as file:
        file["df"]["axis1"].attrs["tz"] = np.bytes_(b"America/Los_Angeles")
    series = stx.load_sensors(tmp_path / "zone.h5", links="none", **SHORT)
    assert str(series.time.tz) == "America/Los_Angeles"
    assert (series.time.tz_convert("UTC").tz_localize(None) == times()).all()


def test_frames_in_python_are_turned_too():
    values = readings()
    columns = pd.MultiIndex.from_product([["speed", "flow"], NAMES], names=["channel", "sensor"])
    table = pd.DataFrame(values.transpose(0, 2, 1).reshape(T, -1), index=times(), columns=columns)
    series = stx.WindowedSeries(table, graph=LINE, **SHORT)
    np.testing.assert_allclose(series[0].x[0], values[:4], rtol=1e-6)
    # Without names nothing says it: nodes come first.
    assert node_first(table.rename_axis(columns=[None, None])).columns[0] == ("speed", "s0")


@pytest.mark.parametrize("how", ["coordinate", "variable", "ids", "bytes"])
@pytest.mark.parametrize("written", [True, False])
def test_names_of_nodes_that_lie_beside_their_dimension_are_kept(tmp_path, how, written):
    xarray = pytest.importorskip("xarray")
    names = {"ids": np.arange(N) + 400, "bytes": np.array([f"s{n}".encode() for n in range(N)])}.get(how, NAMES)
    made = xarray.Dataset({"speed": (("time", "x"), readings(1)[..., 0])}, coords={"time": times()})
    if how == "coordinate":
        made = made.assign_coords(title=("x", names))
    elif how == "ids":
        # A number of every node that is no id, and a road that several share.
        made = made.assign(lanes=("x", np.arange(N)), sensor_id=("x", names), name=("x", ["I-5"] * N))
    else:
        made = made.assign(title=("x", names))
    if written:
        made.to_netcdf(tmp_path / "a.nc", engine="scipy")
    series = stx.load_sensors(tmp_path / "a.nc" if written else made, links="none", **SHORT)
    expected = [f"s{n}" for n in range(N)] if how != "ids" else [str(400 + n) for n in range(N)]
    assert list(series.graph.nodes) == expected
    assert series.channels == ("speed",)


def test_several_names_of_nodes_are_none(tmp_path):
    xarray = pytest.importorskip("xarray")
    made = xarray.Dataset({"speed": (("time", "x"), readings(1)[..., 0])}, coords={"time": times()})
    made = made.assign(title=("x", NAMES), other=("x", NAMES[::-1]))
    assert stx.load_sensors(made, links="none", **SHORT).graph.nodes == tuple(map(str, range(N)))


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("decimal", [",", "."])
@pytest.mark.parametrize("ids", [NAMES, ["773869", "767541", "767542", "717447"]])
def test_other_separators_and_decimals_are_read(tmp_path, separator, decimal, ids):
    path = tmp_path / "s.csv"
    assert len(ids) == N
    frame().set_axis(ids, axis=1).to_csv(path, sep=separator, decimal=decimal)
    series = stx.load_sensors(path, links="none", **SHORT)
    np.testing.assert_allclose(series[0].x[0, :, :, 0], readings(1)[:4, :, 0], rtol=1e-6)
    assert series.graph.nodes == tuple(ids)
    assert (series.time == times()).all()


def test_times_in_another_format_are_told_what_is_expected(tmp_path):
    table = frame().set_index(times().strftime("%d/%m/%Y %H:%M"))
    with pytest.raises(
        DataError, match=r"holds '01/03/2012 00:00'.*dayfirst=True.*; or dayfirst=False, where months come first"
    ):
        load(tmp_path, table)
