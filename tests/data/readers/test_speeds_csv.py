from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stexplain.data.load import load_dataset
from stexplain.data.readers.speeds_csv import read
from stexplain.errors import DataError, InputError
from tests.data.series_cards import small_card


@pytest.fixture
def card(tmp_path):
    return small_card(tmp_path / "card", "stexplain.data.readers.speeds_csv")


def write(folder: Path, frames: int = 30, **files: str) -> pd.DataFrame:
    """Speeds of the sensors 11, 12 and 13, their edges, and further files."""
    folder.mkdir(exist_ok=True)
    time = pd.date_range("2012-03-01", periods=frames, freq="5min", name="time")
    table = pd.DataFrame(np.arange(3.0 * frames).reshape(frames, 3), index=time, columns=["11", "12", "13"])
    table.to_csv(folder / "speeds.csv")
    files = {"edges.csv": "source,target,weight\n12,11,0.5\n13,12,1\n", **files}
    for name, text in files.items():
        (folder / name).write_text(text)
    return table


def test_readings_times_and_edges(card, tmp_path):
    table = write(tmp_path / "raw")
    found = read(tmp_path / "raw", card)
    np.testing.assert_array_equal(found.values, table.to_numpy())
    assert found.time is not None
    assert found.time.equals(table.index)
    assert found.node_names == ("11", "12", "13")
    assert found.graph.edges.tolist() == [[1, 0], [2, 1]]
    assert found.graph.weight.tolist() == [0.5, 1.0]
    assert found.graph.directed
    assert found.graph.positions is None
    assert np.array_equal(read(tmp_path / "raw" / "speeds.csv", card).values, found.values)


def test_the_card_gives_windows(card, tmp_path):
    table = write(tmp_path / "raw", frames=100)
    series = load_dataset(card, tmp_path / "raw")
    assert series.graph is not None
    np.testing.assert_array_equal(series.batch([4]).x[0, 0, :, :, 0], table.iloc[4:7])
    parts = [load_dataset(card, tmp_path / "raw", part) for part in ("train", "test")]
    assert [len(part) for part in parts] == [66, 16]
    with pytest.raises(InputError, match=r"unknown split 'tests'. Did you mean 'test'"):
        load_dataset(card, tmp_path / "raw", "tests")
    with pytest.raises(InputError, match="has no synthetic data"):
        load_dataset(card)
    with pytest.raises(InputError, match=r"there is no folder .*nowhere. How to get 'small': Write it"):
        load_dataset(card, tmp_path / "nowhere")


def test_sensors_have_places_and_roads(card, tmp_path):
    write(tmp_path / "raw", **{"sensors.csv": "sensor,x,y,group\n13,3,4,b\n11,1,2,a\n12,5,6,b\n"})
    graph = read(tmp_path / "raw", card).graph
    assert graph.positions is not None
    assert graph.positions.tolist() == [[1, 2], [5, 6], [3, 4]]
    assert dict(graph.groups) == {"a": ("11",), "b": ("12", "13")}


def test_distances_become_the_kernel(card, tmp_path):
    distances = "from,to,cost\n" + "".join(
        f"{a},{b},{cost}\n" for a, b, cost in [(11, 12, 100), (12, 13, 900), (13, 11, 400), (99, 11, 1)]
    )
    write(tmp_path / "raw", **{"distances.csv": distances})
    (tmp_path / "raw" / "edges.csv").unlink()
    graph = read(tmp_path / "raw", card).graph
    sigma = np.std([0, 0, 0, 100, 900, 400])
    assert graph.edges.tolist() == [[0, 1], [2, 0]]
    np.testing.assert_allclose(graph.weight, np.exp(-(np.array([100, 400]) ** 2) / sigma**2))


def test_missing_cells_and_times_are_missing_readings(card, tmp_path):
    write(tmp_path / "raw")
    path = tmp_path / "raw" / "speeds.csv"
    lines = path.read_text().splitlines()
    lines[2] = lines[2].rsplit(",", 1)[0] + ","  # the last cell of frame 1
    del lines[5]  # frame 4
    path.write_text("\n".join(lines) + "\n")
    found = read(tmp_path / "raw", card)
    assert np.argwhere(np.isnan(found.values)).tolist() == [[1, 2], [4, 0], [4, 1], [4, 2]]
    assert len(found.values) == 30


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda lines: [*lines[:3], lines[3].replace(",6.0", ",fast"), *lines[4:]],
            r"line 4: column '11' holds 'fast'",
        ),
        (lambda lines: [*lines[:-1], lines[-1].rsplit(",", 1)[0]], r"line 31: 3 cells; expected 4.*truncated"),
        (lambda lines: [*lines[:3], lines[3] + ",7", *lines[4:]], "not a table in CSV"),
        (lambda lines: [*lines[:2], "noon,1,2,3", *lines[3:]], "line 3: the first cell is 'noon'; expected a time"),
        (lambda lines: [*lines, lines[-1]], "has the time 2012-03-01 02:25:00 twice"),
        (lambda lines: [*lines, "2012-03-01 02:31:00,1,2,3"], "02:31:00, which is not a multiple of 5 min"),
        (lambda lines: lines[:1], "holds a header and no row"),
        (lambda lines: [], "is empty"),
    ],
)
def test_broken_values_are_named_by_line(card, tmp_path, change, message):
    write(tmp_path / "raw")
    path = tmp_path / "raw" / "speeds.csv"
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n" if change([""] * 5) else "")
    with pytest.raises(DataError, match=message):
        read(tmp_path / "raw", card)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"edges.csv": "source,target\n11,14\n"}, "edges.csv: unknown node .*'14'"),
        ({"edges.csv": "source,target,weight\n11,12,heavy\n"}, "edges.csv: .*heavy"),
        ({"sensors.csv": "sensor,x,y\n11,1,2\n12,1,2\n"}, "sensors.csv does not have the sensor '13'"),
        ({"sensors.csv": "name,x,y,z\n11,1,2,3\n"}, r"expected sensor_id, latitude and longitude"),
        ({"sensors.csv": "sensor,x,y\n11,1,2\n12,1,2\n13,here,2\n"}, "sensors.csv: .*'here'"),
    ],
)
def test_broken_companions_are_named(card, tmp_path, files, message):
    write(tmp_path / "raw", **files)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "raw", card)


def test_a_missing_companion_is_named(card, tmp_path):
    write(tmp_path / "raw")
    (tmp_path / "raw" / "edges.csv").unlink()
    with pytest.raises(DataError, match=r"holds no adj_mx.pkl or .*edges.csv.*It holds: speeds.csv"):
        read(tmp_path / "raw", card)
    (tmp_path / "raw" / "speeds.csv").unlink()
    with pytest.raises(DataError, match=r"holds no speeds.csv, the values. It holds: nothing"):
        read(tmp_path / "raw", card)
    (tmp_path / "raw" / "distances_a.csv").write_text("")
    (tmp_path / "raw" / "distances_b.csv").write_text("")
    write(tmp_path / "raw")
    (tmp_path / "raw" / "edges.csv").unlink()
    with pytest.raises(DataError, match=r"got 2 files distances_\*.csv"):
        read(tmp_path / "raw", card)


def test_times_further_apart_than_the_card_says(tmp_path):
    write(tmp_path / "raw")
    card = small_card(tmp_path / "card", "stexplain.data.readers.speeds_csv")
    slow = card.model_copy(update={"series": card.series.model_copy(update={"minutes": 2.5})})
    assert np.isnan(read(tmp_path / "raw", slow).values).any()
    fast = card.model_copy(update={"series": card.series.model_copy(update={"minutes": 15})})
    with pytest.raises(DataError, match="is not a multiple of 15 min"):
        read(tmp_path / "raw", fast)
