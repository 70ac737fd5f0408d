"""A person as a kinematic chain: bones of constant length, moved by a few channels over time.

The 25 joints are those of the Kinect v2, in its order. The person floats upright, as in water, hands before the body
and knees bent, so that every part may go any way. x is to the person's right, y up, z to the back, in metres: the axes
of a camera that the person faces.
"""

from dataclasses import dataclass

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
# Where the wrists, ankles and head of a resting body are, (right, up, forward) of the shoulder, the hip and the middle
# of the shoulders, in lengths of an arm, a leg, and neck and head: left arm, right arm, left leg, right leg, head.
REST = np.array(
    [[-0.15, -0.30, 0.45], [0.15, -0.30, 0.45], [-0.08, -0.50, 0.42], [0.08, -0.50, 0.42], [0.0, 0.60, 0.30]]
)
# How far the shoulders follow the wrists.
_SHRUG = 0.25
# Where elbows, knees and neck bend to, (outward, up, forward).
_ELBOW, _KNEE, _NECK = np.array([0.7, -0.7, -0.3]), np.array([0.15, 0.0, 1.0]), np.array([0.0, 0.0, -1.0])


@dataclass(frozen=True)
class Person:
    """One subject: proportions in metres, and a style of moving.

    Attributes:
        low_spine: spine base to mid spine; `high_spine` from there to between the shoulders; then `neck`, `head`.
        shoulder: half the width of the shoulders; then `upper_arm`, `forearm`, `hand`, `tip`, `thumb`.
        hip: half the width of the hips; then `thigh`, `shank`, `foot`.
        ankle: height of the ankle over the floor when standing.
        tempo: frames that a movement takes, relative to the average person.
        amplitude: how far a movement goes, relative to the average person.
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
    tempo: float
    amplitude: float

    @property
    def arm(self) -> float:
        """Length from shoulder to wrist, in metres."""
        return self.upper_arm + self.forearm

    @property
    def leg(self) -> float:
        """Length from hip to ankle, in metres."""
        return self.thigh + self.shank

    @property
    def skull(self) -> float:
        """Length from the middle of the shoulders to the head, in metres."""
        return self.neck + self.head

    @property
    def hip_height(self) -> float:
        """Height of the spine base over the floor, as of someone who stands, in metres."""
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
}


def random_person(rng: np.random.Generator) -> Person:
    """A person with a height of 1.52 to 1.90 m, own proportions, tempo and amplitude.

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
    )


@dataclass
class Pose:
    """How a body is posed over T frames, as channels that movements add to.

    Attributes:
        pelvis: where the spine base is relative to rest, (right, up, forward) in metres, ``[T, 3]``.
        parts: where the wrists, the ankles and the head are, in the places and lengths of `REST`, ``[5, T, 3]``.
        bends: added to where elbows, knees and neck bend to, (right, up, forward), ``[5, T, 3]``.
    """

    pelvis: Array
    parts: Array
    bends: Array

    def cut(self, frames: slice) -> "Pose":
        """The pose over some of the frames, in arrays of its own."""
        return Pose(self.pelvis[frames].copy(), self.parts[:, frames].copy(), self.bends[:, frames].copy())


def resting(frames: int) -> Pose:
    """The pose of floating at rest."""
    parts = np.repeat(REST[:, None], frames, axis=1)
    return Pose(np.zeros((frames, 3)), parts, np.zeros_like(parts))


def skeleton(person: Person, pose: Pose) -> Array:
    """The positions of the joints: an upright trunk, and two-bone inverse kinematics of limbs and neck.

    Args:
        person: whose bones.
        pose: over T frames.

    Returns:
        Positions ``[T, 25, 3]`` in metres: x to the person's right, y up from the floor, z to the back.

    Example:
        >>> someone = random_person(np.random.default_rng(0))
        >>> xyz = skeleton(someone, resting(2))
        >>> bool(np.isclose(np.linalg.norm(xyz[0, 5] - xyz[0, 4]), someone.upper_arm))
        True
    """
    frames = len(pose.pelvis)
    xyz = np.empty((frames, JOINTS, 3))
    up = np.array([0.0, 1.0, 0.0])
    xyz[:, SPINE_BASE] = pose.pelvis * _BACK + person.hip_height * up
    xyz[:, SPINE_MID] = xyz[:, SPINE_BASE] + person.low_spine * up
    top = xyz[:, SPINE_SHOULDER] = xyz[:, SPINE_MID] + person.high_spine * up
    reach = top + person.skull * pose.parts[4] * _BACK
    xyz[:, NECK], xyz[:, HEAD] = _two_bones(top, reach, _hint(_NECK, 1.0, pose.bends[4]), person.neck, person.head)
    for side, sign in ((LEFT, -1.0), (RIGHT, 1.0)):
        shoulder, elbow, wrist, hand, tip, thumb = ARMS[side]
        place = pose.parts[side]
        beside = np.array([sign * person.shoulder, -0.02, 0.0])
        # The shoulder follows the hand, as far as a bone of one length lets it.
        follows = beside + _SHRUG * person.arm * (place - REST[side]) * _BACK
        xyz[:, shoulder] = top + np.linalg.norm(beside) * _unit(follows)
        # The wrist is relative to where the shoulder rests: the following adds nothing to it.
        reach, hint = top + beside + person.arm * place * _BACK, _hint(_ELBOW, sign, pose.bends[side])
        xyz[:, elbow], xyz[:, wrist] = _two_bones(xyz[:, shoulder], reach, hint, person.upper_arm, person.forearm)
        along = (xyz[:, wrist] - xyz[:, elbow]) / person.forearm
        # The thumb stands off the hand at 60 degrees, in the plane of the bent elbow.
        across = _unit((hint * along).sum(-1, keepdims=True) * along - hint)
        xyz[:, hand] = xyz[:, wrist] + person.hand * along
        xyz[:, tip] = xyz[:, hand] + person.tip * along
        xyz[:, thumb] = xyz[:, hand] + person.thumb * (0.5 * along + 0.75**0.5 * across)
        hip, knee, ankle, foot = LEGS[side]
        xyz[:, hip] = xyz[:, SPINE_BASE] + [sign * person.hip, -0.03, 0.0]
        reach, hint = xyz[:, hip] + person.leg * pose.parts[2 + side] * _BACK, _hint(_KNEE, sign, pose.bends[2 + side])
        xyz[:, knee], xyz[:, ankle] = _two_bones(xyz[:, hip], reach, hint, person.thigh, person.shank)
        shin = (xyz[:, ankle] - xyz[:, knee]) / person.shank
        # Forward, mostly at a right angle to the shin, and a little down.
        toes = _unit(hint - 0.8 * (shin * hint).sum(-1, keepdims=True) * shin + [0.0, -0.15, 0.0])
        xyz[:, foot] = xyz[:, ankle] + person.foot * toes
    return xyz


# From (right, up, forward) to (right, up, back).
_BACK = np.array([1.0, 1.0, -1.0])


def _hint(direction: Array, sign: float, bends: Array) -> Array:
    """A direction (outward, up, forward) of a side, and what is added to it, as (right, up, back), ``[frames, 3]``."""
    return np.asarray((direction * [sign, 1.0, 1.0] + bends) * _BACK)


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
    distance = np.clip(distance, 1.2 * abs(first - second) + 0.02, 0.999 * (first + second))
    cosine = (first**2 + distance**2 - second**2) / (2 * first * distance)
    # The hint without its part along the line from root to target.
    aside = _unit(hint - (hint * along).sum(-1, keepdims=True) * along)
    middle = root + first * (cosine * along + np.sqrt(1 - cosine**2) * aside)
    return middle, root + distance * along
