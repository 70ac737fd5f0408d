"""NaN and infinity never become a map, and the error says where they began."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.gradient_shap import GradientSHAP
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.layer.layer_sweep import layer_sweep
from stexplain.explainers.methods.perturbation.learned_mask import LearnedMask
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.targets import Class, Predicted
from tests.explainers.small_models import signals

TARGET = Class(1)
METHODS = [GradientSHAP, InputGradient, IntegratedGradients, LearnedMask, Occlusion, STGGradCAM]


class Inner(nn.Module):
    def __init__(self, operation):
        super().__init__()
        self.operation = operation

    def forward(self, x):
        return self.operation(x)


class Net(nn.Module):
    """x ``[B, T, N, C]``; an operation within a module within another."""

    def __init__(self, operation=torch.clone):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.body, self.head = nn.Linear(3, 4), nn.Sequential(nn.Tanh(), Inner(operation)), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.body(self.first(x)).mean((1, 2)))


def explained(kind, model, x=None, target=TARGET):
    layer = {"layer": "first", "layout": "b t n c"} if kind is STGGradCAM else {}
    return kind(model, inputs="b t n c", **layer)(signals(2, 4, 5, 3) if x is None else x, target=target)


@pytest.mark.parametrize("kind", METHODS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("value", "name"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_a_parameter_is_named(kind, value, name):
    model = Net()
    model.first.weight.data[1, 1] = value
    with pytest.raises(InputError, match=rf"parameter 'first.weight' holds {name}: load sound weights"):
        explained(kind, model)


def test_a_buffer_is_named():
    model = Net()
    model.register_buffer("scale", torch.full((2,), torch.nan))
    model.register_forward_hook(lambda module, _, output: output * module.scale)
    with pytest.raises(InputError, match=r"buffer 'scale' holds NaN"):
        explained(Occlusion, model)


@pytest.mark.parametrize("kind", METHODS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    ("operation", "name"),
    [
        (torch.log, "'log'"),
        (lambda x: x.clone().log_(), "'log'"),
        (lambda x: (x - x) / (x - x), "'div'"),
        (lambda x: nn.functional.normalize(x - x, dim=-1, eps=0), "'normalize'"),
        (lambda x: x.masked_fill(x == x, -torch.inf).softmax(-1), "'softmax'.* after an infinite value from 'masked_"),
    ],
)
def test_the_first_operation_is_named_with_its_module(kind, operation, name):
    with pytest.raises(InputError, match=rf"output holds NaN. The first NaN comes from {name}.* in 'body.1' \(Inner\)"):
        explained(kind, Net(operation))


@pytest.mark.parametrize("kind", [GradientSHAP, InputGradient, IntegratedGradients, LearnedMask])
@pytest.mark.parametrize(
    ("operation", "name"),
    [
        # Finite forward; at the tanh's values of zero the slope is infinite.
        (lambda x: (x - x).abs().pow(0.5) + x, "'Pow'"),
        (lambda x: (x - x + 1).acos() + x, "'Acos'"),
        (lambda x: torch.where(x > 9, (x - x).abs().pow(0.5), x), "'Pow'"),
    ],
)
def test_the_first_step_backward_is_named_with_its_module(kind, operation, name):
    with pytest.raises(InputError, match=rf"first gradient that is not finite comes from {name} in 'body.1' \(Inner\)"):
        explained(kind, Net(operation))
    # What takes no gradient gets along.
    assert explained(Occlusion, Net(operation)).values.any()


def test_several_targets_and_layers():
    model = Net(lambda x: (x - x).abs().pow(0.5) + x)
    with pytest.raises(InputError, match=r"comes from 'Pow' in 'body.1'"):
        explained(InputGradient, model, target=[Class(0), Class(1)])
    with pytest.raises(InputError, match=r"gradient of the score holds NaN"):
        layer_sweep(
            model, signals(2, 4, 5, 3), target=Class(0), layers=["first", "body.0"], layout="b t n c", inputs="b t n c"
        )


def test_a_target_that_is_not_finite():
    with pytest.raises(
        InputError, match=r"score holds infinity, first for sample 1.*'log' in the target or the method"
    ):
        explained(Occlusion, Net(), target=lambda logits: (logits[:, 0] * torch.tensor([1.0, 0])).abs().log())
    with pytest.raises(InputError, match=r"comes from 'Pow' in the target"):
        explained(InputGradient, Net(), target=lambda logits: (logits[:, 0] * 0).abs().pow(0.5))


def test_classes_that_are_masked_out_are_no_error():
    model = Net()
    model.register_forward_hook(lambda _, __, output: output.index_fill(1, torch.tensor([0]), -torch.inf))
    assert explained(InputGradient, model, target=Predicted()).values.all()
    with pytest.raises(InputError, match="score holds infinity"):
        explained(Occlusion, model, target=Class(0))


def test_signals_that_are_not_finite_are_refused_as_such():
    x = signals(2, 4, 5, 3)
    x[1, 2, 3, 0] = torch.inf
    with pytest.raises(InputError, match="x"):
        explained(InputGradient, Net(), x)


def test_a_model_is_as_before_after_the_search():
    model = Net(torch.log)
    with pytest.raises(InputError, match="'log'"):
        explained(InputGradient, model)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model.training
