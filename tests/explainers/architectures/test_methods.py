"""Every architecture explained at its input, by methods that need no layer."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

import stexplain as stx
from tests.explainers.architectures.by_hand import called, canonical, input_gradient, relative_error
from tests.explainers.architectures.case import Case
from tests.explainers.architectures.zoo import MAKERS, built

every_architecture = pytest.mark.parametrize("name", MAKERS)


def score_of(case: Case, x: Tensor) -> np.ndarray:
    """The score by hand."""
    with torch.no_grad():
        return case.score(called(case, x)).numpy()


@every_architecture
def test_input_gradient_equals_autograd(name):
    case = built(name)
    gradient = input_gradient(case)
    options = {"inputs": case.inputs, **case.options}
    summed = stx.InputGradient(case.model, reduce="sum", **options)(case.x, target=case.target, **case.arguments)
    assert relative_error(summed.values, gradient.sum(-1)) < 1e-5
    assert relative_error(summed.channels, gradient) < 1e-5
    assert relative_error(summed.score, score_of(case, case.x)) < 1e-5
    norm = stx.InputGradient(case.model, **options)(case.x, target=case.target, **case.arguments)
    assert relative_error(norm.values, gradient.norm(dim=-1)) < 1e-5


@every_architecture
def test_integrated_gradients_add_up(name):
    """What is in the sum is the score less the score of zeros, with the indices as they are."""
    case = built(name)
    explain = stx.IntegratedGradients(case.model, steps=96, inputs=case.inputs, **case.options, **case.named_signals)
    e = explain(case.x, target=case.target, **case.arguments)
    without = torch.zeros_like(case.x)
    if case.clock_channels:
        without[..., -case.clock_channels :] = case.x[..., -case.clock_channels :]
        assert not e.channels[..., -case.clock_channels :].any()
    drop = score_of(case, case.x) - score_of(case, without)
    # Rectifiers bend the line from zero to the sample: a sum of few terms misses by a little.
    assert np.abs(e.values.sum((1, 2, 3)) - drop).max() < 0.03 * max(np.abs(e.values).sum((1, 2, 3)).max(), 1e-6)


@every_architecture
def test_occlusion_is_the_drop_of_the_score(name):
    """One node at the first half of the frames: its value by hand, and the same at all of these frames."""
    case = built(name)
    half = -(-case.sizes["t"] // 2)
    explain = stx.Occlusion(case.model, window=half, inputs=case.inputs, **case.options, **case.named_signals)
    e = explain(case.x, target=case.target, **case.arguments)
    assert np.isfinite(e.values).all()
    masked = canonical(case.x, case.inputs, case.sizes).clone()
    masked[:, 0, :half, 1, : case.sizes["c"] - case.clock_channels] = 0
    drop = score_of(case, case.x) - score_of(case, case.native(masked))
    found = e.values[:, 0, :half, 1]
    assert np.ptp(found, axis=1).max() == 0
    scale = np.abs(score_of(case, case.x)).max()
    assert np.abs(found[:, 0] - drop).max() < 1e-5 * scale


@every_architecture
@pytest.mark.parametrize("method", ["InputGradient", "IntegratedGradients", "Occlusion"])
def test_model_and_signals_stay_as_they_are(name, method):
    case = built(name)
    options = {"Occlusion": {"window": None}, "IntegratedGradients": {"steps": 64}}.get(method, {})
    kept, state = case.x.clone(), copy.deepcopy(case.model.state_dict())
    further = copy.deepcopy([case.shared, case.per_sample])
    explain = getattr(stx, method)(case.model, inputs=case.inputs, **case.options, **case.named_signals, **options)
    explain(case.x, target=case.target, **case.arguments)
    assert torch.equal(case.x, kept)
    assert not case.model.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in case.model.parameters())
    assert all(torch.equal(value, state[key]) for key, value in case.model.state_dict().items())
    for before, after in zip(further, [case.shared, case.per_sample], strict=True):
        assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert not any(module._forward_hooks for module in case.model.modules())
