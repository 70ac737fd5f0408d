"""A clip turned round: what a layer sees first it sees last, and all else that is told of it is as before."""

import numpy as np
import pytest

from stexplain.explainers.model.probe.plan import Change
from stexplain.explainers.model.probe.time import timing_of
from tests.explainers.model.probe.timing.test_time_by_enumeration import changed_by, draw


def told(spans, changed, frames):
    """Of a layer: its kind, its stride, how many frames it sees, and the frame that each position stands for."""
    timing = timing_of([Change(frames=span) for span in spans], changed, frames)
    at = [timing.offset + timing.stride * p for p in range(changed.shape[1])] if timing.known else timing.why
    return timing.kind, timing.stride, timing.sees, at


def told_turned(spans, changed, frames):
    """The same of the clip turned round, and turned back."""
    spans = [(frames - 1 - stop, frames - 1 - start) for start, stop in spans]
    kind, stride, sees, at = told(spans, changed[:, ::-1], frames)
    kind = {"causal": "anticausal", "anticausal": "causal"}.get(kind, kind)
    return kind, stride, sees, at if isinstance(at, str) else [frames - 1 - one for one in at[::-1]]


@pytest.mark.parametrize("single", [True, False])
def test_convolutions(single):
    random, known = np.random.default_rng(30 + single), 0
    for _ in range(120):
        frames, spans, stride, taps, positions = draw(random, single=single)
        changed = changed_by(spans, taps, stride, positions, frames)
        one, other = told(spans, changed, frames), told_turned(spans, changed, frames)
        end = stride * (positions - 1)
        if taps[0] < 0 == taps[-1] or taps[0] + end == frames - 1 < taps[-1] + end:
            # What looks back alone stands for its last frame; what looks ahead alone, as for its middle.
            one, other = one[1:3], other[1:3]
        assert one == other
        known += one[0] in ("one frame", "aligned")
    assert known > 20


@pytest.mark.parametrize("behind", [0, 1, 3])
@pytest.mark.parametrize("memory", [4, 6, 100])
@pytest.mark.parametrize(("frames", "stride"), [(9, 4), (12, 1), (13, 3), (16, 5)])
def test_what_forgets_or_sees_all_that_was_before(frames, stride, memory, behind):
    """Position p ends at frame s p, or some frames later, and begins at no line: it remembers ever more, or all."""
    ends = list(range(behind, frames, stride))
    begins = [max(0, end - memory - p * p) for p, end in enumerate(ends)]
    sees = np.array([[first <= at <= last for first, last in zip(begins, ends, strict=True)] for at in range(frames)])
    spans = [(frame, frame) for frame in range(frames)]
    one, other = told(spans, sees, frames), told_turned(spans, sees, frames)
    assert one == other
