"""What a longer clip tells of layers whose positions see more than the clip."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from torch import Tensor, nn

import stexplain as stx
from stexplain.axes import Layout
from stexplain.explainers.model.probe.axes import TensorAxes
from stexplain.explainers.model.probe.clips import grows, with_longer, without_time
from stexplain.explainers.model.probe.plan import Change, Plan
from stexplain.explainers.model.probe.responses import Factor
from stexplain.explainers.model.probe.time import Timing
from tests.explainers.model.probe import kinds
from tests.explainers.small_models import signals


def test_a_view_longer_than_the_clip_is_found_in_a_longer_one():
    """Frames 4 p - 16 to 4 p + 16 of a clip of 30: those in the middle see all of it."""
    model = kinds.Convolution(kernel=33, stride=4, before=16, behind=16).eval()
    row = stx.layers(model, signals(2, 3, 30, 5), inputs="b c t n").set_index("layer").loc["conv"]
    assert (row["layout"], row["time"], row["stride"], row["offset"], row["sees"]) == ("b c t n", "aligned", 4, 0, 33)


def test_only_an_axis_whose_size_differs_grows_with_the_clip():
    short, longer, alike = (
        TensorAxes(None, Timing("unknown"), unnamed=(Factor(0, 23, "b"), Factor(1, 4), Factor(2, frames)))
        for frames in (12, 36, 12)
    )
    assert grows(short, longer)
    assert not grows(short, alike)


@pytest.mark.parametrize(("why", "layout"), [("", Layout("b c")), ("more than one axis follows the nodes", None)])
def test_what_does_not_grow_has_no_time_and_a_layout_where_all_else_is_known(why, layout):
    factors = (Factor(0, 23, "b"), Factor(1, 4))
    found = without_time(TensorAxes(None, Timing("unknown"), "time", factors=factors, unnamed=factors, open_axes=why))
    assert (found.layout, found.timing, found.why) == (layout, Timing("none"), why)


@pytest.mark.parametrize(("reach", "told"), [(1, True), (2, False)])
def test_what_a_longer_clip_tells_must_explain_the_short_one(reach, told):
    """Of the longer clip each position sees one frame either way; of the short one so many."""
    plan = Plan(tuple(Change(frames=(frame, frame)) for frame in range(12)), {"m": 1, "t": 12, "n": 1, "c": 1}, 12)
    sees = np.abs(np.arange(12)[:, None] - np.arange(12)) <= reach
    short, longer = (
        TensorAxes(None, Timing("unknown"), factors=(Factor(0, 12, "b"), time), unnamed=(Factor(0, 12, "b"), time))
        for time in (Factor(1, 12, response=0.5 * sees, strength=0.25 * sees), Factor(1, 36, "t"))
    )
    aligned = Timing("aligned", 1, 0.0, 3, 1)
    found = with_longer(short, plan, replace(longer, layout=Layout("b t"), timing=aligned, sizes={"t": 36}))
    assert (found.timing == aligned) is told
    assert (found.frames, found.sizes) == ((True, {"t": 12}) if told else (False, {}))


@pytest.mark.parametrize(("positions", "told"), [(1, False), (2, True)])
def test_a_single_position_is_no_axis_of_time(positions, told):
    """Even where a longer clip has more of them, at places that explain what the one position sees."""
    plan = Plan(tuple(Change(frames=(frame, frame)) for frame in range(6)), {"m": 1, "t": 6, "n": 1, "c": 1}, 6)
    sees = np.abs(np.arange(6)[:, None] - 5 * np.arange(positions)) <= 1
    short, longer = (
        TensorAxes(None, Timing("unknown"), factors=(Factor(0, 6, "b"), time), unnamed=(Factor(0, 6, "b"), time))
        for time in (Factor(1, positions, response=0.5 * sees, strength=0.25 * sees), Factor(1, positions + 2, "t"))
    )
    aligned = Timing("aligned", 5, 0.0, 3, 1)
    found = with_longer(short, plan, replace(longer, layout=Layout("b t"), timing=aligned, sizes={"t": positions + 2}))
    assert (found.timing == aligned) is told


@pytest.mark.parametrize(("layout", "why"), [(Layout("b t"), ""), (None, "more than one axis follows the nodes")])
def test_why_there_is_no_layout_is_said_where_there_is_none(layout, why):
    plan = Plan(tuple(Change(frames=(frame, frame)) for frame in range(6)), {"m": 1, "t": 6, "n": 1, "c": 1}, 6)
    sees = np.eye(6) > 0
    short, longer = (
        TensorAxes(None, Timing("unknown"), factors=(Factor(0, 6, "b"), time), unnamed=(Factor(0, 6, "b"), time))
        for time in (Factor(1, 6, response=0.5 * sees, strength=0.25 * sees), Factor(1, 18, "t"))
    )
    timing, reason = Timing("one frame", 1, 0.0, 1, 0), "more than one axis follows the nodes"
    told = replace(longer, layout=layout, timing=timing, why=reason, sizes={"t": 18})
    found = with_longer(replace(short, why="time"), plan, told)
    assert (found.layout, found.why, found.timing) == (layout, why, timing)


class Reversed(nn.Module):
    """x ``[B, C, T, N]``; its layer has the frames from last to first, which is no stride; notes lengths of clips."""

    # Of the class: the probe runs on copies of the model.
    lengths: ClassVar[set[int]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        self.lengths.add(x.shape[2])
        return self.layer(x.flip(2)).mean((2, 3))


class Sums(nn.Module):
    """x ``[B, C, T, N]``; its layer has the sum of all frames so far."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.cumsum(2)).mean((2, 3))


@pytest.mark.parametrize(
    ("model", "time", "sees"),
    [(lambda: kinds.Convolution(kernel=151, before=75, behind=75), "aligned", 151), (Sums, "causal", 300)],
)
def test_what_sees_all_of_a_part_sees_all_of_the_clip_unless_it_ends_there(model, time, sees):
    row = stx.layers(model().eval(), signals(1, 3, 300, 3), inputs="b c t n").set_index("layer").loc["conv"]
    assert (row["time"], row["sees"]) == (time, sees)


@pytest.mark.parametrize(("frames", "longest"), [(28, 9), (29, 3)])
def test_a_clip_is_made_nine_times_as_long_within_bounds(frames, longest):
    """Nine times as long up to 256 frames: what cannot be told does not cost more and more."""
    Reversed.lengths.clear()
    row = stx.layers(Reversed().eval(), signals(1, 3, frames, 2), inputs="b c t n").set_index("layer").loc["layer"]
    assert (row["layout"], row["time"]) == (None, "unknown")
    assert max(Reversed.lengths) == frames * longest
