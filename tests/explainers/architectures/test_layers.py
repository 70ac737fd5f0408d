"""Every architecture explained at its layers: layout, stride and offset are measured, and nobody is asked for them."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import stexplain as stx
from tests.explainers.architectures.by_hand import expected_fall, expected_gradients, grad_cam, relative_error
from tests.explainers.architectures.case import Case, Layer
from tests.explainers.architectures.zoo import MAKERS, built

every_architecture = pytest.mark.parametrize("name", MAKERS)


def row_of(table: pd.DataFrame, layer: Layer) -> pd.Series:
    """The row of a layer; of a module that returns several tensors, the first is meant where none is named."""
    rows = table[table["layer"].isin([layer.name, f"{layer.name}[0]"])]
    assert len(rows) == 1, f"{layer.name} has {len(rows)} rows"
    return rows.iloc[0]


@every_architecture
def test_layout_stride_and_offset_are_those_of_the_architecture(name):
    case = built(name)
    kept, state, random = case.x.clone(), copy.deepcopy(case.model.state_dict()), torch.get_rng_state()
    table = stx.layers(case.model, case.x, inputs=case.inputs, **case.options, **case.arguments)
    assert torch.equal(case.x, kept)
    assert torch.equal(torch.get_rng_state(), random)
    assert_unchanged(case, state)
    for layer in case.layers:
        row = row_of(table, layer)
        if not layer.known:
            # Said to be unknown, and why: never a likely place.
            assert row["why"], layer
            assert row["layout"] is None or row["time"] == "unknown", layer
            continue
        assert row["layout"] == layer.layout, (layer, row["why"])
        assert row["nodes"] == ("n" in layer.layout), layer
        assert row["frames"] == (layer.time != "none"), layer
        if layer.time == "none":
            continue
        # Behind a mean over time what is seen beside it may be told, too.
        assert row["time"] == layer.kind or layer.time == "global", layer
        assert (row["stride"], row["offset"]) == (layer.stride, layer.offset), layer


@every_architecture
def test_grad_cam_at_a_layer_that_is_merely_named(name):
    case = built(name)
    for layer in case.layers:
        given = {} if layer.known else said(layer)
        explain = stx.STGGradCAM(case.model, layer=layer.name, inputs=case.inputs, **case.options, **given)
        e = explain(case.x, target=case.target, **case.arguments)
        assert relative_error(e.values, grad_cam(case, layer)) < 1e-5, layer
        # What a layer cannot tell is said.
        if "n" not in layer.layout:
            assert any("no nodes" in note for note in e.notes), e.notes
        if layer.time == "none":
            assert any("no axis of time" in note for note in e.notes), e.notes


def said(layer: Layer) -> dict[str, Any]:
    """What is given where it cannot be measured."""
    if layer.time == "none":
        return {"layout": layer.layout}
    place = {"layout": layer.layout, "stride": layer.stride, "offset": layer.offset}
    return {**place, "calls": "frames"} if layer.by_frame else place


@every_architecture
def test_the_layer_that_is_taken_where_none_is_named(name):
    case = built(name)
    explain = stx.STGGradCAM(case.model, inputs=case.inputs, **case.options)
    if not case.defaults:
        with pytest.raises(stx.errors.InputError):
            explain(case.x, target=case.target, **case.arguments)
        return
    e = explain(case.x, target=case.target, **case.arguments)
    assert e.layer in case.defaults
    (layer,) = (one for one in case.layers if one.name == e.layer)
    assert relative_error(e.values, grad_cam(case, layer)) < 1e-5


# Two of them also take the time of day as a signal beside the ones they look up.
def indices_of(case: Case, name: str) -> int:
    return 1 if name in ("staeformer", "stid") else case.clock_channels


@every_architecture
def test_explain_with_nothing_but_the_layout_of_the_input(name):
    case = built(name)
    e = stx.explain(case.model, case.x, target=case.target, inputs=case.inputs, **case.options, **case.arguments)
    assert "expected fall" in e.notes[0], "which method was taken, and why, is not said"
    assert (e.values.max((1, 2, 3)) > 0).all()
    assert relative_error(e.channels, expected_fall(case, indices_of(case, name))) < 1e-4
    assert relative_error(e.values, e.channels.sum(-1)) < 1e-6


@every_architecture
def test_expected_gradients_of_every_architecture(name):
    case = built(name)
    options = {"inputs": case.inputs, **case.options}
    e = stx.ExpectedGradients(case.model, **options)(case.x, target=case.target, **case.arguments)
    assert relative_error(e.channels, expected_gradients(case, indices_of(case, name))) < 1e-5
    # The norm of its signed channels is the map, and the score's distance from the baselines their sum.
    assert relative_error(e.values, torch.as_tensor(e.channels).norm(dim=-1)) < 1e-6
    assert np.isfinite(e.extra["convergence_delta"]).all()


def assert_unchanged(case: Case, state: Mapping[str, torch.Tensor]) -> None:
    """The model is as it was: its parameters and buffers, its mode, and no hooks."""
    assert all(torch.equal(value, state[key]) for key, value in case.model.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in case.model.parameters())
    assert not case.model.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in case.model.modules())


def by_kind(case: Case) -> dict[str, int]:
    """How many layers of each kind of position in time."""
    kinds = [layer.kind for layer in case.layers]
    return {kind: kinds.count(kind) for kind in kinds}


def test_every_kind_of_position_in_time_occurs():
    kinds: set[str] = set()
    for name in MAKERS:
        kinds |= by_kind(built(name)).keys()
    assert kinds == {"one frame", "aligned", "causal", "global", "none"}
