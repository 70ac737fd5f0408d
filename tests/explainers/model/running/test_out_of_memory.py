"""Memory that runs out inside of a model: fewer samples go through it at a time, and it is left as it was."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.checks.model_state import changes, snapshot
from stexplain.errors import InputError
from stexplain.explainers.methods import ExpectedFall, InputGradient, Occlusion, STGGradCAM
from stexplain.explainers.targets import Class
from stexplain.nn.fusion import Fusion
from tests.explainers.small_models import signals

KINDS = [InputGradient, ExpectedFall, Occlusion, STGGradCAM]
ERRORS = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"),
]


class Net(nn.Module):
    """x ``[B, T, N, C]``; raises where it is given more than so many samples, at its n-th such pass and later."""

    def __init__(self, most=100, error=None, passes=1):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.head = nn.Linear(3, 6), nn.Linear(6, 2)
        self.most, self.error, self.left = most, error, [passes]

    def forward(self, x):
        hidden = self.layer(x).tanh()
        if len(x) > self.most and self.fails():
            raise self.error
        return self.head(hidden.mean((1, 2)))

    def fails(self):
        Net.larger += 1  # of the class: what a pass changes in the model is undone
        return Net.larger >= self.left[0]

    larger = 0


def explained(kind, model, samples=4, **options):
    Net.larger = 0
    layer = {"layer": "layer", "layout": "b t n c", "stride": 1, "offset": 0} if kind is STGGradCAM else {}
    options |= {"copies": 1} if kind is Occlusion else {}
    return kind(model, inputs="b t n c", **layer, **options)(signals(samples, 4, 5, 3), target=Class(1))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("passes", [1, 6])
def test_fewer_samples_go_through_the_model_at_a_time(kind, error, passes):
    expected = explained(kind, Net())
    model = Net(most=2 if kind is not STGGradCAM else 20, error=error, passes=passes).train()
    before = snapshot(model)
    # The copies that measure a layer are of one sample.
    e = explained(kind, model, samples=4 if kind is not STGGradCAM else 40)
    if kind is not STGGradCAM:
        np.testing.assert_allclose(e.values, expected.values, atol=1e-6)
    if Net.larger >= passes:
        assert any("Memory ran out with" in note for note in e.notes)
    assert not changes(before, snapshot(model))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_memory_that_runs_out_for_one_sample_is_the_models_own_error(error):
    model = Net(most=0, error=error)
    before = snapshot(model)
    with pytest.raises(type(error)) as raised:
        explained(Occlusion, model)
    assert raised.value is error
    assert not changes(before, snapshot(model))


class ByMean(Net):
    def forward(self, x):
        return super().forward(x - x.mean())


def test_samples_that_influence_each_other_are_not_cut():
    with pytest.raises((MemoryError, InputError)):
        explained(InputGradient, ByMean(most=2, error=MemoryError()))


def test_an_error_says_where_it_was_raised():
    def fails(output):
        raise ZeroDivisionError("mine")

    explainer = InputGradient(Net(), inputs="b t n c", chunk=2)
    with pytest.raises(ZeroDivisionError, match=r"^mine") as raised:
        explainer(signals(5, 4, 5, 3), target=fails)
    assert raised.value.__notes__ == ["In input gradient, samples 0 to 1 of 5."]


class Broken(nn.Module):
    def forward(self, x):
        raise IndexError("no such row")


def test_an_error_of_a_stream_names_it():
    x = signals(2, 1, 4, 5, 3)
    fusion = Fusion({"joint": nn.Sequential(nn.Flatten(), nn.Linear(60, 2)), "bone": Broken()})
    before = snapshot(fusion)
    with pytest.raises(IndexError, match="no such row") as raised:
        fusion({"joint": x, "bone": x})
    assert raised.value.__notes__ == ["Raised by the model of the stream 'bone'."]
    with pytest.raises(
        InputError, match=r"Fusion raised IndexError .*no such row Raised by the model of the .*'bone'\."
    ):
        InputGradient(fusion)({"joint": x, "bone": x}, target=Class(1))
    assert not changes(before, snapshot(fusion))
