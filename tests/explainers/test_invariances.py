"""What maps must not depend on: where the zero of the signals lies, and their unit; and how they follow the score."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import stexplain as stx
from tests.explainers.small_models import signals

X, BASELINE = signals(3, 1, 6, 4, 2, seed=3).double(), signals(6, 4, 2, seed=4).double()
SHIFT = 5 * signals(6, 4, 2, seed=5).double()
SCALE = torch.tensor([0.25, 8.0]).double()


class Network(nn.Module):
    """Two scores of ``[B, M, T, N, C]``, which no position or pair of them makes alone; of signals in other units."""

    def __init__(self, shift: Tensor | float = 0.0, scale: Tensor | float = 1.0, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor
        weights = {"first": signals(48, 5, seed=6), "second": signals(5, 2, seed=7)}
        for name, value in {**weights, "shift": torch.as_tensor(shift), "scale": torch.as_tensor(scale)}.items():
            self.register_parameter(name, nn.Parameter(value.double()))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * torch.tanh(((x - self.shift) / self.scale).flatten(1) @ self.first / 4) @ self.second


METHODS = {
    "integrated gradients": lambda model, b: stx.IntegratedGradients(model, baseline=b, steps=6),
    "gradient SHAP": lambda model, b: stx.GradientSHAP(model, baselines=[b], draws=4),
    "expected gradients": lambda model, b: stx.ExpectedGradients(model, baselines=[b], steps=4, reduce="sum"),
    "expected gradients, norm": lambda model, b: stx.ExpectedGradients(model, baselines=[b], steps=4),
    "learned mask": lambda model, b: stx.LearnedMask(model, baseline=b, steps=5),
    "learned mask, destroy": lambda model, b: stx.LearnedMask(model, baseline=b, steps=5, goal="destroy", window=2),
    "learned mask, by channel": lambda model, b: stx.LearnedMask(model, baseline=b, steps=5, per_channel=True),
    "occlusion": lambda model, b: stx.Occlusion(model, baseline=b, window=2),
    "occlusion, by channel": lambda model, b: stx.Occlusion(model, baseline=b, window=3, per_channel=True),
    "Shapley values": lambda model, b: stx.ShapleyValueSampling(model, baseline=b, orders=2),
    "Owen values": lambda model, b: stx.OwenValueSampling(model, baseline=b, orders=2, window=3),
    "temporal rescaling": lambda model, b: stx.TemporalRescaling(model, baseline=b, window=2),
    "expected fall": lambda model, b: stx.ExpectedFall(model, draws=4),
}


def explained(name: str, model: nn.Module, x: Tensor, baseline: Tensor) -> stx.Explanation:
    # By their names: else what is drawn follows from the signals.
    batch = stx.Batch(x, torch.ones(3, 1, 6, dtype=torch.bool), torch.zeros(3, dtype=torch.int64), tuple("abc"))
    return METHODS[name](model, baseline)(batch, target=stx.Class(1))


def maps(name: str, x: Tensor, baseline: Tensor, **units: "Tensor | float") -> np.ndarray:
    e = explained(name, Network(**units), x, baseline)
    return e.values if e.channels is None else e.channels


@pytest.mark.parametrize("name", METHODS)
def test_where_zero_lies_does_not_matter(name):
    """A network of x - c, given x + c and the baseline b + c, is the network of x with the baseline b."""
    # Expected fall compares with what the channel has elsewhere in the sample: its zero is one of the channel's.
    shift = SHIFT[:1, :1] if name == "expected fall" else SHIFT
    plain, moved = maps(name, X, BASELINE), maps(name, X + shift, BASELINE + shift, shift=shift)
    assert plain.any()
    np.testing.assert_allclose(moved, plain, rtol=1e-4, atol=1e-6 * np.abs(plain).max())


@pytest.mark.parametrize("name", [name for name in METHODS if name != "temporal rescaling"])
def test_the_unit_of_a_channel_does_not_matter(name):
    """Temporal rescaling begins with gradients, whose norm over channels is in the units of all."""
    plain, other = maps(name, X, BASELINE), maps(name, X * SCALE, BASELINE * SCALE, scale=SCALE)
    np.testing.assert_allclose(other, plain, rtol=1e-4, atol=1e-6 * np.abs(plain).max())


@pytest.mark.parametrize("name", METHODS)
def test_maps_are_in_units_of_the_score_or_do_not_depend_on_them(name):
    plain, tripled = maps(name, X, BASELINE), maps(name, X, BASELINE, factor=3.0)
    # A learned mask is of shares of the score; temporal rescaling is a product of two changes of it.
    power = 0 if "mask" in name else 2 if name == "temporal rescaling" else 1
    np.testing.assert_allclose(tripled, 3**power * plain, rtol=1e-4, atol=1e-6 * np.abs(plain).max())


class FirstTwo(Network):
    """Does not use what further channels there are."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x[..., :2])


@pytest.mark.parametrize(
    "name", [name for name in METHODS if name not in ("learned mask, by channel", "expected fall")]
)
def test_a_channel_that_the_model_does_not_use_changes_nothing(name):
    """Neither the map nor its standard error.

    Of a mask for each channel the size counts over all of them; expected fall draws other numbers for more channels.
    """
    more = [torch.cat([one, signals(*one.shape[:-1], 1, seed=8).double()], -1) for one in (X, BASELINE)]
    plain, other = explained(name, Network(), X, BASELINE), explained(name, FirstTwo(), *more)
    for here, there in ((plain.values, other.values), (plain.standard_error, other.standard_error)):
        assert (here is None) == (there is None)
        if here is not None:
            np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-6 * np.abs(here).max())
    if plain.channels is not None:
        np.testing.assert_allclose(other.channels[..., :2], plain.channels, rtol=1e-4, atol=1e-6)
        assert not other.channels[..., 2].any()
