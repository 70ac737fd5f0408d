"""The axes of tensors whose order is known, folded in any way, and of tensors whose axes must not be guessed."""

import numpy as np
import pytest
import torch
from einops import rearrange
from torch import nn

from stexplain.explainers.model.probe.axes import layout_of, tensor_axes
from stexplain.explainers.model.probe.plan import changed_signals, first_plan
from stexplain.explainers.model.probe.responses import Factor
from tests.explainers.small_models import signals

# In the order b m t n c; each a way to lay a tensor out.
PATTERNS = [
    "b m t n c",
    "(b m) c t n",
    "(m b) c t n",
    "n (b m) t c",
    "b c t n m",
    "(b n m) t c",
    "(b t) n m c",
    "(n b m) c t",
    "b (m n c) t",
    "b (c n m) t",
    "b m n (c t)",
    "b m n (t c)",
    "(b m n t) c",
    "(c b) (m t n)",
]


def plan_and_copies(m=2, t=12, n=5, c=4):
    plan = first_plan({"m": m, "t": t, "n": n, "c": c})
    return plan, changed_signals(signals(1, m, t, n, c).double(), plan)


@pytest.mark.parametrize("sizes", [{}, {"n": 12, "c": 12}, {"m": 3, "t": 40, "n": 7}, {"t": 6, "n": 6, "c": 6}])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_any_order_and_any_fold(pattern, sizes):
    plan, copies = plan_and_copies(**sizes)
    laid_out = [rearrange(each, f"b m t n c -> {pattern}") for each in copies]
    axes = tensor_axes(*laid_out, plan)
    assert axes.layout is not None, axes.why
    assert axes.layout.pattern == pattern
    assert (axes.timing.kind, axes.timing.stride, axes.timing.offset) == ("one frame", 1, 0)
    assert axes.nodes
    assert axes.frames


@pytest.mark.parametrize("pattern", ["b t n c", "b c n t", "(b n) c t", "(n b) t c", "b (n c) t", "b t (c n)"])
def test_one_instance_has_no_axis(pattern):
    plan, copies = plan_and_copies(m=1)
    axes = tensor_axes(*[rearrange(each, f"b 1 t n c -> {pattern}") for each in copies], plan)
    assert axes.layout.pattern == pattern


def test_axes_of_size_one_and_several_of_channels():
    plan, (before, after) = plan_and_copies(m=1, c=6)
    split = [rearrange(each, "b m t n (h c) -> b h n m t c", h=2) for each in (before, after)]
    assert tensor_axes(*split, plan).layout.pattern == "b c n 1 t d"


@pytest.mark.parametrize("over", ["m", "t", "n", "mt", "mn", "tn", "mtn"])
def test_what_is_pooled_has_no_axis(over):
    plan, copies = plan_and_copies()
    pooled = [each.mean(["bmtn".index(letter) for letter in over]) for each in copies]
    axes = tensor_axes(*pooled, plan)
    assert axes.layout.pattern == " ".join(letter for letter in "bmtnc" if letter not in over)
    assert axes.nodes == ("n" not in over)
    assert axes.frames == ("t" not in over)


@pytest.mark.parametrize("samples_first", [True, False])
def test_channels_behind_a_relu_are_not_nodes(samples_first):
    """As many channels as nodes, some of them dead in some copies, in many draws."""
    for seed in range(200):
        torch.manual_seed(seed)
        plan, copies = plan_and_copies(m=1, n=4 + seed % 4, c=2)
        hidden = nn.Sequential(nn.Linear(2, 4 + seed % 4), nn.ReLU(), nn.Linear(4 + seed % 4, 4 + seed % 4)).double()
        pooled = [torch.relu(hidden(each).mean((1, 2, 3)) - 0.05) for each in copies]
        axes = tensor_axes(*(pooled if samples_first else [each.T for each in pooled]), plan)
        assert not axes.nodes
        flat = nn.Linear(copies[0][0].numel(), 4 + seed % 4).double()
        axes = tensor_axes(*[flat(each.flatten(1)) for each in copies], plan)
        assert not axes.nodes


def test_nodes_in_another_order_are_not_taken_for_the_nodes():
    for seed in range(20):
        plan, copies = plan_and_copies(m=1, n=7)
        order = torch.randperm(7, generator=torch.Generator().manual_seed(seed))
        axes = tensor_axes(*[each[:, 0, :, order] for each in copies], plan)
        tested = {plan.changes[copy].node for copy in plan.node_tests}
        if any(int(order[node]) != node for node in tested):
            assert not axes.nodes
            assert axes.layout is None
            assert "nodes" in axes.why


def test_what_does_not_depend_on_the_input_or_mixes_samples_is_said():
    plan, (before, after) = plan_and_copies()
    assert "does not depend on the input" in tensor_axes(before, before, plan).why
    mixed = [each - each.mean(0) for each in (before, after)]
    axes = tensor_axes(*mixed, plan)
    assert axes.layout is None
    assert "samples influence each other" in axes.why


def test_the_shape_is_that_of_a_pass():
    """Of all copies at once; or of a batch of three, of which each copy in turn is the first sample."""
    plan, copies = plan_and_copies()
    assert tensor_axes(*copies, plan).shape == (len(plan.changes), 2, 12, 5, 4)
    assert tensor_axes(copies[0], copies[0], plan).shape == (len(plan.changes), 2, 12, 5, 4)
    others = signals(2, 2, 12, 5, 4).double().expand(len(plan.changes), 2, 2, 12, 5, 4)
    passes = [torch.cat([each[:, None], others], 1) for each in copies]
    axes = tensor_axes(*passes, plan.one_after_another(3))
    assert (axes.shape, axes.layout.pattern) == ((3, 2, 12, 5, 4), "b m t n c")


def test_two_axes_that_follow_the_nodes_are_not_guessed():
    plan, copies = plan_and_copies(m=1)
    pairs = [torch.einsum("bmtuc,bmtvc->btuv", each, each) for each in copies]
    axes = tensor_axes(*pairs, plan)
    assert axes.layout is None
    assert axes.why


def test_time_that_looks_folded_with_channels_beside_channels_is_unknown():
    """Positions at rest split an axis of time in two, of which one seems to be of channels."""
    responses = np.eye(6)[[0, 0, 1, 1, 2, 2]]
    factors = [
        Factor(0, 7, "b"),
        Factor(1, 4, "", responses[:, :4], responses[:, :4]),
        Factor(2, 3, "t", responses[:, :3], responses[:, :3]),
        Factor(2, 2, "", responses[:, :2], responses[:, :2]),
        Factor(3, 5, "n", responses[:, :5], responses[:, :5]),
    ]
    assert layout_of(factors)[0] is None
    # Where it is the only axis of channels it may well be folded with time.
    layout, sizes, _ = layout_of([factors[0], *factors[2:]])
    assert (layout.pattern, sizes) == ("b (t c) n", {"t": 3, "c": 2, "n": 5})


@pytest.mark.parametrize("fold", ["(n m)", "(m n)"])
def test_nodes_that_are_mixed_evenly_are_not_taken_for_channels_beside_instances(fold):
    plan, copies = plan_and_copies(n=4, c=3)
    mixed = [torch.tanh(each.sum(3, keepdim=True) * torch.arange(1, 5).view(4, 1)) for each in copies]
    axes = tensor_axes(*[rearrange(each, f"b m t n c -> t {fold} c b") for each in mixed], plan)
    assert axes.layout is None
    assert axes.why == "an axis of size 4 may be that of the nodes, but does not follow them in their order"
