"""Studentised intervals against closed forms and a slow re-implementation."""

import numpy as np
import pytest
from scipy.stats import t as student

from stexplain.intervals.studentised import spread, studentised_ends

RESAMPLES = 150


def slow_ratio(above, below, power):
    """The ratio and its standard error, unit by unit."""
    total = sum(below)
    ratio = sum(above) / total
    squares = 0.0
    for a, b in zip(above, below, strict=True):
        squares += (a - ratio * b) ** 2 / (1 - min(max(b / total, 0.0), 0.99)) ** power
    return ratio, np.sqrt(squares) / abs(total)


def slow_ends(above, below, power, seed, resamples=RESAMPLES, confidence=0.95):
    ratio, error = slow_ratio(above, below, power)
    random, statistics, left = np.random.default_rng(seed), [], resamples
    while left:
        rows = min(left, 64)
        for drawn in random.integers(0, len(above), (rows, len(above))):
            if below[drawn].sum() == 0:
                continue
            other, its_error = slow_ratio(above[drawn], below[drawn], power)
            statistics.append((other - ratio) / max(its_error, 0.1 * error))
        left -= rows
    reach = student.ppf((1 + confidence) / 2, len(above) - 1) * error
    if not statistics:
        return ratio - reach, ratio + reach
    low, high = (ratio - np.quantile(statistics, q) * error for q in ((1 + confidence) / 2, (1 - confidence) / 2))
    return min(low, ratio - reach), max(high, ratio + reach)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("size", [5, 9, 30])
@pytest.mark.parametrize("sign", [1, -1])
def test_equals_the_slow_one(grouped, size, sign):
    """Skewed either way, so that each end is the bootstrap's once."""
    random = np.random.default_rng(size)
    above, below = sign * random.exponential(size=size) ** 2, random.uniform(0.5, 3, size)
    found = studentised_ends(above, below, grouped=grouped, seed=3, resamples=RESAMPLES, confidence=0.95)
    power = 2 if grouped else 1
    expected = slow_ends(above, below, power, 3)
    reach = student.ppf(0.975, size - 1) * slow_ratio(above, below, power)[1]
    # The side of the long tail is wider than Student's t says.
    assert max(sign * (expected[1 if sign > 0 else 0] - above.sum() / below.sum()), 0) > 1.05 * reach
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_where_no_resample_has_a_ratio_students_t_is_taken():
    above, below = np.arange(6.0), np.array([0.0, 0, 0, 0, 0, 1])
    seed = next(one for one in range(99) if 5 not in np.random.default_rng(one).integers(0, 6, (1, 6)))
    ratio, error = slow_ratio(above, below, 2)
    reach = student.ppf(0.975, 5) * error
    found = studentised_ends(above, below, grouped=True, seed=seed, resamples=1, confidence=0.95)
    np.testing.assert_allclose(found, (ratio - reach, ratio + reach), rtol=1e-12)


def test_the_spread_is_the_jackknifes():
    above, below = np.array([1.0, 4, 2, 8]), np.array([1.0, 2, 1, 3])
    assert spread(above, below) == pytest.approx(slow_ratio(above, below, 2)[1], rel=1e-12)


def test_rounding_is_no_spread():
    below = np.array([1.0, 3, 7, 11])
    assert spread(0.1 * below, below) == 0.0
    assert spread(0.1 * below + np.array([0, 0, 0, 1e-6]), below) > 0.0
