"""Planted recordings as files: the same for a seed, NTU's text, cameras and sensor faults."""

import numpy as np
import pytest

import stexplain as stx
from stexplain.cards import dataset_card, model_card
from stexplain.data import Clips
from stexplain.data.planted.actions import NO_ACTION
from stexplain.data.planted.kinect import (
    Body,
    camera_view,
    random_faults,
    random_ghost,
    random_place,
    write_skeleton,
)
from stexplain.data.planted.ntu import ACTIONS, generate, perform, record
from stexplain.data.planted.ntu_oracle import oracle
from stexplain.data.readers import ntu_skeleton
from stexplain.errors import InputError

CARD = dataset_card("ntu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("planted") / "raw"
    count = generate(
        CARD, out, actions=["A007", "A035", "A024"], subjects=[1, 18], repetitions=1, workers=1, progress=False
    )
    assert count == len(list(out.glob("*.skeleton"))) == 3 * 2 * 3
    return out


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_seed_gives_the_same_bytes_whatever_the_number_of_workers(folder, tmp_path):
    chosen = {"actions": ["A024", "A035", "A007"], "subjects": [18, 1], "repetitions": 1, "progress": False}
    generate(CARD, tmp_path / "two", workers=2, **chosen)
    assert contents(tmp_path / "two") == contents(folder)
    generate(CARD, tmp_path / "other", workers=1, seed=1, **chosen)
    other = contents(tmp_path / "other")
    assert all(other[name] != bytes_ for name, bytes_ in contents(folder).items() if name.endswith(".skeleton"))


def test_a_part_of_the_recordings_is_the_same_as_in_the_whole(folder, tmp_path):
    generate(
        CARD, tmp_path / "part", actions=["A035"], subjects=[18], cameras=[3], repetitions=1, workers=1, progress=False
    )
    part = contents(tmp_path / "part")
    assert sorted(part) == [f"S001C003P018R001A035.{end}" for end in ("counterfactual.npy", "skeleton", "truth.npy")]
    assert all(contents(folder)[name] == bytes_ for name, bytes_ in part.items())


def test_names_carry_class_subject_and_camera_for_the_reader(folder):
    sources = ntu_skeleton.find(folder, CARD)
    assert {CARD.classes[source.label].id for source in sources} == {"A007", "A035", "A024"}
    assert {(source.fields["subject"], source.fields["camera"]) for source in sources} == {
        (subject, camera) for subject in (1, 18) for camera in (1, 2, 3)
    }


def test_recordings_round_trip_through_the_reader(folder):
    for source in ntu_skeleton.find(folder, CARD):
        recording = ntu_skeleton.read(source.path)
        truth = np.load(source.path.with_suffix(".truth.npy"), allow_pickle=False)
        assert truth.dtype == bool
        assert truth.shape == recording.values.shape[:3]
        assert not truth[~recording.valid].any()
        assert truth.any()
        assert not truth.all()
        assert oracle(recording.values) == CARD.classes[source.label].id


def test_all_twelve_columns_are_read_back_as_written(tmp_path):
    performance = perform("A031", subject=2)
    body = record(performance, 2, np.random.default_rng(0)).bodies[0]
    ghost = random_ghost(len(performance.xyz), np.random.default_rng(1))
    path = tmp_path / "S002C002P002R001A031.skeleton"
    write_skeleton(path, len(performance.xyz), [body, ghost])
    recording = ntu_skeleton.read(path, fields=ntu_skeleton.FIELDS[3:])
    np.testing.assert_allclose(recording.values[0], body.xyz, atol=6e-5)
    present = slice(ghost.start, ghost.start + len(ghost.xyz))
    np.testing.assert_allclose(recording.values[1, present], ghost.xyz, atol=6e-5)
    assert np.isnan(recording.values[1]).all(axis=(1, 2)).sum() == len(performance.xyz) - len(ghost.xyz)
    assert recording.body_ids == (body.id, ghost.id)
    assert all(value > 2**53 for value in recording.body_ids)
    np.testing.assert_array_equal(recording.fields["tracking"][0], body.state)
    # A point to the right of the camera lies right in the images, one above lies above.
    x, y, z = np.moveaxis(body.xyz, -1, 0)
    np.testing.assert_allclose(recording.fields["depth_x"][0], 366 * x / z + 256, atol=0.01)
    np.testing.assert_allclose(recording.fields["color_y"][0], -1056 * y / z + 550, atol=0.01)
    turn = np.stack([recording.fields[f"orientation_{axis}"][0] for axis in "wxyz"], axis=-1)
    upwards = np.stack(
        [
            2 * (turn[..., 1] * turn[..., 2] - turn[..., 0] * turn[..., 3]),
            1 - 2 * (turn[..., 1] ** 2 + turn[..., 3] ** 2),
            2 * (turn[..., 2] * turn[..., 3] + turn[..., 0] * turn[..., 1]),
        ],
        axis=-1,
    )
    for joint, parent in ((5, 4), (9, 8), (13, 12), (18, 17), (20, 1)):
        bone = body.xyz[:, joint] - body.xyz[:, parent]
        np.testing.assert_allclose(upwards[:, joint], bone / np.linalg.norm(bone, axis=-1, keepdims=True), atol=5e-4)
    assert not turn[:, [3, 15, 19, 21, 22, 23, 24]].any()


def test_the_text_is_ntus(tmp_path):
    body = Body(72057594037931101, 0, np.full((2, 25, 3), 2.0), np.full((2, 25), 2))
    write_skeleton(tmp_path / "a.skeleton", 3, [body])
    lines = (tmp_path / "a.skeleton").read_bytes().split(b"\r\n")
    assert lines[0] == b"3"
    assert lines[1] == b"1"
    assert lines[2].split()[0] == b"72057594037931101"
    assert len(lines[2].split()) == 10
    assert lines[3] == b"25"
    assert {len(line.split()) for line in lines[4:29]} == {12}
    assert lines[-2] == b"0"  # the third frame is empty
    assert lines[-1] == b""


def test_recordings_without_an_action_are_made_on_request(tmp_path):
    how = {"subjects": [3], "repetitions": 1, "workers": 1, "progress": False}
    for actions, expected in ((None, set(ACTIONS)), (["A007", NO_ACTION], {"A007", NO_ACTION})):
        assert generate(CARD, tmp_path / "all", actions=actions, **how) == 3 * len(expected)
        assert {path.stem[-4:] for path in (tmp_path / "all").glob("*.skeleton")} == expected


def test_what_is_tested_across_views_is_no_training_recording_turned():
    """A camera records performances of its own: nothing of one is learned from another by heart."""
    performances = [perform("A007", 3, camera=camera) for camera in (1, 2, 3)]
    assert performances[0].person == performances[1].person == performances[2].person
    frames = min(len(performance.xyz) for performance in performances)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        pair = (performances[i].background[:frames] for i in (one, other))
        assert np.median(np.linalg.norm(np.subtract(*pair), axis=-1)) > 0.02


def test_three_cameras_see_one_performance_rotated():
    performance = perform("A035", subject=9)
    clean = [camera_view(performance.xyz, performance.place, camera).reshape(-1, 3) for camera in (1, 2, 3)]
    for other, angle in ((clean[1], 45), (clean[2], -45)):
        turn, residual = rotation(clean[0], other)
        assert residual < 1e-9
        np.testing.assert_allclose(np.degrees(np.arccos((np.trace(turn) - 1) / 2)), abs(angle), atol=1e-6)
    noisy = [
        record(performance, camera, np.random.default_rng(camera)).bodies[0].xyz.reshape(-1, 3) for camera in (1, 2, 3)
    ]
    for other, exact in zip(noisy[1:], clean[1:], strict=True):
        turn, _ = rotation(clean[0], exact)
        apart = (noisy[0] - clean[0].mean(axis=0)) @ turn.T - (other - exact.mean(axis=0))
        # The median, because joints that one sensor loses are far from where the other sees them.
        assert 1e-3 < np.median(np.linalg.norm(apart, axis=-1)) < 0.03


def rotation(first, second):
    """The rotation that best takes one cloud onto another (Kabsch), and what remains, as a root mean square."""
    a, b = first - first.mean(axis=0), second - second.mean(axis=0)
    u, _, vt = np.linalg.svd(a.T @ b)
    turn = vt.T @ np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T
    return turn, float(np.sqrt(((a @ turn.T - b) ** 2).sum(axis=1).mean()))


def test_bodies_that_are_turned_to_the_front_go_the_same_ways_before_every_camera():
    graph = stx.STGraph.from_card(CARD)
    recipe = model_card("stgcn7").recipe("quick")
    performance = perform("A031", subject=4)
    seen = [camera_view(performance.xyz, performance.place, camera)[None] for camera in (1, 2, 3)]
    clips = Clips.from_arrays(seen, graph=graph, channels=["x", "y", "z"], recipe=recipe)
    turned = clips.batch(slice(None)).x
    # Up to the camera's tilt of at most 6 degrees, which turning about the camera's vertical leaves.
    assert (turned - turned[:1]).norm(dim=-1).max() < 0.2
    loose = clips.with_recipe(recipe.model_copy(update={"align": None})).batch(slice(None)).x
    assert (loose - loose[:1]).norm(dim=-1).max() > 0.5


def test_losses_are_marked_and_frozen():
    faults = random_faults(80, np.random.default_rng(4))
    lost = faults.state < 2
    frames, joints = np.nonzero(lost)
    assert lost.any()
    assert (faults.since[lost] < frames).all()
    assert (faults.since[~lost] == np.nonzero(~lost)[0]).all()
    shown = faults.apply(np.arange(80.0)[:, None, None] * np.ones((1, 25, 3))) - faults.noise
    np.testing.assert_array_equal(shown[frames, joints, 0], faults.since[lost])


def test_places_keep_the_person_before_the_camera():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        for camera in (1, 2, 3):
            xyz = camera_view(perform("A024", subject=seed + 1).xyz, random_place(rng), camera)
            assert 1.5 < xyz[..., 2].min() < xyz[..., 2].max() < 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"actions": ["A077"]}, "unknown planted action 'A077'. There are|unknown planted action 'A077'. Did you mean"),
        ({"actions": ["A002"]}, "unknown planted action 'A002'"),
        ({"subjects": []}, "subjects: got"),
        ({"subjects": [0]}, "each in 1 to 999"),
        ({"cameras": [4]}, "each in 1 to 3"),
        ({"repetitions": 0}, "repetitions: got"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        generate(CARD, tmp_path / "out", workers=1, progress=False, **arguments)
    assert not (tmp_path / "out").exists()


def test_a_card_without_the_actions_is_refused(tmp_path):
    with pytest.raises(InputError, match="none of the planted actions"):
        generate(dataset_card("nw-ucla"), tmp_path / "out", workers=1, progress=False)


def test_what_fails_midway_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stexplain.data.planted.ntu.write_skeleton", full)
    from stexplain.errors import DataError

    with pytest.raises(DataError, match="Free some space"):
        generate(CARD, tmp_path / "out", actions=["A007"], subjects=[1], workers=1, progress=False)
    assert list(tmp_path.iterdir()) == []
