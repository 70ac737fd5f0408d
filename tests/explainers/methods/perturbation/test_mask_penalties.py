"""The penalties of a mask by loops; masks of channels of a network whose function is written down."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers import Class, LearnedMask
from stexplain.explainers.methods.perturbation.mask_penalties import disagreement, mask_size, variation

MASK = torch.rand(3, 2, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
PRESENT = torch.rand(3, 2, 5, 4, generator=torch.Generator().manual_seed(1)) > 0.4
EDGES = torch.tensor([[0, 1], [3, 1], [2, 2]])


def smooth(step: float) -> float:
    return float(np.sqrt(step**2 + 0.05**2) - 0.05)


@pytest.mark.parametrize("present", [PRESENT, torch.ones_like(PRESENT), torch.zeros_like(PRESENT)])
def test_penalties_by_loops(present):
    for b in range(3):
        sizes, steps, ends = [], [], []
        for m, t, n in np.ndindex(2, 5, 4):
            if present[b, m, t, n]:
                sizes.append(float(MASK[b, m, t, n]))
                if t and present[b, m, t - 1, n]:
                    steps.append(smooth(float(MASK[b, m, t, n] - MASK[b, m, t - 1, n])))
        for m, t in np.ndindex(2, 5):
            for one, other in EDGES.tolist():
                if present[b, m, t, one] and present[b, m, t, other]:
                    ends.append(smooth(float(MASK[b, m, t, one] - MASK[b, m, t, other])))
        found = mask_size(MASK, present)[b], variation(MASK, present)[b], disagreement(MASK, present, EDGES)[b]
        for value, expected in zip(found, (sizes, steps, ends), strict=True):
            assert float(value) == pytest.approx(np.mean(expected) if expected else 0.0, rel=1e-12)


class Weighted(nn.Module):
    """One logit, ``[B, M, T, N, C]`` to ``[B, 1]``: the sum of all observations, each times a weight of its own."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x):
        return (x * self.weight).sum((1, 2, 3, 4))[:, None]


@pytest.mark.parametrize("goal", ["keep", "destroy"])
def test_each_channel_has_a_mask_of_its_own(goal):
    """Two instances; what counts is the second channel of one node in one frame of each."""
    weight = torch.zeros(2, 3, 2, 3)
    weight[0, 1, 0, 1] = weight[1, 2, 1, 1] = 1.0
    model = Weighted(weight)
    options = {"inputs": "b m t n c", "baseline": "zero", "smoothness": 0, "goal": goal}
    e = LearnedMask(model, per_channel=True, **options)(torch.ones(2, 2, 3, 2, 3), target=Class(1))
    for row in range(2):
        np.testing.assert_array_equal(e.channels[row] > 0.5, weight.numpy() > 0)
    np.testing.assert_allclose(e.values, e.channels.mean(-1), rtol=1e-6)
    np.testing.assert_allclose(e.extra["mask_size"], e.channels.mean((1, 2, 3, 4)), rtol=1e-5)
    assert e.reduce == "the mean over channels that are signals"
    kept = e.channels if goal == "keep" else 1 - e.channels
    np.testing.assert_allclose(e.extra["kept"], (kept * weight.numpy()).sum((1, 2, 3, 4)) / 2, rtol=1e-5)


def test_a_channel_that_is_an_index_has_no_mask():
    weight = torch.zeros(1, 3, 2, 3)
    weight[0, 1, 0, 2] = 1.0
    options = {"inputs": "b m t n c", "baseline": "zero", "smoothness": 0}
    e = LearnedMask(Weighted(weight), per_channel=True, signals=[0, 2], **options)(
        torch.ones(1, 1, 3, 2, 3), target=Class(1)
    )
    assert not e.channels[..., 1].any()
    np.testing.assert_allclose(e.values, e.channels.sum(-1) / 2, rtol=1e-6)
    # Of one signal alone the map is that of its channel.
    one = LearnedMask(Weighted(weight), signals=[2], **options)(torch.ones(1, 1, 3, 2, 3), target=Class(1))
    np.testing.assert_array_equal(one.channels[..., 2], one.values)
    assert not one.channels[..., :2].any()


@pytest.mark.parametrize(("gap", "none"), [(0.9e-5, True), (1.2e-5, False)])
@pytest.mark.parametrize("score", [100.0, -100.0])
def test_scores_are_equal_to_five_digits_of_the_larger(gap, none, score):
    class Near(nn.Module):
        def forward(self, x):
            return score * (1 + gap * x[:, 0, 0, 0])[:, None]

    with torch.no_grad():
        e = LearnedMask(Near().double(), baseline="zero", steps=1, inputs="b t n c")(
            torch.ones(1, 2, 2, 1, dtype=torch.float64), target=Class(1)
        )
    assert bool(np.isnan(e.extra["kept"][0])) is none
    assert bool(e.values.any()) is not none


def test_wrong_weights_are_named():
    for options in ({"size": -1}, {"rate": 0}, {"rate": -0.1}, {"smoothness": -0.1}, {"connectedness": -0.1}):
        name = next(iter(options))
        with pytest.raises(InputError, match=f"{name}={options[name]}"):
            LearnedMask(nn.Flatten(), **options)
    for options in ({"window": 0}, {"steps": 0}):
        with pytest.raises(InputError, match="got 0"):
            LearnedMask(nn.Flatten(), **options)
    explain = LearnedMask(nn.Flatten())
    settings = (explain.goal, explain.size, explain.smoothness, explain.connectedness, explain.window, explain.rate)
    assert settings == ("keep", 0.2, 0.2, 0.0, 1, 0.2)
    assert (explain.steps, explain.per_channel, explain.groups) == (50, False, None)
