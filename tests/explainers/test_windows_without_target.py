"""A forecaster that is explained without a target: its values of nodes are no classes."""

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.errors import InputError


class Forecaster(nn.Module):
    """``[B, N, T]`` to ``[B, steps * N]``."""

    def __init__(self, steps: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(6, steps, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x @ self.weight).flatten(1)


SERIES = stx.WindowedSeries(np.random.default_rng(0).uniform(1, 2, (40, 5)), window=6, horizon=2)
WINDOWS = SERIES.batch([0, 3, 8])


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize(
    "explain",
    [
        lambda model, **more: stx.explain(model, WINDOWS, inputs="b n t", **more),
        lambda model, **more: stx.InputGradient(model, inputs="b n t")(WINDOWS, **more),
    ],
)
def test_values_of_nodes_are_not_taken_for_classes_unasked(steps, explain):
    with pytest.raises(InputError, match=r"target: got none.* each of 5 nodes of windows.*target=Forecast\(node"):
        explain(Forecaster(steps))
    # Who asks for a class has one, and hears what it may be.
    asked = explain(Forecaster(steps), target=stx.Predicted())
    assert any("taken for classes" in note for note in asked.notes)
    layout = "b n" if steps == 1 else "b (n t)"
    assert (
        explain(Forecaster(steps), target=stx.Forecast(2, 1, layout=layout)).target == "the forecast of 2 at horizon 1"
    )


def test_a_classifier_of_windows_needs_no_target():
    model = nn.Sequential(nn.Flatten(), nn.Linear(30, 3))
    assert stx.InputGradient(model, inputs="b n t")(WINDOWS).targets.min() >= 0
    # As many classes as nodes, by their names.
    model = nn.Sequential(nn.Flatten(), nn.Linear(30, 5))
    assert stx.InputGradient(model, inputs="b n t", classes=list("abcde"))(WINDOWS).targets.min() >= 0
