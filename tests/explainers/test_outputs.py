"""What models return: tuples, dicts and objects, of which a function target gets all and other targets one tensor."""

import types
from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.outputs.nested import chosen, mapped, tensors_in
from stexplain.explainers.targets import Class, PerSample
from tests.explainers.small_models import signals

Pair = namedtuple("Pair", ["logits", "hidden"])


@dataclass(frozen=True)
class Frozen:
    logits: torch.Tensor
    hidden: torch.Tensor


@dataclass
class Items(OrderedDict):
    """A dict whose entries are attributes too, as libraries of transformers give them."""

    logits: torch.Tensor = None
    hidden: torch.Tensor = None

    def __post_init__(self):
        super().__init__(logits=self.logits, hidden=self.hidden)

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        super().__setattr__(key, value)

    def __reduce__(self):
        return type(self), (self.logits, self.hidden)


class Keeps:
    """Any object; it holds itself."""

    def __init__(self, logits, hidden):
        self.logits, self.hidden, self.itself = logits, [{"hidden": hidden}], self


KINDS = {
    "dict": (lambda a, b: {"logits": a, "hidden": b}, lambda y: (y["logits"], y["hidden"])),
    "tuple": (lambda a, b: (a, b), lambda y: (y[0], y[1])),
    "list": (lambda a, b: [a, (b, None)], lambda y: (y[0], y[1][0])),
    "named tuple": (Pair, lambda y: (y.logits, y.hidden)),
    "frozen dataclass": (Frozen, lambda y: (y.logits, y.hidden)),
    "dict with attributes": (Items, lambda y: (y.logits, y["hidden"])),
    "namespace": (lambda a, b: types.SimpleNamespace(logits=a, hidden=b), lambda y: (y.logits, y.hidden)),
    "object": (Keeps, lambda y: (y.logits, y.hidden[0]["hidden"])),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_tensor_is_found_and_replaced_in_a_copy(kind):
    make, read = KINDS[kind]
    output = make(torch.ones(2, 3), torch.zeros(2))
    found = list(tensors_in(output).values())
    assert found[0] is read(output)[0]
    assert found[1] is read(output)[1]
    other = mapped(output, lambda path, tensor: tensor + 1)
    assert type(other) is type(output)
    assert (read(other)[0] == 2).all()
    assert (read(other)[1] == 1).all()
    assert (read(output)[0] == 1).all()
    assert (read(output)[1] == 0).all()
    assert mapped(output, lambda path, tensor: tensor) is output


class Returns(nn.Module):
    """x ``[b t n c]``; the square of the sum of each node, as hidden values beside the logits."""

    def __init__(self, make):
        super().__init__()
        self.make = make

    def forward(self, x):
        nodes = x.sum((1, 3)).square()
        return self.make(nodes @ torch.ones(5, 3), nodes)


WEIGHT = torch.tensor([[1.0, 2, 3, 4, 5], [0, 0, 0, 0, 0], [5, 4, 3, 2, 1]])


@pytest.mark.parametrize("method", [InputGradient, IntegratedGradients, Occlusion])
@pytest.mark.parametrize("kind", KINDS)
def test_a_function_gets_what_the_model_returned_for_the_samples_also_for_copies(method, kind):
    """The function holds an entry per sample: it must never get several copies at once."""
    make, read = KINDS[kind]
    calls = []

    def target(output):
        logits, hidden = read(output)
        calls.append((len(logits), len(hidden), type(output)))
        return (hidden * WEIGHT).sum(1)

    x = signals(3, 4, 5, 2)
    options = {"reduce": "sum"} if method is InputGradient else {"baseline": "zero"}
    options |= {"window": 4} if method is Occlusion else {}
    e = method(Returns(make), inputs="b t n c", **options)(x, target=target)
    total = x.sum((1, 3))
    if method is InputGradient:
        expected = (2 * 2 * total * WEIGHT)[:, None].expand(3, 4, 5)  # two channels
        np.testing.assert_allclose(e.values[:, 0], expected, rtol=1e-4, atol=1e-5)
    else:
        # What a node contributes is its square.
        nodes = e.values[:, 0].sum(1) if method is IntegratedGradients else e.values[:, 0].mean(1)
        np.testing.assert_allclose(nodes, total.square() * WEIGHT, rtol=1e-3, atol=1e-3)
    assert {call[:2] for call in calls} == {(3, 3)}
    assert {call[2] for call in calls} == {type(make(torch.ones(1), torch.ones(1)))}
    np.testing.assert_allclose(e.score, (total.square() * WEIGHT).sum(1), rtol=1e-5)
    assert (e.targets == -1).all()


@pytest.mark.parametrize("method", [InputGradient, Occlusion])
def test_one_target_per_sample_of_what_the_model_returned(method):
    x = signals(3, 4, 5, 2)
    targets = PerSample([Class(1), lambda y: y["hidden"][:, 2], lambda y: y["hidden"].sum(1)])
    explain = method(Returns(KINDS["dict"][0]), inputs="b t n c")
    e = explain(x, target=targets)
    for row, target in enumerate(targets.targets):
        alone = explain(x[row : row + 1], target=target)
        np.testing.assert_allclose(e.values[row], alone.values[0], rtol=1e-5, atol=1e-6)
    assert e.targets.tolist() == [1, -1, -1]


def test_which_tensor_is_meant():
    logits, hidden, loss = torch.ones(2, 3), torch.zeros(2, 8), torch.tensor(0.5)
    assert chosen((hidden, logits))[1] is hidden
    assert chosen((torch.zeros(2, dtype=torch.int64), logits))[1] is logits
    assert chosen({"hidden": hidden, "logits": logits})[1] is logits
    assert chosen({"prediction": hidden, "ids": torch.zeros(2, dtype=torch.int64)})[1] is hidden
    assert chosen(Pair(logits, hidden), "hidden")[1] is hidden
    assert chosen(Pair(logits, hidden), 1)[1] is hidden
    assert chosen([hidden, logits], -1)[1] is logits
    assert chosen({"a": {"logits": logits, "loss": loss}, "b": hidden}, "a")[1] is logits
    with pytest.raises(InputError, match="several tensors, 'hidden', 'out'.*output='hidden'"):
        chosen({"hidden": hidden, "out": logits})
    with pytest.raises(InputError, match="Did you mean 'hidden'"):
        chosen({"hidden": hidden, "out": logits}, "hiden")
    with pytest.raises(InputError, match="output: got 1; expected none"):
        chosen(logits, 1)
    with pytest.raises(InputError, match="returned a str"):
        chosen("nothing")
    with pytest.raises(InputError, match=r"returned an int; expected a floating tensor, or a tuple, dict or object"):
        chosen(3)
    with pytest.raises(InputError, match="returned None;"):
        chosen(None)
    with pytest.raises(InputError, match="returned an object of class SimpleNamespace;"):
        chosen(types.SimpleNamespace(loss=0.5))


def test_output_names_the_tensor_that_a_target_reads():
    x = signals(2, 4, 5, 2)
    model = Returns(lambda a, b: {"first": a, "second": a * 2 + b[:, :3]})
    for which in ("first", "second"):
        e = InputGradient(model, inputs="b t n c", output=which)(x, target=Class(2))
        np.testing.assert_allclose(e.score, model(x)[which][:, 2], rtol=1e-6)
    with pytest.raises(InputError, match="several tensors"):
        InputGradient(model, inputs="b t n c")(x, target=Class(2))


class FeaturesAndLogits(nn.Module):
    """Features, logits computed from them, and a second head, in an order of the caller's."""

    def __init__(self, *order):
        super().__init__()
        self.order = order
        self.mix, self.head, self.other = nn.Linear(6, 5), nn.Linear(5, 3), nn.Linear(6, 4)

    def forward(self, x):
        x = x.mean((2, 3))
        features = self.mix(x)
        logits = self.head(features)
        parts = {"features": features, "logits": logits, "other": self.other(x), "shares": logits.softmax(-1)}
        return tuple(parts[name] for name in self.order)


@pytest.mark.parametrize("method", [InputGradient, Occlusion])
@pytest.mark.parametrize("samples", [1, 3])
def test_a_first_tensor_that_another_is_computed_from_is_not_taken_for_logits(method, samples):
    """Features before logits: their largest entry is no class."""
    model, x = FeaturesAndLogits("features", "logits").eval(), torch.randn(samples, 6, 4, 7)
    with pytest.raises(InputError, match="others are computed from the first.*output=1 or output=0"):
        method(model, inputs="b c t n")(x)
    e = method(model, inputs="b c t n", output=1)(x)
    np.testing.assert_allclose(e.score, model(x)[1].amax(1).detach(), rtol=1e-5)
    chosen = method(model, inputs="b c t n", output=0)(x, target=Class(4))
    np.testing.assert_allclose(chosen.score, model(x)[0][:, 4].detach(), rtol=1e-5)


@pytest.mark.parametrize("order", [("logits", "features"), ("logits", "shares"), ("other", "logits")])
def test_a_first_tensor_that_no_other_shape_follows_from_is_read(order):
    model, x = FeaturesAndLogits(*order).eval(), torch.randn(3, 6, 4, 7)
    e = InputGradient(model, inputs="b c t n")(x, target=Class(1))
    np.testing.assert_allclose(e.score, model(x)[0][:, 1].detach(), rtol=1e-5)


def test_a_tuple_of_several_tensors_is_said_where_nothing_tells_which_is_meant():
    """Features that are pooled once more for the head are computed beside the logits, not before them."""
    model, x = FeaturesAndLogits("other", "logits").eval(), torch.randn(3, 6, 4, 7)
    e = InputGradient(model, inputs="b c t n")(x)
    assert "returned a tuple of tensors of shapes (3, 4), (3, 3): its first was read" in e.notes[0]
    assert not InputGradient(model, inputs="b c t n", output=0)(x).notes
    assert not InputGradient(FeaturesAndLogits("logits", "shares").eval(), inputs="b c t n")(x).notes


@pytest.mark.parametrize("method", [InputGradient, Occlusion])
def test_a_tensor_that_mixes_samples_is_no_harm_where_nobody_reads_it(method):
    """A loss by sample, less its mean over the batch, beside logits."""
    model = Returns(lambda a, b: {"logits": a, "loss": (b - b.mean(0)).sum(1)})
    x = signals(4, 4, 5, 2)
    e = method(model, inputs="b t n c")(x, target=Class(1))
    np.testing.assert_allclose(e.score, model(x)["logits"][:, 1], rtol=1e-5)
    with pytest.raises(InputError, match="Samples influence each other"):
        method(model, inputs="b t n c")(x, target=lambda y: y["loss"])
