"""Further copies: what they change, and what is found by values that change places."""

import pytest
from torch import Tensor

from stexplain.explainers.model.probe.axes import axes_of
from stexplain.explainers.model.probe.plan import changed_signals, first_plan, further_plan
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
