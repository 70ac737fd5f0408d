"""Scripted and traced modules, whose operations no mode of torch sees."""

import pytest
import torch
from torch import nn

import stexplain as stx


class Walk(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("adjacency", torch.ones(5, 5) / 5)
        self.conv = nn.Conv2d(2, 3, (3, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.conv(x) @ self.adjacency).mean((2, 3))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("inside", [False, True])
def test_edges_of_a_traced_model_are_refused_with_its_reason(inside):
    """It was said that the layout might be wrong; and nothing is left on the modules around it."""
    traced = torch.jit.trace(Walk().eval(), torch.zeros(2, 2, 8, 5))
    model = nn.Sequential(nn.Tanh(), traced) if inside else traced
    named = "layer '1'" if inside else "the model"
    with pytest.raises(stx.errors.InputError, match=f"{named} is scripted or traced.*Explain the original module"):
        stx.EdgeImportance(model, inputs="b c t n")(torch.randn(3, 2, 8, 5), target=1)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
