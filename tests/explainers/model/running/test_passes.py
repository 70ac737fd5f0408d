"""What is known from one forward pass to the next: how often a model is looked through, and which passes count."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from stexplain.explainers.model.running import state
from stexplain.explainers.model.running.state import forward_pass, kept_state


def test_a_model_that_is_as_before_is_not_looked_through_again(monkeypatch):
    """It is where a first pass was seen, and where something was set meanwhile."""
    looked, look = [], state.attributes_of
    monkeypatch.setattr(state, "attributes_of", lambda model: looked.append(1) or look(model))
    model, x = nn.Sequential(nn.Linear(2, 2)), torch.ones(1, 2)
    with kept_state(model):
        for expected in (1, 2, 2, 2):
            with forward_pass(model):
                model(x)
            assert len(looked) == expected
        model[0].further = 3
        with forward_pass(model):
            model(x)
        assert len(looked) == 3
    # Between explanations nothing is kept.
    with kept_state(model), forward_pass(model):
        model(x)
    assert len(looked) == 4


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x, fails=False):
        if fails:
            raise ValueError("early")
        self.count += 1
        return x * self.count


@pytest.mark.parametrize("passes", [(True, False, False), (False, True, False), (True, True, False, False)])
def test_a_pass_that_ended_early_does_not_show_what_a_whole_one_writes_into(passes):
    """Nor what it leaves alone: where it was the first, the next is seen as the first."""
    model, x = Counts(), torch.ones(1, 2)
    with kept_state(model):
        for fails in passes:
            with pytest.raises(ValueError, match="early") if fails else nullcontext(), forward_pass(model):
                assert model(x, fails).tolist() == [[1.0, 1.0]]
    assert model.count == 0
