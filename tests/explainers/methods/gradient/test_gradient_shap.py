import captum.attr
import numpy as np
import pytest
import torch

from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.gradient_shap import GradientSHAP
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.random_generator import own_generator
from stexplain.explainers.targets import Class
from tests.explainers.our_models import batch, small_model
from tests.explainers.small_models import PlainSTGCN, Recurrent, linear, signals


def test_a_linear_model_in_closed_form():
    weight, x, starts = signals(2, 4, 3, 2, seed=1), signals(3, 2, 4, 3, 2), signals(5, 2, 4, 3, 2, seed=2)
    with GradientSHAP(linear(weight), inputs="b m t n c", baselines=starts, draws=40) as explain:
        e = explain(x, target=Class(1))
    for row in range(3):
        drawn = own_generator(0, "", x[row].numpy()).integers(5, size=40)
        expected = (weight * (x[row] - starts[drawn].mean(0))).sum(-1)
        np.testing.assert_allclose(e.values[row], expected, atol=1e-5)
    np.testing.assert_allclose(e.extra["convergence_delta"], 0, atol=1e-5)


def test_equals_captum_with_the_same_draws(monkeypatch):
    model, x, draws = PlainSTGCN().eval(), signals(1, 3, 12, 5, 2), 6
    starts = signals(4, 2, 12, 5, 3, seed=3)
    generator = own_generator(7, "", x.permute(0, 4, 2, 3, 1)[0].flatten(0, 1).numpy())
    which, share = generator.integers(4, size=draws), generator.random(draws)
    monkeypatch.setattr(np.random, "choice", lambda *_: which)
    monkeypatch.setattr(np.random, "uniform", lambda *_: share)
    direct = captum.attr.GradientShap(model).attribute(
        x, starts.permute(0, 4, 2, 3, 1), n_samples=draws, stdevs=0.0, target=2
    )
    monkeypatch.undo()
    with GradientSHAP(model, inputs="b c t n m", baselines=starts, draws=draws, seed=7, copies=4) as explain:
        e = explain(x, target=Class(2))
    np.testing.assert_allclose(e.values, direct.sum(1).permute(0, 3, 1, 2).detach(), atol=1e-5)


def test_comes_to_integrated_gradients_with_many_draws():
    model, x = Recurrent().double().eval(), 3 * signals(1, 6, 5, 2)
    with IntegratedGradients(model, inputs="b t n c") as explain:
        exact = explain(x, target=Class(1)).values
    with GradientSHAP(model, inputs="b t n c", baselines=["zero"], draws=2000, copies=500) as explain:
        e = explain(x, target=Class(1))
    assert np.abs(e.values - exact).max() < 0.05 * np.abs(exact).max()
    assert abs(e.extra["convergence_delta"][0]) < 0.05 * np.abs(exact.sum())


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_draws_are_a_samples_own(noise):
    model, samples = small_model(), batch()
    options = {"draws": 5, "noise": noise}
    with GradientSHAP(model, **options) as explain:
        whole = explain(samples, target=Class(1)).values
        turned = explain(samples[1:], target=Class(1)).values
    np.testing.assert_allclose(turned, whole[1:], rtol=1e-5, atol=1e-8)
    with GradientSHAP(model, copies=2, chunk=1, **options) as explain:
        np.testing.assert_allclose(explain(samples, target=Class(1)).values, whole, rtol=1e-5, atol=1e-8)
    with GradientSHAP(model, seed=1, **options) as explain:
        assert np.abs(explain(samples, target=Class(1)).values - whole).max() > 1e-3 * np.abs(whole).max()


def test_noise_is_of_its_size_and_never_on_padding():
    class Square(torch.nn.Module):
        def forward(self, x):
            return x.square().sum((1, 2, 3, 4))[:, None]

    valid = torch.ones(1, 1, 6, dtype=torch.bool)
    valid[0, 0, 4:] = False
    with GradientSHAP(Square(), baselines=["zero"], draws=3000, copies=3000, noise=0.5) as explain:
        values = explain(torch.zeros(1, 1, 6, 5, 2), target=Class(1), valid=valid).values
    # Each is a mean of 2 channels' 2 u e^2, of which the mean is 0.25.
    np.testing.assert_allclose(values[0, 0, :4], 0.5, atol=0.06)
    assert not values[0, 0, 4:].any()


def test_wrong_use():
    for wrong, message in (
        ({"draws": 0}, "draws: got 0"),
        ({"baselines": "zero"}, "baselines: got 'zero'; expected a list"),
        ({"baselines": []}, r"baselines: got \[\]; expected a list"),
        ({"noise": -1.0}, "noise: got -1.0"),
    ):
        with pytest.raises(InputError, match=message):
            GradientSHAP(PlainSTGCN(), **wrong)


def test_draws_that_are_all_alike_have_no_standard_error():
    """A linear score has one gradient: of one baseline each draw gives the same, whatever its size."""
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 1, bias=False))
    model[1].weight.data.copy_(torch.tensor([[1e3, 3.0, 0.1, 7.0]]))
    x = torch.tensor([1.1, 2.2, 3.3, 4.4]).view(1, 1, 2, 2, 1)
    e = GradientSHAP(model, baselines=["zero"])(x, target=Class(1))
    assert (np.abs(e.standard_error) <= 1e-7 * np.abs(e.values)).all()
    # Of a score that is not linear it is that of the draws, computed in float64.
    square = GradientSHAP(model, baselines=["zero"], draws=4)(x, target=lambda output: output[:, 0] ** 2)
    assert (square.standard_error > 0.05 * np.abs(square.values)).all()
