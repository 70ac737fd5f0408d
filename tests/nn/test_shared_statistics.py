"""Batch statistics over all processes: those of their batches together, of which each normalises its own."""

import pytest
import torch
from torch import nn

from stexplain.nn import normalisation
from stexplain.nn.normalisation import ChannelNorm, shared_statistics


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("rows", [1, 4])
def test_statistics_of_two_processes_are_those_of_one_batch(monkeypatch, momentum, rows):
    """The other process has the same values: every sum is twice as large. Of torch the batch of both is asked."""
    torch.manual_seed(0)
    ours, other = ChannelNorm(3, momentum=momentum).double(), nn.BatchNorm1d(3, momentum=momentum).double()
    other.load_state_dict(ours.state_dict())
    monkeypatch.setattr(normalisation, "_summed", lambda values: 2 * values)
    for _ in range(3):
        x = 5 + torch.randn(rows, 1, 2, 3).double()
        one, both = x.clone().requires_grad_(), torch.cat([x, x]).requires_grad_()
        with shared_statistics(ours):
            y = ours(one)
        expected = other(both.flatten(0, -2)).view(both.shape)
        torch.testing.assert_close(y, expected[:rows], rtol=1e-10, atol=1e-10)
        weight = torch.randn_like(y)
        # What the own share adds to the gradient, and the other one, which is alike.
        (gradient,) = torch.autograd.grad((y * weight).sum(), one)
        (wanted,) = torch.autograd.grad((expected * torch.cat([weight, weight])).sum(), both)
        torch.testing.assert_close(gradient, wanted[:rows], rtol=1e-9, atol=1e-9)
        for name, value in other.state_dict().items():
            torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-10, atol=1e-10, msg=name)


def test_one_value_in_all_has_no_spread_and_leaves_numbers(monkeypatch):
    """Of a single value the unbiased variance is 0 / 0; torch refuses it, a share may be one of several."""
    norm = ChannelNorm(2).double()
    monkeypatch.setattr(normalisation, "_summed", lambda values: values)
    with shared_statistics(norm):
        y = norm(torch.ones(1, 1, 1, 2).double())
    assert torch.equal(y, norm.bias.expand(1, 1, 1, 2))
    torch.testing.assert_close(norm.running_var, torch.tensor([0.9, 0.9]).double())


def test_statistics_are_shared_in_training_and_inside_of_the_block_alone(monkeypatch):
    asked = []
    monkeypatch.setattr(normalisation, "_summed", lambda values: asked.append(1) or values)
    model, x = nn.Sequential(ChannelNorm(2), nn.BatchNorm1d(2)), torch.randn(6, 2)
    model(x)
    with shared_statistics(model):
        model.eval()(x)
        assert not asked
        model.train()(x)
    # Of the values and their count, then of the squares; of this package's normalisation alone.
    assert len(asked) == 2
    with pytest.raises(ZeroDivisionError), shared_statistics(model):
        1 / 0  # noqa: B018
    model(x)
    assert len(asked) == 2
