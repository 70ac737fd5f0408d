"""Forecasts planted roads by the rules that made them: no training.

The oracle verifies the ground truth: with the causing values of a window set back to the free speed it forecasts no
slowdown, and with all other values set back the same slowdown.
"""

import numpy as np
from numpy.typing import NDArray

from stexplain.axes import check_shape
from stexplain.data.planted.roads import GAIN, TAIL, Array, World, spread
from stexplain.errors import InputError

# Below this share of the free speed a loss is noise or drift (a few standard deviations), not congestion.
_NO_CONGESTION = 0.08


def oracle(world: World, speeds: NDArray[np.floating], first: int, horizon: int) -> Array:
    """What the speeds of a window lead to, by the dynamics of `spread`.

    A speed says how much of the free speed is lost. That of a faulty sensor says nothing, and neither does a missing
    one: there the generator's own state is used. Congestion that begins after the window is not forecast.

    Args:
        world: the generator's knowledge of free speeds, faults, and of congestion that is starting.
        speeds: ``[W, N]`` in mph, original or perturbed; NaN where one is missing.
        first: the frame of the first of them.
        horizon: how many frames to forecast.

    Returns:
        Speeds in mph, ``[horizon, N]``.

    Raises:
        InputError: where the window is shorter than congestion takes to the next sensor, or does not fit.

    Example:
        >>> from stexplain.data.planted.roads import simulate
        >>> world = simulate(days=1)
        >>> oracle(world, world.speed[100:112], 100, 12).shape
        (12, 40)
    """
    window = check_shape("speeds", speeds.shape, "t n", n=world.speed.shape[1])["t"]
    if window < max(TAIL) or first < 0 or first + window + horizon > len(world.speed):
        raise InputError(
            f"speeds: got {window} frames from {first} on and a horizon of {horizon}; expected at least {max(TAIL)} "
            f"frames, and all of them within the {len(world.speed)} of the world."
        )
    read, after = slice(first, first + window), slice(first + window, first + window + horizon)
    lost = 1 - np.asarray(speeds, np.float64) / world.free[read]
    unknown = np.isnan(lost) | (world.fault[read] > 0)
    lost = np.where(unknown, world.lost[read], np.where(lost < _NO_CONGESTION, 0, lost))
    ahead = spread(_still_starting(world, after), world.roads.gains(GAIN), before=lost)
    # Nobody stands still entirely: the generator clips at the same share.
    return np.asarray(world.free[after] * (1 - np.clip(ahead, 0, 0.9)))


def _still_starting(world: World, after: slice) -> Array:
    """What congestion that began before these frames, and is still building up, adds in them, ``[horizon, N]``."""
    known = np.zeros_like(world.starts[after])
    for begin, sensor, end in world.begun.tolist():
        if begin < after.start <= end:
            frames = slice(after.start, min(end, after.stop))
            known[: frames.stop - frames.start, sensor] = world.starts[frames, sensor]
    return known
