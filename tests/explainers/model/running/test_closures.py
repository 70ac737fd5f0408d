"""Models with functions among their attributes that close over modules."""

from functools import partial

import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.model.running.closures import runs_its_own_modules

X = torch.arange(48.0).view(2, 4, 2, 3) / 10


class Closing(nn.Module):
    """A classifier whose forward is assigned, as a function that closes over the model."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Linear(3, 5), nn.Linear(5, 2)
        outside = nn.Linear(5, 5)
        self.bend = lambda h: torch.tanh(outside(h))
        self.steps = [partial(self.bend)]

        def forward(x):
            return self.head(self.steps[0](self.conv(x)).mean((1, 2)))

        self.forward = forward


def test_a_layer_that_an_assigned_forward_runs_is_found():
    model = Closing()
    e = STGGradCAM(model, layer="conv", inputs="b t n c")(X, target=lambda scores: scores[:, 1])
    features = model.conv(X).detach().requires_grad_()
    score = model.head(model.bend(features).mean((1, 2)))[:, 1].sum()
    (gradient,) = torch.autograd.grad(score, features)
    expected = (gradient.mean((1, 2), keepdim=True) * features).sum(-1).relu().detach()
    torch.testing.assert_close(torch.as_tensor(e.values)[:, 0], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("layer", "kind"), [("bend", "function"), ("steps.0", "partial")])
def test_a_function_is_no_layer_and_that_is_said(layer, kind):
    with pytest.raises(InputError, match=f"layer '{layer}' is a {kind} of this Closing and no module.*Make it a mod"):
        STGGradCAM(Closing(), layer=layer, inputs="b t n c")(X, target=lambda scores: scores[:, 1])


def test_which_functions_run_the_models_own_modules():
    def with_step(make):
        model = nn.ModuleDict({"inner": nn.ModuleDict({"conv": nn.Linear(3, 3)})})
        model.step = make(model)
        return runs_its_own_modules(model)

    conv = nn.Linear(3, 3)
    assert with_step(lambda model: lambda x: model.inner(x))
    assert with_step(lambda model: [{"first": lambda x, layer=model.inner.conv: layer(x)}])
    # It names no module of the model, or is of another module.
    assert not with_step(lambda model: lambda x: x if model.training else -x)
    assert not with_step(lambda model: lambda x: conv(x))


def test_a_function_of_a_notebook_finds_the_model_by_its_name():
    model, other = nn.ModuleDict({"conv": nn.Linear(3, 3)}), nn.ModuleDict({"conv": nn.Linear(3, 3)})
    names = {"model": model, "other": other}
    exec("def inner(x): return model.conv(x)\nstep = lambda x: inner(x)\naside = lambda x: other.conv(x)", names)
    model.step = names["aside"]
    assert not runs_its_own_modules(model)
    model.step = names["step"]
    assert runs_its_own_modules(model)
