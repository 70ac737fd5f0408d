"""The axes of a tensor that a model computes, from two observations of it: of unchanged copies, and of changed ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from stexplain.axes import CHANNELS, Layout
from stexplain.explainers.model.probe.following import deviations, follows
from stexplain.explainers.model.probe.in_time import with_time
from stexplain.explainers.model.probe.plan import Plan
from stexplain.explainers.model.probe.responses import Factor, factors_of
from stexplain.explainers.model.probe.time import Timing


@dataclass(frozen=True)
class TensorAxes:
    """What the axes of a tensor follow.

    Attributes:
        layout: such as ``"(b m) c t n"``; none where it cannot be determined.
        timing: of its axis of positions in time.
        why: the reason, where the layout, or where positions lie in time, cannot be determined.
        open_axes: the reason, where the nodes or the instances cannot be determined.
        nodes: whether an axis follows the nodes.
        frames: whether an axis follows the frames.
        factors: the axes in their order, those that are folded by themselves, with the letters of all that are known.
        unnamed: the same with that of the samples named and unfolded alone.
        shape: of the tensor, for as many samples as the plan has.
        sizes: of the axes that the layout names, but for the samples': of several that are folded it takes them all.
    """

    layout: Layout | None
    timing: Timing
    why: str = ""
    nodes: bool = False
    frames: bool = False
    factors: tuple[Factor, ...] = ()
    unnamed: tuple[Factor, ...] = ()
    shape: tuple[int, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    open_axes: str = ""


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
    return TensorAxes(None, Timing("none"), why, shape=shape) if factors is None else axes_of(factors, plan, shape)


def axes_of(factors: list[Factor], plan: Plan, shape: tuple[int, ...] = ()) -> TensorAxes:
    """The axes of a tensor from how its factors respond.

    Args:
        factors: with that of the samples named.
        plan: of the copies, in the order of the factors' responses.
        shape: of the tensor.
    """
    named = list(factors)
    why = ""
    # Nodes once more: of an axis that holds instances, too, what is left may be that of the nodes.
    for letter, tests in (("n", plan.node_tests), ("m", plan.instance_tests), ("n", plan.node_tests)):
        size = plan.sizes[letter]
        if size == 1 or not tests or letter in {factor.letter for factor in named}:
            continue
        found, reason = _following(named, letter, size, tests, plan)
        why = why or reason
        if found is not None:
            place, outer = found
            named[place : place + 1] = named[place].split(letter, size, outer)
    named, timing = with_time(named, plan)
    letters = {factor.letter for factor in named}
    layout, sizes, reason = layout_of(named)
    if why or (timing.kind == "unknown" and "t" not in letters):
        # An axis whose meaning is open might be any: no layout is better than a likely one.
        layout = None
    return TensorAxes(
        layout,
        timing,
        why or reason or timing.why,
        "n" in letters,
        "t" in letters,
        tuple(named),
        tuple(factors),
        shape,
        sizes,
        open_axes=why,
    )


def _following(
    factors: list[Factor], letter: str, size: int, tests: list[int], plan: Plan
) -> tuple[tuple[int, int] | None, str]:
    """The axis that follows the nodes or the instances: its place, and the size outside of it where it is folded."""
    noun = "nodes" if letter == "n" else "instances"
    changes = [plan.changes[copy] for copy in tests]
    labels = [change.node if letter == "n" else change.instance for change in changes]
    known = [label for label in labels if label is not None]
    fits = []
    for place, factor in enumerate(factors):
        for outer, _ in factor.views(size):
            largest, strength = factor.largest(outer, size)[1], factor.mean_square(outer, size)[1]
            if clarity := follows(largest[tests], strength[tests], known):
                fits.append((clarity, place, outer))
    fits = [fit for fit in fits if fit[0] > 1 or not _rivals(factors, fit[1], size, tests, known)]
    # Other ways to unfold an axis may follow, too, less clearly: the right one has the most zeros.
    fits.sort(reverse=True)
    if fits and all(fits[0][0] > other[0] for other in fits[1:2]):
        return fits[0][1:], ""
    if fits:
        return None, f"more than one axis follows the {noun}"
    # An axis of their number that was not found to follow them may be of channels, or mix all of them evenly.
    if any(factor.size == size and not factor.letter for factor in factors):
        return None, f"an axis of size {size} may be that of the {noun}, but does not follow them in their order"
    return None, ""


def _rivals(factors: list[Factor], place: int, size: int, tests: list[int], labels: list[int]) -> bool:
    """Whether another axis of the same size stands out, too, if less, as of attention between nodes.

    By strength alone, without zeros, the clearer one of both may be the wrong one.
    """
    others = [one for number, one in enumerate(factors) if number != place and one.size == size and not one.letter]
    return any(deviations(one.strength[tests], labels) > 2 for one in others if one.strength is not None)


def layout_of(factors: list[Factor]) -> tuple[Layout | None, dict[str, int], str]:
    """The layout that the named factors make, and the sizes of its axes; what is left over are channels."""
    letters = iter(CHANNELS)
    sizes: dict[str, int] = {}
    groups: dict[int, list[str]] = {}
    for factor in factors:
        group = groups.setdefault(factor.dimension, [])
        if factor.size == 1 and not factor.letter:
            continue
        letter = factor.letter or next(letters, "")
        if not letter:
            return None, {}, "it has more axes of channels than a layout can name"
        group.append(letter)
        if letter != "b":
            sizes[letter] = factor.size
    if any("t" in group and CHANNELS[1] in sizes and set(group) & set(CHANNELS) for group in groups.values()):
        # An axis of time some of whose positions are at rest, as behind a ReLU, looks like a fold with channels; time
        # is hardly ever folded with channels where there is an axis of channels beside it.
        return None, {}, "an axis of time may be folded with channels, or some of its positions are at rest"
    names = [
        "1" if not group else group[0] if len(group) == 1 else f"({' '.join(group)})"
        for _, group in sorted(groups.items())
    ]
    return Layout(" ".join(names)), sizes, ""
