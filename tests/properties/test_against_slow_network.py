"""Random small networks: explainers against the same networks and methods once more, in float64, by loops."""

from dataclasses import replace
from itertools import product

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from stexplain.explainers.methods import (
    CAM,
    ExpectedGradients,
    HiResCAM,
    InputGradient,
    IntegratedGradients,
    Occlusion,
    ShapleyValueSampling,
    STGGradCAM,
)
from tests.properties.drawn_networks import LABEL, Case, cases, explain
from tests.properties.examples import drawn
from tests.properties.slow_network import SlowNetwork, complex_step
from tests.reference import maps as reference

SMOOTH = cases(activations=("tanh",))


def checked(kind, case: Case, expected, **options):
    """A method's explanation, whose values are those expected of each sample's signals and mask."""
    batch = case.batch()
    e = explain(kind, case.network(), batch, **options)
    slow = SlowNetwork(case.network(), case.activation)
    values = np.stack(
        [expected(slow, x, valid) * valid[..., None] for x, valid in zip(batch.x.numpy(), case.valid, strict=True)]
    )
    np.testing.assert_allclose(e.values, values, rtol=1e-5, atol=1e-5 * np.abs(values).max() + 1e-12)
    scores = [slow.score(x[None], valid, LABEL)[0] for x, valid in zip(batch.x.numpy(), case.valid, strict=True)]
    np.testing.assert_allclose(e.score, scores, rtol=1e-5, atol=1e-6)
    return e


def gradient(slow: SlowNetwork, x: np.ndarray, valid: np.ndarray) -> np.ndarray:
    return complex_step(lambda copies: slow.score(copies, valid, LABEL), x)


def mean_of(x: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The mean over each instance's valid frames in their place."""
    found = np.zeros_like(x)
    for m, mask in enumerate(valid):
        if mask.any():
            found[m, mask] = x[m, mask].mean(0)
    return found


@given(case=SMOOTH)
@drawn
def test_input_gradient(case):
    e = checked(InputGradient, case, lambda *of: np.linalg.norm(gradient(*of), axis=-1))
    slow, (x, valid) = SlowNetwork(case.network(), case.activation), (case.batch().x[0].numpy(), case.valid[0])
    expected = gradient(slow, x, valid) * valid[..., None, None]
    np.testing.assert_allclose(e.channels[0], expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max() + 1e-12)


@given(case=SMOOTH, baseline=st.sampled_from(("zero", "mean")))
@drawn
def test_integrated_gradients(case, baseline):
    def expected(slow, x, valid):
        start = mean_of(x, valid) if baseline == "mean" else np.zeros_like(x)
        # Simpson's rule, where the package has Gauss and Legendre's.
        places = np.linspace(0, 1, 41)
        weights = np.array([1, *[4, 2] * 19, 4, 1]) / 120
        total = sum(w * gradient(slow, start + u * (x - start), valid) for w, u in zip(weights, places, strict=True))
        return (total * (x - start)).sum(-1)

    checked(IntegratedGradients, case, expected, baseline=baseline)


@given(case=SMOOTH, reach=st.sampled_from((0.5, 1.0)), steps=st.sampled_from((2, 4)), seed=st.integers(0, 99))
@drawn
def test_expected_gradients(case, reach, steps, seed):
    draws = np.random.default_rng(seed).random((2, steps))

    def expected(slow, x, valid):
        total = np.zeros_like(x)
        for k, start in enumerate((np.zeros_like(x), mean_of(x, valid))):
            for s in range(steps):
                # The s-th stratum of the part of the way that is nearest to the sample.
                u = 1 - reach + reach * (s + draws[k, s]) / steps
                total += gradient(slow, start + u * (x - start), valid) * (x - start) / (2 * steps)
        return np.linalg.norm(total, axis=-1)

    checked(ExpectedGradients, case, expected, baselines=["zero", "mean"], reach=reach, steps=steps, seed=seed)


def on_frames(slow: SlowNetwork, valid: np.ndarray, over_positions: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A map over a layer's positions ``[M, T', N]`` on frames."""
    stride = int(np.prod([stride for _, stride in slow.blocks]))
    pairs = zip(over_positions, mask, strict=True)
    return np.stack([reference.slow_to_frames(cells, ok, valid.shape[1], stride) for cells, ok in pairs])


def by_gradients(formula):
    """A method of a layer, from a formula of the features and gradients of one instance."""

    def expected(slow, x, valid):
        features, mask = slow.features(x[None], valid)
        slopes = complex_step(lambda copies: slow.head(copies, mask)[:, LABEL], features[0])
        maps = [formula(*map(torch.from_numpy, of)) for of in zip(features[0], slopes, mask, strict=True)]
        return on_frames(slow, valid, np.stack(maps), mask)

    return expected


@given(case=SMOOTH)
@drawn
def test_grad_cam(case):
    checked(STGGradCAM, case, by_gradients(reference.slow_grad_cam))


@given(case=SMOOTH)
@drawn
def test_hires_cam(case):
    checked(HiResCAM, case, by_gradients(reference.slow_hires_cam))


@given(case=SMOOTH)
@drawn
def test_cam(case):
    def expected(slow, x, valid):
        features, mask = slow.features(x[None], valid)
        return on_frames(slow, valid, features[0] @ slow.weight[LABEL], mask)

    checked(CAM, case, expected)


@given(case=cases(activations=("tanh", "square")), window=st.integers(1, 9))
@drawn
def test_occlusion(case, window):
    def expected(slow, x, valid):
        values = np.zeros(x.shape[:3])
        score = slow.score(x[None], valid, LABEL)[0]
        for m, first, n in product(range(x.shape[0]), range(0, x.shape[1], window), range(x.shape[2])):
            masked = x.copy()
            masked[m, first : first + window, n] = 0
            values[m, first : first + window, n] = score - slow.score(masked[None], valid, LABEL)[0]
        return values

    checked(Occlusion, case, expected, window=window)


@given(case=cases(activations=("square",), blocks=1).filter(lambda case: len(case.graph) * case.valid.shape[1] <= 6))
@drawn
def test_shapley_values(case):
    # Of a game of degree two an order and its reverse give the exact values, over whichever order.
    case = replace(case, strides=case.strides[:1])

    def expected(slow, x, valid):
        players = list(product(range(x.shape[0]), range(x.shape[2])))

        def worth(shown):
            masked = np.zeros_like(x)
            for (m, n), is_shown in zip(players, shown, strict=True):
                masked[m, :, n] = x[m, :, n] * is_shown
            return float(slow.score(masked[None], valid, LABEL)[0])

        values = np.zeros(x.shape[:3])
        for (m, n), share in zip(players, reference.exact_shapley(worth, len(players)), strict=True):
            values[m, :, n] = share / max(valid[m].sum(), 1)
        return values

    checked(ShapleyValueSampling, case, expected, antithetic=True, orders=2)
