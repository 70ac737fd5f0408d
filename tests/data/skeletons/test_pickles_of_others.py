"""Pickles and archives of objects as tools of others write them: read, or refused with what works when followed."""

import pickle

import numpy as np
import pandas as pd
import pytest

from stexplain.data import load_skeletons
from stexplain.errors import DataError
from tests.data.skeletons.written import COCO, walk


def annotation(seed, **more):
    """One video as MMAction2's and pyskl's extraction of poses writes it, in half precision."""
    keypoint = np.stack([walk(8, 17, seed=seed), np.zeros((8, 17, 2))]) * 500
    score = np.stack([np.full((8, 17), 0.9), np.zeros((8, 17))])
    return {
        "img_shape": (1080, 1920),
        "original_shape": (1080, 1920),
        "total_frames": 8,
        "keypoint": keypoint.astype(np.float16),
        "keypoint_score": score.astype(np.float16),
        **more,
    }


def test_an_annotation_by_itself_is_a_recording(tmp_path):
    values = {}
    for seed, name in enumerate(("jump 1", "walk.2")):
        place = tmp_path / name.split()[0] / f"{name}.pkl"
        place.parent.mkdir(exist_ok=True)
        values[name] = annotation(seed, label=seed, **({"frame_dir": name} if seed else {}))
        place.write_bytes(pickle.dumps(values[name]))
    clips = load_skeletons(tmp_path, graph=COCO, people=False)
    assert (clips.ids, clips.classes, clips.labels.tolist()) == (list(values), ["0", "1"], [0, 1])
    for number, one in enumerate(values.values()):
        # The second person is in no frame.
        np.testing.assert_array_equal(clips[number].x[0], one["keypoint"][0].astype(np.float32))
        assert clips[number].valid.sum() == 8


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            [{"frame_dir": "abc", "label": 3, "total_frames": 50, "raw_file": "k400/abc.pkl", "box_score": 0.5}],
            r"annotation 1: its keypoints lie in another file, 'k400/abc.pkl'.* DecompressPose",
        ),
        (
            {"keypoint": np.ones((60, 17, 3), np.float16), "frame_inds": np.arange(60)},
            r"annotation 1: got 'keypoint' \[60, 17, 3\] of the bodies of all frames .* DecompressPose",
        ),
    ],
)
def test_packed_keypoints_are_refused_with_what_unpacks_them(tmp_path, content, said):
    (tmp_path / "k400.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=said):
        load_skeletons(tmp_path / "k400.pkl", graph=COCO)


def bodies(*names, more=None):
    """A dictionary by person, as of VIBE: a mesh, rotations, and joints under the name given."""
    one = {"verts": walk(8, 700, 3), "pose": np.zeros((8, 72)), "joints2d": None}
    return one | {name: walk(8, 17, 3, seed=5) for name in names} | (more or {})


@pytest.mark.parametrize("make", [lambda one: one, lambda one: {1: one}, lambda one: {"train": one}])
@pytest.mark.parametrize("name", ["joints3d", "keypoints3d", "joint3d_image"])
def test_joints_in_other_pickles_are_saved_by_the_remedy(tmp_path, monkeypatch, make, name):
    path = tmp_path / "walk.pkl"
    path.write_bytes(pickle.dumps(make(bodies("data_input", name))))
    with pytest.raises(DataError, match="expected pyskl's annotations") as refused:
        load_skeletons(path, graph=COCO)
    monkeypatch.chdir(tmp_path)
    line = str(refused.value).split("wrote it: ")[1].split(", each recording")[0]
    exec(line, {"np": np, "pd": pd, "path": path})
    clips = load_skeletons("x.npy", graph=COCO, axes="t n c", people=False)
    np.testing.assert_array_equal(clips[0].x[0], walk(8, 17, 3, seed=5))


def test_pickles_without_joints_say_what_they_hold(tmp_path):
    path = tmp_path / "motion.pkl"
    path.write_bytes(pickle.dumps({"smpl_poses": np.zeros((8, 72)), "smpl_trans": np.zeros((8, 3))}))
    with pytest.raises(DataError, match=r"a dict with \['smpl_poses'\] \(8, 72\), \['smpl_trans'\] \(8, 3\); expected"):
        load_skeletons(path, graph=COCO)
    path.write_bytes(pickle.dumps({"000001.jpg": {"tid": [1, 2]}}))
    with pytest.raises(DataError, match=r"a dict with '000001\.jpg'; expected pyskl's annotations.*C\]}\]\.$"):
        load_skeletons(path, graph=COCO)


@pytest.mark.parametrize("further", [{}, {"sequence_results": np.array({}, object)}])
def test_an_archive_of_objects_says_how_it_is_saved(tmp_path, further):
    path = tmp_path / "video_results.npz"
    np.savez(path, results=np.array({"joints": walk(8, 17, 3)}, object), **further)
    with pytest.raises(DataError, match="'results' holds objects of Python") as refused:
        load_skeletons(path, graph=COCO)
    call = str(refused.value).split("see what they are, ")[1].split(", and save")[0]
    found = eval(call, {"np": np, "path": path})
    np.save(tmp_path / "x.npy", found["joints"])
    clips = load_skeletons(tmp_path / "x.npy", graph=COCO, axes="t n c", people=False)
    np.testing.assert_array_equal(clips[0].x[0], walk(8, 17, 3))
