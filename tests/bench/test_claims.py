"""Tests of claims: by groups, over trainings, corrected together."""

import numpy as np
import pytest
from scipy.stats import norm, ttest_1samp

from stexplain.bench.claims import Claim, combined, corrected, hardest, judge, over_trainings, paired_test, relation
from stexplain.bench.shared.baseline_tests import must_beat


def paired(against, difference, p):
    return {"against": against, "difference": difference, "p": p}


def claim(*tests, together=True):
    return Claim(tests, lambda signs: relation(tests, signs), together)


def test_groups_flip_their_signs_as_one():
    values = [0.5, 0.1, 0.4, 0.3, -0.1]
    groups = ["a", "a", "b", "b", "c"]
    # Sums of groups: 0.6, 0.7, -0.1. Of 8 patterns those as far from zero as 1.2: +++, ++-, and their opposites.
    assert paired_test("x", values, groups)["p"] == 4 / 8
    nested = np.array([["a", 1], ["a", 2], ["b", 1], ["b", 2], ["c", 1]])
    assert paired_test("x", values, nested) == paired_test("x", values, groups)
    assert paired_test("x", [*values, np.nan], [*groups, "d"]) == paired_test("x", values, groups)
    assert paired_test("x", [np.nan])["p"] is None


def test_a_test_of_grouped_samples_fires_no_more_often_than_it_should():
    random, fired = np.random.default_rng(0), 0
    groups = np.repeat(np.arange(20), 12)
    for run in range(200):
        values = np.repeat(random.normal(size=20), 12) * 0.3**0.5 + random.normal(size=240) * 0.7**0.5
        fired += paired_test("x", values, groups, seed=run)["p"] <= 0.05
    assert fired / 200 <= 0.1


def test_over_trainings_both_trainings_and_samples_must_speak_for_it():
    tests = [paired("x", difference, 0.001) for difference in (0.1, 0.12, 0.11, 0.09)]
    assert over_trainings(tests)["p"] == pytest.approx(max(ttest_1samp([0.1, 0.12, 0.11, 0.09], 0).pvalue, 0.002))
    unsure = [{**test, "p": 0.4} for test in tests]
    assert over_trainings(unsure)["p"] == pytest.approx(0.8)
    assert over_trainings(tests)["difference"] == pytest.approx(0.105)
    assert over_trainings([tests[0], {**tests[1], "p": None}])["p"] is None
    assert over_trainings([paired("x", 0.0, 1.0)] * 3)["p"] == 1.0


def test_of_trainings_only_what_all_of_them_have_is_tested():
    first, second = [paired("x", 0.1, 0.5), paired("y", 0.1, 0.5)], [paired("y", 0.2, 0.5)]
    assert [test["against"] for test in combined([first, second])] == ["y"]
    assert combined([first]) == first


def test_claims_are_corrected_over_the_whole_report():
    one = claim(paired("x", 0.1, 0.02))
    assert judge([one])[0][1] == "supported"
    others = [claim(paired("x", 0.1, 0.5)) for _ in range(4)]
    # Holm: five claims, the smallest p times five.
    assert [outcome for _, outcome in judge([one, *others])] == ["inconclusive"] * 5


def test_a_claim_against_several_things_is_one_claim():
    # Two claims of three tests each: the largest p of each is corrected over two, not over six.
    several = [claim(*(paired(name, 0.1, 0.02) for name in "abc")) for _ in range(2)]
    assert [outcome for _, outcome in judge(several)] == ["supported"] * 2
    apart = [claim(*(paired(name, 0.1, 0.02) for name in "abc"), together=False) for _ in range(2)]
    assert [outcome for _, outcome in judge(apart)] == ["inconclusive"] * 2


def decided_at(level, claims):
    """Which tests are significant at a level, by the definition: claims one after another, each by Hochberg."""
    done, found = set(), set()
    while True:
        own = level / (len(claims) - len(done)) if len(done) < len(claims) else level
        for number, p in enumerate(claims):
            if number in done:
                continue
            # Hochberg: the largest j with p_(j) <= level / (n - j + 1); it and all smaller ones are rejected.
            order = np.argsort(p)
            passing = [j for j in range(len(p)) if p[order[j]] <= own / (len(p) - j) + 1e-15]
            found |= {(number, int(place)) for place in order[: max(passing, default=-1) + 1]}
        complete = {number for number, p in enumerate(claims) if all((number, j) in found for j in range(len(p)))}
        if complete == done:
            return found
        done = complete


def test_corrected_p_is_the_smallest_level_at_which_the_definition_decides():
    random = np.random.default_rng(0)
    for _ in range(40):
        claims = [random.beta(0.3, 4, random.integers(1, 5)) for _ in range(random.integers(1, 5))]
        found = corrected([claim(*(paired("x", 1.0, p) for p in own)) for own in claims])
        for level in (0.01, 0.05, 0.2):
            ours = {(n, j) for n, (p, _) in enumerate(found) for j in range(len(p)) if p[j] <= level}
            assert ours == decided_at(level, claims)


def test_no_word_of_a_report_is_false_in_more_than_a_twentieth_of_reports():
    """Of three claims one is true, one has two of three nulls, one is nothing but nulls; its tests correlate."""
    random, false = np.random.default_rng(0), 0
    truth = np.array([[4.0, 4.0, 4.0], [0.0, 0.0, 4.0], [0.0, 0.0, 0.0]])
    for _ in range(1000):
        z = truth + 0.7 * random.normal(size=(3, 1)) + 0.51**0.5 * random.normal(size=(3, 3))
        claims = [claim(*(paired("x", d, 2 * norm.sf(abs(d))) for d in row)) for row in z]
        false += any((p[of == 0] <= 0.05).any() for (p, _), of in zip(corrected(claims), truth, strict=True))
    assert false / 1000 <= 0.05 + 2 * (0.05 * 0.95 / 1000) ** 0.5


def test_a_claim_that_all_are_beaten_has_no_p_where_one_wins():
    ((single, whole),) = corrected([claim(paired("a", 0.1, 0.001), paired("b", -0.1, 0.001))])
    assert single.tolist() == [0.001, 0.001]
    assert whole.tolist() == [1.0]
    assert [p.tolist() for p in corrected([claim()])[0]] == [[], []]


@pytest.mark.parametrize(
    ("units", "claims", "says"),
    [
        (5, 1, " No test of 5 independent units has a p below 0.062: it cannot show a difference, whatever the size."),
        (6, 1, ""),
        (6, 2, " No test of 6 independent units has a p below 0.031, which the correction over 2 claims may raise"),
        (20, 2, ""),
        (1, 1, " No test of 1 independent unit has a p below 1: it cannot"),
    ],
)
def test_a_verdict_says_where_its_units_are_too_few_to_show_anything(units, claims, says):
    test = paired_test("x", np.ones(3 * units), np.repeat(np.arange(units), 3))
    assert test["units"] == units
    (text, outcome), *_ = judge([claim(test)] * claims)
    relations = "better than x" if outcome == "supported" else "not shown to be better than x"
    assert text.startswith(relations + says)
    assert bool(says) == (text != relations)
    assert outcome == ("inconclusive" if says else "supported")
    # Of several trainings the fewest count.
    assert over_trainings([test, {**test, "units": 99}])["units"] == units


def test_who_is_ahead_by_the_mean_is_named_beside_who_is_by_the_test():
    tests = [paired("Motion", -0.3, 0.04), paired("Slowness", -0.05, 0.001), paired("Height", 0.1, 0.2)]
    (test,), strongest = must_beat(tests)
    assert strongest == ("Slowness", "Motion")
    assert test["against"] == "the strongest baseline explainer (Slowness by the test, Motion by the mean)"
    assert (test["difference"], test["p"]) == (-0.05, pytest.approx(0.003))
    assert must_beat(tests[1:]).strongest == ("Slowness",)
    assert must_beat([]) == ([], ())


def test_one_test_that_fails_leaves_the_claim_without_support_and_is_named():
    tests = paired("a", 0.1, 0.0001), paired("b", 0.1, 0.3), paired("c", 0.1, None)
    ((text, outcome),) = judge([claim(*tests)])
    assert outcome == "inconclusive"
    assert text == "better than a; not shown to be better than b and c"


def test_the_hardest_is_the_one_that_speaks_least_for_the_claim():
    tests = [paired("a", 0.5, 0.001), paired("b", -0.1, 0.9), paired("c", -0.3, 0.01), paired("d", 0.1, None)]
    # Which of four wins is chosen after looking: its p counts four times.
    assert hardest(tests) == paired("c", -0.3, 0.04)
    assert hardest(tests[:2]) == paired("b", -0.1, 1.0)
    assert hardest(tests[:1]) == tests[0]
    assert hardest([tests[0], tests[3]]) == tests[3]
