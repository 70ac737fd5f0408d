import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.layer.cam import CAM
from stexplain.explainers.targets import Class, Custom, Margin
from tests.explainers.small_models import PlainSTGCN, signals

THEIRS = {"inputs": "b c t n m", "layout": "(b m) c t n"}


def pooled_model(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4))


OPTIONS = {"layer": "0", "layout": "b c t n", "inputs": "b c t n"}


def test_is_the_features_weighted_by_the_head():
    model, x = pooled_model(), signals(3, 3, 6, 5)
    with CAM(model, **OPTIONS) as cam:
        e, every = cam(x, target=Class([0, 3, 2])), cam.every_class(x)
        margin = cam(x, target=Margin(1, 2))
    expected = torch.einsum("bctn,kc->bktn", model[0](x), model[3].weight).detach().numpy()
    assert np.allclose(every[:, :, 0], expected, atol=1e-5)
    assert np.allclose(e.layer_values[:, 0], expected[range(3), [0, 3, 2]], atol=1e-5)
    assert np.allclose(margin.layer_values[:, 0], expected[:, 1] - expected[:, 2], atol=1e-5)


def test_the_head_may_be_a_convolution_and_follow_a_relu_in_place():
    model, x = PlainSTGCN().eval(), signals(2, 3, 10, 5, 2)
    with CAM(model, layer="squash", **THEIRS) as cam:
        e = cam(x, target=Class(1))
    assert e.layer_values.shape == (2, 2, 3, 5)
    assert np.allclose(e.layer_values.mean((1, 2, 3)) + model.fcn.bias[1].item(), e.score, atol=1e-6)
    assert (e.values != 0).any()


def test_chunks_change_nothing():
    model, x = pooled_model(), signals(5, 3, 6, 5)
    with CAM(model, **OPTIONS) as whole, CAM(model, chunk=2, **OPTIONS) as parts:
        assert np.allclose(whole.every_class(x), parts.every_class(x), atol=1e-6)
        assert np.allclose(
            whole(x, target=Class([3, 2, 1, 0, 1])).values, parts(x, target=Class([3, 2, 1, 0, 1])).values, atol=1e-6
        )


@pytest.mark.parametrize(
    ("model", "layer", "words"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten()), "0", "no linear layer"),
        (
            nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4)),
            "0",
            "do not give the model's logits",
        ),
        (
            nn.Sequential(
                nn.Conv2d(3, 5, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 4)
            ),
            "0",
            "maps 6 channels to 4, where the layer has 5",
        ),
        (nn.Sequential(nn.Conv2d(3, 5, 1), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(5, 4)), "0", "do not give"),
    ],
)
def test_other_ends_are_refused(model, layer, words):
    with pytest.raises(InputError, match=words), CAM(model, **{**OPTIONS, "layer": layer}) as cam:
        cam(signals(2, 3, 6, 5), target=Class(0))


def test_a_target_that_is_no_class_is_refused():
    with CAM(pooled_model(), **OPTIONS) as cam, pytest.raises(InputError, match=r"CAM expects Class\(...\)"):
        cam(signals(2, 3, 6, 5), target=Custom(lambda output: output[:, 0] ** 2))


def test_a_head_that_is_none_is_refused():
    with pytest.raises(InputError, match="expected a Linear"):
        CAM(pooled_model(), head="1", **OPTIONS)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_logits_of_any_size_are_compared_with_what_is_pooled(scale):
    """What may differ is a share of the largest logit: neither are small ones all alike, nor large ones rounded."""
    model, behind, x = pooled_model(), nn.ReLU(), signals(2, 3, 6, 5)
    with torch.no_grad():
        model[3].weight *= scale
        model[3].bias *= scale
    e = CAM(model, **OPTIONS)(x, target=Class(1))
    np.testing.assert_allclose(e.layer_values.mean((1, 2, 3)) + model[3].bias[1].item(), e.score, rtol=1e-4)
    with pytest.raises(InputError, match="do not give the model's logits"):
        CAM(nn.Sequential(model[0], behind, *model[1:]), **OPTIONS)(x, target=Class(1))


class Pools(nn.Module):
    """x ``[B, M, T, N, C]``; pools over all positions, the valid ones, or each person's valid ones and then persons."""

    def __init__(self, over):
        super().__init__()
        torch.manual_seed(0)
        self.lift, self.head, self.over = nn.Linear(3, 5), nn.Linear(5, 4), over

    def forward(self, x, valid):
        features, weight = self.lift(x).mean(3), valid.to(x)[..., None]
        if self.over == "all":
            return self.head(features.mean((1, 2)))
        if self.over == "valid":
            return self.head((features * weight).sum((1, 2)) / weight.sum((1, 2)))
        present = weight.amax(2)
        of_person = (features * weight).sum(2) / weight.sum(2).clamp(min=1)
        return self.head((of_person * present).sum(1) / present.sum(1))


@pytest.mark.parametrize("over", ["all", "valid", "persons"])
def test_each_of_three_ways_to_pool_is_known(over):
    """Two persons of 6 and 2 valid frames, the third absent: the three means differ."""
    x, valid = signals(2, 3, 6, 5, 3), torch.zeros(2, 3, 6, dtype=torch.bool)
    valid[:, 0], valid[:, 1, :2] = True, True
    model = Pools(over).eval()
    every = CAM(model, layer="lift", layout="b m t n c", inputs="b m t n c").every_class(x, valid=valid)
    expected = torch.einsum("bmtnc,kc->bkmtn", model.lift(x), model.head.weight).detach()
    np.testing.assert_allclose(every, expected, rtol=1e-4, atol=1e-5)
