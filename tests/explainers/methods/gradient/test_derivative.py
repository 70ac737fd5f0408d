"""Gradients that are not the derivative of the score are said to be none; others are not."""

import threading
import warnings

import pytest
import torch
from torch import Tensor, nn

import stexplain as stx
from stexplain.explainers.methods.gradient.derivative import NO_DERIVATIVE

METHODS = ("InputGradient", "IntegratedGradients", "ExpectedGradients", "GradientSHAP", "ExpectedFall")
LAG = stx.Forecast(2, 3)


def windows(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


class Linear(nn.Module):
    """NLinear of Zeng et al. (2023): windows less their last observation, which is added to the forecasts."""

    def __init__(self, *, detached: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.detached, self.linear = detached, nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        """x ``[B, T, N]`` to ``[B, H, N]``."""
        last = x[:, -1:].detach() if self.detached else x[:, -1:]
        return self.linear((x - last).transpose(1, 2)).transpose(1, 2) + last


def said(model: nn.Module, x: Tensor, method: str | None, **options) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        e = stx.explain(model, x, method=method, **options)
    notes = [note for note in e.notes if NO_DERIVATIVE in note]
    # Whoever reads no notes is warned.
    assert sum(NO_DERIVATIVE in str(one.message) for one in caught) == len(notes)
    return notes


@pytest.mark.parametrize("method", [*METHODS, None])
def test_what_is_detached_is_missing_from_the_map_and_that_is_said(method):
    x = windows(3, 8, 5)
    (note,) = said(Linear(detached=True), x, method, target=LAG, inputs="b t n")
    assert "Occlusion" in note
    assert not said(Linear(detached=False), x, method, target=LAG, inputs="b t n")


def test_the_note_has_the_slope_and_that_of_the_gradient():
    """Of a model of one weight both are known: the last observation counts once more than its gradient says."""

    class Last(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (2 * x + x.detach())[:, -1:]

    (note,) = said(Last(), windows(2, 6, 3), "InputGradient", target=stx.Forecast(0, 1), inputs="b t n")
    slope, gradient = (
        float(note.split(word)[1].split()[0].strip(",.")) for word in ("a slope of", "by the gradient of")
    )
    assert slope / gradient == pytest.approx(1.5, rel=0.01)


class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return -gradient


def straight_through(x: Tensor) -> Tensor:
    return x + (x.round() - x).detach()


def frozen(x: Tensor) -> Tensor:
    with torch.no_grad():
        features = x.tanh()
    return features + 0.1 * x


class Classifier(nn.Module):
    """A function of the signals, and a convolution over time; x ``[B, C, T, N]``."""

    def __init__(self, function) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function, self.conv, self.head = function, nn.Conv2d(2, 6, (3, 1)), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.conv(self.function(x))).mean((2, 3)))


@pytest.mark.parametrize(
    "function", [Reversed.apply, straight_through, frozen, lambda x: x * x.softmax(2).detach()], ids=range(4)
)
def test_each_way_to_leave_something_out(function):
    assert said(Classifier(function), windows(3, 2, 9, 5), "InputGradient", inputs="b c t n")


def silent(x: Tensor) -> Tensor:
    """Signals of which a half is zero, as missing ones are, and a node that is constant."""
    x = x * (x > 0)
    x[..., 1] = 0.5
    return x


def looked_up(x: Tensor) -> Tensor:
    return torch.cat([x[:, :1], torch.arange(10.0).to(x)[(x[:, 1:].abs() * 2).long()]], 1)


@pytest.mark.parametrize(
    "given", [lambda x: x, silent, lambda x: torch.ones_like(x), lambda x: x.round()], ids=range(4)
)
@pytest.mark.parametrize(
    "function",
    [lambda x: x, torch.relu, torch.sign, torch.round, looked_up, lambda x: x / x.std(2, keepdim=True).clamp(min=0.1)],
    ids=["same", "kinks", "sign", "rounding", "table", "scale"],
)
def test_kinks_jumps_and_tables_have_the_derivative_that_they_have(function, given):
    assert not said(Classifier(function), given(windows(3, 2, 9, 5)), "InputGradient", inputs="b c t n")


def test_each_target_has_a_gradient_of_its_own():
    class Heads(Classifier):
        def forward(self, x: Tensor) -> Tensor:
            logits = super().forward(x)
            return torch.cat([logits[:, :2], Reversed.apply(logits[:, 2:])], 1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = stx.explain(
            Heads(lambda x: x),
            windows(3, 2, 9, 5),
            target=[stx.Class(0), stx.Class(1), stx.Class(2)],
            method="InputGradient",
            inputs="b c t n",
        )
    assert [any(NO_DERIVATIVE in note for note in e.notes) for e in found] == [False, False, True]


def test_what_cannot_be_copied_into_double_precision_is_explained_without_a_word():
    class Locked(Classifier):
        def __init__(self) -> None:
            super().__init__(lambda x: x.detach() + x)
            self.lock = threading.Lock()

    assert not said(Locked(), windows(3, 2, 9, 5), "InputGradient", inputs="b c t n")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_of_other_precision(dtype):
    for detached in (True, False):
        model, x = Linear(detached=detached).to(dtype), windows(3, 8, 5).to(dtype)
        assert bool(said(model, x, "InputGradient", target=LAG, inputs="b t n")) is detached


def test_it_is_measured_once_for_samples_that_are_alike():
    passes = []

    def counted(x: Tensor) -> Tensor:
        passes.append(x.dtype)
        return x

    model = Classifier(counted)
    with stx.InputGradient(model, inputs="b c t n") as explain:
        for frames in (9, 9, 12):
            explain(windows(3, 2, frames, 5), target=1)
            found = passes.count(torch.float64)
    first = passes.count(torch.float64)
    assert first == found
    with stx.InputGradient(model, inputs="b c t n") as explain:
        explain(windows(3, 2, 9, 5), target=1)
    assert passes.count(torch.float64) == 2 * first


def test_more_steps_are_not_advised_where_the_gradient_is_the_cause():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        e = stx.explain(
            Linear(detached=True), windows(3, 8, 5), method="IntegratedGradients", target=LAG, inputs="b t n"
        )
    (missed,) = [note for note in e.notes if note.startswith("No convergence")]
    assert "Give more" not in missed
    assert "since the gradient is not the derivative of the score" in missed
