"""Distractors: movements that are independent of the class, drawn without knowledge of any action.

None of them is an action: wrists stay below the elbows, feet do not kick, the spine base keeps its height, the head
does not nod. They move as much as the actions do, so that where motion is says little about what matters.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stexplain.data.planted.actions import Span, fade
from stexplain.data.planted.body import LEFT, RIGHT, Array, Person, Pose, standing

_BEFORE = 60
"""Frames before and after the clip, more than any one distractor takes."""


def restless(person: Person, frames: int, rng: np.random.Generator) -> tuple[Pose, NDArray[np.bool_]]:
    """A standing person who keeps making movements that are independent of the class.

    The clip is cut out of a longer time, so that its beginning and end are as restless as its middle. Each part of
    the body has its own movements and pauses; of the legs, one always stands.

    Args:
        person: who moves.
        frames: T.
        rng: draws which parts move, how and when.

    Returns:
        The pose over T frames, and which frames have the left or the right foot lifted, ``[2, T]``.
    """
    whole = frames + 2 * _BEFORE
    pose = standing(person, whole)
    _sway(pose, rng)
    busy = np.zeros((2, whole), dtype=bool)
    far = person.amplitude
    # Lengths and pauses in frames, each part of the body on its own.
    for side in (LEFT, RIGHT):
        for span in _now_and_then(whole, (32, 54), (0, 8), rng):
            _fidget_arm(pose, side, span, far, rng)
    # One sequence for both legs, so that the other one always stands.
    for span in _now_and_then(whole, (26, 38), (2, 14), rng):
        side = int(rng.integers(2))
        _fidget_leg(pose, side, span, far, rng)
        busy[side, span.slice] = True
    for span in _now_and_then(whole, (32, 54), (0, 20), rng):
        _fidget_trunk(pose, span, far, rng)
    for span in _now_and_then(whole, (24, 44), (10, 60), rng):
        # Sideways only: forward would be a nod.
        pose.head[span.slice, 1] += np.deg2rad(18) * far * _rhythm(span, rng, 0.7, 1.4)[:, 0]
    for span in _now_and_then(whole, (34, 50), (0, 30), rng):
        _step(pose, person, span, rng)
    # Cut from the middle: near the ends of the longer time fewer movements are under way.
    clip = slice(_BEFORE, _BEFORE + frames)
    return pose.cut(clip), busy[:, clip]


def _sway(pose: Pose, rng: np.random.Generator) -> None:
    """Sway: slow and small movements of every part, which a standing person does not notice."""
    time = np.arange(len(pose.pelvis))[:, None] / 30
    for part, size in ((pose.pelvis, 0.012), (pose.trunk, 0.02), (pose.head, 0.04), (pose.wrists, 0.03)):
        # Two frequencies in Hz, each varied, so that no two recordings sway alike.
        for rate in (0.3, 0.7):
            phase = rng.random((*part.shape[:-2], 1, 3))
            part += size * np.sin(2 * np.pi * (rate * rng.uniform(0.7, 1.3) * time + phase))


def _now_and_then(
    frames: int, lengths: tuple[int, int], pauses: tuple[int, int], rng: np.random.Generator
) -> Iterator[Span]:
    """Spans of random length with random pauses between them, until the frames end; both in frames, inclusive."""
    start = int(rng.integers(0, lengths[1]))
    while True:
        length = int(rng.integers(lengths[0], lengths[1] + 1))
        if start + length > frames:
            return
        yield Span(start, length)
        start += length + int(rng.integers(pauses[0], pauses[1] + 1))


def _rhythm(span: Span, rng: np.random.Generator, slowest: float, fastest: float) -> Array:
    """An oscillation that swells and fades, in [-1, 1], ``[frames, 1]``; frequencies in Hz at 30 frames a second."""
    cycles = rng.uniform(slowest, fastest) * span.frames / 30
    return np.sin(2 * np.pi * (cycles * span.phase[:, None] + rng.random())) * fade(span, 0.3)


def _fidget_arm(pose: Pose, side: int, span: Span, far: float, rng: np.random.Generator) -> None:
    # Offsets are outward, up, forward in arm lengths; the squared beat lifts the arm where it swings furthest.
    kind, beat = rng.integers(3), _rhythm(span, rng, 1.3, 1.9)
    if kind == 0:  # swings to the front and back
        offset = beat * [0.0, 0.0, 0.62] + beat**2 * [0.03, 0.20, 0.0]
    elif kind == 1:  # flaps to the side
        offset = fade(span, 0.3) * [0.30, 0.06, 0.0] + beat * [0.38, 0.0, 0.05] + beat**2 * [0.0, 0.20, 0.0]
    else:  # circles low in front
        other = _rhythm(span, rng, 1.3, 1.9)
        offset = fade(span, 0.3) * [0.10, 0.22, 0.25] + beat * [0.36, 0.0, 0.0] + other * [0.0, 0.08, 0.34]
    pose.wrists[side, span.slice] += far * offset


def _fidget_leg(pose: Pose, side: int, span: Span, far: float, rng: np.random.Generator) -> None:
    # To the front, to the back, or aside; none goes far enough forward to be a kick.
    lifts = np.abs(np.sin(np.pi * rng.choice([2.0, 3.0]) * span.phase[:, None])) ** 1.5 * fade(span, 0.2)
    aim = ([0.02, 0.20, 0.10], [0.0, 0.15, -0.28], [0.34, 0.07, 0.0])[rng.integers(3)]
    pose.ankles[side, span.slice] += far * lifts * aim


def _fidget_trunk(pose: Pose, span: Span, far: float, rng: np.random.Generator) -> None:
    # Axis 1 bends to the side, axis 2 twists; bending forward is left to the actions.
    if rng.random() < 0.6:
        pose.trunk[span.slice, 1] += np.deg2rad(16) * far * _rhythm(span, rng, 0.6, 1.0)[:, 0]
    else:
        pose.trunk[span.slice, 2] += np.deg2rad(28) * far * _rhythm(span, rng, 0.5, 1.0)[:, 0]


def _step(pose: Pose, person: Person, span: Span, rng: np.random.Generator) -> None:
    """A step aside, forward or back, and back again: the feet follow one after the other."""
    angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.20, 0.35)
    way = length * np.array([np.cos(angle), 0.0, np.sin(angle)])
    leader = RIGHT if way[0] > 0 else LEFT
    # The body moves between the two feet, so it begins after the first and arrives before the last.
    pose.pelvis[span.slice] += _travel(span, 0.15, 0.85)[:, None] * way
    for side, (begin, end) in ((leader, (0.0, 0.6)), (1 - leader, (0.4, 1.0))):
        gone = _travel(span, begin, end)
        lift = 0.07 * np.sin(np.pi * gone) ** 2
        foot = gone[:, None] * way + np.stack([0 * lift, lift, 0 * lift], axis=-1)
        pose.ankles[side, span.slice] += foot / person.leg * [1.0 if side == RIGHT else -1.0, 1.0, 1.0]


def _travel(span: Span, begin: float, end: float) -> Array:
    """How far a step has gone, in [0, 1], ``[frames]``: forth in the first half of the span, back in the second.

    Within each half it moves between the shares `begin` and `end` of the time.
    """
    forth_and_back = 1 - np.abs(2 * span.phase - 1)
    share = np.clip((forth_and_back - begin) / (end - begin), 0.0, 1.0)
    # A smooth step, without a jump in speed at either end.
    return np.asarray(share * share * (3 - 2 * share))
