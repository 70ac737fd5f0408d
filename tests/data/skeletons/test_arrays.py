"""Skeletons in arrays and pickles, as they are published: what is written is what is read, and nothing is executed."""

import pickle

import numpy as np
import pytest

import stexplain as stx
from stexplain.data import load_skeletons
from stexplain.errors import DataError, InputError
from tests.data.skeletons.written import LINE, annotation, walk


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


IMU = ["ax", "ay", "az", "gx", "gy", "gz"]


def test_channels_of_arrays_have_the_names_that_are_given(tmp_path):
    x = np.random.default_rng(0).normal(size=(4, 9, 3, 6)).astype(np.float32)
    np.save(tmp_path / "imu.npy", x)
    clips = load_skeletons(tmp_path / "imu.npy", graph=LINE, axes="b t n c", channels=IMU)
    assert clips.channels == IMU
    np.testing.assert_array_equal(clips[2].x[0], x[2])


@pytest.mark.parametrize(
    "channels", [IMU[:5], [*IMU, "t"], [*IMU[:5], "ax"], [*IMU[:5], ""], ["score", *IMU[:5]], [], "axyzgh"]
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


def test_a_dictionary_in_npy_has_a_line_that_works(tmp_path):
    """As scripts for NTU write it: a body under each of skel_body0, skel_body1."""
    path, body = tmp_path / "S001C001P001R001A001.skeleton.npy", walk(12, 25, 3)
    np.save(path, {"file_name": "S001C001P001R001A001", "nbodys": [1] * 12, "skel_body0": body}, allow_pickle=True)
    with pytest.raises(DataError, match="Of a dictionary, where you trust who wrote it: ") as raised:
        load_skeletons(path)
    line = str(raised.value).partition("who wrote it: ")[2].rstrip(".").replace("'x.npy'", "out")
    exec(line, {"np": np, "path": path, "out": tmp_path / "x.npy"})
    (clip,) = load_skeletons(tmp_path / "x.npy", graph="kinect-v2")
    np.testing.assert_array_equal(clip.x[0], body)
