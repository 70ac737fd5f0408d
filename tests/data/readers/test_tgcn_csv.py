import os
from pathlib import Path

import numpy as np
import pytest

from stexplain.data.load import load_dataset
from stexplain.data.readers.dcrnn_pickle import read_adjacency
from stexplain.data.readers.tgcn_csv import read
from stexplain.errors import DataError
from tests.data.series_cards import small_card

SPEEDS = "11,12,13\n" + "".join(f"{t},{t + 0.5},0\n" for t in range(20))
ADJACENCY = "1,0.5,0\n0.5,1,0.25\n0,0.25,1\n"


@pytest.fixture
def card(tmp_path):
    return small_card(
        tmp_path / "card", "stexplain.data.readers.tgcn_csv", more="start = 2012-03-01T00:00:00\nmissing = 0.0"
    )


def write(folder: Path, speeds: str = SPEEDS, adjacency: str = ADJACENCY) -> Path:
    folder.mkdir(parents=True)
    (folder / "los_speed.csv").write_text(speeds)
    (folder / "los_adj.csv").write_text(adjacency)
    return folder


def test_readings_adjacency_and_times(card, tmp_path):
    folder = write(tmp_path / "raw")
    found = read(folder, card)
    np.testing.assert_array_equal(found.values[:2], [[0, 0.5, 0], [1, 1.5, 0]])
    assert found.node_names == ("11", "12", "13")
    assert found.graph.edges.tolist() == [[0, 1], [1, 2]]
    assert found.graph.weight.tolist() == [0.5, 0.25]
    assert not found.graph.directed
    assert str(found.time[1]) == "2012-03-01 00:05:00"
    assert np.array_equal(read(folder / "los_speed.csv", card).values, found.values)
    batch = load_dataset(card, folder).batch([1])
    assert batch.observed[0, 0].tolist() == [[True, True, False]] * 3  # zero is missing, the card says


@pytest.mark.parametrize("where", ["raw", "beside"])
def test_places_come_from_dcrnns_file_here_or_beside(card, tmp_path, where):
    folder = write(tmp_path / "raw")
    (tmp_path / where).mkdir(exist_ok=True)
    places = tmp_path / where / "graph_sensor_locations.csv"
    places.write_text("index,sensor_id,latitude,longitude\n0,13,34.3,-118.3\n1,12,34.2,-118.2\n2,11,34.1,-118.1\n")
    found = read(folder, card).graph.positions
    assert found is not None
    assert found.tolist() == [[-118.1, 34.1], [-118.2, 34.2], [-118.3, 34.3]]
    # Of other sensors: an error in the folder itself, nothing in the one beside.
    places.write_text("index,sensor_id,latitude,longitude\n0,13,34.3,-118.3\n")
    if where == "raw":
        with pytest.raises(DataError, match="does not have the sensor '11'"):
            read(folder, card)
    else:
        assert read(folder, card).graph.positions is None


@pytest.mark.parametrize(
    ("speeds", "adjacency", "message"),
    [
        (SPEEDS, "1,0\n0,1\n", r"los_adj.csv holds 2 x 2 numbers; expected 3 x 3"),
        (SPEEDS, ADJACENCY.replace("0.25", "near"), "los_adj.csv, line 2: column '2' holds 'near'"),
        (SPEEDS.replace("\n7,7.5,0", "\n7,?,0"), ADJACENCY, "los_speed.csv, line 9: column '12' holds"),
        ("", ADJACENCY, "los_speed.csv is empty"),
        (SPEEDS, ADJACENCY.replace("0.25", "inf"), r"los_adj.csv: matrix at \[\d, \d\]: got inf; expected a finite"),
    ],
)
def test_broken_files_are_named(card, tmp_path, speeds, adjacency, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "raw", speeds, adjacency), card)


def test_a_missing_file_is_named(card, tmp_path):
    (write(tmp_path / "raw") / "los_adj.csv").unlink()
    with pytest.raises(DataError, match=r"holds no \*_adj.csv, the adjacency. It holds: los_speed.csv"):
        read(tmp_path / "raw", card)


REAL = os.environ.get("STEXPLAIN_REAL_DATA")


# A sensor of this network has no neighbour, which is said.
@pytest.mark.filterwarnings("ignore:graph. got .* without an edge")
@pytest.mark.skipif(REAL is None, reason="STEXPLAIN_REAL_DATA names no folder of real data")
def test_the_real_week():
    root = Path(REAL or "")
    series = load_dataset("los-loop", root / "los-loop")
    speeds = np.loadtxt(root / "los-loop" / "los_speed.csv", delimiter=",", skiprows=1)
    assert (series.frames, series.nodes) == speeds.shape == (2016, 207)
    np.testing.assert_array_equal(series.batch([100]).x[0, 0, :, :, 0], speeds[100:112].astype(np.float32))
    ids, _ = read_adjacency(root / "metr-la-graph" / "adj_mx.pkl")
    assert list(series.graph.nodes) == ids
    longitude, latitude = series.graph.positions.T
    assert -118.6 < longitude.min() < longitude.max() < -118.1
    assert 34.0 < latitude.min() < latitude.max() < 34.3
    assert series.time[-1].isoformat() == "2012-03-07T23:55:00"
    parts = [load_dataset("los-loop", root / "los-loop", part) for part in ("train", "validation", "test")]
    ends = [int(part.starts[-1]) + 24 for part in parts]
    assert [int(part.starts[0]) for part in parts[1:]] == ends[:2]
