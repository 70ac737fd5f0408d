"""Every shape that a model's output has is explained, wherever its samples lie."""

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.errors import InputError

SAMPLES, FRAMES, NODES, STEPS = 4, 6, 5, 4
METHODS = {
    "InputGradient": {"reduce": "sum"},
    "IntegratedGradients": {"baseline": "zero"},
    "Occlusion": {"window": 1, "baseline": "zero"},
}


class Returns(nn.Module):
    """Returns what a function makes of ``[b, t, n]``."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def signals(samples=SAMPLES):
    return torch.rand(samples, FRAMES, NODES, generator=torch.Generator().manual_seed(0)) + 0.1


def explained(name, function, target, x=None, **options):
    return getattr(stx, name)(Returns(function), inputs="b t n", **METHODS[name], **options)(
        signals() if x is None else x, target=target
    )


def forecasts(x):
    """Step h is h + 1 times the last frame, ``[b, h, n]``."""
    return torch.stack([x[:, -1] * (step + 1) for step in range(STEPS)], 1)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("chunk", [None, 1, 3])
@pytest.mark.parametrize(
    ("layout", "function"),
    [
        ("b t n", forecasts),
        ("B T N", forecasts),
        ("t b n", lambda x: forecasts(x).transpose(0, 1)),
        ("b n t 1", lambda x: forecasts(x).transpose(1, 2)[..., None]),
        ("(b n) t", lambda x: forecasts(x).transpose(1, 2).flatten(0, 1)),
        ("(n b) t", lambda x: forecasts(x).permute(2, 0, 1).flatten(0, 1)),
    ],
)
def test_forecasts_in_any_layout(name, layout, function, chunk):
    # As many samples as steps: sizes alone do not tell which axis is which.
    e = explained(name, function, stx.Forecast(2, horizon=3, layout=layout), chunk=chunk)
    expected = np.zeros((SAMPLES, FRAMES, NODES))
    expected[:, -1, 2] = 3 if name == "InputGradient" else 3 * signals()[:, -1, 2]
    np.testing.assert_allclose(e.values[:, 0], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(e.score, 3 * signals()[:, -1, 2], rtol=1e-5)


@pytest.mark.parametrize("samples", [2, STEPS])
def test_a_layout_that_says_otherwise_is_refused(samples):
    with pytest.raises(InputError, match="does not fit"):
        explained(
            "InputGradient",
            lambda x: forecasts(x).transpose(0, 1),
            stx.Forecast(2, horizon=1, layout="b t n"),
            signals(samples),
        )


def test_a_comparison_is_cut_along_the_samples():
    other = forecasts(signals()).transpose(0, 1)
    target = stx.Forecast(2, horizon=3, layout="t b n", minus=other)
    e = explained("InputGradient", lambda x: 2 * forecasts(x).transpose(0, 1), target, chunk=3)
    np.testing.assert_allclose(e.score, 3 * signals()[:, -1, 2], rtol=1e-5)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("function", "target", "score"),
    [
        (lambda x: x.sum((1, 2)), stx.Output(), lambda x: x.sum((1, 2))),
        (lambda x: x.sum((1, 2))[:, None], stx.Output(), lambda x: x.sum((1, 2))),
        (lambda x: x.sum(1), stx.Output(3), lambda x: x[:, :, 3].sum(1)),
        (lambda x: x.sum(1), stx.Forecast(1, layout="b n"), lambda x: x[:, :, 1].sum(1)),
        (lambda x: torch.stack([-x.sum(1), x.sum(1)], 2), stx.NodeClass(1), lambda x: x[:, :, 1].sum(1)),
        (
            lambda x: torch.stack([x.sum(1), -x.sum(1)], 1),
            stx.NodeClass(1, 0, layout="b c n"),
            lambda x: x.sum(1)[:, 1],
        ),
        (lambda x: -x.sum((1, 2)), stx.Predicted(), lambda x: x.sum((1, 2))),
        (lambda x: -x.sum((1, 2)), stx.Class(1), lambda x: -x.sum((1, 2))),
    ],
)
def test_linear_models_of_any_output(name, function, target, score):
    x = signals().requires_grad_()
    (gradient,) = torch.autograd.grad(score(x).sum(), x)
    e = explained(name, function, target)
    expected = gradient if name == "InputGradient" else gradient * x.detach()
    np.testing.assert_allclose(e.values[:, 0], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(e.score, score(x).detach(), rtol=1e-5)


def test_a_graph_without_a_batch():
    explain = stx.InputGradient(Returns(lambda x: torch.stack([x.sum(0), -x.sum(0)], 1)), inputs="t n", reduce="sum")
    expected = np.zeros((FRAMES, NODES))
    expected[:, 3] = -1
    e = explain(signals()[0], target=stx.NodeClass(3, 1, layout="n c"))
    np.testing.assert_allclose(e.values[0, 0], expected)


@pytest.mark.parametrize("chunk", [None, 1])
@pytest.mark.parametrize("log", [False, True])
def test_log_odds_are_those_of_the_logits(log, chunk):
    """With two classes the log-odds are the difference of the logits, also where a copy is scored."""

    def probabilities(x):
        logits = torch.stack([x[:, 0].sum(1), 0.1 * x[:, 1].sum(1)], 1)
        return logits.log_softmax(1) if log else logits.softmax(1)

    e = explained("Occlusion", probabilities, stx.LogOdds([0, 1, 1, 0]), chunk=chunk)
    sign = np.array([1, -1, -1, 1])[:, None]
    np.testing.assert_allclose(e.values[:, 0, 0], sign * signals()[:, 0].numpy(), rtol=1e-3)
    np.testing.assert_allclose(e.values[:, 0, 1], -0.1 * sign * signals()[:, 1].numpy(), rtol=1e-2)


def test_probabilities_are_noted():
    e = explained("InputGradient", lambda x: x.sum(1).softmax(1), stx.Class(1))
    assert any("LogOdds" in note for note in e.notes)
    assert not explained("InputGradient", lambda x: x.sum(1)[:, :4], stx.Class(1)).notes


@pytest.mark.parametrize(
    ("function", "target", "words"),
    [
        (forecasts, stx.Class(0), r"Forecast\(node"),
        (lambda x: x.sum(1), stx.Output(), "5 outputs.*Output"),
        (lambda x: x.sum(1), stx.Output(5), "expected 0 to 4"),
        (lambda x: x.sum(1), stx.LogOdds(0), "Of logits, give Class"),
        (forecasts, stx.Forecast(0, layout="b t n"), "forecasts 4 steps.*horizon"),
        (forecasts, stx.Forecast(0, 1, layout="t n"), "expected one, as there are 4 samples"),
        (forecasts, stx.NodeClass(0, 7), "no class 7"),
    ],
)
def test_what_does_not_fit_says_what_does(function, target, words):
    with pytest.raises(InputError, match=words):
        explained("InputGradient", function, target)


@pytest.mark.parametrize("name", METHODS)
def test_samples_that_influence_each_other_are_explained_alone(name):
    def mixed(x):
        return (x + x.mean(0, keepdim=True)).sum(1)

    with pytest.raises(InputError, match="chunk=1"):
        explained(name, mixed, stx.Class(0))
    e = explained(name, mixed, stx.Class(0), chunk=1)
    expected = np.full((SAMPLES, FRAMES), 2) if name == "InputGradient" else 2 * signals()[:, :, 0]
    np.testing.assert_allclose(e.values[:, 0, :, 0], expected, rtol=1e-4)


@pytest.mark.parametrize("layout", ["b t n", "t b n"])
def test_a_target_derived_from_a_forecast_scores_as_it_says(layout):
    class Halved(stx.Forecast):
        """Half of the forecast, with the opposite sign."""

        def score(self, output, *info):
            scores = super().score(output, *info)
            return scores._replace(scores=-0.5 * scores.scores)

    class Steps(nn.Module):
        def forward(self, x):  # b t n
            last = x[:, -1]
            return torch.stack([last, 3 * last], 1 if layout == "b t n" else 0)

    x = torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(0))
    e = stx.InputGradient(Steps(), inputs="b t n", reduce="sum")(x, target=Halved(2, 2, layout=layout))
    expected = np.zeros((4, 1, 6, 5))
    expected[:, 0, -1, 2] = -1.5
    np.testing.assert_allclose(e.values, expected, atol=1e-6)
    np.testing.assert_allclose(e.score, -1.5 * x[:, -1, 2], rtol=1e-6)


def test_values_of_nodes_that_are_taken_for_classes_are_said():
    """One step of every node, ``[b, n]``, looks like the logits of as many classes."""
    words = "as many as there are nodes"
    assert any(words in note for note in explained("InputGradient", lambda x: x[:, -1], stx.Predicted()).notes)
    for quiet in (
        explained("InputGradient", lambda x: x[:, -1, :4], stx.Predicted()),
        explained("InputGradient", lambda x: x[:, -1], stx.Class("c"), classes=list("abcde")),
        explained("InputGradient", lambda x: x[:, -1], stx.Forecast(1, horizon=1, layout="b n")),
    ):
        assert not any(words in note for note in quiet.notes)


def test_flattened_forecasts_that_are_taken_for_classes_are_said():
    """Three steps of every node, ``[b, (t n)]``, look like the logits of as many classes."""
    words = "3 times as many as there are nodes"
    flat = lambda x: x[:, -3:].flatten(1)  # noqa: E731
    assert any(words in note for note in explained("InputGradient", flat, stx.Predicted()).notes)
    e = explained("InputGradient", flat, stx.Forecast(1, horizon=2, layout="b (t n)"))
    for quiet in (
        explained("InputGradient", lambda x: flat(x)[:, 1:], stx.Predicted()),
        explained("InputGradient", flat, stx.Predicted(), classes=list("abcdefghijklmno")),
        e,
    ):
        assert not any(words in note for note in quiet.notes)
    # What the note says to give reads the node and step that it names.
    assert set(np.argwhere(e.values[0])[:, -1].tolist()) == {1}
