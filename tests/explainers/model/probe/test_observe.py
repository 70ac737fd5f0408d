"""The two passes over copies of a sample: in float64 where that is possible, whatever else the model is given."""

import threading

import pytest
import torch
from torch import Tensor, nn

import stexplain as stx
from stexplain.explainers.model.activations import capture_activations
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.probe.observe import observed_twice
from tests.explainers.model.probe import kinds


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


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_a_network_that_lists_its_weights_anew_when_it_is_copied_keeps_its_own_lists(kind):
    model = kinds.PerNode(kind).eval()
    # As torch.func and parametrisations do: it is listed anew at the next copy.
    model.rnn._parameters["weight_hh_l0"] = nn.Parameter(model.rnn.weight_hh_l0.detach().clone())
    before = [(module, dict(vars(module))) for module in model.modules()]
    stx.layers(model, torch.randn(2, 4, 3, 3), inputs="b t n c")
    for module, attributes in before:
        assert vars(module).keys() == attributes.keys()
        assert all(vars(module)[name] is value for name, value in attributes.items())


def test_a_model_that_cannot_be_copied_runs_as_it_is():
    """In its own type: it holds a lock, say."""
    model = nn.Sequential(nn.Conv2d(2, 3, (3, 1), padding=(1, 0)), nn.Flatten(), nn.Linear(3 * 6 * 4, 2)).eval()
    model.lock = threading.Lock()
    row = stx.layers(model, torch.randn(2, 2, 6, 4), inputs="b c t n").set_index("layer").loc["0"]
    assert (row["layout"], row["time"], row["offset"], row["sees"]) == ("b c t n", "aligned", 0, 3)
    assert model[0].weight.dtype == torch.float32


@pytest.mark.parametrize("open_relu", [True, False])
def test_rectifiers_are_opened_where_that_is_asked_for(open_relu):
    """All that a silent unit gives is zero; opened, it is a little more."""
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    nn.init.constant_(model[0].bias, -100.0)
    caller = ModelCaller(model, inputs="b t n c")
    with caller._model_frozen():
        samples = caller._prepare(torch.randn(2, 4, 3, 2), None)
        seen = observed_twice(
            caller,
            samples,
            lambda running: capture_activations({"": running[1]}, gradient=False),
            open_relu=open_relu,
        )
    assert bool((seen.reference.last("") > 0).all()) == open_relu
    assert bool((seen.reference.last("") == 0).all()) != open_relu
