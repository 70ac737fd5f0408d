"""What a table says of every layer of every kind of network, against the tensors that layers return; and its cost."""

from math import prod

import pytest
import torch
from torch import nn

from stexplain.explainers.methods.layer.layers import _CountingCaller
from stexplain.explainers.model.probe.layers import LayerProbe
from stexplain.explainers.model.probe.outputs import module_outputs
from tests.explainers.model.probe import kinds
from tests.explainers.model.probe import test_downstream as downstream
from tests.explainers.small_models import signals

CTN, TNC = "b c t n", "b t n c"


def _remembers() -> nn.Module:
    """Recurrent, with open forget gates: what fades is lost in rounding, sooner or later by processor."""
    network = kinds.PerNode(layers=2)
    with torch.no_grad():
        for bias in (network.rnn.bias_ih_l0, network.rnn.bias_ih_l1):
            bias[5:10] = 4
    return network


# A network, the shape of its samples, its layout, and how many inferences of one sample measuring all layers takes.
NETWORKS = {
    "convolution": (lambda: kinds.Convolution(before=1, behind=1), (3, 3, 12, 5), CTN, 46),
    "convolution, one node": (lambda: kinds.Convolution(before=1, behind=1), (3, 3, 12, 1), CTN, 34),
    "convolution, one frame": (lambda: kinds.Convolution(kernel=1), (3, 3, 1, 5), CTN, 22),
    "convolution, of almost a part and a half": (
        lambda: kinds.Convolution(before=1, behind=1),
        (1, 3, 191, 5),
        CTN,
        46,
    ),
    "convolution, of a part and a half": (lambda: kinds.Convolution(before=1, behind=1), (1, 3, 192, 5), CTN, 44.67),
    "strided, of a long clip": (lambda: kinds.Convolution(stride=2, before=1, behind=1), (3, 3, 200, 5), CTN, 43.44),
    "strided, of one sample": (lambda: kinds.Convolution(stride=3, kernel=4), (1, 3, 200, 5), CTN, 148.4),
    "looks back": (kinds.Causal, (3, 3, 6, 5), CTN, 34),
    "looks back, of a long clip": (kinds.Causal, (2, 3, 200, 5), CTN, 43.44),
    "pads the past": (kinds.PadsToItsView, (3, 3, 6, 5), "b c n t", 26),
    "recurrent": (kinds.PerNode, (3, 12, 5, 3), TNC, 126),
    "recurrent, of a long clip": (_remembers, (2, 200, 5, 3), TNC, 99.76),
    "recurrent both ways": (lambda: kinds.PerNode(nn.GRU, bidirectional=True), (3, 12, 5, 3), TNC, 126),
    "recurrent, all nodes": (kinds.Joints, (3, 12, 5, 3), TNC, 46),
    "attention over time": (lambda: kinds.Attention("t"), (3, 12, 7, 3), TNC, 144),
    "attention over nodes": (lambda: kinds.Attention("n"), (3, 12, 7, 3), TNC, 190),
    "attention of a longer clip": (lambda: kinds.Attention("t"), (2, 40, 5, 3), TNC, 166),
    "normalised": (lambda: kinds.OverTime(kinds.Convolution(before=1, behind=1)), (3, 3, 12, 5), CTN, 120),
    "skeleton": (kinds.Skeleton, (2, 3, 30, 7, 2), "b c t n m", 152),
    "skeleton, of a long clip": (kinds.Skeleton, (2, 3, 300, 7, 2), "b c t n m", 33.63),
    "named": (kinds.Named, (3, 8, 5, 3), TNC, 34),
    "of one size": (kinds.ForOneSize, (3, 8, 5, 3), TNC, 88),
    "cells": (kinds.Cells, (3, 6, 5, 3), TNC, 74),
    "cells of a long clip": (kinds.Cells, (2, 200, 5, 3), TNC, 148.4),
    "cells backwards": (lambda: kinds.Cells(backward=True), (3, 6, 5, 3), TNC, 698),
    "deep": (downstream.Deep, (3, 2, 10, 6), CTN, 204),
    "deep, by two ways": (downstream.TwoWays, (3, 2, 10, 6), CTN, 182),
    "deep, with heads": (downstream.Split, (3, 2, 10, 6), CTN, 182),
    "deep, of one batch size": (downstream.FixedBatch, (3, 2, 10, 6), CTN, 402),
    "deep in time": (downstream.DeepInTime, (3, 2, 10, 6), CTN, 1776),
    "deep, a cell": (downstream.Cells, (4, 8, 6), "b t n", 132),
    "electrodes": (kinds.Electrodes, (3, 6, 200), "b n t", 43.44),
}


@pytest.mark.filterwarnings("ignore:Using padding=.same")
@pytest.mark.parametrize("name", NETWORKS)
def test_every_row_has_the_sizes_of_its_tensor(name):
    """The shape for the samples as given, the number of calls, and sizes whose products are the shape."""
    build, shape, inputs, cost = NETWORKS[name]
    torch.manual_seed(0)
    model, x = build().eval(), signals(*shape)
    caller = _CountingCaller(model, inputs=inputs)
    with torch.no_grad(), caller._model_frozen(), module_outputs(model, None) as outputs:
        model(x)
    with caller._model_frozen():
        model_input = caller._prepare(x, None)
        before = caller.values_run[0]
        rows = LayerProbe(caller, model_input).measure()
    assert [row.name for row in rows] == list(outputs.calls)
    known = model_input.sizes
    for row in rows:
        calls = outputs.calls[row.name]
        assert (row.shape, row.calls) == (tuple(calls[-1].shape), len(calls))
        assert (row.why == "") == row.known or row.calls > 1
        if row.calls == 1 or row.frames:
            assert "it ran" not in row.why
        if row.layout is None:
            continue
        assert "b" not in row.sizes
        assert set(row.sizes) == {letter for group in row.layout.groups for letter in group} - {"b"}
        assert all(row.sizes[letter] == known[letter] for letter in row.sizes if letter in "mn")
        sizes = {"b": shape[0], **row.sizes}
        assert tuple(prod(sizes[letter] for letter in group) for group in row.layout.groups) == row.shape
        assert row.nodes == ("n" in row.sizes)
        assert row.frames == (row.by_frame or "t" in row.sizes)
        assert row.by_frame <= (row.calls == known["t"])
        if row.timing.kind == "global":
            assert row.timing.sees == known["t"]
    # A longer clip counts for as many of the given length.
    assert (caller.values_run[0] - before) * shape[0] / x.numel() == pytest.approx(cost, abs=0.01)
