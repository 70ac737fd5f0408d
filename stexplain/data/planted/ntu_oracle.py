"""Recognises a planted action in a skeleton by rules about bodies: no training, no knowledge of the generator.

The oracle verifies the ground truth. If it names another action, or none, after the true positions were replaced, and
the same action after any others were, then those positions decide.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import median_filter

from stexplain.axes import check_shape
from stexplain.data.planted.body import ARMS, HEAD, JOINTS, LEFT, LEGS, NECK, RIGHT, SPINE_BASE, SPINE_SHOULDER, Array


def oracle(xyz: NDArray[np.floating]) -> str | None:
    """Which action a recording shows, or none.

    Lengths are relative to the person: to an arm for hands, to a leg for feet and hips.

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
    return next(_recognised(median_filter(body, size=(5, 1, 1), mode="nearest")), None)


def _recognised(body: Array) -> Iterator[str]:
    """The actions that are recognised, the most certain first: a body that sits cannot be judged by its steps.

    Each threshold lies between an action and the distractors that come closest to it.
    """
    axes = _axes(body)
    leg = _length(body, LEGS[LEFT][:3])
    height = body[:, SPINE_BASE, 1] / leg
    feet = body[:, [LEGS[side][2] for side in (LEFT, RIGHT)]]
    # Sitting down: the hips end lower than they began.
    if np.median(height[:5]) - np.median(height[-5:]) > 0.25:
        yield "A008"
    trunk = body[:, SPINE_SHOULDER] - body[:, SPINE_BASE]
    # Picking up: the trunk bends far forward (sine of the angle).
    bow: Array = trunk @ axes[2] / np.linalg.norm(trunk, axis=-1)
    if _lasts(bow > 0.75, 4):
        yield "A006"
    # Hopping: the hips rise from their usual height at least twice.
    rise = height - np.quantile(height, 0.15)
    if np.count_nonzero(np.diff((rise > 0.12).astype(int)) == 1) >= 2:
        yield "A026"
    # Kicking: a foot is in front of the hips and off the floor at once.
    floor = np.quantile(feet[..., 1], 0.1, axis=0).max()
    ahead = ((feet - body[:, [SPINE_BASE]]) @ axes[2]) / leg
    if _lasts((ahead > 0.45).any(axis=1) & ((feet[..., 1] - floor).max(axis=1) / leg > 0.2), 3):
        yield "A024"
    yield from _arm_actions(body)
    # Nodding last: arms and trunk move the head too, so what is left after the bow counts.
    skull = (body[:, HEAD] - body[:, SPINE_SHOULDER]) / _length(body, (SPINE_SHOULDER, NECK, HEAD))
    nod: Array = skull @ axes[2] - bow
    if _lasts(nod > 0.45, 3):
        yield "A035"


def _arm_actions(body: Array) -> Iterator[str]:
    """Actions of raised arms, distinguished by where the hands go, in arm lengths."""
    reach = [_hand(body, side) for side in (LEFT, RIGHT)]
    # Distractors keep the hands below the elbows.
    raised = np.stack([hand[:, 1] > -0.38 for hand in reach])
    both = raised.all(axis=0)
    if _lasts(both, 12):
        # Cheering up goes above the shoulders, clapping does not.
        high = np.stack([hand[:, 1] for hand in reach])[:, both].mean(axis=1)
        yield "A022" if high.min() > 0.2 else "A010"
        return
    for hand, up in zip(reach, raised, strict=True):
        if not _lasts(up, 8):
            continue
        # A throw comes from behind, pointing reaches far, waving is aside; else brow (salute) or mouth (drink).
        outward, upward, forward = hand[up].T
        if np.ptp(forward) > 0.8 and np.median(forward) < 0.1:
            yield "A007"
        elif np.median(forward) > 0.75:
            yield "A031"
        elif np.median(outward) > 0.25:
            yield "A023"
        else:
            yield "A038" if np.median(upward) > np.median(forward) else "A001"


def _axes(body: Array) -> Array:
    """The person's right, up and forward over the clip, ``[3, 3]``: from hips and shoulders, level."""
    # Hips and shoulders together, since either twists alone.
    pairs = ((ARMS, 0), (LEGS, 0))
    across = np.mean([body[:, limbs[RIGHT][k]] - body[:, limbs[LEFT][k]] for limbs, k in pairs], axis=0)
    right = np.median(across, axis=0) * [1.0, 0.0, 1.0]
    right /= np.linalg.norm(right)
    up = np.array([0.0, 1.0, 0.0])
    return np.stack([right, up, np.cross(up, right)])


def _hand(body: Array, side: int) -> Array:
    """A hand relative to its shoulder, (outward, up, forward) of the trunk, in arm lengths, ``[T, 3]``.

    The hand is the median of wrist, hand and thumb: the sensor may lose one of them.
    """
    shoulder = ARMS[side][0]
    trunk = body[:, SPINE_SHOULDER] - body[:, SPINE_BASE]
    up = trunk / np.linalg.norm(trunk, axis=-1, keepdims=True)
    across = body[:, ARMS[RIGHT][0]] - body[:, ARMS[LEFT][0]]
    across -= (across * up).sum(-1, keepdims=True) * up
    right = across / np.linalg.norm(across, axis=-1, keepdims=True)
    forward = np.cross(up, right)
    hand = np.median(body[:, [ARMS[side][k] for k in (2, 3, 5)]], axis=1)
    reach = (hand - body[:, shoulder]) / _length(body, ARMS[side][:3])
    sign = 1.0 if side == RIGHT else -1.0
    return np.stack([sign * (reach * right).sum(-1), (reach * up).sum(-1), (reach * forward).sum(-1)], axis=-1)


def _length(body: Array, chain: tuple[int, ...]) -> float:
    """The length of a chain of bones, as the median over the clip."""
    bones = np.diff(body[:, list(chain)], axis=1)
    return float(np.median(np.linalg.norm(bones, axis=-1).sum(axis=1)))


def _lasts(holds: ArrayLike, frames: int) -> bool:
    """Whether a condition holds during so many frames in a row."""
    longest = run = 0
    for value in np.atleast_1d(holds):
        run = run + 1 if value else 0
        longest = max(longest, run)
    return longest >= frames
