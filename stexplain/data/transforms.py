"""From recordings of any length to batches of one size, a whole batch at a time.

The steps, in order: sampling in time (`timeline`, `sampled`), centring and augmentation (`placed`). Every random
number of a batch is drawn in `draw`, so that a change of one augmentation leaves the others' numbers as they are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stexplain.cards import Augment, Recipe
from stexplain.data.store.prepared import Rows
from stexplain.errors import InputError

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Draw:
    """The random numbers of a batch, each ``[B]``.

    Attributes:
        share: of the frames that a crop keeps, in (0, 1].
        place: where in the room that is left the crop starts, in [0, 1).
        angle: about the vertical, in radians.
        scale: of the body.
    """

    share: NDArray[np.float64]
    place: NDArray[np.float64]
    angle: NDArray[np.float64]
    scale: NDArray[np.float64]


def draw(augment: Augment, size: int, generator: np.random.Generator) -> Draw:
    """Draws the random changes of a batch.

    Args:
        augment: how large they may be.
        size: B.
        generator: of the randomness; it is moved on by the same amount whatever `augment` says.

    Example:
        >>> once = draw(Augment(rotate=10.0), 4, np.random.default_rng(0))
        >>> bool((abs(np.degrees(once.angle)) <= 10).all()), once.scale.tolist()
        (True, [1.0, 1.0, 1.0, 1.0])
    """
    share, place, angle, scale = generator.random((4, size))
    return Draw(
        share=augment.crop + (1 - augment.crop) * share,
        place=place,
        angle=np.deg2rad(augment.rotate) * (2 * angle - 1),
        scale=1 + augment.scale * (2 * scale - 1),
    )


@dataclass(frozen=True)
class Timeline:
    """Which recorded frames make up which frame of a batch.

    Attributes:
        low: the earlier frame, ``[B, T]``; -1 where there is none.
        high: the later frame, ``[B, T]``.
        weight: of the later frame, ``[B, T]``, in [0, 1): the frame is ``(1 - weight) low + weight high``.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    weight: NDArray[np.float64]


def timeline(rows: Rows, chosen: NDArray[np.int64], recipe: Recipe | None, change: Draw | None = None) -> Timeline:
    """Plans the sampling of a batch.

    - no recipe: every frame as it is, as many as the longest recording has.
    - `pad`: the first `recipe.frames` frames, as they are.
    - `resample`: the frames in which any instance is valid, v of them, stretched linearly: frame t of T lies at
      ``t (v - 1) / (T - 1)``, so that the first and the last are kept.

    A crop keeps a share of the frames (of the valid ones for `resample`) and goes before either.

    Args:
        rows: the recordings.
        chosen: which of them, ``[B]``.
        recipe: names the sampling.
        change: the random changes, or none.
    """
    frames = rows.frames[chosen]
    if recipe is None:
        return _consecutive(np.zeros_like(frames), frames, int(frames.max(initial=0)))
    wanted = recipe.clip_frames
    if recipe.sampling == "pad":
        start, length = _cropped(frames, change)
        return _consecutive(start, length, wanted)
    step = np.arange(int(frames.max(initial=0)))
    there = _valid(rows, chosen, np.where(step < frames[:, None], step, -1), int(rows.instances[chosen].max(initial=1)))
    any_there = there.any(axis=1)
    # The valid frames of each recording, in order, at the front of its row.
    order = np.argsort(~any_there, axis=1, kind="stable")
    start, length = _cropped(any_there.sum(axis=1), change)
    room = np.maximum(length - 1, 0)[:, None]
    # One frame shows the middle.
    steps = np.arange(wanted) / (wanted - 1) if wanted > 1 else np.array([0.5])
    position = steps * room
    # Rounding may leave a whole number a hair below itself.
    position = np.where(np.abs(position - np.rint(position)) < 1e-9, np.rint(position), position)
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, room)
    weight = np.asarray(position - low, np.float64)
    last = max(order.shape[1] - 1, 0)
    picked = [np.take_along_axis(order, np.minimum(start[:, None] + at, last), axis=1) for at in (low, high)]
    empty = (length == 0)[:, None]
    return Timeline(np.where(empty, -1, picked[0]), np.where(empty, -1, picked[1]), weight)


def _consecutive(start: NDArray[np.int64], length: NDArray[np.int64], size: int) -> Timeline:
    step = np.arange(size)
    low = np.where(step < length[:, None], start[:, None] + step, -1)
    return Timeline(low, low, np.zeros(low.shape))


def _cropped(frames: NDArray[np.int64], change: Draw | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if change is None:
        return np.zeros_like(frames), frames
    length = np.clip(np.rint(change.share * frames).astype(np.int64), np.minimum(frames, 1), frames)
    return np.floor(change.place * (frames - length + 1)).astype(np.int64), length


def _row(
    rows: Rows, chosen: NDArray[np.int64], frame: NDArray[np.int64], instances: int
) -> tuple[NDArray[np.int64], Bools]:
    """The row of each instance at each frame, ``[B, M, T]``, and whether there is such a row."""
    instance = np.arange(instances)[None, :, None]
    row = rows.offset[chosen][:, None, None] + instance * rows.frames[chosen][:, None, None] + frame[:, None, :]
    return row, (instance < rows.instances[chosen][:, None, None]) & (frame >= 0)[:, None, :]


def _valid(rows: Rows, chosen: NDArray[np.int64], frame: NDArray[np.int64], instances: int) -> Bools:
    row, there = _row(rows, chosen, frame, instances)
    there[there] = rows.valid[row[there]]
    return there


def _taken(rows: Rows, chosen: NDArray[np.int64], frame: NDArray[np.int64], instances: int) -> tuple[Floats, Bools]:
    row, there = _row(rows, chosen, frame, instances)
    there[there] = rows.valid[row[there]]
    x = np.zeros((*row.shape, *rows.x.shape[1:]), np.float32)
    x[there] = rows.x[row[there]]
    return x, there


def sampled(
    rows: Rows, chosen: NDArray[np.int64], instances: int, plan: Timeline
) -> tuple[Floats, Bools, Bools | None]:
    """Reads a batch as a timeline says.

    Between two frames values are interpolated linearly over those of the two in which the instance is valid. Whether
    an instance is valid, and the truth, are those of the nearer frame.

    Args:
        rows: the recordings.
        chosen: which of them, ``[B]``.
        instances: M; instances beyond it are dropped, missing ones are not valid.
        plan: of `timeline`.

    Returns:
        x ``[B, M, T, N, C]``, zero where not valid; valid ``[B, M, T]``; truth ``[B, M, T, N]`` or none.
    """
    nearer = np.where(plan.weight < 0.5, plan.low, plan.high)
    if not plan.weight.any():
        x, valid = _taken(rows, chosen, plan.low, instances)
    else:
        low, low_there = _taken(rows, chosen, plan.low, instances)
        high, high_there = _taken(rows, chosen, plan.high, instances)
        to_high = plan.weight.astype(np.float32)[:, None, :] * high_there
        to_low = (1 - plan.weight).astype(np.float32)[:, None, :] * low_there
        total = to_low + to_high
        valid = _valid(rows, chosen, nearer, instances)
        scale = np.where(valid, 1 / np.where(total > 0, total, 1), 0).astype(np.float32)
        low *= (to_low * scale)[..., None, None]
        high *= (to_high * scale)[..., None, None]
        x = np.add(low, high, out=low)
    if rows.truth is None:
        return x, valid, None
    truth = np.zeros(x.shape[:4], bool)
    truth[valid] = rows.truth[_row(rows, chosen, nearer, instances)[0][valid]]
    return x, valid, truth


def placed(
    x: Floats,
    valid: Bools,
    *,
    center: int | None,
    remove: bool,
    vertical: tuple[int, int] | None = None,
    change: Draw | None = None,
) -> Floats:
    """Centres a batch, and turns and scales it about the same centre.

    The centre is where the centre node is at the first valid frame of the first instance (of the first that is ever
    valid). With a turn by angle a about y: ``x' = x cos a + z sin a``, ``z' = z cos a - x sin a``.

    Args:
        x: ``[B, M, T, N, C]``.
        valid: ``[B, M, T]``.
        center: the centre node; may be none where nothing is asked of it.
        remove: whether the centre is subtracted, so that it lies at the origin (`center = "first"` of a recipe).
        vertical: the two horizontal channels, in the order x, z; none where there is nothing to turn.
        change: angle and scale, or none.

    Returns:
        ``[B, M, T, N, C]``, zero where not valid.

    Example:
        >>> x = np.array([1.0, 2.0, 3.0], np.float32).reshape(1, 1, 1, 1, 3)
        >>> placed(x, np.ones((1, 1, 1), bool), center=0, remove=True).ravel().tolist()
        [0.0, 0.0, 0.0]
    """
    turned = change is not None and (bool(change.angle.any()) or bool((change.scale != 1).any()))
    if not (remove or turned):
        return x
    if center is None:
        raise InputError("centring, turning and scaling want a centre node, and the graph names none (`center`).")
    batch, frames = np.arange(len(x)), valid.shape[2]
    first = valid.reshape(len(x), -1).argmax(axis=1)
    pivot = x[batch, first // frames, first % frames, center][:, None, None, None, :]
    x = x - pivot
    if turned and change is not None:
        if vertical is not None:
            a, b = vertical
            cosine, sine = (f(change.angle).astype(np.float32)[:, None, None, None] for f in (np.cos, np.sin))
            x[..., a], x[..., b] = x[..., a] * cosine + x[..., b] * sine, x[..., b] * cosine - x[..., a] * sine
        x *= change.scale.astype(np.float32)[:, None, None, None, None]
    if not remove:
        x += pivot
    x[~valid] = 0
    return x
