"""What writes files closes them before it moves or removes them, as Windows requires; it has not been run there."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from stexplain import Class, Explanation, InputGradient, STGraph
from stexplain.bench.runner import bench
from stexplain.cards import dataset_card
from stexplain.data.load import load_clips
from stexplain.data.planted import cache
from stexplain.data.store.prepare import prepare
from stexplain.explainers.saving.formats import READERS
from stexplain.files import atomic_write, folder_lock, write_json
from stexplain.nn.checkpoint import load_model, save_model
from tests.bench.small_experiment import experiment_text, write_cards, write_recordings
from tests.data.skeleton_files import write_ucla
from tests.faults.as_on_windows import windows as windows

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what is open is read from /proc")


@pytest.fixture
def raw(tmp_path):
    random = np.random.default_rng(0)
    for subject in (1, 2):
        write_ucla(tmp_path / "raw", f"a01_s{subject:02d}_e00_v01", random.normal(size=(6, 20, 3)).astype(np.float32))
    return tmp_path / "raw"


def test_an_open_file_is_neither_removed_nor_moved_there(tmp_path, windows):
    path, array = tmp_path / "a.txt", tmp_path / "in" / "a.npy"
    path.write_text("a")
    array.parent.mkdir()
    np.save(array, np.zeros(3))
    mapped = np.load(array, mmap_mode="r")
    with path.open() as file, pytest.raises(PermissionError):
        path.unlink()
    assert file.closed
    path.replace(tmp_path / "b.txt")
    with pytest.raises(PermissionError):
        array.parent.rename(tmp_path / "out")
    del mapped
    array.parent.rename(tmp_path / "out")
    with pytest.raises(FileExistsError):
        (tmp_path / "b.txt").rename(tmp_path / "out")
    assert [Path(one).name for one in windows] == ["a.txt", "a.npy", "out"]


def test_files_written_at_once(tmp_path, windows):
    for number in range(2):
        write_json(tmp_path / "a.json", {"number": number})
        with atomic_write(tmp_path / "folder") as folder:
            folder.mkdir()
            (folder / "a.txt").write_text("a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "folder"]
    assert windows == []


def test_a_locked_folder_that_its_block_removes_is_gone(tmp_path, windows):
    with folder_lock(tmp_path / "work") as folder:
        (folder / "part").write_text("a")
        shutil.rmtree(folder, ignore_errors=True)
    assert not (tmp_path / "work").exists()
    # What a user made, or what holds more than the lock, stays.
    (tmp_path / "mine").mkdir()
    for name in ("mine", "other"):
        with folder_lock(tmp_path / name) as folder:
            if name == "other":
                (folder / "part").write_text("a")
        assert (tmp_path / name / "lock").exists()


def test_a_store_is_prepared_and_loaded(tmp_path, raw, windows):
    for _ in range(2):
        prepare("nw-ucla", raw, tmp_path / "store", workers=1, progress=False)
        clips = load_clips("nw-ucla", tmp_path / "store")
        assert len(clips) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "store"]
    # It goes when it is closed, or stays: an empty file.
    assert set(windows) <= {"lock"}


def test_models_and_explanations_are_saved_over_others(tmp_path, windows):
    graph = STGraph.from_edges(["hip", "knee", "foot"], [("hip", "knee"), ("knee", "foot")], center="hip")
    model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    explanation = InputGradient(model, inputs="b c t n", graph=graph)(torch.randn(2, 2, 6, 3), target=Class(2))
    network = load_model("stgcn7", graph=graph, classes=["sit", "stand"], width=0.0625, recipe="stgcn2018")
    for _ in range(2):
        for suffix in READERS:
            explanation.save(tmp_path / f"e{suffix}")
            Explanation.load(tmp_path / f"e{suffix}")
        save_model(tmp_path / "model", network, seed=0)
        load_model(tmp_path / "model")
    assert windows == []


def test_planted_data_is_made_once(tmp_path, monkeypatch, windows):
    monkeypatch.setenv("STEXPLAIN_CACHE", str(tmp_path / "cache"))
    card = dataset_card("planted")
    made = []

    def make(raw, out):
        raw.mkdir(parents=True)
        (raw / "a.npy").write_bytes(b"a")
        made.append(out)
        raw.rename(out)

    for _ in range(2):
        cache._cached(card, card.planted, 0, lambda path: path.is_dir(), make)
    assert len(made) == 1
    assert not [path for path in (tmp_path / "cache").iterdir() if path.name.endswith(".generating")]


def test_an_experiment_is_run_and_run_again(tmp_path, monkeypatch, windows):
    monkeypatch.setenv("STEXPLAIN_CARDS", str(tmp_path / "cards"))
    card = write_cards(tmp_path / "cards", experiment=experiment_text("[stages.accuracy]\n"), epochs=1, channels=4)
    recordings = write_recordings(tmp_path / "raw")
    for _ in range(2):
        bench(str(card), data=recordings, out=tmp_path / "run", progress=False)
    # It goes when it is closed, or stays: an empty file.
    assert set(windows) <= {"lock"}
    names = [path.name for path in (tmp_path / "run").rglob("*")]
    # Of no name may Windows take a letter for something else, nor two for one.
    assert not [name for name in names if set(name) & set('<>:"/\\|?*') or name.endswith((".", " "))]
    places = [str(path).lower() for path in (tmp_path / "run").rglob("*")]
    assert len(set(places)) == len(places)
