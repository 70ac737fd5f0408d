import json
import os
from pathlib import Path

import numpy as np
import pytest

from stexplain.cards import dataset_card
from stexplain.data.readers.nw_ucla import find, read
from stexplain.data.store.prepare import prepare
from stexplain.data.store.prepared import Store
from stexplain.errors import DataError
from tests.data.skeleton_files import write_ucla

REAL = os.environ.get("STEXPLAIN_REAL_DATA")


def test_round_trip(tmp_path):
    xyz = np.random.default_rng(0).normal(size=(7, 20, 3)).astype(np.float32)
    recording = read(write_ucla(tmp_path, "a01_s01_e00_v01", xyz))
    np.testing.assert_array_equal(recording.values, xyz[None])
    assert read(write_ucla(tmp_path, "a01_s01_e00_v02", xyz[:0])).values.shape == (1, 0, 20, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "is not valid JSON"),
        ("[]", "no list 'skeletons'"),
        ('{"skeletons": 3}', "no list 'skeletons'"),
        (json.dumps({"skeletons": [[[0, 1, 2]] * 20, [[0, 1, 2]] * 19]}), r"frame 1: found shape \[19, 3\]"),
        (json.dumps({"skeletons": [[[0, 1]] * 20]}), r"frame 0: found shape \[20, 2\]"),
        (json.dumps({"skeletons": [[["a", 1, 2]] * 20]}), "frame 0: could not convert"),
        (json.dumps({"skeletons": [[[0, 1, 2]] * 20, [[0, float("nan"), 2]] * 20]}), "frame 1: not finite"),
    ],
)
def test_broken_files(tmp_path, text, expected):
    path = tmp_path / "a01_s01_e00_v01.json"
    path.write_text(text)
    with pytest.raises(DataError, match=expected):
        read(path)


def test_names(tmp_path):
    for name in ("a12_s10_e04_v03", "a07_s01_e00_v01", "a01_s01_e00"):
        (tmp_path / f"{name}.json").touch()
    short, unknown_action, good = find(tmp_path, dataset_card("nw-ucla"))
    assert (good.label, dict(good.fields)) == (9, {"subject": 10, "episode": 4, "view": 3})
    assert "a07 is not a class" in unknown_action.problem
    assert "not of the form" in short.problem


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    out = tmp_path_factory.mktemp("store") / "nw-ucla"
    summary = prepare("nw-ucla", Path(str(REAL)) / "nw-ucla", out, progress=False)
    assert (summary.found, summary.kept) == (1484, 1388)
    assert summary.excluded == {"duplicate": 95, "one frame": 1}
    return Store.open(out)


@pytest.mark.skipif(not REAL, reason="STEXPLAIN_REAL_DATA is not set")
class TestRealRecordings:
    def test_no_duplicate_is_left_in_either_protocol(self, store):
        rows, seen = store.rows, set()
        for start, frames in zip(rows.offset, rows.frames, strict=True):
            seen.add(rows.x[start : start + frames].tobytes())
        assert len(seen) == len(store.table)
        assert (store.table.view < 3).sum() == 1019
        assert (store.table.view == 3).sum() == 369

    def test_bones_have_a_persons_lengths_on_both_sides(self, store):
        names = dataset_card("nw-ucla").graph.nodes
        bones = {
            "elbow": "shoulder",
            "wrist": "elbow",
            "hand": "wrist",
            "knee": "hip",
            "ankle": "knee",
            "foot": "ankle",
        }
        metres = {"elbow": 0.25, "wrist": 0.24, "hand": 0.08, "knee": 0.47, "ankle": 0.37, "foot": 0.09}
        for child, parent in bones.items():
            for side in ("left", "right"):
                a, b = (store.rows.x[:, names.index(f"{side} {joint}")] for joint in (child, parent))
                assert np.median(np.linalg.norm(a - b, axis=-1)) == pytest.approx(metres[child], abs=0.03)

    def test_the_feet_point_where_left_and_right_say(self, store):
        names = dataset_card("nw-ucla").graph.nodes
        x = store.rows.x[store.rows.offset]  # the first frame of each recording
        at = {name: x[:, number] for number, name in enumerate(names)}
        forward = at["left foot"] - at["left ankle"] + at["right foot"] - at["right ankle"]
        right = np.cross(forward, at["shoulder center"] - at["hip center"])
        agrees = ((at["right shoulder"] - at["left shoulder"]) * right).sum(axis=1) > 0
        assert agrees.mean() > 0.9


def test_a_recording_without_a_frame_is_left_out_as_empty(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    joints = np.random.default_rng(0).normal(size=(12, 20, 3)).tolist()
    for number, frames in ((1, joints), (2, joints), (3, [])):
        about = {"file_name": "", "skeletons": frames, "label": 1}
        (raw / f"a01_s0{number}_e00_v01.json").write_text(json.dumps(about))
    # People are told from furniture in the others, which needs frames.
    summary = prepare("nw-ucla", raw, tmp_path / "store", progress=False, people=True)
    assert summary.excluded["empty"] == 1
