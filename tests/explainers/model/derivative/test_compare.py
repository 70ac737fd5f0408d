"""Gradients that are not the derivative of the score are said to be none; others are not."""

import copy
import inspect
import pickle
import warnings

import pytest
import torch
from torch import Tensor, nn

import stexplain as stx
from stexplain.explainers.model.derivative.compare import NO_DERIVATIVE, NOT_KNOWN
from stexplain.explainers.model.derivative.modes import NothingLeftOut, Watch
from tests.explainers.model.derivative.custom_functions import Reversed
from tests.explainers.model.derivative.models import (
    BROKEN,
    CHANNELS,
    FRAMES,
    NODES,
    SOUND,
    BackwardHook,
    Buffers,
    Encoder,
    Function,
    RevIN,
    built,
    reverse,
)


def signals(samples: int = 3) -> Tensor:
    return torch.randn(samples, CHANNELS, FRAMES, NODES, generator=torch.Generator().manual_seed(0))


def said(model: nn.Module, x: Tensor, method: str | None = "InputGradient", **options) -> list[str]:
    options = {"inputs": "b c t n", "target": 1, **options}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        e = stx.explain(model, x, method=method, **options)
    notes = [note for note in e.notes if note.startswith(NO_DERIVATIVE)]
    # Whoever reads no notes is warned.
    assert sum(NO_DERIVATIVE in str(one.message) for one in caught) == len(notes)
    return notes


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_left_out_is_said(name):
    (note,) = said(built(BROKEN[name]), signals())
    assert "Occlusion" in note


@pytest.mark.parametrize("name", SOUND)
def test_what_is_the_derivative_is_not_doubted(name):
    # Zeros are where functions have their kinks.
    x = torch.cat([signals(), signals().relu(), torch.zeros(1, CHANNELS, FRAMES, NODES)])
    assert not said(built(SOUND[name]), x)


SMOOTH = [
    *("RevIN", "last observation", "mean", "scale", "gradient reversal", "encoder under no_grad", "part under no_grad"),
    *("detached attention", "gate of itself", "truncated in time", "read by .data", "hook on a tensor"),
    *("hook on a module", "detached in place"),
]


@pytest.mark.parametrize("name", SMOOTH)
def test_with_nothing_left_out_the_gradient_is_what_differences_of_scores_say(name):
    model, x = built(BROKEN[name]).double(), signals(2).double()
    leaf = x.clone().requires_grad_()
    watch = Watch(model)
    with watch.entered() as returned:
        returned(model(leaf.clone()))
    with NothingLeftOut(model, watch.places).entered():
        score = model(leaf.clone())[:, 1].sum()
    (gradient,) = torch.autograd.grad(score, leaf)
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=x.dtype)
    with torch.no_grad():
        ahead, behind = (model(x + step * direction)[:, 1].sum() for step in (1e-6, -1e-6))
    assert float((gradient * direction).sum()) == pytest.approx(float(ahead - behind) / 2e-6, rel=1e-5)


def forecaster(*, detached: bool) -> nn.Module:
    class NLinear(nn.Module):
        """Of Zeng et al. (2023): windows less their last observation, which is added to the forecasts."""

        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            last = x[:, -1:].detach() if detached else x[:, -1:]
            return self.linear((x - last).transpose(1, 2)).transpose(1, 2) + last

    torch.manual_seed(0)
    return NLinear()


@pytest.mark.parametrize(
    "method",
    ["InputGradient", "IntegratedGradients", "ExpectedGradients", "GradientSHAP", "ExpectedFall", "LearnedMask", None],
)
@pytest.mark.parametrize("detached", [True, False])
def test_each_method_that_differentiates(method, detached):
    x = signals()[:, 0]
    found = said(forecaster(detached=detached), x, method, target=stx.Forecast(2, 3), inputs="b t n")
    assert len(found) == detached


def test_the_place_is_named():
    (note,) = said(built(BROKEN["RevIN"]), signals())
    line = next(at for at, one in enumerate(inspect.getsourcelines(RevIN)[0]) if "mean = " in one)
    number = inspect.getsourcelines(RevIN)[1] + line
    assert f".detach() at models.py, line {number} (part); .detach() at models.py, line {number + 1} (part)." in note
    (note,) = said(built(BROKEN["gradient reversal"]), signals())
    assert "the backward pass of Reversed at models.py" in note
    # What is detached to be logged is not named beside what matters.
    logged = nn.Sequential(Function(SOUND["logged"]()), built(BROKEN["encoder under no_grad"]))
    (note,) = said(logged, signals())
    assert ".detach()" not in note
    assert "torch.no_grad() at" in note


def test_layers_behind_it_have_their_derivative():
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.before, self.after = nn.Conv2d(CHANNELS, 4, 1), nn.Conv2d(4, 4, 1)
            self.head = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = Reversed.apply(self.before(x).tanh())
            return self.head(self.after(x).tanh().mean((2, 3)))

    options = {"layout": "b c t n", "stride": 1}
    assert said(Heads(), signals(), "STGGradCAM", layer="before", **options)
    assert not said(Heads(), signals(), "STGGradCAM", layer="after", **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sweep = stx.layer_sweep(
            Heads(), signals(), target=1, layers=["before", "after"], inputs="b c t n", layout="b c t n"
        )
    assert [any(NO_DERIVATIVE in note for note in e.notes) for e in sweep] == [True, False]
    assert sum(NO_DERIVATIVE in str(one.message) for one in caught) == 1


def test_each_target_has_a_gradient_of_its_own():
    class Heads(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x.tanh().mean((2, 3))
            return torch.cat([y[:, :2], y[:, 2:] + 2 * y[:, :1].detach()], 1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        targets = [stx.Class(0), stx.Custom(lambda y: y[:, 2]), stx.Custom(lambda y: y[:, 1])]
        found = stx.explain(Heads(), signals(), target=targets, method="InputGradient", inputs="b c t n")
    assert [any(NO_DERIVATIVE in note for note in e.notes) for e in found] == [False, True, False]


def test_more_steps_are_not_advised_where_the_gradient_is_the_cause():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        e = stx.explain(
            forecaster(detached=True), signals()[:, 0], method="IntegratedGradients", target=stx.Forecast(2, 3),
            inputs="b t n",
        )  # fmt: skip
    (missed,) = [note for note in e.notes if note.startswith("No convergence")]
    assert missed.endswith("since the gradient is not the derivative of the score.")
    assert not any("Give more" in str(one.message) for one in caught)


@pytest.mark.parametrize(
    ("name", "more"), [("identity", 0), ("logged", 0), ("buffers", 0), ("shifted softmax", 2), ("RevIN", 2)]
)
def test_passes(name, more):
    """Two, where something may be left out, and once for samples and targets that are alike."""
    model = built((BROKEN | SOUND)[name])
    passes = []
    model.register_forward_hook(lambda *_: passes.append(1))
    counts = []
    with warnings.catch_warnings(), stx.InputGradient(model, inputs="b c t n") as explain:
        warnings.simplefilter("ignore")
        explain._output_axes(explain._prepare(signals(), None))
        for _ in range(3):
            passes.clear()
            explain(signals(), target=1)
            counts.append(len(passes))
    assert counts == [1 + more, 1, 1]


def test_nothing_is_disturbed():
    class All(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.Sequential(Buffers(), RevIN(), Encoder(), BackwardHook(lambda gradient: 2 * gradient))
            self.norm = nn.BatchNorm2d(CHANNELS)

        def forward(self, x: Tensor) -> Tensor:
            self.parts[0].mean.copy_(x.detach().mean())
            return self.norm(reverse(self.parts(x))).mean((2, 3))

    torch.manual_seed(0)
    model = All()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    hooks = dict(model.parts[3].inner._backward_hooks)
    generator, x = torch.get_rng_state(), signals()
    given = x.clone()
    assert said(model, x)
    assert torch.equal(torch.get_rng_state(), generator)
    assert torch.equal(x, given)
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert not any(one.requires_grad for one in model.buffers())
    assert all(one.requires_grad and one.grad is None for one in model.parameters())
    assert dict(model.parts[3].inner._backward_hooks) == hooks
    assert "apply" not in vars(torch.autograd.function._SingleLevelFunction)
    assert torch.is_grad_enabled()


def test_channels_that_are_no_signals_are_left_aside():
    def part(x: Tensor) -> Tensor:
        return torch.cat([x[:, :2], 3 * x[:, 2:].detach()], 1)

    model = built(lambda: part)
    assert said(model, signals())
    assert not said(model, signals(), signals=[0, 1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_of_other_precision(dtype):
    for detached in (True, False):
        model, x = forecaster(detached=detached).to(dtype), signals()[:, 0].to(dtype)
        found = said(model, x, target=stx.Forecast(2, 3), inputs="b t n")
        assert len(found) == detached


def draws_otherwise(x: Tensor) -> Tensor:
    """Where what is detached stays in the graph, another function."""
    other = x.detach()
    return x * other if other.grad_fn is None else x


@pytest.mark.parametrize("part", [lambda x: x + copy.deepcopy(x.detach()), draws_otherwise])
def test_what_cannot_run_with_nothing_left_out_is_said_to_be_unknown(part):
    assert not said(built(lambda: part), signals())
    e = stx.explain(built(lambda: part), signals(), target=1, method="InputGradient", inputs="b c t n")
    (note,) = [note for note in e.notes if note.startswith(NOT_KNOWN)]
    assert ".detach() at test_compare.py" in note


@pytest.mark.parametrize("name", SOUND)
def test_of_what_is_the_derivative_it_is_known(name):
    e = stx.explain(built(SOUND[name]), signals(), target=1, method="InputGradient", inputs="b c t n")
    assert not [note for note in e.notes if note.startswith(NOT_KNOWN)]


def test_an_explainer_is_pickled_after_a_target_that_cannot_be():
    with warnings.catch_warnings(), stx.InputGradient(built(BROKEN["RevIN"]), inputs="b c t n") as explain:
        warnings.simplefilter("ignore")
        explain(signals(), target=stx.Custom(lambda y: y[:, 1]))
    assert explain._derivative.notes
    assert pickle.loads(pickle.dumps(explain._derivative)).notes == {}


def test_where_the_derivative_is_infinite_nothing_is_said():
    """The deviation of a constant node has none, and models detach it for that."""

    def part(x: Tensor) -> Tensor:
        return torch.cat([x[..., :1] * x[..., :1].std(2, keepdim=True).detach(), x[..., 1:]], 3)

    x = signals()
    x[..., 0] = 0.5
    assert not said(built(lambda: part), x)


def test_of_many_samples_few_are_looked_at():
    model, sizes = built(BROKEN["RevIN"]), []
    model.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    assert said(model, signals(20), target=stx.Class([0, 1, 2, 1] * 5))
    assert sizes[-2:] == [8, 8]


def test_a_scripted_model_is_explained_without_a_word():
    class Scripted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x - x.detach().mean(2, keepdim=True)).mean((2, 3))

    with warnings.catch_warnings():
        # It is to go, in favour of compiled models.
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.script(Scripted())
    assert not said(scripted, signals())


def test_the_first_pass_computes_what_later_ones_do_to_the_bit(monkeypatch):
    """Networks of ours pack frames, unless someone looks at axes."""
    graph = stx.STGraph.from_edges("abcd", [("a", "b"), ("b", "c"), ("b", "d")], center="b")
    torch.manual_seed(0)
    model = stx.nn.STGCN(graph, classes=3, channels=(4, 4), strides=(1, 2), temporal_kernel=3)
    valid = torch.arange(16) < torch.tensor([[[16], [5]], [[7], [0]], [[16], [16]]])
    x = torch.randn(3, 2, 16, 4, 3, generator=torch.Generator().manual_seed(0)) * valid[..., None, None]
    found, maps_of = [], stx.InputGradient._maps_of_targets

    def kept(*given):
        maps = maps_of(*given)
        found.extend(one.values for one in maps)
        return maps

    monkeypatch.setattr(stx.InputGradient, "_maps_of_targets", kept)
    with stx.InputGradient(model) as explain:
        for _ in range(2):
            explain(x, valid=valid, target=1)
    assert torch.equal(*found)
