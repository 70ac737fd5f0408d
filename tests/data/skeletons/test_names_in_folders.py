"""Recordings of one name in several folders, such as trial 1 of every subject: their folders tell them apart."""

import json

import numpy as np
import pandas as pd
import pytest

from stexplain.data import load_skeletons
from stexplain.errors import DataError
from tests.data.skeleton_files import body, write_ntu

PLACES = ("s1/gait/trial1", "s1/sit/trial1", "s2/gait/trial1", "s2/sit/trial2")


def skeletons(folder, places=PLACES):
    for number, place in enumerate(places):
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        write_ntu(path.parent, path.name, {1: body(8, number)})


def openpose(folder, places=PLACES):
    for number, place in enumerate(places):
        path = folder / place
        path.mkdir(parents=True)
        for frame in range(3):
            points = np.random.default_rng((number, frame)).uniform(1, 99, (25, 3)).ravel().tolist()
            people = {"people": [{"pose_keypoints_2d": points}]}
            (path / f"{path.name}_{frame:012d}_keypoints.json").write_text(json.dumps(people))


@pytest.mark.parametrize("write", [skeletons, openpose])
def test_labels_name_recordings_by_their_folders(tmp_path, write):
    raw = tmp_path / "raw"
    write(raw)
    table = pd.DataFrame({"file": PLACES, "label": ["gait", "sit", "gait", "sit"], "subject": [1, 1, 2, 2]})
    table["file"] += ".json" if write is openpose else ".skeleton"
    table.to_csv(tmp_path / "labels.csv", index=False)
    for labels in (tmp_path / "labels.csv", table, dict(zip(PLACES, table.label, strict=True))):
        clips = load_skeletons(raw, labels=labels)
        assert clips.ids == sorted(PLACES)
        assert [clips.classes[label] for label in clips.labels] == ["gait", "sit", "gait", "sit"]
    assert sorted(load_skeletons(raw, labels=table).table.subject.astype(int)) == [1, 1, 2, 2]


def test_folders_are_classes_as_before(tmp_path):
    skeletons(tmp_path, ("gait/a", "sit/a", "sit/b"))
    clips = load_skeletons(tmp_path)
    assert (clips.ids, clips.classes) == (["gait/a", "sit/a", "sit/b"], ["gait", "sit"])
    assert clips.labels.tolist() == [0, 1, 1]
    # With names that differ folders are in none.
    (tmp_path / "gait" / "a.skeleton").rename(tmp_path / "gait" / "c.skeleton")
    assert load_skeletons(tmp_path).ids == ["c", "a", "b"]


def test_labels_by_the_name_alone_say_which_names_there_are(tmp_path):
    skeletons(tmp_path)
    with pytest.raises(DataError, match="'s1/gait/trial1': no label is given for it; labels are given of 'trial1'"):
        load_skeletons(tmp_path, labels={"trial1": "gait", "trial2": "sit"})


def test_a_copy_in_another_folder_is_refused(tmp_path):
    skeletons(tmp_path)
    copy = tmp_path / "backup" / "trial1.skeleton"
    copy.parent.mkdir()
    copy.write_bytes((tmp_path / "s2/gait/trial1.skeleton").read_bytes())
    with pytest.raises(DataError, match="'s2/gait/trial1' holds the same as 'backup/trial1'"):
        load_skeletons(tmp_path, labels=dict.fromkeys(PLACES, "x"))


def test_files_of_several_recordings_keep_their_names(tmp_path):
    rows = [f"{name},{frame},hip,{frame},1" for name in "ab" for frame in range(3)]
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "walk.csv").write_text("\n".join(["sample,frame,joint,x,y", *rows]))
    with pytest.raises(DataError, match="another folder has a recording 'walk' too"):
        load_skeletons(tmp_path)
