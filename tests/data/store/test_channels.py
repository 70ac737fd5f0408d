"""Any number of channels reaches the store, and nodes that were not read are told from those at zero."""

import json
from pathlib import Path

import numpy as np
import pytest

from stexplain.cards import Recipe, dataset_card, trusting
from stexplain.data import load_dataset
from stexplain.data.store.check import check_store
from stexplain.data.store.prepare import prepare
from stexplain.data.store.prepared import Store
from stexplain.errors import DataError

READER = """
import numpy as np
from stexplain.data.recording import Recording, RecordingFile


def find(root, card):
    return [
        RecordingFile(path.stem, path, number % 2, {"subject": number % 4})
        for number, path in enumerate(sorted(root.glob("*.npy")))
    ]


def read(path):
    return Recording(np.load(path)[None], (0,))
"""


CARD = """
name = "own"
title = "Own recordings"
summary = "Of a test"
licence = "none"
url = "https://example.org"
citation = "none"
obtain = "It is written by the test."
reader = "own_reader_of_channels"
grouping = {{subject = ["subject"]}}
axes = {{instances = 1, channels = {channels}, unit = "px", frame_rate = 30.0}}
graph = {{nodes = ["hip", "knee", "foot"], edges = [["hip", "knee"], ["knee", "foot"]], center = "hip"}}
classes = [{{id = "A", name = "sit"}}, {{id = "B", name = "stand"}}]

[protocols.half]
title = "half"
train = {{field = "subject", values = [0, 1, 2]}}
validation = {{field = "subject", values = [2]}}
"""


@pytest.fixture
def card(tmp_path):
    def written(channels):
        folder = tmp_path / f"card{len(channels)}"
        folder.mkdir(exist_ok=True)
        (folder / "card.toml").write_text(CARD.format(channels=json.dumps(channels)))
        return dataset_card(folder)

    return written


@pytest.fixture
def reader(tmp_path, monkeypatch):
    folder = tmp_path / "path"
    folder.mkdir()
    (folder / "own_reader_of_channels.py").write_text(READER)
    monkeypatch.syspath_prepend(str(folder))
    with trusting("own_reader_of_channels"):
        yield


def recordings(folder: Path, channels: int, missing=()) -> list[np.ndarray]:
    folder.mkdir()
    random = np.random.default_rng(0)
    made = [random.normal(size=(8 + number, 3, channels)).astype(np.float32) for number in range(8)]
    for number, values in enumerate(made):
        for frame, node in missing:
            values[frame, node] = np.nan
        np.save(folder / f"{number}.npy", values)
    return made


@pytest.mark.parametrize("channels", [["x", "y"], ["x", "y", "score"], ["ax", "ay", "az", "gx", "gy", "gz"], ["alpha"]])
@pytest.mark.parametrize("workers", [1, 2])
def test_all_channels_reach_the_clips(tmp_path, reader, card, channels, workers):
    made = recordings(tmp_path / "raw", len(channels))
    prepare(card(channels), tmp_path / "raw", tmp_path / "store", workers=workers, progress=False)
    check_store(tmp_path / "store")
    clips = load_dataset(card(channels), tmp_path / "store")
    assert clips.channels == channels
    for clip, values in zip(clips, made, strict=True):
        np.testing.assert_array_equal(clip.x[0], values)
        assert clip.observed is None
    train = load_dataset(card(channels), tmp_path / "store", "half/train")
    assert len(train) == 4


def test_another_number_of_channels_than_the_card_names_is_told(tmp_path, reader, card):
    recordings(tmp_path / "raw", 3)
    with pytest.raises(DataError, match=r"3, 3\); expected \[M, T, 3, 2\], for the nodes and the channels \(x, y\)"):
        prepare(card(["x", "y"]), tmp_path / "raw", tmp_path / "store", workers=1, progress=False)


def test_nodes_that_were_not_read_are_not_zeros(tmp_path, reader, card):
    made = recordings(tmp_path / "raw", 2, missing=[(0, 0), (3, 2), *((5, node) for node in range(3))])
    prepare(card(["x", "y"]), tmp_path / "raw", tmp_path / "store", workers=1, progress=False)
    store = Store.open(tmp_path / "store")
    assert store.rows.observed is not None
    clip = load_dataset(card(["x", "y"]), tmp_path / "store")[0]
    seen = ~np.isnan(made[0]).any(-1)
    np.testing.assert_array_equal(clip.observed[0], seen)
    np.testing.assert_array_equal(clip.valid[0], np.arange(8) != 5)
    np.testing.assert_array_equal(clip.x[0], np.nan_to_num(made[0]))


def test_resampling_goes_by_what_was_read(tmp_path, reader, card):
    """Between two frames a node has the value of the one in which it was read, and is missing where it was in none."""
    made = recordings(tmp_path / "raw", 2, missing=[(3, 2), (6, 1), (7, 1)])
    prepare(card(["x", "y"]), tmp_path / "raw", tmp_path / "store", workers=1, progress=False)
    recipe = Recipe(summary="", epochs=1, batch=2, rate=0.1, frames=15, sampling="resample")
    clip = load_dataset(card(["x", "y"]), tmp_path / "store", recipe=recipe)[0]
    assert clip.x.shape == (1, 15, 3, 2)
    for frame in range(15):
        low, high = frame // 2, (frame + 1) // 2
        for node in range(3):
            both = [made[0][at, node] for at in {low, high} if not np.isnan(made[0][at, node]).any()]
            assert clip.observed[0, frame, node] == bool(both)
            np.testing.assert_allclose(clip.x[0, frame, node], np.mean(both, 0) if both else 0, atol=1e-6)
