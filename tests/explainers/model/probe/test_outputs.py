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
