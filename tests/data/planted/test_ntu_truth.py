"""The truth of planted recordings: the cells that decide the action, and no others."""

from collections import Counter

import numpy as np
import pytest

from stexplain.data.planted.actions import NO_ACTION, PARTS
from stexplain.data.planted.body import resting, skeleton
from stexplain.data.planted.kinect import (
    DIGITS,
    camera_view,
    random_faults,
)
from stexplain.data.planted.ntu import ACTIONS, CLASSES, MOVED, perform, record
from stexplain.data.planted.ntu_oracle import oracle

# The joints that carry others: an arm that keeps moving while its trunk does not is no body.
TRUNK = [0, 1, 20, 4, 8, 12, 16]

# Of each part the joints that it moves; the shoulder follows the hand.
JOINTS = {
    "left arm": {4, 5, 6, 7, 21, 22},
    "right arm": {8, 9, 10, 11, 23, 24},
    "left leg": {13, 14, 15},
    "right leg": {17, 18, 19},
    "head": {2, 3},
}


def recorded(action, subject, camera):
    """A recording with its action and, seen by the same sensor with the same faults, without it."""
    performance = perform(action, subject)
    rng = np.random.default_rng([subject, camera])
    made = record(performance, camera, rng)
    faults = random_faults(len(performance.xyz), np.random.default_rng([subject, camera]))
    without = faults.apply(camera_view(performance.background, performance.place, camera))
    return performance, made.bodies[0].xyz, without, made.truth[0]


@pytest.mark.parametrize("action", ACTIONS)
def test_planted_cells_decide_what_the_oracle_sees(action):
    for subject in range(1, 41, 5):
        for camera in (1, 2, 3):
            performance, xyz, without, truth = recorded(action, subject, camera)
            planted = truth[..., None]
            assert oracle(xyz[None]) == action
            assert oracle(without[None]) is None
            # Without the true positions there is no action, however many others are kept.
            assert oracle(np.where(planted, without, xyz)[None]) is None
            # Whatever else stands still, or is where it would have been without the action, it is the same action.
            still = camera_view(skeleton(performance.person, resting(len(xyz))), performance.place, camera)
            still = np.where(planted, xyz, still)
            still[:, TRUNK] = xyz[:, TRUNK]
            assert oracle(still[None]) == action
            assert oracle(np.where(planted, xyz, without)[None]) == action


def test_cells_that_are_not_planted_are_those_of_the_person_without_the_action():
    for action in ACTIONS:
        _, xyz, without, truth = recorded(action, 7, 2)
        assert np.linalg.norm(xyz - without, axis=-1)[~truth].max() <= MOVED


def test_recordings_without_an_action_are_what_others_would_be_without_theirs():
    """Else one action could be told by the absence of the others, and its ground truth be none of the model's."""
    assert set(CLASSES) - set(ACTIONS) == {NO_ACTION}
    for subject in range(1, 41, 5):
        performance = perform(NO_ACTION, subject)
        assert performance.act is None
        np.testing.assert_array_equal(performance.xyz, performance.background)
        made = record(performance, 1, np.random.default_rng(subject))
        assert oracle(np.stack([made.bodies[0].xyz])) is None
        assert not made.truth.any()
        np.testing.assert_array_equal(made.counterfactual[0], made.bodies[0].xyz.round(DIGITS).astype(np.float32))


def test_the_truth_is_the_part_that_acts():
    seen = Counter()
    for action in ACTIONS:
        for subject in range(1, 7):
            performance, _, _, truth = recorded(action, subject, 1)
            found, part = set(np.flatnonzero(truth.any(axis=0))), performance.act.part
            assert found <= JOINTS[part]
            # What leads to the end of a part hardly moves for some ways: shoulder, elbow, knee, neck.
            assert JOINTS[part] - {2, 4, 5, 8, 9, 13, 17} <= found
            seen[part] += 1
    assert set(seen) == set(PARTS)


def test_the_truth_lasts_from_the_onset_to_the_end():
    for action in ACTIONS:
        performance, xyz, _, truth = recorded(action, 11, 1)
        frames = np.flatnonzero(truth.any(axis=1))
        span = performance.act.span
        assert max(span.start, 0) <= frames[0] <= max(span.start, 0) + 8
        last = min(span.start + span.frames, len(xyz)) - 1
        # A joint that the sensor loses while it acts is shown late, up to the longest loss.
        assert last - 8 <= frames[-1] <= last + 12


def test_the_counterfactual_differs_in_one_way_alone():
    for action in ACTIONS:
        performance = perform(action, 5)
        acting = sorted(JOINTS[performance.act.part] - {4, 8})
        apart = np.linalg.norm(performance.xyz - performance.background, axis=-1)
        span = performance.act.span
        frames = np.arange(len(apart))
        outside = (frames < span.start) | (frames >= span.start + span.frames)
        assert not apart[outside].any()
        assert not np.delete(apart, sorted(JOINTS[performance.act.part]), axis=1).any()
        # Twice the size of a piece, at the end of the part.
        end = {"arm": acting[1], "leg": acting[1], "head": 3}[performance.act.part.split()[-1]]
        length = {"arm": performance.person.arm, "leg": performance.person.leg, "head": performance.person.skull}
        size = {"arm": 0.24, "leg": 0.2, "head": 0.2}[performance.act.part.split()[-1]]
        way = 2 * size * length[performance.act.part.split()[-1]] * performance.person.amplitude
        assert 0.85 * way < apart[:, end].max() < 1.15 * way
