"""Expected gradients against closed forms; standard errors against simulation."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers import Custom, ExpectedGradients, GradientSHAP
from stexplain.explainers.methods.gradient.expected_gradients import collapsed_standard_error
from stexplain.explainers.random_generator import own_generator

X = torch.randn(3, 1, 6, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
CUBE = Custom(lambda y: y.pow(3).sum(1))


def begins_of(x, reach=0.5):
    """Where the ways begin, by hand: half of the way to the straight line in time, and to the mean over time."""
    share = torch.linspace(0, 1, x.shape[2], dtype=x.dtype)[:, None, None]
    line, mean = x[:, :, :1] + (x[:, :, -1:] - x[:, :, :1]) * share, x.mean(2, keepdim=True).expand_as(x)
    return x + reach * (line - x), x + reach * (mean - x)


@pytest.mark.parametrize("reach", [0.5, 1.0, 0.1])
def test_many_steps_give_the_integral(reach):
    """Of a sum of cubes the mean gradient on a line from b to x, times x - b, is x^3 - b^3; here of a part of it."""
    e = ExpectedGradients(nn.Flatten(), steps=200, reach=reach)(X, target=CUBE)
    line, mean = begins_of(X, reach)
    expected = (X**3 - (line**3 + mean**3) / 2) / reach
    np.testing.assert_allclose(e.channels, expected, rtol=1e-3, atol=2e-3)
    np.testing.assert_allclose(e.values, expected.norm(dim=-1), rtol=1e-3, atol=2e-3)
    np.testing.assert_allclose(e.extra["convergence_delta"], 0, atol=5e-2)


def test_channels_miss_the_difference_of_scores_by_what_is_said():
    e = ExpectedGradients(nn.Flatten(), steps=2)(X, target=CUBE)
    score = X.pow(3).sum((1, 2, 3, 4))
    expected = 2 * (score - sum(b.pow(3).sum((1, 2, 3, 4)) for b in begins_of(X)) / 2)
    np.testing.assert_allclose(e.channels.sum((1, 2, 3, 4)) - expected.numpy(), e.extra["convergence_delta"], atol=1e-4)


def test_of_a_linear_score_nothing_is_left_to_chance():
    e = ExpectedGradients(nn.Flatten(), steps=2, reduce="sum")(X, target=Custom(lambda y: (3 * y).sum(1)))
    # However much of the way is gone: the weight times the distance from the baselines.
    line, mean = begins_of(X, reach=1)
    np.testing.assert_allclose(e.values, 3 * (X - (line + mean) / 2).sum(-1), atol=1e-5)
    assert e.standard_error.max() < 1e-6


def many(reduce, seeds=300, steps=8):
    """Maps and errors of many seeds by the formula, which the explainer's are of the first: it would take long."""
    starts = torch.stack(begins_of(X, reach=1))[:, None]
    found = []
    for seed in range(seeds):
        jitter = torch.from_numpy(np.random.default_rng(seed).random((2, steps)))
        u = (0.5 + 0.5 * (torch.arange(steps) + jitter) / steps).view(2, steps, 1, 1, 1, 1, 1)
        draws = (3 * (starts + u * (X - starts)) ** 2 * (X - starts)).flatten(0, 1)
        mean = draws.mean(0)
        values = mean.sum(-1) if reduce == "sum" else mean.norm(dim=-1)
        along = torch.ones_like(mean) if reduce == "sum" else mean / values[..., None]
        found.append((values, collapsed_standard_error((draws * along).sum(-1))))
    e = ExpectedGradients(nn.Flatten(), steps=steps, reduce=reduce)(X, target=CUBE)
    np.testing.assert_allclose(e.values, found[0][0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(e.standard_error, found[0][1], rtol=1e-3, atol=1e-6)
    return [np.stack([one[which].numpy() for one in found]) for which in range(2)]


def test_it_is_unbiased_and_its_standard_error_errs_upwards_alone():
    """Over seeds: the mean is the integral, and the spread is at most what the standard error says."""
    values, errors = many("sum")
    line, mean = begins_of(X)
    expected = 2 * (X**3 - (line**3 + mean**3) / 2).sum(-1).numpy()
    spread = values.std(0, ddof=1)
    assert (np.abs(values.mean(0) - expected) < 5 * spread / np.sqrt(len(values)) + 1e-6).all()
    assert (np.sqrt((errors**2).mean(0)) > 0.85 * spread).all()
    # Not just large: it falls with the steps, as fast as strata get narrower.
    assert many("sum", 20, steps=32)[1].mean() < 0.25 * errors.mean()


def test_the_standard_error_of_a_norm_covers_its_spread():
    values, errors = many("norm")
    assert (np.sqrt((errors**2).mean(0)) > 0.85 * values.std(0, ddof=1)).mean() > 0.95


def test_the_collapsed_error_is_right_where_strata_are_alike():
    """Independent draws of one distribution: the estimate of the variance of the mean is unbiased."""
    draws = torch.randn(4, 20_000, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(collapsed_standard_error(draws).square().mean(), 1 / 4, rtol=0.03)


def test_gradient_shap_says_the_spread_of_its_mean():
    """Over seeds, by the formula; the explainer's map and error are those of the first."""
    draws, x = 16, X[0].float()
    starts = torch.stack([torch.zeros_like(x), x.mean(1, keepdim=True).expand_as(x)])
    values, errors = [], []
    for seed in range(300):
        random = own_generator(seed, "", x.flatten(0, 1).numpy())
        start, u = starts[random.integers(2, size=draws)], torch.from_numpy(random.random(draws)).view(-1, 1, 1, 1, 1)
        each = (3 * (start + u * (x - start)) ** 2 * (x - start)).sum(-1)
        values.append(each.mean(0).numpy())
        errors.append(each.std(0).numpy() / np.sqrt(draws))
    options = {"baselines": ["zero", "mean"], "draws": draws}
    e = GradientSHAP(nn.Flatten(), **options)(X[:1], target=CUBE)
    np.testing.assert_allclose(e.values[0], values[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(e.standard_error[0], errors[0], rtol=1e-3, atol=1e-5)
    values, errors = np.stack(values), np.stack(errors)
    np.testing.assert_allclose(np.sqrt((errors**2).mean(0)), values.std(0, ddof=1), rtol=0.25, atol=1e-4)
    assert GradientSHAP(nn.Flatten(), baselines=["zero"], draws=1)(X[:1], target=CUBE).standard_error is None


def test_other_settings_have_another_name():
    assert ExpectedGradients(nn.Flatten()).method == "expected gradients"
    assert (
        ExpectedGradients(nn.Flatten(), baselines=["zero"], reach=1, steps=4).method
        == "expected gradients (baselines zero, reach 1, steps 4)"
    )
    assert ExpectedGradients(nn.Flatten(), reach=0.25).method == "expected gradients (reach 0.25)"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 3}, "steps: got 3; expected an even number"),
        ({"baselines": "zero"}, "baselines: got 'zero'; expected a list"),
        ({"baselines": []}, "baselines: got .*; expected a list"),
        ({"reach": 0}, "reach: got 0; expected a share of the way"),
        ({"reach": 1.5}, "reach: got 1.5"),
        ({"reduce": "max"}, "unknown reduction 'max'"),
    ],
)
def test_wrong_options(wrong, message):
    with pytest.raises(InputError, match=message):
        ExpectedGradients(nn.Flatten(), **wrong)
