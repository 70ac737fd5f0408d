"""What an explanation costs, counted."""

import copy
import re
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.metrics import counted_inferences
from tests.explainers.our_models import batch, small_model


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


COSTS = re.compile(r"`~stexplain\.(?:\w+\.)*(\w+)`[^|]*\|[^|]*\| ([^|]*) \|")
ROW = {
    name: int((re.findall(r": (\d+)", cost) or re.findall(r"\d+", cost))[0])
    for line in (Path(__file__).parents[3] / "docs" / "methods.md").read_text("utf-8").splitlines()
    for name, cost in COSTS.findall(line)
    # Of the others the cost depends on the number of nodes, windows and groups.
    if re.search(r": \d+|^[12]\b(?! (per|map))", cost)
}


def test_the_costs_that_the_documentation_says_are_found():
    assert {"ExpectedFall": 33, "ExpectedGradients": 35, "STGGradCAM": 2, "CAM": 1}.items() <= ROW.items()
    assert {"IntegratedGradients", "GradientSHAP", "LearnedMask", "HiResCAM", "InputGradient"} <= ROW.keys()


@pytest.mark.parametrize(("method", "cost"), [row for row in ROW.items() if row[0] != "layer_sweep"])
def test_methods_cost_what_the_documentation_says(method, cost):
    model, samples = small_model(), batch(samples=2)
    explain = getattr(stx, method)(model)
    with warnings.catch_warnings():
        # Whether few steps suffice for so small a network is another question.
        warnings.filterwarnings("ignore", message=".*No convergence")
        explain(samples, target=stx.Class(1))
        with counted_inferences(model) as counted:
            explain(samples, target=stx.Class(1))
    assert counted.per_sample(samples.x.numel()) == cost
