"""Sampled gradients against plain loops over their draws: maps, and the errors that are told of them."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.explainers import (
    Custom,
    ExpectedFall,
    ExpectedGradients,
    GradientSHAP,
    InputGradient,
    IntegratedGradients,
)
from stexplain.explainers.methods.gradient.expected_fall import expected_fall
from stexplain.explainers.random_generator import node_noise, own_generator

X = torch.randn(2, 1, 5, 3, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
CUBE = Custom(lambda y: y.pow(3).sum(1))
"""Its gradient is 3 x^2."""


@pytest.mark.parametrize("reduce", ["norm", "sum"])
@pytest.mark.parametrize("reach", [0.5, 1.0])
def test_expected_gradients_and_their_errors(reduce, reach):
    """Two baselines of four strata each; neighbouring draws are the pairs of which the error is."""
    steps, seed = 4, 7
    starts = [torch.zeros_like(X[0]), X.mean(2, keepdim=True)]
    e = ExpectedGradients(nn.Flatten(), baselines=["zero", "mean"], reach=reach, steps=steps, reduce=reduce, seed=seed)(
        X, target=CUBE
    )
    jitter = np.random.default_rng(seed).random((2, steps))
    draws = []
    for which, start in enumerate(starts):
        for step in range(steps):
            u = 1 - reach + reach * (step + jitter[which, step]) / steps
            draws.append(3 * (start + u * (X - start)) ** 2 * (X - start))
    mean = sum(draws) / len(draws)
    np.testing.assert_allclose(e.channels, mean, rtol=1e-4, atol=1e-6)
    values = mean.sum(-1) if reduce == "sum" else mean.norm(dim=-1)
    np.testing.assert_allclose(e.values, values, rtol=1e-4, atol=1e-6)
    direction = torch.ones_like(mean) if reduce == "sum" else mean / mean.norm(dim=-1, keepdim=True)
    along = [(one * direction).sum(-1) for one in draws]
    squares = sum((along[at] - along[at + 1]) ** 2 for at in range(0, len(along), 2))
    np.testing.assert_allclose(e.standard_error, squares.sqrt() / len(draws), rtol=1e-3, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*No convergence")
def test_gradient_shap_and_the_error_of_its_mean():
    """Three draws, in two passes: the error is their standard deviation, by n - 1, over the root of three."""
    starts = torch.randn(4, 1, 5, 3, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    for draws in (2, 3):
        e = GradientSHAP(nn.Flatten(), baselines=list(starts), draws=draws, copies=2, seed=5)(X, target=CUBE)
        for row in range(len(X)):
            random = own_generator(5, "", X[row].float().flatten(0, 1).numpy())
            chosen, share = random.integers(4, size=draws), random.random(draws)
            each = []
            for start, u in zip(starts[chosen], share, strict=True):
                each.append(3 * (start + u * (X[row] - start)) ** 2 * (X[row] - start))
            np.testing.assert_allclose(e.channels[row], sum(each) / draws, rtol=1e-4, atol=1e-5)
            values = np.stack([one.sum(-1).numpy() for one in each])
            np.testing.assert_allclose(
                e.standard_error[row], values.std(0, ddof=1) / np.sqrt(draws), rtol=1e-3, atol=1e-5
            )
            missed = values.mean(0).sum() - float(X[row].pow(3).sum() - starts[chosen].pow(3).sum() / draws)
            assert e.extra["convergence_delta"][row] == pytest.approx(missed, rel=1e-4, abs=1e-4)


def test_noise_leaves_channels_that_are_indices():
    """Of zeros whose second channel is an index, all that is moved is the first."""

    class Square(nn.Module):
        def forward(self, x):
            return x.square().sum((1, 2, 3))[:, None]

    explain = GradientSHAP(Square(), baselines=["zero"], inputs="b t n c", signals=[0], draws=6, noise=0.5)
    e = explain(torch.zeros(1, 4, 3, 2), target=Custom(lambda y: y[:, 0]))
    assert (e.channels[..., 0] > 0).all()
    assert not e.channels[..., 1].any()


OBSERVED = torch.rand(2, 1, 5, 3, generator=torch.Generator().manual_seed(8)) > 0.3


def test_expected_fall_of_what_was_observed_alone():
    """Deviations, their spread and the range are of observations; noise moves no other position, nor an index."""
    draws, x = 4, torch.where(OBSERVED[..., None], X, 9.0)
    baseline = torch.full_like(X[0], 0.25)
    e = ExpectedFall(nn.Flatten(), baseline=baseline, draws=draws, rises=False, signals=[0], seed=2, spread=0.8)(
        x, target=CUBE, observed=OBSERVED
    )
    falls = np.zeros((draws, *X.shape))
    noise = list(node_noise(2, ["0", "1", "2"], X.shape[1:], draws, OBSERVED.any(0)))
    for b in range(2):
        seen = OBSERVED[b].numpy()
        sample = x[b].numpy()
        away = np.where(seen[..., None], sample - 0.25, 0)
        spread = 0.8 * np.sqrt((away[seen] ** 2).mean(0))
        lowest, highest = sample[seen].min(0), sample[seen].max(0)
        for k in range(draws):
            point = np.clip(sample + (k + 0.5) / draws * spread * noise[k], lowest, highest)
            for place in zip(*np.nonzero(seen), strict=True):
                gradient = 3 * point[place][0] ** 2
                a, w = torch.tensor(gradient * away[place][0]), torch.tensor(abs(gradient) * spread[0])
                falls[(k, b, *place, 0)] = float(expected_fall(a, w))
    np.testing.assert_allclose(e.channels, falls.mean(0), rtol=1e-4, atol=1e-6)
    pairs = falls.sum(-1)[0::2] - falls.sum(-1)[1::2]
    np.testing.assert_allclose(e.standard_error, np.sqrt((pairs**2).sum(0)) / draws, rtol=1e-3, atol=1e-6)


class Two(nn.Module):
    """joint and bone, ``[B, T, N, C]`` each, to a score that mixes them."""

    def forward(self, joint, bone):
        both = torch.cat([joint, bone], -1)
        return (both.pow(3).sum(-1) * both.sum(-1)).sum((1, 2))[:, None]


class Whole(Two):
    def forward(self, x):
        return super().forward(x[..., :3], x[..., 3:])


METHODS = [
    (InputGradient, {"reduce": "norm"}, lambda c: np.linalg.norm(c, axis=-1)),
    (InputGradient, {"reduce": "positive"}, lambda c: np.linalg.norm(np.maximum(c, 0), axis=-1)),
    (InputGradient, {"reduce": "sum"}, lambda c: c.sum(-1)),
    (ExpectedGradients, {"reduce": "norm", "steps": 2}, lambda c: np.linalg.norm(c, axis=-1)),
    (ExpectedGradients, {"reduce": "sum", "steps": 2}, lambda c: c.sum(-1)),
    (IntegratedGradients, {"steps": 8}, lambda c: c.sum(-1)),
    (ExpectedFall, {"draws": 2}, lambda c: c.sum(-1)),
]


@pytest.mark.parametrize(("kind", "options", "reduced"), METHODS)
def test_a_stream_has_its_own_channels_of_the_map_of_all(kind, options, reduced):
    x = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(1))
    target = Custom(lambda y: y[:, 0])
    whole = kind(Whole(), inputs="b t n c", signals=range(5), **options)(x, target=target)
    streams = kind(Two(), inputs={"joint": "b t n c", "bone": "b t n c"}, signals=range(5), **options)(
        {"joint": x[..., :3], "bone": x[..., 3:]}, target=target
    )
    assert list(streams) == ["joint", "bone"]
    for (name, e), part in zip(streams.items(), (slice(3), slice(3, 5)), strict=True):
        np.testing.assert_allclose(e.channels, whole.channels[..., part], rtol=1e-4, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(e.values, reduced(whole.channels[..., part]), rtol=1e-4, atol=1e-6, err_msg=name)
        assert e.standard_error is None
        assert e.call.stream == name
