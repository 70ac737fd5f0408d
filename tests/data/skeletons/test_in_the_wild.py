"""Files of recordings as programs write them: read right, or refused with a remedy that works when it is followed."""

import io
import itertools

import numpy as np
import pandas as pd
import pytest

from stexplain.data import load_skeletons
from stexplain.data.skeletons.keypoints.other_formats import REMEDIES
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph
from tests.data.skeleton_files import body, write_ntu
from tests.data.skeletons.written import walk

BODY = ("hip", "knee", "foot")
LEG = STGraph.from_edges(BODY, [("hip", "knee"), ("knee", "foot")])


# ---- landmarks by number ----


def numbered(first, name, score):
    """A table of a walk [6, 33, 3] with columns such as x0, y0, z0, v0."""
    one = walk(6, 33, 3)
    columns = {
        name.format(what=what, joint=joint + first): one[:, joint, at]
        for joint in range(33)
        for at, what in enumerate("xyz")
    }
    columns |= {name.format(what=score, joint=joint + first): np.full(6, 0.9) for joint in range(33)}
    columns[name.format(what=score, joint=4 + first)][2] = 0
    return one, pd.DataFrame(columns)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    ("name", "score"),
    [("{what}{joint}", "v"), ("{what}_{joint}", "visibility"), ("{joint}_{what}", "visibility")],
)
def test_landmarks_by_number_are_in_the_order_of_the_skeleton(tmp_path, first, name, score):
    one, table = numbered(first, name, score)
    order = np.random.default_rng(0).permutation(table.shape[1])
    for columns in (table.columns, table.columns[order]):
        table[columns].assign(**{"class": "wave"}).to_csv(tmp_path / "mp.csv", index=False)
        clips = load_skeletons(tmp_path / "mp.csv", graph="mediapipe-33", people=False)
        np.testing.assert_allclose(clips[0].x[0][clips[0].observed[0]], one[clips[0].observed[0]], rtol=1e-6)
        assert np.argwhere(~clips[0].observed[0]).tolist() == [[2, 4]]
        assert clips.classes == ["wave"]
    with pytest.raises(InputError, match="got 17 nodes; 'mp' has 33 joints"):
        load_skeletons(tmp_path / "mp.csv", graph="coco-17")
    assert load_skeletons(tmp_path / "mp.csv").graph == STGraph.skeleton("mediapipe-33")


def test_numbers_with_a_gap_are_no_order(tmp_path):
    table = numbered(0, "{what}{joint}", "v")[1].drop(columns=["x7", "y7", "z7", "v7"])
    table.to_csv(tmp_path / "mp.csv", index=False)
    with pytest.raises(InputError, match="has no joint 'nose'"):
        load_skeletons(tmp_path / "mp.csv", graph="mediapipe-33")


@pytest.mark.parametrize("name", ["landmark", "landmark_id", "joint_index"])
def test_a_row_per_numbered_landmark(tmp_path, name):
    one = walk(5, 33, 3)
    rows = [(t, joint, *one[t, joint]) for t in range(5) for joint in range(33)]
    pd.DataFrame(rows, columns=["frame", name, "x", "y", "z"]).to_csv(tmp_path / "m.csv", index=False)
    clip = load_skeletons(tmp_path / "m.csv", graph="mediapipe-33", people=False)[0]
    np.testing.assert_allclose(clip.x[0], one, rtol=1e-6)


# ---- NTU's text after an editor ----


def test_a_byte_order_mark_and_blanks_change_nothing(tmp_path):
    path = write_ntu(tmp_path, "p1", {7: body(4)})
    whole = load_skeletons(path)[0].x
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\r\n", b"  \r\n") + b"\r\n\r\n")
    np.testing.assert_array_equal(load_skeletons(path)[0].x, whole)


# ---- what is not read ----


@pytest.mark.parametrize("ending", REMEDIES)
def test_files_of_other_formats_are_refused_with_their_remedy(tmp_path, ending):
    (tmp_path / f"a{ending}").write_bytes(b"{}")
    with pytest.raises(InputError, match="holds no skeletons in a supported format") as raised:
        load_skeletons(tmp_path)
    assert REMEDIES[ending] in str(raised.value)


def test_the_remedies_of_tables_and_arrays_work(tmp_path):
    one = walk(5, 17)
    import torch
    from scipy.io import loadmat, savemat

    savemat(tmp_path / "a.mat", {"name": one})
    np.save(tmp_path / "x.npy", loadmat(tmp_path / "a.mat")["name"])
    np.testing.assert_array_equal(load_skeletons(tmp_path / "x.npy", axes="t n c", graph="coco-17")[0].x[0], one)
    torch.save(torch.from_numpy(one), tmp_path / "a.pt")
    np.save(tmp_path / "x.npy", torch.load(tmp_path / "a.pt", weights_only=True).numpy())
    np.testing.assert_array_equal(load_skeletons(tmp_path / "x.npy", axes="t n c", graph="coco-17")[0].x[0], one)


@pytest.mark.parametrize("end", ["", ","])
def test_numbers_without_names_are_saved_by_the_remedy(tmp_path, monkeypatch, end):
    one = walk(6, 20, 3).round(4)
    lines = [",".join(f"{value:.4f}" for value in row) + end for row in one.reshape(6, 60)]
    # As where two numbers of the first line are the same.
    lines[0] = lines[0].replace(lines[0].split(",")[4], lines[0].split(",")[3])
    one[0, 1, 1] = one[0, 1, 0]
    path = tmp_path / "positions.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match="its first line holds numbers, such as") as refused:
        load_skeletons(path, graph="kinect-v1")
    line = str(refused.value).split("for each frame: ")[1].split(", and give")[0]
    known = {"np": np, "pd": pd, "path": path, "frames": 6, "joints": 20, "channels": 3}
    monkeypatch.chdir(tmp_path)
    exec(line, known)
    clips = load_skeletons("x.npy", axes="t n c", graph="kinect-v1", people=False)
    np.testing.assert_allclose(clips[0].x[0], one, rtol=1e-6)
    if not end:
        path = path.rename(tmp_path / "positions.txt")
        with pytest.raises(InputError, match="Of numbers alone") as refused:
            load_skeletons(path, graph="kinect-v1")
        line = str(refused.value).split("for each frame: ")[1].split(", without delimiter")[0]
        exec(line, known | {"path": path})
        again = load_skeletons("x.npy", axes="t n c", graph="kinect-v1", people=False)
        np.testing.assert_allclose(again[0].x[0], one, rtol=1e-6)


QUALISYS = "NO_OF_FRAMES\t2\nNO_OF_MARKERS\t1\nMARKER_NAMES\thip\n1\t2\t3\n1\t2\t3\n"
VICON = "Trajectories\n100\n,,S:hip,,\nFrame,Sub Frame,X,Y,Z\n,,mm,mm,mm\n1,0,1,2,3\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [("q.tsv", QUALISYS), ("s.tsv", "FILE_VERSION\t2.0.0\n" + QUALISYS), ("v.csv", VICON), ("v.csv", '"' + VICON)],
)
def test_exports_of_capture_systems_are_told_from_tables(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match="is an export of a motion capture system.*Export C3D"):
        load_skeletons(tmp_path / name, graph=LEG)


@pytest.mark.parametrize("name", ["poses", "fullpose", "smpl_poses"])
def test_rotations_beside_other_arrays_are_no_positions(tmp_path, name):
    np.savez(tmp_path / "walk_poses.npz", **{name: np.ones((7, 156))}, trans=np.ones((7, 3)), betas=np.ones(16))
    with pytest.raises(InputError, match=f"'{name}' holds rotations of joints"):
        load_skeletons(tmp_path / "walk_poses.npz")


def test_decimal_commas_are_read_or_have_a_remedy_that_works(tmp_path):
    one = walk(4, 3)
    rows = [(t, name, *one[t, at]) for t in range(4) for at, name in enumerate(BODY)]
    text = pd.DataFrame(rows, columns=["frame", "joint", "x", "y"]).to_csv(sep=";", decimal=",", index=False)
    path = tmp_path / "s.csv"
    path.write_text(text)
    np.testing.assert_allclose(load_skeletons(path, graph=LEG, people=False)[0].x[0], one, rtol=1e-6)
    # A time with a point: of both notations in one file, one is wrong.
    path.write_text(text.replace("frame;", "time;frame;").replace("\n", "\n0.5;").removesuffix("0.5;"))
    with pytest.raises(DataError, match=r"line 2: got '0\.5', with a point, and in line 2 '\d,\d+', with a comma"):
        load_skeletons(path, graph=LEG)
    pd.read_csv(io.StringIO(text), sep=";", decimal=",").to_csv(path, index=False)
    np.testing.assert_allclose(load_skeletons(path, graph=LEG, people=False)[0].x[0], one, rtol=1e-6)


def test_smoothed_files_beside_their_own_are_one_recording_twice(tmp_path):
    table = pd.DataFrame(
        {
            f"{name}_{axis}": walk(4, 3)[:, at, ax]
            for (at, name), (ax, axis) in itertools.product(enumerate(BODY), enumerate("xy"))
        }
    )
    for name in ("vDLC", "vDLC_filtered"):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    with pytest.raises(DataError, match="'vDLC_filtered' is 'vDLC' once more, smoothed"):
        load_skeletons(tmp_path, graph=LEG)
    with pytest.warns(UserWarning, match="1 of 2 recordings has no label"):
        load_skeletons(tmp_path, graph=LEG, labels={"vDLC_filtered": "x"}, left_out=None)


def test_recordings_of_several_lengths_in_an_npy_go_elsewhere(tmp_path):
    np.save(tmp_path / "a.npy", np.array([walk(4, 17), walk(6, 17)], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"Recordings of several lengths.*stx\.Clips\.from_arrays as a list"):
        load_skeletons(tmp_path / "a.npy", graph="coco-17")


# ---- tables beside recordings ----


def poses(folder):
    """Four tables of a walk [6, 3, 2], and one of their labels in a folder of its own."""
    values = {name: walk(6, 3, seed=number) for number, name in enumerate(("001", "002", "010", "011"))}
    for name, one in values.items():
        columns = {
            f"{joint}_{what}": one[:, at, axis] for at, joint in enumerate(BODY) for axis, what in enumerate("xy")
        }
        place = folder / "poses" / f"{name}.csv"
        place.parent.mkdir(exist_ok=True)
        pd.DataFrame(columns).to_csv(place, index_label="frame")
    (folder / "about").mkdir()
    (folder / "about" / "labels.csv").write_text("participant_id,group\n001,up\n002,down\n010,up\n011,down\n")
    (folder / "about" / "leg.csv").write_text("joint,parent\nhip,\nknee,hip\nfoot,knee\n")
    return values


def test_tables_of_labels_and_joints_beside_tables_of_recordings_are_none(tmp_path):
    values, labels = poses(tmp_path), tmp_path / "about" / "labels.csv"
    with pytest.raises(InputError, match="rename") as refused:
        load_skeletons(tmp_path, graph=tmp_path / "about" / "leg.csv", labels=labels)
    call = str(refused.value).split("renamed: labels=")[1].split(", or in the file")[0]
    # The ids keep their zeros.
    renamed = eval(call, {"pd": pd})
    clips = load_skeletons(tmp_path, graph=tmp_path / "about" / "leg.csv", labels=renamed, people=False)
    assert (clips.ids, clips.classes, clips.labels.tolist()) == (list(values), ["down", "up"], [1, 0, 1, 0])
    for number, one in enumerate(values.values()):
        np.testing.assert_allclose(clips[number].x[0], one, rtol=1e-5)
    renamed.rename(columns={"group": "label"}).to_csv(labels, index=False)
    again = load_skeletons(tmp_path, graph=tmp_path / "about" / "leg.csv", labels=labels, people=False)
    assert again.labels.tolist() == [1, 0, 1, 0]


def test_tables_of_labels_and_joints_that_are_not_given_are_said(tmp_path):
    poses(tmp_path)
    table = pd.read_csv(tmp_path / "about" / "labels.csv", dtype=str).rename(columns={"group": "label"})
    table.to_csv(tmp_path / "about" / "labels.csv", index=False)
    with pytest.warns(UserWarning, match="was not read") as said:
        clips = load_skeletons(tmp_path, graph=LEG, people=False)
    words = " ".join(str(one.message) for one in said)
    assert "labels.csv is a table of labels, and was not read. Where it is to be, give labels=." in words
    assert "leg.csv is a table of joints, and was not read. Where it is to be, give graph=." in words
    assert clips.ids == ["001", "002", "010", "011"]
