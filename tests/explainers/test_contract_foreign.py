"""The contract of every explainer on a model of another kind: a new explainer is tested without being named here."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.explainers.by_name import of_class
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.targets import Class
from tests.explainers.every_explainer import EXPLAINERS
from tests.explainers.small_models import path_adjacency, signals

NODES, FRAMES, CHANNELS = 5, 8, 3


class Foreign(nn.Module):
    """Graph mixing, a layer, a pool and a head, in the ways of other people's code.

    It writes into its input, takes it second, keeps a tensor, counts its calls, and returns a tuple.
    """

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.mix, self.act, self.head = nn.Linear(CHANNELS, 6), nn.ReLU(inplace=True), nn.Linear(6, 4)
        self.register_buffer("adjacency", path_adjacency(NODES).float())
        self.runs = []

    def forward(self, day, x):  # x: b t n c
        x = x.sub_(0.1).mul_(2)
        day.add_(1)
        self.hidden = self.act(self.mix(torch.einsum("btnc,wn->btwc", x, self.adjacency)) + day[:, None, None, None])
        self.runs.append(len(x))
        return self.head(self.hidden.mean((1, 2))), self.hidden


class Plain(Foreign):
    """The same function, as a model of this package would be written."""

    def forward(self, x, day):
        mixed = self.mix(torch.einsum("btnc,wn->btwc", (x - 0.1) * 2, self.adjacency)) + (day + 1)[:, None, None, None]
        return self.head(self.act(mixed).mean((1, 2)))


class OneGraph(Plain):
    """Without an axis for samples: x is ``[T, N, C]``."""

    def forward(self, x):
        return super().forward(x[None], torch.zeros(1))[0]


@pytest.fixture(params=EXPLAINERS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


def arguments(samples=3):
    return signals(samples, FRAMES, NODES, CHANNELS), torch.linspace(0, 1, samples)


def explained(kind, model, x, day=None, **options):
    own = {"adjacency": ["adjacency"]} if kind.__name__ == "GraphAblated" else {}
    explainer = of_class(kind, model, **{"inputs": "b t n c", **own, **options})
    return explainer(x, target=Class(1), per_sample=None if day is None else {"day": day})


def test_the_same_map_as_of_the_same_function(kind):
    x, day = arguments()
    foreign = explained(kind, Foreign(), x, day, argument="x")
    plain = explained(kind, Plain(), x, day)
    scale = np.abs(plain.values).max()
    assert scale > 0
    np.testing.assert_allclose(foreign.values, plain.values, rtol=1e-4, atol=1e-5 * scale)
    np.testing.assert_array_equal(foreign.targets, plain.targets)


def test_nothing_of_the_caller_changes(kind):
    model, (x, day) = Foreign(), arguments()
    with torch.no_grad():
        model(day.clone(), x.clone())
    kept, hidden, runs = (x.clone(), day.clone()), model.hidden, list(model.runs)
    explained(kind, model, x, day, argument="x")
    assert torch.equal(x, kept[0])
    assert torch.equal(day, kept[1])
    assert model.hidden is hidden
    assert model.runs == runs
    assert copy.deepcopy(model).hidden.grad_fn is None


def test_chunks_change_nothing(kind):
    x, day = arguments()
    whole = explained(kind, Foreign(), x, day, argument="x")
    parts = explained(kind, Foreign(), x, day, argument="x", chunk=2)
    np.testing.assert_allclose(parts.values, whole.values, rtol=1e-4, atol=1e-5 * np.abs(whole.values).max())


def test_values_follow_from_channels_as_is_said(kind):
    x, day = arguments()
    e = explained(kind, Foreign(), x, day, argument="x", channel_names=("x", "y", "z"))
    if e.channels is None:
        assert (e.channel_names, e.reduce) == ((), "")
        return
    assert e.channels.shape == (*e.values.shape, CHANNELS)
    assert e.channel_names == ("x", "y", "z")
    assert e.reduce
    if e.reduce == "the sum over channels":
        np.testing.assert_allclose(e.channels.sum(-1), e.values, atol=1e-5 * np.abs(e.values).max())


def test_every_explainer_of_the_input_can_tell_channels_apart(kind):
    x, day = arguments()
    options = {"argument": "x", "signals": [0, 2]}
    e = explained(kind, Foreign(), x, day, **options)
    if e.layer or kind.__name__ in ("Random", "TimePrior", "Slowness", "SlownessNearTarget"):
        pytest.skip(
            "a layer has no channels of the input, random numbers and time tell nothing of them, a speed is one"
        )
    if e.channels is None:
        e = explained(kind, Foreign(), x, day, per_channel=True, **options)
    assert not e.channels[..., 1].any()
    assert all(e.channels[..., channel].any() for channel in (0, 2))


@pytest.mark.skipif(
    not hasattr(ModelCaller, "_output_axes"), reason="a single graph's output has no axis that is known"
)
def test_one_graph_without_an_axis_for_samples(kind):
    x, _ = arguments(1)
    alone = explained(kind, OneGraph(), x[0], inputs="t n c")
    batch = explained(kind, Plain(), x, torch.zeros(1))
    np.testing.assert_allclose(alone.values, batch.values, rtol=1e-4, atol=1e-5 * np.abs(batch.values).max())
