"""Where a body is and which way it faces: centring, turning to the front, random rotation and scale, by batches."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stexplain.data.transforms.frames import Augmentation, Bools, Floats
from stexplain.errors import InputError


def center_and_augment(
    x: Floats,
    valid: Bools,
    *,
    center: int | None,
    remove: bool,
    vertical: tuple[int, int] | None = None,
    across: tuple[int, int] | None = None,
    augmentation: Augmentation | None = None,
    observed: Bools | None = None,
) -> Floats:
    """Centres a batch, turns it to the front, and rotates and scales it, all about the same centre.

    The centre is the position of the centre node at the first valid frame of the first instance (of the first that is
    ever valid) at which it was observed. With a rotation by angle a about y: ``x' = x cos a + z sin a``,
    ``z' = z cos a - x sin a``. A sample that is turned to the front is rotated by `facing_angle` first, all its frames
    and instances alike.

    Args:
        x: ``[B, M, T, N, C]``.
        valid: ``[B, M, T]``.
        center: the centre node; may be none where neither centring, turning nor augmentation needs it.
        remove: whether the centre is subtracted, so that it lies at the origin (`center = "first"` of a recipe).
        vertical: the two horizontal channels, in the order x, z; none where nothing is rotated.
        across: a left and a right node, whose line is turned along x (`align` of a recipe); none: nothing is turned to
            the front.
        augmentation: angle and scale, or none.
        observed: ``[B, M, T, N]``; none: all of valid frames.

    Returns:
        ``[B, M, T, N, C]``, zero where not valid or not observed.

    Raises:
        InputError: where a centre is needed and there is none.

    Example:
        >>> x = np.array([1.0, 2.0, 3.0], np.float32).reshape(1, 1, 1, 1, 3)
        >>> center_and_augment(x, np.ones((1, 1, 1), bool), center=0, remove=True).ravel().tolist()
        [0.0, 0.0, 0.0]
    """
    angle, scale = np.zeros(len(x)), np.ones(len(x))
    if augmentation is not None:
        angle, scale = augmentation.angle, augmentation.scale
    if across is not None and vertical is not None:
        angle = angle + facing_angle(x, valid, across=across, vertical=vertical, observed=observed)
    moved = bool(angle.any()) or bool((scale != 1).any())
    if not (remove or moved):
        return x
    if center is None:
        raise InputError("center: centring, rotation and scaling need a centre node, and the graph names none.")
    batch = np.arange(len(x))
    instance, frame = _first(valid if observed is None else valid & observed[..., center])
    pivot = x[batch, instance, frame, center][:, None, None, None, :]
    x = x - pivot
    if moved:
        if vertical is not None:
            a, b = vertical
            cosine, sine = (f(angle).astype(np.float32)[:, None, None, None] for f in (np.cos, np.sin))
            # One assignment of both, so that the second reads the first as it was.
            x[..., a], x[..., b] = x[..., a] * cosine + x[..., b] * sine, x[..., b] * cosine - x[..., a] * sine
        x *= scale.astype(np.float32)[:, None, None, None, None]
    if not remove:
        x += pivot
    # The shift moved the zeros of the padding too.
    x[~valid] = 0
    if observed is not None:
        x[~observed] = 0
    return x


def facing_angle(
    x: Floats, valid: Bools, *, across: tuple[int, int], vertical: tuple[int, int], observed: Bools | None = None
) -> NDArray[np.float64]:
    """The rotation of each sample about the vertical that turns it to the front, in radians ``[B]``.

    After it the line from the left to the right node lies along x.

    The nodes are taken at the first frame of the first instance at which both were read. The right one is then at the
    larger x, as of a person who faces a Kinect. The vertical stays as it is: a person who lies is not stood up. Zero
    where both nodes lie one above the other.

    Args:
        x: ``[B, M, T, N, C]``.
        valid: ``[B, M, T]``.
        across: the left and the right node.
        vertical: the two horizontal channels, in the order x, z.
        observed: ``[B, M, T, N]``; none: all of valid frames.

    Example:
        >>> x = np.zeros((1, 1, 1, 2, 3), np.float32)
        >>> x[0, 0, 0, 1] = [0, 5, 1]  # the right is behind the left
        >>> np.degrees(facing_angle(x, np.ones((1, 1, 1), bool), across=(0, 1), vertical=(0, 2))).round().tolist()
        [90.0]
    """
    left, right = across
    batch = np.arange(len(x))
    instance, frame = _first(valid if observed is None else valid & observed[..., left] & observed[..., right])
    line = x[batch, instance, frame, right].astype(np.float64) - x[batch, instance, frame, left]
    return np.asarray(np.arctan2(line[:, vertical[1]], line[:, vertical[0]]))


def _first(seen: Bools) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Of each sample the first instance that is ever true and its first true frame, ``[B]`` each, of ``[B, M, T]``."""
    # Over instances and frames flattened, [B, M * T]: the first true is at instance // T and frame % T.
    first = seen.reshape(len(seen), -1).argmax(axis=1)
    return np.asarray(first // seen.shape[2]), np.asarray(first % seen.shape[2])


def sides_of(joint: str, nodes: Sequence[str], channels: Sequence[str]) -> tuple[int, int]:
    """The left and the right node of a joint that a recipe turns bodies by, by index.

    Args:
        joint: such as "hip".
        nodes: names of the N nodes.
        channels: names of the C channels.

    Raises:
        InputError: where one of both is no node, or the channels are not x, y and z.

    Example:
        >>> sides_of("hip", ["spine", "left hip", "right hip"], ["x", "y", "z"])
        (1, 2)
    """
    pair = (f"left {joint}", f"right {joint}")
    if not {"x", "y", "z"} <= set(channels) or not set(pair) <= set(nodes):
        raise InputError(
            f"recipe: align is {joint!r}, which needs the nodes {pair[0]!r} and {pair[1]!r} and the channels x, y (up) "
            f"and z; got channels {', '.join(channels)} and nodes {', '.join(nodes[:30])}. Name a joint of both sides, "
            "or none: recipe.model_copy(update={'align': None})."
        )
    return list(nodes).index(pair[0]), list(nodes).index(pair[1])


def horizontal_channels(channels: Sequence[str]) -> tuple[int, int] | None:
    """The places of x and z, between which a rotation about the vertical turns; none where no channel is known as up.

    Args:
        channels: names of the C channels.

    Example:
        >>> horizontal_channels(["x", "y", "z"]), horizontal_channels(["x", "y", "score"])
        ((0, 2), None)
    """
    # A rotation about the vertical needs to know which channel is up; only these names say so.
    return (channels.index("x"), channels.index("z")) if {"x", "y", "z"} <= set(channels) else None
