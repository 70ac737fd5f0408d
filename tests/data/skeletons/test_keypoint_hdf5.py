"""Poses of SLEAP and DeepLabCut in HDF5, and Human3.6M in npz: values, scores and names; and nothing is executed."""

import json
import os
import pickle

import numpy as np
import pytest

from stexplain.data import load_skeletons
from stexplain.errors import DataError
from stexplain.graph import STGraph
from tests.data.skeletons.written import walk
from tests.fuzz import keypoint_files

h5py = pytest.importorskip("h5py")
PARTS = ["snout", "back", "tail"]
MOUSE = STGraph.from_edges(PARTS, [("snout", "back"), ("back", "tail")])


# ---- SLEAP ----


def two():
    return np.stack([walk(7, 3), walk(7, 3, seed=1, at=4)]).astype(np.float64)


def sleap(path, values, dims=("track", "xy", "node", "frame"), scores=None, **attrs):
    order = [("track", "frame", "node", "xy").index(name) for name in dims]
    scores = np.full(values.shape[:3], 0.9) if scores is None else scores
    with h5py.File(path, "w") as file:
        file["tracks"] = values.transpose(order)
        file["point_scores"] = scores.transpose([one for one in order if one < 3])
        file["node_names"] = np.array([part.encode() for part in PARTS])
        file["edge_names"] = np.array([[b"snout", b"back"], [b"back", b"tail"]])
        file.attrs.update(attrs)
        if "preset" in attrs:
            file["tracks"].attrs["dims"] = json.dumps(dims)
    return path


@pytest.mark.parametrize(
    ("dims", "attrs"),
    [
        (("track", "xy", "node", "frame"), {}),
        (("frame", "node", "xy", "track"), {"transpose": False}),
        (("frame", "track", "node", "xy"), {"preset": "standard"}),
        (("node", "frame", "track", "xy"), {"preset": "custom"}),
    ],
)
@pytest.mark.parametrize("frames", [7, 2, 3])
def test_sleaps_tracks_in_each_order_of_axes(tmp_path, dims, attrs, frames):
    values = two()[:, :frames]
    path = sleap(tmp_path / "mice.analysis.h5", values, dims, **attrs)
    clips = load_skeletons(path, people=False, keep="first", labels={"mice": "a"})
    np.testing.assert_allclose(clips[0].x, values, rtol=1e-6)
    assert clips.graph.nodes == tuple(PARTS)
    assert len(clips.graph.edges) == 2


def test_what_sleap_did_not_find_is_missing_and_what_was_placed_by_hand_is_there(tmp_path):
    values, scores = two(), np.full((2, 7, 3), 0.9)
    values[0, 2, 1] = np.nan
    scores[0, 2, 1] = np.nan
    scores[1, 3] = np.nan  # placed by hand: no score
    scores[0, 4, 2] = 0.2
    path = sleap(tmp_path / "mice.h5", values, scores=scores)
    clip = load_skeletons(path, people=False, keep="first")[0]
    assert np.argwhere(~clip.observed).tolist() == [[0, 2, 1]]
    clip = load_skeletons(path, people=False, keep="first", score=0.5)[0]
    assert np.argwhere(~clip.observed).tolist() == [[0, 2, 1], [0, 4, 2]]


# ---- DeepLabCut ----


def test_deeplabcuts_table_of_one_animal_and_of_several(tmp_path):
    one = walk(6, 3)
    keypoint_files._write_deeplabcut(tmp_path / "one.h5", one[None], PARTS)
    clip = load_skeletons(tmp_path / "one.h5", graph=MOUSE)[0]
    np.testing.assert_allclose(clip.x[0], one, rtol=1e-6)
    both = np.stack([one, walk(6, 3, seed=1, at=4)])
    keypoint_files._write_deeplabcut(tmp_path / "two.h5", both, PARTS, ("mus1", "mus2"))
    clip = load_skeletons(tmp_path / "two.h5", graph=MOUSE, people=False, keep="first")[0]
    np.testing.assert_allclose(clip.x, both, rtol=1e-6)
    with pytest.raises(DataError, match="it holds no body"):
        load_skeletons(tmp_path / "two.h5", graph=MOUSE, score=0.95)


def changed(path, **attrs):
    keypoint_files._write_deeplabcut(path, walk(6, 3)[None], PARTS)
    with h5py.File(path, "a") as file:
        file["df_with_missing/table"].attrs.update(attrs)
    return path


class Hostile:
    def __reduce__(self):
        return os.mkdir, (os.environ["STEXPLAIN_TEST_MARK"],)


def test_names_of_columns_that_would_run_something_do_not(tmp_path, monkeypatch):
    mark = tmp_path / "ran"
    monkeypatch.setenv("STEXPLAIN_TEST_MARK", str(mark))
    path = changed(tmp_path / "a.h5", values_block_0_kind=np.bytes_(pickle.dumps([Hostile()], protocol=0)))
    with pytest.raises(DataError, match=r"a\.h5 could not be read.*asks for .*mkdir"):
        load_skeletons(path, graph=MOUSE)
    assert not mark.exists()


def test_other_hdf5_is_refused_with_what_to_write(tmp_path):
    path = changed(tmp_path / "a.h5", index_kind=np.bytes_(b"string"))
    with pytest.raises(DataError, match="rows are labelled by string, as those of single images are"):
        load_skeletons(path, graph=MOUSE)
    with h5py.File(tmp_path / "labels.slp", "w") as file:
        file["instances"] = file["points"] = np.zeros(3)
    with pytest.raises(DataError, match="a project of SLEAP; expected its analysis. Write it: sleap-convert"):
        load_skeletons(tmp_path / "labels.slp", graph=MOUSE)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["speed"] = np.zeros((3, 4))
    with pytest.raises(DataError, match=r"it holds speed; expected 'tracks' and 'node_names'.*save_as_csv=True"):
        load_skeletons(tmp_path / "other.h5", graph=MOUSE)


# ---- Human3.6M ----


def h36m(path, content, key="positions_3d"):
    np.savez_compressed(
        path, **{key: np.array(content, dtype=object), "metadata": np.array({"num_joints": 17}, object)}
    )
    return path


def test_sequences_of_human36m_have_their_subjects_actions_and_seventeen_joints(tmp_path):
    one, other = walk(5, 32, 3), walk(4, 17, 3, seed=1)
    path = h36m(tmp_path / "data_3d_h36m.npz", {"S1": {"Walking 1": one}, "S5": {"Walking": other, "WalkDog_2": other}})
    clips = load_skeletons(path, people=False)
    assert clips.ids == ["S1/Walking 1", "S5/Walking", "S5/WalkDog_2"]
    assert [clips.classes[label] for label in clips.labels] == ["Walking", "Walking", "WalkDog"]
    assert list(clips.table["group"]) == ["S1", "S5", "S5"]
    assert clips.graph.nodes == STGraph.skeleton("h36m-17").nodes
    moving = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    np.testing.assert_allclose(clips[0].x[0], one[:, moving], rtol=1e-6)
    np.testing.assert_allclose(clips[1].x[0], other, rtol=1e-6)


def test_cameras_of_human36m_are_recordings(tmp_path):
    views = [walk(5, 17), walk(5, 17, seed=1)]
    clips = load_skeletons(h36m(tmp_path / "a.npz", {"S1": {"Eating": views}}, "positions_2d"), people=False)
    assert clips.ids == ["S1/Eating/camera 0", "S1/Eating/camera 1"]
    assert list(clips.table["camera"]) == [0, 1]
    np.testing.assert_allclose(clips[1].x[0], views[1], rtol=1e-6)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"S1": walk(5, 17, 3)}, "'S1': expected a dictionary of actions"),
        ({"S1": {"Eating": "none"}}, "S1/Eating: got str; expected an array"),
        ({"S1": {"Eating": walk(5, 17, 3)[0]}}, r"S1/Eating: got shape \[17, 3\]"),
        ({"S1": {"Eating": np.zeros((5, 17, 4))}}, r"got shape \[5, 17, 4\]; expected \[T, N, 2 or 3\]"),
        ([1, 2], "expected a dictionary of subjects"),
        ({"S1": {"Eating": Hostile}}, "asks for .*Hostile, which positions by subject and action does not need"),
    ],
)
def test_a_broken_file_of_human36m_is_named(tmp_path, content, words):
    with pytest.raises(DataError, match=rf"a\.npz.*{words}"):
        load_skeletons(h36m(tmp_path / "a.npz", content))


def test_a_pickle_inside_of_an_npz_is_not_run(tmp_path, monkeypatch):
    mark = tmp_path / "ran"
    monkeypatch.setenv("STEXPLAIN_TEST_MARK", str(mark))
    with pytest.raises(DataError, match=r"asks for .*mkdir"):
        load_skeletons(h36m(tmp_path / "a.npz", {"S1": {"Eating": Hostile()}}))
    assert not mark.exists()
