"""Raw samples are sampled as the model's recipe says, by every explainer, with a model to call or without."""

from dataclasses import replace

import pytest
import torch

from stexplain.cards import Recipe
from stexplain.data.samples import Sampling
from stexplain.explainers.methods import Motion, Random, TemporalRescaling
from tests.explainers.every_explainer import EXPLAINERS
from tests.explainers.our_models import batch, small_model

RECIPE = Recipe(summary="short", epochs=1, batch=4, rate=0.1, frames=16, sampling="pad")
AROUND = [lambda model, inner=inner: TemporalRescaling(inner(model)) for inner in (Motion, Random)]


@pytest.mark.parametrize("kind", [*EXPLAINERS, *AROUND], ids=lambda kind: getattr(kind, "__name__", "around"))
def test_raw_samples_are_sampled_as_the_model_was_trained(kind):
    model, sampled = small_model(), batch()
    model.recipe = RECIPE
    by = Sampling(None, lambda recipe: sampled if recipe is RECIPE else batch(frames=13))
    raw = replace(sampled, x=torch.zeros_like(sampled.x), sampling=by)
    assert kind(model).preprocess(raw) is sampled
