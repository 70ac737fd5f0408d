"""A model that gives another output at every pass is refused; one that is seeded, or draws for nothing, is not."""

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.targets import Class
from tests.explainers.small_models import signals


class Net(nn.Module):
    """x ``[B, T, N, C]``; changes what its layer gives by a function."""

    def __init__(self, changed):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.head, self.changed = nn.Linear(3, 6), nn.Linear(6, 2), changed

    def forward(self, x):
        return self.head(self.changed(self.layer(x)).mean((1, 2)))


def seeded(x):
    torch.manual_seed(3)
    return F.dropout(x, 0.5)


RANDOM = {
    "dropout": lambda x: F.dropout(x, 0.5),
    "noise": lambda x: x + torch.randn_like(x),
    "sampling": lambda x: x * torch.bernoulli(torch.full_like(x, 0.5)),
    "numpy": lambda x: x * float(np.random.rand()),  # noqa: NPY002
    "python": lambda x: x * random.random(),
}
ALIKE = {
    "seeded": seeded,
    "drawn for nothing": lambda x: x + 0 * torch.randn_like(x),
    "dropout of none": lambda x: F.dropout(x, 0.0),
}


def explained(kind, changed):
    layer = {"layer": "layer", "layout": "b t n c"} if kind is STGGradCAM else {}
    return kind(Net(changed), inputs="b t n c", **layer)(signals(3, 4, 5, 3), target=Class(1))


@pytest.mark.parametrize("kind", [InputGradient, Occlusion, STGGradCAM])
@pytest.mark.parametrize("name", RANDOM)
def test_random_models_are_refused(kind, name):
    with pytest.raises(InputError, match=r"draws random numbers.*differ by up to.*Switch off.*or seed it"):
        explained(kind, RANDOM[name])


@pytest.mark.parametrize("kind", [InputGradient, Occlusion, STGGradCAM])
@pytest.mark.parametrize("name", ALIKE)
def test_models_that_give_the_same_twice_are_not(kind, name):
    assert explained(kind, ALIKE[name]).values.any()


def test_the_check_draws_nothing():
    torch.manual_seed(5)
    explained(InputGradient, lambda x: x + 0 * torch.randn_like(x))
    after = torch.rand(3)
    torch.manual_seed(5)
    Net(torch.clone)  # it seeds, as the model above does
    torch.randn(3, 4, 5, 6)
    assert torch.equal(torch.rand(3), after)


def test_an_error_of_the_users_own_goes_first():
    def fails(output):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        InputGradient(Net(RANDOM["noise"]), inputs="b t n c")(signals(3, 4, 5, 3), target=fails)
    # And what was seen of the model is forgotten.
    assert explained(InputGradient, torch.clone).values.any()
