"""TRC, markers in text: their places, gaps and times, and what is no such file refused."""

import numpy as np
import pytest

from stexplain.data import load_skeletons
from stexplain.errors import DataError
from stexplain.graph import STGraph
from tests.data.skeletons.written import walk

MARKERS = ("R.ASIS", "L.ASIS", "V.Sacral")
GRAPH = STGraph.from_edges(MARKERS, [("R.ASIS", "L.ASIS"), ("V.Sacral", "L.ASIS")])
LABELS = {"w": "gait"}


def written(path, points, *, rate=50.0, unit="mm", first=1, frames=None, blank="\r\n", number="{:.5f}".format, end=""):
    """As capture systems write it: tabs, CRLF, a name above the first of three columns, and a line of nothing."""
    numbers = range(first, first + len(points)) if frames is None else frames
    head = ["DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame"]
    values = [f"{rate:.2f}", f"{rate:.2f}", str(len(points)), str(points.shape[1]), unit, f"{rate:.2f}", str(first)]
    axes = [f"{axis}{place + 1}" for place in range(points.shape[1]) for axis in "XYZ"]
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        "\t".join([*head, "OrigNumFrames"]),
        "\t".join([*values, str(len(points))]),
        "Frame#\tTime\t" + "\t\t\t".join(MARKERS[: points.shape[1]]) + "\t\t",
        "\t\t" + "\t".join(axes),
    ]
    rows = []
    for frame, row in zip(numbers, points.reshape(len(points), -1), strict=True):
        cells = ["" if np.isnan(one) else number(one) for one in row]
        rows.append("\t".join([str(frame), f"{(frame - first) / rate:.5f}", *cells]) + end)
    path.write_bytes(("\r\n".join(lines) + "\r\n" + blank + "\r\n".join(rows) + "\r\n").encode())
    return path


def read(path, **options):
    return load_skeletons(path, graph=GRAPH, labels=LABELS, **options)


@pytest.mark.parametrize(("unit", "scale"), [("mm", 1000), ("m", 1), ("Meters", 1), ("cm", 100)])
def test_markers_are_read_in_metres(tmp_path, unit, scale):
    points = walk(6, 3, 3)
    clips = read(written(tmp_path / "w.trc", points * scale, unit=unit))
    np.testing.assert_allclose(clips[0].x[0], points, atol=2e-5)
    assert clips.measured.frame_rate == 50
    assert clips.channels == ["x", "y", "z"]
    assert clips.graph.nodes == MARKERS


@pytest.mark.parametrize("options", [{"blank": ""}, {"end": "\t"}, {"end": "\t\t"}, {"first": 301}])
def test_blank_lines_trailing_tabs_and_other_first_frames_change_nothing(tmp_path, options):
    points = walk(6, 3, 3)
    clips = read(written(tmp_path / "w.trc", points, unit="m", **options))
    np.testing.assert_allclose(clips[0].x[0], points, atol=2e-5)
    assert clips.measured.frame_rate == 50


def test_what_was_not_seen_is_missing_and_frames_left_out_are_gaps(tmp_path):
    points = walk(5, 3, 3)
    points[1, 1] = np.nan
    points[2, 2] = 0  # in the origin: lost
    clips = read(written(tmp_path / "w.trc", points, unit="m", frames=[1, 2, 3, 6, 7]))
    clip = clips[0]
    assert clip.x.shape == (1, 7, 3, 3)
    assert clip.valid[0].tolist() == [True, True, True, False, False, True, True]
    assert np.argwhere(~clip.observed[0][clip.valid[0]]).tolist() == [[1, 1], [2, 2]]
    np.testing.assert_allclose(clip.x[0, 5:], points[3:], atol=2e-5)


def test_markers_at_the_end_that_were_not_seen_may_have_no_cells(tmp_path):
    points = walk(4, 3, 3)
    points[2, 2] = np.nan
    path = written(tmp_path / "w.trc", points, unit="m")
    path.write_bytes(path.read_bytes().replace(b"\t\t\t\r\n4", b"\r\n4"))
    assert np.argwhere(~read(path)[0].observed[0]).tolist() == [[2, 2]]


def test_commas_are_those_of_decimals(tmp_path):
    points = walk(4, 3, 3)
    path = written(tmp_path / "w.trc", points, unit="m")
    path.write_bytes(
        path.read_bytes().replace(b".", b",").replace(b"R,ASIS\t\t\tL,ASIS\t\t\tV,S", b"R.ASIS\t\t\tL.ASIS\t\t\tV.S")
    )
    np.testing.assert_allclose(read(path)[0].x[0], points, atol=2e-5)


def test_cells_parted_by_spaces_are_read_where_none_is_empty(tmp_path):
    points = walk(4, 3, 3)
    path = written(tmp_path / "w.trc", points, unit="m")
    path.write_bytes(path.read_bytes().replace(b"\t", b" "))
    np.testing.assert_allclose(read(path)[0].x[0], points, atol=2e-5)
    points[1, 1] = np.nan
    path = written(tmp_path / "w.trc", points, unit="m")
    path.write_bytes(path.read_bytes().replace(b"\t", b" "))
    with pytest.raises(DataError, match=r"w\.trc, line 8: got 8 cells; expected 11"):
        read(path)


def test_times_of_another_rate_are_said(tmp_path):
    path = written(tmp_path / "w.trc", walk(6, 3, 3), unit="m")
    path.write_bytes(path.read_bytes().replace(b"50.00\t50.00\t6", b"100.00\t100.00\t6"))
    with pytest.warns(UserWarning, match=r"states 100 frames per second, and its times are those of 50: "):
        clips = read(path)
    assert clips.measured.frame_rate is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"PathFileType", b"Trajectories", r"could not be read as TRC: expected PathFileType"),
        (b"Frame#", b"Bild", r"a line that begins with Frame#"),
        (b"\t\tX1", b"\t\t0.5", r"line 5: expected X1"),
        (b"\tmm\t", b"\tinches\t", r"positions in 'inches'; expected mm, cm or m"),
        (b"\t6\t3\tmm", b"\t7\t3\tmm", r"got 6 frames; expected 7, as it says"),
        (b"\t6\t3\tmm", b"\t6\t2\tmm", r"line 4: got 3 names of markers; expected 2"),
        (b"\t6\t3\tmm", b"\t6\tthree\tmm", r"NumMarkers is 'three'"),
        (b"L.ASIS", b"R.ASIS", r"two markers are called 'R\.ASIS'"),
        (b"50.00\t50.00\t6", b"fast\t50.00\t6", r"DataRate is 'fast'"),
        (b"\n3\t", b"\n2\t", r"line 9: the frame is 2; expected whole numbers that go up"),
        (b"\n3\t0.0", b"\n3\t0.0\t0.0", r"line 9: got 12 cells; expected 11"),
        (b"\n3\t0.0", b"\n3\tx0.0", r"line 9: got 'x0\.04000'; expected a number"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, old, new, said):
    path = written(tmp_path / "w.trc", walk(6, 3, 3))
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    with pytest.raises(DataError, match=r"w\.trc.*" + said):
        read(path)


def test_a_file_cut_within_its_last_line_is_refused(tmp_path):
    path = written(tmp_path / "w.trc", walk(6, 3, 3))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"w\.trc"):
        read(path)
