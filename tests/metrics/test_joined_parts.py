"""Results of parts of unlike sizes, joined, are the result of the whole: one, two and three samples."""

from dataclasses import fields, is_dataclass

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.methods import Motion
from stexplain.explainers.targets import Class
from stexplain.metrics import (
    ForecastMaskingCurve,
    complexity,
    deletion_curve,
    effect,
    effect_agreement,
    fidelity,
    forecast_masking_curve,
    localisation,
    sensitivity_max,
)
from tests.metrics.small_batches import batch, linear

MODEL, BATCH = linear(), batch()
MAPS, VALID = MODEL.contributions(BATCH.x).numpy(), BATCH.valid.numpy()
TRUTH = np.random.default_rng(0).random(MAPS.shape) > 0.5
Y = np.random.default_rng(1).random((6, 2, 4))
LAYOUT = {"inputs": "b m t n c"}


class Ahead(nn.Module):
    """x ``[B, M, T, N, C]`` to forecasts of two steps ``[B, 2, N]``."""

    def forward(self, x):
        return torch.stack([x[:, 0, -1].sum(-1), x.sum((1, 2, 4))], 1)


def of_effect(part: Batch):
    zero = torch.zeros_like(part.x)
    return effect(MODEL, part.x, zero, valid=part.valid, target=Class(0), windows=3, **LAYOUT)


RESULTS = {
    "complexity": lambda part, at: complexity(MAPS[at], VALID[at]),
    "localisation": lambda part, at: localisation(MAPS[at], TRUTH[at], VALID[at]),
    "deletion": lambda part, at: deletion_curve(MODEL, part, MAPS[at], steps=3, repeats=2),
    "fidelity": lambda part, at: fidelity(MODEL, part, MAPS[at], share=[0.3, 0.6]),
    "sensitivity": lambda part, at: sensitivity_max(Motion(), part, draws=3),
    "effect": lambda part, at: of_effect(part),
    "agreement": lambda part, at: effect_agreement(MAPS[at], of_effect(part)),
    "forecasts": lambda part, at: forecast_masking_curve(
        Ahead(), part, [0.1, 0.4, 0.3, 0.2], nodes=1, y=Y[at], masking=[0.5], layout="b t n"
    ),
}
PARTS = [slice(0, 1), slice(1, 3), slice(3, 6)]


def assert_same(found, expected):
    if is_dataclass(expected):
        for field in fields(expected):
            assert_same(getattr(found, field.name), getattr(expected, field.name))
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for name, value in expected.items():
            assert_same(found[name], value)
    elif isinstance(expected, np.ndarray):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    elif not callable(expected):
        assert found == expected


@pytest.mark.parametrize("name", RESULTS)
def test_joined_parts_are_the_whole(name):
    """Those of the parts come in their order; with none there is nothing to join."""
    whole = RESULTS[name](BATCH, slice(0, 6))
    parts = [RESULTS[name](BATCH[at], at) for at in PARTS]
    assert_same(type(whole).joined(parts), whole)
    with pytest.raises(InputError, match="to join; expected at least one"):
        type(whole).joined([])


def test_parts_of_other_settings_are_not_joined():
    curve, other = (deletion_curve(MODEL, BATCH, MAPS, steps=steps, repeats=2) for steps in (2, 3))
    for wrong in (other, deletion_curve(MODEL, BATCH, MAPS, steps=2, repeats=1)):
        with pytest.raises(InputError, match="expected one kind. Join curves of the same `steps` and `repeats`"):
            type(curve).joined([curve, wrong])
    found, other = (sensitivity_max(Motion(), BATCH, draws=draws) for draws in (2, 3))
    with pytest.raises(InputError, match=r"sensitivities of \[2, 3\] draws"):
        type(found).joined([found, other])
    one, two = (fidelity(MODEL, BATCH, MAPS, share=[share]) for share in (0.3, 0.6))
    with pytest.raises(InputError, match="fidelities of different shares or measures"):
        type(one).joined([one, two])
    masked = [RESULTS["forecasts"](BATCH, slice(0, 6)) for _ in range(2)]
    assert len(ForecastMaskingCurve.joined(masked).ids) == 12
