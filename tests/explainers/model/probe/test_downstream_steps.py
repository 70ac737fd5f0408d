"""Each step of looking for nodes from layer to layer: what is open, what can be changed, the order, and the change."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.axes import CHANNELS, Layout
from stexplain.explainers.model.probe import downstream
from stexplain.explainers.model.probe.axes import TensorAxes, tensor_axes
from stexplain.explainers.model.probe.downstream import find_nodes, may_hide_nodes, with_nodes_of_first_call
from stexplain.explainers.model.probe.plan import Change, Plan, changed_signals, first_plan, node_changes, plan_of
from stexplain.explainers.model.probe.responses import Factor
from stexplain.explainers.model.probe.time import Timing
from tests.explainers.small_models import signals

NODES = 5


def axes(pattern, shape=(), *, nodes=False, timing="none", factors=(), **more):
    layout = None if pattern is None else Layout(pattern)
    return TensorAxes(layout, Timing(timing), nodes=nodes, shape=shape, factors=factors, **more)


@pytest.mark.parametrize(
    ("one", "nodes", "expected"),
    [
        (axes(None), 5, True),
        (axes(None), 1, False),
        (axes("b c", (2, 10)), 5, True),
        (axes("b c", (2, 10), nodes=True), 5, False),
        (axes(None, nodes=True), 5, False),
        (axes("b c", (2, 11)), 5, False),
        (axes("b c", (2, 10)), 1, False),
        (axes("b (c d)", (2, 10)), 5, True),
        (axes(f"b ({' '.join(CHANNELS)})", (2, 10)), 5, True),
        (axes("b c d", (2, 3, 5)), 5, True),
        # Axes that are known, or folded with one that is, hold no nodes.
        (axes("b t", (2, 10)), 5, False),
        (axes("b (t c)", (2, 10)), 5, False),
        (axes("b c t", (5, 3, 10)), 5, False),
        # An axis of size one has no letters.
        (axes("b 1 c", (2, 1, 4)), 5, False),
    ],
)
def test_what_may_hide_nodes(one, nodes, expected):
    assert may_hide_nodes(one, nodes) is expected


ANY = (Factor(0, 2, "b"),)


FOUND, OPEN = axes("b c n", (2, 3, 5), nodes=True, factors=ANY), axes(None, factors=ANY)


def chain(count, known=()):
    """Layers a, b, c, ... whose nodes are open but for some, and the names of those that ran once."""
    names = [*"abcdefghij"][:count]
    return {name: SimpleNamespace(axes=FOUND if name in known else OPEN) for name in names}, names


def rounds(monkeypatch, evidence, once, rule):
    """Which layers were changed, and which looked at, round by round; a rule tells those that are found."""
    made = []

    def look(_caller, _input, starts, changed, left):
        # All that are known are held, whichever are changed.
        assert set(changed) <= set(starts)
        made.append(("".join(changed), "".join(left)))
        for name in left:
            if rule(name, "".join(changed), len(made)):
                left[name].axes = FOUND

    monkeypatch.setattr(downstream, "_from_layers", look)
    find_nodes(None, SimpleNamespace(sizes={"n": NODES}), evidence, once)
    return made


def after(name):
    """The layer before it."""
    return chr(ord(name) - 1)


def test_all_known_layers_are_changed_together_as_long_as_more_is_found(monkeypatch):
    made = rounds(monkeypatch, *chain(5, "a"), lambda name, starts, _: after(name) in starts)
    assert made == [("a", "bcde"), ("ab", "cde"), ("abc", "de"), ("abcd", "e")]


def test_then_each_alone_the_nearest_first_and_three_at_most(monkeypatch):
    made = rounds(monkeypatch, *chain(6, "abcde"), lambda *_: False)
    assert made == [("abcde", "f"), ("e", "f"), ("d", "f"), ("c", "f")]


def test_one_that_is_found_alone_is_a_start_of_the_next_alone(monkeypatch):
    """A layer that was tried alone is not tried again; what was found there may tell the next."""
    made = rounds(monkeypatch, *chain(5, "abc"), lambda name, starts, _: len(starts) == 1 and after(name) == starts)
    assert made == [("abc", "de"), ("c", "de"), ("d", "e")]


def test_behind_one_that_a_farther_layer_told_the_nearest_is_tried_again_first(monkeypatch):
    told = {"c": "a", "d": "c", "e": "d"}
    made = rounds(monkeypatch, *chain(5, "ab"), lambda name, starts, _: told[name] == starts)
    assert made == [("ab", "cde"), ("b", "cde"), ("a", "cde"), ("c", "de"), ("d", "e")]


def test_a_layer_that_nothing_tells_is_left_for_those_behind_it(monkeypatch):
    made = rounds(monkeypatch, *chain(4, "ac"), lambda *_: False)
    # Each behind the one right before it, of which none reaches the other's; then d behind a, while c is held.
    assert made == [("ac", "bd"), ("ac", "bd"), ("a", "bd")]


def test_without_a_known_layer_before_the_last_open_one_nothing_runs(monkeypatch):
    assert rounds(monkeypatch, *chain(3, ""), lambda *_: True) == []
    assert rounds(monkeypatch, *chain(3, "bc"), lambda *_: True) == []
    # Behind all that is open it reaches nothing.
    assert rounds(monkeypatch, *chain(4, "ad"), lambda *_: True) == [("a", "bc")]


def test_what_cannot_be_changed_is_no_start_and_what_depends_on_nothing_is_not_looked_at(monkeypatch):
    further = {"k": replace(FOUND, layout=None), "l[1]": FOUND, "often": FOUND, "same": axes(None), "z": OPEN}
    evidence = chain(1, "a")[0] | {name: SimpleNamespace(axes=one) for name, one in further.items()}
    made = rounds(monkeypatch, evidence, ["a", "k", "l[1]", "z", "same"], lambda *_: False)
    assert made == [("a", "z"), ("a", "z")]


def places(layout, sizes):
    """A batch ``[B, M, T, N, C]`` of numbers, and the tensor that is laid out so."""
    batch = torch.randn(*sizes, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return batch, Layout(layout).from_batch(batch)


@pytest.mark.parametrize("layout", ["b m t n c", "(b m) c t n", "n (b m) t c", "b (m n c) t", "(b t) n (m c)"])
def test_a_change_is_of_one_node_of_one_copy_and_as_large_as_the_channel_varies(layout):
    changes = (Change(nothing=True), Change(instance=1, node=3), Change(instance=0, node=0), Change(instance=0, node=4))
    plan = Plan(changes, {"m": 2, "t": 3, "n": NODES, "c": 4}, 4)
    scale = torch.tensor([1.0, 10.0, 100.0, 1000.0], dtype=torch.float64)
    batch, _ = places(layout, (4, 2, 3, NODES, 4))
    batch = batch * scale
    tensor = Layout(layout).from_batch(batch)
    start = replace(axes(layout, nodes=True), sizes={"t": 3, "c": 4, "m": 2, "n": NODES})
    hook = downstream._changed_output(tensor, start, plan, changes)
    # Whatever the layer gave: the unchanged values, but for one node.
    changed = Layout(layout).to_batch(hook(None, None, torch.full_like(tensor, 7.0)), b=4, m=2, t=3, n=NODES, c=4)
    difference = changed - batch
    expected = torch.zeros(4, 2, NODES, dtype=torch.bool)
    expected[1, 1, 3] = expected[2, 0, 0] = expected[3, 0, 4] = True
    assert torch.equal((difference != 0).all(-1).all(2), expected)
    assert torch.equal((difference != 0).any(-1).any(2), expected)
    relative = difference[expected[:, :, None].expand(4, 2, 3, NODES)] / (batch.std((0, 1, 2, 3)) + 1e-3 * batch.max())
    assert relative.square().mean(0)[:3].sqrt().min() > 0.5
    assert relative.square().mean().sqrt() < 2
    # Each call gives a tensor of its own, which the model may write into.
    assert hook(None, None, tensor) is not hook(None, None, tensor)


def test_a_channel_that_is_the_same_everywhere_is_changed_a_little():
    changes = (Change(nothing=True), Change(instance=0, node=2))
    plan = Plan(changes, {"m": 1, "t": 3, "n": NODES, "c": 1}, 2)
    tensor = torch.full((2, 1, 3, NODES), 50.0, dtype=torch.float64)
    start = replace(axes("b c t n", nodes=True), sizes={"t": 3, "c": 1, "n": NODES})
    changed = downstream._changed_output(tensor, start, plan, changes)(None, None, tensor)
    difference = (changed - tensor).abs()
    assert (difference[1, :, :, 2] > 0).all()
    assert difference.max() < 0.05 * 4
    assert difference[0].max() == 0


def named(letters, sizes=None):
    """Factors, one per dimension, such as ``"b", "", "t"``; with responses where they are not of the samples."""
    sizes = sizes or [4] * len(letters)
    return tuple(
        Factor(place, size, letter, *([None] * 2 if letter == "b" else [np.ones((2, size))] * 2))
        for place, (letter, size) in enumerate(zip(letters, sizes, strict=True))
    )


def known_time(now, before):
    return downstream._with_known_time(now, before)


def test_what_a_longer_clip_told_of_time_is_kept():
    now = axes(None, (4,) * 4, nodes=True, timing="unknown", factors=named(["b", "", "", "n"]))
    aligned = replace(axes("b c t n", factors=named(["b", "", "t", ""])), timing=Timing("aligned", 2, 0.0))
    found = known_time(now, aligned)
    assert (found.layout.pattern, found.timing, found.frames, found.sizes) == (
        "b c t n", aligned.timing, True, {"c": 4, "t": 4, "n": 4},
    )  # fmt: skip
    assert [one.letter for one in found.factors] == ["b", "", "t", "n"]


def test_a_layer_without_time_has_channels_where_a_short_clip_seemed_to_have_frames():
    now = axes(None, (4,) * 4, nodes=True, timing="unknown", factors=named(["b", "t", "", "n"]), frames=True)
    found = known_time(now, axes("b c d", factors=named(["b", "", "", ""])))
    assert (found.layout.pattern, found.timing.kind, found.frames) == ("b c d n", "none", False)
    assert [one.letter for one in found.factors] == ["b", "", "", "n"]


@pytest.mark.parametrize(
    ("change", "before"),
    [
        # It is known already, or not at all; or where the instances are open too.
        ({"timing": Timing("aligned", 1, 0.0)}, axes("b c t n", timing="none")),
        ({"open_axes": "why"}, axes("b c t n", timing="none")),
        ({}, axes("b c t n", timing="unknown", factors=named(["b", "", "t", "n"]))),
        # No axis, or another one, was that of the frames before.
        ({}, axes("b c d n", timing="aligned", factors=named(["b", "", "", "n"]))),
        ({}, axes("b c t n", timing="aligned", factors=named(["b", "", "t", "n"], [4, 4, 8, 4]))),
        ({}, axes("b t c n", timing="aligned", factors=named(["b", "", "", "t"]))),
    ],
)
def test_what_tells_nothing_of_time_changes_nothing(change, before):
    now = axes(None, (4,) * 4, nodes=True, timing="unknown", factors=named(["b", "", "", "n"]))
    now = replace(now, **change)
    assert known_time(now, before) is now


def test_two_axes_that_may_be_the_frames_are_left_open():
    two = (Factor(0, 2, "b"), Factor(1, 4, "", np.ones((2, 4))), Factor(1, 4, "", np.ones((2, 4))))
    now = axes(None, (2, 16), nodes=True, timing="unknown", factors=two)
    before = axes("b (c t)", timing="aligned", factors=(Factor(0, 2, "b"), Factor(1, 4, ""), Factor(1, 4, "t")))
    assert known_time(now, before) is now


def calls_of(plan, mixes):
    """What a cell gives at its calls, ``[P, N, C, calls]``; each call mixes the nodes once more."""
    torch.manual_seed(0)
    before, after = (each[:, 0] for each in changed_signals(signals(1, 1, 6, NODES, 2).double(), plan))
    outputs = []
    for x in (before, after):
        state, calls = torch.zeros(len(x), NODES, 2).double(), []
        for number, frame in enumerate(x.unbind(1)):
            state = torch.einsum("uv,puc->pvc", torch.matrix_power(mixes, number), frame) + state
            calls.append(torch.tanh(state))
        outputs.append(torch.stack(calls, -1))
    return outputs


def test_nodes_of_the_first_call_are_those_of_all_calls():
    """Here later calls turn the nodes round, so that none follows them any more."""
    plan = first_plan({"m": 1, "t": 6, "n": NODES, "c": 2})
    turned = torch.full((NODES, NODES), 1.0).double()
    reference, changed = calls_of(plan, turned)
    every = tensor_axes(reference, changed, plan)
    assert not every.nodes
    found = with_nodes_of_first_call(every, reference[..., 0], changed[..., 0], plan)
    assert found.nodes
    assert [one.letter for one in found.factors][:2] == ["b", "n"]
    # What was seen of frames is as it was: only the nodes' copies are exchanged.
    others = [copy for copy in range(len(plan.changes)) if copy not in plan.node_tests]
    of_first = tensor_axes(reference[..., 0], changed[..., 0], plan).unnamed[1:3]
    for one, before, first in zip(found.unnamed[1:3], every.unnamed[1:3], of_first, strict=True):
        np.testing.assert_array_equal(one.response[others], before.response[others])
        np.testing.assert_array_equal(one.strength[others], before.strength[others])
        np.testing.assert_array_equal(one.response[plan.node_tests], first.response[plan.node_tests])
        np.testing.assert_array_equal(one.strength[plan.node_tests], first.strength[plan.node_tests])
    assert found.unnamed[3] is every.unnamed[3]


def test_first_calls_that_tell_nothing_change_nothing():
    plan = first_plan({"m": 1, "t": 6, "n": NODES, "c": 2})
    reference, changed = calls_of(plan, torch.full((NODES, NODES), 1.0).double())
    every = tensor_axes(reference, changed, plan)
    same = reference[..., 0]
    for first in ((same, same), (same[:, :4], changed[..., 0][:, :4]), (reference, changed)):
        assert with_nodes_of_first_call(every, *first, plan) is every
    last = (reference[..., -1], changed[..., -1])
    assert with_nodes_of_first_call(every, *last, plan) is every


def test_the_unchanged_output_of_a_layer_is_kept_once_and_changed_after_it():
    """The first pass keeps; each further one changes; one that fails begins again."""
    model = nn.Sequential(nn.Identity(), nn.Identity())
    changes = node_changes({"m": 1, "t": 3, "n": NODES, "c": 2})
    plan = plan_of(changes, {"m": 1, "t": 3, "n": NODES, "c": 2})
    start = replace(axes("b t n c", nodes=True), sizes={"t": 3, "n": NODES, "c": 2})
    collect = downstream._changing({"0": start}, ["0"], plan, ["1"])
    x = torch.rand(plan.samples, 3, NODES, 2, dtype=torch.float64)
    with collect(model) as outputs:
        model(x)
    assert torch.equal(outputs.last("1"), x)
    for _ in range(2):
        with collect(model) as outputs:
            model(x)
        moved = (outputs.last("1") != x).any(-1).any(1)
        assert [set(row.nonzero().flatten().tolist()) for row in moved] == [
            set() if each.node is None else {each.node} for each in plan.changes
        ]
    with pytest.raises(ZeroDivisionError), collect(model):
        1 / 0  # noqa: B018
    with collect(model) as outputs:
        model(x + 1)
    assert torch.equal(outputs.last("1"), x + 1)
    assert not any(module._forward_hooks for module in model.modules())


def test_a_layer_that_is_not_changed_is_held():
    model = nn.Sequential(nn.Identity(), nn.Identity(), nn.Identity())
    sizes = {"m": 1, "t": 3, "n": NODES, "c": 2}
    plan = plan_of(node_changes(sizes), sizes)
    start = replace(axes("b t n c", nodes=True), sizes={"t": 3, "n": NODES, "c": 2})
    collect = downstream._changing({"0": start, "1": start}, ["0"], plan, ["0", "1", "2"])
    x = torch.rand(plan.samples, 3, NODES, 2, dtype=torch.float64)
    with collect(model):
        model(x)
    with collect(model) as outputs:
        model(x + 1)
    # What the first gives moves; it does not come through the second.
    assert not torch.equal(outputs.last("0"), x)
    assert torch.equal(outputs.last("1"), x)
    assert torch.equal(outputs.last("2"), x)


def test_one_after_another_each_copy_is_the_first_sample_of_its_pass():
    model = nn.Sequential(nn.Identity(), nn.Identity())
    sizes = {"m": 1, "t": 3, "n": NODES, "c": 2}
    plan = plan_of(node_changes(sizes), sizes).one_after_another(3)
    start = replace(axes("b t n c", nodes=True), sizes={"t": 3, "n": NODES, "c": 2})
    collect = downstream._changing({"0": start}, ["0"], plan, ["1"])
    x = torch.rand(3, 3, NODES, 2, dtype=torch.float64)
    with collect(model):
        model(x)
    for change in plan.changes:
        with collect(model) as outputs:
            model(x)
        moved = (outputs.last("1") != x).any(-1).any(1)
        expected = torch.zeros(3, NODES, dtype=torch.bool)
        if change.node is not None:
            expected[0, change.node] = True
        assert torch.equal(moved, expected)
