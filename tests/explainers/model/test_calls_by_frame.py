"""Layers that run once per frame, as the cells of recurrent networks do: compared with a manual unroll in float64."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.layer.hires_cam import HiResCAM
from stexplain.explainers.methods.layer.layer_cam import LayerCAM
from stexplain.explainers.targets import Class, Custom, Forecast
from tests.explainers.small_models import DiffusionRecurrent, signals

CELL = {"layer": "encoder", "inputs": "b t n c", "layout": "b n c", "calls": "frames"}
TARGET = Forecast([1, 4], 2, layout="b t n")


def unrolled(model, x, score):
    """The hidden states ``[B, T, N, C]``, and the total derivative of the score with respect to each."""
    hidden, states = x.new_zeros(*x.shape[::2], 4), []
    for frame in range(x.shape[1]):
        hidden = model.encoder(x[:, frame], hidden)
        hidden.retain_grad()
        states.append(hidden)
    last, steps = x[:, -1, :, :1], []
    for _ in range(model.horizon):
        hidden = model.decoder(last, hidden)
        last = model.out(hidden)
        steps.append(last[..., 0])
    score(torch.stack(steps, 1)).sum().backward()
    return torch.stack(states, 1).detach(), torch.stack([state.grad for state in states], 1)


@pytest.mark.parametrize("kind", [STGGradCAM, HiResCAM, LayerCAM], ids=lambda kind: kind.__name__)
def test_slopes_go_through_all_frames_that_follow(kind):
    model, x = DiffusionRecurrent().double(), signals(3, 6, 5, 2).double()
    with kind(model, **CELL) as explain:
        e = explain(x, target=TARGET)
    features, gradients = unrolled(model, x, TARGET)
    expected = {
        STGGradCAM: features * gradients.mean((1, 2), keepdim=True),
        HiResCAM: features * gradients,
        LayerCAM: features * gradients.clamp(min=0),
    }[kind].sum(-1)
    assert e.layer_values.shape == (3, 1, 6, 5)
    np.testing.assert_allclose(e.layer_values[:, 0], expected, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(e.values, e.layer_values)
    assert (np.abs(e.values).max((1, 3)) > 1e-4).all()


def test_the_last_frame_is_the_last_call():
    model, x = DiffusionRecurrent().double(), signals(3, 6, 5, 2).double()
    with HiResCAM(model, **CELL) as all_calls, HiResCAM(model, **{**CELL, "calls": "last"}) as last_call:
        e, last = all_calls(x, target=TARGET), last_call(x, target=TARGET)
    np.testing.assert_allclose(e.layer_values[:, :, -1:], last.layer_values, rtol=1e-6)


def test_several_targets_and_chunks():
    model, x = DiffusionRecurrent().double(), signals(3, 6, 5, 2).double()
    other = Custom(lambda output: output[:, 0, 0])
    with HiResCAM(model, **CELL) as explain, HiResCAM(model, chunk=1, **CELL) as by_one:
        both, parts = explain(x, target=[TARGET, other]), by_one(x, target=[TARGET, other])
        alone = explain(x, target=other)
    np.testing.assert_allclose(both[1].values, alone.values, rtol=1e-6)
    for one, part in zip(both, parts, strict=True):
        np.testing.assert_allclose(part.values, one.values, rtol=1e-6, atol=1e-12)


class ByFrame(nn.Module):
    """A layer that runs at every frame by itself, and a cell that gives (h, (h, c)); the last frame's layer is idle."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.look, self.cell, self.head = nn.Linear(2, 4), Pair(), nn.Linear(4, 3)

    def forward(self, x):
        state = (x.new_zeros(*x.shape[::2], 4),) * 2
        for frame in range(x.shape[1]):
            seen = self.look(x[:, frame])
            if frame < x.shape[1] - 1:
                _, state = self.cell(seen, state)
        return self.head(state[0].mean(1))


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.LSTMCell(4, 4)

    def forward(self, x, state):
        flat = self.inner(x.flatten(0, 1), tuple(part.flatten(0, 1) for part in state))
        hidden, cell = (part.view(x.shape) for part in flat)
        return hidden, (hidden, cell)


def test_frames_that_do_not_follow_from_each_other_and_states_in_nested_tuples():
    model, x = ByFrame().double(), signals(2, 5, 3, 2).double()
    known = {"inputs": "b t n c", "layout": "b n c", "calls": "frames"}
    with HiResCAM(model, layer="look", **known) as look, HiResCAM(model, layer="cell", stride=1, **known) as cell:
        looked, recalled = look(x, target=Class(1)), cell(x, target=Class(1))
    seen = [model.look(x[:, frame]).detach().requires_grad_() for frame in range(5)]
    state, states = (torch.zeros(2, 3, 4, dtype=torch.float64),) * 2, []
    for one in seen[:4]:
        _, state = model.cell(one, state)
        state[0].retain_grad()
        states.append(state[0])
    model.head(state[0].mean(1))[:, 1].sum().backward()
    for frame in range(4):
        expected = (seen[frame] * seen[frame].grad).sum(-1).detach()
        np.testing.assert_allclose(looked.layer_values[:, 0, frame], expected, rtol=1e-5, atol=1e-10)
        expected = (states[frame] * states[frame].grad).sum(-1).detach()
        np.testing.assert_allclose(recalled.layer_values[:, 0, frame], expected, rtol=1e-5, atol=1e-10)
    assert (looked.layer_values[:, 0, 4] == 0).all()
    assert np.abs(looked.layer_values[:, 0, :4]).min() > 0


def test_what_does_not_fit_is_named():
    model, x = DiffusionRecurrent(), signals(3, 2, 5, 2)
    with pytest.raises(InputError, match="has an axis t"):
        HiResCAM(model, **{**CELL, "layout": "b t n c"})
    with pytest.raises(InputError, match="'frame'.*Did you mean 'frames'"):
        HiResCAM(model, **{**CELL, "calls": "frame"})
    with (
        HiResCAM(model, **{**CELL, "layer": "decoder"}) as explain,
        pytest.raises(InputError, match="ran 3 times for 2"),
    ):
        explain(x, target=TARGET)
