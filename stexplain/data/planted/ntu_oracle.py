"""Recognises a planted action in a skeleton by the rule that is written down: no training.

An action is a piece of movement whose three ways (right or left, up or down, forward or back) are negative in an odd
number (`stexplain.data.planted.actions`). A recording shows the action of the part of the body that is away from rest
in all three ways, an odd number of them negative, most clearly and for long enough.

The oracle verifies the ground truth. If it names another action, or none, after the true positions were replaced, and
the same action after any others were, then those positions decide.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter, minimum_filter1d

from stexplain.axes import check_shape
from stexplain.data.planted.actions import PARTS, SIZES, Part, action_of
from stexplain.data.planted.body import (
    ARMS,
    HEAD,
    JOINTS,
    LEFT,
    LEGS,
    NECK,
    REST,
    RIGHT,
    SPINE_BASE,
    SPINE_SHOULDER,
    Array,
)

# How far away from rest in each of the three ways, as a share of an average piece, and for how many frames in a row.
_AWAY, _FRAMES = 0.4, 4


def oracle(xyz: NDArray[np.floating]) -> str | None:
    """Which action a recording shows, or none.

    Args:
        xyz: joints ``[M, T, 25, 3]`` in a camera's coordinates, in metres (x right, y up, z away); NaN where a body
            is absent. The body that is present longest is judged.

    Returns:
        The id of the action, such as ``"A007"``; none where no planted action is recognised.

    Raises:
        InputError: where the shape does not fit.

    Example:
        >>> from stexplain.data.planted.ntu import perform
        >>> performance = perform("A007", subject=3)
        >>> oracle(performance.xyz[None]), oracle(performance.background[None])
        ('A007', None)
    """
    check_shape("xyz", xyz.shape, "m t n c", n=JOINTS, c=3)
    valid = ~np.isnan(xyz).any(axis=(2, 3))
    longest = int(valid.sum(axis=1).argmax())
    body = np.asarray(xyz[longest][valid[longest]], dtype=np.float64)
    # A median over 5 frames removes jumps of single joints and keeps where movements begin and end.
    tracks = _tracks(median_filter(body, size=(5, 1, 1), mode="nearest"))
    surest, code = max((_odd(part, offset) for part, offset in tracks), key=lambda found: found[0])
    return code if surest > _AWAY else None


def _odd(part: Part, offset: Array) -> tuple[float, str | None]:
    """How clearly a part does an action, at its clearest, and which."""
    # The way that is least clear decides, at the least of so many frames in a row.
    away = minimum_filter1d(np.abs(offset).min(axis=1), _FRAMES)
    signs = np.sign(offset)
    odd = minimum_filter1d((np.prod(signs, axis=1) < 0).astype(int), _FRAMES)
    clear = away * odd
    right, up, forward = signs[int(clear.argmax())].astype(int).tolist()
    return float(clear.max()), action_of(part, (right, up, forward))


def _tracks(body: Array) -> Iterator[tuple[Part, Array]]:
    """How far each part is from rest, (right, up, forward) as shares of an average piece, ``[T, 3]``."""
    axes = _axes(body)
    top = body[:, SPINE_SHOULDER]
    skull = _length(body, (SPINE_SHOULDER, NECK, HEAD))
    ends: dict[Part, tuple[Array, float]] = {"head": (body[:, HEAD] - top, skull)}
    arms: tuple[Part, Part] = ("left arm", "right arm")
    legs: tuple[Part, Part] = ("left leg", "right leg")
    for side, sign in ((LEFT, -1.0), (RIGHT, 1.0)):
        shoulder, elbow, wrist = ARMS[side][:3]
        # From where the shoulder rests, as it follows the hand.
        beside = sign * _length(body, (SPINE_SHOULDER, shoulder)) * axes[0]
        ends[arms[side]] = (body[:, wrist] - top - beside, _length(body, (shoulder, elbow, wrist)))
        hip, knee, ankle = LEGS[side][:3]
        ends[legs[side]] = (body[:, ankle] - body[:, hip], _length(body, (hip, knee, ankle)))
    for part, (end, length) in ends.items():
        yield part, (end @ axes.T / length - REST[PARTS.index(part)]) / SIZES[part]


def _axes(body: Array) -> Array:
    """The person's right, up and forward over the clip, ``[3, 3]``: from the hips and the spine."""
    right = np.median(body[:, LEGS[RIGHT][0]] - body[:, LEGS[LEFT][0]], axis=0)
    up = np.median(body[:, SPINE_SHOULDER] - body[:, SPINE_BASE], axis=0)
    up /= np.linalg.norm(up)
    right -= right @ up * up
    right /= np.linalg.norm(right)
    return np.stack([right, up, np.cross(up, right)])


def _length(body: Array, chain: tuple[int, ...]) -> float:
    """The length of a chain of bones, as the median over the clip."""
    bones = np.diff(body[:, list(chain)], axis=1)
    return float(np.median(np.linalg.norm(bones, axis=-1).sum(axis=1)))
