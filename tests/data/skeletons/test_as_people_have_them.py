"""Skeletons and labels as they lie in folders: no recording gets another's label, and nothing goes in silence."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.data import load_skeletons
from stexplain.data.skeletons.joint_names import places_of
from stexplain.data.skeletons.labels import read_labels
from stexplain.errors import DataError, InputError
from tests.data.skeleton_files import body, write_ntu
from tests.data.skeletons.written import walk

PAIR = stx.STGraph.from_edges(["nose", "tail"], [("nose", "tail")])


def laid(root: Path, *places: str) -> Path:
    for number, place in enumerate(places):
        write_ntu(root / Path(place).parent, Path(place).name, {4: body(6, number)})
    return root


def labelled(clips):
    return {clip.id: clips.classes[clip.label] for clip in clips}


# ---- folders ----


@pytest.mark.parametrize(
    "places",
    [
        ("data/gait/a", "data/sit/b"),
        ("gait/skeletons/a", "sit/skeletons/b"),
        ("gait/p1/a", "gait/p2/c", "sit/p3/b"),  # a folder for each recording
        ("gait/a", "gait/more/c", "sit/b"),
        ("gait/a", ".trash/sit/x", "__MACOSX/gait/._a", "sit/b", "sit/._b"),
    ],
)
def test_the_class_is_the_level_that_says_one(tmp_path, places):
    found = labelled(load_skeletons(laid(tmp_path / "raw", *places)))
    assert found == {"a": "gait", "b": "sit"} | ({"c": "gait"} if len(places) == 3 else {})


@pytest.mark.parametrize(
    "places", [("gait/train/a", "sit/train/b", "gait/test/c"), ("Train/gait/a", "train/sit/b", "TEST/gait/c")]
)
def test_parts_of_a_split_are_no_class_at_either_level(tmp_path, places):
    clips = load_skeletons(laid(tmp_path / "raw", *places))
    assert labelled(clips) == {"a": "gait", "b": "sit", "c": "gait"}
    assert dict(zip(clips.table["id"], clips.table["split"], strict=True)) == {"a": "train", "b": "train", "c": "test"}


@pytest.mark.parametrize("places", [("s1/gait/a", "s1/sit/b", "s2/gait/c"), ("gait/s1/a", "sit/s1/b", "gait/s2/c")])
def test_of_two_levels_the_user_says_which(tmp_path, places):
    raw = laid(tmp_path / "raw", *places)
    with pytest.raises(InputError, match="which folder is its class"):
        load_skeletons(raw)
    assert labelled(load_skeletons(raw, labels={"a": "x", "b": "y", "c": "x"})) == {"a": "x", "b": "y", "c": "x"}


# ---- labels ----


@pytest.mark.parametrize("label", ["nan", "NaN", "n/a", "NA", "<NA>", ""])
def test_a_missing_label_is_no_class(tmp_path, label):
    path = tmp_path / "labels.csv"
    path.write_text(f"file,label\na,sit\nb,{label}\n")
    with pytest.raises(DataError, match="line 3: 'b' has no label"):
        read_labels(path)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_what_separates_cells_is_never_a_letter(tmp_path, separator):
    path = tmp_path / "labels.csv"
    path.write_text(
        f"file{separator}label\n"
        + f"patient_1{separator}a,b;c\n".replace(separator, "\0", 1).replace(separator, ".").replace("\0", separator)
    )
    assert list(read_labels(path)) == ["patient_1"]
    path.write_text("file\npatient_1\npatient_2\n")
    with pytest.raises(InputError, match="got the columns file; expected"):
        read_labels(path)
    path.write_text("")
    with pytest.raises(DataError, match="is empty"):
        read_labels(path)


def test_a_table_of_labels_that_was_not_given_is_named(tmp_path):
    raw = laid(tmp_path / "raw", "a", "b")
    (raw / "labels.csv").write_text("file,label\na,x\nb,y\n")
    with pytest.warns(UserWarning, match=r"none were given.*Give labels='.*labels\.csv'"):
        assert not load_skeletons(raw).classes
    assert labelled(load_skeletons(raw, labels=raw / "labels.csv")) == {"a": "x", "b": "y"}


def test_recordings_without_a_label_are_told(tmp_path):
    raw = laid(tmp_path, "a", "b", "c")
    with pytest.warns(UserWarning, match="1 of 3 recordings has no label.*'c'; of labels, no recording is called 'C'"):
        load_skeletons(raw, labels={"a": "x", "b": "y", "C": "x"})
    with pytest.raises(DataError, match="the first, 'a': no label is given for it; labels are given of 'A', 'B'"):
        load_skeletons(raw, labels={"A": "x", "B": "y"})
    with pytest.raises(InputError, match="expected a mapping"):
        load_skeletons(raw, labels=["x", "y", "x"])


@pytest.mark.parametrize("labels", [("Gait", "gait"), ("01", "1"), ("gait", "gait ")])
def test_classes_that_are_alike_are_told(tmp_path, labels):
    raw = laid(tmp_path, "a", "b")
    with pytest.warns(UserWarning, match="differ in letters' case, spaces or leading zeros alone"):
        load_skeletons(raw, labels=dict(zip("ab", labels, strict=True)))


# ---- bodies and names ----


def test_more_bodies_than_are_kept_are_told(tmp_path):
    rows = [(f, p, j, x + 3 * p, y) for p in range(3) for f, xy in enumerate(walk(5, 2, seed=p)) for j, (x, y) in zip(
        ("nose", "tail"), xy, strict=True)]  # fmt: skip
    pd.DataFrame(rows, columns=["frame", "individual", "bodypart", "x", "y"]).to_csv(tmp_path / "m.csv", index=False)
    with pytest.warns(UserWarning, match="1 of 1 recordings holds more bodies than are kept, such as 'm'"):
        load_skeletons(tmp_path / "m.csv", graph=PAIR)
    load_skeletons(tmp_path / "m.csv", graph=PAIR, left_out=tmp_path / "left.txt")
    assert (tmp_path / "left.txt").read_text().count("further body") == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load_skeletons(tmp_path / "m.csv", graph=PAIR, instances=3)[0].x) == 3


def test_two_recordings_of_one_name_are_refused(tmp_path):
    one = {"frame_dir": "v0", "label": 0, "keypoint": walk(5, 17)[None]}
    for part in ("train", "val"):
        (tmp_path / f"{part}.pkl").write_bytes(pickle.dumps([one]))
    with pytest.raises(DataError, match="two recordings are called 'v0'"):
        load_skeletons(tmp_path, graph="coco-17")


@pytest.mark.parametrize("name", ["conf", "prob", "probability", "confidence", "likelihood"])
@pytest.mark.parametrize("wide", [False, True])
def test_a_confidence_of_zero_is_no_observation_whatever_it_is_called(tmp_path, name, wide):
    if wide:
        table = {"frame": [0, 1]} | {
            f"{joint}_{what}": [1.0, 2.0] if what != name else [0.9, 0.9 if joint == "nose" else 0.0]
            for joint in PAIR.nodes for what in ("x", "y", name)
        }  # fmt: skip
    else:
        table = {
            "frame": [0, 0, 1, 1],
            "joint": ["nose", "tail"] * 2,
            "x": [1.0, 3, 2, 4],
            "y": 1.0,
            name: [0.9, 0.9, 0.9, 0],
        }
    pd.DataFrame(table).to_csv(tmp_path / "m.csv", index=False)
    assert load_skeletons(tmp_path / "m.csv", graph=PAIR)[0].observed.tolist() == [[[True, True], [True, False]]]


def test_names_of_one_subject_before_a_colon():
    assert places_of(["left up leg", "hips"], ["mixamorig:Hips", "mixamorig:LeftUpLeg"]) == [1, 0]
    assert places_of(["LKNE"], ["A:LKNE", "B:LANK"]) is None
    assert places_of(["LKNE"], ["A:LKNE", "LKNE"]) == [1]
    assert places_of(["LKNE"], ["A:LKNE", "*1"]) == [0]


# ---- arrays ----


@pytest.mark.parametrize(
    "rows", [np.ones((2, 4)), np.full((2, 4), 0.25), np.zeros((2, 4)), 2 * np.eye(2, 4), np.array([["a"], ["b"]])]
)
def test_rows_that_are_not_one_hot_are_no_classes(tmp_path, rows):
    x = np.stack([walk(6, 25, 3, seed).reshape(6, 75) for seed in range(2)])
    np.savez(tmp_path / "ctr.npz", x_train=x, y_train=rows)
    np.savez(tmp_path / "own.npz", x=x.reshape(2, 6, 25, 3), y=rows)
    for name in ("ctr.npz", "own.npz"):
        with pytest.raises(DataError, match="one-hot"):
            load_skeletons(tmp_path / name, graph="kinect-v2")


def test_arrays_beside_the_values_are_kept_or_told(tmp_path):
    x = np.stack([walk(6, 17, seed=seed) for seed in range(3)])
    np.savez(tmp_path / "a.npz", x=x, y=[0, 1, 0], subject=[7, 7, 8], fps=30.0)
    with pytest.warns(UserWarning, match="are not used: fps"):
        clips = load_skeletons(tmp_path / "a.npz", graph="coco-17")
    assert clips.table["subject"].tolist() == ["7", "7", "8"]
    assert clips.table["group"].tolist() == ["7", "7", "8"]


@pytest.mark.parametrize("shape", [(2, 20, 17, 3), (17, 17, 3), (5, 17, 17, 3)])
def test_axes_that_could_be_others_are_asked_for(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random(shape))
    with pytest.raises(InputError, match="not known for certain"):
        load_skeletons(tmp_path / "a.npy", graph="coco-17")


@pytest.mark.parametrize("name", ["poses", "smpl_poses", "thetas"])
def test_rotations_are_no_positions(tmp_path, name):
    np.savez(tmp_path / "a.npz", **{name: np.random.default_rng(0).random((30, 24, 3))})
    with pytest.raises(InputError, match="rotations of joints"):
        load_skeletons(tmp_path / "a.npz", graph="smpl-24", axes="t n c")


# ---- annotations of pyskl ----


def annotated(path, *labels, split=None):
    listed = [
        {"frame_dir": f"v{n}", "label": label, "keypoint": walk(5, 17, seed=n)[None]} for n, label in enumerate(labels)
    ]
    path.write_bytes(pickle.dumps(listed if split is None else {"split": split, "annotations": listed}))
    return path


@pytest.mark.parametrize("label", [[1, 2], 0.5, {"a": 1}, (0, 0, 1)])
def test_several_classes_are_no_class(tmp_path, label):
    with pytest.raises(DataError, match=r"annotation 2 \(v1\): the class is"):
        load_skeletons(annotated(tmp_path / "a.pkl", 0, label), graph="coco-17")


def test_classes_as_annotations_have_them(tmp_path):
    clips = load_skeletons(annotated(tmp_path / "a.pkl", 3.0, np.int64(5), [3], None, -1, "5"), graph="coco-17")
    assert clips.classes == ["3", "5"]
    assert clips.labels.tolist() == [0, 1, 0, -1, -1, 1]


def test_splits_name_recordings(tmp_path):
    with pytest.raises(DataError, match="split 'train': got '0'; expected names of recordings, such as 'v0'"):
        load_skeletons(annotated(tmp_path / "a.pkl", 0, 1, split={"train": [0], "val": [1]}), graph="coco-17")
    with pytest.warns(UserWarning, match="1 of the 2 names in its splits, such as 'v9', are of no recording"):
        load_skeletons(annotated(tmp_path / "a.pkl", 0, 1, split={"train": ["v0"], "val": ["v9"]}), graph="coco-17")


# ---- motion capture ----

BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  End Site
  {
    OFFSET 0 1 0
  }
}
MOTION
Frames: 2
Frame Time: 0.04
0 90 0 0 0 0
0 91 0 10 0 0
"""


@pytest.mark.parametrize("stated", [1, 3])
def test_a_bvh_of_another_length_than_it_says(tmp_path, stated):
    pytest.importorskip("bvh")
    path = tmp_path / "a.bvh"
    path.write_text(BVH.replace("Frames: 2", f"Frames: {stated}"))
    with pytest.raises(DataError, match=f"got 2 frames; expected {stated}"):
        load_skeletons(path, graph=stx.STGraph.from_edges(["Hips"], []))


def test_a_marker_in_the_origin_was_lost(tmp_path):
    ezc3d = pytest.importorskip("ezc3d")
    file = ezc3d.c3d()
    points = np.ones((4, 2, 3))
    points[:3] = np.random.default_rng(0).uniform(100, 900, (3, 2, 3))
    points[:3, 1, 1] = 0
    file["parameters"]["POINT"]["RATE"]["value"] = [100.0]
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    file["parameters"]["POINT"]["LABELS"]["value"] = ["Subj:nose", "Subj:tail"]
    file["data"]["points"] = points
    file.write(str(tmp_path / "a.c3d"))
    clip = load_skeletons(tmp_path / "a.c3d", graph=PAIR)[0]
    # Of millimetres the file makes metres, and explanations are in them.
    assert clip.measured.units == ("m", "m", "m")
    given = load_skeletons(tmp_path / "a.c3d", graph=PAIR, frame_rate=50.0)[0].measured
    assert (given.units, given.frame_rate) == (("m", "m", "m"), 50.0)
    assert clip.observed.tolist() == [[[True, True], [True, False], [True, True]]]


def test_separators_at_the_end_of_every_line_make_no_field(tmp_path):
    lines = ["frame,joint,x,y,score,speed"] + [f"{t},{name},0.5,{t},1,2" for t in range(4) for name in ("nose", "neck")]
    found = []
    for end in ("", ","):
        path = tmp_path / f"end{len(found)}" / "walk.csv"
        path.parent.mkdir()
        path.write_text("".join(f"{line}{end}\n" for line in lines))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            clips = load_skeletons(path, graph=stx.STGraph.from_edges(["nose", "neck"], [("nose", "neck")]))
        found.append((clips[0].x.tolist(), list(clips.table.columns), len(said)))
    assert found[0] == found[1]
