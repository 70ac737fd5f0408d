"""An explainer in words: what differs from its defaults, and no more; and whose recipe samples what it gets."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.cards import Recipe
from stexplain.data.samples import Batch, Sampling
from stexplain.errors import InputError
from stexplain.explainers.methods import Motion
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.layer.cam import CAM
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.model.describe import _same, _short, described
from stexplain.explainers.model.recipe import apply_recipe


class Model(nn.Sequential):
    """Any."""


@pytest.mark.parametrize(
    ("explainer", "text"),
    [
        (Occlusion(Model()), "Occlusion(Model)"),
        (Motion(), "Motion()"),
        (Motion(chunk=3), "Motion(chunk=3)"),
        (Occlusion(Model(), window=5, inputs="b t n"), "Occlusion(Model, window=5, inputs='b t n')"),
        (IntegratedGradients(Model(), steps=7, classes=["a"]), "IntegratedGradients(Model, steps=7, classes=('a',))"),
        (IntegratedGradients(Model(), signals=[0]), "IntegratedGradients(Model, signals=[0])"),
        (CAM(Model(nn.Linear(2, 2)), layer="0"), "CAM(Model, layer='0', head=Linear)"),
    ],
)
def test_what_was_given_and_is_no_default(explainer, text):
    assert described(explainer) == text == repr(explainer)


def test_one_that_is_not_built_yet_can_be_shown():
    assert described(Occlusion.__new__(Occlusion)) == "<Occlusion, not built>"


@pytest.mark.parametrize(
    ("value", "default", "expected"),
    [
        (None, None, True),
        (3, 3, True),
        (3, 4, False),
        ((1, 2), (1, 2), True),
        ([1], [1], True),
        (np.ones(2), np.ones(2), False),
        (np.ones(2), None, False),
        (len, len, True),
    ],
)
def test_what_is_a_default(value, default, expected):
    assert _same(value, default) is expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (nn.Linear(2, 2), "Linear"),
        (torch.ones(2, 3), "<Tensor (2, 3)>"),
        (np.ones(4), "<ndarray (4,)>"),
        ("a" * 58, repr("a" * 58)),
        ("a" * 59, "'" + "a" * 55 + " ...'"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_values_are_short(value, text):
    assert _short(value) == text
    assert len(_short(value)) <= 61


def recipe_of(frames=8, **options):
    kind = {} if frames is None else {"frames": frames, "sampling": "pad"}
    return Recipe(summary="", epochs=2, batch=4, rate=0.1, **kind, **options)


RECIPE = recipe_of()


def batch(sampling):
    x = torch.ones(2, 1, 8, 3, 2)
    return Batch(x, torch.ones(2, 1, 8, dtype=torch.bool), torch.zeros(2), ("a", "b"), sampling=sampling)


def with_recipe(recipe):
    model = nn.Linear(1, 1)
    model.recipe = recipe
    return model


def test_raw_samples_are_sampled_by_the_models_recipe():
    asked, made = [], batch(None)
    raw = batch(Sampling(None, lambda recipe: asked.append(recipe) or made))
    assert apply_recipe(with_recipe(RECIPE), raw) is made
    assert asked == [RECIPE]


@pytest.mark.parametrize("model", [None, nn.Linear(1, 1), with_recipe("recipe"), with_recipe(RECIPE)])
def test_what_nobody_sampled_is_as_the_model_expects_it(model):
    made = batch(None)
    assert apply_recipe(model, made) is made


@pytest.mark.parametrize("model", [None, nn.Linear(1, 1), with_recipe("recipe")])
def test_a_model_without_a_recipe_takes_any(model):
    raw = batch(Sampling(None, None))
    assert apply_recipe(model, raw) is raw


def test_samples_of_the_same_recipe_are_taken():
    same = batch(Sampling(recipe_of(), None))
    assert apply_recipe(with_recipe(RECIPE), same) is same
    # How it is trained is of no matter.
    other = batch(Sampling(RECIPE.model_copy(update={"epochs": 3}), None))
    assert apply_recipe(with_recipe(RECIPE), other) is other


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        (Sampling(None, None), "trained on: raw. Use"),
        (Sampling(recipe_of(9), None), "trained on: frames 9 instead of 8. Use"),
        (Sampling(recipe_of(center="first"), None), "trained on: center 'first' instead of 'none'"),
    ],
)
def test_samples_of_another_recipe_are_refused(sampling, message):
    with pytest.raises(InputError, match=message):
        apply_recipe(with_recipe(RECIPE), batch(sampling))


def test_clips_are_no_windows():
    with pytest.raises(InputError, match="x holds clips of 3 nodes; expected windows of a series, on which Linear"):
        apply_recipe(with_recipe(recipe_of(None)), batch(Sampling(None, lambda _: None)))
