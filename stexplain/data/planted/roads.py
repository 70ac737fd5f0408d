"""Generates speeds on a road network in which the cause of every later slowdown is known.

Incidents happen between sensors. At the sensor after it traffic thins out: at once it runs faster, which fades within
half an hour. Before it traffic queues up against the direction of travel, and an hour later the queue reaches the
sensor before, where it dissolves. With r the share of the free speed that thin traffic gains, and q what queues lose,

    q[t, n] = sum over links n -> m of gain(n, m) * sum over k of TAIL[k] * r[t - k, m],
    speed[t, n] = free[t, n] * (1 + r[t, n] - q[t, n] - fault[t, n]) + drift[t, n] + noise[t, n].

`free` follows the hour and the day of the week. Faults are distractors: a sensor reports a speed as high as thin
traffic has, or as low as queues. A fault builds up and ends at once, the other way round than thin traffic, and nothing
follows from it. The dynamics are linear, so which values of a window cause a later slowdown is known exactly.

Thin traffic differs from the usual by less than queues and most faults do, and is not slow. So a cause is not where
traffic is slowest, or changes most. An hour is as long as the window, so a cause may be at any frame of it.
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

TAIL = {12: 0.25, 13: 0.5, 14: 0.25}
"""How many frames a queue takes to the sensor before: shares by frames of 5 minutes."""
GAIN = 3.5
"""How much a queue loses for what thin traffic gains, on a link of weight 1; a ramp has a lower weight."""
DAYS = 35
# Frames of 5 minutes.
PER_DAY = 288
# The middle of the night and half its length, hours in which speeds fall and rise, and the share by which they do.
_NIGHT, _DUSK, _BY_NIGHT = (1.0, 6.0), 3.0, 0.3
# Between these hours, all that starts does so.
_BY_DAY = (7.0, 18.5)
# Incidents, fast and slow faults drawn per sensor and day; those that would meet another are dropped.
_DRAWN = {"incident": 5, "fast": 3, "slow": 6}
# Shares of the free speed at most, and frames, of what thin traffic and fast faults gain, and slow faults lose.
_FAST, _FAST_LENGTH = (0.10, 0.16), (5, 7)
_SLOW, _SLOW_LENGTH = (0.25, 0.6), (6, 12)
# Frames ahead at which events are: 15 to 60 minutes, as forecasts are scored.
_HORIZONS = (3, 6, 9, 12)


@dataclass(frozen=True)
class World:
    """All that the generator knows, ``[T, N]`` each.

    Attributes:
        roads: the network.
        free: the speed without incident, fault and noise, in mph.
        gained: r, the share of it that thin traffic after an incident gains.
        lost: q, the share of it that is lost to queues.
        fault: the share of it that a faulty sensor reports as lost; negative where it reports too high a speed.
        noise: drift and noise of each sensor, in mph.
        speed: what the sensors report, in mph; NaN where a value is missing.
        begun: the frame, the sensor after it and the last frame of each incident, ``[incidents, 3]``.
    """

    roads: Network
    free: Array
    gained: Array
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
    gained, fault, begun = _disturbances(rng, roads, shape, days)
    lost = queues(gained, roads.gains(GAIN))
    free = roads.limits * (1 - _rhythm(roads, shape[0]))
    # Slow drift of each sensor: an autoregression of order 1, stationary at about half a mph.
    drift = lfilter([1.0], [1.0, -0.97], rng.normal(0, 0.12, shape), axis=0)
    noise = drift + rng.normal(0, 0.5, shape)
    speed = np.where(_missing(rng, shape), np.nan, _reported(free, lost + fault - gained, noise))
    return World(roads, free, gained, lost, fault, noise, speed, begun)


def _reported(free: Array, lost: Array, noise: Array) -> Array:
    """What sensors report where none is silent, in mph: the second equation of the module."""
    # At least 1 mph, since 0 means missing in real data; two digits, as files have them.
    return np.asarray(np.maximum(free * (1 - np.minimum(lost, 0.9)) + noise, 1.0).round(2))


def queues(gained: Array, gains: Array, before: Array | None = None) -> Array:
    """What is lost to queues (q of the module's equation).

    Args:
        gained: ``[..., T, N]``, what thin traffic gains.
        gains: ``[N, N]``: what a queue at the sensor of the column loses for what the sensor of the row gained.
        before: the same of the frames before, ``[..., W, N]``; none: nothing.

    Returns:
        q of the T frames, ``[..., T, N]``.
    """
    count, back = gained.shape[-2], max(TAIL)
    earlier = np.zeros((*gained.shape[:-2], back, gained.shape[-1]))
    if before is not None:
        known = min(back, before.shape[-2])
        earlier[..., back - known :, :] = before[..., before.shape[-2] - known :, :]
    whole = np.concatenate([earlier, gained], axis=-2)
    arrived = [share * whole[..., back - frames : back - frames + count, :] for frames, share in TAIL.items()]
    # From sensor m of the row upstream to n of the column, for all sensors and frames at once.
    return np.asarray(np.sum(arrived, axis=0) @ gains)


def response(roads: Network, window: int, horizon: int) -> Array:
    """What each value of a window adds to q afterwards, ``[window, N (of the value), horizon, N]``.

    Per share of the free speed that traffic gains there: what is lost to the queue.
    """
    count = len(roads.sensors)
    # One unit impulse per value: linear dynamics are known by their responses to these.
    each = np.eye(window * count).reshape(window, count, window, count)
    none = np.zeros((window, count, horizon, count))
    return queues(none, roads.gains(GAIN), before=each)


def planted_events(world: World, window: int, horizon: int, seed: int = 0) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Slowdowns that follow a window for certain and do not show in it yet, and the values that cause them.

    Traffic at the target is free throughout the window, and at the horizon loses a quarter of its speed or more to
    queues whose incidents show in the window. The cause is every value of the window that adds at least a twentieth of
    the loss. In every window a faulty sensor differs from the free speed at least as much.

    Returns:
        A row per event: ``target``, ``frame`` (the first of the window), ``horizon``, ``origin`` (the sensor after the
        incident), ``began`` (the frame in which it happened), ``slowdown`` (in mph); and the cause, ``[events, window,
        N]``, bool.
    """
    rng = np.random.default_rng([seed, 1])
    adds = response(world.roads, window, horizon)
    before = world.roads.upstream(1)
    reliable = ~np.isnan(world.speed) & (world.fault == 0)
    rows, causes = [], []
    for start, origin, _ in world.begun.tolist():
        reached = [before[origin][pick][0] for pick in rng.permutation(len(before[origin]))]
        horizons = [int(h) for h in rng.permutation([h for h in _HORIZONS if h <= horizon])]
        # Traffic is fastest at once, so a queue is at its longest about when the last part of it has come.
        for h, target in product(horizons, reached):
            first = start + max(TAIL) - h - window + 1
            cause = _cause(world, adds, reliable, target, first, h)
            if cause is not None:
                at = first + window - 1 + h
                slowdown = world.free[at, target] * world.lost[at, target]
                names = world.roads.sensors
                rows.append((names[target], first, h, names[origin], start, round(float(slowdown), 2)))
                causes.append(cause)
                # One event per incident, so that events are independent.
                break
    order = np.argsort([row[1] for row in rows], kind="stable")
    table = pd.DataFrame(
        [rows[i] for i in order], columns=["target", "frame", "horizon", "origin", "began", "slowdown"]
    )
    return table, np.array([causes[i] for i in order], bool).reshape(-1, window, len(world.roads.sensors))


def counterfactuals(world: World, events: pd.DataFrame, window: int) -> Array:
    """What the sensors would have reported in each event's window without the incident that causes the event.

    Noise, faults, missing values and all other incidents are the same: the dynamics are linear, so what one incident
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
        own = world.gained[begin : min(end, frames.stop), origin]
        alone[: len(own), origin] = own
        added = np.zeros((frames.stop, len(index)))
        added[begin:] = queues(alone, world.roads.gains(GAIN)) - alone
        lost = (world.lost + world.fault - world.gained)[frames]
        shown = _reported(world.free[frames], lost - added[frames], world.noise[frames])
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
    if slowed < 0.25 or world.lost[frames, target].max() > 0.05:
        return None
    # What each value of the window adds to the loss at the horizon, [window, N].
    share = adds[:, :, horizon - 1, target] * world.gained[frames]
    cause = share >= 0.05 * slowed
    # What starts after the window cannot be foreseen, and small parts from elsewhere would make the truth untrue.
    if share[cause].sum() < 0.9 * slowed or not reliable[frames][cause].all():
        return None
    # Without a fault that differs as much, any speed unlike the free one would be the cause.
    return cause if (np.abs(world.fault[frames]) > _FAST[0]).any() else None


def _disturbances(
    rng: np.random.Generator, roads: Network, shape: tuple[int, int], days: int
) -> tuple[Array, Array, NDArray[np.int64]]:
    """What thin traffic gains, faults (``[T, N]`` each), and frame, sensor and end of each incident ``[n, 3]``."""
    gained, fault = np.zeros(shape), np.zeros(shape)
    # What one of them has taken no other may: two that meet could not be distinguished.
    taken = np.zeros(shape, bool)
    before, begun = roads.upstream(1), []
    kinds = np.repeat(list(_DRAWN), list(_DRAWN.values()))
    each = list(product(range(days), range(shape[1]), kinds))
    drawn = [each[i] for i in rng.permutation(len(each))]
    # Incidents need more room than faults, so they come first.
    for day, sensor, kind in sorted(drawn, key=lambda one: one[2] != "incident"):
        frame = int((day + rng.uniform(*_BY_DAY) / 24) * PER_DAY)
        length = int(rng.integers(*(_SLOW_LENGTH if kind == "slow" else _FAST_LENGTH), endpoint=True))
        size = rng.uniform(*(_SLOW if kind == "slow" else _FAST))
        touched = [(frame, sensor, length)]
        if kind == "incident":
            longer = length + max(TAIL) - min(TAIL)
            touched += [(frame + min(TAIL), target, longer) for target, _ in before[sensor]]
        # A frame between two is left free.
        if any(taken[max(start - 1, 0) : start + frames + 1, at].any() for start, at, frames in touched):
            continue
        for start, at, frames in touched:
            taken[start : start + frames, at] = True
        if kind == "incident":
            _add(gained, frame, sensor, size * _built_up(length)[::-1])
            begun.append((frame, sensor, frame + length))
        else:
            _add(fault, frame, sensor, (size if kind == "slow" else -size) * _built_up(length))
    return gained, fault, np.array(sorted(begun), np.int64).reshape(-1, 3)


def _built_up(length: int) -> Array:
    """What builds up evenly over `length` frames to 1, and ends at once, ``[length]``."""
    return np.arange(1, length + 1) / length


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
    inbound = 0.16 * peak(8, 1.3) + 0.08 * peak(17.5, 1.6)
    outbound = 0.08 * peak(8, 1.3) + 0.16 * peak(17.5, 1.6)
    leisure = 0.08 * peak(14, 3.5)
    working = np.where(roads.inbound, inbound[:, None], outbound[:, None])
    # Lower limits by night, so that traffic by day is faster than the mean over both: hours from one at night.
    night = np.clip((_NIGHT[1] - np.abs((hour - _NIGHT[0] + 12) % 24 - 12)) / _DUSK, 0, 1)
    return np.asarray(np.where(weekend[:, None], leisure[:, None], working) + _BY_NIGHT * night[:, None])


def _missing(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Single values that are lost, and sensors that send nothing for up to three hours, ``[T, N]``."""
    lost = rng.random(shape) < 0.005
    # Two such outages per sensor and week.
    for _ in range(round(2 * shape[1] * shape[0] / (7 * PER_DAY))):
        frame, sensor = int(rng.integers(shape[0])), int(rng.integers(shape[1]))
        lost[frame : frame + int(rng.integers(6, 37)), sensor] = True
    return lost
