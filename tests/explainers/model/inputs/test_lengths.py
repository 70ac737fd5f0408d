"""Batches of a dataset differ in length: a model is measured at two of them, and more cost their passes alone."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.explainers import CAM, Class, InputGradient, IntegratedGradients, Occlusion, STGGradCAM
from stexplain.explainers.model.inputs.lengths import known_at
from tests.explainers.our_models import batch, small_model

OPTIONS = {IntegratedGradients: {"baseline": "mean", "steps": 4}, Occlusion: {"baseline": "mean", "window": None}}
KINDS = [InputGradient, STGGradCAM, CAM, IntegratedGradients, Occlusion]


@pytest.mark.filterwarnings("ignore:.*No convergence:UserWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_from_the_third_length_on_a_batch_costs_its_passes_alone(kind):
    model, passes = small_model(), []
    model.register_forward_pre_hook(lambda module, args: passes.append(len(args[0])))
    explainer = kind(model, **OPTIONS.get(kind, {}))
    counts = []
    for frames in (12, 14, 16, 12, 18):
        passes.clear()
        found = explainer(batch(frames), target=Class(1))
        counts.append(len(passes))
        alone = kind(model, **OPTIONS.get(kind, {}))(batch(frames), target=Class(1))
        np.testing.assert_array_equal(found.values, alone.values)
    # The first length again costs no more than one that was never seen. What a pass of the longest and of the shortest
    # sample takes is measured at the first, where a method's copies might not fit.
    assert counts[0] - counts[1] == (2 if kind is Occlusion else 0)
    assert counts[1] > counts[2] == counts[3] == counts[4]
    assert kind in OPTIONS or counts[4] == 1


class PerFrame(nn.Module):
    """Logits of all samples' frames in a row, so that where a sample lies depends on the length."""

    def forward(self, x):
        return x.sum((1, 3)).flatten(0, 1)  # [B * T, C]


def test_what_depends_on_the_length_is_measured_at_each():
    explainer = InputGradient(PerFrame())
    for frames in (4, 6, 8, 5):
        x = torch.rand(3, 1, frames, 2, 2)
        e = explainer(x, target=lambda y, frames=frames: y.view(3, frames, 2)[:, -1, 0])
        expected = np.zeros((3, 1, frames, 2))
        expected[:, :, -1] = 1
        np.testing.assert_array_equal(e.values, expected)


def test_two_that_disagree_tell_nothing():
    assert known_at({("a", 1): 3, ("a", 2): 4}, "a", 5) == []
    assert known_at({("a", 1): None, ("a", 2): None}, "a", 5) == [None]
    assert known_at({("a", 1): 3, ("a", 2): 4}, "a", 2) == [4]
    assert known_at({("a", 1): 3}, "a", 2) == []
