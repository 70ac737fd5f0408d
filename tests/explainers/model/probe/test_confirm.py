"""The check of what is known otherwise: it agrees with what is so, and with nothing beside it."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stexplain.axes import Layout
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.probe.confirm import agrees, check_plan
from stexplain.explainers.model.probe.layers import LayerProbe
from stexplain.explainers.model.probe.plan import changed_signals
from tests.explainers.model.probe import kinds
from tests.explainers.small_models import signals

BATCH = Layout("b m t n c")


def sums(x: Tensor, first: int, last: int) -> Tensor:
    """Position p of ``[B, M, T, N, C]`` sums up frames p + first to p + last, each with another weight."""
    frame = torch.arange(x.shape[2])
    ahead = frame - frame[:, None]
    return torch.einsum("bmtnc,pt->bmpnc", x, (ahead + 0.5) * ((ahead >= first) & (ahead <= last)).to(x))


def checked(layer, m=1, t=36, n=5, position=(1, 0.0), layout=BATCH):
    """What the check says of what a function gives, laid out as a batch."""
    plan = check_plan({"m": m, "t": t, "n": n, "c": 2})
    reference, changed = changed_signals(signals(1, m, t, n, 2).double(), plan)
    return agrees(layer(reference), layer(changed), plan, layout, {"c": 2}, position)


@pytest.mark.parametrize(
    ("first", "last", "offset", "expected"),
    [
        (0, 0, 0, True),
        (-5, 5, 0, True),
        # What looks back stands for its last frame, or for the middle of what it sees, and for none between them.
        (-10, 0, 0, True),
        (-10, 0, -5, True),
        (-10, 0, -2.5, False),
        (0, 10, 0, True),
        (0, 10, 5, True),
        (0, 10, 2.5, False),
        (-1, 1, 4, False),
        # More than the clip, either way, or one way: nothing contradicts.
        (0, 40, 3.25, True),
        (-40, 0, -3.25, True),
        (-40, 40, 0, True),
    ],
)
def test_positions_stand_for_the_middle_or_an_end_of_what_they_see(first, last, offset, expected):
    assert checked(lambda x: sums(x, first, last), position=(1, offset)) == expected


def test_nodes_in_another_order_contradict():
    assert checked(lambda x: x)
    assert not checked(lambda x: x.roll(1, dims=3))


def test_a_node_and_a_person_that_a_layer_does_not_use_contradict_nothing():
    """The check changes nodes 1 and 3 of 5 and persons 0 and 2 of 3."""
    used = torch.ones(3, 1, 5, 1).double()
    used[1], used[:, :, 0] = 0, 0
    assert checked(lambda x: x * used, m=3)


def test_a_layer_without_persons_or_nodes_responds_to_each_of_them():
    assert checked(lambda x: x.sum(1), m=3, layout=Layout("b t n c"))
    assert checked(lambda x: x.sum(3), m=3, layout=Layout("b m t c"))
    assert not checked(lambda x: x[:, :2].sum(1), m=3, layout=Layout("b t n c"))


def test_a_single_frame_has_no_two_sides():
    assert checked(lambda x: x, t=1)


def test_samples_that_influence_each_other_contradict():
    assert not checked(lambda x: x - x.mean(0))
    assert not checked(lambda x: x[:-1])


@pytest.mark.parametrize(("stride", "offset", "expected"), [(2, 0, True), (1, 0, False), (2, 6, False), (4, 0, False)])
def test_a_stride_that_is_known_otherwise_is_checked_on_the_clip(stride, offset, expected):
    caller = ModelCaller(kinds.Convolution(stride=2, before=1, behind=1).eval(), inputs="b c t n")
    with caller._model_frozen():
        probe = LayerProbe(caller, caller._prepare(signals(3, 3, 12, 5), None))
        (row,) = probe.measure(["conv"])
        other = replace(row, timing=replace(row.timing, stride=stride, offset=offset))
        assert ("conv" in probe.checked([other])) == expected


def test_shapes_that_differ_and_copies_one_by_one_are_not_compared():
    """Not even where one could be broadcast to the other."""
    plan = check_plan({"m": 1, "t": 36, "n": 5, "c": 1})
    reference, changed = changed_signals(signals(1, 1, 36, 5, 1).double(), plan)
    both = reference.repeat(1, 1, 1, 1, 2)
    assert agrees(both, changed.repeat(1, 1, 1, 1, 2), plan, BATCH, {"c": 2}, (1, 0.0))
    assert not agrees(both, changed, plan, BATCH, {"c": 2}, (1, 0.0))
    one_by_one = plan.one_after_another(plan.samples)
    assert not agrees(reference, changed, one_by_one, BATCH, {"c": 1}, (1, 0.0))


def test_the_check_changes_two_nodes_and_both_sides_of_two_frames():
    """At a third and at two thirds; one copy is unchanged."""
    for frames in range(2, 40):
        plan = check_plan({"m": 2, "t": frames, "n": 9, "c": 1})
        cuts = sorted({max(frames // 3, 1), max(2 * frames // 3, 1)})
        spans = [one.frames for one in plan.changes if one.frames]
        assert spans == [(0, cut - 1) for cut in cuts] + [(cut, frames - 1) for cut in cuts]
        nodes = [(one.instance, one.node) for one in plan.changes if one.node is not None]
        assert nodes == [(0, 2), (1, 6)]
        assert len(plan.controls) == 1


@pytest.mark.parametrize(("silent", "expected"), [(0, True), (1, True), (2, False), (18, False)])
def test_most_positions_respond_to_the_frame_that_they_stand_for(silent, expected):
    """A tenth may be silent, as behind a ReLU: one of the first twelve."""
    used = torch.ones(36, 1, 1).double()
    used[1 : 2 * silent : 2] = 0
    assert checked(lambda x: x * used) == expected


def test_a_channel_that_does_not_respond_contradicts_nothing():
    """Of two channels one is at rest, as behind a ReLU."""
    assert checked(lambda x: x * torch.tensor([1.0, 0.0]))
    assert not checked(lambda x: x * 0)
