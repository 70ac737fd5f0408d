"""Channels that are indices: found by measuring, or named, and left as they are."""

import types

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.gradient_shap import GradientSHAP
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.perturbation.learned_mask import LearnedMask
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.targets import Class
from tests.explainers.small_models import signals

SLOTS = 12


class Looked(nn.Module):
    """x ``[B, T, N, C]``: speed times what a table has for the second channel; subclasses look it up."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(SLOTS, 1)

    def forward(self, x):
        return (x[..., 0] * self.weight(x)).sum(1)

    def weight(self, x):
        return self.table((x[..., 1] * SLOTS).long())[..., 0]


class Rounded(Looked):
    def weight(self, x):
        return self.table((x[..., 1] * SLOTS).floor().to(torch.int64))[..., 0]


class Compared(Looked):
    """By one-hot comparison: no whole number appears, and the gradient is zero."""

    def weight(self, x):
        hot = ((x[..., 1, None] * SLOTS).floor() == torch.arange(SLOTS)).to(x.dtype)
        return (hot @ self.table.weight)[..., 0]


class Bucketed(Looked):
    def weight(self, x):
        edges = torch.arange(1, SLOTS) / SLOTS
        return self.table(torch.bucketize(x[..., 1].contiguous(), edges))[..., 0]


class TwoTables(Looked):
    """Both indices in one conversion."""

    def weight(self, x):
        both = (x[..., 1:] * SLOTS).long()
        return self.table(both).sum((-1, -2))


class AlsoANumber(Looked):
    """The index goes in as a number too, as in STID: its gradient is not zero."""

    def forward(self, x):
        return super().forward(x) + x[..., 1].sum(1)


class Named(Compared):
    """Among the attributes of an object, beside what is no tensor."""

    def forward(self, x):
        found = super().forward(x)
        return types.SimpleNamespace(logits=found, classes=found.argmax(1), name="speed", nothing=None)


class Deformed(nn.Module):
    """Whole numbers that are computed from all signals, as the places of a deformable convolution: no indices."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.offset = nn.Linear(2, 1)

    def forward(self, x):
        place = self.offset(x)[..., 0].sigmoid() * (x.shape[1] - 1)
        return x.sum(-1).gather(1, place.long()).sum(1)


class Lengths(nn.Module):
    """A mask of what is not zero, as many models make of their padding."""

    def forward(self, x):
        # At least one: at a baseline of zero there is no frame to divide by.
        length = (x.abs().sum(-1) > 0).float().sum(1).long().clamp(min=1)
        return (x * torch.tensor([1.0, 2.0])).sum((1, 3)) / length


class AtRest(nn.Module):
    """The second channel is behind a unit that is at rest for small values."""

    def forward(self, x):
        return (x[..., 0] + torch.relu(x[..., 1] - 5)).sum(1)


def samples(channels=2, seed=0):
    x = torch.rand(3, 6, 5, channels, generator=torch.Generator().manual_seed(seed))
    x[..., 0] = x[..., 0] * 60 + 1
    return x


def notes(model, x):
    e = IntegratedGradients(model, inputs="b t n c")(x, target=Class(1))
    return e, [note for note in e.notes if note.startswith("Channel")]


@pytest.mark.parametrize("kind", [Looked, Rounded, Compared, Bucketed, AlsoANumber])
def test_an_index_is_found_said_and_left_as_it_is(kind):
    model, x = kind(), samples()
    e, said = notes(model, x)
    assert len(said) == 1
    assert "Channel 1 of the input is an index" in said[0]
    assert not e.channels[..., 1].any()
    # Complete between x and the sample whose speed alone is zero.
    still = x.clone()
    still[..., 0] = 0
    expected = (model(x) - model(still))[:, 1].detach().numpy()
    np.testing.assert_allclose(e.values.sum((1, 2, 3)), expected, rtol=1e-4)


def test_an_index_is_found_by_what_an_object_holds():
    """Its logits are compared, by name, beside what is no tensor or of whole numbers."""
    x = samples()
    e, said = notes(Named(), x)
    assert "Channel 1 of the input is an index" in said[0]
    np.testing.assert_array_equal(e.values, notes(Compared(), x)[0].values)


def test_two_indices_in_one_conversion():
    e, said = notes(TwoTables(), samples(3))
    assert "Channels 1, 2 of the input are indices" in said[0]
    assert not e.channels[..., 1:].any()


def test_an_index_that_is_the_same_throughout_is_found():
    """One day of the week in the whole batch: there is nothing to exchange it with."""
    x = samples()
    x[..., 1] = 0.5
    assert notes(Looked(), x)[1]


# The places that Deformed computes jump, whichever channel they come from.
@pytest.mark.filterwarnings("ignore:.*No convergence")
@pytest.mark.parametrize("kind", [Deformed, Lengths, AtRest])
def test_signals_are_not_taken_for_indices(kind):
    x = samples() / 60
    x[..., 1] = x[..., 1] * 6 if kind is AtRest else x[..., 1] * 60
    assert notes(kind(), x)[1] == []


def test_a_unit_at_rest_for_all_samples_is_no_index():
    x = samples()
    e, said = notes(AtRest(), x)
    assert said == []
    assert np.isfinite(e.values).all()


def test_where_every_channel_is_an_index_none_is_left_out():
    class Tables(Looked):
        def forward(self, x):
            return (self.table((x[..., 0] * SLOTS).long()) * self.table((x[..., 1] * SLOTS).long()))[..., 0].sum(1)

    e = Occlusion(Tables(), inputs="b t n c", window=None)(samples(seed=1) / 61, target=Class(1))
    assert e.notes == ()
    assert np.abs(e.values).max() > 0


@pytest.mark.parametrize("kind", [IntegratedGradients, GradientSHAP, Occlusion, LearnedMask])
@pytest.mark.parametrize("options", [{}, {"signals": [0]}, {"signals": ["speed"], "channel_names": ["speed", "day"]}])
def test_no_method_feeds_another_index(kind, options):
    """The table is only asked for entries that the samples have at that place; in the check of axes, any of them."""
    x = samples()
    asked = []

    class Watched(Looked):
        def weight(self, x):
            asked.append(x[..., 1].detach().clone())
            return super().weight(x)

    noise = {"noise": 1.0, "draws": 64} if kind is GradientSHAP else {}
    with kind(Watched(), inputs="b t n c", **noise, **options) as explain:
        e = explain(x, target=Class(1))
    known = x[..., 1]
    for number, each in enumerate(asked):
        if number in (1, 2):
            # The check of axes changes two of three samples, then the other one.
            kept = slice(0, 1) if number == 1 else slice(1, 3)
            assert torch.equal(each[kept], known[kept])
            assert torch.isin(each, known).all()
        else:
            assert torch.equal(each.view(-1, *known.shape), known.expand(len(each) // 3, -1, -1, -1))
    assert np.abs(e.values).max() > 0


def test_it_is_measured_once_and_not_where_it_is_named_or_there_is_one_channel():
    def calls(repeats, channels=2, **options):
        count = []
        model = Looked()
        model.weight = lambda x: count.append(1) or torch.ones(())
        with Occlusion(model, inputs="b t n c", window=None, copies=99, **options) as explain:
            for _ in range(repeats):
                explain(samples(channels), target=Class(1))
        return len(count)

    # What is measured of copies is measured once, too.
    alone, twice = calls(1, signals=[0]), calls(2, signals=[0])
    assert calls(1, channels=1) == alone
    # The check is one pass, and one more to see that channel 1, which has no gradient here, does nothing at all.
    assert calls(1) == alone + 2
    assert calls(3) == alone + 2 * (twice - alone) + 2


def test_the_check_leaves_the_global_generator_and_the_samples_alone():
    model, x = Compared(), samples()
    kept, state = x.clone(), torch.get_rng_state()
    notes(model, x)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(x, kept)


def test_the_gradient_of_a_channel_that_is_no_signal_is_zero():
    x = signals(2, 6, 5, 2)
    model = nn.Sequential(nn.Flatten(), nn.Linear(60, 2))
    e = InputGradient(model, inputs="b t n c", reduce="sum", signals=[-1])(x, target=Class(1))
    assert not e.channels[..., 0].any()
    np.testing.assert_allclose(e.values, e.channels[..., 1])


def test_names_come_with_the_samples():
    x = samples()[:, None]
    batch = Batch(x, torch.ones(3, 1, 6, dtype=torch.bool), torch.zeros(3), ("a", "b", "c"), channels=("speed", "day"))

    class Five(Looked):
        def forward(self, x):
            return super().forward(x[:, 0])

    e = IntegratedGradients(Five(), signals=["speed"])(batch, target=Class(1))
    assert e.channel_names == ("speed", "day")
    assert not e.channels[..., 1].any()
    with pytest.raises(InputError, match="unknown channel in `signals` 'sped'. Did you mean 'speed'"):
        IntegratedGradients(Five(), signals=["sped"])(batch, target=Class(1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"signals": [2]}, "signals: got 2; expected channels from 0 to 1"),
        ({"signals": []}, "signals: got none"),
        ({"signals": ["speed"]}, "unknown channel in `signals` 'speed'"),
        ({"channel_names": ["speed"]}, "channel_names: got 1"),
    ],
)
def test_wrong_channels_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        InputGradient(Looked(), inputs="b t n c", **options)(samples(), target=Class(1))
