"""The plan of a probe: how many copies of one sample go through the model, and what is changed in each of them.

A layer's output follows an axis where it changes with it: copy by copy, node by node, frame by frame. Some copies are
not changed at all: where they change, samples influence each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FEW_FRAMES = 16
"""Up to so many frames each is changed by itself; of longer clips the frames up to, and from, a few of them."""
NODE_TESTS = 6
"""So many copies have one node changed: an axis of channels agrees with all of them in one of 6^6 cases by chance."""
CONTROLS = 2
MORE = 12
"""So many copies of each kind are added where the first ones left something open."""


@dataclass(frozen=True)
class Change:
    """What is changed in one copy: a node of an instance, at all frames, or some frames at all nodes; or nothing.

    Attributes:
        instance: which; none: all.
        node: which; none: all.
        frames: the first and the last frame; none: all.
        nothing: whether nothing is changed at all.
        rolled: whether the values at these frames change places with each other, which keeps their mean and spread.
    """

    instance: int | None = None
    node: int | None = None
    frames: tuple[int, int] | None = None
    nothing: bool = False
    rolled: bool = False


@dataclass(frozen=True)
class Plan:
    """Which copy is changed how.

    Attributes:
        changes: one for each copy, in the order of the batch.
        sizes: of the axes m, t, n, c of the sample.
        samples: the size of the batch that goes through the model: the number of copies; or, where the model only
            runs on a batch of a certain size, that size: then the copies go through one after the other, each as the
            first sample of the caller's own batch.
        one_by_one: whether that is so.
        rounding: changes by less than this share of the largest may be of rounding, where they cannot be determined by
            exact inequality.
    """

    changes: tuple[Change, ...]
    sizes: dict[str, int]
    samples: int
    one_by_one: bool = False
    rounding: float = 1e-8

    @property
    def controls(self) -> list[int]:
        """The copies in which nothing is changed."""
        return [copy for copy, change in enumerate(self.changes) if change.nothing]

    @property
    def node_tests(self) -> list[int]:
        """The copies in which one node is changed at all frames."""
        return [copy for copy, change in enumerate(self.changes) if change.node is not None and change.frames is None]

    @property
    def instance_tests(self) -> list[int]:
        """The copies in which one instance is changed."""
        return [
            copy for copy, change in enumerate(self.changes) if change.instance is not None and change.frames is None
        ]

    @property
    def frame_tests(self) -> list[int]:
        """The copies in which some of the frames are changed."""
        return [
            copy
            for copy, change in enumerate(self.changes)
            if change.frames is not None and change.node is None and not change.rolled
        ]

    @property
    def single_frame_tests(self) -> list[int]:
        """The copies in which one frame is changed."""
        return [copy for copy in self.frame_tests if len(set(self.changes[copy].frames or ())) == 1]

    @property
    def rolled_tests(self) -> list[int]:
        """The copies in which the values of some frames have changed places."""
        return [copy for copy, change in enumerate(self.changes) if change.rolled]

    def joined(self, other: "Plan") -> "Plan":
        """The copies of both plans, for a tensor of which both were observed."""
        return replace(self, changes=self.changes + other.changes)

    def one_after_another(self, samples: int) -> "Plan":
        """The same changes for a model that only runs on batches of this size."""
        return replace(self, samples=samples, one_by_one=True)


def first_plan(sizes: dict[str, int]) -> Plan:
    """The plan that tells the axes of any tensor, and, of short clips, the exact frames that a position sees.

    Args:
        sizes: of the axes m, t, n, c of a sample.

    Example:
        >>> plan = first_plan({"m": 1, "t": 12, "n": 5, "c": 2})
        >>> len(plan.changes), len(plan.controls), len(plan.node_tests), len(plan.frame_tests)
        (23, 5, 6, 12)
    """
    frames = sizes["t"]
    return plan_of(node_changes(sizes) + _frames(frames), sizes)


def _frames(frames: int) -> list[Change]:
    """Of a short clip each frame by itself; of a long one those up to, and from, a few of them."""
    if frames > FEW_FRAMES:
        return frame_intervals(_spread(frames), frames)
    return [Change(frames=(frame, frame)) for frame in range(frames)] if frames > 1 else []


def node_changes(sizes: dict[str, int]) -> list[Change]:
    """Some nodes, each changed in a copy of its own.

    Args:
        sizes: of the axes m and n of a sample.
    """
    return [Change(instance=m, node=v) for v, m in _nodes(sizes["n"], sizes["m"])]


def plan_of(changes: Sequence[Change], sizes: dict[str, int]) -> Plan:
    """A plan with these changes and controls among them, whose number of copies is prime.

    A prime number of copies is hardly ever a factor of the size of another axis, so that few axes can be mistaken for
    that of the samples.
    """
    copies = len(changes) + CONTROLS
    while any(copies % divisor == 0 for divisor in range(2, copies)):
        copies += 1
    mixed = [*changes, *[Change(nothing=True)] * (copies - len(changes))]
    # In no order: of a fold of samples with another axis, only the right one finds the controls unchanged.
    order = torch.randperm(copies, generator=torch.Generator().manual_seed(copies), device="cpu").tolist()
    return Plan(tuple(mixed[index] for index in order), dict(sizes), copies)


def ends_plan(sizes: dict[str, int]) -> Plan:
    """The plan that asks alone whether the first frame, and the last, are seen everywhere: three copies.

    Args:
        sizes: of the axes m, t, n, c of a sample.
    """
    last = sizes["t"] - 1
    return Plan((Change(frames=(0, 0)), Change(nothing=True), Change(frames=(last, last))), dict(sizes), 3)


def frame_intervals(last_frames: Sequence[int], frames: int) -> list[Change]:
    """For each of these frames: all up to it are changed in one copy, all after it in another."""
    up_to = [Change(frames=(0, frame)) for frame in last_frames]
    return up_to + [Change(frames=(frame + 1, frames - 1)) for frame in last_frames]


def closed(changes: Sequence[Change], changed: NDArray[np.bool_], frames: int) -> NDArray[np.bool_]:
    """What sees some frames sees all sets that hold them: where one change passes a ReLU, another may not.

    Args:
        changes: each of some frames.
        changed: whether each made a difference at each position, ``[copies, T']``.
        frames: T.
    """
    spans = np.array([change.frames or (0, frames - 1) for change in changes])
    inside = (spans[:, None, 0] <= spans[None, :, 0]) & (spans[None, :, 1] <= spans[:, None, 1])
    return np.asarray((inside.astype(np.float32) @ changed.astype(np.float32)) > 0)


def seen_without_gaps(
    changes: Sequence[Change], first: NDArray[np.int64], last: NDArray[np.int64], frames: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which changes each position responds to that sees all frames from its first to its last.

    Args:
        changes: each of some frames.
        first: the first frame of each position, ``[T']``; below 0 where it lies before the clip.
        last: its last frame, ``[T']``.
        frames: T.

    Returns:
        Whether it responds, ``[copies, T']``; and which changes are of the first frames or the last, ``[copies]``.
    """
    spans = np.array([change.frames or (0, frames - 1) for change in changes])
    # Changes lie in the clip, whatever a position would see beyond.
    low, high = np.maximum(first, spans[:, :1]), np.minimum(last, spans[:, 1:])
    return low <= high, (spans[:, 0] == 0) | (spans[:, 1] == frames - 1)


def seen_with_gaps(changes: Sequence[Change], changed: NDArray[np.bool_], frames: int) -> NDArray[np.bool_] | None:
    """Which frames positions see, ``[T', T]``; none where no gap between them is known, or all see the same.

    Args:
        changes: each of some frames. Only where each frame was changed by itself, gaps are known.
        changed: whether each made a difference at each position, ``[copies, T']``.
        frames: T.
    """
    spans = [change.frames or (0, frames - 1) for change in changes]
    single = {start: row for (start, stop), row in zip(spans, changed, strict=True) if start == stop}
    if len(single) < frames:
        return None
    sees = np.stack([single[frame] for frame in range(frames)], axis=1)
    runs = (np.diff(sees.astype(np.int8), axis=1, prepend=0) > 0).sum(1)
    # Channels of a layer that skips frames would else be positions of a stride, each of which sees all of its taps.
    return sees if (runs > 1).any() and (sees != sees[0]).any() else None


def single_frames(frames: int, count: int = NODE_TESTS) -> list[Change]:
    """Copies with one frame changed, for some frames away from the ends."""
    picks = sorted({round(frames * (2 * part + 1) / (2 * count)) for part in range(count)})
    return [Change(frames=(frame, frame)) for frame in picks if frame < frames]


def further_plan(
    sizes: dict[str, int],
    more_frames: Sequence[int],
    *,
    frames_again: bool,
    all_see_all: bool,
    nodes: bool,
    every: bool = False,
) -> Plan:
    """More copies, for what the first ones left open.

    Args:
        sizes: of the axes m, t, n, c of a sample.
        more_frames: frames k, such that changes up to k and from k + 1 on tell strides and offsets from each other.
        frames_again: whether the frames of the first plan are changed once more, to other values.
        all_see_all: whether there are axes all of whose indices see all frames.
        nodes: whether the nodes are open.
        every: whether each frame is changed by itself.
    """
    frames = sizes["t"]
    # Some of many, evenly: each of those that fit is asked for.
    changes = frame_intervals(sorted(set(more_frames))[:: 1 + len(set(more_frames)) // (2 * MORE)], frames)
    if frames_again:
        changes += _frames(frames)
    if all_see_all and frames > 2:
        few = range(1, frames - 2) if frames <= FEW_FRAMES else [max(frame, 1) for frame in _spread(frames)]
        changes += [
            replace(change, rolled=True) for change in frame_intervals(few, frames) if change.frames and _long(change)
        ]
        if frames > FEW_FRAMES:
            changes += single_frames(frames, MORE)
    if every:
        changes += [one for one in (Change(frames=(frame, frame)) for frame in range(frames)) if one not in changes]
    if nodes:
        tests = [Change(instance=m, node=v) for v, m in _nodes(sizes["n"], sizes["m"], MORE)]
        changes += tests
    return plan_of(changes, sizes)


def _long(change: Change) -> bool:
    start, stop = change.frames or (0, 0)
    return stop > start


def _nodes(nodes: int, instances: int, tests: int = NODE_TESTS) -> list[tuple[int, int]]:
    """Nodes and instances to change, far apart; of few nodes each several times, not always in the same instance.

    Example:
        >>> _nodes(1, 2, 4)
        [(0, 0), (0, 1), (0, 0), (0, 1)]
    """
    if nodes == 1 and instances == 1:
        return [(0, 0)] * 2
    distinct = min(nodes, tests)
    # The middle of equal parts: skeletons and roads list neighbours next to each other.
    picks = [int((2 * part + 1) * nodes / (2 * distinct)) for part in range(distinct)]
    # With each round of the nodes the instances move on by one.
    return [(picks[test % distinct], (test % distinct + test // distinct) % instances) for test in range(tests)]


def _spread(frames: int) -> list[int]:
    """The first frame, the last but one, and some between them whose remainders by strides up to 4 differ.

    Changes up to frame k tell f_0 + s p <= k of every position p: of frames with all remainders by s, f_0 exactly.
    """
    inner = []
    for share, remainder in ((0.15, 1), (0.35, 2), (0.5, 4), (0.65, 7), (0.85, 3)):
        about = round(frames * share)
        inner.append(about + (remainder - about) % 8)
    return sorted({0, frames - 2, *(min(frame, frames - 3) for frame in inner)})


def changed_signals(x: Tensor, plan: Plan) -> tuple[Tensor, Tensor]:
    """The copies of a sample, unchanged and changed.

    A changed value is one that the same channel has elsewhere in the sample: a channel that is an index, such as a
    time of day, stays one. It is far from the value before, in rank. Where no channel has two values, noise is added.

    Args:
        x: a sample ``[1, M, T, N, C]``.
        plan: what is changed.

    Returns:
        Two tensors ``[P, M, T, N, C]``.
    """
    generator = torch.Generator().manual_seed(0)
    reference = x.expand(len(plan.changes), *x.shape[1:]).clone()
    other = other_values(reference.cpu(), generator).to(x)
    changed = reference.clone()
    for copy, change in enumerate(plan.changes):
        if change.nothing:
            continue
        first, last = change.frames or (0, x.shape[2] - 1)
        instance = slice(None) if change.instance is None else change.instance
        node = slice(None) if change.node is None else change.node
        where = (copy, instance, slice(first, last + 1), node)
        if change.rolled:
            shift = max((last - first + 1) // 2, 1)
            changed[where] = reference[where].roll(shift, dims=1)
        else:
            changed[where] = other[where]
    return reference, changed


def other_values(x: Tensor, generator: torch.Generator) -> Tensor:
    """For each value another one of the same channel, about half of all values away in rank."""
    result = x.clone()
    for channel in range(x.shape[-1]):
        values = x[..., channel]
        distinct = torch.unique(values[0])
        if len(distinct) < 2:
            continue
        rank = torch.searchsorted(distinct, values.contiguous())
        half = len(distinct) // 2
        # From a quarter to three quarters of the ranks away, but never a whole turn: the value does change.
        spread = max(half // 2, 1)
        away = half + torch.randint(-spread + 1, spread, values.shape, generator=generator, device="cpu")
        result[..., channel] = distinct[(rank + away.clamp(1, len(distinct) - 1)) % len(distinct)]
    if torch.equal(result, x):
        scale = x.abs().max().clamp(min=1.0)
        result = x + scale * torch.randn(x.shape, generator=generator, dtype=x.dtype, device="cpu")
    return result
