"""Targets that choose a class score copies for the class of the samples, and no axis of an output is taken unasked."""

import numpy as np
import pytest
import torch

import stexplain as stx
from stexplain.errors import InputError
from tests.explainers.test_output_shapes import NODES, explained, signals

X = signals()


def steps_of_nodes(x):
    """Two classes for every frame and node, ``[b, t, n, 2]``."""
    return torch.stack([x, -2 * x], 3)


@pytest.mark.parametrize("name", ["InputGradient", "Occlusion"])
@pytest.mark.parametrize(
    ("layout", "axes"), [("b t n c", (0, 1, 2, 3)), ("t b n c", (1, 0, 2, 3)), ("b n c t", (0, 2, 3, 1))]
)
def test_a_class_of_a_node_at_a_step(name, layout, axes):
    e = explained(name, lambda x: steps_of_nodes(x).permute(axes), stx.NodeClass(3, 1, horizon=4, layout=layout))
    expected = np.zeros((4, 6, NODES))
    expected[:, 3, 3] = -2 if name == "InputGradient" else -2 * X[:, 3, 3]
    np.testing.assert_allclose(e.values[:, 0], expected, rtol=1e-4)
    np.testing.assert_allclose(e.score, -2 * X[:, 3, 3], rtol=1e-6)


@pytest.mark.parametrize(("shape", "layout"), [((4, NODES), "b n"), ((4, NODES, 1), "b n c")])
def test_a_single_logit_of_a_node_has_two_sides(shape, layout):
    def logits(x):
        return (x.sum(1) - 3).view(shape)

    expected = X[:, :, 2].sum(1) - 3
    assert (expected > 0).any()
    assert (expected < 0).any()
    for which, score in ((1, expected), (0, -expected), (None, expected.abs())):
        e = explained("InputGradient", logits, stx.NodeClass(2, which, layout=layout))
        np.testing.assert_allclose(e.score, score, rtol=1e-4)
    assert e.targets.tolist() == (expected > 0).long().tolist()


@pytest.mark.parametrize("chunk", [None, 3])
@pytest.mark.parametrize("log", [False, True])
def test_log_odds_of_the_predicted_class_are_those_of_the_samples_class_in_every_copy(log, chunk):
    """Without node 0 or 1 the other class is ahead, and without a fixed class the score would be of that one."""

    def probabilities(x):
        logits = torch.stack([3 * x[:, 0, 0], 3 * x[:, 0, 1]], 1)
        return logits.log_softmax(1) if log else logits.softmax(1)

    first = X[:, 0].numpy()
    ahead = first[:, 0] > first[:, 1]
    assert 0 < ahead.sum() < 4
    sign = np.where(ahead, 1, -1)
    expected = np.zeros((4, NODES))
    expected[:, 0], expected[:, 1] = 3 * sign * first[:, 0], -3 * sign * first[:, 1]
    for target in (stx.LogOdds(), stx.PerSample([stx.LogOdds()] * 4)):
        e = explained("Occlusion", probabilities, target, chunk=chunk)
        np.testing.assert_allclose(e.values[:, 0, 0], expected, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(e.score, 3 * np.abs(first[:, 0] - first[:, 1]), rtol=1e-3)
        assert e.targets.tolist() == (~ahead).astype(int).tolist()


def test_log_odds_of_one_probability():
    e = explained("InputGradient", lambda x: torch.sigmoid(x.sum((1, 2)) - 18), stx.LogOdds())
    logit = X.sum((1, 2)) - 18
    np.testing.assert_allclose(e.score, logit.abs(), rtol=1e-3)
    np.testing.assert_allclose(e.values[:, 0, 0, 0], logit.sign(), rtol=1e-3)


@pytest.mark.parametrize("scale", [300, 3000])
def test_a_probability_that_rounds_to_one_has_no_log_odds(scale):
    with pytest.raises(InputError, match="rounds to 1.*logits"):
        explained("InputGradient", lambda x: (scale * x.sum(1)).softmax(1), stx.LogOdds())


@pytest.mark.parametrize(
    "target", [stx.Class(1), stx.Predicted(), stx.Margin(0, 1), stx.PerSample([stx.Predicted()] * 4)]
)
@pytest.mark.parametrize("function", [torch.softmax, torch.log_softmax])
def test_every_target_of_a_class_notes_probabilities(target, function):
    assert any("LogOdds" in note for note in explained("InputGradient", lambda x: function(x.sum(1), 1), target).notes)


def test_one_probability_is_noted_as_it_looks():
    """Its side cannot be told from its sign, as that of a logit is."""
    e = explained("InputGradient", lambda x: torch.sigmoid(x.sum((1, 2)) - 18), stx.Predicted())
    assert any("between 0 and 1" in note and "LogOdds" in note for note in e.notes)


@pytest.mark.parametrize(
    ("function", "target", "words"),
    [
        (steps_of_nodes, stx.NodeClass(1, 0, layout="b t n c"), "6 steps.*horizon"),
        (steps_of_nodes, stx.NodeClass(1, 0, horizon=7, layout="b t n c"), "horizon: got 7; expected 1 to 6"),
        (lambda x: torch.stack([x, x], 1), stx.Forecast(1, 1, layout="b m t n"), "2 instances"),
        (lambda x: torch.stack([x, x], 1), stx.NodeClass(1, 1, layout="b m n c"), "2 instances"),
        (lambda x: x.sum(1)[:, :2], stx.Forecast(0, 1), r"Of logits, give Class\(...\) or Predicted\(\)"),
    ],
)
def test_nothing_is_taken_unasked(function, target, words):
    with pytest.raises(InputError, match=words):
        explained("InputGradient", function, target)


def test_a_flattened_forecast_has_as_many_nodes_as_the_input():
    """Which are known without a graph, where the layout of the output is given."""
    e = explained("InputGradient", lambda x: 2 * x.flatten(1), stx.Forecast(3, 2, layout="b (t n)"))
    np.testing.assert_allclose(e.score, 2 * X[:, 1, 3], rtol=1e-6)
    expected = np.zeros((4, 6, NODES))
    expected[:, 1, 3] = 2
    np.testing.assert_allclose(e.values[:, 0], expected, rtol=1e-6)


def test_last_axes_of_one_entry_need_no_letter():
    e = explained(
        "InputGradient", lambda x: (2 * x).transpose(0, 1)[..., None, None], stx.Forecast(1, 3, layout="t b n")
    )
    np.testing.assert_allclose(e.score, 2 * X[:, 2, 1], rtol=1e-6)


def test_masking_scores_the_class_that_was_chosen_for_the_samples():
    """Both are linear or have closed forms: the last score is of everything masked, of the class chosen before."""

    class Two(torch.nn.Module):
        def forward(self, x):  # b m t n c
            return torch.stack([x.sum((1, 2, 4)), 2 - x.sum((1, 2, 4))], 2)

    x = X.view(4, 1, 6, NODES, 1)
    target = stx.NodeClass(0)
    curve = stx.metrics.deletion_curve(
        Two(), x, np.ones(x.shape[:-1]), target=target, baseline="zero", steps=2, repeats=0
    )
    total = X[:, :, 0].sum(1)
    assert (total > 1).all()
    np.testing.assert_allclose(curve.score[0], total, rtol=1e-5)
    np.testing.assert_allclose(curve.score[-1], 0, atol=1e-6)
