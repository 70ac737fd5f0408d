"""Samples of unequal length go through the model with their own regions alone."""

import numpy as np
import pytest

from stexplain.explainers import Occlusion, ShapleyValueSampling
from stexplain.explainers.targets import Class
from tests.nn.small_stgcn import small
from tests.nn.test_packing import alone, clips

EXPLAINERS = [
    lambda model: Occlusion(model, window=4, baseline="mean"),
    lambda model: ShapleyValueSampling(model, window=4, orders=2, baseline="mean"),
]


@pytest.mark.parametrize("build", EXPLAINERS)
def test_a_batch_costs_what_its_samples_do_and_gives_the_same(build):
    model = small()
    x, valid = clips()
    passes = []

    def explained(explainer, *given):
        # What an explainer measures about a model for the first time is not counted.
        explainer(given[0], valid=given[1], target=Class(1))
        with model.register_forward_hook(lambda module, args, output: passes.append(len(output))):
            return explainer(given[0], valid=given[1], target=Class(1))

    batch = explained(build(model), x, valid)
    together = sum(passes)
    passes.clear()
    for row, clip in enumerate(zip(x, valid, strict=True)):
        own_x, own_valid = alone(*clip)
        expected = explained(build(model), own_x, own_valid)
        persons, frames = own_valid.shape[1:]
        np.testing.assert_allclose(batch.values[row, :persons, :frames], expected.values[0], rtol=1e-5, atol=1e-7)
        assert not batch.values[row, persons:].any()
        assert not batch.values[row, :, frames:].any()
    assert together == sum(passes)
