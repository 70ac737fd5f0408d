"""Layers with gaps in what they see: what several of them do is told of none, and why is said."""

import itertools
from collections import defaultdict

import numpy as np
import pytest

from stexplain.explainers.model.probe.plan import Change
from stexplain.explainers.model.probe.time import SEVERAL, timing_of
from tests.explainers.model.probe.timing.test_time_by_enumeration import changed_by


def layers(frames, positions):
    """All layers of evenly spaced taps, by what their positions see: strides, with the taps that lie in the clip."""
    found = defaultdict(set)
    for stride, dilation, kernel in itertools.product(range(1, frames), range(1, frames), (2, 3, 4)):
        for first in range(-dilation * (kernel - 1) - stride * (positions - 1), frames):
            taps = range(first, first + dilation * kernel, dilation)
            within = [tap for tap in taps if any(0 <= tap + stride * p < frames for p in range(positions))]
            if len(within) > 1 and len(set(np.diff(within))) == 1:
                sees = changed_by([(frame, frame) for frame in range(frames)], taps, stride, positions, frames)
                found[sees.tobytes()].add((stride, within[0], within[-1]))
    return found


@pytest.mark.parametrize(("frames", "positions"), [(5, 2), (6, 2), (5, 3), (6, 3)])
def test_what_layers_of_several_strides_do_is_unknown(frames, positions):
    """Where each frame was changed by itself, and some position sees two that do not lie next to each other."""
    changes, outcomes = [Change(frames=(frame, frame)) for frame in range(frames)], []
    for code, which in layers(frames, positions).items():
        sees = np.frombuffer(code, bool).reshape(frames, positions)
        alike = bool((sees == sees[:, :1]).all())
        gaps = any(np.diff(np.flatnonzero(column)).max(initial=1) > 1 for column in sees.T)
        if alike or not gaps:
            continue
        timing = timing_of(changes, sees, frames)
        several = len({stride for stride, *_ in which}) > 1
        outcomes.append(several)
        if several:
            assert (timing.kind, timing.why) == ("unknown", SEVERAL), which
        elif timing.known and timing.kind != "anticausal":
            ((stride, first, last),) = which
            assert (timing.stride, timing.last) == (stride, last)
            assert timing.offset == (0 if first < 0 == last else (first + last) / 2)
    assert 2 < sum(outcomes) < len(outcomes) - 5


def test_gaps_that_differ_from_position_to_position_are_of_no_layer():
    """Its ends move on by one frame; every second position leaves out its middle."""
    sees = changed_by([(frame, frame) for frame in range(14)], (0, 2, 4), 1, 10, 14)
    even = np.arange(0, 10, 2)
    sees[even + 2, even] = False
    timing = timing_of([Change(frames=(frame, frame)) for frame in range(14)], sees, 14)
    assert timing.kind == "unknown"
    assert "do not move on by one stride" in timing.why


@pytest.mark.parametrize("behind", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize(("frames", "stride"), [(12, 1), (13, 3), (24, 5)])
def test_what_forgets_is_known_where_it_begins_with_the_clip(frames, stride, lost, behind):
    """Position p ends at frame s p, and remembers half of what was before: from the start of the clip, by no line.

    A frame that is lost tells nothing of a layer without a stride. With one, it may be a dilated convolution.
    """
    spans = [(frame, frame) for frame in range(frames)]
    ends = list(range(behind, frames, stride))
    sees = np.array([[end // 2 <= at <= end for end in ends] for at in range(frames)])
    if lost:
        sees[ends[-1] - 2, -1] = False
    timing = timing_of([Change(frames=span) for span in spans], sees, frames)
    if behind < stride and not (lost and stride > 1):
        memory = max(end - end // 2 for end in ends) + 1
        assert (timing.kind, timing.stride, timing.offset) == ("causal", stride, behind)
        assert (timing.sees, timing.last) == (memory, behind)
    else:
        assert timing.kind == "unknown"
