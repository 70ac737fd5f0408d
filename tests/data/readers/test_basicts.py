import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from stexplain.data.load import load_dataset
from stexplain.data.readers.basicts import read
from stexplain.errors import DataError
from tests.data.series_cards import small_card

VALUES = np.random.default_rng(0).uniform(0, 70, (40, 4, 3)).astype(np.float32)


@pytest.fixture
def card(tmp_path):
    return small_card(tmp_path / "card", "stexplain.data.readers.basicts", more="start = 2012-03-01T00:00:00")


def write(folder: Path, *, triple: bool = True, nodes: int = 4, **description) -> Path:
    """The files that BasicTS' scripts write: values, time of day and day of week; their description; the adjacency."""
    folder.mkdir()
    VALUES.tofile(folder / "data.dat")
    full = {"name": "METR-LA", "domain": "traffic speed", "shape": list(VALUES.shape), "frequency (minutes)": 5}
    (folder / "desc.json").write_text(json.dumps({**full, **description}))
    adjacency = np.triu(np.full((nodes, nodes), 0.5, np.float32))
    np.fill_diagonal(adjacency, 1)
    adjacency[-1, 0] = 0.5  # and a way back
    ids = [str(number) for number in range(nodes)]
    value = (ids, dict(zip(ids, range(nodes), strict=True)), adjacency) if triple else adjacency
    (folder / "adj_mx.pkl").write_bytes(pickle.dumps(value))
    return folder


@pytest.mark.parametrize("triple", [True, False])
def test_readings_stay_on_disk(card, tmp_path, triple):
    found = read(write(tmp_path / "raw", triple=triple), card)
    assert isinstance(found.values, np.memmap)
    np.testing.assert_array_equal(found.values, VALUES[..., :1])
    assert len(found.graph.edges) == 7
    assert found.graph.directed
    np.testing.assert_array_equal(load_dataset(card, tmp_path / "raw").batch([5]).x[0, 0, :, :, 0], VALUES[5:8, :, 0])


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"shape": [40, 4, 4]}, r"data.dat holds 1920 bytes; expected 2560 for \[40, 4, 4\]"),
        ({"shape": [40, 4]}, r"shape is \[40, 4\]; expected \[T, N, C\]"),
        ({"shape": None}, "shape is None"),
        ({"frequency (minutes)": 60}, "says 60 min from frame to frame; expected 5, as the card 'small'"),
        ({"nodes": 3}, "adj_mx.pkl is of 3 sensors; data.dat holds 4"),
    ],
)
def test_what_does_not_fit_is_named(card, tmp_path, description, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "raw", **description), card)


def test_missing_and_broken_companions(card, tmp_path):
    folder = write(tmp_path / "raw")
    (folder / "desc.json").write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        read(folder, card)
    (folder / "desc.json").unlink()
    with pytest.raises(DataError, match="holds no desc.json, which gives the shape"):
        read(folder, card)
    many = small_card(tmp_path / "many", "stexplain.data.readers.basicts", ("a", "b", "c", "d"))
    with pytest.raises(DataError, match="has 3 channels; expected 4, as the card 'small' names"):
        read(write(tmp_path / "other"), many)
