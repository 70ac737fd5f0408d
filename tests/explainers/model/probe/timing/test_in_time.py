"""Axes of time behind a normalisation over time: all positions see the whole clip, and some frames by themselves."""

import pytest
import torch

from stexplain.explainers.model.probe.axes import tensor_axes
from stexplain.explainers.model.probe.plan import changed_signals, first_plan, further_plan, plan_of
from tests.explainers.small_models import signals


def observed(function, frames, **options):
    """The axes of a function of x ``[B, T, N, C]``, from the copies of a first look and of a further one."""
    sizes = {"m": 1, "t": frames, "n": 5, "c": 4}
    further = further_plan(sizes, [], frames_again=False, all_see_all=True, nodes=False)
    changes = [one for plan in (first_plan(sizes), further) for one in plan.changes if not one.nothing]
    plan = plan_of(changes, sizes)
    copies = changed_signals(signals(1, 1, frames, 5, 4, **options).double(), plan)
    return tensor_axes(*[function(each[:, 0]) for each in copies], plan)


def normalised(x):
    """By its own mean and spread over time, which every frame changes."""
    return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)


def windows(x, stride, first, last):
    """Positions that see the frames p + first to p + last by weights of their own, with zeros around the clip."""
    frames = x.shape[1]
    padded = torch.cat([torch.zeros_like(x), x, torch.zeros_like(x)], 1)
    taps = range(first, last + 1)
    weighted = [
        sum((1.3 + tap - first) * padded[:, frames + p + tap] for tap in taps) for p in range(0, frames, stride)
    ]
    return torch.tanh(torch.stack(weighted, 1))


@pytest.mark.parametrize("frames", [12, 40])
@pytest.mark.parametrize(
    ("stride", "first", "last"), [(1, -1, 1), (1, -3, -1), (1, 0, 3), (2, 0, 4), (2, 0, 0), (2, -1, 1), (1, -2, -2)]
)
def test_positions_lie_where_they_would_without_the_normalisation(stride, first, last, frames):
    axes = observed(lambda x: windows(normalised(x), stride, first, last), frames)
    timing = axes.timing
    assert axes.layout.pattern == "b t n c"
    assert (timing.kind, timing.stride) == ("one frame" if first == last else "aligned", stride)
    assert (timing.offset, timing.sees, timing.last) == ((first + last) / 2, last - first + 1, last)


@pytest.mark.parametrize("order", [(0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11), (0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11)])
def test_frames_in_turns_are_not_taken_for_an_axis_of_time_folded_with_channels(order):
    """Even frames, then odd ones: folded in two, index s sees frames 2 s and 2 s + 1, each half another."""
    axes = observed(lambda x: torch.tanh(x[:, list(order)]), 12)
    assert (axes.layout, axes.timing.kind, axes.frames) == (None, "unknown", False)
