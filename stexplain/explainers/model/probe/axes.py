"""The axes of a tensor that a model computes, from two observations of it: of unchanged copies, and of changed ones."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from stexplain.axes import CHANNELS, Layout
from stexplain.explainers.model.probe.plan import Change, Plan
from stexplain.explainers.model.probe.responses import Factor, divisors, factors_of, follows
from stexplain.explainers.model.probe.time import Timing, timing_of

_IN_TIME = ("one frame", "aligned", "causal", "anticausal")


@dataclass(frozen=True)
class TensorAxes:
    """What the axes of a tensor follow.

    Attributes:
        shape: of the tensor, for as many samples as the plan has.
        layout: such as ``"(b m) c t n"``; none where it cannot be told.
        timing: of its axis of positions in time.
        why: the reason, where the layout, or where positions lie in time, cannot be told.
        nodes: whether an axis follows the nodes.
        frames: whether an axis follows the frames.
        factors: the axes, and those that are folded into them, in their order.
    """

    shape: tuple[int, ...]
    layout: Layout | None
    timing: Timing
    why: str = ""
    nodes: bool = False
    frames: bool = False
    factors: tuple[Factor, ...] = ()


def tensor_axes(reference: Tensor, perturbed: Tensor, plan: Plan) -> TensorAxes:
    """Which axes of a tensor follow the samples, the instances, the frames and the nodes; what is left are channels.

    Args:
        reference: the tensor as it was for the unchanged copies.
        perturbed: the same for the changed ones. Where the plan goes one by one, both have a first axis for the
            copies, before the axes of the tensor.
        plan: of the copies.

    Example:
        >>> from stexplain.explainers.model.probe.plan import changed_signals, first_plan
        >>> import torch
        >>> plan = first_plan({"m": 1, "t": 12, "n": 5, "c": 2})
        >>> before, after = changed_signals(torch.randn(1, 1, 12, 5, 2), plan)
        >>> folded = [each[:, 0, ::3].permute(2, 0, 3, 1).flatten(0, 1) for each in (before, after)]
        >>> axes = tensor_axes(*folded, plan)
        >>> axes.layout.pattern, axes.timing.kind, axes.timing.stride
        ('(n b) c t', 'one frame', 3)
    """
    shape = tuple(reference.shape[1:] if plan.one_by_one else reference.shape)
    factors, why = factors_of(reference, perturbed, plan)
    if factors is None:
        return TensorAxes(shape, None, Timing("none"), why)
    for letter, tests in (("n", plan.node_tests), ("m", plan.instance_tests)):
        size = plan.sizes[letter]
        if size == 1 or not tests:
            continue
        labels = [_label(plan.changes[copy], letter) for copy in tests]
        found, reason = _following(factors, letter, size, tests, labels)
        why = why or reason
        if found is not None:
            place, outer = found
            factors[place : place + 1] = factors[place].split(letter, size, outer)
    factors, timing = _with_time(factors, plan)
    letters = {factor.letter for factor in factors}
    layout, reason = _pattern(factors)
    if why or (timing.kind == "unknown" and "t" not in letters):
        # An axis whose meaning is open might be any: no layout is better than a likely one.
        layout = None
    return TensorAxes(
        shape, layout, timing, why or reason or timing.why, "n" in letters, "t" in letters, tuple(factors)
    )


def _label(change: Change, letter: str) -> int:
    value = change.node if letter == "n" else change.instance
    assert value is not None
    return value


def _following(
    factors: list[Factor], letter: str, size: int, tests: list[int], labels: list[int]
) -> tuple[tuple[int, int] | None, str]:
    """The axis that follows the nodes or the instances: its place, and the size outside of it where it is folded."""
    noun = "nodes" if letter == "n" else "instances"
    fits = []
    for place, factor in enumerate(factors):
        for outer, _ in factor.views(size):
            if clarity := follows(factor.along(outer, size)[1][tests], labels):
                fits.append((clarity, place, outer))
    # Other ways to unfold an axis may follow, too, less clearly: the right one has the most zeros.
    fits.sort(reverse=True)
    if len(fits) == 1 or (len(fits) > 1 and fits[0][0] > fits[1][0]):
        return fits[0][1:], ""
    if fits:
        return None, f"more than one axis follows the {noun}"
    # An axis of their number that was not found to follow them may be of channels, or mix all of them evenly.
    if any(factor.size == size and not factor.letter for factor in factors):
        return None, f"an axis of size {size} may be that of the {noun}, but does not follow them in their order"
    return None, ""


def _with_time(factors: list[Factor], plan: Plan) -> tuple[list[Factor], Timing]:
    """The factors with the one named that follows the frames, and where its positions lie in time."""
    frames, tests = plan.sizes["t"], plan.frame_tests
    if frames == 1 or not tests:
        return factors, Timing("none")
    changes = [plan.changes[copy] for copy in tests]
    whole = [
        (place, timing_of(changes, factor.response[tests] > 0, frames))
        for place, factor in enumerate(factors)
        if not factor.letter and factor.response is not None and factor.size > 1
    ]
    found = [(place, 1, factors[place].size, timing) for place, timing in whole if timing.kind in _IN_TIME]
    if not found:
        found = [fold for place, timing in whole if timing.kind != "global" for fold in _folds(factors, place, plan)]
    if not found:
        found = [fit for place, _ in whole for fit in _own_frames(factors, place, plan)]
    if len(found) == 1:
        ((place, outer, size, timing),) = found
        return [*factors[:place], *factors[place].split("t", size, outer), *factors[place + 1 :]], timing
    if found:
        return factors, Timing("unknown", why="more than one axis follows the frames")
    return _unknown_time(factors, whole, plan)


def _unknown_time(factors: list[Factor], whole: list[tuple[int, Timing]], plan: Plan) -> tuple[list[Factor], Timing]:
    """What can be said where no axis was found whose positions lie at known frames."""
    moving = [(place, timing) for place, timing in whole if timing.kind == "unknown"]
    if len(moving) == 1:
        # The axis is that of time, but where its positions lie is not known.
        place, timing = moving[0]
        return [*factors[:place], *factors[place].split("t", factors[place].size, 1), *factors[place + 1 :]], timing
    if len(moving) > 1:
        return factors, Timing("unknown", why="more than one axis depends on the frames")
    if any(factors[place].size == plan.sizes["t"] for place, _ in whole):
        why = f"an axis of size {plan.sizes['t']} may be that of the frames, but each of its positions sees all frames"
        return factors, Timing("unknown", why=why)
    if len(whole) > 1:
        # Channels and positions that all see the whole clip look alike.
        why = "each position sees all frames: which axis is that of time, if any, cannot be told"
        return factors, Timing("unknown", sees=plan.sizes["t"], why=why)
    return factors, Timing("none")


def _folds(factors: list[Factor], place: int, plan: Plan) -> Iterator[tuple[int, int, int, Timing]]:
    """The finest axis of time that is folded into an axis: coarser ones would seem to have a larger stride."""
    factor, tests = factors[place], plan.frame_tests
    changes = [plan.changes[copy] for copy in tests]
    for size in divisors(factor.size)[1:]:
        if size < 2 or size > 4 * plan.sizes["t"]:
            continue
        fits = []
        for outer, _ in factor.views(size):
            along = factor.along(outer, size)[1]
            timing = timing_of(changes, along[tests] > 0, plan.sizes["t"])
            if timing.kind in _IN_TIME and _alike(factor, outer, size, tests):
                fits.append((place, outer, size, timing))
        if fits:
            yield from fits
            return


def _alike(factor: Factor, outer: int, size: int, tests: list[int]) -> bool:
    """Whether an axis that would be folded with others looks the same for each index of those, as channels do."""
    assert factor.response is not None
    folded = factor.response[tests].reshape(len(tests), outer, size, -1) > 0
    return bool((folded == folded.any((1, 3), keepdims=True)).mean() > 0.95)


def _own_frames(factors: list[Factor], place: int, plan: Plan) -> Iterator[tuple[int, int, int, Timing]]:
    """An axis as long as the clip, whose positions see all frames and their own most: attention."""
    factor, frames = factors[place], plan.sizes["t"]
    single = [
        copy for copy in plan.frame_tests if (span := plan.changes[copy].frames) is not None and span[0] == span[1]
    ]
    if factor.letter or factor.size != frames or not _spread(factor, single, plan):
        return
    yield place, 1, frames, Timing("global", 1, 0.0, frames, frames - 1)


def _spread(factor: Factor, single: list[int], plan: Plan) -> bool:
    """Whether the axis follows single frames, in some subset of copies that is spread over the clip."""
    assert factor.response is not None
    # Assignments are counted among all orders: of many frames some, far apart, are enough.
    step = max(1, -(-len(single) // 6))
    order = sorted(single, key=lambda copy: plan.changes[copy].frames or (0, 0))
    starts = [order[start::step] for start in range(step)]
    return all(
        follows(factor.response[part], [(plan.changes[copy].frames or (0, 0))[0] for copy in part]) for part in starts
    )


def _pattern(factors: list[Factor]) -> tuple[Layout | None, str]:
    """The layout that the named factors make; what is left over are channels."""
    letters = iter(CHANNELS)
    groups: dict[int, list[str]] = {}
    for factor in factors:
        group = groups.setdefault(factor.dimension, [])
        if factor.size == 1 and not factor.letter:
            continue
        letter = factor.letter or next(letters, "")
        if not letter:
            return None, "it has more axes of channels than a layout can name"
        group.append(letter)
    names = [
        "1" if not group else group[0] if len(group) == 1 else f"({' '.join(group)})"
        for _, group in sorted(groups.items())
    ]
    return Layout(" ".join(names)), ""
