from pathlib import Path

import numpy as np
import pytest

from stexplain.data.load import load_dataset
from stexplain.data.readers.pems_npz import read
from stexplain.errors import DataError
from tests.data.series_cards import small_card

CHANNELS = ("flow", "occupancy", "speed")

# Three sensors are enough here; one of them has no neighbour, which is said.
pytestmark = pytest.mark.filterwarnings("ignore:graph. got .* without an edge")


@pytest.fixture
def card(tmp_path):
    return small_card(tmp_path / "card", "stexplain.data.readers.pems_npz", CHANNELS, "start = 2018-01-01T00:00:00")


def write(folder: Path, links: str = "from,to,cost\n0,1,310.6\n2,1,330.9\n2,1,330.9\n", **arrays) -> Path:
    folder.mkdir(exist_ok=True)
    np.savez(folder / "pems04.npz", **(arrays or {"data": np.arange(180.0).reshape(20, 3, 3)}))
    (folder / "distance.csv").write_text(links)
    return folder


def test_readings_links_and_times(card, tmp_path):
    found = read(write(tmp_path / "raw"), card)
    np.testing.assert_array_equal(found.values, np.arange(180.0).reshape(20, 3, 3))
    assert found.node_names == ("0", "1", "2")
    assert found.graph.edges.tolist() == [[0, 1], [2, 1]]
    assert found.graph.weight.tolist() == [1, 1]
    assert found.graph.directed
    series = load_dataset(card, tmp_path / "raw")
    assert series.channels == CHANNELS
    np.testing.assert_array_equal(series.batch([2]).y[0], found.values[5:7, :, 0])
    assert str(series.time_of(0)) == "2018-01-01 00:00:00"


def test_ids_of_their_own(card, tmp_path):
    folder = write(tmp_path / "raw", links="from,to,distance\n317842,318711,1.2\n")
    (folder / "pems04.txt").write_text("317842\n318711\n400001\n")
    assert read(folder, card).node_names == ("317842", "318711", "400001")
    (folder / "pems04.txt").write_text("317842\n318711\n")
    with pytest.raises(DataError, match=r"pems04.txt lists 2 sensors; expected 3, as pems04.npz holds"):
        read(folder, card)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"flow": np.ones((4, 3, 3))}, r"has no array 'data'. It has: flow"),
        ({"data": np.ones((4, 3))}, r"data has shape \(4, 3\); expected \[T, N, 3\] \(flow, occupancy, speed\)"),
        ({"data": np.ones((4, 3, 1))}, r"data has shape \(4, 3, 1\)"),
        ({"data": np.full((4, 3, 3), "a")}, "expected numbers"),
        ({"data": np.array([[None]])}, "could not be read as npz, array 'data': Object arrays cannot be loaded"),
    ],
)
def test_broken_arrays_are_named(card, tmp_path, arrays, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "raw", **arrays), card)


def test_broken_companions_are_named(card, tmp_path):
    folder = write(tmp_path / "raw", links="from,to,cost\n0,7,310.6\n")
    with pytest.raises(DataError, match=r"distance.csv: unknown node .*'7'"):
        read(folder, card)
    (folder / "distance.csv").unlink()
    with pytest.raises(DataError, match="holds no distance.csv or"):
        read(folder, card)
    (folder / "pems04.npz").write_bytes((folder / "pems04.npz").read_bytes()[:100])
    with pytest.raises(DataError, match="could not be read as npz"):
        read(folder, card)


@pytest.mark.parametrize(("name", "links"), [("adj.csv", None), ("distance.csv", "weights"), ("adj.npy", None)])
def test_a_matrix_in_place_of_the_pairs_is_read_as_one(tmp_path, name, links):
    np.savez(tmp_path / "x.npz", data=np.ones((30, 4, 1)))
    matrix = np.diag([0.5, 0.25, 0.75], 1)
    matrix += matrix.T
    if name.endswith("npy"):
        np.save(tmp_path / name, matrix)
    else:
        np.savetxt(tmp_path / name, matrix, delimiter=",")
    more = f'links = "{links}"' if links else ""
    graph = read(tmp_path, small_card(tmp_path / "card", read.__module__, more=more)).graph
    assert graph.edges.tolist() == [[0, 1], [1, 2], [2, 3]]
    assert graph.weight.tolist() == [0.5, 0.25, 0.75]


def test_a_matrix_that_does_not_say_what_it_holds_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", data=np.ones((30, 4, 1)))
    np.savetxt(tmp_path / "x.csv", 3.0 - 3 * np.eye(4), delimiter=",")
    with pytest.raises(DataError, match="does not say whether it holds distances or weights"):
        read(tmp_path, small_card(tmp_path / "card", read.__module__))
