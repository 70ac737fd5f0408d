"""Files of skeletons of which a part is not what it should be: refused in words that name the file."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from stexplain.data import load_skeletons
from stexplain.data.skeletons.load import _measured
from stexplain.data.skeletons.take import Take, stated_rate
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph
from tests.fuzz import corpus

LINE = STGraph.from_edges(["hip", "knee", "foot"], [("hip", "knee"), ("knee", "foot")])


@pytest.mark.parametrize("time", ["inf", "nan", "-0.01", "1e-320"])
def test_a_frame_time_of_bvh_that_is_no_time(time, tmp_path):
    path = tmp_path / "walk.bvh"
    path.write_text(re.sub(r"(Frame Time:\s*)\S+", rf"\g<1>{time}", corpus.BVH))
    with pytest.raises(DataError, match=re.escape(str(path))):
        load_skeletons(path)


def test_a_slow_rate_keeps_its_digits(tmp_path):
    path = tmp_path / "walk.bvh"
    path.write_text(re.sub(r"(Frame Time:\s*)\S+", r"\g<1>3600", corpus.BVH))
    assert load_skeletons(path)[0].measured.frame_rate == pytest.approx(1 / 3600, rel=1e-5)


def test_rates_that_differ_by_the_digits_of_a_file_are_one():
    times = (1 / 30, 0.033333, 0.0333333)
    takes = [Take("a", np.zeros((1, 1, 1, 1), np.float32), ("x",), frame_rate=1 / time) for time in times]
    assert _measured(takes).frame_rate == 30.0


@pytest.mark.parametrize("rate", [np.inf, -100.0])
def test_a_rate_of_c3d_that_is_no_rate(rate, tmp_path):
    ezc3d = pytest.importorskip("ezc3d")
    corpus.c3d(tmp_path)
    made = ezc3d.c3d(str(tmp_path / "trial.c3d"))
    made["parameters"]["POINT"]["RATE"]["value"] = [rate]
    made["data"]["meta_points"]["residuals"] = np.zeros((1, 3, 4))
    made.write(str(tmp_path / "trial.c3d"))
    with pytest.raises(DataError, match=r"trial\.c3d states .* frames per second"):
        load_skeletons(tmp_path, graph=LINE)


@pytest.mark.parametrize("rate", [np.nan, np.inf, -0.5])
def test_a_rate_that_is_no_rate(rate):
    with pytest.raises(DataError, match=r"walk\.c3d states .* frames per second; expected"):
        stated_rate(Path("walk.c3d"), rate)


def test_a_recording_without_a_frame_is_left_out_or_refused(tmp_path):
    empty, whole = (
        np.zeros((0, 1, 17, 2), np.float32).transpose(1, 0, 2, 3),
        np.random.default_rng(0).random((1, 4, 17, 2), np.float32),
    )
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps([{"frame_dir": "none", "label": 0, "keypoint": empty}]))
    with pytest.raises(DataError, match=r"a\.pkl: no recording can be used; the first, 'none': it has no frame"):
        load_skeletons(path, graph="coco-17")
    both = [{"frame_dir": "none", "keypoint": empty}, {"frame_dir": "one", "keypoint": whole}]
    path.write_bytes(pickle.dumps(both))
    clips = load_skeletons(path, graph="coco-17", left_out=tmp_path / "left.csv")
    assert [clip.id for clip in clips] == ["one"]
    assert "none,,empty,it has no frame" in (tmp_path / "left.csv").read_text()


@pytest.mark.parametrize(
    "labels",
    [np.array(3), np.zeros((0,)), np.zeros((1, 0)), np.array(["a"]), np.zeros((1, 2, 3)), np.array([0.5]),
     np.array([np.nan]), np.array([1 + 2j])],
)  # fmt: skip
def test_labels_of_ctrgcn_that_are_no_classes(labels, tmp_path):
    path = tmp_path / "NTU60.npz"
    np.savez(path, x_train=np.ones((1, 4, 150), np.float32), y_train=labels)
    with pytest.raises(DataError, match=r"NTU60\.npz, .*_train.*expected"):
        load_skeletons(path)


def test_labels_of_an_array_with_too_many_axes(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.ones((2, 4, 3, 2), np.float32), y=np.zeros((2, 3, 4)))
    with pytest.raises(DataError, match=r"a\.npz, y: got shape \(2, 3, 4\)"):
        load_skeletons(path, graph=LINE, axes="b t n c")


@pytest.mark.parametrize("listed", [3, (["x", "y"], 3), ("xy", [1, 2]), (["x"], [1, 2]), (np.array(3), np.array(4))])
def test_a_list_of_labels_of_stgcn_that_is_none(listed, tmp_path):
    corpus.stgcn_arrays(tmp_path)
    (tmp_path / "val_label.pkl").write_bytes(pickle.dumps(listed))
    with pytest.raises(DataError, match=r"val_label\.pkl: expected two lists"):
        load_skeletons(tmp_path)


@pytest.mark.parametrize("label", ["zumba", None, float("nan"), 1.5, [1]])
def test_a_class_of_stgcn_that_is_no_number(label, tmp_path):
    corpus.stgcn_arrays(tmp_path)
    (tmp_path / "val_label.pkl").write_bytes(pickle.dumps((["x", "y"], [1, label])))
    with pytest.raises(DataError, match=r"val_label\.pkl, y: the class is .*; expected a whole number"):
        load_skeletons(tmp_path)


def test_a_split_of_pyskl_that_is_no_list(tmp_path):
    keypoint = np.ones((1, 4, 17, 2), np.float32)
    content = {"split": {"train": 3}, "annotations": [{"frame_dir": "v", "keypoint": keypoint}]}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=r"a\.pkl, split 'train': got int; expected a list of names"):
        load_skeletons(tmp_path, graph="coco-17")


def test_what_is_asked_of_a_file_is_asked_with_its_name(tmp_path):
    corpus.pyskl(tmp_path)
    with pytest.raises(InputError, match=rf"{tmp_path}: graph: it is not known for certain: .* have 17 joints"):
        load_skeletons(tmp_path)
    with pytest.raises(InputError, match=rf"{tmp_path}: graph: got 3 nodes; 'v0' has 17 joints"):
        load_skeletons(tmp_path, graph=LINE)


@pytest.mark.parametrize("content", [b"", b"\x00", b"\x00" * 600, b"<html>404 Not Found</html>"])
def test_what_begins_like_no_c3d_is_not_read(content, tmp_path):
    """A file of a gigabyte may be read for minutes, by its size."""
    pytest.importorskip("ezc3d")
    (tmp_path / "trial.c3d").write_bytes(content)
    with pytest.raises(DataError, match=r"trial\.c3d could not be read as C3D: it begins like none"):
        load_skeletons(tmp_path / "trial.c3d", graph="coco-17")
