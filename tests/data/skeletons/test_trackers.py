"""Skeletons as pose trackers and motion capture write them: OpenPose, Kinetics-skeleton, BVH and C3D."""

import json

import numpy as np
import pytest

from stexplain.data import load_skeletons
from stexplain.errors import DataError
from tests.data.skeletons.written import BVH, LINE, walk


def test_openposes_folders(tmp_path):
    a, b = walk(6, 25, seed=0), walk(6, 25, seed=1, at=5)
    for frame in range(6):
        if frame == 3:
            continue
        people = []
        for one in (a, b) if frame % 2 else (b, a):  # in any order
            flat = np.concatenate([one[frame], np.full((25, 1), 0.7)], 1)
            flat[frame] = 0
            people.append({"person_id": [-1], "pose_keypoints_2d": flat.reshape(-1).tolist()})
        path = tmp_path / "raw" / "clip7" / f"clip7_{frame:012d}_keypoints.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"version": 1.3, "people": people}))
    clip = load_skeletons(tmp_path / "raw", labels={"clip7": "wave"}, keep="first")[0]
    assert (clip.id, clip.x.shape) == ("clip7", (2, 6, 25, 2))
    assert clip.valid[0].tolist() == [True, True, True, False, True, True]
    for frame in (0, 1, 2, 4, 5):
        seen = np.arange(25) != frame
        np.testing.assert_allclose(clip.x[0, frame, seen], b[frame, seen], rtol=1e-6)
        np.testing.assert_allclose(clip.x[1, frame, seen], a[frame, seen], rtol=1e-6)
        assert not clip.observed[0, frame, frame]


def test_kinetics_clips(tmp_path):
    one = walk(4, 18)
    data = [
        {"frame_index": frame + 1, "skeleton": [{"pose": one[frame].reshape(-1).tolist(), "score": [0.5] * 18}]}
        for frame in range(4)
    ]
    (tmp_path / "abc.json").write_text(json.dumps({"data": data, "label": "zumba", "label_index": 399}))
    clips = load_skeletons(tmp_path)
    assert clips.classes == ["zumba"]
    assert len(clips.graph) == 18
    np.testing.assert_allclose(clips[0].x[0], one, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"data": 3}', "has no list 'data'"),
        ('{"data": [{"frame_index": 1}]}', "frame 1: expected frame_index and skeleton"),
        (
            '{"data": [{"frame_index": 1, "skeleton": [{"pose": [1, 2, 3], "score": [1]}]}]}',
            "got 3 of pose and 1 of score",
        ),
        (
            '{"data": [{"frame_index": 1, "skeleton": [{"pose": ["a", 2], "score": [1]}]}]}',
            "frame 1: could not convert",
        ),
        ('{"data": [', "is not valid JSON"),
        ('{"data": []}', "holds no body"),
    ],
)
def test_a_broken_json_is_named(tmp_path, text, words):
    (tmp_path / "abc.json").write_text(text)
    with pytest.raises(DataError, match=words):
        load_skeletons(tmp_path)


def test_bvh_by_forward_kinematics(tmp_path):
    (tmp_path / "walk.bvh").write_text(BVH)
    clips = load_skeletons(tmp_path / "walk.bvh")
    assert clips.graph.nodes == ("Hips", "Leg", "Foot")
    assert len(clips.graph.edges) == 2
    expected = [
        [[1, 2, 3], [1, 0, 3], [1, -1, 3]],
        [[1, 2, 3], [3, 2, 3], [4, 2, 3]],  # a quarter turn about z takes -y to x
        [[0, 0, 0], [0, -2, 0], [0, -2, -1]],  # the leg's own, about x, takes -y to -z
    ]
    np.testing.assert_allclose(clips[0].x[0], expected, atol=1e-6)


def test_a_truncated_bvh_is_named(tmp_path):
    (tmp_path / "walk.bvh").write_text(BVH[:-12])
    with pytest.raises(DataError, match=r"walk\.bvh"):
        load_skeletons(tmp_path / "walk.bvh")


def test_c3d_markers(tmp_path):
    ezc3d = pytest.importorskip("ezc3d")
    values = walk(4, 3, 3) * 1000
    made = ezc3d.c3d()
    made["parameters"]["POINT"]["RATE"]["value"] = [100.0]
    made["parameters"]["POINT"]["LABELS"]["value"] = ["knee", "foot", "hip"]
    made["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    made["data"]["points"] = np.concatenate([values.transpose(2, 1, 0), np.ones((1, 3, 4))])
    made.write(str(tmp_path / "trial.c3d"))
    clip = load_skeletons(tmp_path / "trial.c3d", graph=LINE)[0]
    np.testing.assert_allclose(clip.x[0], values[:, [2, 0, 1]] / 1000, rtol=1e-5)


@pytest.mark.parametrize("places", [range(0, 512, 7), range(512, 900, 5), range(0, 60)])
def test_a_damaged_c3d_is_refused_in_words_and_ends_nothing(tmp_path, places):
    test_c3d_markers(tmp_path)
    path = tmp_path / "trial.c3d"
    content = bytearray(path.read_bytes())
    for place in places:
        content[place] = 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"trial\.c3d"):
        load_skeletons(path, graph=LINE)


def kinetics(path, seed=0, label=""):
    pose = np.round(walk(5, 18, seed=seed), 3)
    frames = [
        {"frame_index": at + 1, "skeleton": [{"pose": one.reshape(-1).tolist(), "score": [0.9] * 18}]}
        for at, one in enumerate(pose)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"data": frames, "label": label, "label_index": 3}))


def test_a_folder_names_no_class_of_a_file_that_names_its_own(tmp_path):
    for number in range(4):
        part = "train" if number < 3 else "val"
        kinetics(tmp_path / f"kinetics_{part}" / f"v{number}.json", number, ("bow", "wave")[number % 2])
    clips = load_skeletons(tmp_path)
    assert [clips.classes[clip.label] for clip in clips] == ["bow", "wave", "bow", "wave"]
    assert list(clips.table["split"]) == ["train", "train", "train", "val"]


def test_videos_of_openpose_in_subfolders_have_their_classes(tmp_path):
    for folder in ("wave/a", "bow/b"):
        (tmp_path / folder).mkdir(parents=True)
        for at, one in enumerate(walk(4, 25, seed=len(folder))):
            flat = np.concatenate([one, np.full((25, 1), 0.8)], 1).reshape(-1).tolist()
            name = f"{folder[-1]}_{at:012d}_keypoints.json"
            (tmp_path / folder / name).write_text(json.dumps({"people": [{"pose_keypoints_2d": flat}]}))
    graph = "openpose-25"
    clips = load_skeletons(tmp_path, graph=graph)
    assert {clip.id: clips.classes[clip.label] for clip in clips} == {"a": "wave", "b": "bow"}
    assert load_skeletons(tmp_path / "wave", graph=graph)[0].label == -1
