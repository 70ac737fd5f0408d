"""Bodies that a detector found, as persons: linked over frames, joined where their id changed, without furniture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from stexplain.wording import counted

# NTU RGB+D's own rules (Shahroudy et al., CVPR 2016, and the preparation of its users): a body seen in at most 11
# frames is a flicker; one that is wider than 0.8 of its height in 70% of its frames lies or is no person.
FEWEST_FRAMES = 11
WIDEST = 0.8
MOST_WIDE_FRAMES = 0.7
# A person who stands still still moves by this share of their own size, in the noise of a sensor alone.
STILLEST = 0.002
FARTHEST = 0.5
"""The largest mean distance of joints from one frame to the next of a person, as a share of the body's extent."""
FARTHEST_OVER_A_GAP = 2.0
"""As far, in sizes of a body, as someone runs in half a second: over `LONGEST_GAP` frames of 30 a second."""
LONGEST_GAP = 15
"""The most frames between the end of a body and the beginning of another that is the same person."""


@dataclass(frozen=True)
class LeftOut:
    """A body that was left out, joined to another, or made of what single frames hold.

    Attributes:
        body: its index in the recording.
        kind: ``"short"``, ``"spread"``, ``"still"``, ``"joined"``, or ``"linked"``: it stays, and nothing but the
            places of its joints says that it is one person.
        reason: in words, with the numbers.
        to: where it was joined, the body to which.
    """

    body: int
    kind: str
    reason: str
    to: int | None = None

    def said(self, names: Sequence[object]) -> str:
        """The reason, with the name of the body to which it was joined."""
        return self.reason if self.to is None else f"{self.reason} with body {names[self.to]}"


@dataclass
class _Linked:
    """What is known of a body that was linked over frames."""

    frames: int = 0
    with_others: int = 0
    gap: int = 0
    farthest: float = 0.0

    def is_choice(self) -> bool:
        return self.frames > 1 and bool(self.with_others or self.gap)

    def reason(self) -> str:
        away = f", away for up to {counted(self.gap, 'frame')}" if self.gap else ""
        return (
            f"no track says who it is: linked over {self.frames} frames by where its joints are, {self.with_others} of "
            f"them with others, {self.farthest:.2f} of its size from one to the next at most{away}"
        )


def linked(frames: Sequence[NDArray[np.float32]], axes: int) -> tuple[NDArray[np.float32], list[LeftOut]]:
    """Bodies of each frame, in any order, as bodies over time, ``[M, T, N, C]``, and which of them could be others.

    From frame to frame bodies are paired so that the sum of the distances between their joints is smallest (Kuhn 1955);
    a body that is farther from all than `FARTHEST` begins a new one. Over a gap it may be as many times as far, up to
    `FARTHEST_OVER_A_GAP`; after one of more than `LONGEST_GAP` frames it is the same person in the same place alone.

    Args:
        frames: ``[bodies, N, C]`` of each frame; any number of bodies, NaN where a joint was not read.
        axes: how many of the channels, the first, are coordinates.

    Returns:
        The bodies, and each of them that was beside another in a frame, or away for some frames and found again. One
        that is alone in every frame from its first to its last leaves no choice.

    Example:
        >>> a, b = np.zeros((4, 2), np.float32), np.full((4, 2), 9.0, np.float32)
        >>> a[:, 1], b[:, 1] = np.arange(4), np.arange(4)
        >>> found, said = linked([np.stack([a, b]), np.stack([b, a])], 2)
        >>> found[:, :, 0, 0].tolist()
        [[0.0, 0.0], [9.0, 9.0]]
        >>> said[1].reason
        'no track says who it is: linked over 2 frames by where its joints are, 2 of them with others, 0.00 of its ...'
    """
    shape = frames[0].shape[1:] if frames else (0, 0)
    tracks: list[NDArray[np.float32]] = []
    last: list[tuple[int, NDArray[np.float32]]] = []
    made: list[_Linked] = []
    for at, bodies in enumerate(frames):
        present = int((~np.isnan(bodies).all((1, 2))).sum())
        taken: dict[int, int] = {}
        if len(bodies) and last:
            cost = np.array([[_distance(body, seen, axes) for _, seen in last] for body in bodies])
            allowed = np.array([_reach(at - when) for when, _ in last])
            usable = cost <= allowed
            for row, column in zip(*linear_sum_assignment(np.where(usable, cost, 1e6)), strict=True):
                if usable[row, column]:
                    taken[int(row)] = int(column)
                    one = made[int(column)]
                    one.farthest = max(one.farthest, float(cost[row, column]))
                    one.gap = max(one.gap, at - last[int(column)][0] - 1)
        for number, body in enumerate(bodies):
            if np.isnan(body).all():
                continue
            if number not in taken:
                tracks.append(np.full((len(frames), *shape), np.nan, np.float32))
                last.append((at, body))
                made.append(_Linked())
                taken[number] = len(tracks) - 1
            track = taken[number]
            tracks[track][at] = body
            last[track] = (at, body)
            made[track].frames += 1
            made[track].with_others += present > 1
    said = [LeftOut(body, "linked", one.reason()) for body, one in enumerate(made) if one.is_choice()]
    return np.stack(tracks) if tracks else np.zeros((0, len(frames), *shape), np.float32), said


def _reach(frames: int) -> float:
    """How far a person may be from where they were so many frames ago, in sizes of their body."""
    return FARTHEST if frames > LONGEST_GAP + 1 else min(FARTHEST * frames, FARTHEST_OVER_A_GAP)


def _distance(one: NDArray[np.float32], other: NDArray[np.float32], axes: int) -> float:
    """The mean distance between joints of two bodies, as a share of their extent; infinite without a common joint."""
    both = ~(np.isnan(one[:, :axes]) | np.isnan(other[:, :axes])).any(1)
    if not both.any():
        return float("inf")
    a, b = one[both, :axes], other[both, :axes]
    extent = max(float(np.ptp(a, axis=0).max()), float(np.ptp(b, axis=0).max()), 1e-9)
    return float(np.linalg.norm(a - b, axis=1).mean()) / extent


def joined_tracks(values: NDArray[np.float32], axes: int) -> tuple[NDArray[np.float32], list[LeftOut]]:
    """Bodies of which one ends where, and soon before, another begins, as one: a sensor gave a person a new id.

    At most `LONGEST_GAP` frames lie between the two, and joints are at most `FARTHEST` apart.

    Args:
        values: ``[M, T, N, C]``, NaN where a body is absent.
        axes: how many of the channels, the first, are coordinates.

    Returns:
        Fewer bodies, in the order of their first frames, and which were joined to which.
    """
    values = values.copy()
    seen = ~np.isnan(values).any(axis=3)
    present = np.logical_or.reduce(np.asarray(seen), axis=2)
    said: list[LeftOut] = []
    gone: set[int] = set()
    for later in sorted(range(len(values)), key=lambda body: int(present[body].argmax())):
        if not present[later].any():
            continue
        start = int(present[later].argmax())
        best: tuple[float, int, int] | None = None
        for earlier in range(len(values)):
            if earlier in (gone | {later}) or not present[earlier].any():
                continue
            end = int(np.flatnonzero(present[earlier])[-1])
            if 0 < start - end <= LONGEST_GAP + 1:
                far = _distance(values[earlier, end], values[later, start], axes)
                if far <= FARTHEST and (best is None or far < best[0]):
                    best = (far, earlier, start - end - 1)
        if best is not None:
            far, earlier, gap = best
            values[earlier, start:] = values[later, start:]
            present[earlier] |= present[later]
            present[later] = False
            gone.add(later)
            reason = f"it begins {gap} frames after another ends, {far:.2f} of its size away: one person"
            said.append(LeftOut(later, "joined", reason, earlier))
    return values[[body for body in range(len(values)) if body not in gone]], said


def furniture(values: NDArray[np.float32], axes: int) -> list[LeftOut]:
    """The bodies of a recording that are no persons, by the usual rules of NTU RGB+D, unless none would be left.

    Args:
        values: ``[M, T, N, C]``, NaN where a body is absent.
        axes: how many of the channels, the first, are coordinates.

    Returns:
        Short: in at most 11 frames. Spread: wider, along the first channel, than 0.8 of its
        height, along the second, in more than 70% of its frames. Still: its
        joints move by less than 0.2% of its size. Bodies are only left out where another stays.
    """
    found: list[LeftOut] = []
    if len(values) < 2 or axes < 2:
        return found
    for body, track in enumerate(values):
        frames = track[~np.isnan(track[..., :axes]).any(2).any(1), :, :axes]
        if len(frames) <= FEWEST_FRAMES:
            found.append(LeftOut(body, "short", f"it is complete in {len(frames)} frames, at most {FEWEST_FRAMES}"))
            continue
        extent = np.ptp(frames, axis=1)  # [T', axes]
        wide = float((extent[:, 0] > WIDEST * extent[:, 1]).mean())
        if wide > MOST_WIDE_FRAMES:
            found.append(
                LeftOut(body, "spread", f"it is wider than {WIDEST} of its height in {wide:.0%} of its frames")
            )
            continue
        moved = float(frames.std(0).mean() / max(float(extent.max()), 1e-9))
        if moved < STILLEST:
            found.append(LeftOut(body, "still", f"its joints move by {moved:.2%} of its size"))
    return found if len(found) < len(values) else []


def persons(values: NDArray[np.float32], axes: int) -> tuple[NDArray[np.float32], list[int], list[LeftOut]]:
    """The persons of a recording: bodies of one person joined, and those that are none left out.

    Args:
        values: ``[M, T, N, C]``, NaN where a body is absent.
        axes: how many of the channels, the first, are coordinates.

    Returns:
        Their values, for each its index among the bodies that were recorded (of the first where several were joined),
        and what was joined or left out, by such indices too.
    """
    together, said = joined_tracks(values, axes)
    joined = {one.body for one in said}
    indices = [body for body in range(len(values)) if body not in joined]
    gone = [LeftOut(indices[one.body], one.kind, one.reason) for one in furniture(together, axes)]
    left_out = {one.body for one in gone}
    stay = [place for place, body in enumerate(indices) if body not in left_out]
    return together[stay], [indices[place] for place in stay], [*said, *gone]
