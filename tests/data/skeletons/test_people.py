"""Persons: joined where their id changed, told from furniture."""

import numpy as np

from stexplain.data.skeletons.people import furniture, joined_tracks, linked
from tests.data.skeletons.test_load_skeletons import walk


def gap(track, keep):
    return np.where(keep[:, None, None], track, np.float32(np.nan))


def test_one_person_whose_id_changes_midway_is_one():
    whole = walk(40, 25, 3)
    at = np.arange(40)
    joined, said = joined_tracks(np.stack([gap(whole, at < 18), gap(whole, at >= 20)]), 3)
    assert len(joined) == 1
    np.testing.assert_array_equal(np.isnan(joined[0]).all((1, 2)), (at == 18) | (at == 19))
    assert [(one.body, one.kind) for one in said] == [(1, "joined")]


def test_two_persons_are_two():
    one, other = walk(40, 25, 3), walk(40, 25, 3, 1, at=3)
    at = np.arange(40)
    for values in (np.stack([one, other]), np.stack([gap(one, at < 20), gap(other, at >= 20)])):
        joined, said = joined_tracks(values, 3)
        assert len(joined) == 2
        assert said == []


def test_furniture_by_its_rules():
    person = walk(60, 25, 3)
    flat = person[..., [1, 0, 2]] + 3  # wider than high
    still = np.repeat(walk(1, 25, 3, 2, at=2), 60, 0)
    short = gap(walk(60, 25, 3, 3, at=1), np.arange(60) < 11)
    found = furniture(np.stack([person, flat, still, short]), 3)
    assert [(one.body, one.kind) for one in found] == [(1, "spread"), (2, "still"), (3, "short")]
    assert furniture(flat[None], 3) == [], "the only body stays"
    assert furniture(np.stack([flat, still]), 3) == [], "one stays where all would go"


def test_bodies_in_any_order_are_linked_over_gaps():
    one, other = walk(12, 17, seed=0), walk(12, 17, seed=1, at=4)
    frames = [np.stack([one[t], other[t]][:: 1 if t % 3 else -1]) for t in range(12)]
    frames[5] = frames[5][:0]
    tracks = linked(frames, 2)
    assert len(tracks) == 2
    first, second = (one, other) if np.allclose(tracks[0, 0], one[0]) else (other, one)
    seen = np.arange(12) != 5
    np.testing.assert_array_equal(tracks[0, seen], first[seen])
    np.testing.assert_array_equal(tracks[1, seen], second[seen])
