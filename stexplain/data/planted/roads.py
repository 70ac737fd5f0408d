"""Generates speeds on a road network in which the cause of every later slowdown is known.

Congestion starts at a sensor and spreads upstream, against the direction of travel: its tail reaches the sensor before
after 25 to 35 minutes. With q the share of the free speed that is lost to it,

    q[t, n] = starts[t, n] + sum over links n -> m of gain(n, m) * sum over k of TAIL[k] * q[t - k, m],
    speed[t, n] = free[t, n] * (1 - max(q[t, n], fault[t, n])) + drift[t, n] + noise[t, n].

`free` follows the hour and the day of the week. Faults are distractors: a sensor reports a speed as low and for as long
as congestion does. A fault begins and ends at once, while congestion builds up over a quarter of an hour, and nothing
spreads from it. The dynamics are linear, so which values of a window cause a later slowdown is known exactly.
"""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import lfilter

from stexplain.cards import SeriesCard
from stexplain.data.planted.roads_network import Network, network
from stexplain.data.series_file import COUNTERFACTUAL, EVENTS, TRUTH

Array = NDArray[np.float64]

TAIL = {5: 0.25, 6: 0.5, 7: 0.25}
"""How many frames the tail of congestion takes from a sensor to the one before: shares by frames of 5 minutes."""
GAIN = 0.92
"""How much of congestion spreads along a link of weight 1; a ramp has a lower weight."""
DAYS = 35
# Frames of 5 minutes.
PER_DAY = 288
# Drawn per day; most are dropped, because they would meet another.
_CONGESTIONS_A_DAY = 60
# Frames (4 h) during which nothing else starts near a congestion: longer than it lasts and spreads.
_APART = 48
# Faults per congestion, so that a low speed alone is more often a fault than a cause.
_FAULTS_EACH = 3
# Frames ahead at which events are: 15 to 60 minutes, as forecasts are scored.
_HORIZONS = (3, 6, 9, 12)


@dataclass(frozen=True)
class World:
    """All that the generator knows, ``[T, N]`` each.

    Attributes:
        roads: the network.
        free: the speed without congestion, fault and noise, in mph.
        starts: what is lost to congestion that starts there.
        lost: q, what is lost to congestion, wherever it started.
        fault: what a faulty sensor reports as lost.
        noise: drift and noise of each sensor, in mph.
        speed: what the sensors report, in mph; NaN where a value is missing.
        begun: the frame, the sensor and the last frame of each congestion's start, ``[congestions, 3]``.
    """

    roads: Network
    free: Array
    starts: Array
    lost: Array
    fault: Array
    noise: Array
    speed: Array
    begun: NDArray[np.int64]


def simulate(seed: int = 0, days: int = DAYS) -> World:
    """The speeds of some weeks that begin on a Monday, and all that they are made of.

    Args:
        seed: of everything random.
        days: how many.

    Example:
        >>> world = simulate(days=1)
        >>> world.speed.shape == (288, len(world.roads.sensors))
        True
    """
    rng = np.random.default_rng(seed)
    roads = network()
    shape = (days * PER_DAY, len(roads.sensors))
    starts, fault, begun = _disturbances(rng, roads, shape, days)
    lost = spread(starts, roads.gains(GAIN))
    free = roads.limits * (1 - _rhythm(roads, shape[0]))
    # Slow drift of each sensor: an autoregression of order 1, stationary at about 1 mph.
    drift = lfilter([1.0], [1.0, -0.97], rng.normal(0, 0.25, shape), axis=0)
    noise = drift + rng.normal(0, 1.2, shape)
    speed = np.where(_missing(rng, shape), np.nan, _reported(free, lost, fault, noise))
    return World(roads, free, starts, lost, fault, noise, speed, begun)


def _reported(free: Array, lost: Array, fault: Array, noise: Array) -> Array:
    """What sensors report where none is silent, in mph: the second equation of the module."""
    speed = free * (1 - np.clip(np.maximum(lost, fault), 0, 0.9)) + noise
    # At least 1 mph, since 0 means missing in real data; two digits, as files have them.
    return np.asarray(np.maximum(speed, 1.0).round(2))


def spread(starts: Array, gains: Array, before: Array | None = None) -> Array:
    """What is lost to congestion (q of the module's equation), frame by frame.

    Args:
        starts: ``[..., T, N]``, what is lost to congestion that starts there.
        gains: ``[N, N]``: what spreads from the sensor of the row to that of the column.
        before: q of the frames before, ``[..., W, N]``, or nothing.

    Returns:
        q of the T frames, ``[..., T, N]``.
    """
    # Without a past the recursion still needs max(TAIL) frames to look back to.
    past = np.zeros((*starts.shape[:-2], max(TAIL), starts.shape[-1])) if before is None else before
    lost = np.concatenate([past, starts], axis=-2)
    for t in range(past.shape[-2], lost.shape[-2]):
        for frames, share in TAIL.items():
            if t >= frames:
                # gains[m, n]: from sensor m of the row upstream to n of the column, for all sensors at once.
                lost[..., t, :] += share * lost[..., t - frames, :] @ gains
    return lost[..., past.shape[-2] :, :]


def response(roads: Network, window: int, horizon: int) -> Array:
    """What each value of a window adds to q afterwards, ``[window, N (of the value), horizon, N]``.

    Values in the window are given: one does not change another, only what follows the window.
    """
    count = len(roads.sensors)
    # One unit impulse per value: linear dynamics are known by their responses to these.
    each = np.eye(window * count).reshape(window, count, window, count)
    none = np.zeros((window, count, horizon, count))
    return spread(none, roads.gains(GAIN), before=each)


def planted_events(world: World, window: int, horizon: int, seed: int = 0) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Slowdowns that follow a window for certain and do not show in it yet, and the values that cause them.

    Traffic at the target is free throughout the window, and at the horizon loses a quarter of its speed or more to
    congestion that was under way in the window. The cause is every value of the window that adds at least a twentieth
    of the loss. A faulty sensor reports as deep a slowdown elsewhere in the window.

    Returns:
        A row per event: ``target``, ``frame`` (the first of the window), ``horizon``, ``origin`` (where the congestion
        started), ``began`` (the frame in which it did), ``slowdown`` (in mph); and the cause, ``[events, window, N]``,
        bool.
    """
    rng = np.random.default_rng([seed, 1])
    adds = response(world.roads, window, horizon)
    upstream = world.roads.upstream(3)
    reliable = ~np.isnan(world.speed) & (world.fault == 0)
    rows, causes = [], []
    for start, origin, _ in world.begun.tolist():
        reached = [upstream[origin][pick] for pick in rng.permutation(len(upstream[origin]))]
        horizons = [int(h) for h in rng.permutation([h for h in _HORIZONS if h <= horizon])]
        # Congestion takes about 6 frames per hop. Well into the slowdown if possible, else at its beginning.
        for late, (target, hops), h in product((5, 3, 2), reached, horizons):
            first = start + 6 * hops + late - h - window + 1
            cause = _cause(world, adds, reliable, target, first, h)
            if cause is not None:
                at = first + window - 1 + h
                slowdown = world.free[at, target] * world.lost[at, target]
                names = world.roads.sensors
                rows.append((names[target], first, h, names[origin], start, round(float(slowdown), 2)))
                causes.append(cause)
                # One event per congestion, so that events are independent.
                break
    order = np.argsort([row[1] for row in rows], kind="stable")
    table = pd.DataFrame(
        [rows[i] for i in order], columns=["target", "frame", "horizon", "origin", "began", "slowdown"]
    )
    return table, np.array([causes[i] for i in order], bool).reshape(-1, window, len(world.roads.sensors))


def counterfactuals(world: World, events: pd.DataFrame, window: int) -> Array:
    """What the sensors would have reported in each event's window without the congestion that causes the event.

    Noise, faults, missing values and all other congestion are the same: the dynamics are linear, so what one congestion
    adds is known by itself.

    Args:
        world: of which the events are.
        events: of `planted_events`.
        window: how many frames each window has.

    Returns:
        Speeds in mph, ``[events, window, N]``; NaN where a value is missing.
    """
    index = {name: number for number, name in enumerate(world.roads.sensors)}
    last = {(begin, sensor): end for begin, sensor, end in world.begun.tolist()}
    windows = np.empty((len(events), window, len(index)))
    for number, row in enumerate(events.to_dict("records")):
        origin, begin, first = index[row["origin"]], int(row["began"]), int(row["frame"])
        frames, end = slice(first, first + window), last[begin, origin]
        # From its first frame to the end of the window.
        alone = np.zeros((frames.stop - begin, len(index)))
        own = world.starts[begin : min(end, frames.stop), origin]
        alone[: len(own), origin] = own
        added = np.zeros((frames.stop, len(index)))
        added[begin:] = spread(alone, world.roads.gains(GAIN))
        shown = _reported(
            world.free[frames], world.lost[frames] - added[frames], world.fault[frames], world.noise[frames]
        )
        # Where nothing was added the difference is exact, so both windows are the same to the bit.
        windows[number] = np.where(np.isnan(world.speed[frames]), np.nan, shown)
    return windows


def generate(card: SeriesCard, out: Path, *, seed: int = 0) -> None:
    """Writes speeds, network and planted events, as `stexplain.data.readers.speeds_csv` and `load_series` read them.

    Args:
        card: whose window and horizon the events are for.
        out: the folder to make.
        seed: of everything random.
    """
    world = simulate(seed)
    out.mkdir(parents=True, exist_ok=True)
    roads = world.roads
    # A Monday, as `_rhythm` assumes.
    time = pd.date_range("2024-01-01", periods=len(world.speed), freq="5min", name="time")
    pd.DataFrame(world.speed, index=time, columns=list(roads.sensors)).to_csv(out / "speeds.csv")
    links = [(roads.sensors[source], roads.sensors[target], weight) for source, target, weight in roads.links]
    pd.DataFrame(links, columns=["source", "target", "weight"]).to_csv(out / "edges.csv", index=False)
    places = pd.DataFrame(roads.positions, columns=["x", "y"])
    places.insert(0, "sensor", roads.sensors)
    places["group"] = roads.road
    places.to_csv(out / "sensors.csv", index=False)
    events, truth = planted_events(world, card.series.window, card.series.horizon, seed)
    events.to_csv(out / EVENTS, index=False)
    np.save(out / TRUTH, truth)
    np.save(out / COUNTERFACTUAL, counterfactuals(world, events, card.series.window).astype(np.float32))


def _cause(
    world: World, adds: Array, reliable: NDArray[np.bool_], target: int, first: int, horizon: int
) -> NDArray[np.bool_] | None:
    """The positions of the window that cause this slowdown, ``[window, N]``, or none where it is no event."""
    window = len(adds)
    at = first + window - 1 + horizon
    if first < 0 or at >= len(world.lost) or not reliable[at, target]:
        return None
    frames = slice(first, first + window)
    slowed = world.lost[at, target]
    # No event where the target itself gives the slowdown away: the cause has to be found at other sensors.
    if slowed < 0.25 or world.lost[frames, target].max() > 0.05 or world.fault[frames, target].any():
        return None
    # What each value of the window adds to the loss at the horizon, [window, N].
    share = adds[:, :, horizon - 1, target] * world.lost[frames]
    cause = share >= 0.05 * slowed
    # What starts after the window cannot be foreseen, and small parts from elsewhere would make the truth untrue.
    if share[cause].sum() < 0.9 * slowed or not reliable[frames][cause].all():
        return None
    # A fault that begins in the window, as deep as congestion: without a distractor any low speed is the cause.
    begins = np.diff(world.fault[frames], axis=0) > 0.3
    return cause if begins.any() else None


def _disturbances(
    rng: np.random.Generator, roads: Network, shape: tuple[int, int], days: int
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Congestion that starts, faults (``[T, N]`` each), and frame, sensor and end of each congestion ``[n, 3]``."""
    starts, fault = np.zeros(shape), np.zeros(shape)
    taken = np.zeros(shape, bool)
    # Five hops take two and a half hours, and at a gain of 0.92 and ramps of 0.6 little is left after them.
    reach = roads.upstream(5)
    begun = []
    for _ in range(_CONGESTIONS_A_DAY * days):
        # Morning, evening or any time of day, a third each.
        day, hour = rng.integers(days), rng.choice([rng.normal(8, 1.5), rng.normal(17, 2), rng.uniform(5, 22)])
        frame, sensor = int(day * PER_DAY + np.clip(hour, 0, 23.9) * 12), int(rng.integers(shape[1]))
        depth, length = rng.uniform(0.4, 0.65), int(rng.integers(10, 20))
        touched = [sensor, *(target for target, _ in reach[sensor])]
        # Two that meet would add up to more than a standstill.
        if taken[frame : frame + _APART, touched].any():
            continue
        taken[frame : frame + _APART, touched] = True
        _add(starts, frame, sensor, depth * _pulse(length, gradual=3))
        begun.append((frame, sensor, frame + length))
        # Faults lie where the congestion does not reach, at about the same time.
        others = [other for other in range(shape[1]) if other not in touched]
        for other in rng.choice(others, _FAULTS_EACH, replace=False):
            length = int(rng.integers(10, 20))
            _add(fault, frame + int(rng.integers(-6, 24)), int(other), depth * _pulse(length, gradual=0))
    return starts, np.minimum(fault, 0.65), np.array(sorted(begun), np.int64).reshape(-1, 3)


def _pulse(length: int, gradual: int) -> Array:
    """1 over `length` frames, of which the first and last `gradual` rise and fall, ``[length]``."""
    rise = np.arange(1, gradual + 1) / (gradual + 1)
    return np.concatenate([rise, np.ones(length - 2 * gradual), rise[::-1]])


def _add(field: Array, frame: int, sensor: int, pulse: Array) -> None:
    """Adds a pulse from a frame on, as far as it lies within the series."""
    inside = slice(max(frame, 0), min(frame + len(pulse), len(field)))
    field[inside, sensor] += pulse[inside.start - frame : inside.stop - frame]


def _rhythm(roads: Network, frames: int) -> Array:
    """The share of the limit that ordinary traffic takes, by hour and day of week, ``[T, N]``."""
    hour = (np.arange(frames) % PER_DAY) / 12
    weekend = (np.arange(frames) // PER_DAY) % 7 >= 5

    def peak(at: float, width: float) -> Array:
        return np.exp(-(((hour - at) / width) ** 2))

    # Depths are shares of the limit, hours and widths those of commuting: the higher peak is where people go to work.
    inbound = 0.22 * peak(8, 1.3) + 0.10 * peak(17.5, 1.6)
    outbound = 0.10 * peak(8, 1.3) + 0.22 * peak(17.5, 1.6)
    leisure = 0.08 * peak(14, 3.5)
    working = np.where(roads.inbound, inbound[:, None], outbound[:, None])
    return np.asarray(np.where(weekend[:, None], leisure[:, None], working))


def _missing(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Single values that are lost, and sensors that send nothing for up to three hours, ``[T, N]``."""
    lost = rng.random(shape) < 0.005
    # Two such outages per sensor and week.
    for _ in range(round(2 * shape[1] * shape[0] / (7 * PER_DAY))):
        frame, sensor = int(rng.integers(shape[0])), int(rng.integers(shape[1]))
        lost[frame : frame + int(rng.integers(6, 37)), sensor] = True
    return lost
