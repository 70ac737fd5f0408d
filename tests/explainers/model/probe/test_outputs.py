"""What modules return, and how much of it is kept at a time."""

import torch
from torch import nn

from stexplain.explainers.model.probe.outputs import module_outputs


def test_modules_that_no_memory_is_left_for_are_named_for_a_further_pass():
    """A module begun is kept whole, whatever its calls take; the next ones are left out, each named once."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))
    x = torch.randn(2, 4)
    with module_outputs(model, None, memory=0) as first:
        model(x)
        model(x)
    assert {name: len(calls) for name, calls in first.calls.items()} == {"0": 2}
    assert first.left_out == ["1", "2"]
    with module_outputs(model, first.left_out, memory=x.nbytes) as further:
        output = model(x)
    assert (list(further.calls), further.left_out) == (["1", "2"], [])
    assert torch.equal(further.last("2"), output)


def test_what_a_container_returns_as_its_last_child_did_is_kept_once():
    """Unless it was changed in place between."""

    class Doubled(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mul_(2)

    x = torch.randn(2, 4)
    model = nn.Sequential(nn.Sequential(nn.Linear(4, 4)), Doubled(), nn.Sequential(nn.Sequential(nn.Tanh())))
    # Three tensors: of what the linear layer returned, of what was doubled, and of the last.
    with module_outputs(model, None, memory=3 * x.nbytes) as outputs:
        model(x)
    assert outputs.left_out == []
    assert outputs.last("2") is outputs.last("2.0") is outputs.last("2.0.0")
    assert outputs.last("0") is outputs.last("0.0")
    assert outputs.last("0") is not outputs.last("1")
    assert torch.equal(outputs.last("0") * 2, outputs.last("1"))
    with module_outputs(model, None, memory=2 * x.nbytes - 1) as outputs:
        model(x)
    assert outputs.left_out == ["2.0.0", "2.0", "2"]
