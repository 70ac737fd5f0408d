"""Stride and offset from the frames that positions see: against layers given by their first and last frame seen."""

import numpy as np
import pytest

from stexplain.explainers.model.probe.plan import Change, first_plan, frame_intervals
from stexplain.explainers.model.probe.time import _more_frames, bounds_of, fits, timing_of


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
        assert timing.more_frames
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


def test_a_view_from_before_the_start_leaves_the_first_frame_of_a_long_clip_open():
    """Position p sees all up to frame p + 150; no position lies late enough to tell where its view begins."""
    changes, changed = seen(301, 100, 1, -(10**6), 150)
    timing = timing_of(changes, changed, 301)
    assert timing.kind == "unknown"
    assert "several strides and offsets fit" in timing.why


@pytest.mark.parametrize(("frames", "stride", "reach"), [(100, 4, 76), (300, 4, 76), (64, 2, 30)])
def test_a_view_that_fits_is_exact_or_asks_for_more_frames(frames, stride, reach):
    changes, changed = seen(frames, -(-frames // stride), stride, -reach, reach)
    timing = timing_of(changes, changed, frames)
    if not timing.known:
        assert timing.more_frames
    else:
        assert (timing.stride, timing.offset) == (stride, 0)


@pytest.mark.parametrize("seed", range(6))
def test_bounds_hold_what_is_seen_and_are_exact_where_each_frame_is_changed(seed):
    random, frames = np.random.default_rng(seed), 9
    first = random.integers(0, frames, 5)
    last = np.minimum(first + random.integers(0, 4, 5), frames - 1)
    every = [(start, stop) for start in range(frames) for stop in range(start, frames)]
    some = [every[at] for at in random.permutation(len(every))[:12]]
    single = [(frame, frame) for frame in random.permutation(frames)]
    for spans in (some, single):
        ends = np.array(spans)
        changed = (first <= ends[:, 1:]) & (last >= ends[:, :1])
        # A last position that sees nothing.
        changed = np.column_stack([changed, np.zeros(len(spans), bool)])
        bounds = bounds_of([Change(frames=span) for span in spans], changed, frames)
        there = bounds.seeing
        assert not there[-1]
        np.testing.assert_array_equal(there, changed.any(0))
        low, high = bounds.first_low[:-1], bounds.first_high[:-1]
        assert ((low <= first) & (first <= np.where(there[:-1], high, frames))).all()
        low, high = bounds.last_low[:-1], bounds.last_high[:-1]
        assert ((np.where(there[:-1], low, -1) <= last) & (last <= high)).all()
        # By hand: frames from the start that lie in some change without a difference, one after the other.
        for position in range(6):
            unseen, moved = 0, True
            while moved:
                runs = [stop + 1 for (start, stop), row in zip(spans, changed, strict=True)
                        if not row[position] and start <= unseen <= stop]  # fmt: skip
                moved = bool(runs)
                unseen = max([unseen, *runs])
            assert bounds.first_low[position] == unseen
    np.testing.assert_array_equal(bounds.first_low[:-1], first)
    np.testing.assert_array_equal(bounds.first_high[:-1], first)
    np.testing.assert_array_equal(bounds.last_low[:-1], last)
    np.testing.assert_array_equal(bounds.last_high[:-1], last)
    # A change of no named frames is of all.
    whole = bounds_of([Change()], np.array([[True, False]]), frames)
    assert (whole.first_high[0], whole.last_low[0]) == (frames - 1, 0)
    assert (whole.first_low[1], whole.last_high[1]) == (frames, -1)


def test_where_some_see_all_frames_and_others_none_nothing_is_known():
    single = [Change(frames=(frame, frame)) for frame in range(6)]
    changed = np.ones((6, 4), bool)
    assert timing_of(single, changed, 6).kind == "global"
    changed[:, 3] = False
    timing = timing_of(single, changed, 6)
    assert (timing.kind, timing.why, timing.sees) == ("unknown", "some positions see no frame", None)
    assert timing_of(single, np.zeros((6, 4), bool), 6).kind == "none"
    assert timing_of(single, np.ones((6, 1), bool), 6).kind == "none"


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


def asked(frames, positions, stride, taps):
    """What is known of a layer whose position p sees the frames tap + stride p, and again with the frames wanted."""
    changes = [change for change in first_plan({"m": 1, "t": frames, "n": 1, "c": 1}).changes if change.frames]
    at = stride * np.arange(positions)[:, None] + np.array(taps)

    def changed():
        spans = np.array([change.frames for change in changes])[:, :, None, None]
        return ((at >= np.maximum(spans[:, 0], 0)) & (at <= np.minimum(spans[:, 1], frames - 1))).any(2)

    first = timing_of(changes, changed(), frames)
    changes += frame_intervals(first.more_frames, frames)
    return first, timing_of(changes, changed(), frames)


@pytest.mark.parametrize(
    ("frames", "positions", "stride", "taps", "offset"),
    [
        (17, 4, 1, (-2, -1), -1.5),
        (17, 4, 2, (-4, -2), -3),
        (17, 5, 1, (1, 2, 3, 4, 5, 6), 3.5),
        (17, 4, 1, (2, 5), 3.5),
        (17, 7, 1, (-2, 0, 2), 0),
    ],
)
def test_the_frames_that_are_wanted_tell(frames, positions, stride, taps, offset):
    """Of a longer clip few frames are changed at first, and several layers fit: those wanted leave one."""
    first, again = asked(frames, positions, stride, taps)
    assert first.kind == "unknown"
    assert (again.stride, again.offset, again.sees) == (stride, offset, taps[-1] - taps[0] + 1)


@pytest.mark.parametrize("frames", [6, 7])
def test_holes_near_both_ends_leave_few_positions(frames):
    """Taps p - 2, p and p + 2: of two positions at either end some lie beyond."""
    timing, _ = asked(frames, frames, 1, (-2, 0, 2))
    assert (timing.kind, timing.stride, timing.offset) == ("aligned", 1, 0)


def dilated(frames, kernel, dilation, stride, before, after):
    """The taps of a convolution that ever lie in the clip, and its positions."""
    reach = dilation * (kernel - 1)
    positions = (frames + before + after - reach - 1) // stride + 1
    at = stride * np.arange(positions)[:, None] + dilation * np.arange(kernel) - before
    return at[0][((at >= 0) & (at < frames)).any(0)].tolist(), positions


@pytest.mark.parametrize("padding", ["same", "valid", "causal", "one"])
@pytest.mark.parametrize("frames", [6, 10, 12, 16])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_dilated_strides_of_few_positions_are_right_or_refused(frames, stride, padding):
    """Some were called causal, or of another stride: several layers see the same frames at so few positions."""
    for kernel in range(2, 10):
        for dilation in range(2, 9):
            reach = dilation * (kernel - 1)
            before, after = {"same": (reach // 2, -(-reach // 2)), "valid": (0, 0), "causal": (reach, 0)}.get(
                padding, (1, 1)
            )
            if frames + before + after <= reach:
                continue
            taps, positions = dilated(frames, kernel, dilation, stride, before, after)
            if positions < 2:
                continue
            _, timing = asked(frames, positions, stride, taps)
            if not timing.known:
                continue
            offset = taps[-1] if taps[0] < 0 == taps[-1] else (taps[0] + taps[-1]) / 2
            assert (timing.stride, timing.offset) == (stride, offset), (kernel, dilation)


def test_dilated_layers_of_more_positions_are_known():
    for frames, taps, stride in ((12, (-4, -2, 0, 2, 4), 1), (16, (-3, 0, 3), 2), (12, (0, 3, 6), 1), (16, (0, 4), 2)):
        positions = (frames - 1 - max(taps[-1], 0)) // stride + 1 if taps[0] >= 0 else frames // stride
        _, timing = asked(frames, positions, stride, taps)
        assert (timing.stride, timing.offset) == (stride, (taps[0] + taps[-1]) / 2)


def test_a_strided_dilated_layer_of_a_longer_clip_is_no_other_one():
    """Of 24 frames not each is changed by itself: stride 4 with taps 6 apart seemed stride 3."""
    for frames, kernel, dilation, stride, pad in ((24, 4, 6, 4, 10), (17, 3, 4, 4, 5), (24, 7, 3, 4, 10)):
        taps, positions = dilated(frames, kernel, dilation, stride, pad, pad)
        _, timing = asked(frames, positions, stride, taps)
        assert not timing.known or (timing.stride, timing.offset) == (stride, (taps[0] + taps[-1]) / 2)


@pytest.mark.parametrize("ahead", [False, True])
def test_three_positions_of_a_layer_that_forgets(ahead):
    """It sees ever more of the past, to rounding not all of it; what two positions see might be so by chance."""
    frames = 12
    single = [Change(frames=(frame, frame)) for frame in range(frames)]
    # Up to frames 3, 7 and 11; from frames that follow no line: eight at most.
    views = ((0, 3), (3, 7), (4, 11))
    sees = np.array([[first <= frame <= last for first, last in views] for frame in range(frames)])
    sees = sees[::-1, ::-1] if ahead else sees
    timing = timing_of(single, sees, frames)
    kind, offset = ("anticausal", 0) if ahead else ("causal", 3)
    assert (timing.kind, timing.stride, timing.offset, timing.sees) == (kind, 4, offset, 8)
    assert timing_of(single, sees[:, :2], frames).kind == "unknown"


def test_a_position_before_the_clip_tells_where_the_others_lie():
    """Six frames of padding, stride 4: positions at -6 and -2, which see nothing, then at 2, 6 and 10."""
    timing = timing_of(*seen(20, 5, 4, -6, -6), 20)
    assert (timing.kind, timing.stride, timing.offset) == ("one frame", 4, -6)


@pytest.mark.parametrize("shift", [-1, 0, 1])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_longer_clip_tells_of_a_shorter_one_what_that_does_not_contradict(stride, shift):
    """Positions that see frames s p - 3 to s p + 3 of a clip of 12: a stride, offset or view beside it does not fit."""
    positions = 12 // stride
    changes, changed = seen(12, positions, stride, -3, 3)
    longer = timing_of(*seen(36, 36 // stride, stride, shift - 3, shift + 3), 36)
    assert longer.known
    assert fits(longer, changes, changed, 12) == (shift == 0)
    other = timing_of(*seen(36, 12 * stride, 3 - stride, -3, 3), 36)
    assert other.stride == 3 - stride
    assert not fits(other, changes, changed, 12)


def test_what_a_longer_clip_says_of_a_layer_that_sees_all_fits_no_shorter_one():
    changes, changed = seen(12, 12, 1, -(10**6), 0)
    assert not fits(timing_of(*seen(36, 36, 1, -(10**6), 0), 36), changes, changed, 12)


@pytest.mark.parametrize("frames", [4, 5, 6, 9, 12])
@pytest.mark.parametrize(("positions", "step"), [(2, 2), (3, 2), (3, 3), (8, 2)])
def test_what_sees_the_same_frames_everywhere_does_not_move_in_time(frames, positions, step):
    """As channels do, behind a layer that skips frames: no stride of theirs follows from the gaps."""
    changes = [change for change in first_plan({"m": 1, "t": frames, "n": 1, "c": 1}).changes if change.frames]
    hit = [any(frame % step == 0 for frame in range(one.frames[0], one.frames[1] + 1)) for one in changes]
    timing = timing_of(changes, np.repeat(np.array(hit)[:, None], positions, axis=1), frames)
    assert timing.kind not in ("one frame", "aligned", "causal", "anticausal")


def test_further_frames_are_asked_for_by_the_first_four_candidates_whose_spans_fit():
    """Of stride s a span of s frames; one longer than the clip asks for none."""
    both = {stride: ((0, stride), (0, 0)) for stride in (1, 2, 3, 4, 5)}
    first = _more_frames(dict(list(both.items())[:4]), 5, 40)
    assert first
    assert _more_frames(both, 5, 40) == first
    assert set(_more_frames({5: both[5]}, 5, 40)) - set(first)
    assert _more_frames({1: ((-50, -9), (-50, -9))}, 400, 40) == ()
