"""Importance and its mask, in every form in which they come."""

import numpy as np
import pandas as pd
import pytest
import torch

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.metrics.arrays import as_array, check_sample_ids, names_of, sample_generator, valid_importance

RANDOM = np.random.default_rng(0)
VALUES = RANDOM.normal(size=(2, 3, 4, 5))
FRAMES = RANDOM.random((2, 3, 4)) < 0.7
READINGS = RANDOM.random(VALUES.shape) < 0.7


@pytest.mark.parametrize("valid", [None, FRAMES, READINGS, torch.from_numpy(FRAMES)], ids=["none", "t", "tn", "tensor"])
def test_what_is_not_valid_is_zero(valid):
    values = VALUES.copy()
    mask = np.ones(VALUES.shape, bool) if valid is None else as_array(valid)
    mask = np.broadcast_to(mask if mask.ndim == 4 else mask[..., None], VALUES.shape)
    # Padding may hold anything.
    values[~mask] = np.nan
    for given in (values, torch.from_numpy(values)):
        importance, found = valid_importance("values", given, valid)
        np.testing.assert_array_equal(importance, np.where(mask, VALUES, 0))
        np.testing.assert_array_equal(found, mask)
    # One sample without its axis.
    importance, found = valid_importance("values", values[0], None if valid is None else valid[0])
    np.testing.assert_array_equal(importance, np.where(mask, VALUES, 0)[:1])
    np.testing.assert_array_equal(found, mask[:1])


def test_an_explanation_brings_what_was_observed_unless_a_mask_is_given():
    e = Explanation(VALUES * READINGS, np.ones(FRAMES.shape, bool), observed=READINGS)
    np.testing.assert_array_equal(valid_importance("values", e)[1], READINGS)
    np.testing.assert_array_equal(valid_importance("values", e, FRAMES)[1], np.repeat(FRAMES[..., None], 5, -1))


@pytest.mark.parametrize(
    ("values", "valid", "words"),
    [
        (VALUES[0, 0], None, r"values has shape \(4, 5\)"),
        (VALUES, FRAMES[:, :2], r"valid has shape \(2, 2, 4\); expected \[b=2, m=3, t=4\]"),
        (VALUES, READINGS[..., :4], r"expected \[b=2, m=3, t=4, n=5\]: got 4 nodes"),
        (np.where(VALUES[1, 0, 2, 3] == VALUES, np.inf, VALUES), None, "values"),
        (pd.DataFrame(VALUES[0, 0]), None, r"values has shape \(4, 5\)"),
    ],
)
def test_what_does_not_fit(values, valid, words):
    with pytest.raises(InputError, match=words):
        valid_importance("values", values, valid)


def test_names():
    assert names_of(["a", "", "c", ""], first=10) == ["a", "sample 11", "c", "sample 13"]
    assert names_of(["", ""]) == ["sample 0", "sample 1"]
    check_sample_ids("e", ["a", "", "c"], ["a", "b", ""])
    with pytest.raises(InputError, match="e: got sample 'c' at index 1; expected 'b'"):
        check_sample_ids("e", ["a", "c"], ["a", "b"])
    with pytest.raises(InputError, match="e: got 1 sample; expected the batch's 2"):
        check_sample_ids("e", ["a"], ["a", "b"])
    draws = [sample_generator(*of).random() for of in ((0, "a"), (1, "a"), (0, "b"), (0, "a"))]
    assert draws[0] == draws[3]
    assert len(set(draws)) == 3


def test_tensors_are_arrays_whether_or_not_they_have_a_gradient():
    assert as_array(torch.ones(2, requires_grad=True)).tolist() == [1.0, 1.0]
    assert as_array([1, 2]).tolist() == [1, 2]
