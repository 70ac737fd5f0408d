"""Skeletons in the formats that people have: what is written is what is read, and what is not certain is refused."""

import csv
import json
import pickle

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.data import load_skeletons
from stexplain.errors import DataError, InputError
from tests.data.skeleton_files import body, write_ntu

COCO = stx.STGraph.skeleton("coco-17")
LINE = stx.STGraph.from_edges(["hip", "knee", "foot"], [("hip", "knee"), ("knee", "foot")])


def walk(frames, joints, channels=2, seed=0, at=0.0):
    """A body as wide as 0.3 of its height that moves, ``[frames, joints, channels]``."""
    random = np.random.default_rng(seed)
    size = np.array([0.3, 1.0, 0.3])[:channels]
    start = random.uniform(0.1, 1, size=(joints, channels)) * size
    start[:, 1] = np.linspace(0.1, 1, joints)
    return (start + at + random.normal(0, 0.02, size=(frames, joints, channels)).cumsum(0)).astype(np.float32)


# ---- .skeleton files of any name ----


def skeletons(folder, names):
    values = {name: body(20, number) for number, name in enumerate(names)}
    for name, one in values.items():
        write_ntu(folder, name, {4: one})
    return values


def test_recordings_of_any_name_with_labels_from_a_table(tmp_path):
    written = skeletons(tmp_path / "raw", ["patient_1", "patient_2", "control_1"])
    (tmp_path / "labels.csv").write_text(
        "file,label,subject\npatient_1.skeleton,patient,7\npatient_2,patient,8\ncontrol_1.skeleton,control,9\n"
    )
    clips = load_skeletons(tmp_path / "raw", labels=tmp_path / "labels.csv")
    assert clips.classes == ["control", "patient"]
    by_id = {clip.id: clip for clip in clips}
    assert {name: clips.classes[clip.label] for name, clip in by_id.items()} == {
        "patient_1": "patient",
        "patient_2": "patient",
        "control_1": "control",
    }
    for name, values in written.items():
        np.testing.assert_array_equal(by_id[name].x[0], values[:, :, :3].astype(np.float32))
    assert by_id["patient_2"].fields["subject"] == "8"
    assert set(clips.groups) == {"subject 7", "subject 8", "subject 9"}
    assert len(clips.graph) == 25


def test_labels_from_subfolders_and_from_a_mapping(tmp_path):
    skeletons(tmp_path / "raw" / "gait", ["a"])
    skeletons(tmp_path / "raw" / "sit", ["b"])
    assert {clip.id: clip.label for clip in load_skeletons(tmp_path / "raw")} == {"a": 0, "b": 1}
    clips = load_skeletons(tmp_path / "raw", labels={"a": "yes"}, left_out=tmp_path / "left_out.csv")
    assert clips.ids == ["a"]
    with (tmp_path / "left_out.csv").open() as file:
        assert [row["sample"] for row in csv.DictReader(file)] == ["b"]


def test_without_labels_there_are_none(tmp_path):
    skeletons(tmp_path / "raw", ["a"])
    assert load_skeletons(tmp_path / "raw")[0].label == -1


# ---- tidy tables ----


def tidy(path, *, score=None, drop=()):
    rows = ["sample,frame,person,joint,x,y,score,label,subject"]
    values = {}
    for number, sample in enumerate(("a", "b")):
        values[sample] = one = walk(5, 3, seed=number)
        for frame, joint in np.ndindex(5, 3):
            if (sample, frame, joint) not in drop:
                confidence = 1.0 if score is None else score[frame, joint]
                x, y = one[frame, joint]
                name = LINE.nodes[joint]
                rows.append(
                    f"{sample},{frame + 10},0,{name},{x:.9g},{y:.9g},{confidence},{'up' if number else 'down'},{number}"
                )
    path.write_text("\n".join(rows) + "\n")
    return values


def test_a_tidy_table(tmp_path):
    values = tidy(tmp_path / "t.csv", drop=[("a", 2, 1), ("b", 3, 0), ("b", 3, 1), ("b", 3, 2)])
    clips = load_skeletons(tmp_path / "t.csv", graph=LINE)
    a, b = clips
    assert (a.id, clips.classes[a.label], clips.classes[b.label]) == ("a", "down", "up")
    assert a.fields["subject"] == "0"
    assert a.observed[0].sum() == 14
    assert not a.observed[0, 2, 1]
    assert b.valid[0].tolist() == [True, True, True, False, True]
    expected = values["a"].copy()
    expected[2, 1] = 0
    np.testing.assert_allclose(a.x[0], expected, rtol=1e-6)


def test_confidence_decides_what_was_read(tmp_path):
    score = np.full((5, 3), 0.9)
    score[1, 2], score[4, 0] = 0.2, 0.0
    tidy(tmp_path / "t.csv", score=score)
    assert (~load_skeletons(tmp_path / "t.csv", graph=LINE)[0].observed).sum() == 1
    clip = load_skeletons(tmp_path / "t.csv", graph=LINE, score=0.3)[0]
    assert np.argwhere(~clip.observed[0]).tolist() == [[1, 2], [4, 0]]
    with_scores = load_skeletons(tmp_path / "t.csv", graph=LINE, scores="channel")[0]
    assert with_scores.channels == ("x", "y", "score")
    assert with_scores.x[0, 1, 2, 2] == np.float32(0.2)
    assert with_scores.x[0, 4, 0].tolist() == [0, 0, 0]


def test_joints_are_found_by_name(tmp_path):
    values = tidy(tmp_path / "t.csv")
    turned = stx.STGraph.from_edges(["foot", "hip", "knee"], [("hip", "knee"), ("knee", "foot")])
    clip = load_skeletons(tmp_path / "t.csv", graph=turned)[0]
    np.testing.assert_allclose(clip.x[0], values["a"][:, [2, 0, 1]], rtol=1e-6)


@pytest.mark.parametrize(
    ("line", "text", "words"),
    [
        (3, "a,10,0,knee,what,1,1,down,0", "line 3: x is 'what'; expected a number"),
        (3, "a,10.5,0,knee,1,1,1,down,0", "line 3: frame is '10.5'; expected a whole number"),
        (3, "a,10,0,hip,1,1,1,down,0", "line 3: 'hip' of 'a' appears twice"),
        (3, "a,10,0,knee,1,1,1,other,0", r"sample 'a' has the labels \['down', 'other'\]"),
    ],
)
def test_a_broken_row_is_named(tmp_path, line, text, words):
    path = tmp_path / "t.csv"
    tidy(path)
    rows = path.read_text().splitlines()
    rows[line - 1] = text
    path.write_text("\n".join(rows))
    with pytest.raises(DataError, match=words):
        load_skeletons(path, graph=LINE)


def test_a_missing_column_is_told_with_an_example(tmp_path):
    (tmp_path / "t.csv").write_text("sample,joint,x,y\na,hip,0,0\n")
    with pytest.raises(InputError, match=r"expected frame too, a row per joint and frame:\nsample,frame,person,joint"):
        load_skeletons(tmp_path / "t.csv", graph=LINE)


def test_a_tidy_table_without_samples_is_one_recording(tmp_path):
    rows = [f"{frame},{joint},{frame},{place}" for frame in range(2) for place, joint in enumerate(LINE.nodes)]
    (tmp_path / "walk 1.csv").write_text("\n".join(["frame,joint,x,y", *rows]))
    assert load_skeletons(tmp_path, graph=LINE).ids == ["walk 1"]
    (tmp_path / "walk 1.csv").write_text("\n".join(["frame,joint,x,y", *rows, *rows]))
    with pytest.raises(DataError, match="line 8: 'hip' of 'walk 1' appears twice .* needs a column sample"):
        load_skeletons(tmp_path, graph=LINE)


# ---- arrays ----


def test_arrays_with_stated_axes(tmp_path):
    x = np.stack([walk(6, 17, seed=number) for number in range(3)])  # b t n c
    np.savez(tmp_path / "a.npz", x=x.transpose(0, 3, 1, 2), y=[2, 0, 2], ids=["p", "q", "r"])
    clips = load_skeletons(tmp_path / "a.npz", graph="coco-17", axes="b c t n", classes=["sit", "stand", "walk"])
    assert clips.ids == ["p", "q", "r"]
    assert clips.labels.tolist() == [2, 0, 2]
    np.testing.assert_array_equal(np.concatenate([clip.x for clip in clips]), x)
    np.save(tmp_path / "b.npy", x)
    np.testing.assert_array_equal(load_skeletons(tmp_path / "b.npy", graph="coco-17")[1].x[0], x[1])


@pytest.mark.parametrize(("given", "message"), [({"y": 3}, "y: got 1; expected 2"), ({"ids": ["p"]}, "ids: got 1")])
def test_arrays_with_another_number_of_labels_or_ids_than_samples(tmp_path, given, message):
    np.savez(tmp_path / "a.npz", x=np.stack([walk(6, 17)] * 2), **given)
    with pytest.raises(DataError, match=rf"a\.npz, {message}"):
        load_skeletons(tmp_path / "a.npz", graph="coco-17")


def test_axes_that_are_not_certain_are_asked_for(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 17, 17, 3), np.float32))
    with pytest.raises(InputError, match="axes: .* not known for certain"):
        load_skeletons(tmp_path / "a.npy", graph=stx.STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")]))


def test_ctrgcns_arrays(tmp_path):
    two = np.zeros((2, 8, 2, 25, 3), np.float32)
    two[0, :6, 0], two[1, :, 0], two[1, :, 1] = walk(6, 25, 3), walk(8, 25, 3, 1), walk(8, 25, 3, 2)
    one_hot = np.eye(60)[[5, 7]]
    np.savez(tmp_path / "NTU60_CS.npz", x_train=two[:1].reshape(1, 8, 150), y_train=one_hot[:1],
             x_test=two[1:].reshape(1, 8, 150), y_test=one_hot[1:])  # fmt: skip
    clips = load_skeletons(tmp_path / "NTU60_CS.npz", people=False, keep="first")
    assert [clip.fields["split"] for clip in clips] == ["train", "test"]
    assert clips.classes == ["5", "7"]
    assert clips[0].x.shape == (2, 6, 25, 3), "padding is cut off"
    assert clips[0].valid.tolist() == [[True] * 6, [False] * 6]
    np.testing.assert_array_equal(clips[1].x, two[1].transpose(1, 0, 2, 3))


# ---- pickles ----


def annotation(name, label, seed, persons=1):
    keypoint = np.stack([walk(9, 17, seed=seed + person, at=2 * person) for person in range(persons)])
    return {
        "frame_dir": name, "label": label, "img_shape": (1080, 1920), "original_shape": (1080, 1920), "total_frames": 9,
        "keypoint": keypoint.astype(np.float16), "keypoint_score": np.full(keypoint.shape[:3], 0.9, np.float16),
    }  # fmt: skip


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pyskls_annotations(tmp_path, protocol):
    made = [annotation("v1", 3, 0), annotation("v2", np.int64(1), 5, persons=2)]
    made[0]["keypoint_score"][0, 4, 3] = 0
    content = {"split": {"train": ["v1"], "val": ["v2"]}, "annotations": made}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
    clips = load_skeletons(tmp_path / "a.pkl", graph="coco-17", keep="first", people=False)
    assert clips.ids == ["v1", "v2"]
    assert clips.classes == ["1", "3"]
    assert [clip.fields["split"] for clip in clips] == ["train", "val"]
    assert np.argwhere(~clips[0].observed[0]).tolist() == [[4, 3]]
    np.testing.assert_array_equal(clips[1].x, made[1]["keypoint"].astype(np.float32))


def test_seventeen_joints_may_be_of_two_skeletons(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([annotation("v1", 0, 0)]))
    with pytest.raises(InputError, match="coco-17 and h36m-17 have 17 joints"):
        load_skeletons(tmp_path / "a.pkl")


class Hostile:
    def __reduce__(self):
        return pytest.fail, ("it was executed",)


@pytest.mark.parametrize(
    "content", [Hostile(), {"annotations": [{"keypoint": Hostile()}]}, [np.array([Hostile()], object)]]
)
def test_no_pickle_is_executed(tmp_path, content):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=r"a\.pkl"):
        load_skeletons(tmp_path / "a.pkl", graph="coco-17")


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04", b"r\xff\xff\xff\x7f.", b"not a pickle", b"\x80\x04]r\xff\xff\xff\x0f."]
)
def test_a_damaged_pickle_is_named(tmp_path, content):
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.pkl"):
        load_skeletons(tmp_path / "a.pkl", graph="coco-17")


def test_stgcns_array_and_labels(tmp_path):
    data = np.zeros((2, 3, 10, 18, 2), np.float32)
    for number in range(2):
        data[number, :2, :8, :, 0] = walk(8, 18, seed=number).transpose(2, 0, 1)
        data[number, 2, :8, :, 0] = 0.8
    data[0, :, 3, 5, 0] = 0
    np.save(tmp_path / "val_data.npy", data)
    (tmp_path / "val_label.pkl").write_bytes(pickle.dumps((["x.skeleton", "y"], [4, 2])))
    clips = load_skeletons(tmp_path, graph="openpose-18")
    assert clips.ids == ["x", "y"]
    assert [clips.classes[label] for label in clips.labels] == ["4", "2"]
    assert clips.channels == ["x", "y"]
    assert clips[0].valid[0].tolist() == [True] * 8, "what fills up to ten frames is none"
    assert np.argwhere(~clips[0].observed[0]).tolist() == [[3, 5]]


# ---- JSON ----


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


# ---- motion capture ----

BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Leg
  {
    OFFSET 0 -2 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT Foot
    {
      OFFSET 0 -1 0
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET 0 0 1
      }
    }
  }
}
MOTION
Frames: 3
Frame Time: 0.025
1 2 3 0 0 0 0 0 0 0 0 0
1 2 3 90 0 0 0 0 0 0 0 0
0 0 0 0 0 0 0 90 0 0 0 0
"""


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


# ---- what is refused ----


def test_what_is_no_skeleton(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match="holds no skeletons in a supported format"):
        load_skeletons(tmp_path)
    with pytest.raises(InputError, match="there is no"):
        load_skeletons(tmp_path / "none")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("name;klass\na;b\n", "expected one of recordings"),
        ("file,label\na,\n", "line 2: 'a' has no label"),
        ("file,label\na,x\na.skeleton,y\n", "line 3: 'a' appears twice"),
    ],
)
def test_a_table_of_labels_that_does_not_say_it(tmp_path, table, words):
    skeletons(tmp_path / "raw", ["a"])
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises((InputError, DataError), match=words):
        load_skeletons(tmp_path / "raw", labels=tmp_path / "labels.csv")


def test_frames_numbered_in_steps_are_successive_and_said(tmp_path):
    values = tidy(tmp_path / "t.csv")
    table = pd.read_csv(tmp_path / "t.csv")
    table["frame"] *= 3
    table.rename(columns={"person": "person_id", "joint": "keypoint_name"}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.warns(UserWarning, match="numbered in steps of 3: they are taken as successive"):
        clips = load_skeletons(tmp_path / "t.csv", graph=LINE)
    np.testing.assert_allclose(clips[0].x[0], values["a"], rtol=1e-6)
    assert clips[0].valid.all()


def test_columns_that_nothing_holds_are_named(tmp_path):
    tidy(tmp_path / "t.csv")
    table = pd.read_csv(tmp_path / "t.csv").assign(speed=lambda rows: rows.index, camera=7)
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.warns(UserWarning, match="the column 'speed' was left out"):
        clips = load_skeletons(tmp_path / "t.csv", graph=LINE)
    assert clips[0].fields["camera"] == "7"


def test_two_persons_need_a_column_that_tells_them_apart(tmp_path):
    tidy(tmp_path / "t.csv")
    table = pd.read_csv(tmp_path / "t.csv").drop(columns="person")
    pd.concat([table, table]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="needs a column person that tells them apart"):
        load_skeletons(tmp_path / "t.csv", graph=LINE)


# ---- what folders and names of files say ----


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


def test_folders_of_parts_are_the_split_and_those_inside_them_the_classes(tmp_path):
    for folder, name in (("train/gait", "a"), ("train/sit", "b"), ("test/gait", "c")):
        skeletons(tmp_path / "raw" / folder, [name])
    clips = {clip.id: clip for clip in load_skeletons(tmp_path / "raw")}
    classes = ["gait", "sit"]
    assert {name: (clip.fields["split"], classes[clip.label]) for name, clip in clips.items()} == {
        "a": ("train", "gait"),
        "b": ("train", "sit"),
        "c": ("test", "gait"),
    }
    # A class may well be called so, beside one that is not.
    skeletons(tmp_path / "other" / "train", ["a"])
    skeletons(tmp_path / "other" / "wait", ["b"])
    assert load_skeletons(tmp_path / "other").classes == ["train", "wait"]


def test_tables_in_subfolders_have_their_classes(tmp_path):
    for name, folder in (("r1", "gait"), ("r2", "sit")):
        (tmp_path / folder).mkdir()
        rows = [f"{t},{j},{t},{k}" for t in range(3) for k, j in enumerate(LINE.nodes)]
        (tmp_path / folder / f"{name}.csv").write_text("frame,joint,x,y\n" + "\n".join(rows))
    clips = load_skeletons(tmp_path, graph=LINE)
    assert {clip.id: clips.classes[clip.label] for clip in clips} == {"r1": "gait", "r2": "sit"}


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


def test_stgcns_two_files_are_its_split_and_their_filling_is_no_frame(tmp_path):
    for part, count in (("train", 3), ("val", 2)):
        data = np.zeros((count, 3, 30, 25, 2), np.float32)
        data[:, :, :20, :, 0] = walk(20, 25, 3, seed=count).transpose(2, 0, 1)
        np.save(tmp_path / f"{part}_data.npy", data)
        names = [f"{part}{number}.skeleton" for number in range(count)]
        (tmp_path / f"{part}_label.pkl").write_bytes(pickle.dumps((names, [number % 2 for number in range(count)])))
    clips = load_skeletons(tmp_path)
    assert list(clips.table["split"]) == ["train"] * 3 + ["val"] * 2
    assert {clip.x.shape for clip in clips} == {(1, 20, 25, 3)}


# ---- channels that are no positions ----

IMU = ["ax", "ay", "az", "gx", "gy", "gz"]


def test_channels_of_arrays_have_the_names_that_are_given(tmp_path):
    x = np.random.default_rng(0).normal(size=(4, 9, 3, 6)).astype(np.float32)
    np.save(tmp_path / "imu.npy", x)
    clips = load_skeletons(tmp_path / "imu.npy", graph=LINE, axes="b t n c", channels=IMU)
    assert clips.channels == IMU
    np.testing.assert_array_equal(clips[2].x[0], x[2])


@pytest.mark.parametrize(
    "channels", [IMU[:5], [*IMU, "t"], [*IMU[:5], "ax"], [*IMU[:5], ""], [*IMU[:5], "score"], [], "axyzgh"]
)
def test_names_that_do_not_fit_the_channels_are_refused(tmp_path, channels):
    np.save(tmp_path / "imu.npy", np.ones((4, 9, 3, 6), np.float32))
    with pytest.raises(InputError, match="channels"):
        load_skeletons(tmp_path / "imu.npy", graph=LINE, axes="b t n c", channels=channels)


def test_what_is_no_position_has_no_furniture_and_is_in_no_place(tmp_path, recwarn):
    # Two sensors' carriers: one lies still, one reads numbers beyond any room. As positions both would be named.
    x = np.random.default_rng(0).normal(size=(1, 2, 30, 3, 3)).astype(np.float32) * 1e8
    x[0, 1] = [[9.81, 0, 0], [0, 9.81, 0], [0, 0, 9.81]]
    np.save(tmp_path / "imu.npy", x)
    options = {"graph": LINE, "axes": "b m t n c", "left_out": tmp_path / "left_out.csv"}
    clips = load_skeletons(tmp_path / "imu.npy", channels=IMU[:3], **options)
    assert clips[0].x.shape[0] == 2
    assert (tmp_path / "left_out.csv").read_text().strip() == "sample,body,kind,reason"
    assert not recwarn.list
    with pytest.warns(UserWarning, match="coordinates up to"):
        assert load_skeletons(tmp_path / "imu.npy", **options)[0].x.shape[0] == 1
