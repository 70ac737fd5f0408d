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
