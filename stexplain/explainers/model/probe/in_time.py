"""Which axis of a tensor follows the frames, and where its positions lie."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from stexplain.explainers.model.probe.following import follows, strongest_shift
from stexplain.explainers.model.probe.plan import Change, Plan, closed, seen_with_gaps
from stexplain.explainers.model.probe.responses import Factor
from stexplain.explainers.model.probe.time import SEVERAL, Timing, timing_of

_KNOWN = ("one frame", "aligned", "causal", "anticausal")
STRIDES, DILATIONS, KERNELS = 8, 8, 9
"""Up to so many are tried of dilated layers that may do the same as one that was found."""
SHORT = 64
"""Frames of a clip that layers with gaps may see most of."""
_Fit = tuple[int, int, int, Timing]  # the place of a factor, the size outside of the axis in it, the axis' size


def with_time(factors: list[Factor], plan: Plan) -> tuple[list[Factor], Timing]:
    """Names the factor that follows the frames.

    Args:
        factors: those of samples, nodes and instances named.
        plan: of the copies.

    Returns:
        The factors, and where the positions of the named one lie in time; of the kind "none" where none is named.
    """
    frames, tests = plan.sizes["t"], plan.frame_tests
    if frames == 1 or not tests:
        return factors, Timing("none")
    changes = [plan.changes[copy] for copy in tests]
    whole = [
        (place, doubted(timing_of(changes, seen, frames), changes, seen, frames))
        for place, factor in enumerate(factors)
        if not factor.letter and factor.response is not None and factor.size > 1
        for seen in [factor.response[tests] > 0]
    ]
    found: list[_Fit] = [(place, 1, factors[place].size, timing) for place, timing in whole if timing.kind in _KNOWN]
    if not found:
        found = [fold for place, timing in whole if timing.kind == "unknown" for fold in _folds(factors, place, plan)]
    if not found:
        found = [fit for place, _ in whole for fit in _by_local_changes(factors, place, plan)]
    if not found:
        found = [fit for place, _ in whole for fit in _by_strength(factors, place, plan)]
    if len(found) == 1:
        ((place, outer, size, timing),) = found
        return [*factors[:place], *factors[place].split("t", size, outer), *factors[place + 1 :]], timing
    if found:
        return factors, Timing("unknown", why="more than one axis follows the frames")
    return _open(factors, whole, plan)


def _folds(factors: list[Factor], place: int, plan: Plan) -> Iterator[_Fit]:
    """The finest axis of time that is folded into an axis: coarser ones would seem to have a larger stride."""
    factor, tests = factors[place], plan.frame_tests
    changes = [plan.changes[copy] for copy in tests]
    for size in range(min(factor.size - 1, 4 * plan.sizes["t"]), 1, -1):
        fits = []
        for outer, _ in factor.views(size):
            seen = factor.largest(outer, size)[1][tests] > 0
            timing = doubted(timing_of(changes, seen, plan.sizes["t"]), changes, seen, plan.sizes["t"])
            if timing.kind in _KNOWN and _alike(factor, outer, size, tests):
                fits.append((place, outer, size, timing))
        if fits:
            yield from fits
            return


def _alike(factor: Factor, outer: int, size: int, tests: list[int]) -> bool:
    """Whether an axis that would be folded with others looks the same for each index of those, as channels do.

    Parts of an axis of time whose positions follow no line may seem to follow one where only their union is looked at.
    """
    assert factor.response is not None
    folded = factor.response[tests].reshape(len(tests), outer, size, -1) > 0
    return bool((folded == folded.any((1, 3), keepdims=True)).mean() > 0.999)


def _by_local_changes(factors: list[Factor], place: int, plan: Plan) -> Iterator[_Fit]:
    """An axis whose positions see all frames by way of their mean and spread, and a few by themselves.

    Behind a normalisation over time every frame changes every position. Values that change places with each other
    keep mean and spread, to rounding: what changes by more sees these frames in another way.
    """
    rolled = plan.rolled_tests
    factor = factors[place]
    if factor.response is None:
        return
    response = factor.response[rolled]
    changed = response > plan.rounding * response.max(initial=0)
    timing = timing_of([plan.changes[copy] for copy in rolled], changed, plan.sizes["t"])
    if timing.kind == "one frame" and factor.size == plan.sizes["t"] and timing.offset == 0:
        # Attention without places in time: it does not matter to a position in which order it sees the others.
        timing = Timing("global", 1, 0.0, plan.sizes["t"], plan.sizes["t"] - 1)
        yield place, 1, factor.size, timing
    elif timing.kind in _KNOWN:
        yield place, 1, factor.size, timing


def _by_strength(factors: list[Factor], place: int, plan: Plan) -> Iterator[_Fit]:
    """An axis as long as the clip, whose positions see all frames, and their own most: attention."""
    factor, frames = factors[place], plan.sizes["t"]
    single = plan.single_frame_tests
    if factor.size != frames or not single or factor.response is None or factor.strength is None:
        return
    own = [(plan.changes[copy].frames or (0, 0))[0] for copy in single]
    strength = factor.strength[single]
    if follows(factor.response[single], strength, own) and strongest_shift(strength, own) == 0:
        yield place, 1, frames, Timing("global", 1, 0.0, frames, frames - 1)


def _open(factors: list[Factor], whole: list[tuple[int, Timing]], plan: Plan) -> tuple[list[Factor], Timing]:
    """What can be said where no axis was found whose positions lie at known frames."""
    frames = plan.sizes["t"]
    moving = [timing for _, timing in whole if timing.kind == "unknown"]
    if moving:
        # Not named: of an axis of channels, those behind a ReLU may respond to some frames alone.
        more_frames = {frame for timing in moving for frame in timing.more_frames}
        sees = frames if any(timing.kind == "global" for _, timing in whole) else None
        every = any(timing.every for timing in moving)
        return factors, Timing(
            "unknown", sees=sees, why=moving[0].why, more_frames=tuple(sorted(more_frames)), every=every
        )
    if any(factors[place].size == frames for place, _ in whole):
        why = f"an axis of size {frames} may be that of the frames, but each of its positions sees all of them alike"
        return factors, Timing("unknown", sees=frames, why=why)
    if len(whole) > 1:
        # Channels and positions that all see the whole clip look alike.
        why = "each position sees all frames: which axis is that of time, if any, is not known"
        return factors, Timing("unknown", sees=frames, why=why)
    return factors, Timing("none")


# ---- whether another layer would do the same ----


def doubted(timing: Timing, changes: Sequence[Change], changed: NDArray[np.bool_], frames: int) -> Timing:
    """A timing, or that it is unknown until each frame was changed by itself, where another layer would do the same.

    Args:
        timing: as the changes tell it.
        changes: each of some frames.
        changed: whether each made a difference at each position, ``[copies, T']``.
        frames: T.
    """
    count = changed.shape[1]
    # Of many positions, no stride above 1 has as many.
    if not timing.known or timing.kind == "global" or frames > SHORT or (timing.stride == 1 and 2 * count > frames):
        return timing
    changed = closed(changes, changed, frames)
    every = len({change.frames for change in changes if change.frames and len(set(change.frames)) == 1}) == frames
    if every or seen_with_gaps(changes, changed, frames) is not None:
        return timing
    found = (timing.stride, timing.offset)
    return timing if {*rivals(changes, changed, frames)} <= {found} else Timing("unknown", why=SEVERAL, every=True)


def rivals(changes: Sequence[Change], changed: NDArray[np.bool_], frames: int) -> Iterator[tuple[int, float]]:
    """The stride and the offset of each layer of evenly spaced taps, with gaps, that explains all changes.

    Of longer clips the frames up to, and from, a few of them are changed. So gaps in what a position sees are not
    known, and near the ends of the clip a position sees first the next frame that is not left out: of few positions
    these may lie on the line of another layer by chance.

    Args:
        changes: each of some frames.
        changed: whether each made a difference at each position, ``[copies, T']``.
        frames: T.

    Example:
        >>> changes = [Change(frames=(0, 3)), Change(frames=(4, 7))]
        >>> sees = np.array([[True, True, True], [False, True, True]])  # of taps -3, 0, 3 at stride 2
        >>> (2, 0.0) in set(rivals(changes, sees, 8))
        True
    """
    spans = np.array([change.frames or (0, frames - 1) for change in changes])
    # What few positions see tells most: that of the fewest first.
    order = np.argsort(np.abs(changed.mean(1) - 0.5), kind="stable")
    place = np.arange(changed.shape[1])
    for dilation in range(2, DILATIONS + 1):
        views = dilation * np.arange(1, KERNELS)
        first = np.arange(-int(views[-1]), STRIDES + 1)
        stride, view, start = (axis.ravel() for axis in np.meshgrid(range(1, STRIDES + 1), views, first, indexing="ij"))
        left = start >= -view
        stride, view, start = stride[left], view[left], start[left]
        for copy in order:
            low, high = spans[copy]
            at = start[:, None] + stride[:, None] * place
            # Between the first tap from `low` on and the last up to `high`, both of the layer.
            begins = np.maximum(-(-(low - at) // dilation), 0)
            ends = np.minimum((high - at) // dilation, view[:, None] // dilation)
            fits = ((begins <= ends) == changed[copy]).all(1)
            stride, view, start = stride[fits], view[fits], start[fits]
            if not len(start):
                break
        for s, v, f in zip(stride.tolist(), view.tolist(), start.tolist(), strict=True):
            # Of the taps those that ever lie in the clip.
            taps = [tap for tap in range(f, f + v + 1, dilation) if tap < frames and tap + s * place[-1] >= 0]
            if taps:
                yield s, 0.0 if taps[0] < 0 == taps[-1] else (taps[0] + taps[-1]) / 2
