import os
from pathlib import Path

import numpy as np
import pytest

from stexplain.data.readers.road_graph import graph_beside, groups_beside, read_distances, read_positions
from stexplain.errors import DataError


def test_distances_are_infinite_where_no_row_tells(tmp_path):
    path = tmp_path / "distances.csv"
    path.write_text("from,to,cost\n7,5,100.5\n5,7,90\n7,9,1\n")
    found = read_distances(path, ["5", "7"])
    assert found.tolist() == [[0, 90], [100.5, 0]]
    assert read_distances(path, ["9", "5", "7"])[0].tolist() == [0, np.inf, np.inf]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("from,to\n5,7\n", "expected from, to and distance"),
        ("from,to,cost\n5,7,far\n", "line 2: 'far' is not a distance"),
        ("from,to,cost\n5,8,1\n", "does not have the sensor '7'"),
        ("from,to,cost\n5,7,-1\n", r"distances at \[0, 1\]: got -1.0; expected at least 0"),
    ],
)
def test_broken_distances_are_named(tmp_path, text, message):
    (tmp_path / "distances.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        graph_beside(tmp_path, ["5", "7"])


@pytest.mark.parametrize(
    "text",
    [
        "index,sensor_id,latitude,longitude\n0,7,34.1,-118.1\n1,5,34.2,-118.2\n",
        "sensor_id,longitude,latitude\n7,-118.1,34.1\n5,-118.2,34.2\n",
        "7,34.1,-118.1\n5,34.2,-118.2\n",  # PEMS-BAY's: no header; sensor, latitude, longitude
        "sensor,x,y\n7,-118.1,34.1\n5,-118.2,34.2\n",
    ],
)
def test_positions_are_longitude_and_latitude_by_id(tmp_path, text):
    (tmp_path / "places.csv").write_text(text)
    assert read_positions(tmp_path / "places.csv", ["5", "7"]).tolist() == [[-118.2, 34.2], [-118.1, 34.1]]


def test_groups_are_of_the_sensors_asked_for(tmp_path):
    assert groups_beside(tmp_path, ["5"]) == {}
    (tmp_path / "sensors.csv").write_text("sensor,x,y,group\n7,0,0,a\n5,1,1,b\n9,2,2,\n3,3,3,a\n")
    assert groups_beside(tmp_path, ["3", "5", "7", "9"]) == {"a": ["3", "7"], "b": ["5"]}
    (tmp_path / "sensors.csv").write_text("sensor,x,y\n7,0,0\n")
    assert groups_beside(tmp_path, ["7"]) == {}


REAL = os.environ.get("STEXPLAIN_REAL_DATA")


@pytest.mark.skipif(REAL is None, reason="STEXPLAIN_REAL_DATA names no folder of real data")
def test_the_real_network():
    folder = Path(REAL or "") / "metr-la-graph"
    ids = (folder / "graph_sensor_ids.txt").read_text().strip().split(",")
    with pytest.warns(UserWarning, match=r"one node without an edge \('717804'\)"):
        graph = graph_beside(folder, ids[::-1])
    assert graph.nodes == tuple(ids[::-1])
    assert graph.directed
    assert len(graph.edges) == 1722 - 207  # what is above 0, without the diagonal
    assert graph.positions is not None
    assert graph.positions[-1].tolist() == [-118.31829, 34.15497]
    assert 0.1 <= graph.weight.min() < graph.weight.max() <= 1


PAIRS = "11,12,100\n12,11,300\n12,13,200\n"


@pytest.mark.parametrize("header", ["", "from,to,cost\n", "a,b,c\n"])
def test_a_table_with_and_without_a_header_holds_the_same_pairs(tmp_path, header):
    """DCRNN's distances_bay_2017.csv has none: its first pair was taken for names."""
    path = tmp_path / "distances.csv"
    path.write_text(header + PAIRS)
    distances = read_distances(path, ["11", "12", "13"])
    assert distances[0, 1] == 100
    assert distances[1, 0] == 300
    assert distances[1, 2] == 200


@pytest.mark.parametrize("header", ["", "source,target,weight\n"])
@pytest.mark.parametrize("names", [["11", "12", "13"], ["north", "east", "west"]])
@pytest.mark.parametrize("weights", [True, False])
def test_edges_with_and_without_a_header(tmp_path, header, names, weights):
    if not weights:
        header = header.replace(",weight", "")
    pairs = [(0, 1, 0.5), (1, 2, 0.25)]
    lines = [f"{names[a]},{names[b]}" + (f",{weight}" if weights else "") for a, b, weight in pairs]
    (tmp_path / "edges.csv").write_text(header + "\n".join(lines) + "\n")
    graph = graph_beside(tmp_path, names)
    assert graph.edges.tolist() == [[0, 1], [1, 2]]
    assert graph.weight.tolist() == ([0.5, 0.25] if weights else [1, 1])


def test_a_broken_line_without_a_header_is_counted_from_the_first(tmp_path):
    path = tmp_path / "distances.csv"
    path.write_text("11,12,100\n12,11,300\n12,13,far\n")
    with pytest.raises(DataError, match="line 3: 'far' is not a distance"):
        read_distances(path, ["11", "12", "13"])
