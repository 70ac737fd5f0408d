"""Graphs of the whole batch: every copy that the probe makes must have edges, not the first ones alone."""

import numpy as np
import torch
from torch import nn

import stexplain as stx
from stexplain.explainers.model.activations import capture_activations
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.probe.observe import observed_twice

SAMPLES, NODES, FRAMES, WIDTH = 3, 5, 8, 4
EDGES = torch.tensor([[0, 1, 2, 3, 0, 2], [1, 2, 3, 4, 2, 0]])
WHOLE = torch.cat([EDGES + NODES * sample for sample in range(SAMPLES)], 1)
GRAPH = stx.STGraph.from_edges(list("abcde"), [("abcde"[u], "abcde"[v]) for u, v in EDGES.T.tolist()], directed=True)


class Gathers(nn.Module):
    """Messages over one large graph of all samples, then features of each node and frame."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.features, self.head = nn.Linear(1, WIDTH), nn.Linear(WIDTH, 2)

    def forward(self, x, edge_index):  # (b n) t
        mixed = x + torch.zeros_like(x).index_add(0, edge_index[1], x[edge_index[0]])
        hidden = torch.tanh(self.features(mixed[..., None]))
        return self.head(hidden.view(-1, NODES, x.shape[1], WIDTH).mean((1, 2)))


def test_a_layer_behind_one_large_graph():
    model, x = Gathers(), torch.randn(SAMPLES * NODES, FRAMES, generator=torch.Generator().manual_seed(0))
    captured = {}
    handle = model.features.register_forward_hook(lambda _, __, output: captured.setdefault("features", output))
    score = model(x, WHOLE)[:, 1].sum()
    handle.remove()
    (gradient,) = torch.autograd.grad(score, captured["features"])
    by_sample = [
        each.detach().view(SAMPLES, NODES, FRAMES, WIDTH).transpose(1, 2) for each in (captured["features"], gradient)
    ]
    expected = (by_sample[1].mean((1, 2), keepdim=True) * by_sample[0]).sum(-1)
    table = stx.layers(model, x, inputs="(b n) t", graph=GRAPH, shared={"edge_index": WHOLE}).set_index("layer")
    assert tuple(table.loc["features", ["layout", "stride", "offset"]]) == ("(b n) t c", 1, 0)
    explain = stx.STGGradCAM(model, layer="features", inputs="(b n) t", graph=GRAPH)
    e = explain(x, target=stx.Class(1), shared={"edge_index": WHOLE})
    np.testing.assert_allclose(e.values[:, 0], expected, rtol=1e-4, atol=1e-7)


def test_every_copy_has_the_edges_of_its_sample():
    """Unchanged copies of one sample give one output, which is that of the sample in its own graph."""
    model, x = Gathers().double(), torch.randn(SAMPLES * NODES, FRAMES, generator=torch.Generator().manual_seed(0))
    caller = ModelCaller(model, inputs="(b n) t", graph=GRAPH)
    with caller._model_frozen():
        samples = caller._prepare(x, None, {"edge_index": WHOLE})
        seen = observed_twice(
            caller, samples, lambda running: capture_activations({"features": running.features}, gradient=False)
        )
    features = seen.reference.last("features").view(-1, NODES, FRAMES, WIDTH)
    mixed = x.double()[:NODES] + torch.zeros(NODES, FRAMES).double().index_add(0, EDGES[1], x.double()[EDGES[0]])
    expected = model.features(mixed[..., None]).detach()
    for copy in features:
        np.testing.assert_allclose(copy, expected, rtol=1e-9)
