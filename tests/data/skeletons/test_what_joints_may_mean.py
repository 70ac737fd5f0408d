"""What labels, places and scores of joints may mean two ways: said or refused, with the numbers that came out."""

import warnings

import numpy as np
import pandas as pd
import pytest

from stexplain.data import load_skeletons
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph
from tests.data.skeletons.written import walk

NAMES = ("hip", "knee", "foot")
LEG = STGraph.from_edges(NAMES, [("hip", "knee"), ("knee", "foot")])


def wide(path, values, names="{joint}_{axis}", scale=1.0, axes="xyz"):
    columns = {
        names.format(joint=joint, axis=axes[axis]): values[:, at, axis] * scale
        for at, joint in enumerate(NAMES)
        for axis in range(values.shape[2])
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def three(folder, labels, subfolders=("", "", "")):
    for number, sub in enumerate(subfolders):
        wide(folder / "r" / sub / f"p{number}.csv", walk(5, 3, seed=number))
    (folder / "l.csv").write_text("file,label\n" + "".join(f"p{n},{label}\n" for n, label in enumerate(labels)))
    return {"path": folder / "r", "labels": folder / "l.csv", "graph": LEG, "people": False}


def classes_of(clips):
    found = {clips[n].id: clips.classes[clips[n].label] for n in range(len(clips))}
    return [found[name] for name in sorted(found)]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["1.0", "1", "2"], ["1", "1", "2"]),
        (["1.0", "10.0", "2.0"], ["1", "10", "2"]),
        (["1.5", "1.0", "1.0"], ["1.5", "1.0", "1.0"]),
        (["-1.0", "1", "1"], ["-1", "1", "1"]),
    ],
)
def test_whole_numbers_are_one_class_however_they_are_written(tmp_path, labels, expected):
    assert classes_of(load_skeletons(**three(tmp_path, labels))) == expected


@pytest.mark.parametrize(
    ("labels", "expected", "said"),
    [
        ("123", ["walk", "sit", "run"], False),
        ("313", ["run", "walk", "run"], False),
        ("012", ["walk", "sit", "run"], False),
        ("121", ["sit", "run", "sit"], True),
    ],
)
def test_numbers_of_classes_are_counted_from_where_only_one_start_fits(tmp_path, labels, expected, said):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        clips = load_skeletons(**three(tmp_path, labels), classes=["walk", "sit", "run"])
    assert classes_of(clips) == expected
    assert [str(one.message).partition(". Where")[0] for one in found] == [
        "classes: the recordings have the numbers 1 to 2, counted from 0: 1 is 'sit'"
    ] * said


def test_folders_of_other_classes_than_the_labels_are_said(tmp_path):
    given = three(tmp_path, ["sit", "walk", "sit"], ["walk", "walk", "sit"])
    with pytest.warns(
        UserWarning, match=r"1 of 3 recordings lies in the folder of another class, such as 'p0' in 'walk'"
    ):
        assert classes_of(load_skeletons(**given)) == ["sit", "walk", "sit"]
    # Folders of subjects are none of classes.
    given = three(tmp_path / "s", ["sit", "walk", "sit"], ["s1", "s1", "s2"])
    assert classes_of(load_skeletons(**given)) == ["sit", "walk", "sit"]


@pytest.mark.parametrize("code", [0.0, -1.0, -999.0])
def test_places_that_stand_for_none_are_suspected(tmp_path, code):
    values = walk(6, 3)
    values[2:4, 1] = code
    wide(tmp_path / "a.csv", values)
    with pytest.warns(
        UserWarning, match=rf"1 of 3 joints lies at {code:g}, {code:g} in 2 frames .*\('knee'\), such as in 'a'"
    ):
        load_skeletons(tmp_path / "a.csv", graph=LEG, people=False)


def test_a_joint_that_a_body_is_centred_at_is_not_suspected(tmp_path):
    values = walk(6, 3)
    values[:, 0] = 0
    values[:, 1, 0] = 0  # in a plane
    load_skeletons(wide(tmp_path / "a.csv", values), graph=LEG, people=False)


@pytest.mark.parametrize(("unit", "scale"), [("mm", 1000), ("cm", 100), ("m", 1), ("px", 1)])
@pytest.mark.parametrize("form", ["{joint}_{axis} (unit)", "{joint}.{axis}[unit]", "{axis}_{joint}"])
def test_units_in_names_of_columns_are_metres(tmp_path, unit, scale, form):
    values = walk(6, 3, 3)
    scale = scale if "unit" in form else 1
    path = wide(tmp_path / "a.csv", values, form.replace("unit", unit), scale)
    np.testing.assert_allclose(load_skeletons(path, graph=LEG, people=False)[0].x[0], values, rtol=1e-5)


def test_units_of_a_tidy_table_and_what_is_no_number(tmp_path):
    rows = [f"{t},{joint},{t},{1500 + 500 * at},1" for t in range(3) for at, joint in enumerate(NAMES)]
    path = tmp_path / "a.csv"
    path.write_text("frame,joint,X (mm),Y (mm),weight (m)\n" + "\n".join(rows))
    clip = load_skeletons(path, graph=LEG, people=False)[0]
    np.testing.assert_allclose(clip.x[0, :, 0], [[0, 1.5], [0.001, 1.5], [0.002, 1.5]], rtol=1e-6)
    path.write_text(path.read_text().replace("0,hip,0,1500", "0,hip,0,high"))
    with pytest.raises(DataError, match=r"a\.csv, line 2: [yY] is 'high'; expected a number"):
        load_skeletons(path, graph=LEG)
    wide(path, walk(4, 3), "{joint}_{axis} (mm)")
    path.write_text(path.read_text().replace("hip_y (mm)", "hip_x (m)", 1))
    with pytest.raises(DataError, match=r"names 'hip_x' twice, in other units"):
        load_skeletons(path, graph=LEG)


def test_a_threshold_on_another_scale_is_refused(tmp_path):
    rows = [f"{t},{joint},{t},{at},{10 if at else 85}" for t in range(3) for at, joint in enumerate(NAMES)]
    (tmp_path / "a.csv").write_text("frame,joint,x,y,score\n" + "\n".join(rows))
    with pytest.raises(InputError, match=r"score: got 0\.5, and the confidences of 'a' go up to 85; .* such as 50"):
        load_skeletons(tmp_path / "a.csv", graph=LEG, people=False, score=0.5)
    clip = load_skeletons(tmp_path / "a.csv", graph=LEG, people=False, score=50)[0]
    assert clip.observed[0].tolist() == [[True, False, False]] * 3


def test_thousands_have_a_remedy_that_works(tmp_path):
    values = walk(6, 3) * 3000 + 2000
    path = wide(tmp_path / "a.csv", values)
    table = pd.read_csv(path)
    table.map(lambda one: f"{one:,.2f}").to_csv(path, index=False)
    with pytest.raises(
        DataError, match=r"line 2: hip_x is '2,\d+\.\d+'; .*thousands=','\)\.to_csv\(path, index=False\)"
    ):
        load_skeletons(path, graph=LEG)
    pd.read_csv(path, thousands=",").to_csv(path, index=False)
    np.testing.assert_allclose(load_skeletons(path, graph=LEG, people=False)[0].x[0], values, atol=0.01)
