"""Twelve actions as movements of a body: each replaces, or adds to, channels of a `Pose` over a span of frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from stexplain.data.planted.body import HANGING, LEFT, RIGHT, Array, Person, Pose

Point = Sequence[float] | Array


@dataclass(frozen=True)
class Span:
    """The frames `start` to `start + frames - 1` of a clip."""

    start: int
    frames: int

    @property
    def slice(self) -> slice:
        """For indexing the axis of frames."""
        return slice(self.start, self.start + self.frames)

    @property
    def phase(self) -> Array:
        """0 at the first frame to 1 at the last, ``[frames]``."""
        return np.linspace(0.0, 1.0, self.frames)


# The paths below are (outward, up, forward) of the trunk in arm lengths, from the shoulder, at phases of the span.
Perform = Callable[[Pose, Person, Span, np.random.Generator], None]


@dataclass(frozen=True)
class Action:
    """One action of the dataset and how it is performed.

    Attributes:
        seconds: shortest and longest duration for a person of average tempo.
        perform: changes a pose within a span.
        stays: whether the pose at the end of the span stays, as in sitting down.
        legs: whether the action needs the other leg to stand on.
    """

    seconds: tuple[float, float]
    perform: Perform
    stays: bool = False
    legs: bool = False


def _path(span: Span, *points: tuple[float, Point]) -> Array:
    """A smooth path ``[frames, 3]`` through points at phases."""
    times, places = zip(*points, strict=True)
    # Monotone between points: a plain cubic spline would overshoot them.
    return np.asarray(PchipInterpolator(times, np.array(places, dtype=float))(span.phase))


def _wave(span: Span, first: float, last: float, cycles: float) -> Array:
    """A sine of so many cycles between two phases, nothing outside, ``[frames, 1]``."""
    # The power 0.25 is an envelope: almost flat, and zero without a jump at both ends.
    inside = np.clip((span.phase - first) / (last - first), 0.0, 1.0)
    return (np.sin(2 * np.pi * cycles * inside) * np.sin(np.pi * inside) ** 0.25)[:, None]


def _take_arm(pose: Pose, side: int, span: Span, path: Array, elbow: Point) -> None:
    """Moves an arm along a path; what it did before is blended out."""
    weight = fade(span, 0.18)
    frames = span.slice
    pose.wrists[side, frames] = (1 - weight) * pose.wrists[side, frames] + weight * path
    pose.elbows[side, frames] = (1 - weight) * pose.elbows[side, frames] + weight * np.asarray(elbow)


def _take_leg(pose: Pose, side: int, span: Span, path: Array) -> None:
    """Moves a leg along a path; what it did before is blended out."""
    weight = fade(span, 0.15)
    frames = span.slice
    pose.ankles[side, frames] = (1 - weight) * pose.ankles[side, frames] + weight * path


def fade(span: Span, share: float) -> Array:
    """The weight of a movement: 0 at both ends of its span, 1 between, with ramps of a share of it, ``[frames, 1]``."""
    # A smooth step: no jump in speed, which would give the action's ends away.
    ramp = np.clip(np.minimum(span.phase, 1 - span.phase) / share, 0.0, 1.0)
    weight: Array = ramp * ramp * (3 - 2 * ramp)
    return weight[:, None]


def _further(path: Array, person: Person, rng: np.random.Generator) -> Array:
    """The path, with this person's amplitude: scaled about the hanging arm, a little different each time."""
    further: Array = HANGING + person.amplitude * rng.uniform(0.95, 1.05) * (path - HANGING)
    return further


def _drink(pose: Pose, person: Person, span: Span, rng: np.random.Generator) -> None:
    # The glass is tilted one and a half times, so the hand rises at the mouth.
    tilt = 0.10 * np.maximum(_wave(span, 0.36, 0.70, 1.5), 0.0) * [0.0, 1.0, 0.2]
    mouth = (-0.10, 0.10, 0.42)
    path = _path(span, (0, HANGING), (0.15, (0.05, -0.60, 0.50)), (0.34, mouth), (0.72, mouth), (1, HANGING))
    _take_arm(pose, person.side, span, path + tilt + rng.normal(0, 0.02, 3), (0.6, -1.0, 0.0))


def _throw(pose: Pose, person: Person, span: Span, rng: np.random.Generator) -> None:
    path = _path(
        span,
        (0, HANGING),
        (0.14, (0.50, -0.55, -0.15)),
        (0.32, (0.45, 0.50, -0.35)),
        (0.42, (0.38, 0.55, -0.42)),
        (0.58, (0.05, 0.50, 0.78)),
        (0.70, (-0.30, -0.25, 0.80)),
        (0.80, (-0.30, -0.60, 0.50)),
        (1, HANGING),
    )
    _take_arm(pose, person.side, span, _further(path, person, rng), (1.0, -0.2, -0.1))


def _wave_hand(pose: Pose, person: Person, span: Span, rng: np.random.Generator) -> None:
    # Hand above the shoulder and aside, so that it is neither a salute nor a throw.
    raised = (0.55, 0.38, 0.25)
    path = _path(span, (0, HANGING), (0.12, (0.60, -0.50, 0.30)), (0.26, raised), (0.80, raised), (1, HANGING))
    swing = _wave(span, 0.22, 0.84, rng.choice([1.5, 2.0, 2.5])) * [0.28, 0.05, 0.0]
    _take_arm(pose, person.side, span, _further(path + swing, person, rng), (0.5, -1.0, 0.0))


def _point(pose: Pose, person: Person, span: Span, rng: np.random.Generator) -> None:
    # Almost straight ahead, in a direction of its own each time.
    outward, up = rng.uniform(-0.05, 0.35), rng.uniform(-0.05, 0.15)
    far = (outward, up, 0.95)
    path = _path(span, (0, HANGING), (0.12, (0.15, -0.65, 0.55)), (0.30, far), (0.75, far), (1, HANGING))
    _take_arm(pose, person.side, span, path, (0.4, -1.0, 0.0))


def _salute(pose: Pose, person: Person, span: Span, rng: np.random.Generator) -> None:
    brow = (0.08, 0.38, 0.18)
    path = _path(span, (0, HANGING), (0.16, (0.45, -0.45, 0.35)), (0.36, brow), (0.74, brow), (1, HANGING))
    _take_arm(pose, person.side, span, path + rng.normal(0, 0.02, 3), (1.0, 0.0, 0.1))


def _clap(pose: Pose, person: Person, span: Span, rng: np.random.Generator) -> None:
    apart, cycles = rng.uniform(0.20, 0.28), rng.choice([2.0, 3.0])
    beats = (0.5 - 0.5 * np.cos(2 * np.pi * cycles * np.clip((span.phase - 0.2) / 0.62, 0, 1)))[:, None]
    # The wrists stop a hand's width before the middle, where the hands meet.
    middle = 0.06 - person.shoulder / person.arm
    closed = (middle, -0.12, 0.55)
    path = _path(span, (0, HANGING), (0.10, (0.15, -0.70, 0.45)), (0.2, closed), (0.82, closed), (1, HANGING))
    for side in (LEFT, RIGHT):
        _take_arm(pose, side, span, path + beats * [apart, 0.0, -0.05], (1.0, -0.8, 0.0))


def _cheer(pose: Pose, person: Person, span: Span, rng: np.random.Generator) -> None:
    high = (0.30, 0.90, 0.08)
    path = _path(
        span,
        (0, HANGING),
        (0.18, (0.75, -0.30, 0.25)),
        (0.38, high),
        (0.64, high),
        (0.84, (0.75, -0.30, 0.25)),
        (1, HANGING),
    )
    pump = np.abs(_wave(span, 0.38, 0.66, 1.0)) * [0.10, -0.16, 0.03]
    for side in (LEFT, RIGHT):
        _take_arm(pose, side, span, _further(path + pump, person, rng), (1.0, -0.4, -0.1))


def _pick_up(pose: Pose, person: Person, span: Span, rng: np.random.Generator) -> None:
    down = 0.5 - 0.5 * np.cos(2 * np.pi * np.clip(1.12 * span.phase - 0.06, 0, 1))
    # The power keeps the body down longer than a cosine would.
    low = down[:, None] ** 0.7 * rng.uniform(0.92, 1.05)
    _bow(pose, span.slice, np.deg2rad(82) * low[:, 0])
    pose.pelvis[span.slice] += low * [0.0, -0.30 * person.leg, -0.24]
    # The hand reaches down and forward of the bent trunk, to the floor.
    path = HANGING + low * (np.array([-0.10, 0.10, 0.95]) - HANGING)
    _take_arm(pose, person.side, span, path, (0.6, 0.0, -0.8))


def _kick(pose: Pose, person: Person, span: Span, rng: np.random.Generator) -> None:
    # Back first, then forward: outward, up, forward in leg lengths.
    far = person.amplitude * rng.uniform(0.92, 1.06)
    path = far * _path(
        span,
        (0, (0, 0, 0)),
        (0.26, (0, 0.26, -0.45)),
        (0.36, (0, 0.24, -0.42)),
        (0.50, (0, 0.56, 0.84)),
        (0.68, (0, 0.60, 0.84)),
        (0.86, (0, 0.12, 0.15)),
        (1, (0, 0, 0)),
    )
    _take_leg(pose, person.side, span, path + _carried(pose, person, person.side, span))


def _hop(pose: Pose, person: Person, span: Span, rng: np.random.Generator) -> None:
    hops, height = int(rng.integers(3, 5)), 0.21 * person.amplitude * rng.uniform(0.9, 1.1)
    # Within each hop, the first and last fifth are on the floor.
    cycle = np.clip((span.phase - 0.14) / 0.72, 0.0, 1.0) * hops % 1.0
    air = np.clip((cycle - 0.2) / 0.6, 0.0, 1.0)
    # A parabola, as bodies fly, of the height in metres.
    rise = height * 4 * air * (1 - air)
    crouch = np.minimum(fade(span, 0.14)[:, 0], 1) * 0.05 * (0.5 + 0.5 * np.cos(2 * np.pi * cycle))
    flight = np.stack([0 * rise, rise / person.leg, 0 * rise], axis=-1)
    lifted = _path(span, (0, (0, 0, 0)), (0.14, (-0.02, 0.36, -0.30)), (0.86, (-0.02, 0.36, -0.30)), (1, (0, 0, 0)))
    for side in (LEFT, RIGHT):
        path = flight + (lifted if side != person.side else 0.0)
        _take_leg(pose, side, span, path + _carried(pose, person, side, span))
    pose.pelvis[span.slice, 1] += rise - crouch


def _nod(pose: Pose, person: Person, span: Span, rng: np.random.Generator) -> None:
    deep = np.deg2rad(64) * person.amplitude * rng.uniform(0.9, 1.1)
    nods = 0.5 - 0.5 * np.cos(2 * np.pi * rng.choice([2.0, 3.0]) * span.phase)
    pose.head[span.slice, 0] += deep * nods**0.7


def _sit(pose: Pose, person: Person, span: Span, rng: np.random.Generator) -> None:
    """Lowers the body onto a chair about as high as the shank; it stays there."""
    # To the end of the clip, not of the span: the phase stays 1 after it.
    frames = slice(span.start, None)
    phase = np.clip(np.arange(len(pose.pelvis) - span.start) / (span.frames - 1), 0.0, 1.0)
    down = phase * phase * (3 - 2 * phase)
    drop = person.hip_height - person.ankle - rng.uniform(0.98, 1.06) * person.shank
    pose.pelvis[frames, 1] -= drop * down
    pose.pelvis[frames, 2] -= 0.85 * person.thigh * np.sqrt(np.clip(down * (2 - down), 0, 1))
    _bow(pose, frames, np.deg2rad(42) * np.sin(np.pi * phase) ** 2 + np.deg2rad(4) * down)


def _bow(pose: Pose, frames: slice, angle: Array) -> None:
    """Bends the trunk forward while the arms go on hanging straight down."""
    pose.trunk[frames, 0] += angle
    sine, cosine = np.sin(angle), np.cos(angle)
    for part in (pose.wrists, pose.elbows):
        # Copies, since both are rotated in place.
        up, forward = part[:, frames, 1].copy(), part[:, frames, 2].copy()
        part[:, frames, 1] = cosine * up + sine * forward
        part[:, frames, 2] = cosine * forward - sine * up


def _carried(pose: Pose, person: Person, side: int, span: Span) -> Array:
    """How far steps of the body have moved where a foot stands, in leg lengths, ``[frames, 3]``."""
    carried = pose.pelvis[span.slice] / person.leg * [1.0 if side == RIGHT else -1.0, 0.0, 1.0]
    return np.asarray(carried)


ACTIONS: dict[str, Action] = {
    "A001": Action((1.7, 2.1), _drink),
    "A006": Action((1.4, 1.8), _pick_up),
    "A007": Action((1.5, 1.9), _throw),
    "A008": Action((1.2, 1.6), _sit, stays=True),
    "A010": Action((1.6, 2.0), _clap),
    "A022": Action((1.7, 2.1), _cheer),
    "A023": Action((1.7, 2.1), _wave_hand),
    "A024": Action((1.3, 1.6), _kick, legs=True),
    "A026": Action((1.5, 1.9), _hop, legs=True),
    "A031": Action((1.6, 2.0), _point),
    "A035": Action((1.4, 1.9), _nod),
    "A038": Action((1.6, 2.0), _salute),
}
"""The planted actions by the dataset's codes: drink water, pickup, throw, sitting down, clapping, cheer up, hand
waving, kicking something, hopping, pointing, nodding, saluting."""
