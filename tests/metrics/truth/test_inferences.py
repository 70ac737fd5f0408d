"""What an explanation costs, counted."""

import copy

import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.metrics import counted_inferences


def small() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(24, 3))


X = torch.randn(5, 1, 4, 3, 2)


def test_methods_cost_what_they_do():
    model = small()
    # Occlusion runs the samples as they are once: for the score, with which it also compares.
    expected = {
        stx.InputGradient: ({}, 2.0),
        stx.Occlusion: ({"window": 2, "baseline": "zero"}, 1.0 + 3 * 2),
        stx.Motion: ({}, 0.0),
    }
    for method, (options, cost) in expected.items():
        explain = method(model, **options)
        # What is measured once of a model is no part of the cost of a sample.
        explain(X, target=stx.Class(0))
        with counted_inferences(model) as counted:
            explain(X, target=stx.Class(0))
        assert counted.per_sample(X.numel()) == cost, method


def test_copies_of_the_model_count_and_nothing_is_left():
    model = small()
    with counted_inferences(model) as counted:
        copy.deepcopy(model)(X)
    assert counted.per_sample(X.numel()) == 1.0
    with pytest.raises(RuntimeError), counted_inferences(model):
        model(torch.zeros(2, 3))
    assert not model._forward_hooks
    assert not model._forward_pre_hooks


def test_what_has_no_signals_counts_no_entries():
    model = nn.Embedding(5, 2)
    with counted_inferences(model) as counted:
        model(torch.tensor([1, 2, 3]))
    assert (counted.entries, counted.passes) == (0, 1)
