"""From recordings of any length to batches of one size, a whole batch at a time.

The steps, in order: sampling in time (`plan_frames`, `read_frames`), then centring, turning and augmentation
(`stexplain.data.transforms.alignment`).
Every random number of a batch is drawn in `draw_augmentation`, so that a change of one augmentation leaves the others'
numbers as they are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stexplain.cards import Augment, Recipe
from stexplain.data.store.prepared import Rows

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Augmentation:
    """The random numbers of a batch, each ``[B]``.

    Attributes:
        share: of the frames that a crop keeps, in (0, 1].
        place: where the crop starts, as a share of the frames that it drops, in [0, 1).
        angle: about the vertical, in radians.
        scale: of the body.
    """

    share: NDArray[np.float64]
    place: NDArray[np.float64]
    angle: NDArray[np.float64]
    scale: NDArray[np.float64]


def draw_augmentation(augment: Augment, size: int, generator: np.random.Generator) -> Augmentation:
    """Draws the random changes of a batch.

    Args:
        augment: how large they may be.
        size: B.
        generator: of the randomness; it advances by the same amount whatever `augment` says.

    Example:
        >>> drawn = draw_augmentation(Augment(rotate=10.0), 4, np.random.default_rng(0))
        >>> bool((abs(np.degrees(drawn.angle)) <= 10).all()), drawn.scale.tolist()
        (True, [1.0, 1.0, 1.0, 1.0])
    """
    # All four are drawn even where one is off: turning rotation on must not change the crops.
    share, place, angle, scale = generator.random((4, size))
    return Augmentation(
        share=augment.crop + (1 - augment.crop) * share,
        place=place,
        angle=np.deg2rad(augment.rotate) * (2 * angle - 1),
        scale=1 + augment.scale * (2 * scale - 1),
    )


@dataclass(frozen=True)
class Timeline:
    """Which raw frames make up which frame of a batch.

    Attributes:
        low: the earlier raw frame, ``[B, T]``; -1 where there is none.
        high: the later raw frame, ``[B, T]``.
        weight: of the later one, ``[B, T]``, in [0, 1): the frame is ``(1 - weight) low + weight high``.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    weight: NDArray[np.float64]


def plan_frames(
    rows: Rows, chosen: NDArray[np.int64], recipe: Recipe | None, augmentation: Augmentation | None = None
) -> Timeline:
    """Plans the sampling of a batch in time.

    - no recipe: every frame as it is, as many as the longest recording has.
    - `pad`: the first `recipe.frames` frames, as they are.
    - `resample`: the frames in which any instance is valid, v of them, stretched linearly: frame t of T is at
      ``t (v - 1) / (T - 1)``, so that the first and the last are kept.

    A crop keeps a share of the frames (of the valid ones for `resample`) and comes before either.

    Args:
        rows: the recordings.
        chosen: which of them, ``[B]``.
        recipe: names the sampling.
        augmentation: the random changes, or none.
    """
    frames = rows.frames[chosen]
    if recipe is None:
        return _consecutive(np.zeros_like(frames), frames, int(frames.max(initial=0)))
    size = recipe.clip_frames
    if recipe.sampling == "pad":
        start, length = _cropped(frames, augmentation)
        return _consecutive(start, length, size)
    step = np.arange(int(frames.max(initial=0)))
    most = int(rows.instances[chosen].max(initial=1))
    valid = _valid(rows, chosen, np.where(step < frames[:, None], step, -1), most)
    any_valid = valid.any(axis=1)
    # The valid frames of each recording, in order, at the front of its row: a stable sort of false before true.
    order = np.argsort(~any_valid, axis=1, kind="stable")
    start, length = _cropped(any_valid.sum(axis=1), augmentation)
    room = np.maximum(length - 1, 0)[:, None]
    # A clip of one frame shows the middle.
    steps = np.arange(size) / (size - 1) if size > 1 else np.array([0.5])
    position = steps * room
    # Rounding may leave a whole number a hair below itself, which would mix two frames where one is meant.
    position = np.where(np.abs(position - np.rint(position)) < 1e-9, np.rint(position), position)
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, room)
    weight = np.asarray(position - low, np.float64)
    last = max(order.shape[1] - 1, 0)
    # From a position among the valid frames to the number of the raw frame.
    picked = [np.take_along_axis(order, np.minimum(start[:, None] + at, last), axis=1) for at in (low, high)]
    empty = (length == 0)[:, None]
    return Timeline(np.where(empty, -1, picked[0]), np.where(empty, -1, picked[1]), weight)


def _consecutive(start: NDArray[np.int64], length: NDArray[np.int64], size: int) -> Timeline:
    """Frames one after another from a start, ``[B, size]``; padding behind the last."""
    step = np.arange(size)
    low = np.where(step < length[:, None], start[:, None] + step, -1)
    return Timeline(low, low, np.zeros(low.shape))


def _cropped(
    frames: NDArray[np.int64], augmentation: Augmentation | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First frame and length of each crop, ``[B]`` each."""
    if augmentation is None:
        return np.zeros_like(frames), frames
    # At least one frame, unless there is none.
    shortest = np.minimum(frames, 1)
    length = np.clip(np.rint(augmentation.share * frames).astype(np.int64), shortest, frames)
    return np.floor(augmentation.place * (frames - length + 1)).astype(np.int64), length


def _row(
    rows: Rows, chosen: NDArray[np.int64], frame: NDArray[np.int64], instances: int
) -> tuple[NDArray[np.int64], Bools]:
    """The row of each instance at each frame, ``[B, M, T]``, and whether that row exists."""
    instance = np.arange(instances)[None, :, None]
    # Rows hold all frames of the first instance, then those of the second, and so on.
    row = rows.offset[chosen][:, None, None] + instance * rows.frames[chosen][:, None, None] + frame[:, None, :]
    return row, (instance < rows.instances[chosen][:, None, None]) & (frame >= 0)[:, None, :]


def _valid(rows: Rows, chosen: NDArray[np.int64], frame: NDArray[np.int64], instances: int) -> Bools:
    """The padding mask of frames, ``[B, M, T]``."""
    row, valid = _row(rows, chosen, frame, instances)
    # Only rows that exist are read: the others belong to other recordings, or to none.
    valid[valid] = rows.valid[row[valid]]
    return valid


def _gathered(rows: Rows, chosen: NDArray[np.int64], frame: NDArray[np.int64], instances: int) -> tuple[Floats, Bools]:
    """Values ``[B, M, T, N, C]`` of frames, zero where not valid, and their padding mask ``[B, M, T]``."""
    row, valid = _row(rows, chosen, frame, instances)
    valid[valid] = rows.valid[row[valid]]
    x = np.zeros((*row.shape, *rows.x.shape[1:]), np.float32)
    x[valid] = rows.x[row[valid]]
    return x, valid


def read_frames(
    rows: Rows, chosen: NDArray[np.int64], instances: int, plan: Timeline
) -> tuple[Floats, Bools, Bools | None, Bools | None]:
    """Reads a batch as a timeline says.

    Between two frames values are interpolated linearly over those of the two in which the instance is valid and the
    node observed. The padding mask and the ground truth are those of the nearer frame.

    Args:
        rows: the recordings.
        chosen: which of them, ``[B]``.
        instances: M; instances beyond it are dropped, missing ones are not valid.
        plan: of `plan_frames`.

    Returns:
        x ``[B, M, T, N, C]``, zero where not valid or not observed; valid ``[B, M, T]``; truth ``[B, M, T, N]`` or
        none; observed ``[B, M, T, N]``, or none where all nodes of valid frames are.
    """
    nearer = np.where(plan.weight < 0.5, plan.low, plan.high)
    if not plan.weight.any():
        # Nothing to interpolate: one gather, and values stay exactly those of the file.
        x, valid = _gathered(rows, chosen, plan.low, instances)
        observed = _observed(rows, chosen, plan.low, instances)
    elif rows.observed is not None:
        valid = _valid(rows, chosen, nearer, instances)
        x, observed = _between_nodes(rows, chosen, instances, plan, valid)
    else:
        observed = None
        low, low_valid = _gathered(rows, chosen, plan.low, instances)
        high, high_valid = _gathered(rows, chosen, plan.high, instances)
        # A frame in which the instance is absent has no weight, so its zeros do not pull the body to the origin.
        to_high = plan.weight.astype(np.float32)[:, None, :] * high_valid
        to_low = (1 - plan.weight).astype(np.float32)[:, None, :] * low_valid
        total = to_low + to_high
        valid = _valid(rows, chosen, nearer, instances)
        scale = np.where(valid, 1 / np.where(total > 0, total, 1), 0).astype(np.float32)
        # In place: these are the largest arrays of the whole sampling.
        low *= (to_low * scale)[..., None, None]
        high *= (to_high * scale)[..., None, None]
        x = np.add(low, high, out=low)
    if rows.truth is None:
        return x, valid, None, observed
    truth = np.zeros(x.shape[:4], bool)
    truth[valid] = rows.truth[_row(rows, chosen, nearer, instances)[0][valid]]
    return x, valid, truth, observed


def _observed(rows: Rows, chosen: NDArray[np.int64], frame: NDArray[np.int64], instances: int) -> Bools | None:
    """Which nodes were read at frames, ``[B, M, T, N]``; none where nothing says."""
    if rows.observed is None:
        return None
    row, valid = _row(rows, chosen, frame, instances)
    observed = np.zeros((*row.shape, rows.observed.shape[1]), bool)
    observed[valid] = rows.observed[row[valid]]
    return observed


def _between_nodes(
    rows: Rows, chosen: NDArray[np.int64], instances: int, plan: Timeline, valid: Bools
) -> tuple[Floats, Bools]:
    """Values between two frames, each node by those of the two in which it was read, and where it was in any."""
    low, _ = _gathered(rows, chosen, plan.low, instances)
    high, _ = _gathered(rows, chosen, plan.high, instances)
    seen_low, seen_high = (_observed(rows, chosen, frame, instances) for frame in (plan.low, plan.high))
    assert seen_low is not None
    assert seen_high is not None
    weight = plan.weight.astype(np.float32)[:, None, :, None]
    to_low, to_high = (1 - weight) * seen_low, weight * seen_high
    total = to_low + to_high
    observed = np.asarray((total > 0) & valid[..., None])
    scale = np.where(observed, 1 / np.where(total > 0, total, 1), 0).astype(np.float32)
    return low * (to_low * scale)[..., None] + high * (to_high * scale)[..., None], observed
