"""Keypoints whose third channel is a score, and lengths that contradict each other: named, or refused."""

import json
import pickle

import numpy as np
import pytest

from stexplain.data import load_skeletons
from stexplain.errors import DataError, InputError
from tests.data.skeletons.written import annotation, walk


def packed(frames=9, joints=17):
    """Positions in pixels, [frames, joints, 2], and beside them scores, of which one is zero."""
    score = np.random.default_rng(0).uniform(0.1, 1, (frames, joints, 1)).astype(np.float32)
    score[4, 3] = 0
    return np.concatenate([400 + 100 * walk(frames, joints), score], 2).astype(np.float32)


def as_pickle(path, x):
    path = path / "a.pkl"
    path.write_bytes(pickle.dumps([{"frame_dir": "a", "label": 0, "total_frames": len(x), "keypoint": x[None]}]))
    return path


def as_array(path, x):
    np.savez(path / "a.npz", x=x[None], y=[0], ids=["a"])
    return path / "a.npz"


@pytest.mark.parametrize("write", [as_pickle, as_array])
def test_a_score_in_the_place_of_z_is_asked_for_and_read_as_one(tmp_path, write):
    x = packed()
    path = write(tmp_path, x)
    with pytest.raises(InputError, match=r"third of 'a' goes from 0 to .*hardly z.*=\['x', 'y', 'score'\]"):
        load_skeletons(path, graph="coco-17")
    clip = load_skeletons(path, graph="coco-17", channels=["x", "y", "score"])[0]
    np.testing.assert_array_equal(clip.x[0][clip.observed[0]], x[..., :2][x[..., 2] > 0])
    assert np.argwhere(~clip.observed[0]).tolist() == [[4, 3]]
    half = load_skeletons(path, graph="coco-17", channels=["x", "y", "score"], score=0.5, scores="channel")
    assert half.channels == ["x", "y", "score"]
    np.testing.assert_array_equal(half[0].observed[0], x[..., 2] > 0.5)
    assert load_skeletons(path, graph="coco-17", channels=["x", "y", "z"]).channels == ["x", "y", "z"]


@pytest.mark.parametrize("scale", [(1, 1, 0.2), (1000, 1000, 1000), (400, 400, 0)])
def test_bodies_in_metres_millimetres_and_planes_have_a_z(tmp_path, scale):
    x = (walk(9, 17, 3) * np.array(scale)).astype(np.float32)
    assert load_skeletons(as_array(tmp_path, x), graph="coco-17", people=False)[0].x.shape == (1, 9, 17, 3)


@pytest.mark.parametrize("score", [0.8, 1.0])
def test_scores_that_are_all_alike_are_no_plane(tmp_path, score):
    x = packed()
    x[..., 2] = score
    with pytest.raises(InputError, match="hardly z"):
        load_skeletons(as_array(tmp_path, x), graph="coco-17")


def test_a_score_twice_is_refused(tmp_path):
    path = tmp_path / "a.pkl"
    one = annotation("a", 0, 0)
    path.write_bytes(pickle.dumps([one | {"keypoint": np.repeat(one["keypoint"], 2, 3)[..., :3]}]))
    with pytest.raises(InputError, match="got 'score'; 'a' has a confidence beside its channels"):
        load_skeletons(path, graph="coco-17", channels=["x", "y", "score"])


@pytest.mark.parametrize("stated", [7, 12, "9 frames", np.array([9, 9])])
def test_frames_that_contradict_their_number_are_refused(tmp_path, stated):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps([annotation("v1", 0, 0) | {"total_frames": stated}]))
    with pytest.raises(DataError, match=r"annotation 1 \(v1\): total_frames is .*, and keypoint has 9 frames"):
        load_skeletons(path, graph="coco-17")


@pytest.mark.parametrize("stated", [9, np.int64(9), 9.0, None])
def test_frames_that_are_as_many_as_stated_are_read(tmp_path, stated):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps([annotation("v1", 0, 0) | {"total_frames": stated}]))
    assert load_skeletons(path, graph="coco-17")[0].x.shape[1] == 9


# ---- folders of OpenPose ----


def openpose(folder, name="{}_{:012d}_keypoints.json"):
    folder.mkdir(parents=True)
    for at, one in enumerate(walk(4, 25, seed=len(str(folder)))):
        flat = np.concatenate([one, np.full((25, 1), 0.8)], 1).reshape(-1).tolist()
        content = json.dumps({"people": [{"pose_keypoints_2d": flat}]})
        (folder / name.format(folder.name, at)).write_text(content)


def labels(clips):
    return {clip.id: clips.classes[clip.label] for clip in clips}


def test_the_outer_folder_of_openpose_is_no_class_where_it_is_a_part_or_a_subject(tmp_path):
    for place in ("train/wave/a", "train/bow/b", "test/wave/c"):
        openpose(tmp_path / "split" / place)
    clips = load_skeletons(tmp_path / "split")
    assert labels(clips) == {"a": "wave", "b": "bow", "c": "wave"}
    assert sorted(clips.table["split"]) == ["test", "train", "train"]
    for place in ("s1/wave/a", "s1/bow/b", "s2/wave/c"):
        openpose(tmp_path / "subjects" / place)
    with pytest.raises(InputError, match="lies in s1/.*; which folder is its class"):
        load_skeletons(tmp_path / "subjects")
    for place in ("all/wave/a", "all/bow/b"):
        openpose(tmp_path / "one" / place, "{}{:04d}_keypoints.json")
    assert labels(load_skeletons(tmp_path / "one")) == {"a": "wave", "b": "bow"}


def test_a_folder_that_is_one_video_has_no_class(tmp_path):
    openpose(tmp_path / "a")
    (clip,) = load_skeletons(tmp_path / "a")
    assert (clip.id, clip.label) == ("a", -1)


def test_a_video_of_openpose_that_was_copied_into_another_folder_is_refused(tmp_path):
    for place in ("wave/cam1/a", "bows/cam1/a"):  # as long as each other: of the same content
        openpose(tmp_path / place)
    with pytest.raises(DataError, match="'wave/cam1/a' holds the same as 'bows/cam1/a'"):
        load_skeletons(tmp_path)
