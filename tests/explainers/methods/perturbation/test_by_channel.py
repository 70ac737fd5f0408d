"""Methods that mask, with a map of its own for every channel."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods import Motion
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.perturbation.learned_mask import LearnedMask
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.methods.perturbation.shapley import ShapleyValueSampling
from stexplain.explainers.methods.perturbation.temporal_rescaling import TemporalRescaling
from stexplain.explainers.targets import Class, Custom
from tests.explainers.small_models import signals

WEIGHTS = torch.tensor([2.0, -3.0, 0.5])


class Weighted(nn.Module):
    """x ``[B, T, N, C]``."""

    def forward(self, x):
        return (x * WEIGHTS).sum((1, 3))


@pytest.mark.parametrize(
    ("kind", "options"), [(Occlusion, {"window": 1}), (ShapleyValueSampling, {"window": 1, "orders": 2})]
)
@pytest.mark.parametrize("signals_given", [None, [0, 2]])
def test_a_weighted_sum_is_taken_apart(kind, options, signals_given):
    x = signals(3, 4, 5, 3)
    e = kind(Weighted(), inputs="b t n c", per_channel=True, signals=signals_given, **options)(x, target=Class(1))
    expected = (x * WEIGHTS)[:, :, 1]
    if signals_given:
        expected[..., 1] = 0
    np.testing.assert_allclose(e.channels[:, 0, :, 1], expected, atol=1e-5)
    assert not e.channels[:, 0, :, [0, 2, 3, 4]].any()
    np.testing.assert_allclose(e.values, e.channels.sum(-1), atol=1e-6)
    assert e.reduce == "the sum over channels"


def test_players_of_channels_share_what_they_do_together():
    """Of a product of both channels at both nodes, each of the four has a quarter; a node would have a half."""
    explain = ShapleyValueSampling(nn.Flatten(), inputs="b t n c", orders=500, per_channel=True)
    e = explain(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), target=Custom(lambda y: y.prod(1)))
    np.testing.assert_allclose(e.channels, 6, atol=0.8)
    np.testing.assert_allclose(e.values.sum(), 24, rtol=1e-5)


def test_groups_and_windows_hold_the_same_channel_of_all_their_nodes():
    x = signals(2, 4, 3, 2)
    total = Custom(lambda y: y[:, :, :, 1].sum((1, 2)))
    e = Occlusion(nn.Identity(), inputs="b t n c", groups=[[0, 2], [1]], window=2, per_channel=True)(x, target=total)
    assert not e.channels[..., 0].any()
    np.testing.assert_allclose(e.channels[:, 0, 0, 2, 1], x[:, :2, [0, 2], 1].sum((1, 2)), atol=1e-5)
    np.testing.assert_allclose(e.channels[:, 0, 3, 1, 1], x[:, 2:, 1, 1].sum(1), atol=1e-5)


@pytest.mark.parametrize("goal", ["keep", "destroy"])
def test_a_mask_per_channel_finds_the_channel(goal):
    """The score is one node's second channel: nothing else need be kept or destroyed."""
    x = 1 + signals(2, 4, 3, 2).abs()
    options = {"baseline": "zero", "goal": goal, "smoothness": 0, "steps": 80}
    score = Custom(lambda y: y[:, :, 1, 1].sum(1))
    e = LearnedMask(nn.Identity(), inputs="b t n c", per_channel=True, **options)(x, target=score)
    assert e.channels[:, 0, :, 1, 1].min() > 0.6
    rest = e.channels.copy()
    rest[:, 0, :, 1, 1] = 0
    assert rest.max() < 0.1
    np.testing.assert_allclose(e.values, e.channels.mean(-1), atol=1e-6)
    np.testing.assert_allclose(e.extra["mask_size"], e.values.mean((1, 2, 3)), atol=1e-6)
    assert "mean over channels" in e.reduce


def test_a_mask_per_channel_of_one_channel_is_the_mask():
    x = signals(2, 4, 3, 1)
    score = Custom(lambda y: y[:, :, 1, 0].sum(1))
    one, other = (
        LearnedMask(nn.Identity(), inputs="b t n c", baseline="zero", per_channel=on)(x, target=score)
        for on in (False, True)
    )
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.channels, other.channels)


def test_penalties_of_a_mask_per_channel_join_a_channel_with_itself_only():
    """A smooth mask: with a heavy penalty all frames of a channel agree, and channels still differ."""
    x = 1 + signals(1, 6, 2, 2).abs()
    options = {"baseline": "zero", "smoothness": 20.0, "steps": 80, "per_channel": True}
    score = Custom(lambda y: y[:, 3, 1, 1])
    mask = LearnedMask(nn.Identity(), inputs="b t n c", **options)(x, target=score).channels[0, 0]
    assert np.ptp(mask[..., 1], axis=0).max() < 0.1
    assert mask[:, 1, 1].min() > mask[:, 1, 0].max() + 0.1


def test_rescaling_in_time_by_channel():
    """By the definition: a frame's change of the map, times that of a channel of a node masked there alone."""

    class Gate(nn.Module):
        def forward(self, x):
            return (x[:, :, 0, 0] * x[:, :, 1, 1]).sum(1)[:, None]

    x = 1 + signals(2, 3, 2, 2).abs()
    inner = InputGradient(Gate(), inputs="b t n c", reduce="sum")
    e = TemporalRescaling(inner, per_channel=True, alpha=0)(x, target=Class(0))
    # The gradient is the other factor: masking one changes the other's value by as much as it was.
    first, second = x[:, :, 0, 0], x[:, :, 1, 1]
    expected = np.zeros((2, 3, 2, 2))
    expected[:, :, 0, 0] = (first + second) * first
    expected[:, :, 1, 1] = (first + second) * second
    np.testing.assert_allclose(e.channels[:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(e.values, e.channels.sum(-1), rtol=1e-6)


@pytest.mark.parametrize("kind", [Occlusion, ShapleyValueSampling, LearnedMask])
def test_one_signal_alone_has_the_whole_map(kind):
    x = signals(2, 4, 5, 3)
    e = kind(Weighted(), inputs="b t n c", signals=[1])(x, target=Class(1))
    np.testing.assert_array_equal(e.channels[..., 1], e.values)
    assert not e.channels[..., [0, 2]].any()
    # Several that are masked at once cannot be told apart.
    both = kind(Weighted(), inputs="b t n c")(x, target=Class(1))
    assert both.channels is None
    with pytest.raises(InputError, match="per_channel=True"):
        both.to_pandas(by_channel=True)


def test_motion_of_each_channel():
    x = torch.tensor([[0.0, 5.0], [3.0, 1.0], [3.0, 2.0]]).view(1, 1, 3, 1, 2)
    e = Motion()(x)
    np.testing.assert_allclose(e.channels[0, 0, :, 0], [[3, 4], [1.5, 2.5], [0, 1]])
    np.testing.assert_allclose(e.values[0, 0, :, 0], [5, 3, 1])
    only = Motion(signals=[0])(x)
    np.testing.assert_allclose(only.values[0, 0, :, 0], [3, 1.5, 0])
    assert not only.channels[..., 1].any()
