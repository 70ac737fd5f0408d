"""Frames of several recordings in one array, as MotionBERT has them, with a list that says whose each frame is."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.errors import DataError

NAMES = ("S1_sit", "S1_walk", "S5_walk")
SOURCE = np.repeat(NAMES, (20, 30, 25))
LABELS = {"S1_sit": "sit", "S1_walk": "walk", "S5_walk": "walk"}
HOW = {"labels": LABELS, "graph": "h36m-17", "axes": "t n c"}


def joints():
    random = np.random.default_rng(0)
    return (random.uniform(-1, 1, (17, 3)) + np.cumsum(random.normal(0, 0.02, (75, 17, 3)), 0)).astype(np.float32)


def followed(path, monkeypatch, folder):
    with pytest.raises(DataError, match="one after the other") as raised:
        stx.load_skeletons(path, **HOW)
    folder.mkdir()
    monkeypatch.chdir(folder)
    lines = re.search(r"((?:a = np\.load|t = pd\.read_pickle)\(.*?\)\])", str(raised.value))
    assert lines is not None, str(raised.value)
    exec(lines[1], {"np": np, "pd": pd, "path": path})
    return stx.load_skeletons(folder, **HOW)


def holds(clips):
    assert clips.ids == list(NAMES)
    assert [clips.classes[label] for label in clips.labels] == ["sit", "walk", "walk"]
    for clip, name in zip(clips, NAMES, strict=True):
        np.testing.assert_allclose(clip.x[0], joints()[name == SOURCE], rtol=1e-6)


def test_names_of_frames_in_an_npz_are_no_single_recording(tmp_path, monkeypatch):
    split = np.repeat(["train", "test"], (50, 25))
    np.savez(tmp_path / "all.npz", data=joints(), split=split, source=SOURCE)
    holds(followed(tmp_path / "all.npz", monkeypatch, tmp_path / "each"))


def test_times_of_frames_are_said_to_be_left(tmp_path):
    np.savez(tmp_path / "walk.npz", data=joints(), time=np.arange(75) / 25)
    with pytest.warns(UserWarning, match="not used, as they are of frames: time"):
        clips = stx.load_skeletons(tmp_path / "walk.npz", **{**HOW, "labels": {"walk": "a"}})
    assert len(clips) == 1


def test_a_pickle_of_motionbert_has_a_line_that_separates_them(tmp_path, monkeypatch):
    part = {"joint_2d": joints()[..., :2] * 100, "confidence": np.ones((75, 17, 1)), "joint3d_image": joints()}
    (tmp_path / "h36m.pkl").write_bytes(pickle.dumps({"train": {**part, "source": SOURCE.tolist()}}))
    holds(followed(tmp_path / "h36m.pkl", monkeypatch, tmp_path / "each"))
