"""What a forward pass sets on a model is undone, and a model gives the same whatever ran before."""

import copy
import threading
import warnings
from collections import deque
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.perturbation.learned_mask import LearnedMask
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.model.running.attribute_walk import attributes_of
from stexplain.explainers.model.running.frozen import frozen_eval
from stexplain.explainers.model.running.state import forward_pass, kept_state
from stexplain.explainers.targets import Class
from tests.explainers.our_models import named
from tests.explainers.small_models import signals

METHODS = [InputGradient, IntegratedGradients, LearnedMask, Occlusion, STGGradCAM]


class Notes:
    """Any object that a model may hold."""

    def __init__(self):
        self.last, self.all = None, {"by name": []}


class Keeps(nn.Module):
    """x ``[B, T, N, C]``; keeps what it computes wherever a model can."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Linear(4, 6), nn.Linear(6, 3)
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.register_buffer("mean", torch.zeros(6))
        self.register_buffer("scale", torch.ones(6))
        self.plain = torch.zeros(2)
        self.count, self.seen, self.recent = 0, [], deque(maxlen=2)
        self.kept, self.names, self.notes = {"inner": [[]]}, {"none"}, Notes()
        self.gone = "here"

    def forward(self, x):
        hidden = torch.tanh(self.conv(x))
        self.attention = hidden.softmax(-1)  # a new attribute, with a graph behind it
        self.count += 1
        self.calls += 1  # in place
        self.mean = hidden.mean((0, 1, 2))  # a buffer, reassigned
        self.scale.data.mul_(2)  # in place, unseen by autograd
        self.plain[0] = 5
        self.head.weight.data = self.head.weight.data.renorm(2, 0, 1e-3)  # as networks with a maximal norm do
        self.seen.append(hidden)
        self.recent.append(hidden)
        self.kept["outer"] = hidden
        self.kept["inner"][0].append(hidden)
        self.names.add("hidden")
        self.notes.last = hidden
        self.notes.all["by name"].append(hidden)
        self.conv.hint = hidden
        del self.gone
        return self.head(hidden).mean((1, 2))


def values_of(model):
    """The values of all that the model holds, by what holds it."""
    containers, tensors = attributes_of(model)
    return (
        [(id(each.holder), each.before) for each in containers],
        [(id(tensor), tensor.data_ptr(), tensor.clone()) for tensor in tensors],
    )


def check_same(model, before):
    containers, tensors = values_of(model)
    assert [one[0] for one in containers] == [one[0] for one in before[0]]
    for (_, now), (_, then) in zip(containers, before[0], strict=True):
        if isinstance(now, dict):
            assert set(now) == set(then)
            assert all(value is then[name] for name, value in now.items())
        else:
            assert now == then
    for now, then in zip(tensors, before[1], strict=True):
        assert now[:2] == then[:2]
        assert torch.equal(now[2], then[2])


def explainer(kind, model, **options):
    layer = {"layer": "conv", "layout": "b t n c"} if kind is STGGradCAM else {}
    return kind(model, inputs="b t n c", **layer, **options)


@pytest.mark.parametrize("chunk", [None, 1])
@pytest.mark.parametrize("kind", METHODS, ids=lambda kind: kind.__name__)
def test_all_that_a_forward_pass_sets_is_undone(kind, chunk):
    model = Keeps().eval()
    before = values_of(model)
    with explainer(kind, model, chunk=chunk) as explain:
        # Twice: from the second pass on, only the tensors that are known to be written into are cloned.
        for _ in range(2):
            explain(signals(2, 6, 5, 4), target=[Class(0), Class(1)])
            check_same(model, before)
    copy.deepcopy(model)


@pytest.mark.parametrize("kind", METHODS, ids=lambda kind: kind.__name__)
def test_it_is_undone_after_an_error(kind):
    model = Keeps()
    before = values_of(model)

    def fails(output):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        explainer(kind, model)(signals(2, 6, 5, 4), target=fails)
    check_same(model, before)

    def after(module, arguments, output):
        raise ZeroDivisionError

    handle = model.head.register_forward_hook(after)
    with pytest.raises(InputError, match="ZeroDivisionError"):
        explainer(kind, model)(signals(2, 6, 5, 4), target=Class(0))
    handle.remove()
    check_same(model, before)


def test_a_target_sees_what_the_pass_set():
    model, x = Keeps(), signals(2, 6, 5, 4)
    hidden = torch.tanh(model.conv(x))

    def attended(output):
        torch.testing.assert_close(model.attention, hidden.softmax(-1))
        assert model.count == 1
        return model.attention[..., 0].sum((1, 2))

    e = InputGradient(model, inputs="b t n c", reduce="sum")(x, target=attended)
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(torch.tanh(model.conv(leaf)).softmax(-1)[..., 0].sum(), leaf)
    np.testing.assert_allclose(e.values[:, 0], expected.sum(-1), rtol=1e-5, atol=1e-7)


class Stateful(nn.Module):
    """x ``[B, T, N]``; carries its hidden state on from call to call."""

    def __init__(self, in_place):
        super().__init__()
        self.in_place = in_place
        self.register_buffer("hidden", torch.zeros(3))

    def forward(self, x):
        hidden = torch.tanh(self.hidden + 0.5 * x.mean((0, 1)))
        if self.in_place:
            self.hidden.copy_(hidden.detach())
        else:
            self.hidden = hidden
        return x.sum(1) * (1 + hidden)


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("kind", [InputGradient, Occlusion, LearnedMask])
def test_results_do_not_depend_on_what_ran_before(kind, in_place):
    model, x = Stateful(in_place), signals(1, 4, 3)
    explain = kind(model, inputs="b t n")
    first = explain(x, target=Class(1))
    explain(signals(1, 4, 3, seed=1), target=Class(0))
    np.testing.assert_array_equal(explain(x, target=Class(1)).values, first.values)
    # The score is of a pass that starts from the model's own state, which is still zero.
    assert model.hidden.tolist() == [0, 0, 0]
    assert first.score[0] == pytest.approx(float(model(x)[0, 1]), rel=1e-5)


class Lazy(nn.Module):
    """Builds its layer from the shape of its first input."""

    def __init__(self, where):
        super().__init__()
        self.where, self.parts = where, []

    def forward(self, x):
        if self.where == "attribute" and not hasattr(self, "head"):
            self.head = nn.Linear(x.shape[1], 2)
        if self.where == "list" and not self.parts:
            self.parts.append(nn.Linear(x.shape[1], 2))
        return (self.head if self.where == "attribute" else self.parts[0])(x.sum(2))


@pytest.mark.parametrize("where", ["attribute", "list"])
def test_layers_that_a_first_pass_builds(where):
    model, x = Lazy(where), signals(2, 4, 3)
    explain = InputGradient(model, inputs="b t n")
    with pytest.raises(InputError, match=r"drawn anew.*Run the model once"):
        explain(x, target=Class(1))
    assert not model.parts
    assert not hasattr(model, "head")
    model(x)
    e = explain(x, target=Class(1))
    weight = (model.head if where == "attribute" else model.parts[0]).weight[1].detach().abs()
    np.testing.assert_allclose(e.values, weight[None, None, :, None].expand(2, 1, 4, 3), rtol=1e-6)


def test_parameters_without_a_shape():
    with warnings.catch_warnings():
        # Torch versions differ in whether they warn that lazy modules are new.
        warnings.simplefilter("ignore")
        model = nn.Sequential(nn.Flatten(), nn.LazyLinear(2))
    x = signals(2, 4, 3)
    with pytest.raises(InputError, match=r"'1\.\w+' of the model has no shape yet.*Run the model once"):
        InputGradient(model, inputs="b t n")(x, target=Class(0))
    model(x)
    assert InputGradient(model, inputs="b t n")(x, target=Class(0)).values.all()


def test_a_tensor_that_is_written_into_late_cannot_be_put_back():
    class Sometimes(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("last", torch.zeros(3))

        def forward(self, x):
            if x.abs().max() > 100:
                self.last += 1
            return x.sum((1,))

    model = Sometimes()
    explain = InputGradient(model, inputs="b t n")
    explain(signals(1, 4, 3), target=Class(0))
    with pytest.raises(InputError, match="wrote into 'last'"):
        explain(1000 * signals(1, 4, 3), target=Class(0))
    # From now on it is known.
    model.last.zero_()
    explain(1000 * signals(1, 4, 3), target=Class(0))
    assert model.last.tolist() == [0, 0, 0]


def test_a_pass_outside_of_a_block_is_undone_at_once():
    model = Keeps()
    before = values_of(model)
    with forward_pass(model):
        model(signals(2, 6, 5, 4))
    check_same(model, before)
    handle = model.head.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), kept_state(model), forward_pass(model):
        model(signals(2, 6, 5, 4))
    handle.remove()
    check_same(model, before)


def test_what_others_change_between_two_passes_stays():
    model = Keeps()
    with kept_state(model):
        with forward_pass(model):
            model(signals(2, 6, 5, 4))
        model.theirs, model.kept["theirs"] = 1, 2
    assert (model.theirs, model.kept["theirs"], model.count) == (1, 2, 0)


def test_a_network_of_this_package_changes_nothing_in_a_pass():
    """Its caches are not undone, which would make every pass slower."""
    model, x = named(), signals(2, 1, 10, 5, 3)
    with kept_state(model), frozen_eval(model), forward_pass(model):
        containers, _ = attributes_of(model)
        model(x)
        assert [list(each.new_values()) for each in containers if not each.is_as_before] == []


@pytest.mark.parametrize("order", ["nested", "overlapping"])
def test_blocks_of_one_model(order):
    model = named().train()
    model.blocks[0].eval()
    model.head.weight.requires_grad_(False)
    state = ([module.training for module in model.modules()], [one.requires_grad for one in model.parameters()])
    first, second, part = ExitStack(), ExitStack(), ExitStack()
    first.enter_context(InputGradient(model))
    second.enter_context(STGGradCAM(model))
    # A part of the model may be a model that someone else explains.
    part.enter_context(frozen_eval(model.blocks))
    for block in (part, second, first) if order == "nested" else (first, part, second):
        assert not any(module.training for module in model.blocks.modules())
        assert not any(parameter.requires_grad for parameter in model.blocks.parameters())
        block.close()
    assert state == ([module.training for module in model.modules()], [one.requires_grad for one in model.parameters()])


def test_threads_that_explain_one_model():
    model, x = Keeps().train(), signals(6, 6, 5, 4)
    before = values_of(model)
    expected = {kind: explainer(kind, model)(x, target=Class(1)).values for kind in METHODS}
    found, start = {}, threading.Barrier(len(METHODS))

    def work(kind):
        explain = explainer(kind, model)
        start.wait()
        found[kind] = [explain(x, target=Class(1)).values for _ in range(3)]

    threads = [threading.Thread(target=work, args=(kind,)) for kind in METHODS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for kind in METHODS:
        for values in found[kind]:
            np.testing.assert_array_equal(values, expected[kind])
    check_same(model, before)
    assert model.training
