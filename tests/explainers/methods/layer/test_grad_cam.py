import re

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.layer.cam import CAM
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.targets import Class, Custom, Margin, Predicted
from tests.explainers.our_models import lively
from tests.explainers.small_models import PlainSTGCN, Recurrent, path_adjacency, signals
from tests.reference.maps import slow_grad_cam, slow_to_frames

THEIRS = {"inputs": "b c t n m", "layout": "(b m) c t n"}


def full_backward(model, layer, x, number):
    """F and dy/dF of one sample by an ordinary backward pass through everything, in float64."""
    kept = {}

    def keep(_, __, output):
        tensor = output[0] if isinstance(output, tuple) else output
        tensor.retain_grad()
        kept["tensor"] = tensor
        # Later layers may work in place.
        return (tensor.clone(), *output[1:]) if isinstance(output, tuple) else tensor.clone()

    handle = dict(model.named_modules())[layer].register_forward_hook(keep)
    model(x)[0, number].backward()
    handle.remove()
    model.zero_grad()
    return kept["tensor"].detach(), kept["tensor"].grad


@pytest.mark.parametrize("layer", ["first", "first.norm", "second", "second.temporal"])
def test_equals_full_backward_by_loops(layer):
    model, x = PlainSTGCN().double().eval(), signals(3, 3, 10, 5, 2)
    classes = [2, 0, 3]
    with STGGradCAM(model, layer=layer, **THEIRS) as explain:
        e = explain(x, target=Class(classes))
    for row, number in enumerate(classes):
        features, gradients = full_backward(model, layer, x[row : row + 1].double(), number)
        for person in range(2):
            positions = slow_grad_cam(
                features[person].permute(1, 2, 0),
                gradients[person].permute(1, 2, 0),
                torch.ones(features.shape[2], dtype=torch.bool),
            )
            assert np.allclose(e.layer_values[row, person], positions, atol=1e-6, rtol=1e-5)
            stride = {"first": 2, "first.norm": 1, "second": 4, "second.temporal": 4}[layer]
            assert e.stride == stride
            frames = slow_to_frames(positions, np.ones(len(positions), bool), 10, stride)
            assert np.allclose(e.values[row, person], frames, atol=1e-6, rtol=1e-5)


class Turned(nn.Module):
    """A block of this package whose output passes as ``[(b m), c, t, n]`` through `seen`, where captum can read it."""

    def __init__(self, block):
        super().__init__()
        self.block, self.seen, self.stride = block, nn.Identity(), block.stride

    def forward(self, x, valid=None):
        y = self.seen(self.block(x, valid).permute(1, 3, 2, 0))
        return y.permute(3, 0, 2, 1).contiguous()


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_captum(layer, seed):
    from captum.attr import LayerGradCam

    model, x, target = lively(seed=seed), signals(4, 2, 11, 5, 3), [0, 1, 2, 3]
    with STGGradCAM(model, layer=f"blocks.{layer}") as explain:
        e = explain(x, target=Class(target))
    model.blocks[layer] = Turned(model.blocks[layer])
    result = LayerGradCam(model, model.blocks[layer].seen).attribute(x, target=torch.tensor(target))
    result = result.detach().reshape(e.layer_values.shape).numpy()
    assert np.abs(e.layer_values).max() > 1e-3
    assert np.abs(result - e.layer_values).max() < 1e-5 * np.abs(e.layer_values).max()


@pytest.mark.parametrize("padding", ["masked", "counted"])
def test_sums_to_the_score_without_its_bias_and_is_cam_over_the_cells(padding):
    model, x = lively(padding), signals(3, 2, 16, 5, 3)
    target = Class([3, 1, 0])
    with STGGradCAM(model) as explain, CAM(model) as cam:
        e, c = explain(x, target=target), cam(x, target=target)
    bias = model.head.bias.detach().numpy()[[3, 1, 0]]
    assert np.allclose(e.layer_values.sum((1, 2, 3)), e.score - bias, atol=1e-5)
    assert np.allclose(e.layer_values, c.layer_values / (2 * 4 * 5), atol=1e-6)
    assert np.allclose(e.values, c.values / (2 * 4 * 5), atol=1e-6)


def padded_batch():
    x = signals(3, 2, 17, 5, 3)
    valid = torch.ones(3, 2, 17, dtype=torch.bool)
    valid[0, 0, 10:] = False
    valid[0, 1, :] = False
    valid[1, 1, 5:] = False
    valid[2, 0, 13:] = False
    return x * valid[..., None, None], valid


@pytest.mark.parametrize("padding", ["masked", "counted"])
def test_sums_to_the_score_with_padding(padding):
    model = lively(padding)
    x, valid = padded_batch()
    with STGGradCAM(model) as explain:
        e = explain(x, target=Class(2), valid=valid)
    if padding == "masked":
        assert np.allclose(e.layer_values.sum((1, 2, 3)), e.score - model.head.bias[2].item(), atol=1e-5)
        assert (e.padding_share == 0).all()
    else:
        assert (e.padding_share > 0.01).all()
        aside = np.abs(e.layer_values).sum(3)
        ok = torch.nn.functional.pad(valid, (0, 3)).reshape(3, 2, 5, 4).any(-1).numpy()
        assert np.allclose(e.padding_share, (aside * ~ok).sum((1, 2)) / aside.sum((1, 2)), atol=1e-6)
    assert (e.values[~valid.numpy()] == 0).all()
    assert (e.values[valid.numpy()] != 0).any()


def test_more_padding_changes_nothing():
    model = lively()
    x, valid = padded_batch()
    longer = torch.cat([x, torch.zeros(3, 2, 9, 5, 3)], dim=2)
    longer = torch.cat([longer, torch.zeros(3, 1, 26, 5, 3)], dim=1)
    longer_valid = torch.zeros(3, 3, 26, dtype=torch.bool)
    longer_valid[:, :2, :17] = valid
    with STGGradCAM(model) as explain:
        short = explain(x, target=Predicted(), valid=valid)
        long = explain(longer, target=Predicted(), valid=longer_valid)
    assert np.allclose(short.values, long.values[:, :2, :17], atol=1e-6)
    assert (long.values[:, 2] == 0).all()
    assert (long.values[:, :, 17:] == 0).all()


@pytest.mark.parametrize("chunk", [1, 2, 5, None])
@pytest.mark.parametrize("layer", ["blocks.0", "blocks.2"])
def test_a_batch_gives_the_maps_of_its_samples(layer, chunk):
    model, x = lively(), signals(5, 2, 12, 5, 3)
    classes = [0, 1, 2, 3, 1]
    with STGGradCAM(model, layer=layer, chunk=chunk) as explain:
        together = explain(x, target=Class(classes))
        for row, number in enumerate(classes):
            alone = explain(x[row : row + 1], target=Class(number))
            assert np.allclose(alone.values[0], together.values[row], atol=1e-6)
    assert together.targets.tolist() == classes


def test_chunks_of_a_folded_layout_and_of_valid():
    model = lively()
    x, valid = padded_batch()
    folded = _Folded(model)
    with STGGradCAM(folded, layer="model.blocks.2", layout="n (b m) t c", inputs="(b m) t n c", chunk=2) as explain:
        e = explain(x.reshape(6, 17, 5, 3), target=Class([1, 2, 3]), valid=valid)
    with STGGradCAM(model) as explain:
        assert np.allclose(e.values, explain(x, target=Class([1, 2, 3]), valid=valid).values, atol=1e-6)


class _Folded(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x, valid):
        return self.model(x.reshape(*valid.shape, *x.shape[2:]), valid)


def test_renumbered_nodes_give_renumbered_maps():
    order = [3, 0, 4, 1, 2]
    model, x = PlainSTGCN().eval(), signals(2, 3, 10, 5, 2)
    other = PlainSTGCN().eval()
    other.adjacency = path_adjacency(5)[order][:, order]
    with STGGradCAM(model, layer="second", **THEIRS) as explain:
        e = explain(x, target=Class(1))
    with STGGradCAM(other, layer="second", **THEIRS) as explain:
        turned = explain(x[:, :, :, order], target=Class(1))
    assert np.allclose(turned.values, e.values[..., order], atol=1e-6)
    assert not np.allclose(turned.values, e.values, atol=1e-6)


def test_parity_with_the_released_code():
    model, x = PlainSTGCN().double().eval(), signals(2, 3, 10, 5, 2)
    with STGGradCAM(model, layer="first", parity="das2022", **THEIRS) as explain:
        e = explain(x, target=Class([1, 3]))
    for row, number in enumerate([1, 3]):
        features, gradients = full_backward(model, "first", x[row : row + 1].double(), number)
        alpha = gradients.mean((0, 2, 3))
        expected = (features * alpha[None, :, None, None]).mean(1)
        assert np.allclose(e.layer_values[row], expected.numpy(), atol=1e-7)
    assert e.method == "STG-Grad-CAM (das2022)"


def test_the_tensor_is_read_before_what_works_in_place_on_it():
    model, x = PlainSTGCN().eval(), signals(2, 3, 10, 5, 2)
    with STGGradCAM(model, layer="second", **THEIRS) as explain:
        before = explain(x, target=Class(0))
    model.squash = nn.ReLU(inplace=False)
    with STGGradCAM(model, layer="second", **THEIRS) as explain:
        assert np.array_equal(before.layer_values, explain(x, target=Class(0)).layer_values)
    assert (before.layer_values != 0).all()


def test_of_a_layer_that_runs_often_the_last_output_is_meant():
    model, x = Recurrent().double().eval(), signals(2, 7, 4, 2)
    with STGGradCAM(model, layer="cell", layout="b n c", inputs="b t n c", calls="last") as explain:
        e = explain(x, target=Class(2))
    assert e.values.shape == (2, 1, 7, 4)
    assert "no axis of time" in e.notes[0]
    hidden = torch.zeros(2, 4, 4, dtype=torch.float64)
    for frame in range(7):
        last = model.cell(torch.cat([x[:, frame].double(), hidden], dim=-1))
        hidden = torch.tanh(last)
    gradients = model.head.weight[2] * (1 - hidden**2) / 4
    expected = (gradients.mean(1, keepdim=True) * last).sum(-1).detach().numpy()
    assert np.allclose(e.layer_values[:, 0, 0], expected, atol=1e-6)
    assert np.allclose(e.values[:, 0], expected[:, None], atol=1e-6)


def test_margin_is_the_difference_and_custom_scores_are_free():
    model, x = lively(), signals(2, 1, 12, 5, 3)
    with STGGradCAM(model) as explain:
        first, second = explain(x, target=Class(1)), explain(x, target=Class(3))
        margin = explain(x, target=Margin(1, 3))
        double = explain(x, target=Custom(lambda output: 2 * output[:, 1]))
    assert np.allclose(margin.values, first.values - second.values, atol=1e-6)
    assert np.allclose(double.values, 2 * first.values, atol=1e-6)
    assert double.targets.tolist() == [-1, -1]


def test_a_layer_behind_the_output_is_refused():
    model = PlainSTGCN().eval()
    model.unused = nn.Linear(2, 2)
    with STGGradCAM(model, layer="unused", **THEIRS) as explain, pytest.raises(InputError, match="did not run"):
        explain(signals(1, 3, 10, 5, 2), target=Class(0))


def test_a_target_that_does_not_depend_on_the_layer_is_refused():
    model = PlainSTGCN().eval()
    constant = Custom(lambda output: torch.zeros(len(output)))
    with STGGradCAM(model, layer="first", **THEIRS) as explain, pytest.raises(InputError, match="does not depend"):
        explain(signals(1, 3, 10, 5, 2), target=constant)


@pytest.mark.parametrize(("option", "value"), [("stride", 3), ("offset", 2), ("layout", "(b m) c n t")])
def test_what_contradicts_the_measurement_is_refused(option, value):
    """A stride of 3 makes as many positions of 9 frames as one of 4, and the map would be wrong without a word."""
    model, x = PlainSTGCN().eval(), signals(1, 3, 17, 5, 2)
    with STGGradCAM(model, layer="second", inputs="b c t n m") as explain:
        e = explain(x, target=Class(0))
    assert e.stride == 4
    measured = {"stride": 4, "offset": 0, "layout": "(b m) c t n"}[option]
    with STGGradCAM(model, layer="second", inputs="b c t n m", **{option: measured}) as explain:
        np.testing.assert_array_equal(explain(x, target=Class(0)).values, e.values)
    with (
        STGGradCAM(model, layer="second", inputs="b c t n m", **{option: value}) as explain,
        pytest.raises(InputError, match=f"{option}: got .*measured .*{re.escape(str(measured))}"),
    ):
        explain(x, target=Class(0))
