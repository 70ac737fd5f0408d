"""What is measured of a model, for the length of a block in which a part of it is called in its place."""

import pytest
import torch
from torch import nn

from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.locality import Locality, called_on

MEASURED = ("_ways", "_axes_by_kind", "_index_channels")


def callers():
    """A caller that works around another; both have measured something of the model."""
    outer, inner = ModelCaller(nn.Linear(1, 1)), ModelCaller(nn.Linear(1, 1))
    outer.explainer = inner
    for one in (outer, inner):
        for name in MEASURED:
            setattr(one, name, {"kind": name})
    return outer, inner


@pytest.mark.parametrize("proven", [True, False, None])
def test_what_was_measured_of_the_whole_is_kept_where_the_part_is_proven_to_be_alike(proven):
    """And where there is no part at all."""
    part = None if proven is None else Locality(nn.Linear(1, 1), torch.tensor([True]), proven)
    both = callers()
    with called_on(both[0], part):
        for one in both:
            assert one._locality is part
            for name in MEASURED:
                assert getattr(one, name) == ({} if proven is False else {"kind": name})
                getattr(one, name)["inside"] = name
    for one in both:
        assert one._locality is None
        for name in MEASURED:
            assert getattr(one, name) == {"kind": name} | ({} if proven is False else {"inside": name})
