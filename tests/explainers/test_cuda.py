"""On a GPU: the same maps as on the CPU, and what only a GPU refuses. Skipped where there is none."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx
from tests.explainers.every_explainer import EXPLAINERS
from tests.explainers.our_models import batch, small_model

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def assert_close(values, expected, tolerance):
    assert np.abs(values - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("kind", EXPLAINERS, ids=lambda kind: kind.__name__)
def test_maps_are_those_of_the_cpu(kind):
    model, samples = small_model(), batch()
    on_cpu = kind(model)(samples, target=stx.Class(1))
    on_gpu = kind(copy.deepcopy(model).cuda())(samples, target=stx.Class(1))
    assert_close(on_gpu.values, on_cpu.values, 1e-5)


class Recurrent(nn.Module):
    """A recurrent network over every node; cuDNN refuses its backward pass in eval mode."""

    def __init__(self, kind):
        super().__init__()
        torch.manual_seed(0)
        self.rnn, self.head = kind(2, 8, batch_first=True, bidirectional=True), nn.Linear(16, 3)

    def forward(self, x):  # b t n c
        samples, frames, nodes, channels = x.shape
        hidden, _ = self.rnn(x.transpose(1, 2).reshape(samples * nodes, frames, channels))
        return self.head(hidden.view(samples, nodes, frames, 16).mean((1, 2)))


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.RNN])
@pytest.mark.parametrize("method", ["STGGradCAM", "InputGradient", "IntegratedGradients", "Occlusion", "LearnedMask"])
def test_recurrent_layers_in_eval_mode(kind, method):
    model, x = Recurrent(kind).eval(), torch.randn(3, 9, 5, 2, generator=torch.Generator().manual_seed(0))
    options = {"layer": "rnn"} if method == "STGGradCAM" else {}
    on_cpu, on_gpu = (
        getattr(stx, method)(each, inputs="b t n c", **options)(x, target=stx.Class(1))
        for each in (model, copy.deepcopy(model).cuda())
    )
    assert_close(on_gpu.values, on_cpu.values, 1e-3)
    assert torch.backends.cudnn.enabled


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, (5, 1), padding=(2, 0)), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
    ).to(dtype)
    x = torch.randn(2, 3, 20, 6)
    expected = stx.STGGradCAM(copy.deepcopy(model).float(), inputs="b c t n")(x, target=stx.Class(1)).values
    e = stx.STGGradCAM(model.cuda(), inputs="b c t n")(x.cuda(), target=stx.Class(1))
    assert_close(e.values, expected, 1e-3)
    assert any("float32" in note for note in e.notes)


def test_layers_are_measured_alike():
    model, x = Recurrent(nn.GRU).eval(), torch.randn(3, 9, 5, 2)
    columns = ["layer", "layout", "stride", "offset", "time", "calls"]
    on_cpu, on_gpu = (stx.layers(each, x, inputs="b t n c")[columns] for each in (model, copy.deepcopy(model).cuda()))
    assert on_cpu.to_dict() == on_gpu.to_dict()


def test_edges_are_those_of_the_cpu():
    torch.manual_seed(0)

    class Mixes(nn.Module):
        def __init__(self):
            super().__init__()
            self.adjacency = nn.Parameter(torch.rand(5, 5))

        def forward(self, x):  # b t n c
            return torch.einsum("btvc,vw->btwc", x, self.adjacency.softmax(0)).sum((1, 3))

    model, x = Mixes(), torch.randn(2, 6, 5, 2)
    on_cpu, on_gpu = (
        stx.EdgeImportance(each, inputs="b t n c")(x, target=lambda y: y[:, 3]).to_frame()
        for each in (model, copy.deepcopy(model).cuda())
    )
    np.testing.assert_allclose(on_gpu["importance"], on_cpu["importance"], rtol=1e-4, atol=1e-6)
