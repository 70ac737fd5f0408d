import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from scipy.stats import t as student

from stexplain.errors import InputError
from stexplain.intervals.bootstrap import (
    Interval,
    interval,
    not_negative,
    ratio_interval,
)
from stexplain.intervals.shares import limits_of_unlike, share_ends
from stexplain.intervals.units import FEWEST


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


@pytest.mark.parametrize(
    "of", [interval, lambda values, **options: ratio_interval(values, np.ones(len(values)), **options)]
)
def test_fewer_than_five_units_have_no_interval_and_the_reason(of):
    random = np.random.default_rng(0)
    for units in (1, 2, FEWEST - 1):
        few = of(random.normal(size=units))
        assert np.isfinite(few.value)
        assert np.isnan(few[1:]).all()
        assert few.reason == f"too few samples: {units}"
        # Many samples of few groups are as few.
        values, groups = random.normal(size=12 * units), np.repeat(np.arange(units), 12)
        assert of(values, groups=groups).reason == f"too few groups: {units}"
        assert np.isnan(of(values, groups=groups)[1:]).all()
    # Zeros and ones, all alike or not, follow the same rule.
    assert of([1.0, 0.0, 1.0, 1.0]).reason == of(np.ones(4)).reason == "too few samples: 4"
    enough = of(random.normal(size=FEWEST))
    assert np.isfinite(enough).all()
    assert enough.reason == ""


def test_the_reason_stands_beside_the_tuple():
    alone = interval([3.0])
    # It survives a copy, adds no column to tables, and is in results.
    assert pickle.loads(pickle.dumps(alone)).reason == alone.reason
    assert list(alone._asdict()) == ["value", "low", "high"]
    assert alone.to_dict()["reason"] == alone.reason
    assert list(interval(np.arange(9.0)).to_dict()) == ["value", "low", "high"]


def test_a_few_units_that_differ_do_not_open_the_interval_to_its_bounds():
    # Three hits among 30 samples in 17 groups: many resamples have none, and no spread to divide by.
    groups = np.minimum(np.arange(30) // 2, 16)
    hits = np.isin(np.arange(30), (4, 11, 20)) * 1.0
    found = interval(hits, groups=groups, bounds=(0, 1))
    assert found.value == pytest.approx(0.1)
    assert found.low <= 0.03
    assert 0.2 < found.high < 0.45
    # Mirrored, and moved, it is the same.
    mirrored = interval(1 - hits, groups=groups, bounds=(0, 1))
    assert mirrored == pytest.approx((1 - found.value, 1 - found.high, 1 - found.low))
    moved = interval(2 * hits - 1, groups=groups, bounds=(-1, 1))
    assert moved == pytest.approx([2 * end - 1 for end in found])


def test_the_limit_of_units_that_differ_is_that_of_their_share():
    below = np.array([2.0, 4, 2, 2, 2, 2, 2, 2])
    above = below * np.array([0.5, 1, 1, 1, 1, 1, 1, 1])
    share = share_ends(1, 8, 0.95)[1]
    assert limits_of_unlike(above, below, (0, 1), 0.95) == pytest.approx((1 - share, 1))
    # A unit that is larger than the others counts for more of them.
    above = below * np.array([1, 0.5, 1, 1, 1, 1, 1, 1])
    assert limits_of_unlike(above, below, (0, 1), 0.95) == pytest.approx((1 - share * 4 / below.mean(), 1))
    assert limits_of_unlike(np.arange(6.0), np.zeros(6), (0, 1), 0.95) == (0, 1)


@pytest.mark.parametrize(("rate", "correlation"), [(0.1, 0.0), (0.1, 0.3), (0.03, 0.0)])
def test_rare_hits_in_groups_are_covered_as_often_as_promised(rate, correlation):
    random, covered, wide = np.random.default_rng(3), 0, 0
    total = 1 / correlation - 1 if correlation else 0.0
    for run in range(200):
        each = random.beta(rate * total, (1 - rate) * total, 17) if total else np.full(17, rate)
        groups = np.repeat(np.arange(17), np.maximum(1, np.round(2 * random.lognormal(0, 0.5, 17))).astype(int))
        hits = (random.random(len(groups)) < each[groups]) * 1.0
        found = interval(hits, groups=groups, seed=run, resamples=200, bounds=(0, 1))
        covered += found.low <= rate <= found.high
        wide += found.high - found.low > 0.6
    # Two and a half standard deviations of a share of 200 below 0.95; ties can only be covered too often.
    assert covered >= 183
    # A third of them reached so far without the limit.
    assert wide <= 20


def test_samples_that_are_all_alike_leave_room_for_others():
    # Of 8, a share of 1 - 0.05 ** (1 / 8) may be unlike them: the rule of three.
    unseen = 1 - 0.05 ** (1 / 8)
    assert interval(np.ones(8)) == pytest.approx((1, 1 - unseen, 1))
    assert interval(np.zeros(8), bounds=(-1, 1)) == pytest.approx((0, -unseen, unseen))
    assert interval(np.full(8, 0.7)) == pytest.approx((0.7, 0.7 - 0.7 * unseen, 0.7 + 0.3 * unseen))
    assert interval(np.full(8, -3.0)) == pytest.approx((-3, -3 - 3 * unseen, -3 + 3 * unseen))
    # Fifteen samples of five groups are five.
    assert interval(np.ones(15), groups=[0, 1, 2, 3, 4] * 3) == pytest.approx((1, 0.05**0.2, 1))
    assert ratio_interval(np.ones(8), np.full(8, 2.0)) == pytest.approx((0.5, 0.5 - unseen / 2, 0.5 + unseen / 2))


def test_shares_by_their_own_distribution():
    # Mid-P: the probability of more, and half of that of as many, is one in forty at the low end.
    found = interval([1.0] * 9 + [0.0])
    assert binom.sf(9, 10, found.low) + binom.pmf(9, 10, found.low) / 2 == pytest.approx(0.025)
    assert binom.cdf(8, 10, found.high) + binom.pmf(9, 10, found.high) / 2 == pytest.approx(0.025)
    # Not a share: with the bounds of something else zeros and ones are numbers.
    assert interval([1.0] * 9 + [0.0], bounds=(-5, 5)) != found


def test_of_groups_the_error_is_that_of_the_jackknife():
    random = np.random.default_rng(5)
    sizes = np.array([3, 8, 5, 12, 7, 4])
    values, groups = random.normal(size=sizes.sum()), np.repeat(list("dacbfe"), sizes)
    # No end is nearer than Student's t has it, around the error of leaving out a group at a time; one is just there.
    left_out = np.array([values[groups != name].mean() for name in "dacbfe"])
    error = np.sqrt(((left_out - values.mean()) ** 2).sum())
    found = interval(values, groups=groups)
    reach = student.ppf(0.975, 5) * error
    assert min(found.high - found.value, found.value - found.low) == pytest.approx(reach)
    assert found.value == pytest.approx(values.mean())


def test_the_outermost_group_decides_and_order_does_not():
    values = np.random.default_rng(2).normal(size=40)
    subject, action = np.repeat(np.arange(8), 5), np.tile(np.arange(5), 8)
    nested = np.stack([subject, action], axis=1)
    assert interval(values, groups=nested) == interval(values, groups=subject)
    assert interval(values, groups=nested) != interval(values, groups=nested[:, ::-1])
    named = [f"subject {number}" for number in subject]
    assert interval(values, groups=named) == pytest.approx(interval(values, groups=subject))
    # A sample without a value is excluded with its label.
    assert interval([*values, np.nan], groups=[*subject, 99]) == interval(values, groups=subject)


@pytest.mark.parametrize("label", [None, np.nan, pd.NA, pd.NaT])
def test_a_sample_without_a_group_is_refused(label):
    missing = pytest.raises(InputError, match="groups: got no label for sample 1")
    with missing:
        interval([1.0, 2.0], groups=np.array([1.0, label], object))
    # Beside text, numpy and pandas make text of it: such samples would be one group.
    with missing:
        interval([1.0, 2.0], groups=["ann", label])
    with missing:
        interval([1.0, 2.0], groups=pd.Series(["ann", label], dtype="object"))
    if label is not None:
        with missing:
            interval([1.0, 2.0], groups=np.array(["ann", str(label)]))
    with pytest.raises(InputError, match=r"groups: got shape \(1,\)"):
        interval([1.0, 2.0], groups=["a"])


@pytest.mark.parametrize(
    ("draw", "mean", "bounds"),
    [
        (lambda random, n: random.normal(size=n), 0.0, None),
        (lambda random, n: random.beta(20, 1, n), 20 / 21, (0, 1)),
        (lambda random, n: (random.random(n) < 0.95) * 1.0, 0.95, (0, 1)),
        (lambda random, n: np.where(random.random(n) < 0.9, 1, random.uniform(0.3, 1, n)), 0.965, (0, 1)),
    ],
    ids=["normal", "near one", "share near one", "most are one"],
)
@pytest.mark.parametrize("size", [5, 10, 30])
def test_few_samples_are_covered_as_often_as_promised(draw, mean, bounds, size):
    random = np.random.default_rng(size)
    found = [interval(draw(random, size), seed=run, resamples=300, bounds=bounds) for run in range(300)]
    # 0.95 less two and a half standard deviations of a share of 300; ties at a bound can only be covered too often.
    assert np.mean([one.low <= mean <= one.high for one in found]) >= 0.918
    assert bounds is None or all(bounds[0] <= one.low <= one.high <= bounds[1] for one in found)


@pytest.mark.parametrize("unequal", [False, True], ids=["equal", "unequal"])
@pytest.mark.parametrize(("count", "correlation"), [(5, 0.3), (20, 0.0), (20, 0.9)])
def test_groups_are_covered_as_often_as_promised(count, correlation, unequal):
    random = np.random.default_rng(count)
    covered = 0
    for run in range(300):
        sizes = random.integers(2, 40, count) if unequal else np.full(count, 20)
        groups = np.repeat(np.arange(count), sizes)
        shared, own = random.normal(size=count)[groups], random.normal(size=len(groups))
        values = shared * correlation**0.5 + own * (1 - correlation) ** 0.5
        found = interval(values, groups=groups, seed=run, resamples=300)
        covered += found.low <= 0 <= found.high
    assert 0.918 <= covered / 300 <= 0.985


def test_values_may_leave_their_bounds_by_rounding_alone():
    values = [0.2, 0.9, 0.4, 0.7]
    for end in (0.0 - 1e-9, 1.0 + 1e-9):
        assert np.isfinite(interval([*values, end], bounds=(0, 1))).all()
    for wrong in (-2e-9, 1 + 2e-9):
        with pytest.raises(InputError, match=r"bounds: got \(0, 1\)"):
            interval([*values, wrong], bounds=(0, 1))
    for bounds in ((1, 0), (0.5, 0.5)):
        with pytest.raises(InputError, match="bounds: got"):
            interval([0.5] * 5, bounds=bounds)


def test_what_cannot_be_below_zero_is_cut_there_alone():
    for low, expected in ((-1.0, 0.0), (0.5, 0.5), (2.0, 2.0)):
        assert not_negative(Interval(3.0, low, 5.0, "why")) == (3.0, expected, 5.0)
    cut = not_negative(Interval(3.0, np.nan, np.nan, "too few"))
    assert np.isnan(cut.low)
    assert cut.reason == "too few"


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


@pytest.mark.parametrize("values", [[1.0] * 9 + [0.0], [0.2, 0.9, 0.4, 0.7, 0.1]])
def test_groups_of_one_sample_each_are_independent_samples(values):
    alone = [f"s{at}" for at in range(len(values))]
    assert interval(values, groups=alone) == interval(values)


@pytest.mark.parametrize(
    ("value", "bounds", "ends"),
    [
        (0.3, None, (0, 1)), (1.0, None, (0, 1)), (0.0, None, (0, 1)), (1.5, None, (0, 3)), (2.5, None, (0, 5)),
        (-1.0, None, (-2, 0)), (0.3, (-1.0, 4.0), (-1, 4)),
    ],
)  # fmt: skip
def test_samples_that_are_all_alike_reach_a_share_of_the_way_to_what_a_score_can_be(value, bounds, ends):
    """A share between 0 and 1, if it is one; else from zero to twice the value. The share is 1 - 0.05^(1 / n)."""
    found = interval(np.full(20, value), bounds=bounds)
    low, high = (value - found.low) / max(value - ends[0], 1e-300), (found.high - value) / max(ends[1] - value, 1e-300)
    for share, end in ((low, ends[0]), (high, ends[1])):
        assert share == pytest.approx(1 - 0.05 ** (1 / 20) if end != value else 0)


def test_a_ratio_treats_samples_as_a_mean_does():
    values, ones = np.random.default_rng(4).normal(5, 1, 30), np.ones(30)
    # Each a group of its own: independent samples.
    assert ratio_interval(values, ones, groups=range(30)) == ratio_interval(values, ones) == interval(values)
    few = ratio_interval(values[:3], ones[:3], groups=["a", "b", "c"])
    assert few.reason == interval(values[:3], groups=["a", "b", "c"]).reason == "too few groups: 3"
    # NaN excludes a sample, with its group.
    missing = np.array([*values, np.nan, 1.0]), np.array([*ones, 1.0, np.nan])
    assert ratio_interval(*missing) == ratio_interval(values, ones)
    groups = np.arange(30) // 3
    assert ratio_interval(*missing, groups=[*groups, 98, 99]) == ratio_interval(values, ones, groups=groups)


def test_infinite_values_have_no_mean():
    with pytest.raises(InputError, match="values: got inf for sample 1; expected finite numbers"):
        interval([1.0, np.inf, 2.0, 3.0, 4.0, 5.0])
    with pytest.raises(InputError, match="numerator: got -inf for sample 0"):
        ratio_interval([-np.inf, 1.0], [1.0, 1.0])
    with pytest.raises(InputError, match="denominator: got inf for sample 1"):
        ratio_interval([1.0, 1.0], [1.0, np.inf])
