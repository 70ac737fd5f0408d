"""What is no PyTorch module is refused, with the way to one."""

import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.errors import InputError

X = torch.zeros(4, 6, 3)


class Forest:
    def predict_proba(self, rows):
        return rows


class Fitted:
    def predict(self, rows):
        return rows


class Explainer:
    """As PyTorch Geometric's, which is called and holds the network."""

    model = nn.Linear(3, 2)

    def __call__(self, x):
        return x


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Forest(), r"got a Forest; expected a torch\.nn\.Module\. Write one .*model\.predict_proba\(.*Occlusion"),
        (Fitted(), r"model\.predict\(x"),
        (Forest().predict_proba, r"got a method; .* returns model\(x\), or of another library torch\.as_tensor\(model"),
        (nn.Linear(3, 2).forward, r"got a method; .*\. Give the module whose method it is\."),
        (Explainer(), r"got an Explainer; .*\. Give the module that it holds, its \.model\."),
        (nn.Linear, r"got the class Linear; expected an instance of it\. Give Linear\(\.\.\.\)\."),
        ({"state": 1}, r"got a dict; expected a torch\.nn\.Module\. Give the model itself\."),
    ],
)
def test_a_model_that_is_no_module(model, said):
    for call in (
        lambda: stx.explain(model, X, inputs="b t n", method="Occlusion"),
        lambda: stx.Occlusion(model, inputs="b t n"),
        lambda: stx.trust(model, "Occlusion", X, labels=[0, 1, 0, 1], inputs="b t n"),
    ):
        with pytest.raises(InputError, match=said):
            call()
