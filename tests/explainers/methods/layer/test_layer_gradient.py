"""HiResCAM, Layer-CAM and Grad-CAM++: against loops over an ordinary backward pass, and their own identities."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.layer.grad_cam_plus_plus import GradCAMPlusPlus
from stexplain.explainers.methods.layer.hires_cam import HiResCAM
from stexplain.explainers.methods.layer.layer_cam import LayerCAM
from stexplain.explainers.targets import Class
from tests.explainers.our_models import lively, padded
from tests.explainers.small_models import signals
from tests.reference.maps import slow_grad_cam_plus_plus, slow_hires_cam, slow_layer_cam

FAMILY = {HiResCAM: slow_hires_cam, LayerCAM: slow_layer_cam, GradCAMPlusPlus: slow_grad_cam_plus_plus}


def full_backward(model, block, x, valid, number):
    """F and dy/dF of a batch, ``[B, M, T', N, C]``, by an ordinary backward pass through everything."""
    kept = []

    def keep(_, __, output):
        output.retain_grad()
        kept.append(output)

    handle = model.blocks[block].register_forward_hook(keep)
    model(x, valid=valid)[:, number].sum().backward()
    handle.remove()
    model.zero_grad()
    nodes, _, positions, channels = kept[0].shape
    shape = nodes, *x.shape[:2], positions, channels
    return [tensor.detach().view(shape).permute(1, 2, 3, 0, 4) for tensor in (kept[0], kept[0].grad)]


@pytest.mark.parametrize("kind", FAMILY, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("padding", ["masked", "counted"])
@pytest.mark.parametrize("block", [0, 2])
def test_equals_loops_over_an_ordinary_backward_pass(kind, padding, block):
    model, (x, valid) = lively(padding).double(), padded()
    with kind(model, layer=f"blocks.{block}") as explain:
        e = explain(x, target=Class(2), valid=valid)
    features, gradients = full_backward(model, block, x, valid, 2)
    stride = [1, 2, 4][block]
    ok = nn.functional.pad(valid, (0, -17 % stride)).reshape(3, 2, -1, stride).any(-1)
    assert np.abs(e.layer_values).max() > 1e-3
    for row in range(3):
        for instance in range(2):
            positions = FAMILY[kind](features[row, instance], gradients[row, instance], ok[row, instance])
            np.testing.assert_allclose(e.layer_values[row, instance], positions, rtol=1e-5, atol=1e-8)


def test_hires_cam_sums_to_what_the_biases_behind_the_layer_leave():
    """Of a piecewise linear y, homogeneous in F and the biases together: y = sum F dy/dF + sum b dy/db (Euler)."""
    model, (x, valid) = lively().double(), padded()
    behind = [model.blocks[1], model.blocks[2], model.head]
    biases = [value for part in behind for name, value in part.named_parameters() if name.endswith("bias")]
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.zero_()
    for bias in biases:
        nn.init.normal_(bias, 0.0, 0.5)
    with HiResCAM(model, layer="blocks.0") as explain:
        e = explain(x, target=Class(1), valid=valid)
    left = []
    for score in model(x, valid=valid)[:, 1]:
        gradients = torch.autograd.grad(score, biases, retain_graph=True)
        left.append(
            sum(float((bias * gradient).sum().detach()) for bias, gradient in zip(biases, gradients, strict=True))
        )
    assert np.abs(left).min() > 0.05
    np.testing.assert_allclose(e.layer_values.sum((1, 2, 3)), e.score - left, rtol=1e-5, atol=1e-6)
    for bias in biases:
        nn.init.zeros_(bias)
    with HiResCAM(model, layer="blocks.0") as explain, STGGradCAM(model, layer="blocks.0") as pooled:
        e, other = explain(x, target=Class(1), valid=valid), pooled(x, target=Class(1), valid=valid)
    np.testing.assert_allclose(e.layer_values.sum((1, 2, 3)), e.score, rtol=1e-5, atol=1e-6)
    assert not np.allclose(other.layer_values.sum((1, 2, 3)), e.score, rtol=0.01)


@pytest.mark.parametrize("padding", ["masked", "counted"])
def test_at_the_last_block_hires_cam_is_grad_cam(padding):
    model, (x, valid) = lively(padding).double(), padded()
    with HiResCAM(model) as explain, STGGradCAM(model) as pooled:
        e, other = explain(x, target=Class(0), valid=valid), pooled(x, target=Class(0), valid=valid)
    np.testing.assert_allclose(e.values, other.values, rtol=1e-5, atol=1e-8)
    if padding == "masked":
        np.testing.assert_allclose(
            e.layer_values.sum((1, 2, 3)), e.score - model.head.bias[0].item(), rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("block", [0, 1, 2])
def test_layer_cam_is_hires_cam_of_what_speaks_for_the_target(block):
    model, (x, valid) = lively().double(), padded()
    with HiResCAM(model, layer=f"blocks.{block}") as explain, LayerCAM(model, layer=f"blocks.{block}") as positive:
        e, other = explain(x, target=Class(0), valid=valid), positive(x, target=Class(0), valid=valid)
    # Features are not negative: the terms left out could only subtract.
    assert (other.layer_values >= np.maximum(e.layer_values, 0) - 1e-7).all()
    assert (other.layer_values > e.layer_values + 1e-4).any()


def test_hires_cam_equals_captum():
    from captum.attr import LayerGradientXActivation

    class Turned(nn.Module):
        def __init__(self, block):
            super().__init__()
            self.block, self.seen = block, nn.Identity()

        def forward(self, x, valid=None):
            return self.seen(self.block(x, valid).permute(1, 3, 2, 0)).permute(3, 0, 2, 1).contiguous()

    model, x = lively().double(), signals(4, 2, 11, 5, 3).double()
    with HiResCAM(model, layer="blocks.1") as explain:
        e = explain(x, target=Class([0, 1, 2, 3]))
    model.blocks[1] = Turned(model.blocks[1])
    result = LayerGradientXActivation(model, model.blocks[1].seen).attribute(x, target=torch.arange(4))
    np.testing.assert_allclose(
        result.sum(1).detach().reshape(e.layer_values.shape), e.layer_values, rtol=1e-5, atol=1e-7
    )


def test_grad_cam_plus_plus_is_the_paper_with_the_derivatives_of_the_exponential():
    """Eq. 5 and 11 of the paper with Y = exp(y), every derivative along a position by autograd, on 2 x 3 positions."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.ReLU(), nn.Flatten(2), nn.Flatten(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 1)).double()
    x = signals(1, 2, 3, 2).double()
    with GradCAMPlusPlus(model, layer="0", layout="b t n c", inputs="b t n c") as explain:
        e = explain(x, target=Class(1))
    features = x[0].relu()
    flat = features.flatten()
    first, second, third = (torch.zeros(12, dtype=torch.float64) for _ in range(3))
    for position in range(12):
        value = flat[position].clone().requires_grad_()
        moved = torch.cat([flat[:position], value[None], flat[position + 1 :]])
        big = model[3:](moved).exp().sum()
        (one,) = torch.autograd.grad(big, value, create_graph=True)
        (two,) = torch.autograd.grad(one, value, create_graph=True)
        (three,) = torch.autograd.grad(two, value)
        first[position], second[position], third[position] = one.detach(), two.detach(), three
    first, second, third = (part.view(2, 3, 2) for part in (first, second, third))
    below = 2 * second + features.sum((0, 1)) * third
    alpha = torch.where(second > 0, second / below, 0)
    weight = (alpha * first.clamp(min=0)).sum((0, 1))
    expected = (weight * features).sum(-1) / np.exp(e.score[0])
    np.testing.assert_allclose(e.layer_values[0, 0], expected, rtol=1e-5)
    assert (expected > 0).any()


def test_grad_cam_plus_plus_refuses_negative_features():
    model = nn.Sequential(nn.Tanh(), nn.Flatten(), nn.Linear(12, 2))
    with GradCAMPlusPlus(model, layer="0", layout="b t n c", inputs="b t n c") as explain:
        with pytest.raises(InputError, match="layer '0' has features down to -0.*after its ReLU"):
            explain(signals(1, 2, 3, 2), target=Class(0))
        explain(signals(1, 2, 3, 2).abs(), target=Class(0))


@pytest.mark.parametrize("kind", FAMILY, ids=lambda kind: kind.__name__)
def test_slopes_too_small_for_their_powers_make_no_difference(kind):
    model, x = lively(), signals(2, 1, 12, 5, 3)
    with kind(model) as explain:
        e = explain(x, target=Class(0))
        small = explain(x, target=lambda output: 1e-20 * output[:, 0])
    if kind is GradCAMPlusPlus:
        # Not homogeneous: the smaller the gradients, the closer alpha is to 1/2.
        assert np.isfinite(small.layer_values).all()
        assert small.layer_values.max() > 0
    else:
        np.testing.assert_allclose(1e20 * small.layer_values, e.layer_values, rtol=1e-4, atol=1e-8)
