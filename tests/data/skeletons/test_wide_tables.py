"""A row per frame, as pose trackers write keypoints: what is written is what is read, under the graph's names."""

import numpy as np
import pytest

import stexplain as stx
from stexplain.data import load_skeletons
from stexplain.data.skeletons.joint_names import places_of
from stexplain.errors import DataError, InputError

LEG = stx.STGraph.from_edges(
    ["left hip", "left knee", "left ankle"], [("left hip", "left knee"), ("left knee", "left ankle")]
)


def walk(frames=6, joints=3, channels=2, seed=0):
    """A leg that moves, ``[frames, joints, channels]``."""
    random = np.random.default_rng(seed)
    start = np.stack([np.full(joints, 0.2), np.linspace(1, 0.1, joints), np.full(joints, 0.5)], 1)[:, :channels]
    return (start + random.normal(0, 0.02, (frames, joints, channels)).cumsum(0)).astype(np.float32)


def write(path, values, joints=LEG.nodes, columns="{joint}_{axis}", score=None, frames=None, **more):
    """A wide table of values ``[T, N, C]``; ``score`` ``[T, N]``; ``more`` are columns of one cell."""
    names = [columns.format(joint=joint, axis=axis) for joint in joints for axis in "xyz"[: values.shape[2]]]
    cells = values.reshape(len(values), -1)
    if score is not None:
        names += [columns.format(joint=joint, axis="likelihood") for joint in joints]
        cells = np.concatenate([cells, score], 1)
    lines = [",".join([*([] if frames is None else ["frame"]), *names, *more])]
    for number, row in enumerate(cells):
        at = [] if frames is None else [str(frames[number])]
        lines.append(",".join([*at, *(f"{value:.9g}" for value in row), *map(str, more.values())]))
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("joints", "columns"),
    [
        (LEG.nodes, "{joint}_{axis}"),
        (["left_hip", "left_knee", "left_ankle"], "{joint}_{axis}"),
        (["LEFT_HIP", "LEFT_KNEE", "LEFT_ANKLE"], "{joint}.{axis}"),
        (["HipLeft", "KneeLeft", "AnkleLeft"], "{joint} {axis}"),
        (["LHip", "LKnee", "LAnkle"], "{joint}_{axis}"),
    ],
)
def test_a_file_is_a_recording_whatever_joins_the_names(tmp_path, joints, columns):
    values = walk()
    write(tmp_path / "p1 walk.csv", values, joints, columns)
    (clip,) = load_skeletons(tmp_path, graph=LEG, labels={"p1 walk": "limps"})
    assert clip.id == "p1 walk"
    np.testing.assert_allclose(clip.x[0], values, rtol=1e-6)


def test_joints_in_another_order_and_more_of_them(tmp_path):
    values = walk(joints=4)
    write(tmp_path / "a.csv", values, ["left_ankle", "nose", "left_hip", "left_knee"])
    (clip,) = load_skeletons(tmp_path / "a.csv", graph=LEG)
    np.testing.assert_allclose(clip.x[0], values[:, [2, 3, 0]], rtol=1e-6)


def test_frames_scores_persons_labels_and_fields(tmp_path):
    values, score = walk(channels=3), np.full((6, 3), 0.9)
    score[2, 1] = 0.1
    write(tmp_path / "a.csv", values, score=score, frames=[3, 4, 5, 7, 8, 9], label="gait", subject="s1")
    (clip,) = load_skeletons(tmp_path / "a.csv", graph=LEG, score=0.5)
    # Frame 6 is a gap, and a joint of little confidence was not read.
    assert clip.valid[0].tolist() == [True, True, True, False, True, True, True]
    assert np.argwhere(~clip.observed[0] & clip.valid[0][:, None]).tolist() == [[2, 1]]
    np.testing.assert_allclose(clip.x[0, 4:], values[3:], rtol=1e-6)
    assert (clip.channels, clip.fields["subject"], clip.fields["group"]) == (("x", "y", "z"), "s1", "s1")


def test_a_column_of_samples_cuts_a_table(tmp_path):
    values = {name: walk(seed=number) for number, name in enumerate("ab")}
    for name, one in values.items():
        write(tmp_path / f"{name}.csv", one, video=name)
    head, *rows = (tmp_path / "a.csv").read_text().splitlines()
    (tmp_path / "all.csv").write_text("\n".join([head, *rows, *(tmp_path / "b.csv").read_text().splitlines()[1:]]))
    clips = load_skeletons(tmp_path / "all.csv", graph=LEG)
    assert clips.ids == ["a", "b"]
    np.testing.assert_allclose(clips[1].x[0], values["b"], rtol=1e-6)


def test_a_known_skeleton_is_found_by_its_joints(tmp_path):
    coco = stx.STGraph.skeleton("coco-17")
    values = walk(joints=17)
    write(tmp_path / "a.csv", values, [node.replace(" ", "_") for node in coco.nodes])
    assert load_skeletons(tmp_path / "a.csv").graph.nodes == coco.nodes


def deeplabcut(values, *, individuals=("",)):
    """The text of a file of DeepLabCut; values ``[M, T, N, 2]``."""
    parts = [name.replace(" ", "") for name in ("hip", "knee", "ankle")]
    head = {"scorer": [], "individuals": [], "bodyparts": [], "coords": []}
    for person in individuals:
        for part in parts:
            for coordinate in ("x", "y", "likelihood"):
                for name, cell in zip(head, ("DLC_resnet50", person, part, coordinate), strict=True):
                    head[name].append(cell)
    if individuals == ("",):
        head.pop("individuals")
    lines = [",".join([name, *cells]) for name, cells in head.items()]
    for frame in range(values.shape[1]):
        cells = [f"{value:.9g}" for one in values[:, frame] for joint in one for value in (*joint, 0.9)]
        lines.append(",".join([str(frame), *cells]))
    return "\n".join(lines) + "\n"


SIMPLE = stx.STGraph.from_edges(["hip", "knee", "ankle"], [("hip", "knee"), ("knee", "ankle")])


def test_deeplabcuts_header(tmp_path):
    values = walk()[None]
    (tmp_path / "mouse.csv").write_text(deeplabcut(values))
    (clip,) = load_skeletons(tmp_path / "mouse.csv", graph=SIMPLE)
    np.testing.assert_allclose(clip.x, values, rtol=1e-6)
    (tmp_path / "mouse.csv").write_text(deeplabcut(values).replace("\n2,", "\n2,what"))
    with pytest.raises(DataError, match="line 6: hip_x is 'what"):
        load_skeletons(tmp_path / "mouse.csv", graph=SIMPLE)
    (tmp_path / "mouse.csv").write_text(deeplabcut(values).replace("coords", "axes"))
    with pytest.raises(DataError, match="no line 'coords'"):
        load_skeletons(tmp_path / "mouse.csv", graph=SIMPLE)


def test_deeplabcuts_individuals_are_persons(tmp_path):
    values = np.stack([walk(seed=1), walk(seed=2) + np.float32(3)])
    (tmp_path / "two.csv").write_text(deeplabcut(values, individuals=("m1", "m2")))
    (clip,) = load_skeletons(tmp_path / "two.csv", graph=SIMPLE, people=False)
    assert sorted(clip.x[:, 0, 0, 0].round(3)) == sorted(values[:, 0, 0, 0].round(3))


def test_what_is_not_certain_is_refused(tmp_path):
    write(tmp_path / "a.csv", walk())
    text = (tmp_path / "a.csv").read_text()
    (tmp_path / "a.csv").write_text(text.replace("left knee_y", "left knee height"))
    with pytest.raises(InputError, match="joint 'left knee' has the columns left knee_x; expected x and y"):
        load_skeletons(tmp_path / "a.csv", graph=LEG)
    write(tmp_path / "a.csv", walk(), frames=[0, 1, 1, 2, 3, 4])
    with pytest.raises(DataError, match="line 4: frame 1 of 'a' appears twice"):
        load_skeletons(tmp_path / "a.csv", graph=LEG)
    write(tmp_path / "a.csv", walk(), ["left_hip", "left_knee", "right_ankle"])
    with pytest.raises(InputError, match="'a' has no joint 'left ankle'"):
        load_skeletons(tmp_path / "a.csv", graph=LEG)


def test_two_joints_of_the_same_words_are_no_match():
    assert places_of(["left hip"], ["left_hip", "hip left"]) is None
    assert places_of(["left hip"], ["left_hip", "left hip"]) == [1]
