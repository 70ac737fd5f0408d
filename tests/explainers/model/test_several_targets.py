import numpy as np
import pytest
import torch

from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.layer.cam import CAM
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.model.gradients import gradients
from stexplain.explainers.targets import Class, Margin, Predicted
from tests.explainers.our_models import named
from tests.explainers.small_models import signals

TARGETS = [Class(0), Predicted(), Margin(2, 1), lambda output: output.square().sum(1)]


class Counted:
    """Counts how often a model runs."""

    def __init__(self, model):
        self.runs = 0
        model.register_forward_hook(self)

    def __call__(self, *_):
        self.runs += 1


@pytest.mark.parametrize("chunk", [None, 2])
@pytest.mark.parametrize(
    ("kind", "options"),
    [(STGGradCAM, {}), (STGGradCAM, {"layer": "blocks.0"}), (InputGradient, {}), (CAM, {})],
    ids=["last", "first", "input", "CAM"],
)
def test_several_targets_share_a_forward_pass_and_give_what_each_gives_alone(kind, options, chunk):
    model, x = named(), signals(3, 1, 10, 5, 3)
    targets = TARGETS[:3] if kind is CAM else TARGETS
    counted = Counted(model)
    together = kind(model, chunk=chunk, **options)(x, target=targets)
    assert counted.runs == (1 if chunk is None else 2)
    for target, e in zip(targets, together, strict=True):
        alone = kind(model, **options)(x, target=target)
        np.testing.assert_allclose(e.values, alone.values, rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(e.score, alone.score, rtol=1e-6)
        assert e.target == alone.target


def test_one_target_in_a_list_gives_a_list():
    (e,) = STGGradCAM(named())(signals(1, 1, 10, 5, 3), target=[Class(0)])
    assert e.target == "class 0"


def test_no_target():
    with pytest.raises(InputError, match="target: got an empty list"):
        STGGradCAM(named())(signals(1, 1, 10, 5, 3), target=[])


class Doubled(torch.autograd.Function):
    """An operator that cannot be batched."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


@pytest.mark.parametrize("through", [lambda x: 2 * x, Doubled.apply], ids=["batched", "one by one"])
def test_gradients_of_several_scores(through):
    x = signals(4, 3).requires_grad_()
    y = through(x)
    result = [gradient for (gradient,) in gradients([y.sum(1), y.square().sum(1), x.detach().sum(1), y[:, 0]], [x])]
    torch.testing.assert_close(result[0], torch.full((4, 3), 2.0))
    torch.testing.assert_close(result[1], 8 * x.detach())
    assert result[2] is None
    torch.testing.assert_close(result[3], torch.tensor([2.0, 0.0, 0.0]).expand(4, 3))
