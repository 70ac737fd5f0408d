"""The zoo by itself: what is said of each architecture's layers by hand is true of the small model."""

import pytest
import torch

from tests.explainers.architectures.by_hand import canonical, outputs_at
from tests.explainers.architectures.case import Case, Layer
from tests.explainers.architectures.zoo import MAKERS, built


def test_there_are_architectures_enough():
    assert len(MAKERS) >= 25


def frames_seen(case: Case, layer: Layer, position: int) -> list[int]:
    """The frames that one position of a layer depends on, from its gradient at a few inputs."""
    seen = torch.zeros(case.sizes["t"], dtype=torch.bool)
    generator = torch.Generator().manual_seed(1)
    # Maxima and rectifiers hide a frame in one input, and show it in another.
    for _ in range(4):
        x = case.signals(generator).requires_grad_()
        _, calls = outputs_at(case, layer, x)
        features = torch.cat([canonical(one, layer.layout, case.sizes) for one in calls], 2)[:, :, position]
        # Random weights: no sum of what a softmax or a normalisation keeps constant.
        weights = torch.randn(features.shape, generator=generator)
        (gradient,) = torch.autograd.grad((features * weights).sum(), x)
        seen |= (canonical(gradient, case.inputs, case.sizes) != 0).any(-1).any(-1).any(0).any(0)
    return seen.nonzero().flatten().tolist()


@pytest.mark.parametrize("name", MAKERS)
def test_positions_see_the_frames_that_follow_from_kernels_and_padding(name):
    case = built(name)
    frames = case.sizes["t"]
    for layer in case.layers:
        # No gradient reaches an index.
        if layer.time == "none" or "tod_embedding" in layer.name:
            continue
        _, calls = outputs_at(case, layer, case.x)
        count = len(calls) if layer.by_frame else canonical(calls[0], layer.layout, case.sizes).shape[2]
        for position in sorted({0, count // 2, count - 1}):
            start = 0 if layer.time == "recurrent" else layer.first + layer.stride * position
            window = range(max(start, 0), min(layer.last + layer.stride * position, frames - 1) + 1)
            expected = list(range(frames)) if layer.time == "global" else list(window)
            assert frames_seen(case, layer, position) == expected, (layer.name, position)
