"""Two groups of explanations, as they are read: sentences, and tables with short numbers."""

import numpy as np
import pandas as pd
import pytest

from stexplain.explainers.explanation import Explanation
from stexplain.metrics.groups.compare import compare_groups
from stexplain.metrics.groups.readable import readable
from tests.metrics.groups.group_maps import NAMES, maps


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
    numbers = {"reference": [0.1445, 0.001, 0], "other": [0.1736, 0.0010042, 0], "difference": [0.0291, 0.0000042, 0]}
    ends = {"low": [0.0266, 0.000002, 0], "high": [0.0316, 0.000007, 0], "p": [0.01, 0.02, 1], "p_corrected": 0.01}
    # Zero itself, as of a node that is never highlighted, needs no digits.
    table = pd.DataFrame({"kind": "node", "name": ["ankle", "hip", "head"], **numbers, **ends})
    shown, factor = readable(table, "usual", "limping")
    assert factor == "in 10⁻³"
    assert shown["difference"].tolist() == ["29.100", "0.004", "0.000"]
    assert shown["95% interval"].tolist() == ["26.600 to 31.600", "0.002 to 0.007", "0.000 to 0.000"]


@pytest.mark.parametrize(
    ("size", "shown", "factor"),
    [
        (0.0, "0.00", ""),
        (0.0999, "99.9", "in 10⁻³"),
        (0.1, "0.100", ""),
        (1.0, "1.00", ""),
        (9999.0, "9999", ""),
        (10_000.0, "10.0", "in 10³"),
    ],
)
def test_numbers_have_three_digits_and_a_factor_where_they_are_far_from_one(size, shown, factor):
    numbers = {name: [size] for name in ("reference", "other", "difference", "low", "high")}
    found = readable(pd.DataFrame({"kind": "node", "name": ["hip"], **numbers, "p": 1.0, "p_corrected": 1.0}), "a", "b")
    assert (found[0]["difference"].tolist(), found[1]) == ([shown], factor)


def test_a_corrected_p_of_the_level_itself_counts():
    values = np.random.default_rng(3).normal(size=(12, 1, 8, 4)) + 3 * np.repeat([0, 1], 6)[:, None, None, None]
    result = compare_groups(Explanation(values, np.ones((12, 1, 8), bool)), ["a", "b"] * 3 + ["b", "a"] * 3)
    corrected = result.to_frame()["p_corrected"]
    for p in corrected.unique():
        assert len(result.different(level=p)) == (corrected <= p).sum()
        assert len(result.different(level=np.nextafter(p, 0))) == (corrected < p).sum()
    assert result.different(1)["p_corrected"].is_monotonic_increasing


def test_a_row_of_exactly_the_level_differs():
    values = np.random.default_rng(9).gamma(50, size=(12, 3))
    values[6:, 2] *= 3
    result = compare_groups(maps(values), ["control"] * 6 + ["patient"] * 6, windows=0)
    smallest = float(result.to_frame()["p_corrected"].min())
    assert len(result.different(smallest)) >= 1
    assert (result.different(smallest)["p_corrected"] == smallest).all()
    assert result.different(np.nextafter(smallest, 0)).empty
