import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.targets import Class, Custom
from tests.explainers.small_models import PlainSTGCN, signals


def test_equals_finite_differences():
    model, x, classes = PlainSTGCN(nodes=3).double().eval(), signals(2, 3, 5, 3, 2).double(), [1, 3]
    gradients = np.zeros(x.shape)
    step = 1e-6
    with torch.no_grad():
        for index in np.ndindex(*x.shape):
            ahead, behind = x.clone(), x.clone()
            ahead[index] += step
            behind[index] -= step
            number = classes[index[0]]
            difference = model(ahead)[index[0], number] - model(behind)[index[0], number]
            gradients[index] = difference.item() / (2 * step)
    gradients = gradients.transpose(0, 4, 2, 3, 1)
    for reduce, expected in (
        ("norm", np.sqrt((gradients**2).sum(-1))),
        ("positive", np.sqrt((np.maximum(gradients, 0) ** 2).sum(-1))),
        ("sum", gradients.sum(-1)),
    ):
        for chunk in (None, 1):
            with InputGradient(model, inputs="b c t n m", reduce=reduce, chunk=chunk) as explain:
                e = explain(x, target=Class(classes))
            assert np.allclose(e.values, expected, atol=1e-6)
    assert e.layer_values is None
    assert e.layer == ""


def test_padding_is_set_aside_and_its_share_told():
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 1, bias=False))
    model[1].weight.data.copy_(torch.tensor([[1.0, 2.0, 3.0, -4.0, 5.0, 5.0]]))
    valid = torch.tensor([[[True, True, False]]])
    with InputGradient(model, reduce="sum") as explain:
        e = explain(torch.ones(1, 1, 3, 2, 1), target=Class(1), valid=valid)
    assert e.values.tolist() == [[[[1.0, 2.0], [3.0, -4.0], [0.0, 0.0]]]]
    assert e.padding_share.tolist() == [0.5]


def test_a_model_that_works_in_place_on_its_input():
    class InPlace(nn.Module):
        def forward(self, x):
            x *= 2
            return x.relu_().sum((1, 2, 3))

    x = torch.tensor([[1.0, -1.0]]).view(1, 1, 1, 2, 1)
    with InputGradient(InPlace()) as explain:
        assert explain(x, target=Class(0)).values.flatten().tolist() == [2.0, 0.0]
    assert x.flatten().tolist() == [1.0, -1.0]


def test_wrong_use():
    with pytest.raises(InputError, match="Did you mean 'norm'"):
        InputGradient(PlainSTGCN(), reduce="nrm")
    with (
        InputGradient(PlainSTGCN(), inputs="b c t n m") as explain,
        pytest.raises(InputError, match="differentiable"),
    ):
        explain(signals(1, 3, 6, 5, 1), target=Custom(lambda output: output.detach()[:, 0]))


def test_all_streams_are_explained_by_one_pass():
    """A gradient is known channel by channel: there is no need to run the model for one stream after the other."""

    class Two(nn.Module):
        def forward(self, joint, bone):
            passes.append(len(joint))
            return torch.stack([(2 * joint).sum((1, 2, 3)), (joint * bone).sum((1, 2, 3))], 1)

    passes, x = [], {"joint": signals(2, 4, 5, 3), "bone": signals(2, 4, 5, 3, seed=1)}
    with InputGradient(Two(), inputs="b t n c", reduce="sum") as explain:
        explain(x, target=Class(0))
        passes.clear()
        found = explain(x, target=Class(1))
        # As many samples as there are, once.
        assert sum(passes) == 2
    np.testing.assert_allclose(found["joint"].values[:, 0], x["bone"].sum(-1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["bone"].values[:, 0], x["joint"].sum(-1), rtol=1e-5, atol=1e-6)
