"""The result of a comparison: its table, its tests, what it shows and what it refuses."""

import numpy as np
import pytest

from stexplain.errors import InputError
from stexplain.intervals.bootstrap import interval
from stexplain.metrics.comparison.permutation import corrected_p_values
from stexplain.metrics.comparison.result import Comparison


def test_samples_without_a_number_are_left_out_in_pairs_and_counted():
    a, b = np.arange(10.0) + 1, np.arange(10.0)
    a[:2], b[1:4] = np.nan, np.nan
    comparison = Comparison({"m": {"a": a, "b": b}}, {"m": True}, tuple("0123456789"))
    table = comparison.to_frame().set_index("method")
    assert table["n"].to_dict() == {"a": 8, "b": 7}
    assert table["excluded"].to_dict() == {"a": 2, "b": 3}
    (test,) = comparison.tests().to_dict("records")
    assert (test["n"], test["excluded"], test["difference"]) == (6, 4, 1.0)
    assert test["p"] == pytest.approx(2 / 2**6)
    assert "3 samples had no score" in str(comparison)


def test_lower_is_better_turns_best_and_better():
    few, many = np.linspace(0, 1, 12), np.linspace(1, 2, 12)
    up = Comparison({"m": {"few": few, "many": many}}, {"m": True}, tuple(map(str, range(12))))
    down = Comparison({"m": {"few": few, "many": many}}, {"m": False}, tuple(map(str, range(12))))
    assert (up.best("m"), up.tests()["better"][0]) == ("many", "many")
    assert (down.best("m"), down.tests()["better"][0]) == ("few", "few")


def test_differences_that_are_all_alike_are_bounded_by_what_the_scores_reach():
    # Of 8 that are alike a share of 1 - 0.05 ** (1 / 8) may be unlike them, as far off as -1, the other way round.
    comparison = Comparison({"m": {"a": np.ones(8), "b": np.zeros(8)}}, {"m": True}, tuple("abcdefgh"))
    (test,) = comparison.tests().to_dict("records")
    unseen = 1 - 0.05 ** (1 / 8)
    assert (test["difference"], test["low"], test["high"]) == pytest.approx((1.0, 1 - 2 * unseen, 1.0))
    # Where all scores are one number, nothing bounds their differences.
    same = Comparison({"m": {"a": np.ones(8), "b": np.ones(8)}}, {"m": True}, tuple("abcdefgh"))
    (test,) = same.tests().to_dict("records")
    assert (test["difference"], test["p"], test["better"]) == (0.0, 1.0, "")


def test_methods_that_do_equally_well_are_seldom_told_apart():
    random = np.random.default_rng(7)
    false = 0
    for repeat in range(200):
        scores = {name: random.normal(size=20) for name in "abcd"}
        comparison = Comparison(
            {"m": scores}, {"m": True}, tuple(map(str, range(20))), seed=repeat, resamples=1, permutations=499
        )
        false += bool((comparison.tests()["better"] != "").any())
    assert false / 200 < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 200)


def test_against_a_reference_only_that_is_tested():
    scores = {name: np.random.default_rng(number).random(15) for number, name in enumerate(["a", "b", "motion", "rnd"])}
    comparison = Comparison({"m": scores, "k": scores}, {"m": True, "k": True}, tuple(map(str, range(15))))
    pairs = comparison.tests(["motion", "rnd"], metrics=["k"])
    assert list(zip(pairs["method"], pairs["against"], strict=True)) == [
        ("a", "motion"), ("b", "motion"), ("a", "rnd"), ("b", "rnd"),
    ]  # fmt: skip
    assert set(pairs["metric"]) == {"k"}
    np.testing.assert_allclose(pairs["p_corrected"], corrected_p_values(pairs["p"].to_numpy()))
    assert len(comparison.tests("a")) == 2 * 3
    with pytest.raises(InputError, match="unknown method 'moton'. Did you mean 'motion'"):
        comparison.tests("moton")
    with pytest.raises(InputError, match="unknown metric"):
        comparison.tests(metrics=["z"])


@pytest.mark.parametrize(("samples", "words"), [(8, "1 (0.688 to 1)*"), (4, "1 (too few samples: 4)*"), (0, "-")])
def test_a_mean_is_shown_with_its_interval_or_why_it_has_none(samples, words):
    # Of 8 samples that are all alike the low end is 0.05 ** (1 / 8).
    values = np.concatenate([np.ones(samples), np.full(8 - samples, np.nan)])
    text = str(Comparison({"m": {"a": values}}, {"m": True}, tuple("abcdefgh")))
    assert text.splitlines()[2].split(maxsplit=1)[1].strip() == words


def test_scores_that_do_not_fit():
    with pytest.raises(InputError, match="groups: got 1; expected one per sample, 2"):
        Comparison({"m": {"a": np.zeros(2)}}, {"m": True}, ("x", "y"), groups=("one",))
    for nothing in ({}, {"m": {}}):
        with pytest.raises(InputError, match="got no metric or no method"):
            Comparison(nothing, {"m": True}, ("x",))
    with pytest.raises(InputError, match="unknown correction 'hlm'. Did you mean 'holm'"):
        Comparison({"m": {"a": np.zeros(1)}}, {"m": True}, ("x",), correction="hlm")
    with pytest.raises(InputError, match=r"higher_is_better: got \['k'\]; expected every metric of scores. Add 'm'"):
        Comparison({"m": {"a": np.zeros(1)}}, {"k": True}, ("x",))
    other = {"m": {"a": np.zeros(1), "b": np.zeros(1)}, "k": {"b": np.zeros(1), "a": np.zeros(1)}}
    with pytest.raises(InputError, match=r"got the methods \['b', 'a'\] for metric 'k'; expected \['a', 'b'\]"):
        Comparison(other, {"m": True, "k": True}, ("x",))
    with pytest.raises(InputError, match=r"expected one per sample, \[2\]"):
        Comparison({"m": {"a": np.zeros(3)}}, {"m": True}, ("x", "y"))


def test_the_target_that_was_explained_is_said():
    scores = {"m": {"a": np.arange(6.0), "b": np.arange(6.0)[::-1]}}
    ids = tuple("abcdef")
    assert "2 methods on 6 samples, target: class 3" in str(Comparison(scores, {"m": True}, ids, target="class 3"))
    assert "target" not in str(Comparison(scores, {"m": True}, ids))


def test_of_a_metric_without_a_score_no_method_is_best():
    scores = {"m": {"a": np.full(4, np.nan), "b": np.full(4, np.nan)}}
    with pytest.raises(InputError, match="metric 'm': got no score from any method"):
        Comparison(scores, {"m": True}, tuple("abcd")).best("m")
    scores["m"]["b"] = np.array([np.nan, -3.0, np.nan, np.nan])
    for higher in (True, False):
        assert Comparison(scores, {"m": higher}, tuple("abcd")).best("m") == "b"


@pytest.mark.parametrize("missing", [0, 2])
def test_excluded_samples_are_counted_where_there_are_some(missing):
    values = np.arange(8.0)
    values[:missing] = np.nan
    text = str(Comparison({"m": {"a": values, "b": np.arange(8.0)}}, {"m": True}, tuple("abcdefgh")))
    assert ("Up to 2 samples had no score and were excluded" in text) == bool(missing)
    assert ("excluded" in text) == bool(missing)


@pytest.mark.parametrize(("count", "p", "better"), [(5, 2 / 2**5, ""), (6, 2 / 2**6, "a")])
def test_a_method_is_better_where_a_p_is_below_a_twentieth(count, p, better):
    """Better on each of five samples, of which chance gives 6%, and on each of six, of which it gives 3%."""
    scores = {"a": np.arange(count) + 1.5, "b": np.arange(count) + 0.5 - np.arange(count) / 9}
    (test,) = Comparison({"m": scores}, {"m": True}, tuple(map(str, range(count)))).tests().to_dict("records")
    assert (test["p"], test["better"]) == (p, better)


RANDOM = np.random.default_rng(3)
SCORES = {
    "auroc": {"a": RANDOM.random(12), "b": RANDOM.random(12), "c": np.append(np.nan, RANDOM.random(11))},
    "gain": {"a": RANDOM.normal(size=12), "b": RANDOM.normal(size=12), "c": np.full(12, np.nan)},
}
GROUPS = tuple("abcdefabcdef")


def made(**options) -> Comparison:
    known = {"higher_is_better": {"auroc": True, "gain": False}, "ids": tuple("abcdefghijkl"), "resamples": 90}
    return Comparison(SCORES, **{**known, "seed": 4, "confidence": 0.8, "permutations": 99, **options})


@pytest.mark.parametrize("groups", [(), GROUPS])
def test_rows_and_tests_have_the_intervals_of_the_samples(groups):
    """By the bounds of the metric, and for a difference by the range of all scores of both."""
    comparison = made(groups=groups, bounds={"auroc": (0, 1)})
    options = {"groups": groups or None, "seed": 4, "resamples": 90, "confidence": 0.8}
    for row in comparison.to_frame().to_dict("records"):
        values = SCORES[row["metric"]][row["method"]]
        expected = interval(values, bounds=(0, 1) if row["metric"] == "auroc" else None, **options)
        np.testing.assert_array_equal([row["value"], row["low"], row["high"]], expected)
        assert (row["reason"], row["excluded"]) == (expected.reason, np.isnan(values).sum())
    for row in comparison.tests().to_dict("records"):
        one, other = (SCORES[row["metric"]][row[name]] for name in ("method", "against"))
        both = np.concatenate([one, other])
        width = float(np.nanmax(both) - np.nanmin(both))
        expected = interval(one - other, bounds=(-width, width), **options)
        np.testing.assert_array_equal([row["difference"], row["low"], row["high"]], expected)


def test_as_json_it_has_the_options_and_both_tables():
    found = made(groups=GROUPS, target="class 3", seconds={"a": 0.5}, correction="none").to_dict()
    assert (found["methods"], found["samples"], found["groups"]) == (["a", "b", "c"], 12, 6)
    assert found["metrics"] == {"auroc": {"higher_is_better": True}, "gain": {"higher_is_better": False}}
    options = ("target", "seed", "resamples", "permutations", "correction", "confidence", "seconds")
    assert [found[name] for name in options] == ["class 3", 4, 90, 99, "none", 0.8, {"a": 0.5}]
    assert (len(found["table"]), len(found["tests"])) == (6, 6)
    unknown = next(row for row in found["table"] if (row["metric"], row["method"]) == ("gain", "c"))
    # JSON has no NaN.
    assert (unknown["value"], unknown["seconds"], unknown["n"]) == (None, None, 0)
    # Without groups each sample is one; of a single method there is nothing to test.
    alone = Comparison({"m": {"a": np.arange(7.0)}}, {"m": True}, tuple("abcdefg")).to_dict()
    assert (alone["groups"], alone["tests"], alone["seconds"]) == (7, [], {})
    defaults = (alone["seed"], alone["resamples"], alone["permutations"], alone["correction"], alone["confidence"])
    assert defaults == (0, 1000, 9999, "holm", 0.95)


def test_a_star_marks_the_best_of_each_metric_and_none_where_there_is_no_score():
    scores = {"up": SCORES["auroc"], "none": dict.fromkeys("abc", np.full(12, np.nan))}
    text = str(Comparison(scores, {"up": True, "none": False}, tuple("abcdefghijkl"), seconds={"a": 0.25}))
    head, *rows = text.splitlines()[1:5]
    assert head.split() == ["up", "↑", "none", "↓", "s", "/", "sample"]
    best = max("abc", key=lambda name: np.nanmean(SCORES["auroc"][name]))
    assert [row.count("*") for row in rows] == [int(name == best) for name in "abc"]
    assert [row.split()[-1] for row in rows] == ["0.25", "nan", "nan"]
    assert "groups of samples" not in text
    assert "Means with 80% intervals over 6 groups of samples" in str(made(groups=GROUPS))
    assert "s / sample" not in str(made())


def test_of_equals_the_first_is_the_best():
    scores = {"m": {"a": np.zeros(5), "b": np.ones(5), "c": np.ones(5)}}
    assert Comparison(scores, {"m": True}, tuple("abcde")).best("m") == "b"
    assert Comparison(scores, {"m": False}, tuple("abcde")).best("m") == "a"


def test_a_pair_needs_two_methods():
    with pytest.raises(InputError, match="got no pair of methods to test"):
        Comparison({"m": {"a": np.arange(6.0)}}, {"m": True}, tuple("abcdef")).tests()
    with pytest.raises(InputError, match="The methods are a, b, c"):
        made().tests(["a", "b", "c"])


@pytest.mark.parametrize(("groups", "says"), [("aabbccdd", "4 groups is below 0.12"), ("", ""), ("abcdeffg", "")])
def test_so_few_units_that_no_difference_can_be_shown_are_named(groups, says):
    scores = {"m": {"ours": np.linspace(0.7, 0.9, 8), "random": np.linspace(0.4, 0.6, 8)}}
    comparison = Comparison(scores, {"m": True}, tuple("abcdefgh"), groups=tuple(groups))
    words = "differences, corrected over the tests of one metric (holm)."
    assert words in str(comparison)
    assert words in comparison._repr_html_()
    few = f"No p of {says}: a test of so few cannot show a difference."
    expected = len(set(groups)) == 4
    assert (few in str(comparison)) == (few in comparison._repr_html_()) == expected
    assert ("No p of" in str(comparison)) == expected
    assert comparison.tests()["better"].tolist() == ([""] if expected else ["ours"])
