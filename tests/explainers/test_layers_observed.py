"""`layers` and `adjacencies` of samples with silent sensors: what is missing goes to the model as zero."""

import numpy as np
import pytest
import torch

import stexplain as stx
from stexplain.errors import InputError


class Roads(torch.nn.Module):
    """A step over time, one over the road, and a score of each node."""

    def __init__(self):
        super().__init__()
        self.register_buffer("road", torch.eye(5).roll(1, 0))
        self.time = torch.nn.Conv2d(1, 3, (3, 1), padding=(1, 0))
        self.head = torch.nn.Conv2d(3, 1, (8, 1))

    def forward(self, x):
        found = torch.einsum("bctn,nm->bctm", self.time(x[:, None]), self.road)
        return self.head(found.relu())[:, 0, 0]


def samples():
    torch.manual_seed(0)
    x = torch.randn(2, 8, 5)
    observed = np.ones((2, 8, 5), bool)
    observed[0, 2, 3] = observed[1, :, 4] = False
    return Roads(), x, observed


@pytest.mark.parametrize("listing", [stx.layers, stx.adjacencies])
def test_what_is_missing_is_zero_and_the_rest_is_as_before(listing):
    model, x, observed = samples()
    gaps = x.masked_fill(torch.from_numpy(~observed), float("nan"))
    found = listing(model, gaps, inputs="b t n", observed=observed)
    whole = listing(model, x.masked_fill(torch.from_numpy(~observed), 0.0), inputs="b t n")
    assert len(found)
    assert found.to_dict("list") == whole.to_dict("list")
    assert torch.isnan(gaps).any(), "the caller's samples stay as they are"


@pytest.mark.parametrize("listing", [stx.layers, stx.adjacencies])
def test_missing_values_without_their_mask_are_refused(listing):
    model, x, observed = samples()
    gaps = x.masked_fill(torch.from_numpy(~observed), float("nan"))
    with pytest.raises(InputError, match="observed"):
        listing(model, gaps, inputs="b t n")
