import numpy as np
import pytest

from stexplain.cards import dataset_card
from stexplain.data.planted.body import LEFT, PARENT, RIGHT, random_person, skeleton, standing
from stexplain.data.planted.distractors import restless
from stexplain.data.planted.ntu import ACTIONS, perform


@pytest.mark.parametrize("action", ACTIONS)
def test_bones_keep_their_length_whatever_moves(action):
    card = dataset_card("ntu")
    index = {name: node for node, name in enumerate(card.graph.nodes)}
    edges = [(index[child], index[parent]) for child, parent in card.graph.edges]
    edges += [(joint, int(PARENT[joint])) for joint in range(1, 25) if joint != 1]
    xyz = perform(action, subject=4).xyz
    for child, parent in edges:
        lengths = np.linalg.norm(xyz[:, child] - xyz[:, parent], axis=-1)
        assert np.ptp(lengths) < 1e-9, (child, parent)
        assert 0.02 < lengths[0] < 0.6


def test_a_standing_person_is_symmetric_and_stands_on_the_floor():
    person = random_person(np.random.default_rng(3))
    xyz = skeleton(person, standing(person, 2))[0]
    left, right = [4, 5, 6, 7, 21, 22, 12, 13, 14, 15], [8, 9, 10, 11, 23, 24, 16, 17, 18, 19]
    np.testing.assert_allclose(xyz[left] * [-1, 1, 1], xyz[right], atol=1e-12)
    assert xyz[8, 0] > 0  # the right is at positive x
    assert xyz[15, 2] < xyz[14, 2]  # toes point to the front, which is at negative z
    np.testing.assert_allclose(xyz[[14, 18], 1], person.ankle)
    assert xyz[3, 1] > xyz[2, 1] > xyz[20, 1] > xyz[1, 1] > xyz[0, 1]


def test_two_bones_reach_their_target():
    person = random_person(np.random.default_rng(5))
    pose = standing(person, 1)
    pose.wrists[RIGHT, 0] = [0.1, 0.2, 0.5]
    xyz = skeleton(person, pose)[0]
    np.testing.assert_allclose(xyz[10] - xyz[8], person.arm * np.array([0.1, 0.2, -0.5]), atol=1e-12)
    pose.wrists[LEFT, 0] = [0.1, 0.2, 0.5]
    xyz = skeleton(person, pose)[0]
    np.testing.assert_allclose(xyz[6] - xyz[4], person.arm * np.array([-0.1, 0.2, -0.5]), atol=1e-12)


def test_bending_and_twisting_go_the_way_they_say():
    person = random_person(np.random.default_rng(5))
    for channel, axis, sign in ((0, 2, -1), (1, 0, 1)):  # forward is negative z, right is positive x
        pose = standing(person, 1)
        pose.trunk[0, channel] = 0.5
        head = skeleton(person, pose)[0, 3] - skeleton(person, standing(person, 1))[0, 3]
        assert sign * head[axis] > 0.1
    pose = standing(person, 1)
    pose.trunk[0, 2] = 0.5
    assert skeleton(person, pose)[0, 8, 2] < -0.05  # to the left: the right shoulder comes forward


def test_subjects_differ_and_a_subject_stays_the_same():
    one, again, other = (perform(action, subject).person for action, subject in (("A001", 1), ("A024", 1), ("A001", 2)))
    assert one == again
    assert one != other


def test_one_foot_stands_while_the_other_fidgets():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        _, busy = restless(random_person(rng), 75, rng)
        assert not busy.all(axis=0).any()
        assert busy.any()
