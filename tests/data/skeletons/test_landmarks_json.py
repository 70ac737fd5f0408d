"""Landmarks in JSON, in the forms that people write them: one meaning is read, two are refused."""

import json
import warnings

import numpy as np
import pytest

from stexplain.data import load_skeletons
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph
from tests.data.skeletons.written import walk

NAMES = STGraph.skeleton("mediapipe-33").nodes


def points(values, seen=0.8, *, keys="xyz", score="visibility"):
    return [{**dict(zip(keys, map(float, row), strict=False)), score: seen} for row in values]


def numbers(values, seen=0.8):
    return [[*map(float, row), seen] for row in values]


def named(values):
    return {name.upper().replace(" ", "_"): one for name, one in zip(NAMES, points(values), strict=True)}


def read(tmp_path, content, **options):
    path = tmp_path / "v.json"
    path.write_text(json.dumps(content))
    return load_skeletons(path, labels={"v": "wave"}, **options)


FORMS = {
    "lists of landmarks": lambda body: body,
    "landmarks": lambda body: {"landmarks": body},
    "a list of bodies": lambda body: {"landmarks": [body]},
    "pose_landmarks": lambda body: {"pose_landmarks": body, "face_landmarks": None},
    "protocol buffers": lambda body: {"poseLandmarks": {"landmark": body}},
    "keypoints of poses": lambda body: [{"keypoints": body, "score": 0.9}],
    "poses": lambda body: {"poses": [{"keypoints": body}]},
}
FRAMES = {
    "a list": lambda frames: frames,
    "frames": lambda frames: {"fps": 25, "frames": frames},
    "by number": lambda frames: {str(at): frame for at, frame in enumerate(frames)},
    "with metadata": lambda frames: {"metadata": {"frameRate": 25.0}, "poses": frames},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["objects", "numbers"])
def test_a_body_in_any_form_is_the_same(tmp_path, form, kind):
    body = walk(5, 33, 3)
    frames = [FORMS[form](points(row) if kind == "objects" else numbers(row)) for row in body]
    clips = read(tmp_path, frames)
    np.testing.assert_allclose(clips[0].x[0], body, rtol=1e-6)
    assert clips.graph == STGraph.skeleton("mediapipe-33")
    assert clips.channels == ["x", "y", "z"]


@pytest.mark.parametrize("frames", FRAMES)
def test_frames_in_any_form_are_the_same(tmp_path, frames):
    body = walk(5, 33, 3)
    clips = read(tmp_path, FRAMES[frames]([{"landmarks": points(row)} for row in body]))
    np.testing.assert_allclose(clips[0].x[0], body, rtol=1e-6)
    assert clips.measured.frame_rate == (25 if frames in ("frames", "with metadata") else None)


def test_frames_without_a_body_are_gaps(tmp_path):
    body = walk(6, 33, 3)
    frames = [None, points(body[1]), [], points(body[3]), points(body[4]), None]
    clip = read(tmp_path, frames)[0]
    assert clip.valid[0].tolist() == [False, True, False, True, True, False]
    np.testing.assert_allclose(clip.x[0, [1, 3, 4]], body[[1, 3, 4]], rtol=1e-6)


def test_numbers_of_frames_count_where_those_without_a_body_are_left_out(tmp_path):
    body = walk(4, 33, 3)
    frames = [{"frame": at, "landmarks": points(row)} for at, row in zip([10, 11, 14, 15], body, strict=True)]
    clip = read(tmp_path, frames)[0]
    assert clip.valid[0].tolist() == [True, True, False, False, True, True]
    np.testing.assert_allclose(clip.x[0, 4:], body[2:], rtol=1e-6)


def test_times_say_the_rate_and_what_is_left_out(tmp_path):
    body = walk(5, 33, 3)
    frames = [
        {"timestamp_ms": at, "landmarks": points(row)} for at, row in zip([0, 33, 67, 133, 167], body, strict=True)
    ]
    clips = read(tmp_path, frames)
    assert clips.measured.frame_rate == pytest.approx(30, rel=0.01)
    assert clips[0].valid[0].tolist() == [True, True, True, False, True, True]


def test_uneven_times_are_said(tmp_path):
    frames = [
        {"timestamp_ms": at, "landmarks": points(row)}
        for at, row in zip([0, 30, 80, 90, 133], walk(5, 33, 3), strict=True)
    ]
    with pytest.warns(UserWarning, match="its times are uneven"):
        assert read(tmp_path, frames).measured.frame_rate is None


def test_visibility_is_the_score(tmp_path):
    frames = [points(row) for row in walk(4, 33, 3)]
    frames[2][7]["visibility"] = 0.1
    clip = read(tmp_path, frames, score=0.5)[0]
    assert np.argwhere(~clip.observed[0]).tolist() == [[2, 7]]
    assert read(tmp_path, frames, scores="channel").channels == ["x", "y", "z", "score"]


def test_landmarks_without_a_score_have_none(tmp_path):
    frames = [[{"x": float(x), "y": float(y), "z": float(z)} for x, y, z in row] for row in walk(4, 33, 3)]
    assert read(tmp_path, frames, scores="channel").channels == ["x", "y", "z"]


def test_names_count_whatever_the_order(tmp_path):
    body = walk(4, 33, 3)
    frames = [dict(reversed(named(row).items())) for row in body]
    np.testing.assert_allclose(read(tmp_path, frames)[0].x[0], body, rtol=1e-6)
    listed = [[{"name": name, **one} for name, one in reversed(frame.items())] for frame in frames]
    np.testing.assert_allclose(read(tmp_path, listed)[0].x[0], body, rtol=1e-6)


def test_two_persons_are_linked_and_their_tracks_count(tmp_path):
    one, two = walk(4, 33, 3), walk(4, 33, 3, seed=1, at=5)
    frames = [
        {"landmarks": [points(b), points(a)] if at % 2 else [points(a), points(b)]}
        for at, (a, b) in enumerate(zip(one, two, strict=True))
    ]
    found = read(tmp_path, frames, keep="first")[0].x
    np.testing.assert_allclose(found, np.stack([one, two]), rtol=1e-6)
    # They exchange places: distances would tell another story.
    one[2:], two[2:] = two[2:].copy(), one[2:].copy()
    people = [
        [{"id": 4, "keypoints": points(a)}, {"id": 9, "keypoints": points(b)}] for a, b in zip(one, two, strict=True)
    ]
    frames = [{"id": at, "people": each[:: -1 if at % 2 else 1]} for at, each in enumerate(people)]
    found = read(tmp_path, frames, keep="first", people=False)[0].x
    np.testing.assert_allclose(found, np.stack([one, two]), rtol=1e-6)


def test_the_id_of_a_frame_is_no_person(tmp_path):
    body = walk(4, 33, 3)
    frames = [{"id": at, "pose_landmarks": points(row)} for at, row in enumerate(body)]
    np.testing.assert_allclose(read(tmp_path, frames)[0].x[0], body, rtol=1e-6)


def test_metres_come_before_the_image_and_what_is_not_read_is_said(tmp_path):
    body = walk(4, 33, 3)
    frames = [
        {"poseLandmarks": points(row / 9), "poseWorldLandmarks": points(row), "leftHandLandmarks": points(row[:21])}
        for row in body
    ]
    with pytest.warns(UserWarning, match=r"'poseLandmarks', in the image, and leftHandLandmarks are not read") as said:
        clips = read(tmp_path, frames)
    assert len(said) == 1
    np.testing.assert_allclose(clips[0].x[0], body, rtol=1e-6)


def test_a_hand_is_a_hand(tmp_path):
    hand = walk(4, 21, 3)
    clips = read(tmp_path, [{"multi_hand_landmarks": [points(row)]} for row in hand])
    assert clips.graph == STGraph.skeleton("hand-21")
    np.testing.assert_allclose(clips[0].x[0], hand, rtol=1e-6)


BODY = walk(3, 33, 3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (points(BODY[0]), r"holds the landmarks of one image; .*json\.dump"),
        ({"landmarks": points(BODY[0])}, r"holds the landmarks of one image"),
        ({"landmarks": [points(BODY[0])], "worldLandmarks": [points(BODY[0])]}, r"beside each other"),
        ([{"landmarks": points(row), "frame": 3} for row in BODY], r"frame 3 appears twice"),
        ([{"landmarks": points(row), "frame": 0.5} for row in BODY], r"frame 1, its number: got 0\.5"),
        ([points(BODY[0]), points(BODY[1], keys="xy")], r"some landmarks have z, and some have none"),
        ([[{"x": 1.0, "y": 1.0}, {"x": 1.0}] * 33], r"frame 1, landmark 2: got .*expected x and y"),
        ([[{"x": "a", "y": 0.0}] * 33], r"frame 1, landmark 1: got .*expected numbers"),
        ([[{"x": 1e39, "y": 0.0}] * 33], r"infinite"),
        ([points(BODY[0]), points(BODY[0][:17])], r"bodies of 33 x 3, 17 x 3 joints"),
        ([{"foo": [1, 2], "of": {"x": 1, "y": 2}}], r"frame 1: got foo, of; expected the landmarks"),
        ([[[0.5, 0.4, 0.9]] * 17] * 3, r"the third number of its 17 joints may be z or a score"),
        ([{"timestamp_ms": -at, "landmarks": points(BODY[0])} for at in range(3)], r"frame 2: the time is -1 after 0"),
        ([{"timestamp_ms": "now", "landmarks": points(row)} for row in BODY], r"got 'now' as the time of a frame"),
    ],
)  # fmt: skip
def test_what_has_two_meanings_or_none_is_refused(tmp_path, content, said):
    with pytest.raises(DataError, match=r"v\.json.*" + said):
        read(tmp_path, content)


def test_an_object_a_line_has_a_remedy_that_works(tmp_path):
    path = tmp_path / "v.json"
    path.write_text("\n".join(json.dumps({"landmarks": points(row)}) for row in BODY))
    with pytest.raises(DataError, match=r"json\.dump\(\[json\.loads\(line\) for line in open\(path\)\]"):
        load_skeletons(path)
    frames = [json.loads(line) for line in path.read_text().splitlines()]
    np.testing.assert_allclose(read(tmp_path, frames)[0].x[0], BODY, rtol=1e-6)


def test_nothing_is_taken_for_a_skeleton_that_it_is_not(tmp_path):
    with pytest.raises(InputError, match="no known skeleton has these 468 joints"):
        read(tmp_path, [points(row) for row in walk(3, 468, 3)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(tmp_path, [points(row) for row in walk(3, 17, 2)], graph="coco-17").graph == STGraph.skeleton(
            "coco-17"
        )
