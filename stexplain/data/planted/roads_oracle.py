"""Forecasts planted roads by the rules that made them: no training.

The oracle verifies the planted truth: with the planted readings of a window put back to the free speed it foresees no
slowdown, and with all others put back the same one.
"""

import numpy as np
from numpy.typing import NDArray

from stexplain.axes import check_shape
from stexplain.data.planted.roads import GAIN, TAIL, Array, World, spread
from stexplain.errors import InputError

_NO_CONGESTION = 0.08


def oracle(world: World, readings: NDArray[np.floating], first: int, horizon: int) -> Array:
    """What the readings of a window lead to, by the dynamics of `spread`.

    What a reading says is how much of the free speed is lost. A faulty sensor says nothing, and a missing reading
    neither: there the generator's own state is taken. Congestion that begins after the window is not foreseen.

    Args:
        world: the generator's knowledge of free speeds, faults, and of starts that are under way.
        readings: ``[W, N]`` in mph, as recorded or altered; NaN where one is missing.
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
    sizes = check_shape("readings", readings.shape, "t n", n=world.speed.shape[1])
    if sizes["t"] < max(TAIL) or first < 0 or first + sizes["t"] + horizon > len(world.speed):
        raise InputError(
            f"{sizes['t']} frames from {first} on and a horizon of {horizon} came; wanted at least {max(TAIL)} frames, "
            f"and all of it within the {len(world.speed)} of the world."
        )
    window, after = slice(first, first + sizes["t"]), slice(first + sizes["t"], first + sizes["t"] + horizon)
    lost = 1 - np.asarray(readings, np.float64) / world.free[window]
    unknown = np.isnan(lost) | (world.fault[window] > 0)
    lost = np.where(unknown, world.lost[window], np.where(lost < _NO_CONGESTION, 0, lost))
    ahead = spread(_under_way(world, after), world.roads.gains(GAIN), before=lost)
    return np.asarray(world.free[after] * (1 - np.clip(ahead, 0, 0.9)))


def _under_way(world: World, after: slice) -> Array:
    """What starts that began before these frames still add in them."""
    known = np.zeros_like(world.starts[after])
    for begin, sensor, end in world.begun.tolist():
        if begin < after.start <= end:
            frames = slice(after.start, min(end, after.stop))
            known[: frames.stop - frames.start, sensor] = world.starts[frames, sensor]
    return known
