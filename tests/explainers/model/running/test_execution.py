"""Models that were built to save memory or time, or that leave torch half-way: explained right, or refused."""

import contextlib
import copy
import threading
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils import checkpoint as checkpointing
from torch.utils.checkpoint import checkpoint

from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.gradient_shap import GradientSHAP
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.perturbation.learned_mask import LearnedMask
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.methods.perturbation.shapley import ShapleyValueSampling
from stexplain.explainers.model.running.execution import _without_cudnn, plain_execution
from stexplain.explainers.targets import Class
from tests.explainers.small_models import signals

INPUT_METHODS = [InputGradient, IntegratedGradients, Occlusion]
METHODS = [*INPUT_METHODS, STGGradCAM]


class Net(nn.Module):
    """x ``[B, T, N, C]``."""

    def __init__(self, through=lambda function, x: function(x)):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.head = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        self.through = through

    def block(self, x):
        return torch.tanh(self.second(torch.tanh(self.first(x))))

    def forward(self, x):
        return self.head(self.through(self.block, x).mean((1, 2)))


def explained(kind, model, layer="second", **options):
    at = {"layer": layer, "layout": "b t n c"} if kind is STGGradCAM else {}
    with kind(model, inputs="b t n c", **at, **options) as explain:
        return [e.values for e in explain(signals(3, 4, 5, 3), target=[Class(0), Class([1, 0, 1])])]


def check_equal(kind, model, plain=None, **options):
    for one, other in zip(explained(kind, model, **options), explained(kind, plain or Net()), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
        assert np.abs(other).max() > 1e-4


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("kind", [*METHODS, LearnedMask], ids=lambda kind: kind.__name__)
def test_activation_checkpoints(kind, reentrant):
    """The layer lies within the part that would be computed again."""
    check_equal(kind, Net(lambda function, x: checkpoint(function, x, use_reentrant=reentrant)))


def test_checkpoints_of_others_stay_checkpoints():
    before = {name: getattr(checkpointing, name) for name in vars(checkpointing)}
    seen = []

    def counted(x):
        seen.append(len(x))
        return x.square()

    def trains():
        x = torch.ones(2, requires_grad=True)
        checkpoint(counted, x, use_reentrant=True).sum().backward()
        checkpoint(counted, x, use_reentrant=False).sum().backward()

    with plain_execution(nn.Identity(), torch.device("cpu")), plain_execution(nn.Identity(), torch.device("cpu")):
        other = threading.Thread(target=trains)
        other.start()
        other.join(60)
        # Each is computed twice, by them; once, by us.
        assert len(seen) == 4
        assert checkpoint(counted, torch.ones(2), use_reentrant=False).tolist() == [1, 1]
        assert len(seen) == 5
    assert before == {name: getattr(checkpointing, name) for name in before}
    trains()
    assert len(seen) == 9


def test_cudnn_is_off_for_recurrent_networks_on_cuda(monkeypatch):
    assert torch.backends.cudnn.enabled
    with contextlib.suppress(ZeroDivisionError), _without_cudnn():
        assert not torch.backends.cudnn.enabled
        raise ZeroDivisionError
    assert torch.backends.cudnn.enabled
    for model, enabled in ((nn.Sequential(nn.GRU(1, 1)), False), (nn.Linear(1, 1), True)):
        # Nothing runs on the device here: where it is decides.
        with plain_execution(model, torch.device("cuda")):
            assert torch.backends.cudnn.enabled is enabled
    with plain_execution(nn.GRU(1, 1), torch.device("cpu")):
        assert torch.backends.cudnn.enabled


@pytest.mark.parametrize("kind", METHODS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("how", ["whole", "part", "in place", "data parallel", "nested"])
def test_compiled_and_wrapped_models(kind, how):
    model = given = Net()
    with warnings.catch_warnings():
        # Loading the compiler warns of what it loads.
        warnings.simplefilter("ignore")
        if how == "whole":
            given = torch.compile(model, backend="eager")
        elif how == "part":
            model.second = torch.compile(model.second, backend="eager")
        elif how == "in place":
            model.compile(backend="eager")
        elif how == "data parallel":
            given = nn.DataParallel(model)
        elif how == "nested":
            given = nn.DataParallel(torch.compile(model, backend="eager"))
        check_equal(kind, given)


def negated(module, inputs, output):
    return -output


def reversed_in_time(module, inputs):
    return (inputs[0].flip(1),)


@pytest.mark.parametrize("register", ["register_forward_hook", "register_forward_pre_hook"])
@pytest.mark.parametrize("how", [nn.DataParallel, lambda model: torch.compile(model, backend="eager")])
def test_hooks_of_a_wrapper_are_not_left_out(how, register):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # loading the compiler warns of what it loads
        given = how(Net())
    handle = getattr(given, register)(negated if register == "register_forward_hook" else reversed_in_time)
    for kind in METHODS:
        with pytest.raises(
            InputError, match=r"^model: got an? \w+ with hooks.*Register them on model\.(module|_orig_mod)"
        ):
            explained(kind, given)
    handle.remove()
    check_equal(InputGradient, given)


class Negated(nn.DataParallel):
    def forward(self, *inputs, **kwargs):
        return -super().forward(*inputs, **kwargs)


class NamedAsAWrapper(nn.Module):
    def __init__(self):
        super().__init__()
        self._orig_mod = Net()

    def forward(self, x):
        return -self._orig_mod(x)


class NegatedNet(Net):
    def forward(self, x):
        return -super().forward(x)


@pytest.mark.parametrize("kind", METHODS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("made", [lambda: Negated(Net()), NamedAsAWrapper])
def test_what_looks_like_a_wrapper_and_computes_something_else(kind, made):
    given = made()
    layer = next(name for name, _ in given.named_modules() if name.endswith("second"))
    for one, other in zip(explained(kind, given, layer), explained(kind, NegatedNet()), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("how", ["scripted", "traced", "exported"])
def test_models_whose_code_is_no_longer_python(how):
    model, x = Net(), signals(3, 4, 5, 3)

    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.head = model.first, model.second, model.head

        def forward(self, x):
            return self.head(torch.tanh(self.second(torch.tanh(self.first(x)))).mean((1, 2)))

    with warnings.catch_warnings():
        # Torch is about to drop its scripts.
        warnings.simplefilter("ignore")
        if how == "scripted":
            given = torch.jit.script(Plain())
        elif how == "traced":
            given = torch.jit.trace(Plain(), x)
        else:
            batch = torch.export.Dim("batch", min=1, max=1024)
            given = torch.export.export(Plain(), (x,), dynamic_shapes={"x": {0: batch}}).module()
    for kind in INPUT_METHODS:
        check_equal(kind, given)
    if how != "exported":
        # Inside, one layer calls the next without Python, so no hook sees it.
        with pytest.raises(InputError, match=r"'second' is scripted or traced.*original module"):
            explained(STGGradCAM, given)


def with_weight_norm(model):
    parametrizations.weight_norm(model.second)


def with_old_weight_norm(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.nn.utils.weight_norm(model.second)


def with_spectral_norm(model):
    parametrizations.spectral_norm(model.second)


def with_old_spectral_norm(model):
    torch.nn.utils.spectral_norm(model.second)
    # As after training: from then on, eval mode leaves its estimate as it is.
    model.train()(signals(3, 4, 5, 3))


def with_own_parametrization(model):
    class Half(nn.Module):
        def forward(self, weight):
            return weight / 2

    parametrize.register_parametrization(model.second, "weight", Half())


@pytest.mark.parametrize("kind", METHODS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "reparametrised",
    [with_weight_norm, with_old_weight_norm, with_spectral_norm, with_old_spectral_norm, with_own_parametrization],
)
def test_weights_that_are_computed_from_others(kind, reparametrised):
    model, plain = Net(), Net()
    reparametrised(model)
    model.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model(signals(3, 4, 5, 3))
    plain.second.weight.data = model.second.weight.detach().clone()
    check_equal(kind, model.train(), plain)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("kind", METHODS, ids=lambda kind: kind.__name__)
def test_tied_modules(kind):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first, self.second, self.head = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2)
            self.third = self.second

        def forward(self, x):
            return self.head(torch.tanh(self.third(torch.tanh(self.second(torch.tanh(self.first(x)))))).mean((1, 2)))

    class Untied(Tied):
        def __init__(self):
            super().__init__()
            self.third = copy.deepcopy(self.second)

    # Of a module that runs twice the last output is meant.
    for one, other in zip(explained(kind, Tied()), explained(kind, Untied(), layer="third"), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-8)


class Packed(nn.Module):
    """x ``[B, T, N]`` and how many frames each sample has; a recurrent network over packed sequences."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.cell, self.head = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        hidden, _ = pad_packed_sequence(self.cell(packed)[0], batch_first=True, total_length=x.shape[1])
        return self.head(hidden.sum(1) / lengths[:, None])


@pytest.mark.parametrize("kind", [*INPUT_METHODS, GradientSHAP, ShapleyValueSampling], ids=lambda kind: kind.__name__)
def test_packed_sequences(kind):
    """A sample has the map that it has by itself, cut to its length; there is none beyond it."""
    model, x, lengths = Packed(), signals(3, 6, 3), torch.tensor([6, 2, 4])
    options = {"window": 1} if kind in (Occlusion, ShapleyValueSampling) else {}
    both = kind(model, inputs="b t n", **options)(x, target=Class(1), per_sample={"lengths": lengths})
    for row, length in enumerate(lengths.tolist()):
        assert not both.values[row, :, length:].any()
        if kind in (InputGradient, IntegratedGradients):
            leaf = x[row : row + 1, :length].clone().requires_grad_()
            (gradient,) = torch.autograd.grad(model(leaf, lengths[row : row + 1])[0, 1], leaf)
            if kind is InputGradient:
                np.testing.assert_allclose(both.values[row, 0, :length], gradient[0].abs(), rtol=1e-4, atol=1e-7)


def test_a_layer_that_gives_a_packed_sequence():
    with pytest.raises(InputError, match=r"layer 'cell' returned a packed sequence.*pad_packed_sequence"):
        STGGradCAM(Packed(), layer="cell", layout="b t c", inputs="b t n")(
            signals(3, 6, 3), target=Class(1), per_sample={"lengths": torch.tensor([6, 2, 4])}
        )


BREAKS = {
    "numpy": lambda x: torch.from_numpy(x.numpy() ** 2),
    "detached": lambda x: x.detach() ** 2,
    "whole numbers": lambda x: (x * 100).round().long().float() / 100,
    "no_grad": torch.no_grad()(torch.square),
}


@pytest.mark.parametrize("kind", [InputGradient, IntegratedGradients, GradientSHAP, LearnedMask, STGGradCAM])
@pytest.mark.parametrize("name", BREAKS)
def test_a_path_without_a_gradient_names_a_method_that_needs_none(kind, name):
    model = Net(lambda function, x: BREAKS[name](function(x)))
    with pytest.raises(InputError, match=r"Occlusion"):
        explained(kind, model)


@pytest.mark.parametrize("kind", [Occlusion, ShapleyValueSampling], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", BREAKS)
def test_methods_that_need_no_gradient_get_along_without(kind, name):
    model = Net(lambda function, x: BREAKS[name](function(x)))
    plain = Net(lambda function, x: function(x) ** (1 if name == "whole numbers" else 2))
    for one, other in zip(explained(kind, model), explained(kind, plain), strict=True):
        # Rounded to hundredths, in one case.
        np.testing.assert_allclose(one, other, atol=0.02 if name == "whole numbers" else 1e-6)
        assert one.any()
