"""The metrics that `compare` takes: what they are given, and of which target."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods import InputGradient
from stexplain.explainers.targets import Class, Predicted
from stexplain.metrics import compare, complexity, deletion_curve, sensitivity_max
from stexplain.metrics.comparison.scores import complexity_score, deletion_score, sensitivity_score
from tests.metrics.small_batches import batch, linear

MODEL, BATCH = linear(), batch()
DELETION = {"steps": 2, "repeats": 1, "baseline": "zero"}


class Squared(torch.nn.Module):
    """Squares of the scores of a linear model: their gradients differ between classes and with the signals."""

    def __init__(self):
        super().__init__()
        self.inner = MODEL

    def forward(self, x):
        return self.inner(x) ** 2


@pytest.mark.parametrize("explained", [Class(1), Predicted()])
def test_a_metric_without_a_target_is_of_the_one_that_is_explained(explained):
    """One with a target of its own keeps it."""
    explain = InputGradient(Squared())
    of_class = replace(sensitivity_score(draws=2, target=Class(2)), name="of class 2")
    metrics = [sensitivity_score(draws=2), of_class, deletion_score(explain.model, **DELETION)]
    found = compare({"gradient": explain}, metrics, BATCH, target=explained, progress=False).scores
    for name, target in (("sensitivity", explained), ("of class 2", Class(2))):
        expected = sensitivity_max(explain, BATCH, draws=2, target=target).maximum
        np.testing.assert_allclose(found[name]["gradient"], expected, rtol=1e-6)
        assert len(set(np.round(expected, 9))) > 1
    e = explain(BATCH, target=explained)
    gains = deletion_curve(explain.model, BATCH, e, target=explained, **DELETION).areas("gain")
    np.testing.assert_allclose(found["deletion gain"]["gradient"], gains, rtol=1e-6)


@pytest.mark.parametrize("score", ["gini", "sparsity", "entropy"])
def test_complexity_is_of_what_was_observed(score):
    """A gap of a sensor is no importance of zero: as zeros gaps would make any map look sparse."""
    values, observed = np.array([[[[1.0, 2.0], [3.0, 0.0], [2.0, 0.0]]]]), np.array([[[[1, 1], [1, 0], [1, 0]]]], bool)
    e = Explanation(values, np.ones((1, 1, 3), bool), observed=observed)
    found = complexity_score(score)(None, e, None)
    np.testing.assert_allclose(found, complexity(e).scores[score])
    np.testing.assert_allclose(found, complexity([[[[1.0, 2.0, 3.0, 2.0]]]]).scores[score])
