import numpy as np
import pytest

from stexplain.errors import InputError
from stexplain.metrics.bootstrap import interval, quantiles, ratio_interval, resampling_weights


def test_covers_the_mean_as_often_as_promised():
    random = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        estimate = interval(random.normal(size=60), seed=trial, resamples=200, confidence=0.9)
        covered += estimate.low <= 0 <= estimate.high
    # 180 are expected; the binomial's standard deviation is 4.2, and percentile intervals run a little short.
    assert 162 <= covered <= 196


def test_is_about_as_wide_as_theory_says():
    values = np.random.default_rng(1).normal(size=400)
    estimate = interval(values, resamples=4000)
    width = 2 * 1.96 * values.std() / 20
    assert estimate.high - estimate.low == pytest.approx(width, rel=0.06)


def test_seeded_and_blind_to_samples_without_a_value():
    values = np.arange(20.0)
    assert interval(values, seed=1) == interval(values, seed=1)
    assert interval(values, seed=1) != interval(values, seed=2)
    assert interval([*values, np.nan], seed=1) == interval(values, seed=1)
    assert np.isnan(interval([np.nan])).all()
    assert interval([3.0]) == (3.0, 3.0, 3.0)


def test_every_resample_draws_as_many():
    weights = np.concatenate(list(resampling_weights(7, seed=0, resamples=130)))
    assert weights.shape == (130, 7)
    assert (weights.sum(1) == 7).all()
    assert weights.min() == 0


def test_draws_without_a_value_are_left_out():
    draws = np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])
    ends = quantiles(draws, 0.5)
    assert ends[:, 0].tolist() == [1.5, 2.5]
    assert np.isnan(ends[:, 1]).all()


def test_wrong_arguments():
    with pytest.raises(InputError, match="confidence"):
        interval([1.0, 2.0], confidence=95)
    with pytest.raises(InputError, match="resamples"):
        interval([1.0, 2.0], resamples=0)
    with pytest.raises(InputError, match="values has shape"):
        interval([[1.0]])


def test_ratio_of_sums():
    random = np.random.default_rng(0)
    below = random.uniform(1, 3, 200)
    above = 0.7 * below + random.normal(0, 0.2, 200)
    estimate = ratio_interval(above, below)
    assert estimate.value == above.sum() / below.sum()
    assert estimate.low < 0.7 < estimate.high
    assert estimate.high - estimate.low < 0.06
    # With equal denominators it is the interval of the mean.
    assert ratio_interval(above, np.full(200, 2.0)) == pytest.approx(interval(above / 2), abs=1e-12)
    assert np.isnan(ratio_interval([1.0], [0.0])).all()
    assert np.isnan(ratio_interval([], [])).all()
    with pytest.raises(InputError, match="denominator has shape"):
        ratio_interval([1.0, 2.0], [1.0])
