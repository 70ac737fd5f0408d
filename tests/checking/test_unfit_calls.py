"""Calls that do not fit a function: the message says what it takes, so that no one must look it up."""

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.errors import InputError

MODEL = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
X = torch.randn(2, 4, 3)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: stx.fit(MODEL, None, epochs=3), r"argument 'epochs'. It takes model, train, recipe, "),
        (lambda: stx.load_regions(X, label=[0, 1]), r"argument 'label'. Did you mean 'labels'\?"),
        (lambda: stx.InputGradient(MODEL, inputs="b t n")(X, n_steps=4), r"'n_steps'. It takes x, target, valid, "),
        (
            lambda: stx.IntegratedGradients(MODEL, n_steps=4),
            r"^IntegratedGradients\(\) got.*Did you mean 'steps'",
        ),
        (
            lambda: stx.IntegratedGradients(MODEL, zzz=4),
            r"^IntegratedGradients\(\).*It takes model, baseline, steps, ",
        ),
        (
            lambda: stx.IntegratedGradients(MODEL, inputs="b t n")(X, baselines="mean"),
            r"'baselines'. It is given to IntegratedGradients\(model, baseline=...\), not to the call",
        ),
        (lambda: stx.STGraph("abc"), r"^STGraph\(\) missing 1 required positional argument: 'edges'"),
        (lambda: stx.trust(MODEL, None, X, [0, 1]), r"positional arguments but 4 were given. By name alone: labels=, "),
        (lambda: stx.metrics.contrastivity(np.ones((2, 3)), nodes=3), r"'nodes'. It takes psi"),
        (lambda: stx.WindowedSeries(np.ones((9, 2)), windows=3), r"'windows'. Did you mean 'window'\?"),
    ],
)
def test_what_a_function_takes_is_said(call, match):
    with pytest.raises(TypeError, match=match):
        call()


def test_an_error_of_a_model_stays_what_it_is():
    class Odd(nn.Module):
        def forward(self, x):
            return self.helper(other=x)

        def helper(self, x):
            return x

    with pytest.raises(InputError, match=r"Odd raised TypeError.*unexpected keyword argument 'other'$"):
        stx.explain(Odd(), X, inputs="b t n", target=lambda y: y.sum((1, 2)))


def test_what_is_missing_is_said_by_python():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        stx.explain(MODEL)
