from itertools import product

import numpy as np
import pytest
from scipy import stats

from stexplain.errors import InputError
from stexplain.metrics.comparison.permutation import corrected_p_values, sign_flip_test, smallest_p


def enumerated(differences):
    sums = [abs(np.dot(signs, differences)) for signs in product((-1, 1), repeat=len(differences))]
    return np.mean([total >= abs(sum(differences)) - 1e-9 for total in sums])


@pytest.mark.parametrize("count", [1, 2, 5, 8, 11])
def test_exact_p_is_that_of_enumeration_and_of_scipy(count):
    random = np.random.default_rng(count)
    a, b = random.normal(0.4, 1, count), random.normal(0, 1, count)
    (p,) = sign_flip_test(a - b)
    assert p == pytest.approx(enumerated(a - b), abs=0)
    if count > 1:
        scipy = stats.permutation_test(
            (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
        )
        assert p == pytest.approx(scipy.pvalue, abs=1e-12)


def test_ties_count_as_at_least_as_far():
    # Rounding must not part sums that are equal: 0.1 + 0.2 - 0.3 is not 0.
    assert sign_flip_test([0.1, 0.2, 0.3, 0.3])[0] == enumerated([1, 2, 3, 3])
    assert sign_flip_test(np.zeros(6))[0] == 1.0
    # The sums of 1 and d are 1 + d and 1 - d: less than 1e-12 of the larger apart is rounding, more is not.
    assert [sign_flip_test([1.0, d])[0] for d in (0.4e-12, 0.7e-12)] == [1.0, 0.5]


def test_drawn_p_is_near_the_exact_one():
    differences = np.random.default_rng(0).normal(0.5, 1, 12)
    (exact,), (drawn,) = sign_flip_test(differences), sign_flip_test(differences, permutations=4000)
    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000))
    assert sign_flip_test(differences, permutations=4000, seed=0) == drawn
    assert sign_flip_test(np.ones(80), permutations=999)[0] == pytest.approx(1 / 1000)


def test_pairs_without_a_value_are_left_out():
    differences = np.array([1.0, np.nan, 2.0, -0.5, np.nan, 4.0])
    assert sign_flip_test(differences) == sign_flip_test(differences[~np.isnan(differences)])
    together = sign_flip_test(np.stack([differences, -differences, np.full(6, np.nan)], axis=1))
    assert together[0] == together[1] == sign_flip_test(differences)[0]
    assert np.isnan(together[2])


def test_under_the_null_p_is_uniform():
    random = np.random.default_rng(3)
    differences = random.normal(size=(25, 2000)) - random.normal(size=(25, 2000))
    p = sign_flip_test(differences, permutations=999, seed=1)
    # 0.05 is hit in 5% of tests, give or take four standard errors, and so are the other levels.
    for level in (0.01, 0.05, 0.2, 0.5):
        assert abs((p <= level).mean() - level) < 4 * np.sqrt(level * (1 - level) / 2000) + 1e-3
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_a_difference_that_is_there_is_found():
    differences = np.random.default_rng(4).normal(0.8, 1, (40, 100))
    assert (sign_flip_test(differences, permutations=999) < 0.05).mean() > 0.95


def test_holm_of_a_worked_example():
    # Holm (1979): sorted 0.005 0.01 0.03 0.04 times 4 3 2 1, made monotone.
    np.testing.assert_allclose(corrected_p_values([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_benjamini_hochberg_equals_scipy():
    p = np.random.default_rng(0).random(50) ** 2
    np.testing.assert_allclose(corrected_p_values(p, "benjamini-hochberg"), stats.false_discovery_control(p))


def test_corrections_keep_order_bounds_and_missing_tests():
    p = np.array([0.5, 0.02, np.nan, 0.9, 0.001])
    for name in ("holm", "benjamini-hochberg"):
        corrected = corrected_p_values(p, name)
        present = ~np.isnan(p)
        assert np.isnan(corrected[2])
        np.testing.assert_allclose(corrected[present], corrected_p_values(p[present], name))
        assert (corrected[present] >= p[present]).all()
        assert (corrected[present] <= 1).all()
    np.testing.assert_array_equal(corrected_p_values(p, "none"), p)
    assert corrected_p_values([0.03]).tolist() == [0.03]


def test_holm_holds_the_level_over_all_tests():
    random = np.random.default_rng(5)
    p = sign_flip_test(random.normal(size=(12, 3000)), permutations=4096).reshape(300, 10)
    false = [(corrected_p_values(row) <= 0.05).any() for row in p]
    assert np.mean(false) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 300)


def test_what_does_not_fit():
    with pytest.raises(InputError, match=r"Did you mean 'holm'"):
        corrected_p_values([0.1], "hholm")
    for wrong in ([1.1], [0.5, 1.1], [-0.1, 0.5]):
        with pytest.raises(InputError, match="outside of"):
            corrected_p_values(wrong)
    with pytest.raises(InputError, match="permutations: got 0"):
        sign_flip_test([1.0], permutations=0)
    # One is few, and enough for an answer.
    assert 0 < float(sign_flip_test(np.arange(1.0, 31.0), permutations=1)[0]) <= 1
    with pytest.raises(InputError, match="got 3 dimensions"):
        sign_flip_test(np.zeros((2, 2, 2)))


def test_a_group_keeps_one_sign():
    differences = np.array([1.0, 2.0, -0.5, 3.0, 0.25, 1.5])
    groups = ["a", "a", "b", "b", "c", "c"]
    # The sums of the groups are 3, 2.5 and 1.75: only all with one sign are as far from zero.
    assert sign_flip_test(differences, groups=groups).tolist() == [2 / 8]
    assert sign_flip_test(differences, groups=groups) == sign_flip_test([3.0, 2.5, 1.75])
    # Excluded pairs leave the rest of their group.
    assert sign_flip_test([*differences, np.nan], groups=[*groups, "c"]).tolist() == [2 / 8]
    with pytest.raises(InputError, match="groups"):
        sign_flip_test(differences, groups=groups[:3])


def test_grouped_pairs_are_called_different_as_rarely_as_promised():
    """Persons whose clips share a third of the variance, and no difference on average: 5 of 100 tests fire at 5%."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 36)
    shared, own = random.normal(size=(20, 400)), random.normal(size=(720, 400))
    differences = 0.3**0.5 * shared[groups] + 0.7**0.5 * own
    fired = (sign_flip_test(differences, groups=groups, permutations=999) <= 0.05).mean()
    # The standard deviation of a share of 400 is 0.011.
    assert 0.025 <= fired <= 0.08
    # Clips that are taken for independent: most tests fire.
    assert (sign_flip_test(differences, permutations=999) <= 0.05).mean() > 0.4


def test_what_few_trainings_can_show():
    for trainings in (1, 5, 6):
        assert sign_flip_test(np.arange(1.0, trainings + 1)).tolist() == [smallest_p(trainings)]
    assert smallest_p(5) == 1 / 16
    with pytest.raises(InputError, match="units"):
        smallest_p(0)


@pytest.mark.parametrize(("correction", "expected"), [("holm", [1, 1, 1]), ("benjamini-hochberg", [0.9, 0.9, 0.9])])
def test_no_corrected_p_is_above_one(correction, expected):
    np.testing.assert_allclose(corrected_p_values([0.7, 0.6, 0.9], correction), expected)


def test_pairs_that_no_test_has_do_not_make_an_exact_test_a_drawn_one():
    differences = np.array([1.0, 2.0, 3.0, *[np.nan] * 40])
    assert sign_flip_test(differences).tolist() == [0.25]
    groups = [*"aab", *map(str, range(40))]
    assert sign_flip_test(differences, groups=groups).tolist() == [0.5]
    # One that another test has stays in the patterns, and adds nothing to the first's sums.
    both = np.stack([differences, np.r_[differences[:3], 1.0, differences[4:]]], 1)
    assert sign_flip_test(both).tolist() == [0.25, 0.125]
    assert np.isnan(sign_flip_test([np.nan, np.nan])).all()
