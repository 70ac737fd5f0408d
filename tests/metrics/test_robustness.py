from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.explainer import Explainer, Maps
from stexplain.explainers.methods import Motion, Random
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.targets import Class
from stexplain.metrics import Sensitivity, sensitivity_max
from stexplain.metrics.arrays import sample_generator
from stexplain.metrics.robustness import perturbed_signals
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
    small = replace(BATCH, x=BATCH.x * 1e-3)
    assert np.allclose(one.changes, sensitivity_max(Readings(linear()), small, radius=0.1).changes, rtol=1e-5)
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
    explained.clear()
    sensitivity_max(Listening(model), BATCH, target=Class(2), draws=3)
    assert [classes.tolist() for classes in explained] == [[2] * len(BATCH)] * 4


def test_neither_the_cut_into_batches_nor_padding_matter():
    whole = sensitivity_max(Readings(linear()), BATCH, draws=3)
    parts = Sensitivity.joined(
        [sensitivity_max(Readings(linear()), BATCH[rows], draws=3) for rows in (slice(1), slice(1, 6))]
    )
    longer = sensitivity_max(Readings(linear(frames=9)), padded(BATCH), draws=3)
    for other in (parts, longer):
        assert np.allclose(other.changes, whole.changes, rtol=1e-5)
        assert (other.ids, other.method) == (whole.ids, "readings")
    assert Sensitivity.joined([whole]).method == "readings"
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


class TwoStreams(nn.Module):
    """joint ``[B, T, N, C]`` and bone ``[B, C, T, N]`` to two classes: what one tensor of both gives."""

    def forward(self, joint, bone):
        return Together()(torch.cat([joint, bone.permute(0, 2, 3, 1)], -1))


class Together(nn.Module):
    def forward(self, x):
        return torch.stack([(x**2).sum((1, 2, 3)), x.pow(3).sum((1, 2, 3))], 1)


def test_streams_are_perturbed_as_one_tensor_of_all():
    torch.manual_seed(0)
    x = torch.randn(3, 6, 4, 5)
    streams = {"joint": x[..., :3], "bone": x[..., 3:].permute(0, 3, 1, 2)}
    inputs = {"joint": "b t n c", "bone": "b c t n"}
    options = {"target": Class(1), "draws": 3, "radius": 0.2}
    of_streams = sensitivity_max(InputGradient(TwoStreams(), inputs=inputs, signals=range(5)), streams, **options)
    # The map of a tensor is reduced over all channels, those of streams over the channels of each.
    reduced = [
        InputGradient(Together(), inputs="b t n c")(x, target=Class(1)).channels[..., channels]
        for channels in (slice(3), slice(3, 5))
    ]
    single = InputGradient(TwoStreams(), inputs=inputs)(streams, target=Class(1))
    for (name, e), channels in zip(single.items(), reduced, strict=True):
        np.testing.assert_allclose(e.values, np.linalg.norm(channels, axis=-1), rtol=1e-5, err_msg=name)
    assert of_streams.changes.shape == (3, 3)
    assert (of_streams.changes > 0).all()
    # A single stream is a tensor by another name.
    whole = sensitivity_max(InputGradient(Together(), inputs="b t n c", argument="x"), x, **options)
    alone = sensitivity_max(InputGradient(Together(), inputs="b t n c"), {"x": x}, **options)
    np.testing.assert_allclose(alone.changes, whole.changes, rtol=1e-5)


def test_streams_without_a_model():
    x = torch.randn(2, 6, 4, 3, generator=torch.Generator().manual_seed(0))
    found = sensitivity_max(Motion(inputs="b t n c"), {"joint": x, "bone": 2 * x}, draws=2)
    assert (found.maximum > 0).all()


class Seen(Readings):
    """Keeps what it is given."""

    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        self.seen = []

    def _maps(self, model_input, score_fn):
        self.seen.append(model_input.x.clone())
        return super()._maps(model_input, score_fn)


def test_a_channel_that_is_an_index_is_not_perturbed_and_takes_no_other_numbers():
    both, one = Seen(linear()), Seen(linear(), signals=[0])
    for explainer in (both, one):
        sensitivity_max(explainer, BATCH, radius=[0.3, 0.4], relative=False, draws=2)
    for first, other in zip(both.seen, one.seen, strict=True):
        assert torch.equal(first[..., 0], other[..., 0])
        assert torch.equal(other[..., 1], one.seen[0][..., 1])
    assert not torch.equal(both.seen[1][..., 1], both.seen[0][..., 1])


def test_noise_is_a_share_of_the_spread_of_what_was_observed():
    """By hand: each sample's own generator, uniform in [-1, 1], in the order of its observations."""
    random = torch.Generator().manual_seed(2)
    observed = BATCH.valid[..., None] & (torch.rand(BATCH.x.shape[:4], generator=random) > 0.3)
    observed[4] = False
    x = torch.where(observed[..., None], BATCH.x, 9.0)
    samples = replace(BATCH, x=x, observed=observed)
    draws = list(perturbed_signals(samples, np.array([1.0, 1.0]), radius=[0.1, 0.2], draws=2, seed=3))
    for row, name in enumerate(BATCH.ids):
        generator = sample_generator(3, name)
        mask = observed[row].numpy()
        values = x[row].numpy()[mask]
        spread = values.std(axis=0) if len(values) else np.zeros(2)
        for draw in draws:
            noise = generator.uniform(-1, 1, values.shape) * [0.1, 0.2] * spread
            np.testing.assert_allclose(draw[row].numpy()[mask], values + noise, rtol=1e-12)
            assert torch.equal(draw[row][~observed[row]], x[row][~observed[row]])


def test_a_table_has_a_row_per_sample():
    changes = np.array([[0.1, 0.4], [0.3, 0.2]])
    named = Sensitivity(changes, ("a", ""), "ours").to_frame()
    assert named["sample"].tolist() == ["a", ""]
    assert Sensitivity(changes, ("", ""), "ours").to_frame()["sample"].tolist() == [0, 1]
    np.testing.assert_allclose(named["maximum"], [0.3, 0.4])
    np.testing.assert_allclose(named["mean"], [0.2, 0.3])
