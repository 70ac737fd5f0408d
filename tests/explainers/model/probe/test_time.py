"""Stride and offset from the frames that positions see: against layers given by their first and last frame seen."""

import numpy as np
import pytest

from stexplain.explainers.model.probe.plan import Change, first_plan
from stexplain.explainers.model.probe.time import timing_of


def seen(frames, positions, stride, first, last):
    """The changes of the first plan, and which positions of such a layer they change."""
    changes = [change for change in first_plan({"m": 1, "t": frames, "n": 1, "c": 1}).changes if change.frames]
    f, l = first + stride * np.arange(positions), last + stride * np.arange(positions)  # noqa: E741
    f, l = np.maximum(f, 0), np.minimum(l, frames - 1)  # noqa: E741
    spans = np.array([change.frames for change in changes])
    return changes, (np.maximum(f, spans[:, :1]) <= np.minimum(l, spans[:, 1:]))


@pytest.mark.parametrize("frames", [12, 16, 17, 20, 40, 64, 301])
@pytest.mark.parametrize(
    ("stride", "first", "last"),
    [
        (1, 0, 0),
        (1, -1, 1),
        (2, -1, 1),
        (4, -3, 3),
        (4, 0, 3),
        (3, 0, 0),
        (1, 0, 6),
        (2, 0, 4),
        (1, -3, -3),
        (1, -4, -3),
    ],
)
def test_convolutions(frames, stride, first, last):
    positions = (frames - 1 - last) // stride + 1 if first >= 0 else -(-(frames + max(-last, 0)) // stride)
    timing = timing_of(*seen(frames, positions, stride, first, last), frames)
    if frames == 17 and not timing.known:
        # Few of so few frames are asked for at first: it must say which would tell.
        assert timing.wanted
        return
    assert (timing.stride, timing.offset, timing.sees) == (stride, (first + last) / 2, last - first + 1)
    assert timing.kind == ("one frame" if first == last else "aligned")


@pytest.mark.parametrize("frames", [12, 17, 64, 301])
@pytest.mark.parametrize(("stride", "past"), [(1, 3), (1, 10**6), (2, 4), (2, 10**6)])
def test_what_only_looks_back_stands_for_its_last_frame(frames, stride, past):
    timing = timing_of(*seen(frames, -(-frames // stride), stride, -past, 0), frames)
    assert (timing.kind, timing.stride, timing.offset) == ("causal", stride, 0)


@pytest.mark.parametrize("frames", [12, 64])
def test_what_only_looks_ahead_stands_for_its_first_frame(frames):
    timing = timing_of(*seen(frames, frames, 1, 0, 10**6), frames)
    assert (timing.kind, timing.stride, timing.offset) == ("anticausal", 1, 0)


@pytest.mark.parametrize("frames", [12, 64])
@pytest.mark.parametrize("positions", [2, 5, 12, 64])
def test_what_sees_everything_is_global(frames, positions):
    assert timing_of(*seen(frames, positions, 1, -(10**6), 10**6), frames).kind == "global"


@pytest.mark.parametrize(("frames", "stride", "reach"), [(64, 4, 76), (80, 4, 76), (12, 1, 20), (30, 8, 20)])
def test_a_view_longer_than_the_clip_is_not_guessed(frames, stride, reach):
    timing = timing_of(*seen(frames, -(-frames // stride), stride, -reach, reach), frames)
    assert timing.kind in ("global", "unknown")
    assert not timing.known


@pytest.mark.parametrize(("frames", "stride", "reach"), [(100, 4, 76), (300, 4, 76), (64, 2, 30)])
def test_a_view_that_fits_is_exact_or_asks_for_more_frames(frames, stride, reach):
    changes, changed = seen(frames, -(-frames // stride), stride, -reach, reach)
    timing = timing_of(changes, changed, frames)
    if not timing.known:
        assert timing.wanted
    else:
        assert (timing.stride, timing.offset) == (stride, 0)


def test_positions_in_reverse_or_in_no_order_are_unknown():
    frames = 12
    single = [Change(frames=(frame, frame)) for frame in range(frames)]
    assert timing_of(single, np.eye(frames, dtype=bool)[:, ::-1], frames).kind == "unknown"
    order = np.random.default_rng(0).permutation(frames)
    assert timing_of(single, np.eye(frames, dtype=bool)[:, order], frames).kind == "unknown"
    # A gap: positions 3 to 5 see nothing.
    gap = np.eye(frames, dtype=bool)
    gap[:, 3:6] = False
    assert timing_of(single, gap, frames).kind == "unknown"


def test_holes_between_the_first_and_the_last_frame_do_not_matter():
    """A dilated convolution sees frames p and p + 4 alone."""
    frames = 12
    single = [Change(frames=(frame, frame)) for frame in range(frames)]
    sees = np.zeros((frames, 8), bool)
    for position in range(8):
        sees[[position, position + 4], position] = True
    timing = timing_of(single, sees, frames)
    assert (timing.kind, timing.stride, timing.offset, timing.sees) == ("aligned", 1, 2, 5)
