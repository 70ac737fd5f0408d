"""What a method computes before it is an explanation: how much of a map lies on padding."""

import numpy as np
import pytest
import torch

from stexplain.explainers.results.maps import as_array, padding_share_of


def test_the_share_on_padding_is_that_of_the_sizes_whatever_their_sign():
    values = torch.tensor(
        [[[[1.0, -2.0], [3.0, 0.0]], [[0.0, 4.0], [-5.0, 0.0]]], [[[0.5, 0], [0, 0]], [[0, 0], [0, 0]]]]
    )
    valid = torch.tensor([[[True, False], [False, True]], [[True, True], [True, True]]])
    # Of the first sample 3 and 4 of 15 lie on padding, of the second none.
    np.testing.assert_allclose(padding_share_of(values, valid), [7 / 15, 0.0])
    # In any unit, and of a map of zeros none.
    np.testing.assert_allclose(padding_share_of(values * 2.0**-60, valid), [7 / 15, 0.0])
    assert padding_share_of(torch.zeros_like(values), ~valid).tolist() == [0.0, 0.0]
    assert padding_share_of(values, valid & False).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_numbers_of_any_precision_are_arrays(dtype):
    found = as_array(torch.tensor([0.5, -2.0], dtype=dtype, requires_grad=True))
    assert (found.dtype, found.tolist()) == (np.float32, [0.5, -2.0])
    assert as_array(None) is None
    assert as_array(torch.tensor([1, 0]), np.bool_).tolist() == [True, False]
