"""Which axis of a forecast follows the nodes, where sizes do not tell: found by changing some of them."""

import pytest
import torch

from stexplain.explainers.outputs.forecast_layout import forecast_layout
from stexplain.explainers.outputs.sample_axis import SampleAxis

NODES = 12
X = torch.rand(2, 1, 6, NODES, 1, generator=torch.Generator().manual_seed(0))


def per_node(x, unused=()):
    """``[B, T', N]`` with as many steps as nodes: each entry a function of its own node; of some nodes nothing."""
    weight = torch.rand(6, NODES, generator=torch.Generator().manual_seed(1)) + 0.1
    y = torch.einsum("btn,th->bhn", x[:, 0, :, :, 0], weight)
    y[:, :, list(unused)] = 0
    return y


def counted(run):
    calls = []

    def counting(x):
        calls.append(x.clone())
        return run(x)

    return calls, counting


@pytest.mark.parametrize("unused", [(), (0,), (1, 2, 4, 5, 7, 8, 10, 11), (0, 1, 2)])
@pytest.mark.parametrize("swapped", [False, True])
def test_as_many_steps_as_nodes(swapped, unused):
    """Four nodes are tried, evenly, each in one pass; one that nothing depends on tells against no axis."""
    calls, run = counted(lambda x: per_node(x).mT if swapped else per_node(x))
    layout = forecast_layout(run, X, (2, NODES, NODES), SampleAxis(0))
    assert layout.pattern == ("b n t" if swapped else "b t n")
    changed = [(call != calls[0]).any(4).any(2).any(1).any(0).nonzero().flatten().tolist() for call in calls]
    assert changed == [[], [0], [3], [6], [9]]
    assert all(bool((call <= X.max()).all() and (call >= 0).all()) for call in calls)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_node_that_reaches_all_steps_and_some_nodes(swapped):
    """By its neighbours too: every step changes, and not every node."""
    near = torch.eye(NODES) + torch.eye(NODES).roll(1, 0)

    def run(x):
        y = per_node(x) @ near
        return y.mT if swapped else y

    assert forecast_layout(run, X, (2, NODES, NODES), SampleAxis(0)).pattern == ("b n t" if swapped else "b t n")


def test_what_depends_on_all_nodes_everywhere_is_not_told():
    assert (
        forecast_layout(lambda x: per_node(x) @ torch.ones(NODES, NODES), X, (2, NODES, NODES), SampleAxis(0)) is None
    )
    # Nor where a node's entry does not depend on it.
    shifted = forecast_layout(lambda x: per_node(x).roll(1, 2), X, (2, NODES, NODES), SampleAxis(0))
    assert shifted is None or shifted.pattern == "b n t"


@pytest.mark.parametrize(
    ("shape", "axis", "pattern"),
    [
        ((2, 3, NODES), SampleAxis(0), "b t n"),
        ((2, NODES, 3), SampleAxis(0), "b n t"),
        ((3, 2, NODES), SampleAxis(1), "t b n"),
        ((3, NODES), None, "t n"),
        ((NODES, 1), None, "n t"),
        ((2, NODES), SampleAxis(0), "b n"),
        ((2, 3, NODES, 1), SampleAxis(0), "b t n 1"),
        ((2, 1, NODES, 3), SampleAxis(0), "b 1 n t"),
        ((2, 1, NODES, 1), SampleAxis(0), "b t n 1"),
        ((2 * NODES, 3), SampleAxis(0, inner=NODES), "(b n) t"),
        ((2 * NODES, 3), SampleAxis(0, outer=NODES), "(n b) t"),
        ((2, 3, 4, NODES), SampleAxis(0), None),
        ((2, 3, 4), SampleAxis(0), None),
        ((2 * 3, NODES), SampleAxis(0, inner=3), None),
        ((2 * NODES, NODES), SampleAxis(0, inner=NODES), None),
        ((2 * NODES * 3,), SampleAxis(0, inner=3, outer=NODES), None),
    ],
)
def test_sizes_that_tell_cost_no_pass(shape, axis, pattern):
    calls, run = counted(lambda x: torch.zeros(shape))
    layout = forecast_layout(run, X, shape, axis)
    assert (None if layout is None else layout.pattern) == pattern
    assert not calls


def test_of_a_single_node_an_axis_of_one_is_the_nodes():
    one = X[:, :, :, :1]
    assert forecast_layout(lambda x: x, one, (2, 3, 1), SampleAxis(0)).pattern == "b t n"
    assert forecast_layout(lambda x: x, one, (2, 3), SampleAxis(0)) is None
