from dataclasses import replace

import captum.attr
import numpy as np
import pytest
import torch
from torch import nn

from stexplain.data.baselines import as_baseline, mean
from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.targets import Class, Custom, Predicted
from tests.explainers.our_models import NODES, batch, small_model
from tests.explainers.small_models import PlainSTGCN, Recurrent, linear, signals


def test_a_linear_model_in_closed_form():
    weight, x, baseline = signals(2, 4, 3, 2, seed=1), signals(3, 2, 4, 3, 2), signals(3, 2, seed=2)
    for start, expected in (("zero", weight * x), (baseline, weight * (x - baseline))):
        with IntegratedGradients(linear(weight), inputs="b m t n c", baseline=start, steps=3) as explain:
            e = explain(x, target=Class(1))
        np.testing.assert_allclose(e.values, expected.sum(-1), atol=1e-5)
        np.testing.assert_allclose(e.extra["convergence_delta"], 0, atol=1e-5)


@pytest.mark.parametrize("classes", [[1, 3], None], ids=["named", "predicted"])
def test_equals_captum_called_directly(classes):
    model, x = PlainSTGCN().eval(), signals(2, 3, 12, 5, 2)
    x[1] *= -2  # else both samples are of one class
    numbers = model(x).argmax(1).tolist() if classes is None else classes
    direct, delta = captum.attr.IntegratedGradients(model).attribute(
        x, target=numbers, n_steps=20, return_convergence_delta=True
    )
    for copies, chunk in ((1, None), (8, None), (7, 1)):
        with IntegratedGradients(model, inputs="b c t n m", steps=20, copies=copies, chunk=chunk) as explain:
            e = explain(x, target=Predicted() if classes is None else Class(classes))
        np.testing.assert_allclose(e.values, direct.sum(1).permute(0, 3, 1, 2).detach(), atol=1e-5)
        np.testing.assert_allclose(e.extra["convergence_delta"], delta, atol=1e-5)
        assert e.targets.tolist() == numbers


def trained_model():
    """Classifies which of four nodes of the first instance is raised."""
    model, random = small_model().train(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(40):
        label = torch.randint(4, (16,), generator=random)
        x = torch.randn(16, 1, 12, NODES, 3, generator=random, dtype=torch.float64)
        x[range(16), 0, :, label] += 2
        loss = nn.functional.cross_entropy(model(x), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.4
    return model


@pytest.mark.parametrize("trained", [False, True], ids=["random", "trained"])
def test_values_are_complete(trained):
    model, samples = trained_model() if trained else small_model(), batch()
    for baseline in ("zero", "interpolation", mean):
        with IntegratedGradients(model, baseline=baseline, steps=64, copies=64) as explain:
            e = explain(samples, target=Class(2))
        start = as_baseline(baseline)(samples.x, samples.valid, model.graph)
        with torch.no_grad():
            change = (model.eval()(samples.x, samples.valid) - model(start, samples.valid))[:, 2].numpy()
        sums = e.values.sum((1, 2, 3))
        np.testing.assert_allclose(sums, change, atol=0.02 * np.abs(change).max())
        np.testing.assert_allclose(e.extra["convergence_delta"], sums - change, atol=1e-6 * np.abs(change).max())


@pytest.mark.filterwarnings("ignore:.*No convergence")
def test_more_steps_leave_less_undone():
    model, x = Recurrent().double().eval(), 9 * signals(4, 6, 5, 2)
    deltas = []
    for steps in (1, 8, 32):
        with IntegratedGradients(model, inputs="b t n c", steps=steps) as explain:
            deltas.append(np.abs(explain(x, target=Class(1)).extra["convergence_delta"]).max())
    assert deltas[0] > 10 * deltas[1] > 100 * deltas[2]


def test_one_class_all_the_way():
    """On the way from zero to x the predicted class changes; the class of x is meant, not the highest logit."""

    class Two(nn.Module):
        def forward(self, x):
            x = x.flatten(1)
            return torch.stack([x[:, 0], 1 - x[:, 1]], 1)

    x = torch.tensor([2.0, 1.0]).view(1, 1, 1, 2, 1)
    with IntegratedGradients(Two()) as explain:
        e = explain(x, target=Predicted())
    np.testing.assert_allclose(e.values.flatten(), [2.0, 0.0], atol=1e-6)


def test_what_is_not_observed_has_no_part():
    model, samples = small_model(), batch()
    observed = signals(*samples.x.shape[:-1], seed=3) > -0.5
    with IntegratedGradients(model) as explain:
        e = explain(replace(samples, x=samples.x * observed[..., None], observed=observed), target=Class(0))
    assert not e.values[~observed.numpy()].any()


def test_wrong_use():
    for wrong in ({"steps": 0}, {"copies": 0}):
        with pytest.raises(InputError, match="expected at least 1"):
            IntegratedGradients(PlainSTGCN(), **wrong)
    x = signals(1, 3, 6, 5, 1)
    constant = Custom(lambda output: output.detach()[:, 0])
    for options, target, message in (
        ({}, constant, "differentiable"),
        ({"baseline": "neighbours"}, Class(0), "needs the graph"),
        ({"baseline": "zeros"}, Class(0), "Did you mean 'zero'"),
    ):
        explain = IntegratedGradients(PlainSTGCN(), inputs="b c t n m", **options)
        with pytest.raises(InputError, match=message):
            explain(x, target=target)
