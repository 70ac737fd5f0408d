"""Contributions that do not add up are said not to."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.explainers.methods.gradient.gradient_shap import GradientSHAP
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.graph_ablated import GraphAblated
from stexplain.explainers.targets import Class, Predicted
from tests.explainers.our_models import batch, small_model
from tests.explainers.small_models import AdaptiveGraph, DiffusionRecurrent, PlainSTGCN, Recurrent, signals


class Jumps(nn.Module):
    """x ``[B, T, N, C]``: the score is a step of the first channel, which no gradient sees, beside the second's sum."""

    def forward(self, x):
        return (10 * (x[..., :1] > 0.5) + x[..., 1:]).sum((1, 3))


METHODS = [
    (IntegratedGradients, {}, "`steps` \\(now 32\\)"),
    (GradientSHAP, {"baselines": ["zero"]}, "`draws` \\(now 32\\)"),
]


@pytest.mark.parametrize(("kind", "options", "remedy"), METHODS)
def test_a_jump_on_the_way_is_warned_of_with_its_size(kind, options, remedy):
    x = torch.ones(3, 4, 5, 2)
    # Without a jump in the second sample.
    x[1, ..., 0] = 0
    explain = kind(Jumps(), inputs="b t n c", signals=[0, 1], **options)
    with pytest.warns(UserWarning, match=f"No convergence: .* in 2 of 3 samples.* 44, by up to 40. Give more {remedy}"):
        e = explain(x, target=Class(1))
    # The sum of the second channel is 4; the first channel's 40 are missing.
    np.testing.assert_allclose(e.extra["convergence_delta"], [-40, 0, -40], atol=1e-4)
    assert len(e.notes) == 1
    assert "No convergence" in e.notes[0]
    # A file keeps the note.
    assert e[1].notes == e.notes


@pytest.mark.parametrize(("kind", "options", "remedy"), METHODS)
def test_said_once_for_all_chunks(kind, options, remedy):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kind(Jumps(), inputs="b t n c", signals=[0, 1], chunk=1, **options)(torch.ones(3, 4, 5, 2), target=Class(1))
    assert len(caught) == 1
    assert "3 of 3 samples" in str(caught[0].message)


def test_more_steps_cure_what_is_only_coarse():
    x = signals(4, 6, 5, 2).abs()

    class Sharp(nn.Module):
        def forward(self, x):
            return torch.tanh(30 * x.sum(-1)).sum(1)

    with pytest.warns(UserWarning, match="No convergence"):
        IntegratedGradients(Sharp(), inputs="b t n c", steps=2)(x, target=Class(1))
    assert IntegratedGradients(Sharp(), inputs="b t n c", steps=128)(x, target=Class(1)).notes == ()


@pytest.mark.parametrize("kind", [IntegratedGradients, GradientSHAP])
def test_networks_of_known_kinds_raise_no_alarm(kind):
    """Warnings are errors here."""
    for model, inputs, shape in (
        (PlainSTGCN(), "b c t n m", (6, 3, 24, 5, 2)),
        (Recurrent(), "b t n c", (6, 12, 5, 2)),
        (AdaptiveGraph(), "b c t n", (6, 3, 12, 5)),
    ):
        for scale in (0.3, 1.0, 3.0):
            assert kind(model, inputs=inputs)(scale * signals(*shape), target=Predicted()).notes == ()
    assert kind(DiffusionRecurrent(), inputs="b t n c")(signals(6, 12, 5, 2), target=lambda y: y[:, 0, 1]).notes == ()


def test_a_score_that_does_not_change_is_no_gap():
    """A dead network: contributions and difference are zero but for rounding."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(40, 3))
    nn.init.zeros_(model[1].weight)
    assert IntegratedGradients(model, inputs="b t n c")(signals(2, 4, 5, 2), target=Class(1)).notes == ()


def test_what_an_explainer_wraps_is_checked_too():
    class Steps(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner, self.graph = inner, inner.graph

        def forward(self, x, valid=None):
            return self.inner(x) + 100 * (x > 0.5).to(x.dtype).sum((1, 2, 3, 4))[:, None]

    samples = batch()
    with pytest.warns(UserWarning, match="without the graph: No convergence"):
        GraphAblated(IntegratedGradients(Steps(small_model())))(samples, target=Class(1))
