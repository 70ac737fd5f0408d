import numpy as np
import pandas as pd
import pytest

from stexplain.data.load import load_dataset
from stexplain.data.planted.roads import GAIN, TAIL, planted_events, queues, response, simulate
from stexplain.data.planted.roads_network import RAMP, network
from stexplain.data.planted.roads_oracle import oracle
from stexplain.errors import InputError

WINDOW = HORIZON = 12


@pytest.fixture(scope="module")
def world():
    return simulate(0)


@pytest.fixture(scope="module")
def planted(world):
    return planted_events(world, WINDOW, HORIZON)


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEXPLAIN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield load_dataset("roads")


def auroc(values: np.ndarray, truth: np.ndarray) -> float:
    """The share of pairs of a true and another position in which the true one ranks higher; ties count half."""
    yes, no = values[truth][:, None], values[~truth][None]
    return float((yes > no).mean() + 0.5 * (yes == no).mean())


def test_the_network():
    roads = network()
    assert len(roads.sensors) == len(set(roads.sensors)) == 40
    names = {(roads.sensors[source], roads.sensors[target]): weight for source, target, weight in roads.links}
    assert names["A east 1", "A east 2"] == 1.0
    assert names["B north 4", "A west 6"] == RAMP
    assert len(names) == 8 + 8 + 7 + 7 + 5 + 6
    # Distances between linked sensors are alike, so one delay for all links is fair.
    lengths = [np.hypot(*(roads.positions[source] - roads.positions[target])) for source, target, _ in roads.links]
    assert 9 < min(lengths) < max(lengths) < 24
    start = roads.sensors.index("A west 7")
    found = {(roads.sensors[sensor], hops) for sensor, hops in roads.upstream(2)[start]}
    assert found == {("A west 6", 1), ("A west 5", 2), ("B north 4", 2)}


def test_a_queue_reaches_the_sensor_before_after_its_delay_and_goes_no_further():
    roads = network()
    here, before = roads.sensors.index("A east 4"), roads.sensors.index("A east 3")
    gained = np.zeros((60, 40))
    gained[2, here] = 0.1
    lost = queues(gained, roads.gains(GAIN))
    expected = np.zeros((60, 40))
    for frames, share in TAIL.items():
        expected[2 + frames, before] = 0.1 * GAIN * share
    np.testing.assert_allclose(lost, expected)
    assert sum(TAIL.values()) == 1
    # What went before counts alike, in as many frames as are given.
    for frames in (5, 14, 20):
        rest = queues(gained[frames:], roads.gains(GAIN), before=gained[:frames])
        np.testing.assert_allclose(rest, lost[frames:])


def test_what_a_reading_adds_is_what_the_dynamics_lose_without_it(world):
    adds = response(world.roads, WINDOW, HORIZON)
    rng = np.random.default_rng(0)
    window = rng.uniform(0, 0.12, (WINDOW, 40))
    none = np.zeros((HORIZON, 40))
    whole = queues(none, world.roads.gains(GAIN), before=window)
    np.testing.assert_allclose(np.einsum("wn,wnhm->hm", window, adds), whole, atol=1e-12)
    for frame, sensor in [(11, 3), (7, 20), (2, 5)]:
        without = window.copy()
        without[frame, sensor] = 0
        left = queues(none, world.roads.gains(GAIN), before=without)
        np.testing.assert_allclose(whole - left, window[frame, sensor] * adds[frame, sensor], atol=1e-12)


def test_the_planted_readings_and_only_they_cause_the_slowdown(world, planted):
    events, truth = planted
    assert len(events) > 250
    vanished, remained = [], []
    for row, cause in zip(events.itertuples(), truth, strict=True):
        frames = slice(row.frame, row.frame + WINDOW)
        speeds, free = world.speed[frames], world.free[frames]
        sensor, at = world.roads.sensors.index(row.target), frames.stop + row.horizon - 1

        def slowdown(speeds, first=row.frame, sensor=sensor, at=at, horizon=row.horizon):
            return world.free[at, sensor] - oracle(world, speeds, first, HORIZON)[horizon - 1, sensor]

        forecast_drop = slowdown(speeds)
        assert forecast_drop == pytest.approx(row.slowdown, rel=0.3)
        vanished.append(1 - slowdown(np.where(cause, free, speeds)) / forecast_drop)
        remained.append(slowdown(np.where(cause, speeds, free)) / forecast_drop)
    assert min(vanished) > 0.95
    assert np.mean(vanished) > 0.99
    # Strong noise of a slow road, here and there, passes for thin traffic.
    assert 0.95 < min(remained) <= max(remained) < 1.1
    assert 0.999 < np.mean(remained) < 1.001


def test_nothing_done_to_readings_from_which_nothing_can_come_changes_the_target(world, planted):
    events, _ = planted
    adds = response(world.roads, WINDOW, HORIZON)
    rng = np.random.default_rng(0)
    for row in events.iloc[::20].itertuples():
        sensor = world.roads.sensors.index(row.target)
        speeds = world.speed[row.frame : row.frame + WINDOW]
        can = adds[:, :, row.horizon - 1, sensor] > 0
        perturbed = np.where(can, speeds, rng.uniform(1, 70, speeds.shape))
        found = [oracle(world, each, row.frame, HORIZON)[row.horizon - 1, sensor] for each in (speeds, perturbed)]
        assert found[0] == found[1]


def test_a_target_moves_freely_until_the_window_ends(world, planted):
    events, truth = planted
    for row, cause in zip(events.itertuples(), truth, strict=True):
        sensor = world.roads.sensors.index(row.target)
        assert world.lost[row.frame : row.frame + WINDOW, sensor].max() <= 0.05
        assert not cause[:, sensor].any()
        at = row.frame + WINDOW - 1 + row.horizon
        assert world.lost[at, sensor] >= 0.25
        assert not np.isnan(world.speed[at, sensor])
        assert not np.isnan(world.speed[row.frame : row.frame + WINDOW][cause]).any()
        assert (world.gained[row.frame : row.frame + WINDOW][cause] > 0.04).all()
    assert set(events["horizon"]) == {3, 6, 9, 12}
    assert events["frame"].is_monotonic_increasing


def test_what_is_slow_or_changes_does_not_tell_the_cause(world, planted):
    events, truth = planted
    speed = pd.DataFrame(world.speed).ffill().bfill().to_numpy()
    usual = np.nanmean(world.speed, axis=0)
    scores = []
    for row, cause in zip(events.itertuples(), truth, strict=True):
        window = speed[row.frame : row.frame + WINDOW]
        change = np.diff(window, axis=0, prepend=window[:1])
        measures = [np.abs(change), np.abs(np.diff(change, axis=0, append=change[-1:])), np.abs(window - window[0])]
        measures += [np.maximum(usual - window, 0), np.broadcast_to(window.var(0), window.shape)]
        scores.append([auroc(each, cause) for each in measures])
        faulty = world.fault[row.frame : row.frame + WINDOW] != 0
        assert faulty.any()
        assert not (faulty & cause).any()
    assert (np.mean(scores, axis=0) < 0.65).all()


def test_a_fast_fault_is_thin_traffic_run_backwards(world):
    def pieces(field):
        for sensor in range(40):
            at = np.flatnonzero(field[:, sensor] > 0)
            for part in np.split(at, np.flatnonzero(np.diff(at) > 1) + 1):
                if len(part):
                    yield field[part, sensor]

    for field, direction in ((world.gained, -1), (-world.fault, 1)):
        found = list(pieces(field))
        assert len(found) > 500
        for values in found:
            np.testing.assert_allclose(values[::direction], values.max() * np.arange(1, len(values) + 1) / len(values))
        assert {len(values) for values in found} == {5, 6, 7}
    # No two of what happens at a sensor meet.
    assert ((world.gained > 0).astype(int) + (world.lost > 0) + (world.fault != 0)).max() == 1


def test_causes_lie_at_any_frame_and_sensor(planted):
    _, truth = planted
    often = truth.any(2).mean(0)
    assert often.min() > 0.5 * often.max()
    # Ends of roads have no sensor before them at which a ripple could be a jam.
    assert (truth.any((0, 1))).sum() >= 34


def test_a_window_tells_what_comes(world):
    # In mph at 15, 30 and 60 minutes: persistence knows the last observation, the oracle the rules.
    errors = {"persistence": [], "oracle": []}
    speed = pd.DataFrame(world.speed).ffill().to_numpy()
    for first in range(7000, 10000, 60):
        after = slice(first + WINDOW, first + WINDOW + HORIZON)
        reliable = ~np.isnan(world.speed[after]) & (world.fault[after] == 0)
        given = {"persistence": speed[[after.start - 1] * HORIZON]}
        given["oracle"] = oracle(world, world.speed[first : first + WINDOW], first, HORIZON)
        for name, forecast in given.items():
            errors[name].append(np.where(reliable, np.abs(forecast - world.speed[after]), np.nan)[[2, 5, 11]])
    found = {name: np.nanmean(parts, axis=(0, 2)) for name, parts in errors.items()}
    assert (found["oracle"] < [1.6, 1.7, 2.0]).all()
    assert (found["persistence"] > found["oracle"] * [1.3, 1.8, 2.3]).all()


def test_a_seed_decides_everything():
    one, same, other = simulate(3, days=2), simulate(3, days=2), simulate(4, days=2)
    np.testing.assert_array_equal(one.speed, same.speed)
    assert not np.array_equal(one.speed, other.speed)


def test_the_data_set_is_what_was_simulated(series, world, planted):
    events, truth = planted
    assert series.graph.directed
    assert set(series.graph.groups) == {"A east", "A west", "B north", "B south", "C east"}
    assert series.graph.nodes == world.roads.sensors
    np.testing.assert_array_equal(series.graph.positions, world.roads.positions)
    batch = series.batch([500])
    expected = world.speed[500:512]
    np.testing.assert_allclose(batch.x[0, 0, :, :, 0], np.nan_to_num(expected), rtol=1e-6)
    np.testing.assert_array_equal(batch.observed[0, 0], ~np.isnan(expected))
    assert 0.01 < np.isnan(world.speed).mean() < 0.05
    pd.testing.assert_frame_equal(series.events[["target", "frame", "horizon"]], events[["target", "frame", "horizon"]])
    np.testing.assert_array_equal(series.events_batch().truth[:, 0], truth)
    assert str(series.time[0]) == "2024-01-01 00:00:00"


def test_every_part_has_events(series):
    counts = [len(part.events) for part in series.split(0.6, 0.1)]
    assert counts[0] > 80
    assert counts[2] > 40


def test_the_oracle_refuses_what_it_cannot_foresee(world):
    with pytest.raises(InputError, match="expected at least one frame, and all"):
        oracle(world, world.speed[:0], 0, 12)
    with pytest.raises(InputError, match="got 12 frames from 10060 on"):
        oracle(world, world.speed[-20:-8], 10060, 12)
    with pytest.raises(InputError, match="got 39 nodes"):
        oracle(world, world.speed[:12, :39], 0, 12)
