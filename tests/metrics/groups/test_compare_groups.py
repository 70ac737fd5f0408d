"""Two groups of explanations: the tests against slow ones written out, their error rates, designs and words."""

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph
from stexplain.metrics.groups.compare import compare_groups
from stexplain.metrics.groups.permutation import p_values, paired_t, welch
from stexplain.metrics.groups.readable import readable

NAMES = ("hip", "knee", "hand")


def of(values, **options):
    values = np.asarray(values, np.float32)
    return Explanation(values, np.ones(values.shape[:3], bool), NAMES[: values.shape[-1]], **options)


def maps(means, frames=8, seed=0):
    """Maps whose mean over frames is exactly that, ``[B, N]``, and whose frames differ."""
    means = np.asarray(means, np.float64)
    wave = 1 + 0.5 * np.sin(2 * np.pi * np.arange(frames) / frames)
    return of(means[:, None, None, :] * (wave / wave.mean())[None, None, :, None])


def t(first, other):
    return stats.ttest_ind(other, first, equal_var=False).statistic


def slow_between(values, in_other):
    """p and corrected p by loops over all choices and over subsets of tests (Westfall & Young 1993)."""
    units, ones = len(values), int(in_other.sum())
    drawn = []
    for chosen in combinations(range(units), ones):
        mask = np.isin(np.arange(units), chosen)
        drawn.append([abs(t(values[~mask, f], values[mask, f])) for f in range(values.shape[1])])
    drawn, observed = (
        np.array(drawn),
        np.abs([t(values[~in_other, f], values[in_other, f]) for f in range(values.shape[1])]),
    )
    p = (drawn >= observed - 1e-9).mean(0)
    corrected, order = np.zeros(len(observed)), np.argsort(-observed)
    for rank, feature in enumerate(order):
        left = order[rank:]
        own = (drawn[:, left].max(1) >= observed[feature] - 1e-9).mean()
        corrected[feature] = max(own, corrected[order[rank - 1]] if rank else 0)
    return p, corrected


def test_p_values_are_those_of_all_permutations():
    random = np.random.default_rng(1)
    values = random.gamma(2, size=(9, 3)) + np.array([0, 0, 1.5]) * (np.arange(9) >= 5)[:, None]
    in_other = np.arange(9) >= 5
    result = compare_groups(maps(values), np.where(in_other, "patient", "control"), windows=0)
    p, corrected = slow_between(maps(values).nodes().to_numpy(np.float64), in_other)
    np.testing.assert_allclose(result.to_frame()["p"], p)
    np.testing.assert_allclose(result.to_frame()["p_corrected"], corrected)
    assert result.permutations == 126
    assert result.smallest_p == 1 / 126


def test_pairs_are_tested_by_flipping_signs():
    random = np.random.default_rng(2)
    before = random.gamma(2, size=(7, 3))
    after = before + random.normal([0.0, 0.1, 0.6], 0.3, size=(7, 3))
    values = np.maximum(np.concatenate([before, after]), 0.01)
    result = compare_groups(maps(values), ["a"] * 7 + ["b"] * 7, clusters=[*range(7), *range(7)], windows=0)
    pairs = maps(values[7:]).nodes().to_numpy(np.float64) - maps(values[:7]).nodes().to_numpy(np.float64)
    for feature in range(3):
        size = [
            abs(stats.ttest_1samp(np.array(signs) * pairs[:, feature], 0).statistic)
            for signs in product([1, -1], repeat=7)
        ]
        assert np.isclose(result.to_frame()["p"][feature], np.mean(np.array(size) >= size[0] - 1e-9))
    assert result.paired
    assert result.smallest_p == 2 / 128
    expected = stats.ttest_1samp(pairs[:, 2], 0).confidence_interval(0.95)
    np.testing.assert_allclose(result.to_frame().loc[2, ["low", "high"]].astype(float), expected)


def test_intervals_are_welchs():
    random = np.random.default_rng(3)
    values = random.gamma(2, size=(12, 3))
    result = compare_groups(maps(values), [0] * 5 + [1] * 7, windows=0, confidence=0.9)
    nodes = maps(values).nodes().to_numpy(np.float64)
    expected = stats.ttest_ind(nodes[5:], nodes[:5], equal_var=False).confidence_interval(0.9)
    np.testing.assert_allclose(result.to_frame()["low"], expected.low, rtol=1e-6)
    np.testing.assert_allclose(result.to_frame()["high"], expected.high, rtol=1e-6)
    np.testing.assert_allclose(result.to_frame()["difference"], nodes[5:].mean(0) - nodes[:5].mean(0), rtol=1e-6)


def test_the_mean_of_each_group_has_students_interval():
    values = np.random.default_rng(10).gamma(2, size=(12, 3))
    table = compare_groups(maps(values), [0] * 5 + [1] * 7, windows=0, confidence=0.9).to_frame()
    nodes = maps(values).nodes().to_numpy(np.float64)
    for name, part in (("reference", nodes[:5]), ("other", nodes[5:])):
        expected = stats.ttest_1samp(part, 0).confidence_interval(0.9)
        np.testing.assert_allclose(table[f"{name}_low"], expected.low, rtol=1e-6)
        np.testing.assert_allclose(table[f"{name}_high"], expected.high, rtol=1e-6)


def test_the_statistics_are_those_of_scipy():
    values = np.random.default_rng(11).normal(size=(9, 4))
    chosen = np.array([[True] * 4 + [False] * 5, [False, True, True] * 3])
    for row, t_values in zip(chosen, welch(values, chosen), strict=True):
        np.testing.assert_allclose(t_values, t(values[~row], values[row]))
    signs = np.where(chosen, -1.0, 1.0)
    expected = [stats.ttest_1samp(row[:, None] * values, 0).statistic for row in signs]
    np.testing.assert_allclose(paired_t(values, chosen), expected)


def test_all_permutations_are_used_where_there_are_no_more_than_asked_for():
    values = np.random.default_rng(12).gamma(2, size=(6, 3))
    labels, subjects = [0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2]
    # 6 choose 3, and 2^3.
    for count, clusters in ((20, None), (8, subjects)):
        exact = compare_groups(maps(values), labels, clusters=clusters, windows=0, permutations=count)
        assert (exact.permutations, exact.smallest_p) == (count, 2 / count)
        drawn = compare_groups(maps(values), labels, clusters=clusters, windows=0, permutations=count - 1)
        assert (drawn.permutations, drawn.smallest_p) == (count - 1, 1 / count)


def test_statistics_that_differ_by_rounding_alone_are_equal():
    drawn = np.array([[1.0, np.inf], [1 - 0.5e-9, 3.0], [1 - 1.5e-9, np.inf], [0.2, 0.0]])
    blocks = [np.zeros((2, 5), bool), np.zeros((2, 5), bool)]
    parts = iter([drawn[:2], drawn[2:]])
    p, corrected = p_values(np.array([-1.0, np.inf]), lambda block: next(parts), iter(blocks), 4, exact=True)
    # Of four: 1 and what is 0.5e-9 below it; the two that are infinite.
    assert p.tolist() == [0.5, 0.5]
    assert corrected.tolist() == [0.5, 0.5]
    parts = iter([drawn[:2], drawn[2:]])
    p, _ = p_values(np.array([-1.0, np.inf]), lambda block: next(parts), iter(blocks), 4, exact=False)
    # The observed one counts beside those that are drawn.
    assert p.tolist() == [3 / 5, 3 / 5]


@pytest.mark.parametrize(("paired", "each", "total"), [(False, 8, 12870), (True, 11, 2048)])
def test_drawn_permutations_give_nearly_the_exact_p(paired, each, total):
    values = np.random.default_rng(14).gamma(4, size=(2 * each, 3))
    values[each:] *= [1.0, 1.2, 1.5]
    groups, clusters = [0] * each + [1] * each, [*range(each), *range(each)] if paired else None

    def table(permutations, seed=0):
        return compare_groups(maps(values), groups, clusters=clusters, windows=0, permutations=permutations, seed=seed)

    exact, drawn, other = table(total), table(1500), table(1500, seed=1)
    # All there are: 16 choose 8, and 2^11.
    assert table(10**6).permutations == exact.permutations == total
    for column in ("p", "p_corrected"):
        p = exact.to_frame()[column].to_numpy()
        assert (np.abs(drawn.to_frame()[column] - p) < 4 * np.sqrt(p * (1 - p) / 1500) + 1e-3).all()
        assert (drawn.to_frame()[column] != other.to_frame()[column]).any()


def test_where_nothing_differs_hardly_ever_is_anything_found():
    """Subjects of six samples that are alike: by subject 5% of reports have a finding, by sample far more."""
    random, found, naive = np.random.default_rng(4), 0, 0
    for _ in range(300):
        subject = np.repeat(random.gamma(4, size=(12, 3)), 6, 0)
        e = maps(subject * random.uniform(0.9, 1.1, size=subject.shape))
        groups, clusters = np.repeat(["a", "b"], 36), np.repeat(np.arange(12), 6)
        options = {"windows": 0, "permutations": 199}
        found += not compare_groups(e, groups, clusters=clusters, **options).different().empty
        naive += not compare_groups(e, groups, **options).different().empty
    # 5% of 300 are 15; within three standard errors of a share.
    assert 4 <= found <= 27
    assert naive > 150


def test_unlike_spread_is_no_difference():
    """A permutation test of means would call groups of unlike size and spread different; by Welch's t it does not."""
    random, found = np.random.default_rng(5), 0
    for _ in range(400):
        values = np.concatenate([random.normal(5, 0.2, (24, 1)), random.normal(5, 1.0, (8, 1))])
        result = compare_groups(maps(values), ["a"] * 24 + ["b"] * 8, windows=0, permutations=199)
        found += bool(result.to_frame()["p"][0] <= 0.05)
    assert 8 <= found <= 38


def test_parts_of_the_course_are_means_of_each_samples_own_frames():
    valid = np.zeros((4, 1, 10), bool)
    valid[:2, :, :4] = True
    valid[2:, :, 2:] = True
    values = np.arange(10.0)[None, None, :, None] * np.ones((4, 1, 10, 2)) * valid[..., None]
    e = Explanation(values, valid, NAMES[:2])
    result = compare_groups(e, ["a", "a", "b", "b"], windows=2)
    rows = result.to_frame()[result.to_frame()["kind"] == "time"]
    assert rows["name"].tolist() == ["0-50%", "50-100%"]
    assert rows["reference"].tolist() == [0.5, 2.5]
    assert rows["other"].tolist() == [3.5, 7.5]


def test_as_many_parts_as_frames_are_the_frames():
    values = np.random.default_rng(5).gamma(2, size=(4, 1, 3, 2))
    result = compare_groups(of(values), ["a", "a", "b", "b"], windows=3, share=False)
    rows = result.to_frame()[result.to_frame()["kind"] == "time"]
    np.testing.assert_allclose(rows["reference"], values[:2].mean((0, 1, 3)), rtol=1e-6)
    np.testing.assert_allclose(rows["other"], values[2:].mean((0, 1, 3)), rtol=1e-6)


def test_samples_of_unlike_length_and_their_order():
    random = np.random.default_rng(6)
    parts = [of(random.gamma(2, size=(1, 1, frames, 3))) for frames in (8, 11, 9, 14, 10, 8)]
    groups = ["b", "a", "a", "b", "a", "b"]
    whole = compare_groups(parts, groups).to_frame()
    order = [3, 1, 5, 0, 2, 4]
    shuffled = compare_groups([parts[at] for at in order], [groups[at] for at in order]).to_frame()
    for column in ("difference", "low", "p", "p_corrected"):
        np.testing.assert_allclose(shuffled[column], whole[column])
    turned = compare_groups(parts, groups, reference="b").to_frame()
    np.testing.assert_allclose(turned["difference"], -whole["difference"])
    np.testing.assert_allclose(turned["p_corrected"], whole["p_corrected"])


def test_shares_do_not_ask_how_large_a_score_is():
    random = np.random.default_rng(7)
    values = random.gamma(2, size=(8, 3))
    scaled = values * random.uniform(1, 9, size=(8, 1))
    one, other = (compare_groups(maps(each), [0, 1] * 4, share=True).to_frame() for each in (values, scaled))
    np.testing.assert_allclose(one["difference"], other["difference"], atol=1e-6)
    assert np.isclose(one["reference"][:3].sum(), 1)


def test_a_node_that_was_never_observed_is_not_tested():
    values = np.random.default_rng(8).gamma(2, size=(6, 1, 4, 3))
    observed = np.ones(values.shape, bool)
    observed[0, ..., 1] = False
    e = Explanation(values * observed, np.ones((6, 1, 4), bool), NAMES, observed=observed)
    result = compare_groups(e, [0, 0, 0, 1, 1, 1], windows=0)
    assert result.to_frame()["p"].isna().tolist() == [False, True, False]
    assert "1 node was not observed in some cluster, and not tested." in result.sentences()


def test_what_it_says():
    values = np.random.default_rng(9).gamma(50, size=(12, 3))
    values[6:, 2] *= 3
    values[6:, 0] /= 3
    result = compare_groups(maps(values), ["control"] * 6 + ["patient"] * 6)
    said = result.sentences()
    assert said[0] == "patient against control: 6 and 6 samples."
    assert said[1] == "2 of 3 nodes differ: more at hand, less at hip."
    assert said[3] == "p is at most 0.05 corrected over 11 tests; 924 permutations."
    assert "<table" in result._repr_html_()
    assert result.different()["name"].tolist()[:2] in (["hip", "hand"], ["hand", "hip"])
    few = compare_groups(maps(values[[0, 1, 6, 7]]), ["a", "a", "b", "b"], windows=0)
    assert "So few clusters cannot show a difference: no p is below 0.33, whatever is found." in few.sentences()
    assert few.to_frame()["p"].min() >= few.smallest_p
    assert not any("So few" in sentence for sentence in said)


def test_one_that_differs_is_spoken_of_as_one():
    values = np.random.default_rng(9).gamma(50, size=(12, 3))
    values[6:, 2] *= 3
    said = compare_groups(maps(values), ["control"] * 6 + ["patient"] * 6, windows=0).sentences()
    assert said[1] == "1 of 3 nodes differs: more at hand."
    # Nothing is said of the course, which was not compared.
    assert len(said) == 3
    assert said[2] == "p is at most 0.05 corrected over 3 tests; 924 permutations."


@pytest.mark.parametrize(
    ("groups", "clusters", "words"),
    [
        ("aaaabbb", None, "3 and 4 samples"),
        ("aaaabbb", [0, 0, 1, 1, 2, 2, 3], "2 and 2 clusters of 3 and 4 samples"),
        ("aaaabbb", [0, 0, 1, 2, 3, 3, 4], "2 and 3 clusters of 3 and 4 samples"),
        ("aaaabbb", [0, 0, 1, 1, 0, 1, 1], "2 clusters with samples of both, 3 and 4 samples"),
    ],
)
def test_how_many_there_are_of_each(groups, clusters, words):
    values = np.random.default_rng(13).gamma(2, size=(7, 3))
    result = compare_groups(maps(values), list(groups), clusters=clusters, windows=0)
    assert result.sentences()[0] == f"b against a: {words}."
    assert result.samples == (4, 3)


def test_the_table_as_it_is_read_is_narrow_and_has_short_numbers():
    values = np.random.default_rng(9).gamma(50, size=(12, 3)) * 1e-6
    values[6:, 2] *= 3
    result = compare_groups(maps(values), ["control"] * 6 + ["patient"] * 6, windows=0)
    table, factor = readable(result.to_frame(), result.reference, result.other)
    assert table.columns.tolist() == ["", "difference", "95% interval", "p", "p corrected", "control", "patient"]
    assert table.iloc[:, 0].tolist() == list(NAMES)
    assert factor == "in 10⁻⁶"
    np.testing.assert_allclose(table["difference"].astype(float) * 1e-6, result.to_frame()["difference"], atol=5.1e-7)
    np.testing.assert_allclose(table["p corrected"].astype(float), result.to_frame()["p_corrected"], rtol=0.05)
    page = result._repr_html_()
    assert "Means of importance and their difference in 10⁻⁶." in page
    assert all(text in page for text in table.to_numpy().ravel())
    assert "e-" not in page
    assert max(map(len, str(result).splitlines()[-3:])) < 100


def test_numbers_of_everyday_size_have_no_factor_and_a_small_difference_keeps_its_digits():
    numbers = {"reference": [20.0, np.nan], "other": [20.5, 20.0], "difference": [0.5, np.nan]}
    ends = {"low": [0.4, np.nan], "high": [0.6, np.nan], "p": [1e-5, np.nan], "p_corrected": [0.0123, np.nan]}
    table = pd.DataFrame({"kind": "node", "name": ["hip", "hand"], **numbers, **ends})
    # Groups that are named as a column is stay two columns.
    shown, factor = readable(table, "p", "p", 0.9)
    assert factor == ""
    assert shown.to_numpy().tolist() == [
        ["hip", "0.500", "0.400 to 0.600", "<0.0001", "0.012", "20.000", "20.500"],
        ["hand", "", "", "", "", "", "20.000"],
    ]
    assert shown.columns[2] == "90% interval"


def test_a_small_difference_beside_a_large_one_is_not_written_as_zero():
    numbers = {"reference": [0.1445, 0.001], "other": [0.1736, 0.0010042], "difference": [0.0291, 0.0000042]}
    ends = {"low": [0.0266, 0.000002], "high": [0.0316, 0.000007], "p": [0.01, 0.02], "p_corrected": [0.01, 0.02]}
    table = pd.DataFrame({"kind": "node", "name": ["ankle", "hip"], **numbers, **ends})
    shown, factor = readable(table, "usual", "limping")
    assert factor == "in 10⁻³"
    assert shown["difference"].tolist() == ["29.100", "0.004"]
    assert shown["95% interval"].tolist() == ["26.600 to 31.600", "0.002 to 0.007"]


def test_nothing_that_varies_is_no_division_by_zero():
    values = np.ones((6, 3))
    values[3:, 2] = 2
    table = compare_groups(maps(values), [0, 0, 0, 1, 1, 1], windows=0).to_frame()
    assert table["p"].tolist() == [1.0, 1.0, 0.1]
    assert np.isfinite(table[["low", "high", "difference"]].to_numpy(float)).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"groups": ["a"] * 6}, r"groups: got 1 different labels, \['a'\]; expected two"),
        ({"groups": list("abcabc")}, "groups: got 3 different labels"),
        ({"groups": ["a", "b"]}, "groups: got 2 labels; expected 6"),
        ({"groups": "aaabbb"}, "groups: got 'aaabbb'; expected a list of 6 labels"),
        ({"groups": ["a", None, "a", "b", "b", "b"]}, "groups: sample 1 has no label"),
        ({"groups": ["a", "a", "a", "a", "a", "b"]}, "got 5 and 1 clusters; expected at least two of each"),
        ({"clusters": [0, 1, 2, 2, 3, 4]}, "clusters: 2 has samples of both groups, 0 of one"),
        ({"clusters": [0]}, "clusters: got 1 labels"),
        ({"reference": "patients"}, "unknown reference 'patients'"),
        ({"windows": 9}, "windows: got 9; sample 0 has 8 frames"),
        ({"windows": -1}, "windows: got -1"),
        ({"confidence": 95}, "confidence: got 95"),
        ({"permutations": 0}, "permutations: got 0"),
        ({"explanations": []}, "explanations: got an empty list"),
        ({"explanations": [np.ones(3)]}, r"explanations: got \['ndarray'\]"),
    ],
)
def test_bad_input(options, words):
    given = {"explanations": maps(np.ones((6, 3))), "groups": ["a", "a", "a", "b", "b", "b"], **options}
    with pytest.raises(InputError, match=words):
        compare_groups(given.pop("explanations"), given.pop("groups"), **given)


def test_maps_of_unlike_methods_are_not_compared():
    one, other = maps(np.ones((3, 3))), of(np.ones((3, 1, 8, 3)), method="another")
    with pytest.raises(InputError, match="different method"):
        compare_groups([one, other], [0, 0, 0, 1, 1, 1])


def test_zero_maps_have_no_shares():
    values = np.ones((6, 3))
    values[2] = 0
    with pytest.raises(InputError, match="sample 2 has an importance of zero throughout"):
        compare_groups(maps(values), [0, 0, 0, 1, 1, 1], share=True)


def test_the_graph_is_kept():
    graph = STGraph.from_edges(NAMES, [("hip", "knee"), ("hip", "hand")])
    assert compare_groups(of(np.ones((4, 1, 8, 3)), graph=graph), [0, 0, 1, 1]).graph == graph


@pytest.mark.parametrize("unit", [1e-15, 1e15])
def test_the_unit_of_the_values_does_not_matter(unit):
    """Differences are compared with each other, and rounding is what is far below the largest."""
    random = np.random.default_rng(0)
    values, chosen = random.normal(size=(8, 3)), random.random((20, 8)) < 0.5
    chosen[:, :2], chosen[:, 2:4] = True, False
    for statistic in (welch, paired_t):
        np.testing.assert_allclose(statistic(values * unit, chosen), statistic(values, chosen), rtol=1e-9)
    still = np.zeros((8, 3))
    assert not welch(still, chosen).any()
    assert not paired_t(still, chosen).any()
    # Neither group varies, and they differ.
    apart = np.repeat([[unit], [0.0]], 4, axis=0)
    assert welch(apart, np.repeat([[True, False]], 4, axis=1))[0, 0] == np.inf


def test_a_corrected_p_of_the_level_itself_counts():
    values = np.random.default_rng(3).normal(size=(12, 1, 8, 4)) + 3 * np.repeat([0, 1], 6)[:, None, None, None]
    result = compare_groups(Explanation(values, np.ones((12, 1, 8), bool)), ["a", "b"] * 3 + ["b", "a"] * 3)
    corrected = result.to_frame()["p_corrected"]
    for p in corrected.unique():
        assert len(result.different(level=p)) == (corrected <= p).sum()
        assert len(result.different(level=np.nextafter(p, 0))) == (corrected < p).sum()
    assert result.different(1)["p_corrected"].is_monotonic_increasing
