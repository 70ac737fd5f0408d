"""A missing-value mask given with a tensor does what that of a batch does, in every metric that calls a model."""

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain import metrics
from stexplain.errors import InputError

B, T, N = 4, 6, 3
X = torch.randn(B, T, N, generator=torch.Generator().manual_seed(0))
SEEN = torch.ones(B, 1, T, N, dtype=torch.bool)
SEEN[0, 0, 2, 1] = SEEN[2, 0, :, 0] = SEEN[3, 0, 5] = False
X = X * SEEN[:, 0]


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.mix = nn.Linear(T * N, 2)

    def forward(self, x):
        return self.mix(torch.tanh(x.flatten(1)))


class Ahead(nn.Module):
    outputs = "b t n"

    def forward(self, x):
        return x[:, -2:] + x.mean((1, 2), keepdim=True) ** 2


BATCH = stx.Batch(
    X[:, None, ..., None], torch.ones(B, 1, T, dtype=torch.bool), torch.tensor([0, 1, 1, 0]), ("", "", "", ""),
    observed=SEEN,
)  # fmt: skip
IMPORTANCE = np.random.default_rng(0).random((B, 1, T, N))
BY_CLASS = [[0.1, 0.9, 0.3], [0.2, 0.1, 0.8]]
OTHER = torch.roll(X, 1, 0)
OTHER_BATCH = stx.Batch(OTHER[:, None, ..., None], BATCH.valid, BATCH.label, BATCH.ids, observed=SEEN)
Y = np.random.default_rng(1).random((B, 2, N))


def deletion(x, **more):
    return metrics.deletion_curve(Two(), x, IMPORTANCE, target=1, seed=0, steps=4, inputs="b t n", **more).score


def fidelity(x, **more):
    found = metrics.fidelity(Two(), x, IMPORTANCE, target=stx.Class(1), share=[0.4], inputs="b t n", **more)
    return found.to_frame().select_dtypes("number").to_numpy()


def effect(x, **more):
    other = OTHER_BATCH if isinstance(x, stx.Batch) else OTHER
    return metrics.effect(Two(), x, other, windows=3, inputs="b t n", **more).values


def masking(x, **more):
    labels = None if isinstance(x, stx.Batch) else BATCH.label
    curve = metrics.masking_curve(Two(), x, BY_CLASS, nodes=1, labels=labels, baseline="mean", inputs="b t n", **more)
    return curve.accuracy()


def forecast_masking(x, **more):
    curve = metrics.forecast_masking_curve(
        Ahead(), x, [0.1, 0.9, 0.3], nodes=1, y=Y, baseline="mean", inputs="b t n", **more
    )
    return curve.curve("highlighted")


def sensitivity(x, **more):
    with stx.InputGradient(Two(), inputs="b t n") as explain:
        return metrics.sensitivity_max(explain, x, target=1, draws=3, **more).changes


CALLS = [deletion, fidelity, effect, masking, forecast_masking, sensitivity]


@pytest.mark.parametrize("call", CALLS)
def test_a_mask_beside_a_tensor_is_that_of_a_batch(call):
    of_batch = call(BATCH)
    np.testing.assert_allclose(call(X, observed=SEEN), of_batch, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(call(X, observed=SEEN[:, 0]), of_batch, rtol=1e-6, atol=1e-7)
    # And without it there is something else.
    assert not np.allclose(call(X), of_batch, rtol=1e-6, equal_nan=True) or call is masking


@pytest.mark.parametrize("call", CALLS)
def test_what_was_not_observed_may_be_nan(call):
    gaps = X.masked_fill(~SEEN[:, 0], torch.nan)
    np.testing.assert_allclose(call(gaps, observed=SEEN), call(X, observed=SEEN), rtol=1e-6)


@pytest.mark.parametrize("call", CALLS)
def test_a_mask_beside_a_batch_is_refused(call):
    with pytest.raises(InputError, match="observed"):
        call(BATCH, observed=SEEN)


def test_what_was_not_observed_is_not_perturbed():
    seen = []
    model = Two()
    model.register_forward_pre_hook(lambda module, given: seen.append(given[0].detach()))
    with stx.InputGradient(model, inputs="b t n") as explain:
        metrics.sensitivity_max(explain, X, target=1, draws=2, observed=SEEN)
    changed = [x for x in seen if x.shape == X.shape and not torch.equal(x, X)]
    assert changed
    for x in changed:
        assert torch.equal(x[~SEEN[:, 0]], X[~SEEN[:, 0]])
        assert not torch.equal(x[SEEN[:, 0]], X[SEEN[:, 0]])


def test_streams_have_no_mask_beside_them():
    with stx.InputGradient(Two(), inputs="b t n") as explain, pytest.raises(InputError, match="observed: got it with"):
        metrics.sensitivity_max(explain, {"joint": X}, target=1, observed=SEEN)
