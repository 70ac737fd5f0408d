"""Whether an axis follows what is changed: at the borders of what may be by chance, and against all assignments."""

from itertools import permutations

import numpy as np
import pytest

from stexplain.explainers.model.probe.following import deviations, follows


@pytest.mark.parametrize(("silent", "expected"), [(3, False), (4, True)])
def test_so_many_silent_pairs_are_no_chance(silent, expected):
    """Of 5 nodes, some pairs do not reach each other: 6 zeros miss the diagonal by chance in 26% of cases, 8 in 17%."""
    response = np.ones((5, 5))
    for one, other in [(0, 2), (0, 3), (1, 4), (2, 4)][:silent]:
        response[one, other] = response[other, one] = 0
    # As strong everywhere else: zeros alone may tell.
    assert (follows(response, response, range(5)) > 0) == expected


@pytest.mark.parametrize(("more", "expected"), [(0.005, False), (0.015, True)])
def test_of_many_nodes_a_percent_more_is_seen(more, expected):
    """Of 12 nodes that all mix, each with a little more of itself. Less than a percent may be of rounding."""
    strength = np.ones((12, 12)) + more * np.eye(12)
    assert (follows(np.ones((12, 12)), strength, range(12)) > 0) == expected


def test_deviations_are_those_of_all_assignments():
    """The trace of the logarithms, over the standard deviation of the traces by all orders of the columns."""
    size = 6
    strength = np.random.default_rng(0).uniform(0.5, 2, (size, size)) * np.arange(1, size + 1) + np.eye(size)
    table = np.log(strength)
    table = table - table.mean(1, keepdims=True)
    traces = [sum(table[row, column] for row, column in enumerate(order)) for order in permutations(range(size))]
    expected = abs(np.trace(table)) / np.std(traces)
    assert deviations(strength, range(size)) == pytest.approx(expected, rel=1e-12)


def test_a_single_node_and_no_response_stand_out_by_nothing():
    assert deviations(np.ones((3, 4)), [2, 2, 2]) == 0
    assert deviations(np.zeros((4, 4)), range(4)) == 0
