"""Explanations of the forecaster: its convolutions over time are not padded, and observations may be missing."""

import numpy as np
import pytest
import torch

from stexplain.data.scaler import Scaler
from stexplain.data.series import WindowedSeries
from stexplain.errors import InputError
from stexplain.explainers import InputGradient, STGGradCAM
from stexplain.explainers.targets import Forecast
from stexplain.graph import STGraph
from stexplain.nn.traffic import STGCNForecaster
from tests.reference.maps import slow_grad_cam

NODES = 5


def forecaster():
    torch.manual_seed(0)
    graph = STGraph.from_edges([f"s{index}" for index in range(NODES)], [(f"s{i}", f"s{i + 1}") for i in range(4)])
    blocks = [[6, 4, 6], [6, 4, 6]]
    return STGCNForecaster(graph, horizon=3, blocks=blocks, scaler=Scaler([50.0], [10.0])).double().eval()


def windows(samples=3):
    values = 50 + 10 * np.random.default_rng(0).normal(size=(40, NODES))
    values[np.random.default_rng(1).random(values.shape) < 0.15] = np.nan
    return WindowedSeries(values, horizon=3, graph=forecaster().graph).batch(range(0, 4 * samples, 4))


@pytest.mark.parametrize(
    ("layer", "offset", "positions"), [("blocks.1", 4, 4), ("blocks.0", 2, 8), ("blocks.0.before", 1, 10)]
)
def test_grad_cam_lies_where_the_positions_are(layer, offset, positions):
    model, batch = forecaster(), windows()
    with STGGradCAM(model, layer=layer) as explain:
        e = explain(batch, target=Forecast("s2", 3))
    assert e.values.shape == (3, 1, 12, NODES)
    assert e.layer_values.shape == (3, 1, positions, NODES)
    kept = []
    model.get_submodule(layer).register_forward_hook(lambda module, args, output: kept.append(output))
    answer = model(batch.x.double(), observed=batch.observed)
    np.testing.assert_allclose(e.score, answer[:, 2, 2].detach(), rtol=1e-6)
    (gradient,) = torch.autograd.grad(answer[:, 2, 2].sum(), kept[0])
    observed = batch.observed[:, 0].numpy()
    for row in range(3):
        features, gradients = (each[:, row].transpose(0, 1).detach() for each in (kept[0], gradient))
        slow = slow_grad_cam(features, gradients, torch.ones(positions))
        np.testing.assert_allclose(e.layer_values[row, 0], slow, rtol=1e-4, atol=1e-6)
        for frame in range(12):
            expected = slow[min(max(frame - offset, 0), positions - 1)] * observed[row, frame]
            np.testing.assert_allclose(e.values[row, 0, frame], expected, rtol=1e-4, atol=1e-6)


def test_a_missing_observation_explains_nothing():
    batch = windows()
    for kind in (STGGradCAM, InputGradient):
        with kind(forecaster()) as explain:
            e = explain(batch, target=Forecast(["s1", "s3"], [1, 2]))
        assert not e.values[~batch.observed.numpy()].any()
        assert e.values[batch.observed.numpy()].any()


def test_the_offset_of_a_foreign_network_without_padding_is_measured():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, (3, 1)), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    x = torch.randn(2, 1, 12, NODES)
    options = {"layer": "0", "layout": "b c t n", "inputs": "b c t n"}

    def first(output):
        return output[:, 0]

    with STGGradCAM(model, **options) as explain:
        e = explain(x, target=first)
    with STGGradCAM(model, offset=1, **options) as explain:
        np.testing.assert_array_equal(explain(x, target=first).values, e.values)
    assert e.layer_values.shape[2] == 10
    np.testing.assert_allclose(e.values[:, :, 1:11], e.layer_values, rtol=1e-6)
    for offset in (-1, 0, 3):
        with (
            STGGradCAM(model, offset=offset, **options) as explain,
            pytest.raises(InputError, match=f"offset: got {offset}.*measured 1"),
        ):
            explain(x, target=first)
