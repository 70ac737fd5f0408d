"""Further copies: what they change, and what is found by values that change places."""

import pytest
import torch
from torch import Tensor

from stexplain.explainers.model.probe.axes import axes_of
from stexplain.explainers.model.probe.plan import changed_signals, ends_plan, first_plan, further_plan
from stexplain.explainers.model.probe.responses import factors_of, joined_factors
from tests.explainers.model.probe.test_confirm import sums
from tests.explainers.small_models import signals


def normalised(x: Tensor) -> Tensor:
    """By the mean and the spread over time, as RevIN does."""
    return (x - x.mean(2, keepdim=True)) / (x.std(2, keepdim=True) + 1e-5)


@pytest.mark.parametrize("frames", [12, 40])
@pytest.mark.parametrize(("first", "last", "expected"), [(-1, 1, ("aligned", 0, 3)), (0, 2, ("aligned", 1, 3))])
def test_values_that_change_places_tell_what_positions_see_behind_a_normalisation(frames, first, last, expected):
    """By way of mean and spread every frame changes every position; values that change places keep both."""
    sizes = {"m": 1, "t": frames, "n": 5, "c": 2}
    plans = (
        first_plan(sizes),
        further_plan(sizes, (), frames_again=False, all_see_all=True, nodes=False),
    )
    found = []
    for plan in plans:
        copies = changed_signals(signals(1, 1, frames, 5, 2).double(), plan)
        seen = [sums(normalised(each), first, last)[:, :, : frames - max(last, 0)] for each in copies]
        found.append(factors_of(*seen, plan)[0])
    axes = axes_of(joined_factors(*found), plans[0].joined(plans[1]))
    assert (axes.timing.kind, axes.timing.offset, axes.timing.sees) == expected


@pytest.mark.parametrize("frames", [5, 12, 40])
def test_at_least_two_frames_change_places_and_no_more_at_either_end(frames):
    """A single frame has no other place."""
    plan = further_plan({"m": 1, "t": frames, "n": 1, "c": 1}, (), frames_again=False, all_see_all=True, nodes=False)
    spans = [plan.changes[copy].frames for copy in plan.rolled_tests]
    lengths = [stop - start + 1 for start, stop in spans]
    assert min(lengths) == 2
    assert (0, 1) in spans
    assert {start for start, _ in spans} >= {0}
    assert all(start == 0 or stop == frames - 1 for start, stop in spans)


def test_the_ends_alone_are_the_first_frame_and_the_last():
    """Beside a copy in which nothing changes."""
    plan = ends_plan({"m": 1, "t": 6, "n": 2, "c": 1})
    before, after = changed_signals(signals(1, 1, 6, 2, 1), plan)
    changed = (before != after).flatten(3).any(3)[:, 0]
    assert [copy.nonzero().flatten().tolist() for copy in changed] == [[0], [], [5]]


def test_an_axis_as_long_as_the_clip_whose_positions_see_all_frames_alike_is_open():
    """Channels that are as many as frames look the same."""
    sizes = {"m": 1, "t": 12, "n": 5, "c": 2}
    plan = first_plan(sizes)
    copies = changed_signals(signals(1, 1, 12, 5, 2).double(), plan)
    for size, kind in ((12, "unknown"), (11, "none")):
        weight = 1 + torch.arange(size).double()
        seen = [each.mean((1, 2, 3, 4))[:, None] * weight for each in copies]
        axes = axes_of(factors_of(*seen, plan)[0], plan)
        assert axes.timing.kind == kind
        assert ("may be that of the frames" in axes.why) == (size == 12)


def cuts_of(frames):
    """The frames k of a long clip, such that all up to k are changed in one copy, and all from k + 1 on in another."""
    changes = first_plan({"m": 1, "t": frames, "n": 1, "c": 1}).changes
    spans = [change.frames for change in changes if change.frames]
    cuts = sorted(stop for start, stop in spans if start == 0)
    assert cuts == sorted(start - 1 for start, stop in spans if stop == frames - 1)
    assert len(spans) == 2 * len(cuts)
    return cuts


def test_a_long_clip_is_changed_up_to_frames_whose_remainders_tell_strides_of_up_to_four():
    """Changes up to k tell f_0 + s p <= k: of frames with all remainders by s they tell f_0."""
    for frames in range(17, 400):
        first, *inner, last = cuts_of(frames)
        assert (first, last) == (0, frames - 2)
        if frames > 64:
            assert {cut % 4 for cut in (first, *inner, last)} == {0, 1, 2, 3}
            # In the order of the clip; from 15% of it to 85%, each at most 7 frames later.
            assert [cut % 8 for cut in inner] == [1, 2, 4, 7, 3]
            later = [
                cut - round(frames * share) for cut, share in zip(inner, (0.15, 0.35, 0.5, 0.65, 0.85), strict=True)
            ]
            assert 0 <= min(later) <= max(later) < 8


@pytest.mark.parametrize(("instances", "nodes"), [(1, 2), (2, 1), (2, 2), (3, 2), (2, 3), (3, 1), (1, 6)])
def test_of_few_nodes_each_is_changed_in_every_instance(instances, nodes):
    """Six tests: else a node and an instance would always be changed together, and could not be told apart."""
    plan = first_plan({"m": instances, "t": 1, "n": nodes, "c": 1})
    changed = [(one.instance, one.node) for one in plan.changes if not one.nothing]
    assert len(changed) == 6
    assert set(changed) == {(m, n) for m in range(instances) for n in range(nodes)}


def test_of_many_nodes_six_are_changed_one_after_another_in_the_instances():
    changes = first_plan({"m": 3, "t": 1, "n": 25, "c": 1}).changes
    changed = sorted((one.node, one.instance) for one in changes if not one.nothing)
    # The middle of six equal parts.
    assert changed == [(2, 0), (6, 1), (10, 2), (14, 0), (18, 1), (22, 2)]
    # A single position has nothing to be told from.
    assert sum(not one.nothing for one in first_plan({"m": 1, "t": 1, "n": 1, "c": 1}).changes) == 2


@pytest.mark.parametrize(("wanted", "step"), [(1, 1), (23, 1), (24, 2), (47, 2), (48, 3), (60, 3)])
def test_of_many_frames_that_are_wanted_some_are_asked_for_evenly(wanted, step):
    """Two copies for each, and no more than 24 frames."""
    frames = list(range(5, 5 + wanted))
    sizes = {"m": 1, "t": 100, "n": 3, "c": 1}
    plan = further_plan(sizes, frames[::-1] + frames, frames_again=False, all_see_all=False, nodes=False)
    spans = [plan.changes[copy].frames for copy in plan.frame_tests]
    assert sorted(stop for start, stop in spans if start == 0) == frames[::step]
    assert sorted(start - 1 for start, stop in spans if stop == 99) == frames[::step]
    assert len(spans) == 2 * len(frames[::step]) <= 2 * 24


@pytest.mark.parametrize("frames", [15, 16, 17])
def test_of_a_short_clip_all_frames_change_places_up_to_each(frames):
    """Up to 16 frames; of longer ones up to a few, and some frames are changed alone."""
    sizes = {"m": 1, "t": frames, "n": 1, "c": 1}
    plan = further_plan(sizes, (), frames_again=False, all_see_all=True, nodes=False)
    cuts = sorted(stop for start, stop in (plan.changes[copy].frames for copy in plan.rolled_tests) if start == 0)
    assert cuts == (list(range(1, frames - 2)) if frames <= 16 else [1, *cuts_of(frames)[1:]])
    assert len(plan.single_frame_tests) == (0 if frames <= 16 else 12)


@pytest.mark.parametrize(("nodes", "instances"), [(25, 1), (3, 2), (12, 3)])
def test_twelve_more_copies_tell_of_nodes(nodes, instances):
    sizes = {"m": instances, "t": 4, "n": nodes, "c": 1}
    plan = further_plan(sizes, (), frames_again=False, all_see_all=False, nodes=True)
    assert len(plan.node_tests) == 12
    assert len({plan.changes[copy].node for copy in plan.node_tests}) == min(nodes, 12)
    assert not plan.frame_tests
    again = further_plan(sizes, (), frames_again=True, all_see_all=False, nodes=False)
    assert (len(again.node_tests), len(again.single_frame_tests)) == (0, 4)


@pytest.mark.parametrize(("value", "scale"), [(0.0, 1.0), (0.5, 1.0), (-7.0, 7.0)])
def test_a_sample_of_one_value_has_noise_added_as_large_as_it(value, scale):
    """At least 1: there is no other value to put in its place."""
    plan = first_plan({"m": 1, "t": 12, "n": 40, "c": 2})
    before, after = changed_signals(torch.full((1, 1, 12, 40, 2), value).double(), plan)
    noise = (after - before)[after != before]
    assert noise.std().item() == pytest.approx(scale, rel=0.1)
    assert abs(noise.mean().item()) < 0.1 * scale


def test_noise_is_as_large_as_the_largest_channel_where_each_has_one_value():
    """Half a metre beside seven: one scale for all, as it is in one layer that they meet."""
    plan = first_plan({"m": 1, "t": 12, "n": 40, "c": 2})
    x = torch.tensor([0.5, -7.0]).double().expand(1, 1, 12, 40, 2)
    before, after = changed_signals(x, plan)
    for channel in (0, 1):
        noise = (after - before)[..., channel][(after != before)[..., channel]]
        assert noise.std().item() == pytest.approx(7, rel=0.1)
