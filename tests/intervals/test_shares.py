"""Intervals of shares, by the probabilities that define them; and how far a few units that differ can carry a mean."""

import numpy as np
import pytest
from scipy.stats import binom

from stexplain.errors import InputError
from stexplain.intervals.bootstrap import interval
from stexplain.intervals.shares import limits_of_unlike, share_ends, unseen_share


@pytest.mark.parametrize("confidence", [0.5, 0.95])
@pytest.mark.parametrize("trials", [1, 8, 21])
def test_the_ends_of_a_share_are_where_what_was_counted_has_half_of_what_is_left(trials, confidence):
    tail = (1 - confidence) / 2
    ends = [share_ends(successes, trials, confidence) for successes in range(trials + 1)]
    for successes, (low, high) in enumerate(ends):
        assert 0 <= low < successes / trials < high <= 1 or successes in (0, trials)
        for end, more in ((low, successes > 0), (high, successes < trials)):
            counted = binom.pmf(successes, trials, end) / 2
            beyond = binom.sf(successes, trials, end) if end == low else binom.cdf(successes - 1, trials, end)
            assert not more or counted + beyond == pytest.approx(tail)
        # Failures are as successes turned round.
        assert (low, high) == pytest.approx([1 - end for end in ends[trials - successes][::-1]])
    assert (ends[0][0], ends[-1][1]) == (0.0, 1.0)


def test_what_was_never_seen_has_at_most_so_large_a_share():
    for count, confidence in ((1, 0.9), (8, 0.95), (100, 0.5)):
        assert (1 - unseen_share(count, confidence)) ** count == pytest.approx(1 - confidence)


def test_units_that_are_all_alike_are_limited_as_shares_of_none():
    share = share_ends(0, 7, 0.95)[1]
    found = limits_of_unlike(np.full(7, 0.5), np.ones(7), (0, 1), 0.95)
    assert found == pytest.approx((0.5 - share * 0.5, 0.5 + share * 0.5))


def test_units_that_differ_carry_no_further_than_the_bounds():
    """A unit of almost all of the weight may be anywhere; small ones weigh no less than the others."""
    large, small = np.array([1.0] * 6 + [100.0]), np.array([1.0] * 6 + [0.01])
    values = np.array([0.25] * 6 + [0.75])
    assert limits_of_unlike(values * large, large, (-1, 2), 0.95) == (-1, 2)
    share = share_ends(1, 7, 0.95)[1]
    found = limits_of_unlike(values * small, small, (-1, 2), 0.95)
    assert found == pytest.approx((0.25 - share * 1.25, 0.25 + share * 1.75))


def test_a_unit_without_weight_leaves_the_bounds():
    below = np.array([1.0, 2.0, 0.0, 1.0, 1.0])
    assert limits_of_unlike(0.5 * below, below, (0, 1), 0.95) == (0, 1)


@pytest.mark.parametrize("unit", [2.0**-60, 1.0, 2.0**60])
def test_ratios_are_alike_that_differ_by_a_rounding_of_their_range(unit):
    """In the twelfth digit of what the bounds leave, whatever the unit is."""
    below = np.array([1.0, 3, 7, 9, 11, 2])
    alike, bounds = np.full(6, 0.7) * unit, (-unit, 3 * unit)
    expected = limits_of_unlike(alike * below, below, bounds, 0.95)
    for apart, same in ((1e-12, True), (1e-11, False)):
        ratios = alike + np.array([0, 0, apart, 0, 0, 0]) * unit
        found = np.array(limits_of_unlike(ratios * below, below, bounds, 0.95))
        assert np.allclose(found / unit, np.array(expected) / unit, rtol=0, atol=1e-6) == same


@pytest.mark.parametrize("unit", [2.0**-60, 1.0, 2.0**60])
def test_values_leave_their_bounds_by_a_rounding_of_their_range_alone(unit):
    values, bounds = np.array([0.2, 0.9, 0.4, 0.7, 1.0]) * unit, (-unit, unit)
    for end in (-1 - 1e-9, 1 + 1e-9):
        assert np.isfinite(interval([*values, end * unit], bounds=bounds)).all()
    for wrong in (-1 - 5e-9, 1 + 5e-9):
        with pytest.raises(InputError, match="bounds: got"):
            interval([*values, wrong * unit], bounds=bounds)
