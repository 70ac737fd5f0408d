"""Any graph, any layout, any stride: what changes only the order of things changes only the order of a map.

More examples: `STEXPLAIN_EXAMPLES=200 python -m pytest tests/properties`.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stexplain.data.samples import Batch
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods import (
    ExpectedFall,
    GradCAMPlusPlus,
    GraphAblated,
    IntegratedGradients,
    OwenValueSampling,
    Random,
    ShapleyValueSampling,
)
from stexplain.graph import STGraph
from tests.explainers.every_explainer import EXPLAINERS
from tests.properties.drawn_networks import Case, cases, explain
from tests.properties.examples import drawn

# What is drawn follows from names, and instances have but numbers.
BY_NUMBER = (ExpectedFall, ShapleyValueSampling, OwenValueSampling)

# Of a network that bends more than 32 steps follow: it is said with every order and padding.
pytestmark = pytest.mark.filterwarnings(
    "ignore:(integrated gradients|gradient SHAP). No convergence. contributions do not add up in:UserWarning"
)


@dataclass(frozen=True)
class Moves:
    """Another order of samples, nodes and instances, and how many instances and frames of padding are added."""

    samples: list[int]
    nodes: list[int]
    instances: list[int]
    more_instances: int
    more_frames: int


@st.composite
def moved_cases(draw: st.DrawFn) -> tuple[Case, Moves]:
    case = draw(cases())
    samples, instances, _ = case.valid.shape
    orders = [draw(st.permutations(range(size))) for size in (samples, len(case.graph), instances)]
    more_instances = draw(st.integers(0, 1))
    if not all("m" in layout for layout in (case.inputs, case.outputs)):
        more_instances = 0
    return case, Moves(*orders, more_instances, draw(st.integers(0, 5)))


def explained(kind, case: Case, batch: Batch | None = None) -> Explanation:
    network = case.network()
    own: dict[type, dict[str, Any]] = {
        GraphAblated: {"adjacency": [f"blocks.{index}.adjacency" for index in range(len(network.blocks))]},
        # Its default of two pairs has no standard error.
        OwenValueSampling: {"orders": 16},
    }
    return explain(kind, network, case.batch() if batch is None else batch, **own.get(kind, {}))


def assert_same(values: np.ndarray, expected: np.ndarray, what: str, more: np.ndarray | float = 0.0) -> None:
    """Equal to float32's precision, by the largest value."""
    allowed = 1e-5 * np.abs(expected).max() + more
    assert (np.abs(values - expected) <= allowed).all(), f"{what}: differs by {np.abs(values - expected).max():.3g}"


def reordered(batch: Batch, order: list[int]) -> Batch:
    """The samples in another order, each with its name."""
    ids = tuple(batch.ids[index] for index in order)
    return replace(batch, x=batch.x[order], valid=batch.valid[order], label=batch.label[order], ids=ids)


@pytest.mark.parametrize("kind", EXPLAINERS, ids=lambda kind: kind.__name__)
@given(moved_cases())
@drawn
def test_order_and_padding_change_nothing(kind, moved):
    order_and_padding_change_nothing(kind, *moved)


def test_nor_do_they_without_convergence():
    valid = np.zeros((3, 2, 4), bool)
    valid[:, 0, 0] = valid[0, 1] = True
    graph = STGraph(["n0"], [], center="n0")
    case = Case(graph, "b (n c) t m", "n b c m t", (2, 3), 3, "relu", 320, valid)
    with pytest.warns(UserWarning, match="No convergence"):
        explained(IntegratedGradients, case)
    order_and_padding_change_nothing(IntegratedGradients, case, Moves([2, 0, 1], [0], [1, 0], 1, 5))


def order_and_padding_change_nothing(kind, case: Case, moves: Moves) -> None:
    if kind is GradCAMPlusPlus:
        # It refuses features below zero.
        case = replace(case, activation="relu")
    batch = case.batch()
    samples, instances, frames, nodes = batch.x.shape[:4]
    here = explained(kind, case)
    assert here.values.shape == batch.x.shape[:4]
    assert not here.values[~case.valid].any()

    moved = explained(kind, case, reordered(batch, moves.samples))
    assert_same(moved.values, here.values[moves.samples], "samples")

    shape = (samples, instances + moves.more_instances, frames + moves.more_frames, nodes, batch.x.shape[4])
    x = torch.zeros(shape, dtype=torch.float64)
    x[:, :instances, :frames] = batch.x
    valid = torch.zeros(x.shape[:3], dtype=torch.bool)
    valid[:, :instances, :frames] = batch.valid
    longer = explained(kind, case, replace(batch, x=x, valid=valid)).values
    assert_same(longer[:, :instances, :frames], here.values, f"padding to {shape}")

    if kind is Random:
        # Random numbers belong to places, not to nodes or instances.
        return
    order = moves.nodes
    moved = explained(kind, case.permuted(order), replace(batch, x=batch.x[:, :, :, order]))
    assert_same(moved.values, here.values[..., order], "nodes")

    order = moves.instances
    moved = explained(kind, case, replace(batch, x=batch.x[:, order], valid=batch.valid[:, order]))
    more = 0.0
    if kind in BY_NUMBER:
        if here.standard_error is None or moved.standard_error is None:
            # How far numbers may differ is not known then.
            assert any("alike by chance" in note for note in (*here.notes, *moved.notes))
            return
        # An error of eight pairs of draws is itself known to a third.
        more = 12 * np.hypot(here.standard_error[:, order], moved.standard_error)
    assert_same(moved.values, here.values[:, order], "instances", more)
