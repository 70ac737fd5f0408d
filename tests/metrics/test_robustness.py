from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.explainer import Explainer, Maps
from stexplain.explainers.methods.baselines import Random
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.targets import Class
from stexplain.metrics import Sensitivity, sensitivity_max
from tests.metrics.small_batches import batch, linear, padded

BATCH = batch()


class Readings(Explainer):
    """The signals themselves, channel 0: what it moves by is known."""

    method = "readings"

    def _maps(self, model_input, score_fn):
        x = self.inputs.to_batch(model_input.x, **model_input.sizes)[..., 0]
        return Maps(x, score_fn(self._forward(model_input)))


def test_equals_the_changes_that_were_made():
    seen = []

    class Recording(Readings):
        def _maps(self, model_input, score_fn):
            seen.append(model_input.x.clone())
            return super()._maps(model_input, score_fn)

    sensitivity = sensitivity_max(Recording(linear()), BATCH, radius=[0.2, 5.0], relative=False, draws=4)
    first, *others = seen
    valid = BATCH.valid.numpy()
    for draw, x in enumerate(others):
        shift = (x - first).numpy()
        assert not shift[~valid].any()
        assert 0.18 < np.abs(shift[..., 0]).max() <= 0.2
        assert 4.5 < np.abs(shift[..., 1]).max() <= 5.0
        for row in range(len(BATCH)):
            size = np.linalg.norm(first[row, ..., 0])
            # Maps are float32.
            assert sensitivity.changes[draw, row] == pytest.approx(np.linalg.norm(shift[row, ..., 0]) / size, rel=1e-6)
    assert np.array_equal(sensitivity.maximum, sensitivity.changes.max(0))
    assert sensitivity.method == "readings"


def test_a_share_of_each_channel_is_free_of_units():
    one = sensitivity_max(Readings(linear()), BATCH, radius=0.1)
    inches = replace(BATCH, x=BATCH.x * torch.tensor([39.37, 1.0]))
    two = sensitivity_max(Readings(linear()), inches, radius=0.1)
    assert np.allclose(one.changes, two.changes, rtol=1e-5)
    assert (one.maximum < 0.1).all()
    # Twice the radius moves a linear map twice as far.
    assert np.allclose(sensitivity_max(Readings(linear()), BATCH, radius=0.2).changes, 2 * one.changes, rtol=1e-4)


def test_a_map_that_does_not_move_and_one_that_is_zero():
    assert not sensitivity_max(InputGradient(linear()), BATCH, target=Class(0)).changes.any()
    assert not sensitivity_max(Random(), BATCH).changes.any()
    none = replace(BATCH, x=BATCH.x.clone())
    none.x[2] = 0
    sensitivity = sensitivity_max(Readings(linear()), none)
    assert np.isnan(sensitivity.maximum).tolist() == [False, False, True, False, False, False]
    assert sensitivity.interval().value == pytest.approx(np.nanmean(sensitivity.maximum))


def test_what_was_predicted_at_first_stays_the_target():
    explained = []

    class Listening(Readings):
        def _maps(self, model_input, score_fn):
            maps = super()._maps(model_input, score_fn)
            explained.append(maps.scores.classes)
            return maps

    model = linear()
    sensitivity_max(Listening(model), BATCH, radius=5.0, draws=3)
    assert all(torch.equal(classes, model(BATCH.x).argmax(1)) for classes in explained)


def test_neither_the_cut_into_batches_nor_padding_matter():
    whole = sensitivity_max(Readings(linear()), BATCH, draws=3)
    parts = Sensitivity.joined(
        [sensitivity_max(Readings(linear()), BATCH[rows], draws=3) for rows in (slice(1), slice(1, 6))]
    )
    longer = sensitivity_max(Readings(linear(frames=9)), padded(BATCH), draws=3)
    for other in (parts, longer):
        assert np.allclose(other.changes, whole.changes, rtol=1e-5)
        assert other.ids == whole.ids
    assert not np.allclose(sensitivity_max(Readings(linear()), BATCH, draws=3, seed=1).changes, whole.changes)


def test_a_steeper_model_is_more_sensitive():
    class Wave(nn.Module):
        def __init__(self, steepness):
            super().__init__()
            self.steepness = nn.Parameter(torch.tensor(steepness))

        def forward(self, x):
            return torch.stack([torch.sin(self.steepness * x).sum((1, 2, 3, 4)), x.sum((1, 2, 3, 4))], 1)

    sensitivities = [
        sensitivity_max(InputGradient(Wave(k)), BATCH, target=Class(0), radius=0.05) for k in (0.1, 1.0, 10.0)
    ]
    low, middle, high = (one.interval().value for one in sensitivities)
    assert low < middle < high


def test_wrong_use():
    with pytest.raises(InputError, match="draws: got 0; expected at least 1"):
        sensitivity_max(Readings(linear()), BATCH, draws=0)
    for wrong in (-0.1, [0.1, 0.1, 0.1]):
        with pytest.raises(InputError, match="one for each of 2 channels"):
            sensitivity_max(Readings(linear()), BATCH, radius=wrong)
    with pytest.raises(InputError, match=r"got sensitivities of .* draws, which cannot be joined"):
        Sensitivity.joined([sensitivity_max(Readings(linear()), BATCH, draws=draws) for draws in (1, 2)])
    with pytest.raises(InputError, match="no sensitivities"):
        Sensitivity.joined([])
