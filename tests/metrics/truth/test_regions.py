"""Regions: windows of time of nodes or groups of nodes, counted by hand."""

import numpy as np
import pytest

from stexplain.errors import InputError
from stexplain.metrics.truth.regions import Regions, members_of


def observed() -> np.ndarray:
    """Two samples of two instances, 6 frames and 3 nodes: the first ends after 4 frames, with a gap at node 2."""
    mask = np.zeros((2, 2, 6, 3), bool)
    mask[0, 0, :4] = mask[1, 0] = mask[1, 1, :2] = True
    mask[0, 0, 2:, 2] = False
    return mask


MEMBERS = {"a": np.array([True, False, False]), "bc": np.array([False, True, True])}


def test_each_sample_is_divided_up_to_its_own_end():
    regions = Regions.of(observed(), 2, MEMBERS)
    assert regions.window.tolist() == [[0, 0, 1, 1, -1, -1], [0, 0, 0, 1, 1, 1]]
    # Frames that do not divide evenly: the first windows are the longer ones.
    assert Regions.of(observed(), 4, MEMBERS).window.tolist() == [[0, 1, 2, 3, -1, -1], [0, 0, 1, 2, 2, 3]]
    assert regions.present.all()
    alone = members_of(None, ["x", "y", "z"], 3)
    assert list(alone) == ["x", "y", "z"]
    assert Regions.of(observed(), 2, alone).present.tolist() == [
        [[True] * 3, [True, True, False]],
        [[True] * 3, [True] * 3],
    ]
    for wrong in (0, 5):
        with pytest.raises(InputError, match=f"windows: got {wrong}; expected 1 to 4, the frames of the shortest"):
            Regions.of(observed(), wrong, MEMBERS)


def test_the_positions_of_one_region_of_each_sample():
    regions = Regions.of(observed(), 2, MEMBERS)
    # Region 1 is the first window of bc, region 2 the second of a; -1 is none.
    first, none = regions.positions([1, -1])
    assert np.argwhere(first[0]).tolist() == [[0, 1], [0, 2], [1, 1], [1, 2]]
    assert not none.any()
    assert np.argwhere(regions.positions([2, 2])[1, 0]).tolist() == [[3, 0], [4, 0], [5, 0]]
    # -1 is no window either, where a sample has ended.
    assert not regions.positions([-1, -1]).any()


def test_means_are_over_observed_frames_and_nodes_and_summed_over_instances():
    regions = Regions.of(observed(), 2, MEMBERS)
    values = np.arange(2 * 2 * 6 * 3, dtype=float).reshape(2, 2, 6, 3)
    expected = np.zeros((2, 2, 2))
    for sample in range(2):
        for window in range(2):
            for group, nodes in enumerate(([0], [1, 2])):
                total, count = 0.0, 0
                for t in np.flatnonzero(regions.window[sample] == window):
                    for node in nodes:
                        there = observed()[sample, :, t, node]
                        total += values[sample, there, t, node].sum()
                        count += there.any()
                expected[sample, window, group] = total / count
    np.testing.assert_allclose(regions.means(values), expected)
    # Where nothing was observed it is zero.
    empty = observed()
    empty[0, :, :2, 0] = False
    assert Regions.of(empty, 2, MEMBERS).means(values)[0, 0, 0] == 0


def test_whether_anything_of_a_region_is_in_a_mask():
    regions, mask = Regions.of(observed(), 2, MEMBERS), np.zeros((2, 2, 6, 3), bool)
    mask[1, 1, 1, 2] = mask[0, 0, 3, 2] = mask[0, 1, 0, 0] = True
    # Those of the first sample were not observed.
    assert regions.any(mask).tolist() == [[[False, False], [False, False]], [[False, True], [False, False]]]


def test_groups():
    found = members_of({"left": ["x", 2]}, ["x", "y", "z"], 3)
    assert {name: nodes.tolist() for name, nodes in found.items()} == {"left": [True, False, True]}
    assert list(members_of(None, [], 2)) == ["0", "1"]
    for wrong in ({}, {"left": [0], "none": []}):
        with pytest.raises(InputError, match="groups: got none, or one without nodes"):
            members_of(wrong, [], 2)


def test_parts_that_do_not_fit():
    part = Regions.of(observed(), 2, MEMBERS)
    with pytest.raises(InputError, match="several lengths"):
        Regions.joined([part, Regions.of(observed()[:, :, :4], 2, MEMBERS)])
    with pytest.raises(InputError, match="windows"):
        Regions.joined([part, Regions.of(observed(), 3, MEMBERS)])
    assert Regions.joined([part, part]).observed.shape == (4, 2, 6, 3)
