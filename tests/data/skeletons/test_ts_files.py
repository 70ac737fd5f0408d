"""The `.ts` of the UEA archive: dimensions as nodes or as coordinates of nodes, classes, and both parts."""

import numpy as np
import pytest

from stexplain.data import load_dataset, load_skeletons
from stexplain.data.skeletons.prepare import prepare_skeletons
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph


def chain(count):
    return STGraph.from_edges([str(n) for n in range(count)], [(str(n), str(n + 1)) for n in range(count - 1)])


HANDS = STGraph.from_edges(["hand", "elbow", "shoulder"], [("hand", "elbow"), ("elbow", "shoulder")])
SIX = chain(6)


def series(count=4, dimensions=6, frames=5, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimensions, frames)).round(6)


def written(path, values, labels, *, classes="1.0 2.0", comment="# of sensors\n", **about):
    """As the archive writes it; ``values`` a list of ``[dimensions, frames]``."""
    lines = {
        "problemName": "Steps", "timeStamps": "false", "missing": "false", "univariate": "false",
        "dimensions": str(len(values[0])), "equalLength": "true", "seriesLength": str(values[0].shape[1]),
        "classLabel": f"true {classes}", **about,
    }  # fmt: skip
    text = comment + "".join(f"@{name} {value}\n" for name, value in lines.items() if value is not None) + "@data\n"
    for one, label in zip(values, labels, strict=True):
        cells = [",".join("?" if np.isnan(v) else repr(float(v)) for v in row) for row in one]
        text += ":".join([*cells, *([label] if label else [])]) + "\n"
    path.write_text(text)
    return path


def test_a_dimension_is_a_node(tmp_path):
    values = series()
    clips = load_skeletons(written(tmp_path / "Steps_TRAIN.ts", values, ["1.0", "2.0"] * 2), graph=SIX)
    assert (len(clips), clips.classes, clips.channels) == (4, ["1", "2"], ["value"])
    for number, one in enumerate(values):
        np.testing.assert_allclose(clips[number].x[0, :, :, 0], one.T, rtol=1e-6)
    assert [clips[n].label for n in range(4)] == [0, 1, 0, 1]
    assert [clips[n].id for n in range(2)] == ["Steps_TRAIN 0", "Steps_TRAIN 1"]


@pytest.mark.parametrize("axes", ["b (n c) t", "b (c n) t"])
def test_dimensions_are_coordinates_of_joints_in_the_order_that_is_said(tmp_path, axes):
    values = series(2, 9)
    clips = load_skeletons(written(tmp_path / "s.ts", values, ["1.0", "2.0"]), graph=HANDS, axes=axes)
    assert clips.channels == ["x", "y", "z"]
    expected = values[1].reshape(3, 3, 5) if axes == "b (n c) t" else values[1].reshape(3, 3, 5).transpose(1, 0, 2)
    np.testing.assert_allclose(clips[1].x[0], expected.transpose(2, 0, 1), rtol=1e-6)


def test_an_order_that_is_not_said_is_asked_for(tmp_path):
    path = written(tmp_path / "s.ts", series(2, 9), ["1.0", "2.0"])
    with pytest.raises(
        InputError, match=r"axes: .*s\.ts has 9 dimensions, 3 for each of the graph's 3 nodes.*'b \(n c\) t'"
    ):
        load_skeletons(path, graph=HANDS)
    with pytest.raises(InputError, match=r"axes: got 'b t n c'; expected"):
        load_skeletons(path, graph=HANDS, axes="b t n c")
    with pytest.raises(InputError, match=r"graph: got 6 nodes; .*s\.ts has 9 dimensions, which is no multiple"):
        load_skeletons(path, graph=SIX)


@pytest.mark.parametrize("dimensions", [24, 17, 2])
def test_no_number_of_dimensions_is_taken_for_a_body(tmp_path, dimensions):
    # 24 dimensions of eight sensors are as many as a known skeleton has joints.
    path = written(tmp_path / "NATOPS_TRAIN.ts", series(2, dimensions), ["1.0", "2.0"])
    with pytest.raises(
        InputError, match=rf"graph: .*has {dimensions} dimensions?, and does not say how .*STGraph\.from_edges"
    ):
        load_skeletons(path)
    assert load_skeletons(path, graph=chain(dimensions))[0].x.shape == (1, 5, dimensions, 1)


def test_both_parts_of_a_folder_are_its_split(tmp_path):
    train, test = series(4), series(3, seed=1)
    written(tmp_path / "Steps_TRAIN.ts", train, ["a", "b"] * 2, classes="a b")
    written(tmp_path / "Steps_TEST.ts", test, ["b", "a", "a"], classes="a b")
    clips = load_skeletons(tmp_path, graph=SIX)
    assert clips.table["split"].value_counts().to_dict() == {"train": 4, "test": 3}
    place = list(clips.ids).index("Steps_TEST 1")
    np.testing.assert_allclose(clips[place].x[0, :, :, 0], test[1].T, rtol=1e-6)
    assert clips.classes[clips[place].label] == "a"


def test_a_store_has_the_split_of_the_archive(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    written(raw / "Steps_TRAIN.ts", series(4), ["a", "b"] * 2, classes="a b")
    written(raw / "Steps_TEST.ts", series(3, seed=1), ["b", "a", "a"], classes="a b")
    prepare_skeletons(raw, tmp_path / "store", graph=SIX)
    found = load_dataset(tmp_path / "store", split="own/test")
    assert sorted(found.ids) == ["Steps_TEST 0", "Steps_TEST 1", "Steps_TEST 2"]


def test_lengths_may_differ_and_values_be_missing(tmp_path):
    long, short = series(1, 6, 9)[0], series(1, 6, 4, seed=1)[0]
    long[2, 3] = np.nan
    padded = np.concatenate([short, np.full((6, 5), np.nan)], 1)
    for other in (short, padded):
        path = written(tmp_path / "s.ts", [long, other], ["1.0", "2.0"], equalLength="false", seriesLength=None)
        clips = load_skeletons(path, graph=SIX)
        assert [clips[n].x.shape[1] for n in range(2)] == [9, 4]
        assert np.argwhere(~clips[0].observed[0]).tolist() == [[3, 2]]
        np.testing.assert_allclose(clips[1].x[0, :, :, 0], short.T, rtol=1e-6)


def test_a_byte_order_mark_tabs_and_blank_lines_change_nothing(tmp_path):
    path = written(tmp_path / "s.ts", series(2), ["1.0", "2.0"])
    first = load_skeletons(path, graph=SIX)[1].x
    text = path.read_text().replace("@dimensions ", "@dimensions\t").replace("@data\n", "\n@DATA\n\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    np.testing.assert_array_equal(load_skeletons(path, graph=SIX)[1].x, first)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("@timeStamps false", "@timeStamps true", r"has time stamps, which are not read"),
        (
            "@classLabel true 1.0 2.0",
            "@classLabel true 1.0 3.0",
            r"line 12: the class is '2\.0'; expected one of 1\.0, 3\.0",
        ),
        ("@classLabel true 1.0 2.0", "@targetLabel true", r"has numbers to be predicted in place of classes"),
        ("@classLabel true 1.0 2.0", "@classLabel maybe", r"@classLabel is 'maybe'"),
        ("@classLabel true 1.0 2.0", "@classLabel true", r"@classLabel names no class"),
        ("@dimensions 6", "@dimensions 7", r"line 11: got 6 dimensions; expected 7"),
        (":2.0\n", "\n", r"line 12"),
        (":2.0\n", ":0.5:2.0\n", r"line 12: got 7 dimensions; expected 6"),
        (":2.0\n", ",0.5:2.0\n", r"line 12: its dimensions have 5 to 6 values"),
        (":2.0\n", ",inf:2.0\n", r"line 12: got .*inf.*; expected a finite number"),
        (":2.0\n", ",x:2.0\n", r"line 12: got 'x'; expected a finite number"),
        ("@data", "@dat", r"got .*; expected a \.ts of the UEA archive"),
        (
            "# of sensors",
            "interface Sensor {",
            r"line 1: got 'interface Sensor \{'; expected a \.ts of the UEA archive",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, old, new, said):
    path = written(tmp_path / "s.ts", series(2), ["1.0", "2.0"])
    text = path.read_text()
    assert old in text
    path.write_text(
        text.replace(old, new, 1) if new != "@targetLabel true" else text.replace(old, new + "\n@classLabel false")
    )
    with pytest.raises(DataError, match=r"s\.ts.*" + said):
        load_skeletons(path, graph=SIX)


def test_a_video_is_no_series(tmp_path):
    (tmp_path / "film.ts").write_bytes(b"\x47\x40\x11\x10\x00" * 3000)
    with pytest.raises(DataError, match=r"film\.ts could not be read as text.*a video"):
        load_skeletons(tmp_path / "film.ts", graph=SIX)


def test_two_data_sets_are_not_one(tmp_path):
    for name in ("Steps_TRAIN", "Jumps_TEST"):
        written(tmp_path / f"{name}.ts", series(2), ["1.0", "2.0"])
    with pytest.raises(InputError, match=r"holds the series of Jumps and Steps; expected those of one data set"):
        load_skeletons(tmp_path, graph=SIX)


def test_a_number_that_is_hardly_an_observation_is_said(tmp_path):
    values = np.abs(series(2))
    values[0, 2, 1:3] = -999
    path = written(tmp_path / "s.ts", values, ["1.0", "2.0"])
    with pytest.warns(
        UserWarning, match=r"1 of 6 nodes holds -999, and nothing else is below zero \('2'\).* write NaN"
    ):
        load_skeletons(path, graph=SIX)
    path.write_text(path.read_text().replace("-999.0", "?"))
    assert np.argwhere(~load_skeletons(path, graph=SIX)[0].observed[0]).tolist() == [[1, 2], [2, 2]]


def test_a_file_beside_the_one_it_was_made_of_is_refused(tmp_path):
    for name in ("Steps_TRAIN", "Steps_eq_TRAIN"):
        written(tmp_path / f"{name}.ts", series(2), ["1.0", "2.0"])
    with pytest.raises(InputError, match=r"Steps_eq_TRAIN\.ts holds the series of Steps_TRAIN\.ts once more"):
        load_skeletons(tmp_path, graph=SIX)
