"""Labels of groups: which of nested ones counts, which are none, and sums over the samples of each."""

import numpy as np
import pandas as pd
import pytest

from stexplain.errors import InputError
from stexplain.intervals.groups import group_codes, group_names, group_sums, is_missing


@pytest.mark.parametrize(
    ("labels", "codes"),
    [
        (["b", "a", "b", "c"], [1, 0, 1, 2]),
        ([7, 3, 3, 9], [1, 0, 0, 2]),
        ([[7, 0], [3, 1], [3, 2], [7, 3]], [1, 0, 0, 1]),
        ([["p2"], ["p1"], ["p2"], ["p2"]], [1, 0, 1, 1]),
        # Of several types, their text sorts: "1.5" before "a".
        (np.array(["a", 1.5, "a", 2], object), [2, 0, 2, 1]),
        (pd.to_datetime(["2026-01-02", "2026-01-01", "2026-01-02", "2026-01-03"]), [1, 0, 1, 2]),
        (None, [0, 1, 2, 3]),
    ],
)
def test_codes_are_numbers_in_the_order_of_the_labels(labels, codes):
    assert group_codes(labels, 4).tolist() == codes


@pytest.mark.parametrize("labels", [["a"] * 3, ["a"] * 5, "a", [[["a"]]] * 4, [[]] * 4, [["a", "b"]] * 3])
def test_anything_but_a_label_for_each_is_refused(labels):
    with pytest.raises(InputError, match=r"groups: got .*a label per sample, \[4\], or nested ones"):
        group_codes(labels, 4)


def test_ragged_labels_are_shown():
    with pytest.raises(InputError, match=r"people: got .*of which there is no array; expected a label per sample"):
        group_names([["a", "b"], ["a"]], 2, "people")


def test_a_label_that_is_missing_is_told_by_its_text_where_it_is_one():
    with pytest.raises(InputError, match="people: got no label for sample 1, but 'nan'; expected"):
        group_names(["ann", "nan", "bob"], 3, "people")
    for missing in (np.array([1.0, 2.0, np.nan]), np.array(["2026-01-01", "2026-01-02", "NaT"], "M8[D]")):
        with pytest.raises(InputError, match="got no label for sample 2; expected"):
            group_names(missing, 3)
    with pytest.raises(InputError, match="got no label for sample 0; expected"):
        group_names(np.array([None, "a", 3], object), 3)


@pytest.mark.parametrize("label", [None, np.nan, pd.NA, pd.NaT, "nan", "NaT", "<NA>"])
def test_labels_that_are_none(label):
    assert is_missing(label)


@pytest.mark.parametrize("label", ["", "none", "None", 0, 0.0, False, "a"])
def test_labels_that_only_look_so(label):
    assert not is_missing(label)


def test_sums_are_over_the_samples_of_each_group_that_has_any():
    values = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0], [8.0, 80.0]])
    found = group_sums(values, np.array([5, 2, 5, 9]))
    assert found.tolist() == [[2.0, 20.0], [5.0, 50.0], [8.0, 80.0]]
    assert group_sums(values[:, 0], np.array([0, 0, 0, 1])).tolist() == [7.0, 8.0]
