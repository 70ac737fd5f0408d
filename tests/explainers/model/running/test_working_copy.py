"""Half precision is computed in float32, and said; what was made in inference mode is explained on clones."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.targets import Class, Predicted
from tests.explainers.our_models import named
from tests.explainers.small_models import signals


class Mixed(nn.Module):
    """x ``[B, T, N, C]``; parameters, a buffer, supports in a list and a tuple, a recurrent layer, a tied weight."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(3, 4), nn.Linear(3, 4)
        self.second.weight = self.first.weight
        self.cell, self.head = nn.GRU(4, 4, batch_first=True), nn.Linear(4, 3)
        self.register_buffer("support", torch.rand(5, 5))
        self.more, self.fixed = [torch.rand(5, 5)], (torch.rand(5, 5), 2)

    def forward(self, x):
        hidden = self.first(x) * self.second(x)
        for support in (self.support, *self.more, self.fixed[0]):
            hidden = torch.einsum("btnc,nw->btwc", hidden, support)
        over_time, _ = self.cell(hidden.mean(2))
        return self.head(over_time.mean(1) + hidden.mean((1, 2)))


def cast(model, dtype):
    """The model with all of its tensors in another type, those that torch does not list too."""
    model = model.to(dtype)
    model.more, model.fixed = [model.more[0].to(dtype)], (model.fixed[0].to(dtype), 2)
    return model


KINDS = [InputGradient, IntegratedGradients, Occlusion, STGGradCAM]


def explained(kind, model, x, **options):
    layer = {"layer": "first", "layout": "b t n c"} if kind is STGGradCAM else {}
    return kind(model, inputs="b t n c", **layer, **options)(x, target=[Class(1), Predicted()])[0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_half_precision_is_computed_in_float32(kind, dtype):
    """The map is that of a float32 model with the same rounded weights, and the model stays in half precision."""
    x = signals(2, 6, 5, 3)
    half, full = cast(Mixed(), dtype), cast(cast(Mixed(), dtype), torch.float32)
    before = [(one, one.data_ptr()) for one in [*half.parameters(), half.support, half.more[0], half.fixed[0]]]
    weights = half.cell._flat_weights
    for chunk in (None, 1):
        e = explained(kind, half, x, chunk=chunk)
        np.testing.assert_array_equal(e.values, explained(kind, full, x, chunk=chunk).values)
        assert e.values.dtype == np.float32
        assert [note for note in e.notes if "computed in float32" in note] == [
            f"The model's parameters are {str(dtype)[6:]}; it was computed in float32 on a copy of them."
        ]
    now = [*half.parameters(), half.support, half.more[0], half.fixed[0]]
    assert all(one is other and one.data_ptr() == pointer for one, (other, pointer) in zip(now, before, strict=True))
    assert half.first.weight is half.second.weight
    assert half.cell._flat_weights is weights
    assert weights[0] is half.cell.weight_ih_l0
    assert all(parameter.requires_grad for parameter in half.parameters())


def test_networks_of_this_package_in_half_precision():
    x = signals(2, 1, 10, 5, 3)
    half, full = named().bfloat16(), named().bfloat16().float()
    e = STGGradCAM(half)(x, target=Class(1))
    np.testing.assert_array_equal(e.values, STGGradCAM(full)(x, target=Class(1)).values)
    assert any("computed in float32" in note for note in e.notes)


class OnlyHalf(nn.Module):
    """x ``[B, T, N]``; casts whatever comes in to the type that it was written for."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, 2.0, 3.0], dtype=torch.bfloat16))

    def forward(self, x):
        if self.weight.dtype != torch.bfloat16 or x.dtype != torch.bfloat16:
            raise RuntimeError("expected bfloat16")
        return (x * self.weight).sum(1)


def test_a_model_that_runs_in_half_precision_alone():
    e = InputGradient(OnlyHalf(), inputs="b t n")(signals(2, 4, 3), target=Class(2))
    np.testing.assert_array_equal(e.values, np.broadcast_to([0, 0, 3.0], (2, 1, 4, 3)))
    assert any("computed in bfloat16" in note for note in e.notes)


def test_a_model_that_does_not_run_at_all_says_why_in_float32():
    model = nn.Sequential(nn.Linear(7, 2)).half()
    with pytest.raises(InputError, match=r"shapes cannot be multiplied"):
        InputGradient(model, inputs="b t n")(signals(2, 4, 3), target=Class(0))


class Body(nn.Module):
    """x ``[B, T, N, C]``; parts in bfloat16, by casts or by autocast, within a float32 model."""

    def __init__(self, how):
        super().__init__()
        torch.manual_seed(0)
        self.how, self.body, self.head = how, nn.Linear(3, 6), nn.Linear(6, 3)
        if how == "cast":
            self.body.bfloat16()

    def forward(self, x):
        if self.how == "cast":
            return self.head(self.body(x.bfloat16()).relu().float().mean((1, 2)))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.how == "autocast"):
            return self.head(self.body(x).relu().mean((1, 2)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("how", ["cast", "autocast"])
def test_parts_in_half_precision(kind, how):
    x = signals(2, 6, 5, 3)
    layer = {"layer": "body", "layout": "b t n c"} if kind is STGGradCAM else {}
    e, exact = (kind(Body(each), inputs="b t n c", **layer)(x, target=Class(1)) for each in (how, "float32"))
    assert e.values.dtype == np.float32
    # Eight bits of mantissa, of gradients, and of the scores that occlusion takes the difference of.
    rounding = 0.03 * np.abs(exact.values).max() + (2**-8 * np.abs(exact.score).max() if kind is Occlusion else 0)
    assert np.abs(e.values - exact.values).max() < rounding
    assert ["output is in bfloat16" in note for note in e.notes] == ([True] if how == "autocast" else [])


def test_a_stem_in_half_precision_that_casts_nothing():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4).bfloat16(), nn.Tanh(), nn.Linear(4, 3), nn.Flatten(1, 2))
    model.register_forward_hook(lambda _, __, output: output.mean(1))
    e = InputGradient(model, inputs="b t n c")(signals(2, 6, 5, 3), target=Class(1))
    assert e.values.all()
    assert any("computed in float32" in note for note in e.notes)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_parameters_made_in_inference_mode(kind):
    x = signals(2, 6, 5, 3)
    with torch.inference_mode():
        model = Mixed()
    assert model.first.weight.is_inference()
    np.testing.assert_array_equal(explained(kind, model, x).values, explained(kind, Mixed(), x).values)
    assert model.first.weight.is_inference()
    assert model.first.weight.requires_grad
    # Of whom the call itself is in inference mode.
    with torch.inference_mode():
        np.testing.assert_array_equal(explained(kind, model, x).values, explained(kind, Mixed(), x).values)


def test_models_without_parameters():
    class Sums(nn.Module):
        def forward(self, x):
            return x.square().sum((1, 3))

    x = signals(2, 6, 5, 3)
    e = InputGradient(Sums(), inputs="b t n c", reduce="sum")(x, target=lambda y: y[:, 2])
    np.testing.assert_allclose(e.values[:, 0, :, 2], 2 * x.sum(-1)[:, :, 2], rtol=1e-5)


def test_quantised_models():
    torch.manual_seed(0)
    exact = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    with warnings.catch_warnings():
        # Torch is about to move quantisation to another package.
        warnings.simplefilter("ignore")
        quantised = torch.ao.quantization.quantize_dynamic(exact, {nn.Linear}, dtype=torch.qint8)
    x, options = signals(2, 4, 3), {"inputs": "b t n", "window": 1, "baseline": "zero"}
    e, expected = (Occlusion(each, **options)(x, target=Class(1)).values for each in (quantised, exact))
    # Eight bits, of weights and of signals.
    assert np.abs(e - expected).max() < 0.03 * np.abs(expected).max()
    with pytest.raises(InputError, match="Occlusion"):
        InputGradient(quantised, inputs="b t n")(x, target=Class(1))
