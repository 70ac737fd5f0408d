"""The Poisson bootstrap: its weights, the spread of resamples, and ends that are those of Student's t."""

import numpy as np
import pytest
from scipy.stats import t as student

from stexplain.intervals.poisson import mean_ends, poisson_weights, spread, student_reach


def test_weights_are_poisson_and_a_units_own():
    weights = np.stack([poisson_weights(3, b"%d" % unit, 400) for unit in range(50)])
    # Mean and variance of 20,000 draws, each within five standard errors of one.
    assert weights.mean() == pytest.approx(1, abs=5 / np.sqrt(weights.size))
    assert weights.var() == pytest.approx(1, abs=5 * np.sqrt(3 / weights.size))
    assert abs(np.corrcoef(weights[:2])[0, 1]) < 0.2
    np.testing.assert_array_equal(poisson_weights(3, b"7", 400), weights[7])
    assert (poisson_weights(4, b"7", 400) != weights[7]).any()


def test_the_spread_is_that_of_the_resamples_that_have_the_number():
    random = np.random.default_rng(0)
    draws = random.normal(5, 2, (9, 4))
    draws[3:7, 1] = draws[:, 2] = draws[1:, 3] = np.nan
    found = spread(draws)
    known = draws[[0, 1, 2, 7, 8], 1]
    np.testing.assert_allclose(found, [draws[:, 0].std(), known.std(), np.nan, 0.0], rtol=1e-12)


@pytest.mark.parametrize(("units", "confidence"), [(2, 0.9), (5, 0.95), (40, 0.5)])
def test_ends_of_few_units_are_as_far_as_those_of_students_t(units, confidence):
    """Of resamples whose variance is that of the mean, by n: the textbook's error divides by n - 1."""
    values = np.random.default_rng(0).normal(size=units)
    textbook = student.ppf((1 + confidence) / 2, units - 1) * values.std(ddof=1) / np.sqrt(units)
    assert student_reach(units, confidence) * values.std() / np.sqrt(units) == pytest.approx(textbook, rel=1e-12)


def test_each_mean_has_the_ends_of_its_own_number_of_units():
    random = np.random.default_rng(1)
    means, draws = random.normal(size=(2, 4)), random.normal(size=(30, 2, 4))
    draws[::3, 1, 2] = np.nan
    units = np.array([[5, 4, 9, 5], [0, 9, 6, 5]])
    low, high = mean_ends(means, draws, units, 0.9)
    for row, column in np.ndindex(2, 4):
        count = units[row, column]
        if count < 5:
            assert np.isnan([low[row, column], high[row, column]]).all()
            continue
        reach = student_reach(int(count), 0.9) * np.nanstd(draws[:, row, column])
        assert (low[row, column], high[row, column]) == pytest.approx(
            (means[row, column] - reach, means[row, column] + reach), rel=1e-12
        )
