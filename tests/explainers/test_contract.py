"""The contract of every explainer of the package; a new one is tested without being named here."""

from copy import deepcopy
from dataclasses import replace
from inspect import signature

import numpy as np
import pytest
import torch

from stexplain.data.samples import Batch
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods import Random
from stexplain.explainers.targets import Class
from tests.explainers.every_explainer import EXPLAINERS
from tests.explainers.our_models import NODES, batch, graph, small_model


def assert_same(values, expected):
    """Equal to the precision of float32, measured by the largest value: some methods' are tiny on a random model."""
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


def explained(kind, model, samples, target=None):
    with kind(model) as explain:
        return explain(samples, target=target or Class(1))


@pytest.fixture(params=EXPLAINERS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


def test_all_are_found():
    some = {"STGGradCAM", "CAM", "InputGradient", "Occlusion", "TemporalRescaling", "Random", "Motion"}
    assert some <= {kind.__name__ for kind in EXPLAINERS}


def test_the_map_has_the_samples_axes_and_nothing_on_padding(kind):
    samples = batch()
    e = explained(kind, small_model(), samples)
    assert e.values.shape == samples.x.shape[:-1]
    assert np.isfinite(e.values).all()
    assert np.abs(e.values).max() > 0
    assert not e.values[~samples.valid.numpy()].any()


def test_alone_or_in_a_batch(kind):
    model, samples = small_model(), batch()
    together = explained(kind, model, samples)
    for row in range(len(samples)):
        alone = explained(kind, model, samples[row : row + 1])
        assert_same(alone.values[0], together.values[row])


def test_targets_of_one_batch_do_not_mix(kind):
    model, samples = small_model(), batch()
    mixed = explained(kind, model, samples, Class([0, 3, 1]))
    for row, number in enumerate([0, 3, 1]):
        same = explained(kind, model, samples, Class(number))
        assert_same(mixed.values[row], same.values[row])


def test_renumbered_nodes_give_the_renumbered_map(kind):
    if kind is Random:
        pytest.skip("random numbers belong to places, not to nodes")
    order = [3, 0, 5, 1, 4, 2]
    model, samples = small_model(), batch()
    other = small_model(graph().permute(order))
    state = model.state_dict()
    for name, value in state.items():
        if name.startswith("data_norm") and value.ndim == 1:
            state[name] = value.view(NODES, 3)[order].flatten()
    other.load_state_dict(state)
    moved = Batch(samples.x[:, :, :, order], samples.valid, samples.label, samples.ids)
    here, there = explained(kind, model, samples), explained(kind, other, moved)
    assert_same(here.values[..., order], there.values)


def test_appended_padding_and_absent_instances_change_nothing(kind):
    model, samples = small_model(), batch()
    x = torch.zeros(3, 3, 21, NODES, 3, dtype=torch.float64)
    valid = torch.zeros(3, 3, 21, dtype=torch.bool)
    x[:, :2, :12], valid[:, :2, :12] = samples.x, samples.valid
    longer = explained(kind, model, Batch(x, valid, samples.label, samples.ids))
    shorter = explained(kind, model, samples)
    assert_same(longer.values[:, :2, :12], shorter.values)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(kind, training):
    model = small_model().train(training)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    next(model.parameters()).requires_grad_(False)
    flags = [parameter.requires_grad for parameter in model.parameters()]
    explained(kind, model, batch())
    with pytest.raises(ZeroDivisionError), kind(model):
        _ = 1 / 0
    assert model.training is training
    assert all(module.training is training for module in model.modules())
    assert [parameter.requires_grad for parameter in model.parameters()] == flags
    assert all(parameter.grad is None for parameter in model.parameters())
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
    assert not any(getattr(module, name) for module in model.modules() for name in hooks)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0)


def test_an_explanation_comes_back_from_its_file(kind, tmp_path):
    e = explained(kind, small_model(), batch())
    e.save(tmp_path / "e.nc")
    back = Explanation.load(tmp_path / "e.nc")
    np.testing.assert_array_equal(back.values, e.values)
    assert (back.method, back.layer, back.ids, back.node_names) == (e.method, e.layer, e.ids, e.node_names)
    assert back.graph == e.graph


def test_what_is_drawn_at_random_has_a_standard_error(kind):
    """All but random attribution, whose values estimate nothing."""
    e = explained(kind, small_model(), batch())
    drawn = "seed" in signature(kind).parameters and kind is not Random
    # Of few draws there is none, and a note says so.
    said = any(note.startswith("No standard error") for note in e.notes)
    assert (e.standard_error is not None) is (drawn and not said)
    if e.standard_error is not None:
        assert e.standard_error.shape == e.values.shape
        assert (e.standard_error >= 0).all()
        assert (e.standard_error[~e.present] == 0).all()
        assert e.standard_error.max() > 0


IN_SCORES = [kind for kind in EXPLAINERS if kind.measures in ("score", "size of score", "score per input")]


def test_what_values_are_in_is_said_of_all_that_explain_by_scores():
    assert {kind.__name__ for kind in EXPLAINERS if kind.measures == "score per input"} == {"InputGradient"}
    assert {kind.__name__ for kind in EXPLAINERS if kind.measures == "size of score"} == {"ExpectedFall"}
    assert {"STGGradCAM", "IntegratedGradients", "ExpectedGradients", "Occlusion", "ShapleyValueSampling"} <= {
        kind.__name__ for kind in IN_SCORES
    }


@pytest.mark.parametrize("kind", IN_SCORES, ids=lambda kind: kind.__name__)
def test_values_are_in_what_the_explainer_says(kind):
    """Ten times the score is ten times the values; an input in another unit changes only values per unit of it."""
    model, samples = small_model(), batch()
    here = explained(kind, model, samples)
    scaled = deepcopy(model)
    with torch.no_grad():
        scaled.head.weight *= 10
        scaled.head.bias *= 10
    assert_same(explained(kind, scaled, samples).values, 10 * here.values)
    # The same function of readings in another unit: the first layer standardises them.
    other = deepcopy(model)
    norm = other.data_norm
    norm.running_mean *= 4
    norm.running_var.copy_((norm.running_var + norm.eps) * 16 - norm.eps)
    moved = replace(samples, x=samples.x * 4)
    there = explained(kind, other, moved).values
    assert_same(there, here.values / 4 if kind.measures == "score per input" else here.values)
    assert here.measures == kind.measures
