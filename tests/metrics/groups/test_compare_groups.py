"""Two groups of explanations: tests against slow ones written out, their error rates, designs and refusals."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph
from stexplain.metrics.groups.compare import compare_groups
from stexplain.metrics.groups.permutation import p_values, paired_t, welch
from tests.metrics.groups.group_maps import NAMES, maps, of


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


@pytest.mark.parametrize("sizes", [(2, 2), (2, 9), (9, 2)])
def test_intervals_of_two_clusters_are_welchs_too(sizes):
    """Whose degrees of freedom are then between one and two."""
    values = np.random.default_rng(4).gamma(2, size=(sum(sizes), 3))
    groups = ["a"] * sizes[0] + ["b"] * sizes[1]
    table = compare_groups(maps(values), groups, windows=0, confidence=0.9).to_frame()
    expected = stats.ttest_ind(values[sizes[0] :], values[: sizes[0]], equal_var=False).confidence_interval(0.9)
    np.testing.assert_allclose(table[["low", "high"]].to_numpy().T, expected, rtol=1e-5)


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
        ({"clusters": [0]}, r"clusters: got shape \(1,\)"),
        ({"clusters": ["s", "s", "t", "u", "u", np.nan]}, "clusters: got no label for sample 5"),
        ({"groups": [["a"]] * 3 + [["b"]] * 3}, r"groups: got \['a'\] for sample 0; expected one label"),
        ({"groups": np.array(["a", "a", "a", "b", "b", np.nan])}, "groups: sample 5 has no label"),
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


@pytest.mark.parametrize("paired", [False, True])
def test_p_of_a_node_is_its_own_however_small_it_is_beside_another(paired):
    random = np.random.default_rng(4)
    values, groups = random.random((14, 2)), [0] * 7 + [1] * 7
    values[7:, 1] += 0.3
    clusters = {"clusters": [*range(7), *range(7)]} if paired else {}

    def p(scale):
        return compare_groups(maps(values * [1.0, scale]), groups, windows=0, **clusters).to_frame()["p"].tolist()

    expected = p(1.0)
    assert min(expected) > 0
    for scale in (1e-11, 1e-12, 1e-13, 1e-20, 1e12):
        assert p(scale) == pytest.approx(expected)


def test_of_nested_clusters_the_outermost_counts():
    values = np.random.default_rng(3).random((8, 3))
    groups, subjects = [0] * 4 + [1] * 4, np.repeat(np.arange(4), 2)
    nested = np.stack([subjects, np.arange(8)], 1)
    expected = compare_groups(maps(values), groups, clusters=subjects.tolist(), windows=0)
    for given in (nested, nested.tolist()):
        found = compare_groups(maps(values), groups, clusters=given, windows=0)
        assert found.clusters == (2, 2)
        assert found.to_frame().equals(expected.to_frame())


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
