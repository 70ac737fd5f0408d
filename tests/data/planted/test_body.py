from itertools import product

import numpy as np
import pytest

from stexplain.cards import dataset_card
from stexplain.data.planted.actions import SIZES
from stexplain.data.planted.body import PARENT, RIGHT, random_person, resting, skeleton
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


def test_a_resting_person_is_symmetric_and_faces_the_front():
    person = random_person(np.random.default_rng(3))
    xyz = skeleton(person, resting(2))[0]
    left, right = [4, 5, 6, 7, 21, 22, 12, 13, 14, 15], [8, 9, 10, 11, 23, 24, 16, 17, 18, 19]
    np.testing.assert_allclose(xyz[left] * [-1, 1, 1], xyz[right], atol=1e-12)
    assert xyz[8, 0] > 0  # the right is at positive x
    assert xyz[15, 2] < xyz[14, 2]  # toes point to the front, which is at negative z
    assert (xyz[[6, 10, 14, 18, 3], 2] < xyz[0, 2]).all()  # hands, feet and head are before the spine
    assert xyz[3, 1] > xyz[2, 1] > xyz[20, 1] > xyz[1, 1] > xyz[0, 1] > xyz[14, 1]


def test_every_part_reaches_every_corner_of_its_box():
    """By how much the ends of the parts move, of any person: no corner is out of the bones' reach."""
    ends = [6, 10, 14, 18, 3]
    for seed in range(20):
        person = random_person(np.random.default_rng(seed))
        rest = skeleton(person, resting(1))[0]
        lengths = [person.arm, person.arm, person.leg, person.leg, person.skull]
        for signs in product((1, -1), repeat=3):
            pose = resting(1)
            pose.parts[:, 0] += np.array(list(SIZES.values()))[:, None] * np.array(signs) * person.amplitude
            moved = (skeleton(person, pose)[0] - rest)[ends] / np.array(lengths)[:, None] * [1, 1, -1]
            expected = np.array(list(SIZES.values()))[:, None] * np.array(signs) * person.amplitude
            np.testing.assert_allclose(moved, expected, atol=0.04)


def test_shoulders_follow_the_hands():
    person = random_person(np.random.default_rng(5))
    pose = resting(1)
    pose.parts[RIGHT, 0] += [0.0, 0.24, 0.24]
    moved = (skeleton(person, pose) - skeleton(person, resting(1)))[0]
    assert moved[8, 1] > 0.02
    assert moved[8, 2] < -0.02
    assert not moved[[0, 1, 2, 3, 4, 20]].any()


def test_subjects_differ_and_a_subject_stays_the_same():
    one, again, other = (perform(action, subject).person for action, subject in (("A007", 1), ("A024", 1), ("A007", 2)))
    assert one == again
    assert one != other
