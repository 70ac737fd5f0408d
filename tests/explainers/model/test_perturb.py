import pytest
import torch
from torch import nn

from stexplain.data.baselines.named import HistoryOr
from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.explainer import Explainer, Maps
from stexplain.explainers.methods.gradient.gradient_shap import GradientSHAP
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.methods.perturbation.shapley import ShapleyValueSampling
from stexplain.explainers.methods.perturbation.temporal_rescaling import TemporalRescaling
from stexplain.explainers.model.fixed_target import FixedTarget
from stexplain.explainers.model.perturb import PerturbedInputs, with_baseline
from stexplain.explainers.model.score_fn import TargetScores, _alike
from stexplain.explainers.outputs.model_output import OutputAxes
from stexplain.explainers.outputs.sample_axis import SampleAxis
from stexplain.explainers.targets import Class, Custom, Margin, PerSample, Predicted
from tests.explainers.small_models import signals

FIRST = torch.tensor([[1.0, 2.0, 0.0], [4.0, 3.0, 1.0]])
COPIES = signals(3, 2, 3)


@pytest.mark.parametrize(
    ("target", "fixed"),
    [
        (Predicted(), [Class(1), Class(0)]),
        (Class([2, 0]), [Class(2), Class(0)]),
        (Margin(1, 2), [Margin(1, 2), Margin(1, 2)]),
        (Custom(lambda y: y.square().sum(1)), [Custom(lambda y: y.square().sum(1))] * 2),
        (PerSample([Predicted(), lambda y: y.amax(1)]), [Class(1), lambda y: y.amax(1)]),
    ],
    ids=["predicted", "class", "margin", "custom", "mixed"],
)
def test_copies_are_asked_about_what_the_samples_were(target, fixed):
    fixed_target = FixedTarget(TargetScores(target), 2)
    torch.testing.assert_close(fixed_target(FIRST).scores, PerSample(fixed)(FIRST))
    result = fixed_target(COPIES.flatten(0, 1))
    torch.testing.assert_close(result.scores.view(3, 2), torch.stack([PerSample(fixed)(copy) for copy in COPIES]))
    assert result.classes.tolist() == PerSample(fixed).score(FIRST).classes.tolist() * 3


def test_a_fixed_target_is_differentiable_in_the_output():
    fixed_target = FixedTarget(TargetScores(Predicted()), 2)
    fixed_target(FIRST)
    leaf = COPIES.flatten(0, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(fixed_target(leaf).scores.sum(), leaf)
    assert torch.equal(gradient, torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]).repeat(3, 1))


class Listening(nn.Module):
    """Scores that depend on the masks and arguments of every sample."""

    def forward(self, x, scale, weight, valid=None, observed=None):
        there = valid[..., None] & observed
        return ((x[..., 0] * there).sum((1, 2, 3)) * scale[:, 0] * weight)[:, None]


class Altering(Explainer):
    """Keeps its copies, for the tests to look at."""

    def _maps(self, model_input, score_fn):
        copies = PerturbedInputs(self, model_input, score_fn)
        self.start = with_baseline(self, model_input, torch.tensor(7.0))
        self.scores = copies.scores(torch.cat([copies.x, 2 * copies.x, 3 * copies.x]))
        return Maps(copies.x.sum(-1), copies.scores_of_samples)


def test_what_comes_with_a_sample_goes_with_its_copies():
    x, valid = signals(2, 1, 4, 3, 1), torch.ones(2, 1, 4, dtype=torch.bool)
    valid[1, 0, 3] = False
    observed = signals(2, 1, 4, 3, seed=1) > 0
    batch = Batch(x, valid, torch.zeros(2, dtype=torch.int64), ("a", "b"), observed=observed)
    scale = torch.tensor([[2.0], [5.0]])
    for chunk in (None, 1):
        with Altering(Listening(), chunk=chunk) as explain:
            e = explain(batch, target=Class(1), shared={"weight": 10.0}, per_sample={"scale": scale})
        one = (x[..., 0] * (valid[..., None] & observed)).sum((1, 2, 3)) * scale[:, 0] * 10
        torch.testing.assert_close(torch.from_numpy(e.score), one)
        expected = torch.stack([one, 2 * one, 3 * one])
        torch.testing.assert_close(explain.scores, expected.flatten() if chunk is None else expected[:, 1])
        last = slice(None) if chunk is None else slice(1, 2)
        present = (valid[..., None] & observed)[last]
        assert (explain.start[..., 0][present] == 7).all()
        assert torch.equal(explain.start[..., 0][~present], x[last][..., 0][~present])


METHODS = [GradientSHAP, IntegratedGradients, Occlusion, ShapleyValueSampling, TemporalRescaling]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_no_more_copies_go_through_the_model_at_a_time_than_allowed(method):
    # Not on the model: what a forward pass sets there is undone.
    seen = []

    class Counting(nn.Module):
        def forward(self, x):
            seen.append(len(x))
            return x.square().sum((1, 2, 3))

    model = Counting()
    with method(model, copies=3) as explain:
        explain(signals(2, 1, 8, 4, 3), target=Class(0))
    assert max(seen) == 6
    with method(model, copies=3, chunk=1) as explain:
        seen.clear()
        explain(signals(2, 1, 8, 4, 3), target=Class(0))
    assert max(seen) == 3


@pytest.mark.parametrize("method", [GradientSHAP, IntegratedGradients, Occlusion, ShapleyValueSampling])
def test_methods_give_every_copy_what_came_with_its_sample(method):
    """On a linear model all of them are the signals times their weight, which is an argument per sample."""
    x, valid = signals(2, 1, 3, 4, 1), torch.ones(2, 1, 3, dtype=torch.bool)
    valid[1, 0, 2] = False
    observed = signals(2, 1, 3, 4, seed=1) > -0.5
    batch = Batch(x, valid, torch.zeros(2, dtype=torch.int64), ("a", "b"), observed=observed)
    scale = torch.tensor([[2.0], [5.0]])
    options = {GradientSHAP: {"baselines": ["zero"]}, IntegratedGradients: {}}.get(method, {"window": 1})
    with method(Listening(), **options) as explain:
        e = explain(batch, target=Class(1), shared={"weight": 10.0}, per_sample={"scale": scale})
    expected = x[..., 0] * (valid[..., None] & observed) * scale.view(2, 1, 1, 1) * 10
    torch.testing.assert_close(torch.from_numpy(e.values), expected, rtol=1e-4, atol=1e-4)


def test_an_output_of_other_size_is_refused():
    class Pooling(nn.Module):
        def forward(self, x):
            return x.mean((0, 1, 2, 3))[None]

    with Altering(Pooling()) as explain, pytest.raises(InputError, match="expected an axis with an entry per sample"):
        explain(signals(2, 1, 4, 3, 1), target=Class(0))


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_a_target_that_looks_at_other_samples_is_refused_of_two_and_more(samples):
    output = torch.rand(samples, 3)
    assert torch.equal(TargetScores(Custom(lambda y: y[:, 0]))(output).scores, output[:, 0])
    mean = TargetScores(Custom(lambda y: y[:, 0] - y[:, 0].mean()))
    if samples == 1:
        # There is no other.
        assert mean(output).scores.tolist() == [0.0]
        return
    with pytest.raises(InputError, match="gives a sample another score where only other samples"):
        mean(output)


@pytest.mark.parametrize("forecasting", [True, False])
@pytest.mark.parametrize("baseline", [HistoryOr("mean"), "mean"])
def test_only_of_forecasts_it_is_said_that_the_samples_know_no_history(forecasting, baseline):
    explain = Occlusion(nn.Flatten(), inputs="b t n", window=None)
    model_input = explain._prepare(signals(2, 4, 3), None)
    explain._forecasting = forecasting
    with_baseline(explain, model_input, baseline)
    said = [note for note in explain._notes if note.startswith("Baseline: mean. The samples hold no")]
    assert len(said) == (forecasting and baseline != "mean")


@pytest.mark.parametrize(
    ("target", "mixes"), [(lambda y: y["alone"][:, 0], False), (lambda y: y["mixed"][:, 0] + y["alone"][:, 0], True)]
)
@pytest.mark.parametrize("measured", [3, 4])
def test_a_tensor_that_mixes_samples_is_refused_where_the_target_reads_it(target, mixes, measured):
    """What shows it: the first two samples were left as they were, the third was changed. Of as many samples alone."""
    before = {"alone": torch.rand(3, 2), "mixed": torch.rand(3, 2)}
    after = {"alone": before["alone"] + torch.tensor([[0.0], [0.0], [1.0]]), "mixed": before["mixed"] + 1}
    shapes = {(name,): (measured, 2) for name in before}
    axes = OutputAxes({path: SampleAxis(0) for path in shapes}, shapes, measured, frozenset({("mixed",)}),
                      (before, after, (0, 1)))  # fmt: skip
    score = TargetScores(Custom(target), axes=axes)
    if mixes and measured == 3:
        with pytest.raises(InputError, match="a sample's score depends on others"):
            score(before)
    else:
        assert torch.equal(score(before).scores, target(before))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(0.0, 0.9e-6, True), (0.0, 1.5e-6, False), (1.0, 1.00009, True), (1.0, 1.00015, False), (*[torch.nan] * 2, True)],
)
def test_scores_that_differ_by_rounding_are_the_same(one, other, expected):
    assert _alike(*(torch.tensor([each], dtype=torch.float64) for each in (one, other))) is expected


@pytest.mark.parametrize(("chunk", "first"), [(None, 5), (2, 2), (9, 5)])
def test_whether_a_model_in_half_precision_runs_is_tried_on_as_many_samples_as_go_at_a_time(chunk, first):
    model, seen = nn.Sequential(nn.Flatten(), nn.Linear(6, 2)).half(), []
    model.register_forward_pre_hook(lambda _, arguments: seen.append((len(arguments[0]), arguments[0].dtype)))
    Occlusion(model, inputs="b t n", window=None, chunk=chunk)(signals(5, 2, 3), target=Class(0))
    assert seen[0] == (first, torch.float32)
