from dataclasses import replace

import captum.attr
import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.targets import Class, Custom, Forecast, Predicted
from tests.explainers.our_models import batch, small_model
from tests.explainers.small_models import PlainSTGCN, linear, signals


def test_a_linear_model_in_closed_form():
    weight, x, baseline = signals(2, 6, 3, 2, seed=1), signals(3, 2, 6, 3, 2), signals(3, 2, seed=2)
    part = (weight * (x - baseline)).sum(-1)
    with Occlusion(linear(weight), inputs="b m t n c", window=1, baseline=baseline) as explain:
        np.testing.assert_allclose(explain(x, target=Class(1)).values, part, atol=1e-5)
    with Occlusion(linear(weight), inputs="b m t n c", window=None, groups=[[0, 2]], baseline=baseline) as explain:
        values = explain(x, target=Class(1)).values
    whole = part[..., [0, 2]].sum((2, 3))[:, :, None, None]
    np.testing.assert_allclose(values[..., [0, 2]], whole.expand(-1, -1, 6, 2), atol=1e-5)
    assert not values[..., 1].any()


@pytest.mark.parametrize(("window", "stride", "frames"), [(4, None, 12), (5, None, 12), (4, 2, 12), (1, None, 3)])
def test_equals_captum_called_directly(window, stride, frames):
    model, x = PlainSTGCN(nodes=3).eval(), signals(2, 3, frames, 3, 2)
    direct = captum.attr.Occlusion(model).attribute(
        x, (3, window, 1, 1), strides=(1, stride or window, 1, 1), target=torch.tensor([1, 3])
    )
    expected = direct[:, 0].permute(0, 3, 1, 2).numpy()
    if stride:  # captum has no window that ends beyond the sample, and so no mean over such
        expected = expected[:, :, : frames - stride]
    for copies, chunk in ((1, None), (5, 1), (1000, None)):
        options = {"window": window, "stride": stride, "copies": copies, "chunk": chunk}
        with Occlusion(model, inputs="b c t n m", **options) as explain:
            values = explain(x, target=Class([1, 3])).values
        np.testing.assert_allclose(values[:, :, : expected.shape[2]], expected, atol=1e-5)


def test_by_loops_over_groups_and_windows():
    """Only observations are masked; groups and windows overlap; the class stays that of the sample."""
    model, samples = small_model(), batch()
    observed = signals(*samples.x.shape[:-1], seed=3) > -0.5
    samples = replace(samples, x=samples.x * observed[..., None], observed=observed)
    groups = {"left": ["n0", "n1", "n2"], "right": [2, 4, "n5"]}
    with Occlusion(model, groups=groups, window=5, stride=3, baseline="mean") as explain:
        e = explain(samples, target=Predicted())
    there = samples.valid[..., None] & observed
    model.eval()
    with torch.no_grad():
        first = model(samples.x, samples.valid).amax(1)
    total, count = np.zeros(e.values.shape), np.zeros(e.values.shape)
    for m, start in np.ndindex(2, 4):
        frames = range(3 * start, min(3 * start + 5, 12))
        for nodes in ([0, 1, 2], [2, 4, 5]):
            altered = samples.x.clone()
            for b, t, n in [(b, t, n) for b in range(3) for t in frames for n in nodes if there[b, m, t, n]]:
                altered[b, m, t, n] = samples.x[b, m, there[b, m, :, n], n].mean(0)
            with torch.no_grad():
                fall = first - model(altered, samples.valid)[range(3), e.targets]
            cells = np.ix_(range(3), [m], frames, nodes)
            total[cells] += fall.numpy()[:, None, None, None]
            count[cells] += 1
    expected = np.where(there, total / np.maximum(count, 1), 0)
    np.testing.assert_allclose(e.values, expected, atol=1e-5 * np.abs(expected).max())


def test_forecasts_fall_in_their_own_units():
    class Last(nn.Module):
        """Forecasts that every sensor stays as fast as its neighbour was in the last frame."""

        outputs = "b t n"

        def forward(self, x):
            return x[:, 0, -1:, :, 0].roll(1, dims=2).expand(-1, 3, -1)

    x = 60 + signals(2, 1, 4, 3, 1)
    with Occlusion(Last(), window=2, baseline=torch.tensor(20.0)) as explain:
        values = explain(x, target=Forecast(2, 3)).values
    np.testing.assert_allclose(values[:, 0, 2:, 1], (x[:, 0, -1:, 1, 0] - 20).expand(-1, 2), atol=1e-4)
    assert not values[..., [0, 2]].any()
    assert not values[:, 0, :2].any()


def test_a_target_without_a_gradient_will_do():
    with Occlusion(PlainSTGCN(), inputs="b c t n m") as explain:
        e = explain(signals(2, 3, 8, 5, 1), target=Custom(lambda output: output.detach()[:, 0]))
    assert np.abs(e.values).max() > 0


def test_a_sample_without_a_reading():
    class Sum(nn.Module):
        def forward(self, x):
            return x.sum((1, 2, 3))

    with Occlusion(Sum(), chunk=1) as explain:
        e = explain(torch.ones(2, 1, 3, 2, 1), target=Class(0), valid=torch.tensor([[[True] * 3], [[False] * 3]]))
    assert e.values[0].any()
    assert not e.values[1].any()


def test_wrong_use():
    for wrong, message in (
        ({"window": 0}, "window: got 0"),
        ({"stride": 0}, "stride: got 0"),
        ({"copies": 0}, "copies: got 0"),
    ):
        with pytest.raises(InputError, match=message):
            Occlusion(PlainSTGCN(), **wrong)
    with Occlusion(small_model(), groups=[["n9"]]) as explain, pytest.raises(InputError, match="unknown node 'n9'"):
        explain(batch(), target=Class(0))


@pytest.mark.parametrize("baseline", ["mean", "zero", 0.0, [0.0], torch.zeros(1)])
def test_a_baseline_is_a_name_or_numbers(baseline):
    assert Occlusion(nn.Flatten(), baseline=baseline).baseline is baseline


def test_a_score_of_another_precision_than_the_signals():
    """As numpy inside of a model gives it."""

    class Double(nn.Module):
        def forward(self, x):
            share = (x.flatten(1).numpy().astype(np.float64) > 0).mean(1)
            return torch.from_numpy(np.stack([1 - share, share], 1))

    x = torch.rand(2, 4, 3) + 0.1
    e = Occlusion(Double(), inputs="b t n", window=1)(x, target=lambda y: y[:, 1])
    np.testing.assert_allclose(e.values, np.full((2, 1, 4, 3), 1 / 12), rtol=1e-6)
