"""Forecasts planted roads by the rules that made them: no training.

The oracle verifies the ground truth: with the causing values of a window set back to the free speed it forecasts no
slowdown, and with all other values set back the same slowdown.
"""

import numpy as np
from numpy.typing import NDArray

from stexplain.axes import check_shape
from stexplain.data.planted.roads import GAIN, TAIL, Array, World, queues
from stexplain.errors import InputError

# Below this share of the free speed a gain is what is left of noise or drift, not thin traffic.
_NOT_THIN = 0.055


def oracle(world: World, speeds: NDArray[np.floating], first: int, horizon: int) -> Array:
    """What the speeds of a window lead to, by the dynamics of `queues`.

    A speed, less the noise of its observation, says how much thin traffic gains; one below the free speed, nothing. Nor
    does a faulty sensor, or a missing value: there, and before the window, the generator's own state is used. Incidents
    that happen after the window are not forecast.

    Args:
        world: the generator's knowledge of free speeds, noise, faults, and of incidents that have happened.
        speeds: ``[W, N]`` in mph, original or perturbed; NaN where one is missing.
        first: the frame of the first of them.
        horizon: how many frames to forecast.

    Returns:
        Speeds in mph, ``[horizon, N]``.

    Raises:
        InputError: where the window is empty or does not fit.

    Example:
        >>> from stexplain.data.planted.roads import simulate
        >>> world = simulate(days=1)
        >>> oracle(world, world.speed[100:112], 100, 12).shape
        (12, 40)
    """
    window = check_shape("speeds", speeds.shape, "t n", n=world.speed.shape[1])["t"]
    if not window or first < 0 or first + window + horizon > len(world.speed):
        raise InputError(
            f"speeds: got {window} frames from {first} on and a horizon of {horizon}; expected at least one frame, and "
            f"all of them within the {len(world.speed)} of the world."
        )
    read, after = slice(first, first + window), slice(first + window, first + window + horizon)
    speed = (np.asarray(speeds, np.float64) - world.noise[read]) / world.free[read]
    gained = speed - 1
    unknown = np.isnan(speed) | (world.fault[read] != 0)
    gained = np.where(unknown, world.gained[read], np.where(gained < _NOT_THIN, 0, gained))
    # Before the window lies what the speeds do not show.
    before = np.concatenate([world.gained[max(first - max(TAIL), 0) : first], gained])
    ahead = _still_thin(world, after)
    lost = queues(ahead, world.roads.gains(GAIN), before=before) - ahead
    # Nobody stands still entirely: the generator clips at the same share.
    return np.asarray(world.free[after] * (1 - np.minimum(lost, 0.9)))


def _still_thin(world: World, after: slice) -> Array:
    """What traffic that an incident thinned out before these frames still gains in them, ``[horizon, N]``."""
    known = np.zeros_like(world.gained[after])
    for begin, sensor, end in world.begun.tolist():
        if begin < after.start <= end:
            frames = slice(after.start, min(end, after.stop))
            known[: frames.stop - frames.start, sensor] = world.gained[frames, sensor]
    return known
