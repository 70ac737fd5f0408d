"""Every signature: where the signals go, what else goes in, and that nothing of the caller's changes."""

import warnings
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import scipy.sparse
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.targets import Class
from tests.explainers.small_models import signals

SUPPORT = torch.arange(16.0).view(4, 4) / 16
X = signals(3, 6, 4)  # b t n


class First(nn.Module):
    def forward(self, x, support):
        return (x @ support).sum(1)


class Last(nn.Module):
    def forward(self, support, x):
        return (x @ support).sum(1)


class ByName(nn.Module):
    def forward(self, *, support, x):
        return (x @ support).sum(1)


class ByPlace(nn.Module):
    def forward(self, support, x, /):
        return (x @ support).sum(1)


class Anything(nn.Module):
    def forward(self, *args, **kwargs):
        return First()(*args, **kwargs)


class Rest(nn.Module):
    def forward(self, *args):
        return First()(*args)


class Between(nn.Module):
    def forward(self, x, scale=1.0, *, support, bias=None):
        return (x @ support).sum(1) * scale


def compiled(kind, support=SUPPORT):
    """The model scripted, traced or exported; each has its signature elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "script":
            return torch.jit.script(Last())
        if kind == "trace":
            return torch.jit.trace(Last(), (support, X))
        return torch.export.export(Last(), (support, X)).module()


def gradient(model, **options):
    return InputGradient(model, inputs="b t n", reduce="sum", **options)


@pytest.mark.parametrize(
    ("model", "argument"),
    [
        (First(), None),
        (Last(), "x"),
        # The first parameter that is not given otherwise.
        (Last(), None),
        (ByName(), "x"),
        (ByPlace(), "x"),
        (Anything(), None),
        (Anything(), "x"),
        (Rest(), None),
        (Between(), None),
        ("script", "x"),
        ("trace", "x"),
        ("export", "x"),
        (nn.DataParallel(Last()), "x"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_signals_go_where_they_belong(model, argument):
    model = compiled(model) if isinstance(model, str) else model
    e = gradient(model, argument=argument)(X, target=Class(2), shared={"support": SUPPORT})
    np.testing.assert_allclose(e.values[0, 0], np.broadcast_to(SUPPORT[:, 2], (6, 4)), rtol=1e-6)


@pytest.mark.parametrize("model", [First(), Last(), ByName(), ByPlace(), Between(), "script", "trace"])
def test_a_forgotten_argument_is_named(model):
    with pytest.raises(InputError, match=r"needs the argument 'support'.*shared=\{'support'.*per_sample="):
        gradient(compiled(model) if isinstance(model, str) else model, argument="x")(X, target=Class(0))


def test_a_forgotten_argument_of_an_inner_call_is_named():
    with pytest.raises(InputError, match=r"needs the argument 'support'.*shared="):
        gradient(Anything())(X, target=Class(0))


def test_where_the_signals_went_is_said_when_it_was_guessed():
    with pytest.raises(InputError, match=r"signals went to 'support'.*argument='x'"):
        gradient(Last())(X, target=Class(0))


def test_arguments_that_nothing_takes_are_refused():
    with pytest.raises(InputError, match="argument= of Last.forward 'signal'"):
        gradient(Last(), argument="signal")(X, target=Class(0), shared={"support": SUPPORT})
    with pytest.raises(InputError, match=r"'x' takes the signals x; got it by shared"):
        gradient(Last(), argument="x")(X, target=Class(0), shared={"support": SUPPORT, "x": X})
    with pytest.raises(InputError, match="no parameter left for the signals"):
        gradient(Last())(X, target=Class(0), shared={"support": SUPPORT, "x": X})
    with pytest.raises(InputError, match=r"'support' is given by shared= and by per_sample="):
        gradient(First())(X, target=Class(0), shared={"support": SUPPORT}, per_sample={"support": X})


def test_a_mask_that_forward_needs_is_filled_in():
    class Masked(nn.Module):
        def forward(self, x, valid, observed):
            return (x * valid[:, 0, :, None] * observed[:, 0]).sum(1)

    assert (gradient(Masked())(X, target=Class(1)).values[..., 1] == 1).all()
    valid = torch.ones(3, 1, 6, dtype=torch.bool)
    valid[:, :, 4:] = False
    e = gradient(Masked())(X, target=Class(1), valid=valid)
    assert e.values[:, 0, :4, 1].all()
    assert not e.values[:, 0, 4:].any()


def test_the_models_own_error_says_what_went_in():
    class Breaks(nn.Module):
        def forward(self, x):
            raise RuntimeError("expected 7 channels")

    with pytest.raises(
        InputError, match=r"Breaks raised RuntimeError for x of shape \(3, 6, 4\).*'b t n': expected 7"
    ) as caught:
        gradient(Breaks())(X, target=Class(0))
    assert isinstance(caught.value.__cause__, RuntimeError)


class WritesIntoAll(nn.Module):
    """Scales all that it is given in place, and gives what it gave the first time as often as it is called."""

    def forward(self, x, support, gates, valid=None):
        x.mul_(2)
        support.mul_(3)
        for gate in gates.values():
            gate.add_(1)
        if valid is not None:
            valid.zero_()
        return (x @ support).sum(1) * gates["first"]


@pytest.mark.parametrize("kind", [InputGradient, IntegratedGradients, Occlusion])
def test_what_a_model_writes_into_is_a_copy(kind):
    support, gates, x = SUPPORT.clone(), {"first": torch.ones(3, 1)}, X.clone()
    valid = torch.ones(3, 1, 6, dtype=torch.bool)
    explain = kind(WritesIntoAll(), inputs="b t n", **({"window": 1} if kind is Occlusion else {}))
    given = {"shared": {"support": support}, "per_sample": {"gates": gates}, "valid": valid}
    first, second = (explain(x, target=Class(1), **given) for _ in range(2))
    assert torch.equal(x, X)
    assert torch.equal(support, SUPPORT)
    assert torch.equal(gates["first"], torch.ones(3, 1))
    assert valid.all()
    np.testing.assert_array_equal(first.values, second.values)
    size = 12 * (SUPPORT[:, 1].numpy() * (1 if kind is InputGradient else X.numpy()))
    np.testing.assert_allclose(first.values[:, 0], np.broadcast_to(size, (3, 6, 4)), rtol=1e-4, atol=1e-5)


Pair = namedtuple("Pair", "left right")


@pytest.mark.parametrize(
    "support",
    [
        SUPPORT.numpy().astype(np.float64),
        SUPPORT.double(),
        SUPPORT.half(),
        scipy.sparse.csr_matrix(SUPPORT.numpy().astype(np.float64)),
        scipy.sparse.coo_array(SUPPORT.numpy()),
        SUPPORT.double().to_sparse(),
        [SUPPORT.numpy()],
        (SUPPORT.double(), None),
        {"a": [SUPPORT.numpy().astype(np.float64)]},
        OrderedDict(a=SUPPORT.double()),
        Pair(SUPPORT.double(), 3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_further_arguments_come_in_the_models_type(support):
    class Takes(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x, support):
            assert not isinstance(support, np.ndarray)
            while not isinstance(support, torch.Tensor):
                support = next(iter(support.values())) if isinstance(support, dict) else support[0]
            assert support.dtype == torch.float32
            assert not support.requires_grad
            if support.is_sparse:
                return torch.stack([torch.sparse.mm(support.t(), one.T).sum(1) for one in x * self.scale])
            return (x * self.scale @ support).sum(1)

    e = gradient(Takes())(X, target=Class(2), shared={"support": support})
    np.testing.assert_allclose(e.values[0, 0, 0], SUPPORT[:, 2], rtol=1e-3)


def test_integers_and_truth_values_keep_their_type():
    class Looks(nn.Module):
        def forward(self, x, node, present, days):
            assert node.dtype == torch.int64
            assert present.dtype == torch.bool
            assert days.dtype == torch.int32
            assert days.tolist() == [1, 2, 3][: len(days)] or len(days) != 3
            return x.sum(1)[:, node] * present * days[:, None]

    given = {"node": np.array([2, 1]), "present": torch.tensor([True, True])}
    days = np.array([1, 2, 3], np.int32)
    e = gradient(Looks())(X, target=Class(0), shared=given, per_sample={"days": days})
    np.testing.assert_array_equal(e.values[:, 0, 0, 2], [1, 2, 3])


@pytest.mark.parametrize("chunk", [None, 1, 2])
def test_arguments_with_an_entry_per_sample_may_be_lists_and_dicts(chunk):
    class Takes(nn.Module):
        def forward(self, x, supports, names, day):
            names = [ord(name) - ord("a") for name in names]
            mixed = sum(torch.einsum("btn,bnw->bw", x, each) for each in supports["all"])
            return mixed * x.new_tensor(names)[:, None] * day[:, None]

    supports = [SUPPORT.repeat(3, 1, 1), 2 * SUPPORT.repeat(3, 1, 1).numpy()]
    given = {"supports": {"all": supports}, "names": ["b", "c", "d"], "day": [1.0, 10.0, 100.0]}
    e = gradient(Takes(), chunk=chunk)(X, target=Class(3), per_sample=given)
    np.testing.assert_allclose(e.values[:, 0, 0], 3 * np.outer([1, 20, 300], SUPPORT[:, 3].numpy()), rtol=1e-5)
    o = Occlusion(Takes(), inputs="b t n", window=1, chunk=chunk)(X, target=Class(3), per_sample=given)
    np.testing.assert_allclose(o.values[:, 0], e.values[:, 0] * X.numpy(), rtol=1e-3, atol=1e-3)
    with pytest.raises(InputError, match=r"per_sample\['names'\] is a list; expected 3 entries.*`shared`"):
        gradient(Takes())(X, target=Class(3), per_sample={**given, "names": ["b"]})
