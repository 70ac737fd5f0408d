"""Padding of plain tensors is noticed, said and left out of the map; what only looks like it is not."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.explainers.methods import Motion
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.model.inputs.padding import noticed_padding
from stexplain.explainers.targets import Class
from tests.explainers.small_models import signals


def clip(*lengths, frames=20, instances=1, seed=0):
    """Clips ``[B, M, T, N, C]`` of some lengths, zero from there on."""
    x = signals(len(lengths), instances, frames, 5, 3, seed=seed)
    for row, length in zip(x, lengths, strict=True):
        row[:, length:] = 0
    return x


def found(x):
    return noticed_padding(x)


def test_frames_after_the_end_are_padding():
    padding = found(clip(20, 12, 4))
    assert padding.sum((1, 2)).tolist() == [0, 8, 16]
    assert padding[1, 0].tolist() == [False] * 12 + [True] * 8


def test_frames_before_the_start_are_padding():
    x = clip(20, 12).flip(2)
    assert found(x)[1, 0].tolist() == [True] * 8 + [False] * 12


def test_the_last_frame_repeated_is_padding():
    x = clip(20, 20)
    x[1, :, 15:] = x[1, :, 14:15]
    assert found(x)[1, 0].tolist() == [False] * 15 + [True] * 5
    assert not found(x)[0].any()
    assert found(x.flip(2))[1, 0].tolist() == [True] * 5 + [False] * 15


def test_a_value_that_stands_for_what_is_not_there_is_padding_too():
    """Centred arrays hold minus the centre where they held zero."""
    x = clip(20, 11) - 0.7
    assert found(x)[1, 0].tolist() == [False] * 12 + [True] * 8


def test_persons_who_are_not_there_are_padding():
    x = clip(20, 20, 20, instances=2)
    x[1, 1] = 0
    x[2] = 0
    padding = found(x)
    assert padding[1, 1].all()
    assert padding.sum() == 20


def test_one_who_came_late_has_ended_with_the_other():
    x = clip(12, instances=2)
    x[0, 1, :3] = 0
    assert found(x)[0, 1].tolist() == [False] * 12 + [True] * 8


@pytest.mark.parametrize("frame", [0, 7, 19])
def test_one_bright_frame_is_no_clip_of_one_frame(frame):
    x = torch.zeros(1, 1, 20, 5, 3)
    x[:, :, frame] = 1
    assert not found(x).any()


def test_a_window_between_zeros_is_no_padding():
    x = clip(15)
    x[:, :, :4] = 0
    assert not found(x).any()


def test_what_is_zero_or_constant_throughout_is_no_padding():
    assert not found(torch.zeros(2, 2, 20, 5, 3)).any()
    assert not found(torch.ones(2, 1, 20, 5, 3)).any()
    assert not found(torch.ones(1, 1, 1, 1, 1)).any()
    # A step: two values, each of which stays.
    x = torch.ones(1, 1, 20, 5, 3)
    x[:, :, 10:] = 2
    assert not found(x).any()


def test_zero_nodes_or_channels_are_no_padding():
    x = clip(20)
    x[..., 2:, :, 10:, 0] = 0
    x[:, :, 10:, :4] = 0
    assert not found(x).any()


def test_events_that_are_rare_are_no_padding():
    """Silence at the end that is no longer than others before it."""
    x = torch.zeros(1, 1, 30, 4, 1)
    for frame in (0, 8, 9, 20, 25):
        x[:, :, frame, frame % 4] = 1
    assert not found(x).any()


def test_series_of_whole_numbers_that_stand_still_are_no_padding():
    x = torch.tensor([3.0, 3, 4, 4, 4, 4, 5, 6, 6, 6, 6, 6]).view(1, 1, 12, 1, 1)
    assert not found(x).any()
    assert not found(x.flip(2)).any()


class Skeletons(nn.Module):
    """x ``[B, C, T, N, M]``, as most arrays of skeletons are laid out; padding counts like all else."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.mix, self.head = nn.Conv3d(3, 4, (9, 1, 1), padding=(4, 0, 0)), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(torch.tanh(self.mix(x)).mean((2, 3, 4)))


def skeletons():
    """Four fifths are padding: the second person, and frames from 120 on."""
    x = signals(2, 3, 300, 25, 2)
    x[:, :, 120:], x[..., 1] = 0, 0
    return x


def test_arrays_of_skeletons_have_their_padding_share():
    x, model = skeletons(), Skeletons()
    e = InputGradient(model, inputs="b c t n m")(x, target=Class(1))
    assert e.valid.mean() == 0.2
    assert not e.values[:, 1].any()
    assert not e.values[:, :, 120:].any()
    given = torch.zeros(2, 2, 300, dtype=torch.bool)
    given[:, 0, :120] = True
    expected = InputGradient(model, inputs="b c t n m")(x, target=Class(1), valid=given)
    np.testing.assert_array_equal(e.padding_share, expected.padding_share)
    assert (e.padding_share > 0.7).all()
    np.testing.assert_array_equal(e.values, expected.values)
    assert e.notes[0].startswith("Padding: 960 of 1200 frames, in 2 of 2 samples")
    kept = InputGradient(model, inputs="b c t n m")(x, target=Class(1), valid=True)
    assert kept.valid.all()
    assert kept.notes == ()
    assert kept.values[:, 1].any()


def test_the_model_sees_no_mask_that_nobody_gave():
    """A score must be the one that the model gives by itself."""
    given = []

    class Masked(Skeletons):
        def forward(self, x, valid=None):
            given.append(valid)
            return super().forward(x)

    model = Masked()
    e = InputGradient(model, inputs="b c t n m")(skeletons(), target=Class(1))
    assert given
    assert all(mask is None for mask in given)
    np.testing.assert_allclose(e.score, model(skeletons())[:, 1].detach(), rtol=1e-5)


def test_padding_is_not_perturbed():
    x = skeletons()[:, :, 100:140]
    seen = []

    class Watched(Skeletons):
        def forward(self, x):
            seen.append(x.clone())
            return super().forward(x)

    for kind, options in ((Occlusion, {"window": 10}), (IntegratedGradients, {"steps": 8})):
        e = kind(Watched(), inputs="b c t n m", baseline=lambda x, valid, graph: torch.ones_like(x), **options)(
            x, target=Class(0)
        )
        assert not e.values[:, 1].any()
    assert all(not each[:, :, 20:].any() and not each[..., 1].any() for each in seen)


def test_only_signals_are_looked_at():
    """The time of day goes on where the readings have ended."""
    x = torch.cat([clip(12, 20)[:, 0, ..., :1], torch.linspace(0, 1, 20).view(1, 20, 1, 1).expand(2, 20, 5, 1)], -1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(200, 2))
    assert InputGradient(model, inputs="b t n c")(x, target=Class(0)).valid.all()
    e = InputGradient(model, inputs="b t n c", signals=[0])(x, target=Class(0))
    assert e.valid.sum((1, 2)).tolist() == [12, 20]
    named = InputGradient(model, inputs="b t n c", signals=["speed"], channel_names=["speed", "day"])
    assert named(x, target=Class(0)).valid.sum((1, 2)).tolist() == [12, 20]


def test_baselines_and_chunks_notice_the_same():
    x = skeletons()
    assert Motion(inputs="b c t n m")(x).valid.mean() == 0.2
    e = InputGradient(Skeletons(), inputs="b c t n m", chunk=1)(x, target=Class(1))
    assert e.valid.mean() == 0.2
