import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods import Motion
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.perturbation.temporal_rescaling import TemporalRescaling
from stexplain.explainers.targets import Class, Custom, Predicted
from stexplain.metrics.localisation import localisation
from tests.explainers.our_models import batch, small_model
from tests.explainers.small_models import Recurrent, signals
from tests.reference.maps import slow_temporal_rescaling


@pytest.mark.parametrize(("method", "alpha"), [(InputGradient, 0.0), (STGGradCAM, 0.55)], ids=["gradient", "grad-cam"])
def test_equals_the_algorithm_written_out(method, alpha):
    model, samples = small_model(), batch(frames=3)[:2]
    with method(model) as inner:
        classes = inner(samples, target=Predicted()).targets
        for copies, chunk in ((1, None), (7, 1)):
            with TemporalRescaling(inner, alpha=alpha, copies=copies, chunk=chunk) as explain:
                e = explain(samples, target=Predicted())
            assert e.targets.tolist() == classes.tolist()
        for row, number in enumerate(classes.tolist()):
            valid = samples.valid[row : row + 1]

            def relevance(x, valid=valid, number=number, inner=inner):
                return inner(x[None], target=Class(number), valid=valid).values[0].astype(np.float64)

            expected = slow_temporal_rescaling(relevance, samples.x[row], valid[0].numpy(), alpha)
            np.testing.assert_allclose(e.values[row], expected, rtol=2e-4, atol=1e-5 * expected.max())
    assert "rescaled in time" in e.method
    assert e.method.startswith(inner.method)


class Gated(nn.Module):
    """The mean of all nodes but the first, in frames in which the first is positive."""

    def forward(self, x):
        gate = torch.sigmoid(8 * (x[:, 0, :, :1, 0] - 1))
        return (gate * x[:, 0, :, 1:, 0]).mean((1, 2))[:, None]


def test_finds_what_gradients_confuse():
    """The positions that the score depends on are known: the first node, in the frames in which it opens the gate.

    The gradient there is of all nodes but that one; masking one of them changes next to nothing.
    """
    x = signals(8, 1, 12, 6, 1) * 0.3
    truth = np.zeros((8, 1, 12, 6), bool)
    for row in range(8):
        frames = [(row + 3) % 12, (row + 4) % 12]
        x[row, 0, frames, 0] = 2.0
        truth[row, 0, frames, 0] = True
    with InputGradient(Gated()) as gradient, TemporalRescaling(gradient) as rescaled:
        before, after = (localisation(one(x, target=Class(0)).values, truth).scores for one in (gradient, rescaled))
    assert before["frames"]["auroc"].min() == 1
    assert before["positions"]["average_precision"].mean() < 0.6
    assert after["positions"]["average_precision"].min() > 0.95


def test_hidden_together_in_windows():
    model, x = Recurrent().double().eval(), signals(2, 7, 4, 2).double()
    with InputGradient(model, inputs="b t n c") as inner, TemporalRescaling(inner, window=3, alpha=0) as explain:
        values = explain(x, target=Class(1)).values[:, 0]
        first = inner(x, target=Class(1)).values[:, 0]
        for frames in (slice(0, 3), slice(3, 6), slice(6, 7)):
            assert (values[:, frames] == values[:, frames][:, :1]).all()
            masked = x.clone()
            masked[:, frames] = 0
            time = np.abs(first - inner(masked, target=Class(1), valid=True).values[:, 0]).sum((1, 2))
            masked = x.clone()
            masked[:, frames, 2] = 0
            node = np.abs(first - inner(masked, target=Class(1), valid=True).values[:, 0]).sum((1, 2))
            np.testing.assert_allclose(values[:, frames.start, 2], time * node, rtol=2e-3)


def test_a_linear_model_has_nothing_to_rescale():
    """Its gradient does not depend on what is masked."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).double()
    with TemporalRescaling(model) as explain:
        assert np.abs(explain(signals(1, 1, 4, 3, 1), target=Class(0)).values).max() < 1e-12


def test_the_share_of_frames_looked_at():
    model, x = Recurrent(), signals(2, 8, 3, 2)
    for alpha, frames in ((0.0, 8), (0.55, 4), (0.99, 1)):
        with TemporalRescaling(InputGradient(model, inputs="b t n c"), alpha=alpha) as explain:
            values = explain(x, target=Class(0)).values
        assert (values.any((1, 3)).sum(1) == frames).all()


def test_around_a_baseline_explainer():
    with TemporalRescaling(Motion(), window=2) as explain:
        e = explain(signals(2, 1, 6, 3, 2), target=Class(0))
    assert e.method == "motion energy, rescaled in time (window 2)"
    assert (e.values >= 0).all()
    assert e.values.max() > 0


def test_a_target_of_ones_own():
    with TemporalRescaling(InputGradient(Recurrent(), inputs="b t n c")) as explain:
        e = explain(signals(2, 6, 4, 2), target=Custom(lambda output: output.square().sum(1)))
    assert e.values.max() > 0


def test_wrong_use():
    cases = (
        ({"alpha": 1.0}, "alpha: got 1.0"),
        ({"window": 0}, "window: got 0"),
        ({"copies": 0}, "copies"),
        ({"chunk": 0}, "chunk: got 0"),
    )
    for wrong, message in cases:
        with pytest.raises(InputError, match=message):
            TemporalRescaling(Recurrent(), **wrong)
    with pytest.raises(InputError, match="explainer: got a str; expected an explainer"):
        TemporalRescaling("gradient")
