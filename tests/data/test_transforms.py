import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stexplain.cards import Augment, Recipe
from stexplain.data.store.prepared import Rows
from stexplain.data.transforms import (
    Augmentation,
    center_and_augment,
    draw_augmentation,
    facing_angle,
    plan_frames,
    read_frames,
)
from stexplain.errors import InputError
from tests.properties.examples import EXAMPLES, seeds
from tests.reference.recordings import slow_resample


def recipe(frames=8, sampling="resample", **changes) -> Recipe:
    return Recipe(summary="", epochs=1, batch=1, frames=frames, sampling=sampling, rate=0.1, **changes)


def rows_of(clips, truths=None) -> Rows:
    """Rows of clips [M, T, N, C], NaN where not valid."""
    x = np.concatenate([clip.reshape(-1, *clip.shape[2:]) for clip in clips]).astype(np.float32)
    instances, frames = (np.array([clip.shape[axis] for clip in clips]) for axis in (0, 1))
    truth = None if truths is None else np.concatenate([t.reshape(-1, t.shape[2]) for t in truths])
    offset = np.cumsum([0, *(instances * frames)[:-1]])
    return Rows(np.nan_to_num(x), ~np.isnan(x[:, 0, 0]), truth, offset, instances, frames)


def random_clips(seed, count=5, gaps=0.3):
    random = np.random.default_rng(seed)
    clips = []
    for _ in range(count):
        clip = random.normal(size=(random.integers(1, 4), random.integers(1, 15), 3, 3)).astype(np.float32)
        clip[random.random(clip.shape[:2]) < gaps] = np.nan
        clip[0, random.integers(clip.shape[1])] = 1.5
        clips.append(clip)
    return clips


@settings(max_examples=EXAMPLES or 60)
@given(seed=seeds, frames=st.integers(1, 20), instances=st.integers(1, 3))
def test_resampling_is_that_of_the_slow_loop(seed, frames, instances):
    clips = random_clips(seed)
    rows = rows_of(clips)
    chosen = np.random.default_rng(seed).permutation(len(clips))
    x, valid, *_ = read_frames(rows, chosen, instances, plan_frames(rows, chosen, recipe(frames)))
    assert x.shape == (len(clips), instances, frames, 3, 3)
    assert x.dtype == np.float32
    for row, number in enumerate(chosen):
        clip = clips[number]
        expected, present = slow_resample(np.nan_to_num(clip), ~np.isnan(clip[:, :, 0, 0]), frames)
        expected, present = expected[:instances], present[:instances]
        np.testing.assert_array_equal(valid[row, : len(present)], present)
        np.testing.assert_allclose(x[row, : len(present)], expected, atol=1e-5)
        assert not valid[row, len(present) :].any()
        assert not x[row, len(present) :].any()


def test_a_straight_line_stays_one():
    line = np.arange(7.0)[None, :, None, None] * np.ones((1, 7, 2, 3))
    rows = rows_of([line])
    x, *_ = read_frames(rows, np.array([0]), 1, plan_frames(rows, np.array([0]), recipe(25)))
    np.testing.assert_allclose(x[0, 0, :, 0, 0], np.linspace(0, 6, 25), atol=1e-6)


def test_resampling_to_the_own_length_changes_nothing():
    clip = np.random.default_rng(0).normal(size=(2, 9, 3, 3)).astype(np.float32)
    rows = rows_of([clip])
    x, valid, *_ = read_frames(rows, np.array([0]), 2, plan_frames(rows, np.array([0]), recipe(9)))
    np.testing.assert_array_equal(x[0], clip)
    assert valid.all()


def test_padding_and_cutting():
    clips = random_clips(3)
    rows = rows_of(clips)
    chosen = np.arange(len(clips))
    x, valid, *_ = read_frames(rows, chosen, 2, plan_frames(rows, chosen, recipe(6, "pad")))
    for row, clip in enumerate(clips):
        part = clip[:2, :6]
        expected = np.zeros((2, 6, 3, 3), np.float32)
        expected[: part.shape[0], : part.shape[1]] = np.nan_to_num(part)
        np.testing.assert_array_equal(x[row], expected)
        present = np.zeros((2, 6), bool)
        present[: part.shape[0], : part.shape[1]] = ~np.isnan(part[:, :, 0, 0])
        np.testing.assert_array_equal(valid[row], present)


@pytest.mark.parametrize("sampling", ["pad", "resample"])
def test_a_clip_is_the_same_in_any_batch(sampling):
    clips = random_clips(4)
    rows = rows_of(clips)
    how = recipe(7, sampling)
    together = read_frames(rows, np.arange(5), 2, plan_frames(rows, np.arange(5), how))
    for number in range(5):
        one = np.array([number])
        alone = read_frames(rows, one, 2, plan_frames(rows, one, how))
        np.testing.assert_array_equal(alone[0][0], together[0][number])
        np.testing.assert_array_equal(alone[1][0], together[1][number])


def test_truth_is_that_of_the_nearest_frame():
    random = np.random.default_rng(5)
    clip, truth = random.normal(size=(1, 11, 4, 3)), random.random((1, 11, 4)) < 0.5
    rows = rows_of([clip], [truth])
    one = np.array([0])
    for frames in (4, 11, 30):
        _, _, got, _ = read_frames(rows, one, 2, plan_frames(rows, one, recipe(frames)))
        for t in range(frames):
            nearest = int(t * 10 / (frames - 1) + 0.5)
            np.testing.assert_array_equal(got[0, 0, t], truth[0, nearest])
        assert not got[0, 1].any()


def change(**values) -> Augmentation:
    still = {"share": [1.0], "place": [0.0], "angle": [0.0], "scale": [1.0]}
    return Augmentation(**{key: np.array(value) for key, value in {**still, **values}.items()})


@pytest.mark.parametrize(("place", "first"), [(0.0, 0), (0.5, 3), (0.999, 5)])
def test_a_crop_keeps_its_share(place, first):
    line = np.arange(10.0)[None, :, None, None] * np.ones((1, 10, 2, 3))
    rows = rows_of([line])
    one = np.array([0])
    cropped = change(share=[0.5], place=[place])
    x, valid, *_ = read_frames(rows, one, 1, plan_frames(rows, one, recipe(5), cropped))
    np.testing.assert_allclose(x[0, 0, :, 0, 0], np.arange(first, first + 5), atol=1e-6)
    x, valid, *_ = read_frames(rows, one, 1, plan_frames(rows, one, recipe(8, "pad"), cropped))
    np.testing.assert_allclose(x[0, 0, :5, 0, 0], np.arange(first, first + 5), atol=1e-6)
    assert valid[0, 0].tolist() == [True] * 5 + [False] * 3


def test_a_recording_without_a_valid_frame_stays_empty():
    rows = rows_of([np.full((1, 4, 2, 3), np.nan), np.ones((1, 3, 2, 3))])
    both = np.arange(2)
    x, valid, *_ = read_frames(rows, both, 1, plan_frames(rows, both, recipe(6)))
    assert not valid[0].any()
    assert not x[0].any()
    assert valid[1].all()


def test_centring_subtracts_the_first_valid_frame_of_the_first_instance():
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 2, 5, 4, 3)).astype(np.float32)
    valid = np.ones((2, 2, 5), bool)
    valid[0, 0, :2] = False
    valid[1, 0] = False
    x[~valid] = 0
    centred = center_and_augment(x, valid, center=1, remove=True)
    np.testing.assert_allclose(centred[0][valid[0]], (x[0] - x[0, 0, 2, 1])[valid[0]], atol=1e-6)
    np.testing.assert_allclose(centred[1][valid[1]], (x[1] - x[1, 1, 0, 1])[valid[1]], atol=1e-6)
    assert not centred[~valid].any()


def test_turning_is_a_rotation_about_the_vertical_through_the_centre():
    x = np.random.default_rng(0).normal(size=(2, 1, 3, 4, 3)).astype(np.float32)
    valid = np.ones((2, 1, 3), bool)
    turn = Augmentation(np.ones(2), np.zeros(2), np.deg2rad([90.0, 30.0]), np.ones(2))
    turned = center_and_augment(x, valid, center=2, remove=False, vertical=(0, 2), augmentation=turn)
    pivot = x[:, 0, 0, 2]
    np.testing.assert_allclose(turned[:, 0, 0, 2], pivot, atol=1e-6)
    np.testing.assert_allclose(turned[..., 1], x[..., 1], atol=1e-6)  # heights stay
    # A quarter turn brings z to x, and x to -z.
    np.testing.assert_allclose(turned[0, ..., 0] - pivot[0, 0], x[0, ..., 2] - pivot[0, 2], atol=1e-5)
    np.testing.assert_allclose(turned[0, ..., 2] - pivot[0, 2], -(x[0, ..., 0] - pivot[0, 0]), atol=1e-5)
    apart = lambda y: np.linalg.norm(y[:, :, :, :, None] - y[:, :, :, None], axis=-1)  # noqa: E731
    np.testing.assert_allclose(apart(turned), apart(x), atol=1e-5)


def test_turning_to_the_front_undoes_any_turn_about_the_vertical():
    x = np.random.default_rng(0).normal(size=(3, 2, 5, 4, 3)).astype(np.float32)
    valid = np.ones((3, 2, 5), bool)
    valid[1, :, :2] = False
    x[~valid] = 0
    front = center_and_augment(x, valid, center=2, remove=True, vertical=(0, 2), across=(0, 1))
    for angles in ([90.0, -135.0, 20.0], [180.0, 1.0, 77.0]):
        turn = Augmentation(np.ones(3), np.zeros(3), np.deg2rad(angles), np.ones(3))
        turned = center_and_augment(x, valid, center=3, remove=False, vertical=(0, 2), augmentation=turn)
        again = center_and_augment(turned, valid, center=2, remove=True, vertical=(0, 2), across=(0, 1))
        np.testing.assert_allclose(again, front, atol=2e-6)
    # In the first valid frame the right node is to the right of the left one, neither before nor behind it.
    for sample, frame in ((0, 0), (1, 2), (2, 0)):
        right, up, back = front[sample, 0, frame, 1] - front[sample, 0, frame, 0]
        before = x[sample, 0, frame, 1] - x[sample, 0, frame, 0]
        np.testing.assert_allclose([right, up, back], [np.hypot(before[0], before[2]), before[1], 0], atol=2e-6)
    # Random rotation comes on top, about the same centre.
    turn = Augmentation(np.ones(3), np.zeros(3), np.deg2rad([10.0, 20.0, 30.0]), np.ones(3))
    both = center_and_augment(x, valid, center=2, remove=True, vertical=(0, 2), across=(0, 1), augmentation=turn)
    after = center_and_augment(front, valid, center=2, remove=True, vertical=(0, 2), augmentation=turn)
    np.testing.assert_allclose(both, after, atol=2e-6)


def test_a_body_is_turned_by_the_first_frame_in_which_both_nodes_were_read():
    x = np.zeros((1, 1, 3, 2, 3), np.float32)
    x[0, 0, :, 1] = [[1, 0, 0], [0, 4, 2], [-1, 0, 0]]
    valid, observed = np.ones((1, 1, 3), bool), np.ones((1, 1, 3, 2), bool)
    observed[0, 0, 0, 0] = False
    x[~observed] = 0
    front = center_and_augment(
        x, valid, center=0, remove=True, vertical=(0, 2), across=(0, 1), observed=observed
    )  # fmt: skip
    np.testing.assert_allclose(front[0, 0, 1:, 1], [[2, 4, 0], [0, 0, 1]], atol=1e-6)
    # One above the other: no direction, and nothing is turned.
    x[0, 0, :, 1] = [0, 3, 0]
    np.testing.assert_array_equal(facing_angle(x, valid, across=(0, 1), vertical=(0, 2)), [0.0])


def test_scaling_is_about_the_centre():
    x = np.random.default_rng(0).normal(size=(1, 1, 3, 4, 3)).astype(np.float32)
    valid = np.ones((1, 1, 3), bool)
    grown = center_and_augment(x, valid, center=0, remove=True, augmentation=change(scale=[1.1]))
    np.testing.assert_allclose(grown, 1.1 * (x - x[0, 0, 0, 0]), atol=1e-6)
    with pytest.raises(InputError, match="need a centre node"):
        center_and_augment(x, valid, center=None, remove=True)


def test_draws_stay_in_range_and_do_not_depend_on_each_other():
    augment = Augment(crop=0.6, rotate=20.0, scale=0.2)
    one = draw_augmentation(augment, 1000, np.random.default_rng(0))
    assert 0.6 <= one.share.min() < 0.65
    assert 0.95 < one.share.max() <= 1
    assert 0.3 < abs(one.angle).max() <= np.deg2rad(20)
    assert abs(one.angle.mean()) < 0.03
    assert 0.8 <= one.scale.min() < 0.82
    assert 1.18 < one.scale.max() <= 1.2
    other = draw_augmentation(Augment(scale=0.2), 1000, np.random.default_rng(0))
    np.testing.assert_array_equal(other.scale, one.scale)
    assert not other.angle.any()
