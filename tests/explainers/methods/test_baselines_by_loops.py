"""Baseline explainers by loops, where samples have gaps, causes have several sensors, and roads are one-way."""

import numpy as np
import pytest
import torch

from stexplain.data.samples import Batch
from stexplain.data.series import WindowedSeries
from stexplain.errors import InputError
from stexplain.explainers.methods import (
    Acceleration,
    Deviation,
    Displacement,
    Motion,
    RelativeCurvature,
    Slowness,
    SlownessNearTarget,
    TimePrior,
    TrainingMap,
    Variance,
)
from stexplain.explainers.methods.baselines.prior import PHASES, mean_truth
from stexplain.explainers.targets import Forecast, PerSample, Predicted
from stexplain.graph import STGraph

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 2, 12, 3, 2))
OBSERVED = RANDOM.random((2, 2, 12, 3)) < 0.7
OBSERVED[0, 1, :, 2] = False


def samples(x=X, observed=OBSERVED) -> Batch:
    x, observed = torch.from_numpy(np.where(observed[..., None], x, 0)), torch.from_numpy(observed)
    valid = torch.ones(x.shape[:3], dtype=torch.bool)
    return Batch(x, valid, torch.zeros(len(x), dtype=torch.int64), tuple(map(str, range(len(x)))), observed=observed)


def steps(b, m, t, n):
    """To the frame and from it, where both frames were observed."""
    return [
        X[b, m, max(t, other), n] - X[b, m, min(t, other), n]
        for other in (t - 1, t + 1)
        if 0 <= other < 12 and OBSERVED[b, m, t, n] and OBSERVED[b, m, other, n]
    ]


def at(kind, b, m, t, n):
    """The map and the channels at a position that was observed."""
    frames = np.flatnonzero(OBSERVED[b, m, :, n])
    own, x = X[b, m, frames, n], X[b, m, t, n]
    if kind is Motion:
        found = steps(b, m, t, n)
        return (np.mean([np.linalg.norm(one) for one in found]) if found else 0.0,
                np.mean(np.abs(found), axis=0) if found else np.zeros(2))  # fmt: skip
    if kind is Variance:
        squares = ((own - own.mean(0)) ** 2).mean(0)
        return squares.sum(), squares
    away = x - own[0] if kind is Displacement else x - own.mean(0)
    return np.linalg.norm(away), np.abs(away)


@pytest.mark.parametrize("kind", [Motion, Displacement, Deviation, Variance])
def test_with_gaps(kind):
    e = kind()(samples())
    for b, m, t, n in np.ndindex(2, 2, 12, 3):
        value, channels = at(kind, b, m, t, n) if OBSERVED[b, m, t, n] else (0.0, np.zeros(2))
        assert e.values[b, m, t, n] == pytest.approx(value, rel=1e-5, abs=1e-6)
        np.testing.assert_allclose(e.channels[b, m, t, n], channels, rtol=1e-5, atol=1e-6)


def differences(b, m, t, n):
    """Acceleration and velocity, zero where one of three frames is missing."""
    if 0 < t < 11 and OBSERVED[b, m, t - 1 : t + 2, n].all():
        before, here, after = X[b, m, t - 1 : t + 2, n]
        return after - 2 * here + before, (after - before) / 2
    return np.zeros(2), np.zeros(2)


@pytest.mark.parametrize("kind", [Acceleration, RelativeCurvature])
def test_of_three_frames_in_a_row(kind):
    e = kind()(samples())
    for b, m, n in np.ndindex(2, 2, 3):
        both = [differences(b, m, t, n) for t in range(12)]
        for t in np.flatnonzero(OBSERVED[b, m, :, n]):
            around = slice(max(t - 4, 0), t + 5)
            if kind is Acceleration:
                value, channels = np.linalg.norm(both[t][0]), np.abs(both[t][0])
            else:
                speed = sum(np.linalg.norm(one) for _, one in both[around])
                value = sum(np.linalg.norm(one) for one, _ in both[around]) / speed if speed else 0.0
                channels = sum(np.abs(one) for one, _ in both[around]) / speed if speed else np.zeros(2)
            assert e.values[b, m, t, n] == pytest.approx(value, rel=1e-4, abs=1e-5)
            np.testing.assert_allclose(e.channels[b, m, t, n], channels, rtol=1e-4, atol=1e-5)


EDGES = [("a", "b"), ("b", "c"), ("c", "d"), ("b", "d"), ("e", "a")]
ROADS = STGraph.from_edges(list("abcde"), EDGES, directed=True)


def links(start: str, end: str, direction: str) -> float:
    """How many links lead from one sensor to another, by trying all; infinite where none do."""
    if direction == "upstream":
        return links(end, start, "downstream")
    known = EDGES if direction == "downstream" else [*EDGES, *((v, u) for u, v in EDGES)]
    reached = {start}
    for count in range(5):
        if end in reached:
            return count
        reached |= {v for u, v in known if u in reached}
    return np.inf


SPEEDS = RANDOM.uniform(10, 70, (2, 1, 6, 5, 2))


@pytest.mark.parametrize("direction", ["downstream", "upstream", "both"])
@pytest.mark.parametrize(("hops", "pace"), [(0, None), (1, None), (2, 3.0), (1, 0.5)])
def test_slowness_near_a_target_of_several_sensors(direction, hops, pace):
    """Near is what is near any of them; the lag is to the middle of several horizons."""
    forecasts = [Forecast(["a", "c"], [2, 5]), Forecast("d", 3)]
    batch = samples(SPEEDS, np.ones(SPEEDS.shape[:4], bool))
    explain = SlownessNearTarget(graph=ROADS, hops=hops, pace=pace, direction=direction, channel=1)
    values = explain(batch, target=PerSample(forecasts)).values
    slow = SPEEDS[..., 1].max(2, keepdims=True) - SPEEDS[..., 1]
    for row, (nodes, horizon) in enumerate((([0, 2], 3.5), ([3], 3.0))):
        for t, n in np.ndindex(6, 5):
            distance = min(links("abcde"[node], "abcde"[n], direction) for node in nodes)
            weight = float(distance <= hops)
            if pace is not None and weight:
                weight = np.exp(-(((5 - t + horizon - pace * distance) / (pace / 2)) ** 2) / 2)
            assert values[row, 0, t, n] == pytest.approx(slow[row, 0, t, n] * weight, rel=1e-4, abs=1e-5)
    single = explain(batch, target=forecasts[1])
    np.testing.assert_array_equal(single.values[1], values[1])
    mixed = explain(batch, target=PerSample([forecasts[0], Predicted()]))
    assert any("names no node" in note for note in mixed.notes)


def test_slowness_below_the_mean_of_a_channel_of_training():
    frames = np.stack([np.full((20, 5), 5.0), np.tile([50.0, 40.0], (10, 1)).reshape(20, 1) * np.ones(5)], -1)
    frames[::2, 0, 1] = np.nan
    training = WindowedSeries(frames, window=6, horizon=1, graph=ROADS, channels=["flow", "speed"])
    batch = samples(SPEEDS, np.ones(SPEEDS.shape[:4], bool))
    e = Slowness(training=training, channel=1)(batch)
    usual = np.array([40.0, 45, 45, 45, 45])
    np.testing.assert_allclose(e.values, np.maximum(usual - SPEEDS[..., 1], 0), rtol=1e-5, atol=1e-5)
    assert e.method == "slowness (below the training mean, channel 1)"


def test_names_of_other_settings():
    assert SlownessNearTarget().method == "slowness near the target"
    other = SlownessNearTarget(hops=1, direction="both", pace=2.0, channel=1)
    assert other.method == "slowness near the target (channel 1, hops 1, direction both, pace 2)"
    assert (Slowness().method, TimePrior().method) == ("slowness", "time prior")
    with pytest.raises(InputError, match="pace: got -1"):
        SlownessNearTarget(pace=-1)
    assert SlownessNearTarget(hops=0, pace=0.1).hops == 0


def planted() -> Batch:
    """Samples of two persons, of 7, 4 and 1 valid frames; the second person is absent in the last two."""
    truth = torch.from_numpy(RANDOM.random((3, 2, 7, 2)) < 0.5)
    valid = torch.zeros(3, 2, 7, dtype=torch.bool)
    valid[0] = valid[1, 0, :4] = valid[2, 0, 2] = True
    return Batch(torch.zeros(3, 2, 7, 2, 3), valid, torch.zeros(3), ("a", "b", "c"), truth & valid[..., None])


def test_priors_by_interpolation_over_relative_time():
    given = planted()
    points = np.linspace(0, 1, PHASES)
    expected = np.zeros((2, PHASES, 2))
    for b, m, n in np.ndindex(3, 2, 2):
        own = given.truth[b, m, :, n][given.valid[b, m]].double().numpy()
        if len(own):
            expected[m, :, n] += np.interp(points, np.linspace(0, 1, len(own)), own) / 3
    np.testing.assert_allclose(mean_truth(given), expected, atol=1e-5)
    x, valid = torch.zeros(2, 3, 9, 2, 3), torch.ones(2, 3, 9, dtype=torch.bool)
    valid[0, 1, 5:], valid[1, 0, 1:] = False, False
    maps = TrainingMap(training=given)(x, valid=valid).values
    prior = TimePrior(training=given)(x, valid=valid).values
    middle = TimePrior()(x, valid=valid).values
    for b, m in np.ndindex(2, 3):
        count = int(valid[b, m].sum())
        phase = np.linspace(0, 1, count) if count > 1 else np.array([0.5])
        for n in range(2):
            own = np.interp(phase, points, expected[m, :, n]) if m < 2 else np.zeros(count)
            np.testing.assert_allclose(maps[b, m, :count, n], own, atol=1e-5)
            np.testing.assert_allclose(
                prior[b, m, :count, n], np.interp(phase, points, expected.mean((0, 2))), atol=1e-5
            )
            np.testing.assert_allclose(middle[b, m, :count, n], 4 * phase * (1 - phase), atol=1e-6)
        assert not maps[b, m, count:].any()
