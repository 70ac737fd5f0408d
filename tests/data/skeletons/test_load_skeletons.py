"""What tables, folders and names of files say of skeletons; what is not certain is refused."""

import csv

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.data import load_skeletons
from stexplain.errors import DataError, InputError
from tests.data.skeletons.written import LINE, skeletons, tidy


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
