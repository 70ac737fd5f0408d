"""Keypoints of COCO, AlphaPose and MMPose: persons over time, scores as validity, and what is no video refused."""

import json

import numpy as np
import pandas as pd
import pytest

from stexplain.data import load_skeletons
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph
from tests.data.skeletons.written import walk

COCO = list(STGraph.skeleton("coco-17").nodes)


def flat(xy, score=0.7):
    return np.concatenate([xy, np.full((len(xy), 1), score)], 1).reshape(-1).tolist()


def written(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def seen(clip, joints=slice(None)):
    return clip.x[:, :, joints]


# ---- lists of detections ----


def detections(persons, image="{}.jpg", **more):
    """In any order within a frame, as detectors write them."""
    found = []
    for at in range(len(persons[0])):
        order = range(len(persons)) if at % 2 else reversed(range(len(persons)))
        for who in order:
            own = {key: value[who] if isinstance(value, list) else value for key, value in more.items()}
            name = image.format(at) if isinstance(image, str) else image + at
            found.append({"image_id": name, "category_id": 1, "keypoints": flat(persons[who][at]), "score": 0.9, **own})
    return found


def test_results_of_coco_are_persons_over_time(tmp_path):
    a, b = walk(6, 17), walk(6, 17, seed=1, at=5)
    found = detections([a, b], 100)
    found = [one for one in found if one["image_id"] != 103]
    found[0]["keypoints"][5] = 0.0  # the score of one joint of b in the first frame
    clip = load_skeletons(written(tmp_path / "v.json", found), labels={"v": "x"}, keep="first")[0]
    assert (clip.id, clip.x.shape) == ("v", (2, 6, 17, 2))
    assert clip.valid[0].tolist() == [True, True, True, False, True, True]
    np.testing.assert_allclose(clip.x[1, [0, 1, 2, 4, 5]], a[[0, 1, 2, 4, 5]], rtol=1e-6)
    assert np.argwhere(~clip.observed[0][[0, 1, 2, 4, 5]]).tolist() == [[0, 1]]


@pytest.mark.parametrize("tracks", [[3, 8], [[3.0], [8.0]], ["3", "8"]])
def test_tracks_of_alphapose_say_who_is_who(tmp_path, tracks):
    a, b = walk(4, 17), walk(4, 17)  # at one place: distances would not tell
    b = b + np.array([0, 0, 0.001, 0.001])[:, None, None]
    path = tmp_path / "raw" / "clip7" / "alphapose-results.json"
    written(path, detections([a, b], idx=tracks, box=[[0, 0, 9, 9]] * 2))
    clip = load_skeletons(tmp_path / "raw", labels={"clip7": "wave"}, keep="first", people=False)[0]
    np.testing.assert_allclose(clip.x, np.stack([b, a]), rtol=1e-6)


def test_a_number_that_all_persons_share_is_no_track(tmp_path):
    a, b = walk(4, 17), walk(4, 17, seed=1, at=5)
    path = written(tmp_path / "clip7.json", detections([a, b], idx=0))
    np.testing.assert_allclose(load_skeletons(path, keep="first")[0].x, np.stack([b, a]), rtol=1e-6)
    found = detections([a, b], idx=0)
    found[-1]["idx"] = 2
    with pytest.warns(UserWarning, match=r"are not those of tracks, as frame 0 has one of them twice: persons are"):
        load_skeletons(written(path, found))


def test_folders_of_alphapose_have_their_classes_and_the_names_of_their_folders(tmp_path):
    for at, place in enumerate(("wave/clip1", "bow/clip2")):
        written(tmp_path / place / "alphapose-results.json", detections([walk(4, 17, seed=at)], idx=[0]))
    clips = load_skeletons(tmp_path)
    assert {clip.id: clips.classes[clip.label] for clip in clips} == {"clip1": "wave", "clip2": "bow"}
    (alone,) = load_skeletons(tmp_path / "bow" / "clip2")
    assert (alone.id, alone.label) == ("clip2", -1)


def test_images_of_several_videos_are_several_recordings(tmp_path):
    found = [*detections([walk(3, 17)], "sit_{:04d}.jpg"), *detections([walk(5, 17)], "run_{:04d}.jpg")]
    clips = load_skeletons(written(tmp_path / "all.json", found), labels={"sit": "s", "run": "r"})
    assert {clip.id: clip.x.shape[1] for clip in clips} == {"sit": 3, "run": 5}


def test_frames_in_steps_are_successive_and_said(tmp_path):
    found = [{**one, "image_id": 5 * one["image_id"]} for one in detections([walk(4, 17)], 0)]
    with pytest.warns(UserWarning, match="numbered in steps of 5"):
        assert load_skeletons(written(tmp_path / "v.json", found))[0].x.shape[1] == 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image_id": "front.jpg"}, "'front.jpg' has no number of a frame"),
        ({"image_id": 1.5}, "image: got 1.5; expected a whole number"),
        ({"image_id": 900_000}, "expected those of one video"),
        ({"keypoints": [1, 2]}, "got 2 numbers; expected x, y and score"),
        ({"keypoints": ["a", 1, 1]}, "expected numbers"),
        ({"keypoints": [1.0, 2, 1] * 18}, "got bodies of 17 x 2, 18 x 2 joints"),
    ],
)
def test_what_is_no_list_of_detections_is_refused(tmp_path, change, words):
    found = detections([walk(4, 17)], 0)
    found[2] |= change
    with pytest.raises(DataError, match=f"v.json.*{words}"):
        load_skeletons(written(tmp_path / "v.json", found))


def test_joints_that_no_skeleton_has_ask_for_a_graph(tmp_path):
    path = written(tmp_path / "v.json", detections([walk(4, 26)], idx=[1]))
    with pytest.raises(InputError, match="graph: it is not known for certain: no known skeleton has these 26 joints"):
        load_skeletons(path)


# ---- annotations ----


def annotations(files, sizes=((640, 480),), names=COCO, score=2, **image):
    images = [
        {"id": 70 + at, "file_name": name, "width": sizes[at % len(sizes)][0], "height": sizes[at % len(sizes)][1],
         **{key: value[at] for key, value in image.items()}}
        for at, name in enumerate(files)
    ]  # fmt: skip
    one = walk(len(files), len(names))
    bodies = [
        {"id": at, "image_id": 70 + at, "category_id": 1, "keypoints": flat(one[at], score)} for at in range(len(files))
    ]
    kinds = [{"id": 1, "name": "person", "keypoints": list(names), "skeleton": [[1, 2], [2, 3]]}]
    return {"info": {"year": 2020}, "licenses": [], "images": images, "annotations": bodies, "categories": kinds}


def test_annotations_name_their_joints_and_videos(tmp_path):
    order = COCO[::-1]
    content = annotations([f"a/{at:06d}.jpg" for at in range(3)] + [f"b/{at:06d}.jpg" for at in range(4)], names=order)
    clips = load_skeletons(written(tmp_path / "person.json", content), labels={"a": "x", "b": "y"})
    assert {clip.id: clip.x.shape for clip in clips} == {"a": (1, 3, 17, 2), "b": (1, 4, 17, 2)}
    assert list(clips.graph.nodes) == COCO
    np.testing.assert_allclose(clips[0].x[0, 1], walk(7, 17)[1, ::-1], rtol=1e-6)


def test_visibility_is_the_score_of_annotations(tmp_path):
    content = annotations([f"{at}.jpg" for at in range(3)])
    content["annotations"][1]["keypoints"][:6] = [5, 5, 1, 0, 0, 0]  # hidden; not labelled
    path = written(tmp_path / "v.json", content)
    assert np.argwhere(~load_skeletons(path)[0].observed[0]).tolist() == [[1, 1]]
    assert np.argwhere(~load_skeletons(path, score=1)[0].observed[0]).tolist() == [[1, 0], [1, 1]]


def test_joints_of_ones_own_bring_their_bones_and_their_frame_rate(tmp_path):
    names = ["snout", "back", "tail"]
    content = annotations(["x.png"] * 3, names=names, video_id=[4, 4, 4], frame_id=[7, 8, 9])
    content["videos"] = [{"id": 4, "name": "mouse", "fps": 30}]
    clips = load_skeletons(written(tmp_path / "mouse.json", content))
    assert clips.graph.nodes == tuple(names)
    assert clips.graph.edges.tolist() == [[0, 1], [1, 2]]
    assert clips.measured.frame_rate == 30
    assert clips[0].x.shape == (1, 3, 3, 2)


def test_photographs_are_no_video(tmp_path):
    content = annotations(["1.jpg", "2.jpg", "3.jpg"], sizes=((640, 480), (427, 640)))
    with pytest.raises(DataError, match=r"images have 2 different sizes.*Single photographs have no time axis"):
        load_skeletons(written(tmp_path / "person_keypoints_val2017.json", content))
    content = annotations(["000000000139.jpg", "000000581781.jpg"])
    with pytest.raises(DataError, match="expected those of one video"):
        load_skeletons(written(tmp_path / "person_keypoints_val2017.json", content))


def test_annotations_without_keypoints_or_of_several_kinds_are_refused(tmp_path):
    content = annotations(["1.jpg", "2.jpg"])
    content["annotations"][0]["category_id"] = 3
    with pytest.raises(DataError, match=r"categories 1, 3; expected one.*Write a file for each"):
        load_skeletons(written(tmp_path / "v.json", content))
    for one in content["annotations"]:
        del one["keypoints"]
    with pytest.raises(DataError, match="no annotation has 'keypoints'"):
        load_skeletons(written(tmp_path / "v.json", content))


# ---- MMPose ----


def predicted(persons, **more):
    return [
        {"frame_id": at + 1, "instances": [
            {"keypoints": one[at].tolist(), "keypoint_scores": [0.9] * one.shape[1], **more} for one in persons]}
        for at in range(len(persons[0]))
    ]  # fmt: skip


@pytest.mark.parametrize("channels", [2, 3])
def test_videos_of_mmpose(tmp_path, channels):
    one = walk(5, 17, channels)
    names = {str(at): name.replace(" ", "_") for at, name in enumerate(COCO)}
    about = {"dataset_name": "coco", "keypoint_id2name": names, "skeleton_links": [[15, 13]]}
    content = {"meta_info": about, "instance_info": predicted([one])}
    clips = load_skeletons(written(tmp_path / "results_v.json", content), people=False)
    assert clips.channels == list("xyz"[:channels])
    assert len(clips.graph.edges) > 1, "the known skeleton, not the one link"
    np.testing.assert_allclose(clips[0].x[0], one, rtol=1e-6)
    bare = load_skeletons(written(tmp_path / "v.json", predicted([one], track_id=4)), graph="coco-17", people=False)
    np.testing.assert_allclose(bare[0].x[0], one, rtol=1e-6)


def test_an_image_of_mmpose_is_no_video(tmp_path):
    content = predicted([walk(2, 17)])[0]["instances"]
    with pytest.raises(DataError, match=r"holds the persons of one image; expected the frames of a video.*json\.dump"):
        load_skeletons(written(tmp_path / "000001.json", content), graph="coco-17")


def test_a_frame_that_stands_twice_is_refused(tmp_path):
    content = predicted([walk(3, 17)])
    content[2]["frame_id"] = 1
    with pytest.raises(DataError, match="frame 1 appears twice"):
        load_skeletons(written(tmp_path / "v.json", content), graph="coco-17")


def test_a_recording_without_a_body_is_left_out_and_said(tmp_path):
    written(tmp_path / "a" / "one.json", predicted([walk(3, 17)]))
    written(tmp_path / "b" / "none.json", [{"frame_id": 0, "instances": []}])
    with pytest.warns(UserWarning, match="1 of 2 recordings holds no frame with a body and was left out, such as 'no"):
        assert load_skeletons(tmp_path, graph="coco-17").ids == ["one"]
    with pytest.raises(DataError, match="no recording can be used; the first, 'none': it holds no body"):
        load_skeletons(tmp_path / "b", graph="coco-17")


@pytest.mark.parametrize("people", [True, False])
def test_persons_linked_without_tracks_are_told_in_the_list(tmp_path, people):
    a, b = walk(16, 17), walk(16, 17, seed=1, at=5)
    kept = [one for one in detections([a, b], 0) if one["image_id"] not in (4, 5) or one["keypoints"][0] == a[4, 0, 0]]
    path, to = tmp_path / "v.json", tmp_path / "left_out.csv"
    load_skeletons(written(path, kept), people=people, left_out=to)
    told = pd.read_csv(to, dtype=str).to_dict("records")
    assert [(one["sample"], one["body"], one["kind"]) for one in told] == [("v", "0", "linked"), ("v", "1", "linked")]
    # The first body of the file is b, the second a.
    assert "linked over 14 frames by where its joints are, 14 of them with others" in told[0]["reason"]
    assert told[0]["reason"].endswith("away for up to 2 frames")
    assert "linked over 15 frames" in told[1]["reason"]
    assert told[1]["reason"].endswith("away for up to 1 frame")
    # Who has a track, and who is alone in all frames, could be nobody else.
    load_skeletons(written(path, detections([a, b], 0, idx=[3, 8])), people=people, left_out=to)
    assert len(pd.read_csv(to)) == 0
    load_skeletons(written(path, detections([a], 0)), people=people, left_out=to)
    assert len(pd.read_csv(to)) == 0
