"""Azure Kinect's body tracking: its joints in metres, persons by their ids, times by its clock."""

import json

import numpy as np
import pytest

from stexplain.data import load_skeletons
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph
from tests.data.skeletons.written import walk

SKELETON = STGraph.skeleton("azure-kinect")
# As the SDK calls them: SHOULDER_LEFT.
NAMES = [
    ("_".join([*name.split(" ")[1:], name.split(" ")[0]]) if name.startswith(("left ", "right ")) else name)
    .upper()
    .replace(" ", "_")
    .replace("HAND_TIP", "HANDTIP")
    for name in SKELETON.nodes
]
LABELS = {"r": "gait"}


def written(path, bodies, *, ids=(1, 2), start=8_000, step=33_333, dropped=(), names=NAMES, **more):
    """``bodies`` [M, T, N, 3] in metres, as the offline processor writes them, in millimetres."""
    frames = []
    for at in range(bodies.shape[1]):
        present = [
            {
                "body_id": who,
                "joint_positions": (1000 * one[at]).tolist(),
                "joint_orientations": [[1, 0, 0, 0]] * one.shape[1],
            }
            for who, one in zip(ids, bodies, strict=False)
            if not np.isnan(one[at]).all()
        ]
        frames.append(
            {
                "bodies": present,
                "frame_id": len(frames),
                "num_bodies": len(present),
                "timestamp_usec": start + at * step,
            }
        )
    frames = [frame for at, frame in enumerate(frames) if at not in dropped]
    bones = [[names[a], names[b]] for a, b in SKELETON.edges.tolist()] if len(names) == 32 else [[names[0], names[1]]]
    content = {"k4abt_sdk_version": "1.1.0", "joint_names": names, "bone_list": bones, "frames": frames, **more}
    path.write_text(json.dumps(content, indent=4))
    return path


def test_joints_are_read_in_metres_with_their_rate(tmp_path):
    body = walk(6, 32, 3)
    clips = load_skeletons(written(tmp_path / "r.json", body[None]), labels=LABELS)
    np.testing.assert_allclose(clips[0].x[0], body, rtol=1e-5)
    assert clips.graph == SKELETON
    assert clips.measured.frame_rate == 30
    assert clips.channels == ["x", "y", "z"]


def test_names_of_the_first_versions_and_none_are_those_of_the_sensor(tmp_path):
    body = walk(4, 32, 3)
    old = [name.replace("NAVEL", "NAVAL") for name in NAMES]
    assert load_skeletons(written(tmp_path / "r.json", body[None], names=old), labels=LABELS).graph == SKELETON
    assert load_skeletons(written(tmp_path / "r.json", body[None], joint_names=[]), labels=LABELS).graph == SKELETON


def test_other_joints_are_those_of_the_file(tmp_path):
    clips = load_skeletons(written(tmp_path / "r.json", walk(4, 2, 3)[None], names=["PELVIS", "HEAD"]), labels=LABELS)
    assert clips.graph.nodes == ("PELVIS", "HEAD")


def test_bodies_are_told_apart_by_their_ids_where_they_come_and_go(tmp_path):
    both = np.stack([walk(6, 32, 3), walk(6, 32, 3) + 0.001])
    both[0, 2:4] = np.nan
    path = written(tmp_path / "r.json", both)
    clip = load_skeletons(path, labels=LABELS, people=False, keep="first")[0]
    order = [0, 1] if clip.valid[0].sum() == 4 else [1, 0]
    np.testing.assert_allclose(clip.x[order[1]], both[1], rtol=1e-5)
    assert clip.valid[order[0]].tolist() == [True, True, False, False, True, True]


def test_a_frame_that_the_sensor_dropped_is_a_gap(tmp_path):
    body = walk(8, 32, 3)
    path = written(tmp_path / "r.json", body[None], dropped=(3,))
    content = json.loads(path.read_text())
    for number, frame in enumerate(content["frames"]):
        frame["frame_id"] = number  # counted on, as by programs of one's own
    path.write_text(json.dumps(content))
    clip = load_skeletons(path, labels=LABELS)[0]
    assert clip.valid[0].tolist() == [at != 3 for at in range(8)]
    np.testing.assert_allclose(clip.x[0, 4:], body[4:], rtol=1e-5)


def test_a_joint_in_the_camera_was_not_found(tmp_path):
    body = walk(4, 32, 3)
    body[1, 5] = 0
    assert np.argwhere(
        ~load_skeletons(written(tmp_path / "r.json", body[None]), labels=LABELS)[0].observed[0]
    ).tolist() == [[1, 5]]


def test_metres_are_metres(tmp_path):
    body = walk(4, 32, 3)
    clip = load_skeletons(written(tmp_path / "r.json", body[None] / 1000), labels=LABELS)[0]
    np.testing.assert_allclose(clip.x[0], body, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda all: all["frames"][2]["bodies"][0]["joint_positions"].pop(), r"bodies of 32 x 3, 31 x 3 joints"),
        (lambda all: all["frames"][2]["bodies"][0]["joint_positions"][4].pop(), r"frame 3"),
        (lambda all: all["frames"][2].update(frame_id=1), r"frame 1 appears twice"),
        (lambda all: all["frames"][2].update(timestamp_usec=1), r"frame 3: the time is 1 after"),
        (lambda all: all.pop("frames"), r"holds no skeletons|no list 'frames'"),
        (lambda all: all["joint_names"].pop(), r"joint_names: got 31 names; expected 32"),
        (lambda all: all.update(joint_names=[f"j{n}" for n in range(32)]), r"bone_list: expected pairs of names"),
    ],
)
def test_what_is_broken_is_refused_with_its_frame(tmp_path, change, said):
    path = written(tmp_path / "r.json", walk(4, 32, 3)[None])
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises((DataError, InputError), match=r"r\.json.*" + said):
        load_skeletons(path, labels=LABELS)


def test_32_joints_of_any_file_are_not_taken_for_it(tmp_path):
    np.savez(tmp_path / "x.npz", x=walk(4, 32, 3)[None, None])
    with pytest.raises(InputError, match="no known skeleton has these 32 joints"):
        load_skeletons(tmp_path / "x.npz", axes="b m t n c")
    rows = [f"{t},{j},0,0,0" for t in range(2) for j in range(32)]
    (tmp_path / "n.csv").write_text("\n".join(["frame,joint,x,y,z", *rows]))
    with pytest.raises(InputError, match="no known skeleton has these 32 joints"):
        load_skeletons(tmp_path / "n.csv")
    rows = [f"{t},{name},{t},{at},0" for t in range(2) for at, name in enumerate(NAMES)]
    (tmp_path / "n.csv").write_text("\n".join(["frame,joint,x,y,z", *rows]))
    assert load_skeletons(tmp_path / "n.csv", people=False).graph == SKELETON
