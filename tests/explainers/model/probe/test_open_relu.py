"""Open rectifiers: what passes, what is left alone, and that only what is done in place changes what it is given."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stexplain.explainers.model.probe.open_relu import OpenReLU, leaky

X = torch.linspace(-3, 3, 24).view(2, 3, 4)


@pytest.mark.parametrize("relu", [torch.relu, F.relu, nn.ReLU(), torch.Tensor.relu, lambda x: F.relu(input=x)])
def test_a_relu_is_leaky_and_leaves_its_input(relu):
    x = X.clone()
    with OpenReLU():
        assert torch.equal(relu(x), leaky(X))
    assert torch.equal(x, X)
    assert torch.equal(relu(x), X.clamp(min=0))


@pytest.mark.parametrize(
    "relu", [torch.relu_, nn.ReLU(inplace=True), lambda x: F.relu(x, inplace=True), lambda x: F.relu(x, True)]
)
def test_in_place_the_tensor_itself_changes(relu):
    x = X.clone()
    with OpenReLU():
        assert relu(x) is x
    assert torch.equal(x, leaky(X))


def test_leaky_is_positive_and_rises():
    found = leaky(X.flatten())
    assert (found > 0).all()
    assert (found.diff() > 0).all()
    # x and a hundredth where x is positive; a hundredth of 1 / (1 - x) below.
    torch.testing.assert_close(leaky(torch.tensor([2.0, -1.0, -3.0])), torch.tensor([2.01, 0.005, 0.0025]))


def test_a_maximum_is_a_mean_where_it_can_be():
    with OpenReLU():
        assert torch.equal(F.max_pool1d(X, 2), F.avg_pool1d(X, 2))
        assert torch.equal(nn.MaxPool1d(2, stride=1, padding=1)(X), F.avg_pool1d(X, 2, 1, 1))
        assert torch.equal(nn.MaxPool2d((1, 2))(X[None]), F.avg_pool2d(X[None], (1, 2)))
        # A mean has no place of its own, and no holes.
        values, places = F.max_pool1d(X, 2, return_indices=True)
        spread = F.max_pool1d(X, 2, dilation=2)
    assert torch.equal(values, F.max_pool1d(X, 2))
    assert places[0, 0].tolist() == [1, 3]
    assert torch.equal(spread, F.max_pool1d(X, 2, dilation=2))
    whole = torch.arange(-2, 3)
    with OpenReLU():
        assert torch.relu(whole).tolist() == [0, 0, 0, 1, 2]
