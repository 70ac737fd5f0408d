import pickle
from pathlib import Path

import numpy as np
import pytest

from stexplain.data.load import load_dataset
from stexplain.data.readers.metr_la_h5 import read, read_frame
from stexplain.errors import DataError
from tests.data.series_cards import small_card

h5py = pytest.importorskip("h5py")

START = 1330560000 * 10**9  # 2012-03-01 00:00 in nanoseconds
MINUTES = 60 * 10**9

# Three sensors are enough here; one of them has no neighbour, which is said.
pytestmark = pytest.mark.filterwarnings("ignore:graph. got .* without an edge")


@pytest.fixture
def card(tmp_path):
    return small_card(tmp_path / "card", "stexplain.data.readers.metr_la_h5", more="missing = 0.0")


def write(folder: Path, ids=(b"11", b"12", b"13"), frames: int = 20, key: str = "df", missing=(), **parts) -> Path:
    """The parts of pandas' fixed format, as `DataFrame.to_hdf` of pandas 2 was seen to write them."""
    folder.mkdir(parents=True, exist_ok=True)
    present = [t for t in range(frames) if t not in missing]
    values = np.arange(3.0 * frames).reshape(frames, 3)[present]
    content = {
        "axis0": np.array(ids),
        "axis1": START + 5 * MINUTES * np.array(present),
        "block0_items": np.array(ids),
        "block0_values": values,
        **parts,
    }
    with h5py.File(folder / "metr-la.h5", "w") as file:
        group = file.create_group(key)
        group.attrs["pandas_type"] = np.bytes_(b"frame")
        for name, value in content.items():
            if value is not None:
                group.create_dataset(name, data=value)
        if content["axis1"] is not None:
            group["axis1"].attrs["kind"] = np.bytes_(b"datetime64")
    names = [str(name.decode() if isinstance(name, bytes) else name) for name in ids]
    adjacency = np.eye(3, dtype=np.float32)
    adjacency[0, 1] = 0.5
    triple = (names, {name: number for number, name in enumerate(names)}, adjacency)
    (folder / "adj_mx.pkl").write_bytes(pickle.dumps(triple, protocol=2))
    return folder


@pytest.mark.parametrize(("ids", "key"), [((b"11", b"12", b"13"), "df"), ((11, 12, 13), "speed")])
def test_metr_las_and_pems_bays_frames(card, tmp_path, ids, key):
    found = read(write(tmp_path / "raw", ids=ids, key=key), card)
    np.testing.assert_array_equal(found.values, np.arange(60.0).reshape(20, 3))
    assert found.node_names == ("11", "12", "13")
    assert found.graph.edges.tolist() == [[0, 1]]
    assert found.graph.directed
    assert str(found.time[0]) == "2012-03-01 00:00:00"
    series = load_dataset(card, tmp_path / "raw")
    assert not series.batch([0]).observed[0, 0, 0, 0]  # zero is missing


def test_the_graph_may_list_sensors_in_another_order(card, tmp_path):
    folder = write(tmp_path / "raw")
    adjacency = np.zeros((3, 3), np.float32)
    adjacency[0, 2] = 0.25  # from 13 to 11
    triple = (["13", "12", "11"], {"13": 0, "12": 1, "11": 2}, adjacency)
    (folder / "adj_mx.pkl").write_bytes(pickle.dumps(triple))
    assert read(folder, card).graph.edges.tolist() == [[2, 0]]
    (folder / "adj_mx.pkl").write_bytes(pickle.dumps((["13"], {"13": 0}, adjacency[:1, :1])))
    with pytest.raises(DataError, match="adj_mx.pkl does not have the sensor '11'"):
        read(folder, card)


def test_an_hour_that_the_file_omits_is_missing(card, tmp_path):
    found = read(write(tmp_path / "raw", missing=(7, 8)), card)
    assert len(found.values) == 20
    assert np.flatnonzero(np.isnan(found.values).all(axis=1)).tolist() == [7, 8]


def test_other_units_of_time(card, tmp_path):
    folder = write(tmp_path / "raw", axis1=None)
    with h5py.File(folder / "metr-la.h5", "a") as file:
        axis = file["df"].create_dataset("axis1", data=1330560000 + 300 * np.arange(20))
        axis.attrs["kind"] = np.bytes_(b"datetime64[s]")
    assert str(read_frame(folder / "metr-la.h5").index[1]) == "2012-03-01 00:05:00"
    with h5py.File(folder / "metr-la.h5", "a") as file:
        file["df/axis1"].attrs["kind"] = np.bytes_(b"integer")
    with pytest.raises(DataError, match="labelled by integer; expected times"):
        read_frame(folder / "metr-la.h5")


def test_columns_in_another_order_than_the_block(card, tmp_path):
    found = read(write(tmp_path / "raw", block0_items=np.array([b"13", b"11", b"12"])), card)
    assert found.node_names == ("11", "12", "13")
    assert found.values[0].tolist() == [1, 2, 0]


def test_a_csv_of_the_same(card, tmp_path):
    folder = write(tmp_path / "raw")
    (folder / "metr-la.h5").unlink()
    (folder / "small.csv").write_text("time,11,12,13\n2012-03-01 00:00:00,1,2,3\n2012-03-01 00:05:00,4,5,6\n")
    assert read(folder, card).values.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"block0_values": None}, "holds 0 DataFrames of pandas' fixed format"),
        ({"block0_values": np.ones((20, 2))}, r"values \(20, 2\) for 20 times and 3 sensors"),
        ({"block0_items": np.array([b"11", b"12", b"14"])}, "Fetch it again"),
    ],
)
def test_broken_data_frames_are_named(card, tmp_path, parts, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "raw", **parts), card)


def test_what_is_no_hdf5(card, tmp_path):
    folder = write(tmp_path / "raw")
    content = (folder / "metr-la.h5").read_bytes()
    (folder / "metr-la.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="could not be read as HDF5"):
        read(folder, card)
