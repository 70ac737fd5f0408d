"""Decimals with commas: read where they are certain, refused with the line where a comma may be one of thousands."""

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain.data.readers.number_table import has_header, read_table
from stexplain.errors import DataError
from stexplain.reading.table import separator_of


def written(tmp_path, text, name="s.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a;b\n1,5;2\n0,25;3,125\n", [[1.5, 2], [0.25, 3.125]]),
        ("a;b\n-1,5;\n,25;NaN\n", [[-1.5, np.nan], [0.25, np.nan]]),
        ("a;b\n1.234,5;2\n12.345.678,25;-1.000,5\n", [[1234.5, 2], [12345678.25, -1000.5]]),
        ("a;b\n1,5e3;2\n1,25E-2;3\n", [[1500, 2], [0.0125, 3]]),
        ("a\tb\n1,5\t2\n0,25\t3,125\n", [[1.5, 2], [0.25, 3.125]]),
        ('a,b\n"1,5","2"\n"0,25","3,125"\n', [[1.5, 2], [0.25, 3.125]]),
        ("a;b\n1.5;2\n0.25;3.125\n", [[1.5, 2], [0.25, 3.125]]),
        ("a;b\n0,125;0,250\n0,375;0,500\n", [[0.125, 0.25], [0.375, 0.5]]),
    ],
)
def test_certain_decimals_are_read(tmp_path, text, expected):
    np.testing.assert_allclose(read_table(written(tmp_path, text)).to_numpy(), expected)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a;b\n1,234;2\n5,678;3\n", r"line 2: '1,234' may be a thousand and some, or one and some"),
        ("a;b\n1,5;2.5\n2,5;3\n", r"line 2: got '2\.5', with a point, and in line 2 '1,5', with a comma"),
        ("a;b\n1;2.345\n2,5;3\n", r"line 2: got '2\.345', with a point, and in line 3 '2,5', with a comma"),
        ("a;b\n1,234.5;2\n2;3\n", r"line 2: column 'a' holds '1,234\.5'; expected a number.*thousands=','"),
        ("a;b\n1,5,5;2\n2;3\n", r"line 2: column 'a' holds '1,5,5'"),
    ],
)
def test_a_comma_of_two_meanings_is_refused(tmp_path, text, said):
    with pytest.raises(DataError, match=r"s\.csv, " + said):
        read_table(written(tmp_path, text))


def test_remedies_work(tmp_path):
    path = written(tmp_path, "a;b\n1,234;2\n5,678;3\n")
    with pytest.raises(DataError, match=r"pd\.read_csv\(path, sep=';', decimal=','\)\.to_csv\('x\.csv', index=False\)"):
        read_table(path)
    out = tmp_path / "x.csv"
    pd.read_csv(path, sep=";", decimal=",").to_csv(out, index=False)
    assert read_table(out).iloc[0, 0] == 1.234
    pd.read_csv(path, sep=";", thousands=",").to_csv(out, index=False)
    assert read_table(out).iloc[0, 0] == 1234


def test_a_table_without_names_of_columns(tmp_path):
    path = written(tmp_path, "1,5;2,5;3,5\n4,25;5,5;6,5\n")
    assert separator_of(path) == ";"
    assert not has_header(path)
    np.testing.assert_allclose(read_table(path, header=False).to_numpy(), [[1.5, 2.5, 3.5], [4.25, 5.5, 6.5]])


def test_names_stay_as_they_are(tmp_path):
    rows = [f"{frame};1,5;{joint};{frame},25;0,5" for frame in range(3) for joint in ("1,5", "2,5")]
    path = written(tmp_path, "frame;sample;joint;x;y\n" + "\n".join(rows))
    clips = stx.load_skeletons(
        path, graph=stx.STGraph.from_edges(["1,5", "2,5"], [("1,5", "2,5")]), labels={"1,5": "a"}, people=False
    )
    assert clips.ids[0] == "1,5"
    np.testing.assert_allclose(clips[0].x[0, :, 0], [[0.25, 0.5], [1.25, 0.5], [2.25, 0.5]])


def test_files_of_links_and_a_wide_table_of_joints(tmp_path):
    written(tmp_path, "from;to;weight\na;b;0,5\nb;c;0,75\n", "distances.csv")
    written(
        tmp_path, "time;a;b;c\n" + "".join(f"2020-01-01 00:{n:02}:00;{n},5;2,25;3\n" for n in range(12)), "speeds.csv"
    )
    with pytest.warns(UserWarning, match="2 of 3 sensors never change"):
        series = stx.load_sensors(
            tmp_path / "speeds.csv", graph=tmp_path / "distances.csv", links="weights", window=4, horizon=2
        )
    np.testing.assert_allclose(series[0].x[0, :, 0, 0], [0.5, 1.5, 2.5, 3.5])
    assert series.graph.nodes == ("a", "b", "c")
    np.testing.assert_allclose(series.graph.weight, [0.5, 0.75])
    points = written(
        tmp_path, "left_knee_x;left_knee_y;left_hip_x;left_hip_y\n0,5;1,25;0,75;2\n0,5;1,5;0,75;2\n", "walk.csv"
    )
    graph = stx.STGraph.from_edges(["left hip", "left knee"], [("left hip", "left knee")])
    clip = stx.load_skeletons(points, graph=graph, labels={"walk": "a"}, people=False)[0]
    np.testing.assert_allclose(clip.x[0, 1], [[0.75, 2], [0.5, 1.5]])


@pytest.mark.parametrize(("line", "separator"), [('"a;b",c', ","), ("a;b,c,d", ","), ("0,5;b", ";")])
def test_a_separator_within_a_name_is_none(tmp_path, line, separator):
    assert separator_of(written(tmp_path, line + "\n1,2\n")) == separator
