"""Stride and offset of random layers: known where one triple (s, f_0, l_0) alone fits, found by trying them all."""

import numpy as np
import pytest

from stexplain.explainers.model.probe.plan import Change, frame_intervals
from stexplain.explainers.model.probe.time import Timing, bounds_of, fits, timing_of


def draw(random, *, single):
    """Frames, the changes, and a layer: its stride, the frames that position 0 sees, how many positions it has."""
    frames, stride = int(random.integers(4, 18)), int(random.integers(1, 5))
    cuts = sorted({0, frames - 2, *random.choice(frames - 1, min(frames - 1, 5), replace=False).tolist()})
    spans = [(frame, frame) for frame in range(frames)]
    spans = spans if single else [one.frames for one in frame_intervals(cuts, frames)]
    first = int(random.integers(-6, 5))
    taps = range(first, first + int(random.integers(1, 7)))
    return frames, spans, stride, taps, int(random.integers(2, 12))


def changed_by(spans, taps, stride, positions, frames):
    """Which changes each position sees, by loops ``[changes, positions]``."""
    sees = [[tap + stride * p for tap in taps if 0 <= tap + stride * p < frames] for p in range(positions)]
    return np.array([[any(start <= frame <= stop for frame in one) for one in sees] for start, stop in spans])


def fitting(bounds, frames):
    """Every stride with the f_0 and the l_0 that agree with each position: f_p = max(0, f_0 + s p) and so on."""
    position, seeing = np.arange(len(bounds.seeing)), bounds.seeing
    where = np.flatnonzero(seeing)
    values = np.arange(-300, 60)[:, None]
    found = {}
    for stride in range(1, frames + 1):
        at = values + stride * position
        first, last = np.maximum(at, 0), np.minimum(at, frames - 1)
        first_fits = (first >= bounds.first_low) & (first <= bounds.first_high) | ~seeing
        last_fits = (last >= bounds.last_low) & (last <= bounds.last_high) | ~seeing
        # What sees nothing lies before the clip, or behind it.
        first_fits &= (at >= frames) | seeing | (position < where[0])
        last_fits &= (at < 0) | seeing | (position > where[0])
        firsts, lasts = (values[each.all(1), 0].tolist() for each in (first_fits, last_fits))
        if firsts and lasts and min(firsts) <= max(lasts):
            found[stride] = firsts, lasts
    return found


@pytest.mark.parametrize("single", [True, False])
def test_a_layer_is_known_where_nothing_else_fits(single):
    random = np.random.default_rng(single)
    known = 0
    for _ in range(150):
        frames, spans, stride, taps, positions = draw(random, single=single)
        changed = changed_by(spans, taps, stride, positions, frames)
        changes = [Change(frames=span) for span in spans]
        timing = timing_of(changes, changed, frames)
        if not changed.any() or timing.sees == frames:
            continue
        bounds = bounds_of(changes, changed, frames)
        found = fitting(bounds, frames)
        assert stride in found
        ((firsts, lasts), *others) = found.values()
        if others or len(firsts) > 1 or len(lasts) > 1 or bounds.seeing.sum() < 3:
            assert (timing.kind, timing.stride) == ("unknown", None)
            assert all(0 <= frame < frames - 1 for frame in timing.more_frames)
            continue
        known += 1
        assert (timing.stride, timing.last, timing.sees) == (stride, taps[-1], len(taps))
        back = taps[0] < 0 == taps[-1]
        assert timing.offset == (0 if back else (taps[0] + taps[-1]) / 2)
        assert timing.kind == ("causal" if back else "one frame" if len(taps) == 1 else "aligned")
    assert known > 50


@pytest.mark.parametrize("single", [True, False])
def test_what_another_clip_told_fits_where_it_says_what_the_changes_did(single):
    """Nothing is seen beyond; of the changes up to a frame, and from one on, less than a tenth is otherwise."""
    random, outcomes = np.random.default_rng(10 + single), []
    for _ in range(150):
        frames, spans, stride, taps, positions = draw(random, single=single)
        said = changed_by(spans, taps, stride, positions, frames)
        changed = said & (random.random(said.shape) < random.choice([1, 0.9, 0.7]))
        if random.random() < 0.2:
            changed[random.integers(len(spans)), random.integers(positions)] = True
        timing = Timing("aligned", stride, (taps[0] + taps[-1]) / 2, len(taps), taps[-1])
        ends = [number for number, (start, stop) in enumerate(spans) if start == 0 or stop == frames - 1]
        alike = np.mean([said[number] == changed[number] for number in ends])
        expected = not (changed & ~said).any() and alike > 0.9
        changes = [Change(frames=span) for span in spans]
        assert fits(timing, changes, changed, frames) == expected
        outcomes.append(expected)
    assert 20 < sum(outcomes) < 130


def test_a_layer_with_holes_is_known_where_one_pair_of_lines_fits():
    """Near the ends of the clip a position may see its second frame first: each agrees with a line, three with both."""
    random, outcomes = np.random.default_rng(5), []
    for _ in range(300):
        frames, spans, stride, taps, _ = draw(random, single=True)
        # A dilated convolution, padded before and behind.
        dilation, kernel = int(random.integers(2, 5)), int(random.integers(2, 5))
        before, behind = (int(random.integers(0, dilation * (kernel - 1) + 1)) for _ in range(2))
        view = dilation * (kernel - 1) + 1
        positions = (frames + before + behind - view) // stride + 1
        taps = range(-before, view - before, dilation)
        changed = changed_by(spans, taps, stride, max(positions, 1), frames)
        changes = [Change(frames=span) for span in spans]
        timing, bounds = timing_of(changes, changed, frames), bounds_of(changes, changed, frames)
        if not bounds.seeing.all() or positions < 3 or fitting(bounds, frames) or timing.sees == frames:
            continue
        # Of the taps those that ever lie in the clip. A single pair of lines may be that of another stride.
        within = [tap for tap in taps if any(0 <= tap + stride * p < frames for p in range(positions))]
        right = holed(changed, frames) == [(stride, within[0], within[-1])]
        outcomes.append((right, timing.known))
        if timing.known:
            back = within[0] < 0 == within[-1]
            assert (timing.stride, timing.last) == (stride, within[-1])
            assert timing.offset == (0 if back else (within[0] + within[-1]) / 2)
    rights, knowns = np.array(outcomes).T
    assert 20 < knowns.sum() < len(outcomes) - 20
    # Where it is right and unknown, taps at even steps fit a second stride.
    assert (rights & ~knowns).sum() < 0.1 * rights.sum()
    assert (knowns & ~rights).any()


@pytest.mark.parametrize(
    ("frames", "stride", "before", "dilation", "positions"), [(12, 4, 2, 4, 3), (11, 4, 0, 3, 3), (13, 4, 3, 2, 3)]
)
def test_a_dilated_convolution_with_a_stride_is_not_taken_for_one_that_forgets(
    frames, stride, before, dilation, positions
):
    """Of three positions, what they see last may move on by the stride while what they see first does not.

    As each frame was changed by itself, its taps tell the stride.
    """
    kernel = 4 if before == 3 else 2
    taps = range(-before, dilation * kernel - before, dilation)
    spans = [(frame, frame) for frame in range(frames)]
    changed = changed_by(spans, taps, stride, positions, frames)
    timing = timing_of([Change(frames=span) for span in spans], changed, frames)
    assert (timing.kind, timing.stride, timing.offset) == ("aligned", stride, (taps[0] + taps[-1]) / 2)
    # Where only what lies before and after some frames was changed, it is not known.
    few = [one.frames for one in frame_intervals(range(0, frames - 1, 2), frames)]
    changed = changed_by(few, taps, stride, positions, frames)
    assert not timing_of([Change(frames=span) for span in few], changed, frames).known


def holed(changed, frames):
    """The triples (s, f_0, l_0) with which each position agrees, of those that the end positions see, by loops."""
    sees = [np.flatnonzero(changed[:, p]) for p in range(changed.shape[1])]
    found = []
    for stride in range(1, min(frames, 16)):
        start, stop = int(sees[-1][0]) - stride * (len(sees) - 1), int(sees[0][-1])
        begins, ends = [], []
        for p, one in enumerate(sees):
            first, last = start + stride * p, stop + stride * p
            begins.append(None if first < 0 else first == one[0])
            ends.append(None if last >= frames else last == one[-1])
        agrees = False not in begins and False not in ends
        told = all(begin or end for begin, end in zip(begins, ends, strict=True))
        if agrees and told and sum(bool(b and e) for b, e in zip(begins, ends, strict=True)) > 2 and start <= stop:
            found.append((stride, start, stop))
    return found
