"""Which layer is explained where none is named: by what each keeps, and what goes through it or around."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from stexplain.axes import Layout
from stexplain.explainers.methods.layer.choice import Flow, NoLayerError, default_layer, flow_of, keeps_all
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.probe.rows import LayerAxes
from stexplain.explainers.model.probe.time import Timing

SIZES = {"b": 2, "m": 1, "t": 6, "n": 5, "c": 3}
LAYER = LayerAxes(
    "a", "Conv2d", (2, 4, 6, 5), 1, False, Layout("b c t n"), Timing("aligned", 1, 0.0, 1, 0), nodes=True, frames=True,
    sizes={"c": 4},
)  # fmt: skip


@pytest.mark.parametrize(
    ("nodes", "frames", "sizes", "keeps"),
    [
        (True, True, {}, True),
        (False, True, {}, False),
        (True, False, {}, False),
        (False, False, {}, False),
        # One node, or one frame, is kept by any layer.
        (False, True, {"n": 1}, True),
        (True, False, {"t": 1}, True),
        (False, False, {"n": 1, "t": 1}, True),
        (False, False, {"n": 1}, False),
        (False, True, {"t": 1}, False),
        (True, False, {"n": 1}, False),
    ],
)
def test_what_a_layer_keeps(nodes, frames, sizes, keeps):
    measured = replace(LAYER, nodes=nodes, frames=frames)
    assert keeps_all(measured, {**SIZES, **sizes}) is keeps
    assert not keeps_all(replace(measured, layout=None, why="mixed"), {**SIZES, **sizes})


THROUGH, AROUND, ASIDE = Flow(True, False), Flow(True, True), Flow(False, False)


@pytest.mark.parametrize(
    ("flows", "chosen", "asked"),
    [
        ({"a": THROUGH, "b": THROUGH, "c": THROUGH}, "c", ["c"]),
        ({"a": THROUGH, "b": THROUGH, "c": ASIDE}, "b", ["c", "b"]),
        ({"a": THROUGH, "b": AROUND, "c": ASIDE}, "a", ["c", "b", "a"]),
        # Where none is passed by all, the last one that the output depends on.
        ({"a": AROUND, "b": AROUND, "c": ASIDE}, "b", ["c", "b", "a"]),
        ({"a": AROUND, "b": ASIDE, "c": AROUND}, "c", ["c", "b", "a"]),
        ({"a": ASIDE, "b": ASIDE, "c": Flow(False, True)}, None, ["c", "b", "a"]),
    ],
)
def test_the_last_one_that_all_goes_through(flows, chosen, asked):
    rows = [replace(LAYER, name=name) for name in flows]
    seen = []

    def flow(name):
        seen.append(name)
        return flows[name]

    if chosen is None:
        with pytest.raises(NoLayerError, match="no layer of the model was found that keeps samples"):
            default_layer(rows, SIZES, flow)
    else:
        found, notes = default_layer(rows, SIZES, flow)
        assert found.name == chosen
        goes_around = flows[chosen] == AROUND
        assert bool(notes) is goes_around
        assert not notes or f"goes around layer {chosen!r}" in notes[0]
    assert seen == asked


def test_states_beside_an_output_and_pooled_layers_are_passed_over():
    rows = [LAYER, replace(LAYER, name="cell[1]"), replace(LAYER, name="pooled", nodes=False)]
    assert default_layer(rows, SIZES)[0].name == "a"
    with pytest.raises(NoLayerError):
        default_layer(rows[1:], SIZES)


class Net(nn.Module):
    """x ``[B, T, N, C]``: two layers, of which the second may be gone around, in the input or in the first."""

    def __init__(self, kind):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.unused, self.kind = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3), kind

    def forward(self, x):
        hidden = torch.tanh(self.first(x))
        self.unused(hidden)
        last = torch.tanh(self.second(hidden))
        pooled = last.mean((1, 2))
        return {
            "plain": pooled,
            "input": pooled + x.mean((1, 2)),
            "first": pooled + hidden.mean((1, 2)),
            "detached": pooled.detach(),
            "shares": pooled.softmax(1),
            "itself": self.second(hidden).flip(1),
            "several": {"one": pooled, "two": pooled + x.mean((1, 2)), "count": torch.ones(2, dtype=torch.long)},
        }[self.kind]


@pytest.mark.parametrize(
    ("kind", "layer", "expected"),
    [
        ("plain", "second", THROUGH),
        ("plain", "first", THROUGH),
        ("plain", "unused", Flow(False, True)),
        ("input", "second", AROUND),
        ("input", "first", AROUND),
        ("first", "second", AROUND),
        ("first", "first", THROUGH),
        ("shares", "second", THROUGH),
        ("detached", "second", ASIDE),
        # The output is that of the layer, in another order.
        ("itself", "second", ASIDE),
        ("itself", "first", THROUGH),
        # Which of several is meant nobody says: all count.
        ("several", "second", AROUND),
    ],
)
def test_what_goes_through_a_layer_and_around(kind, layer, expected):
    model = Net(kind)
    caller = ModelCaller(model, inputs="b t n c")
    x = torch.randn(2, 6, 5, 3, generator=torch.Generator().manual_seed(1))
    with caller._model_frozen():
        found = flow_of(caller, caller._prepare(x, None), layer)
    assert found == expected
    assert not any(module._forward_hooks for module in model.modules())


def test_the_output_that_is_named_counts_alone():
    x = torch.randn(2, 6, 5, 3, generator=torch.Generator().manual_seed(1))
    for output, expected in (("one", THROUGH), ("two", AROUND)):
        caller = ModelCaller(Net("several"), inputs="b t n c", output=output)
        with caller._model_frozen():
            assert flow_of(caller, caller._prepare(x, None), "second") == expected
