"""Stride and offset of a layer from the frames that its positions see.

Position p of a layer sees the frames f_p to l_p: its output changes where frames up to f_p are changed, and where
frames from l_p on are. Where a layer is made of convolutions and pooling, both move on by the stride s, with f_0 below
0 where the past is padded: f_p = max(0, f_0 + s p) and l_p = min(T - 1, l_0 + s p). The position stands for the middle
of what it sees, (f_0 + l_0) / 2 + s p; where it only looks back from frame s p, for that one. What is not of a known
form, or fits more than one s, f_0, l_0, is unknown.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stexplain.explainers.model.probe.plan import Change, closed, seen_with_gaps, seen_without_gaps

Kind = Literal["one frame", "aligned", "causal", "anticausal", "global", "unknown", "none"]
"""How the positions of a layer lie in time.

- one frame: each position sees one frame;
- aligned: the first and the last frame that a position sees move on by the stride; it stands for their middle;
- causal: a position sees what came before, up to its own frame, for which it stands: a recurrent layer, or convolutions
  whose input is padded with as much past as they look back;
- anticausal: the first frame moves on, the last stays; a position stands for its first frame;
- global: each position sees all frames, and its own most (attention, a recurrent layer both ways): for its own frame;
- unknown: there are positions in time, and where they lie cannot be determined;
- none: there is no axis of positions in time.
"""

_LIMIT = 10**9  # stands for no bound
SEVERAL = "several strides and offsets fit the frames that its positions see: the clip is too short to tell"
_NO_LINE = "the frames that its positions see do not move on by one stride per position"


@dataclass(frozen=True)
class Timing:
    """Where the positions of a layer lie: i stands for frame offset + i * stride.

    Attributes:
        kind: see `Kind`.
        stride: none where unknown.
        offset: the frame that position 0 stands for; a half where the middle lies between two frames.
        sees: how many frames a position sees, away from the ends of the clip.
        last: the last frame that position 0 sees, below 0 where it lies before the clip; none where anticausal.
        why: in words, where unknown.
        more_frames: frames at which further changes would tell more.
        every: whether it would tell more to change each frame by itself.
    """

    kind: Kind
    stride: int | None = None
    offset: float | None = None
    sees: int | None = None
    last: int | None = None
    why: str = ""
    more_frames: tuple[int, ...] = ()
    every: bool = False

    @property
    def known(self) -> bool:
        """Whether the place of every position is known."""
        return self.stride is not None and self.offset is not None


@dataclass(frozen=True)
class Bounds:
    """Between which frames the first, and the last, frame that each position sees lie.

    Attributes:
        first_low, first_high, last_low, last_high: each ``[T']``.
        seeing: whether a position sees anything at all, ``[T']``.
    """

    first_low: NDArray[np.int64]
    first_high: NDArray[np.int64]
    last_low: NDArray[np.int64]
    last_high: NDArray[np.int64]
    seeing: NDArray[np.bool_]


def bounds_of(changes: list[Change], changed: NDArray[np.bool_], frames: int) -> Bounds:
    """What the changes tell of the first and the last frame that each position sees.

    Args:
        changes: each of some frames.
        changed: whether each made a difference at each position, ``[copies, T']``.
        frames: T.
    """
    count = changed.shape[1]
    first_high, last_low = np.full(count, frames), np.full(count, -1)
    spans = [(*(change.frames or (0, frames - 1)), row) for change, row in zip(changes, changed, strict=True)]
    for start, stop, row in spans:
        # A position that changes sees one of these frames.
        first_high[row] = np.minimum(first_high[row], stop)
        last_low[row] = np.maximum(last_low[row], start)
    # From the end, as from the start of the clip turned round.
    turned = [(frames - 1 - stop, frames - 1 - start, row) for start, stop, row in spans]
    last_high = frames - 1 - _unseen(turned, count)
    return Bounds(_unseen(spans, count), first_high, last_low, last_high, np.asarray(changed.any(0)))


def _unseen(spans: list[tuple[int, int, NDArray[np.bool_]]], count: int) -> NDArray[np.int64]:
    """Of how many frames from the first on each position sees nothing: runs of changes that made no difference."""
    frames = np.zeros(count, int)
    for start, stop, row in sorted(spans, key=lambda span: span[:2]):
        frames = np.where(~row & (start <= frames), np.maximum(frames, stop + 1), frames)
    return frames


def timing_of(changes: list[Change], changed: NDArray[np.bool_], frames: int) -> Timing:
    """Where the positions of an axis lie in time.

    Args:
        changes: each of some frames.
        changed: whether each made a difference at each position of the axis, ``[copies, T']``.
        frames: T.

    Example:
        >>> single = [Change(frames=(frame, frame)) for frame in range(5)]
        >>> sees = np.abs(np.arange(5)[:, None] - 2 * np.arange(3)) <= 1
        >>> timing = timing_of(single, sees, 5)
        >>> timing.kind, timing.stride, timing.offset, timing.sees
        ('aligned', 2, 0.0, 3)
    """
    count = changed.shape[1]
    if count < 2 or not changed.any():
        return Timing("none")
    changed = closed(changes, changed, frames)
    bounds = bounds_of(changes, changed, frames)
    seeing = bounds.seeing
    # As far as the changes tell: the shortest from the first frame on, and up to the last.
    spans = [change.frames or (0, frames - 1) for change in changes]
    shortest = min((stop for start, stop in spans if start == 0), default=-1)
    latest = max((start for start, stop in spans if stop == frames - 1), default=frames)
    all_from_start = bool((bounds.first_high[seeing] <= shortest).all())
    all_to_end = bool((bounds.last_low[seeing] >= latest).all())
    if all_from_start and all_to_end:
        return Timing("global", sees=frames) if seeing.all() else Timing("unknown", why="some positions see no frame")
    # Between its first seeing position and its last there is none that sees nothing.
    where = np.flatnonzero(seeing)
    if len(where) != where[-1] - where[0] + 1:
        return Timing("unknown", why="positions that see frames lie between others that see none")
    first, last = _lines(bounds, frames)
    # From its start, or nearly, to its end: of channels that respond to most frames some end a little earlier.
    if all_from_start and (one := _only(last, count)) and _spans(*one, count, frames):
        return Timing("causal", one[0], float(one[1]), frames, one[1])
    if all_to_end and (one := _only(first, count)) and _spans(*_turned(*one, count, frames), count, frames):
        return Timing("anticausal", one[0], float(one[1]), frames)
    both = {
        stride: (first[stride], last[stride])
        for stride in first
        if stride in last and first[stride][0] <= last[stride][1]
    }
    found = _of_lines(both, len(where), frames) or _with_holes(bounds, frames)
    if (sees := seen_with_gaps(changes, changed, frames)) is not None:
        found = _of_taps(sees, found)
    elif found is not None and found.known and found.stride != 1:
        # Of a stride, what positions near the ends see may lie on the line of another one by chance.
        seen, ends = _predicted(found, changes, count, frames)
        found = found if (changed == seen)[ends].mean() > 0.98 else Timing("unknown", why=_NO_LINE)
    starts, stops = np.array(spans).T[:, :, None]
    holes = ~changed & (starts >= bounds.first_high) & (stops <= bounds.last_low)
    return found or _fading(first, last, bounds, frames, holes=bool(holes.any()))


def fits(timing: Timing, changes: list[Change], changed: NDArray[np.bool_], frames: int) -> bool:
    """Whether a stride and an offset, as a longer clip showed them, explain what the changes of a clip did.

    Args:
        timing: of the longer clip.
        changes: each of some frames of this one.
        changed: whether each made a difference at each position, ``[copies, T']``.
        frames: T of this one.
    """
    if timing.kind not in ("one frame", "aligned"):
        return False
    seen, ends = _predicted(timing, changes, changed.shape[1], frames)
    # Nothing is seen beyond. Within, a dilated convolution may leave out frames, and few changes may be lost.
    return bool((seen | ~changed).all() and (changed == seen)[ends].mean() > 0.9)


_Line = tuple[int, int]


def _lines(bounds: Bounds, frames: int) -> tuple[dict[int, _Line], dict[int, _Line]]:
    """For each stride that fits, between which values f_0 lies; and l_0."""
    seeing = bounds.seeing
    count = len(seeing)
    where = np.flatnonzero(seeing)
    position = np.arange(count)
    first: dict[int, _Line] = {}
    last: dict[int, _Line] = {}
    for stride in range(1, frames + 1):
        moved = stride * position
        # f_p = max(0, f_0 + s p): a first frame above 0 gives a bound from below, any from above.
        low = np.where(seeing & (bounds.first_low > 0), bounds.first_low - moved, -_LIMIT)
        high = np.where(seeing, np.minimum(bounds.first_high, frames - 1) - moved, _LIMIT)
        # What stands behind the last position that sees anything begins beyond the clip.
        if where[-1] + 1 < count:
            low[where[-1] + 1] = frames - moved[where[-1] + 1]
        if low.max() <= high.min():
            first[stride] = (int(low.max()), int(high.min()))
        low = np.where(seeing, np.maximum(bounds.last_low, 0) - moved, -_LIMIT)
        high = np.where(seeing & (bounds.last_high < frames - 1), bounds.last_high - moved, _LIMIT)
        if where[0] > 0:
            high[where[0] - 1] = -1 - moved[where[0] - 1]
        if low.max() <= high.min():
            last[stride] = (int(low.max()), int(high.min()))
    return first, last


def _with_holes(bounds: Bounds, frames: int) -> Timing | None:
    """Positions with holes in what they see, as of a dilated convolution, near the ends of the clip; none where not so.

    A position whose first frame would lie before the clip then sees not frame 0 first, but the next that is not left
    out. It must agree with the line of last frames instead; and one whose last frame would lie beyond the clip with
    that of first frames.
    """
    count = len(bounds.seeing)
    if count < 3 or not bounds.seeing.all():
        return None
    position = np.arange(count)
    first_high, last_low = np.minimum(bounds.first_high, frames - 1), np.maximum(bounds.last_low, 0)
    both: dict[int, tuple[_Line, _Line]] = {}
    for stride in range(1, min(frames, 16)):
        # First frames move on: the last position sees its own first one; the first position its own last one.
        moved = stride * position
        starts = np.arange(bounds.first_low[-1], first_high[-1] + 1) - moved[-1]
        stops = np.arange(last_low[0], bounds.last_high[0] + 1)
        firsts, lasts = starts[:, None] + moved, stops[:, None] + moved
        start_fits = np.asarray(((firsts < 0) | ((firsts >= bounds.first_low) & (firsts <= first_high))).all(1))
        stop_fits = np.asarray(((lasts >= frames) | ((lasts >= last_low) & (lasts <= bounds.last_high))).all(1))
        starts, stops = starts[start_fits], stops[stop_fits]
        begins, ends = firsts[start_fits] >= 0, lasts[stop_fits] < frames
        # Every position agrees with one of the lines, and some, away from the ends, with both.
        covered = (begins[:, None] | ends[None]).all(2) & ((begins[:, None] & ends[None]).sum(2) > 2)
        fits = covered & (starts[:, None] <= stops[None])
        if fits.any():
            chosen_starts, chosen_stops = starts[fits.any(1)], stops[fits.any(0)]
            line = (int(chosen_starts.min()), int(chosen_starts.max()))
            both[stride] = (line, (int(chosen_stops.min()), int(chosen_stops.max())))
    return _of_lines(both, count, frames)


def _predicted(
    timing: Timing, changes: list[Change], count: int, frames: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    assert timing.last is not None
    assert timing.stride is not None
    assert timing.sees is not None
    last = timing.last + timing.stride * np.arange(count)
    return seen_without_gaps(changes, last - timing.sees + 1, last, frames)


def _of_taps(sees: NDArray[np.bool_], found: Timing | None) -> Timing | None:
    """A layer with gaps in what it sees, as a dilated convolution has: its taps are evenly spaced.

    Each position sees all taps that lie in the clip. Of few positions, several strides may fit.
    """
    count, frames = sees.shape
    position, frame = np.nonzero(sees)
    fits: dict[int, tuple[int, int]] = {}
    for stride in range(1, frames):
        taps = np.unique(frame - stride * position)
        at = stride * np.arange(count)[:, None] + taps
        here, there = np.nonzero((at >= 0) & (at < frames))
        # A few may be lost, behind a rectifier.
        agree = sees[here, at[here, there]].mean() > 0.95
        even = len(set(np.diff(taps).tolist())) == 1 or (found is not None and found.stride == stride)
        if agree and even:
            fits[stride] = (int(taps[0]), int(taps[-1]))
    if len(fits) == 1:
        ((stride, (first, last)),) = fits.items()
        return _aligned(stride, first, last)
    if fits or found:
        return Timing("unknown", why=SEVERAL if fits else _NO_LINE)
    return None


def _of_lines(both: dict[int, tuple[_Line, _Line]], count: int, frames: int) -> Timing | None:
    """The stride and the offset where one pair of lines fits; unknown where several do; none where none does."""
    if len(both) == 1:
        ((stride, ((low, high), (last_low, last_high))),) = both.items()
        # Of two positions, two of channels that respond to some frames alone might have such a line by chance.
        if low == high and last_low == last_high and count > 2:
            return _aligned(stride, low, last_low)
    if not both:
        return None
    return Timing("unknown", why=SEVERAL, more_frames=_more_frames(both, count, frames))


def _aligned(stride: int, first: int, last: int) -> Timing:
    """Convolutions and pooling: position 0 sees the frames `first` to `last`."""
    sees = last - first + 1
    if first < 0 == last:
        return Timing("causal", stride, 0.0, sees, last)
    return Timing("one frame" if first == last else "aligned", stride, (first + last) / 2, sees, last)


def _only(lines: dict[int, _Line], count: int) -> tuple[int, int] | None:
    """The stride and the first value, where a single pair fits so many positions; two might fit by chance."""
    found = [(stride, low) for stride, (low, high) in lines.items() if low == high]
    return found[0] if len(lines) == len(found) == 1 and count > 2 else None


def _spans(stride: int, start: int, count: int, frames: int) -> bool:
    """Whether the frames that so many positions stand for begin in its first half, and nearly reach its end."""
    end = start + stride * (count - 1)
    # A cell may not run on the last frame.
    return 0 <= start <= frames // 2 and frames - 2 * stride <= end < frames


def _turned(stride: int, start: int, count: int, frames: int) -> tuple[int, int]:
    """The same line in the clip turned round, in which what looks ahead looks back."""
    return stride, frames - 1 - start - stride * (count - 1)


def _fading(first: dict[int, _Line], last: dict[int, _Line], bounds: Bounds, frames: int, *, holes: bool) -> Timing:
    """A recurrent layer that forgets: what lies far back changes nothing, to rounding, so that f_p follows no line."""
    count = len(bounds.seeing)
    sees = int((bounds.last_low - bounds.first_high)[bounds.seeing].max()) + 1

    def fits(stride: int, start: int) -> bool:
        # It leaves out no frame between those that it sees. Of a dilated convolution with a stride, near the ends of a
        # short clip, a few positions may lie on such a line, too.
        return start < stride and _spans(stride, start, count, frames) and not (holes and stride > 1)

    if not first and (one := _only(last, count)) and fits(*one):
        return Timing("causal", one[0], float(one[1]), sees, one[1])
    if not last and (one := _only(first, count)) and fits(*_turned(*one, count, frames)):
        return Timing("anticausal", one[0], float(one[1]), sees)
    return Timing("unknown", why=_NO_LINE)


def _more_frames(both: dict[int, tuple[_Line, _Line]], count: int, frames: int) -> tuple[int, ...]:
    """Frames k, such that changes up to k and from k + 1 on tell the strides and offsets that fit from each other."""
    more_frames: set[int] = set()
    for stride, ((low, high), (last_low, last_high)) in list(both.items())[:4]:
        for start, stop in ((low, high), (last_low, last_high)):
            # At a position in the middle of those for which the frames requested lie inside of the clip.
            inside = [p for p in range(count) if start + stride * p >= 0 and stop + stride * p < frames]
            if inside:
                place = inside[len(inside) // 2]
                # Of each candidate: the frame itself, and the one before, up to which nothing changes yet.
                more_frames |= {frame + stride * place for frame in range(start - 1, stop + 1)}
    return tuple(sorted(frame for frame in more_frames if 0 <= frame < frames - 1))
