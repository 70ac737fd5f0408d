"""The two passes over copies of a sample: in float64 where that is possible, whatever else the model is given."""

import pytest
import torch
from torch import Tensor, nn

from stexplain.explainers.model.activations import capture_activations
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.probe.observe import observed_twice


class Gathered(nn.Module):
    """x ``[B, T, N, C]``; nodes chosen by a tensor of integers, which no other type can index."""

    def __init__(self) -> None:
        super().__init__()
        self.lift, self.order = nn.Linear(2, 3), [torch.arange(4)]

    def forward(self, x: Tensor, nodes: Tensor) -> Tensor:
        return self.lift(x[:, :, nodes][:, :, self.order[0]]).mean((1, 2))


@pytest.mark.parametrize(
    ("exact", "dtype", "rounding"), [(True, torch.float64, 2**-26), (False, torch.float32, 2**-11.5)]
)
def test_integers_stay_what_they_are_in_either_type(exact, dtype, rounding):
    """Rounding counts up to half of the digits: the root of the machine epsilon, 2^-52 and 2^-23."""
    model = Gathered()
    caller = ModelCaller(model, inputs="b t n c")
    with caller._model_frozen():
        samples = caller._prepare(torch.randn(3, 6, 5, 2), None, {"nodes": torch.tensor([4, 2, 0, 1])})
        seen = observed_twice(
            caller, samples, lambda running: capture_activations({"": running.lift}, gradient=False), exact=exact
        )
    assert seen.reference.last("").dtype == dtype
    assert seen.plan.rounding == pytest.approx(rounding)
    assert (model.lift.weight.dtype, model.order[0].dtype) == (torch.float32, torch.int64)
