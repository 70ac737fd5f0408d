"""Series that are in memory already: read as the files are that they would be written to."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray

import stexplain as stx
from stexplain.errors import InputError

VALUES = np.random.default_rng(0).uniform(20, 70, (40, 3)).astype(np.float32)
TIMES = pd.date_range("2012-03-01", periods=40, freq="5min", name="time")
NAMES = ["11", "12", "13"]
CHAIN = stx.STGraph.from_edges(NAMES, [("11", "12"), ("12", "13")])
SIZES = {"window": 4, "horizon": 2}


def frame():
    return pd.DataFrame(VALUES, index=TIMES, columns=NAMES)


def cube(dims=("time", "node", "channel"), **more):
    coords = {"time": TIMES, "node": NAMES, "channel": ["speed", "flow"]}
    both = xarray.DataArray(np.stack([VALUES, 2 * VALUES], 2), dims=("time", "node", "channel"), coords=coords, **more)
    return both.transpose(*dims)


def whole(series):
    """Values [T, N, C] and mask of a series that one chunk holds."""
    ((values, observed),) = series.observations()
    return values, observed


def same(series, other):
    np.testing.assert_array_equal(whole(series)[0], whole(other)[0])
    assert series.graph.nodes == other.graph.nodes
    assert (series.time is None) == (other.time is None)
    assert series.time is None or list(series.time) == list(other.time)


def in_file(tmp_path, table):
    table.to_csv(tmp_path / "speeds.csv")
    return stx.load_sensors(tmp_path / "speeds.csv", graph=CHAIN, **SIZES)


def test_a_frame_is_read_as_its_csv(tmp_path):
    same(stx.load_sensors(frame(), graph=CHAIN, **SIZES), in_file(tmp_path, frame()))
    same(stx.load_sensors(frame().reset_index(), graph=CHAIN, **SIZES), in_file(tmp_path, frame()))
    as_text = frame().reset_index().assign(time=lambda table: table["time"].astype(str))
    same(stx.load_sensors(as_text, graph=CHAIN, **SIZES), in_file(tmp_path, frame()))
    other = frame()[["13", "11", "12"]].astype("Float64")
    np.testing.assert_array_equal(whole(stx.load_sensors(other, graph=CHAIN, **SIZES))[0][..., 0], VALUES)


def test_the_options_of_files_work_for_frames():
    table = frame().drop(index=TIMES[[7]])
    table.iloc[3, 1] = 0.0
    with pytest.warns(UserWarning, match="the DataFrame: 1 of 40 times is not there"):
        series = stx.load_sensors(table, links="none", missing=0.0, units="mph", **SIZES)
    assert np.argwhere(~whole(series)[1][..., 0]).tolist() == [[3, 1], [7, 0], [7, 1], [7, 2]]
    places = pd.DataFrame({"sensor_id": NAMES, "latitude": [34.0, 34.1, 34.2], "longitude": [-118.0, -118.1, -118.2]})
    assert len(stx.load_sensors(frame(), locations=places, nearest=1, **SIZES).graph.edges)
    with pytest.raises(InputError, match="start: the DataFrame has times of its own"):
        stx.load_sensors(frame(), links="none", start="2012-03-01")


@pytest.mark.parametrize("named", [True, False])
def test_columns_of_sensor_and_channel(named):
    names = ["node", "channel"] if named else None
    columns = pd.MultiIndex.from_product([NAMES, ["speed", "flow"]], names=names)
    table = pd.DataFrame(np.repeat(VALUES, 2, 1), index=TIMES, columns=columns)
    series = stx.load_sensors(table, graph=CHAIN, channels=["flow"], **SIZES)
    assert series.channels == ("flow",)
    np.testing.assert_array_equal(whole(series)[0][..., 0], VALUES)


@pytest.mark.parametrize("dims", [("time", "node", "channel"), ("channel", "node", "time")])
def test_arrays_of_xarray_with_their_names_times_and_units(dims):
    series = stx.load_sensors(cube(dims, attrs={"units": "mph"}), graph=CHAIN, **SIZES)
    assert series.channels == ("speed", "flow")
    assert series.measured.units == ("mph", "mph")
    assert list(series.time) == list(TIMES)
    np.testing.assert_array_equal(whole(series)[0][..., 1], 2 * VALUES)
    one = cube().sel(channel="flow", drop=True)
    np.testing.assert_array_equal(whole(stx.load_sensors(one, graph=CHAIN, **SIZES))[0][..., 0], 2 * VALUES)
    with pytest.raises(InputError, match=r"path: got an array with dimensions time, node, what.*Rename them"):
        stx.load_sensors(cube().rename(channel="what"), graph=CHAIN)


def test_arrays_and_tensors_as_npy(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    given = {"links": "none", "start": "2012-03-01", "minutes": 5, **SIZES}
    from_file = stx.load_sensors(tmp_path / "a.npy", **given)
    same(stx.load_sensors(VALUES, **given), from_file)
    same(stx.load_sensors(torch.from_numpy(VALUES), **given), from_file)
    hidden = np.ma.masked_less(VALUES, 25)
    series = stx.load_sensors(hidden, **given)
    np.testing.assert_array_equal(whole(series)[1][..., 0], VALUES >= 25)
    both = stx.load_sensors(np.stack([VALUES, VALUES], 2), channels=["speed", "flow"], **given)
    assert both.channels == ("speed", "flow")


def test_nothing_lies_beside_what_is_in_memory(tmp_path, monkeypatch):
    np.save(tmp_path / "adj.npy", np.ones((3, 3)))
    monkeypatch.chdir(tmp_path)
    for values in (frame(), VALUES, cube(), cube().to_dataset("channel")):
        with pytest.raises(InputError, match=r"graph: the \w+ has no links\. Give graph="):
            stx.load_sensors(values)
    assert len(stx.load_sensors(frame(), graph="adj.npy", links="weights", **SIZES).graph.edges)


class Polars:
    def to_pandas(self):
        return frame()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (frame()["11"], r"got a Series.*series\.unstack\(\)"),
        (
            frame().rename_axis(columns="sensor_id").stack().rename("v").reset_index(),
            r"'sensor_id' names sensors",
        ),
        (frame().assign(road="I-5"), r"column 'road' of the DataFrame holds no numbers.*df\.drop"),
        (frame().set_axis([f"day {n}" for n in range(40)]), "path: got a DataFrame whose index is text"),
        (Polars(), r"expected the path.*Use its to_pandas\(\)"),
        ([[1.0, 2.0]] * 9, r"got a list; expected the path of a file or folder, a DataFrame"),
        ({"a": [1, 2]}, "got a dict; expected the path"),
        (None, "got a NoneType; expected the path"),
        (np.zeros(9), r"got float64 of shape \(9,\)"),
        (np.array([["a"]]), "got <U1 of shape"),
        (pd.DataFrame(), "got a DataFrame of shape"),
        (frame().iloc[:0], "got a DataFrame of shape"),
    ],
)
def test_what_is_no_series_is_refused_with_what_to_give(values, words):
    with pytest.raises(InputError, match=words):
        stx.load_sensors(values, links="none")


# ---- the table of links beside the values ----


@pytest.mark.parametrize("name", ["PEMS04.csv", "pems04.csv", "roads.csv", "distance.csv"])
@pytest.mark.parametrize("whole", [True, False])
def test_the_one_table_of_links_beside_the_values_is_the_graph(tmp_path, name, whole):
    np.savez(tmp_path / "PEMS04.npz", data=np.stack([VALUES] * 3, 2))
    (tmp_path / name).write_text("from,to,cost\n0,1,2.5\n1,2,3.0\n")
    series = stx.load_sensors(tmp_path if whole else tmp_path / "PEMS04.npz", links="neighbours", **SIZES)
    assert series.graph.edges.tolist() == [[0, 1], [1, 2]]


def test_of_several_datasets_in_a_folder_each_has_its_own_table(tmp_path):
    for name, ends in (("PEMS04", ("0,1", "1,2")), ("PEMS08", ("2,1", "1,0"))):
        np.savez(tmp_path / f"{name}.npz", data=np.stack([VALUES] * 3, 2))
        (tmp_path / f"{name}.csv").write_text("from,to\n" + "\n".join(ends) + "\n")
    series = stx.load_sensors(tmp_path / "PEMS08.npz", **SIZES)
    assert series.graph.edges.tolist() == [[2, 1], [1, 0]]
    with pytest.raises(InputError, match="holds 2 files that may be values"):
        stx.load_sensors(tmp_path)
    Path(tmp_path / "PEMS08.csv").unlink()
    with pytest.raises(InputError, match=r"graph: .*PEMS08\.npz has no links"):
        stx.load_sensors(tmp_path / "PEMS08.npz", **SIZES)


def test_several_tables_of_links_are_asked_about(tmp_path):
    np.savez(tmp_path / "v.npz", data=np.stack([VALUES] * 3, 2))
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("from,to,cost\n0,1,2.5\n")
    with pytest.raises(InputError, match=r"beside v\.npz lie a\.csv, b\.csv; which is the graph"):
        stx.load_sensors(tmp_path / "v.npz", **SIZES)
