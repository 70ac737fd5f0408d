"""A person as a kinematic chain: bones of constant length, moved by a few channels over time.

The 25 joints are those of the Kinect v2, in its order. The person stands on the floor at the origin, x to the
person's right, y up, z to the back, in metres: the axes of a camera that the person faces.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEFT, RIGHT = 0, 1
JOINTS = 25
SPINE_BASE, SPINE_MID, NECK, HEAD, SPINE_SHOULDER = 0, 1, 2, 3, 20
# Of each side, left then right: from the trunk outwards (shoulder, elbow, wrist, hand, tip, thumb; hip to foot).
ARMS = ((4, 5, 6, 7, 21, 22), (8, 9, 10, 11, 23, 24))
LEGS = ((12, 13, 14, 15), (16, 17, 18, 19))
# The joint that each joint is attached to; the root is attached to itself.
PARENT = np.array([0, 0, 20, 2, 20, 4, 5, 6, 20, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18, 1, 7, 7, 11, 11])
# A wrist with the arm hanging, relative to the shoulder: outward, up, forward, in arm lengths.
HANGING = np.array([0.14, -0.97, 0.06])
# Elbows point outward and back.
_ELBOW_BACK = np.array([0.3, 0.0, -1.0])


@dataclass(frozen=True)
class Person:
    """One subject: proportions in metres, and a style of moving.

    Attributes:
        low_spine: spine base to mid spine; `high_spine` from there to between the shoulders; then `neck`, `head`.
        shoulder: half the width of the shoulders; then `upper_arm`, `forearm`, `hand`, `tip`, `thumb`.
        hip: half the width of the hips; then `thigh`, `shank`, `foot`.
        ankle: height of the ankle over the floor; `stance`: half the distance of the feet.
        tempo: frames that a movement takes, relative to the average person.
        amplitude: how far a movement goes, relative to the average person.
        side: the preferred side, `LEFT` or `RIGHT`.
        elbows: how far the arms hang from the trunk, in arm lengths.
    """

    low_spine: float
    high_spine: float
    neck: float
    head: float
    shoulder: float
    upper_arm: float
    forearm: float
    hand: float
    tip: float
    thumb: float
    hip: float
    thigh: float
    shank: float
    foot: float
    ankle: float
    stance: float
    tempo: float
    amplitude: float
    side: int
    elbows: float

    @property
    def arm(self) -> float:
        """Length from shoulder to wrist, in metres."""
        return self.upper_arm + self.forearm

    @property
    def leg(self) -> float:
        """Length from hip to ankle, in metres."""
        return self.thigh + self.shank

    @property
    def hip_height(self) -> float:
        """Height of the spine base over the floor when standing, knees a little bent, in metres."""
        return self.ankle + 0.97 * self.leg


# Lengths of an average adult's segments as shares of the height, rounded from anthropometric tables.
_SHARES = {
    "low_spine": 0.165,
    "high_spine": 0.130,
    "neck": 0.045,
    "head": 0.080,
    "shoulder": 0.100,
    "upper_arm": 0.160,
    "forearm": 0.145,
    "hand": 0.040,
    "tip": 0.045,
    "thumb": 0.030,
    "hip": 0.046,
    "thigh": 0.235,
    "shank": 0.230,
    "foot": 0.072,
    "ankle": 0.045,
    "stance": 0.065,
}


def random_person(rng: np.random.Generator) -> Person:
    """A person with a height of 1.52 to 1.90 m, own proportions, tempo, amplitude and preferred side.

    Example:
        >>> someone = random_person(np.random.default_rng(0))
        >>> 0.6 < someone.leg < 1.0
        True
    """
    height = rng.uniform(1.52, 1.90)
    lengths = {name: share * height * rng.uniform(0.93, 1.07) for name, share in _SHARES.items()}
    return Person(
        **lengths,
        tempo=rng.uniform(0.85, 1.18),
        amplitude=rng.uniform(0.93, 1.07),
        side=RIGHT if rng.random() < 0.7 else LEFT,
        elbows=rng.uniform(0.0, 0.12),
    )


@dataclass
class Pose:
    """How a body is posed over T frames, as channels that movements add to.

    Attributes:
        pelvis: where the spine base is relative to standing, (right, up, forward) in metres, ``[T, 3]``.
        trunk: how the trunk bends (forward, to the right) and twists (to the left), in radians, ``[T, 3]``.
        head: the same for the head, relative to the trunk, ``[T, 3]``.
        wrists: of left and right, relative to the shoulder, (outward, up, forward) of the trunk, in arm lengths,
            ``[2, T, 3]``.
        elbows: the direction in which the elbows point, in the same axes, ``[2, T, 3]``.
        ankles: of left and right, relative to standing, (outward, up, forward), in leg lengths, ``[2, T, 3]``.
    """

    pelvis: Array
    trunk: Array
    head: Array
    wrists: Array
    elbows: Array
    ankles: Array

    def cut(self, frames: slice) -> "Pose":
        """The pose over some of the frames, in arrays of its own."""
        return replace(self, **{part.name: getattr(self, part.name)[..., frames, :].copy() for part in fields(self)})


def standing(person: Person, frames: int) -> Pose:
    """The pose of standing still with the arms hanging."""
    wrists = np.tile(HANGING, (2, frames, 1))
    # Axis 0 of a channel is outward, on either side.
    wrists[..., 0] += person.elbows
    return Pose(
        pelvis=np.zeros((frames, 3)),
        trunk=np.zeros((frames, 3)),
        head=np.zeros((frames, 3)),
        wrists=wrists,
        elbows=np.tile(_ELBOW_BACK, (2, frames, 1)),
        ankles=np.zeros((2, frames, 3)),
    )


def skeleton(person: Person, pose: Pose) -> Array:
    """The positions of the joints: forward kinematics of the trunk, two-bone inverse kinematics of the limbs.

    Args:
        person: whose bones.
        pose: over T frames.

    Returns:
        Positions ``[T, 25, 3]`` in metres: x to the person's right, y up from the floor, z to the back.

    Example:
        >>> someone = random_person(np.random.default_rng(0))
        >>> xyz = skeleton(someone, standing(someone, 2))
        >>> bool(np.isclose(np.linalg.norm(xyz[0, 5] - xyz[0, 4]), someone.upper_arm))
        True
    """
    frames = len(pose.pelvis)
    xyz = np.empty((frames, JOINTS, 3))
    xyz[:, SPINE_BASE] = _world(pose.pelvis, 1.0) + np.array([0.0, person.hip_height, 0.0])
    # Half of the bend at the spine's base and half at its middle.
    low = _turn(pose.trunk / 2)
    chest = low @ low
    skull = chest @ _turn(pose.head)
    up = np.array([0.0, 1.0, 0.0])
    xyz[:, SPINE_MID] = xyz[:, SPINE_BASE] + person.low_spine * low @ up
    xyz[:, SPINE_SHOULDER] = xyz[:, SPINE_MID] + person.high_spine * chest @ up
    xyz[:, NECK] = xyz[:, SPINE_SHOULDER] + person.neck * skull @ up
    xyz[:, HEAD] = xyz[:, NECK] + person.head * skull @ up
    for side, sign in ((LEFT, -1.0), (RIGHT, 1.0)):
        shoulder, elbow, wrist, hand, tip, thumb = ARMS[side]
        xyz[:, shoulder] = xyz[:, SPINE_SHOULDER] + chest @ np.array([sign * person.shoulder, -0.02, 0.0])
        # Where the wrist shall be, in the axes of the trunk: a bow takes the arms with it.
        reach = xyz[:, shoulder] + person.arm * _rotated(chest, _world(pose.wrists[side], sign))
        hint = _rotated(chest, _world(pose.elbows[side], sign))
        xyz[:, elbow], xyz[:, wrist] = _two_bones(xyz[:, shoulder], reach, hint, person.upper_arm, person.forearm)
        along = (xyz[:, wrist] - xyz[:, elbow]) / person.forearm
        # The thumb stands off the hand at 60 degrees, in the plane of the bent elbow.
        across = _unit((hint * along).sum(-1, keepdims=True) * along - hint)
        xyz[:, hand] = xyz[:, wrist] + person.hand * along
        xyz[:, tip] = xyz[:, hand] + person.tip * along
        xyz[:, thumb] = xyz[:, hand] + person.thumb * (0.5 * along + 0.75**0.5 * across)
        hip, knee, ankle, foot = LEGS[side]
        xyz[:, hip] = xyz[:, SPINE_BASE] + [sign * person.hip, -0.03, 0.0]
        # Feet are given in the room, not in the trunk's axes: they stand still while the body sways.
        stand = np.array([sign * person.stance, person.ankle, 0.0])
        forward = np.array([0.15 * sign, 0.0, -1.0])
        xyz[:, knee], xyz[:, ankle] = _two_bones(
            xyz[:, hip],
            stand + person.leg * _world(pose.ankles[side], sign),
            np.broadcast_to(forward, (frames, 3)),
            person.thigh,
            person.shank,
        )
        shin = (xyz[:, ankle] - xyz[:, knee]) / person.shank
        # Forward, mostly at a right angle to the shin, and a little down.
        toes = _unit(forward - 0.8 * (shin @ forward)[:, None] * shin + [0.0, -0.15, 0.0])
        xyz[:, foot] = xyz[:, ankle] + person.foot * toes
    return xyz


def _world(vectors: Array, sign: float) -> Array:
    """(outward, up, forward) of a side as (right, up, back)."""
    return vectors * [sign, 1.0, -1.0]


def _turn(angles: Array) -> Array:
    """Rotations ``[T, 3, 3]`` that bend forward, to the right, and twist to the left by angles ``[T, 3]``."""
    pitch, roll, yaw = np.moveaxis(angles, -1, 0)
    return _about(0, -pitch) @ _about(2, -roll) @ _about(1, yaw)


def _about(axis: int, angle: Array) -> Array:
    """Rotations ``[T, 3, 3]`` about a coordinate axis, right-handed."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., axis, axis] = 1.0
    matrix[..., first, first] = matrix[..., second, second] = np.cos(angle)
    matrix[..., second, first] = np.sin(angle)
    matrix[..., first, second] = -matrix[..., second, first]
    return matrix


def _rotated(matrices: Array, vectors: Array) -> Array:
    return np.asarray(np.einsum("tij,tj->ti", matrices, vectors))


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _two_bones(root: Array, target: Array, hint: Array, first: float, second: float) -> tuple[Array, Array]:
    """The middle and the end of two bones whose end reaches for the target, the middle bent towards the hint.

    By the law of cosines. A target out of reach is approached as far as the bones allow.
    """
    straight = target - root
    distance = np.linalg.norm(straight, axis=-1, keepdims=True)
    along = straight / np.maximum(distance, 1e-9)
    # Never fully stretched nor folded: at both ends the angle of the joint is undefined.
    distance = np.clip(distance, 1.2 * abs(first - second) + 0.05, 0.999 * (first + second))
    cosine = (first**2 + distance**2 - second**2) / (2 * first * distance)
    # The hint without its part along the line from root to target.
    aside = _unit(hint - (hint * along).sum(-1, keepdims=True) * along)
    middle = root + first * (cosine * along + np.sqrt(1 - cosine**2) * aside)
    return middle, root + distance * along
