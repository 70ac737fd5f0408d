"""Forecasts are compared with what is usual at that time: windows bring the average of the training split, unasked."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.data.samples import Batch
from stexplain.errors import InputError

NODES, DAY, WINDOW = 3, 24, 6
GRAPH = stx.STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")])


class Sum(nn.Module):
    """A forecast that is known: each node's mean over the window, weighted 1, 2, 4 by node and summed into all."""

    outputs = "b t n"
    inputs = "b m t n c"

    def forward(self, x):
        weighted = x[:, 0, ..., 0].mean(1) * torch.tensor([1.0, 2.0, 4.0]).to(x)
        return weighted.sum(1)[:, None, None].expand(-1, 2, NODES)


def values(days, seed=0):
    """By hour, weekday and node, so that no two slots of a week are alike, and a little noise."""
    hour = np.arange(days * DAY)
    usual = 50 + 5 * np.sin(hour[:, None] / 4) + hour[:, None] // DAY % 7 + 10 * np.arange(NODES)
    return usual + np.random.default_rng(seed).normal(0, 0.5, usual.shape)


def series(days=60, *, time=True, zone=None, **options):
    clock = pd.date_range("2024-01-01", periods=days * DAY, freq="h", tz=zone) if time else None
    return stx.WindowedSeries(values(days), window=WINDOW, horizon=2, graph=GRAPH, time=clock, **options)


def usual(whole, window, part=0.7):
    """By hand: the mean of the training split's frames of the same weekday and hour, at the window's frames."""
    train = round(part * whole.frames)
    clock = whole.time[:train]
    table = pd.DataFrame(whole._source.values[:train]).groupby([clock.day_of_week, clock.hour]).mean()
    start = window.fields["start"]
    stamps = [pd.Timestamp(start) + pd.Timedelta(hours=step) for step in range(WINDOW)]
    return np.array([table.loc[(stamp.weekday(), stamp.hour)] for stamp in stamps])


def test_a_forecast_is_compared_with_the_average_of_that_weekday_and_hour():
    whole = series()
    test = whole.split()[2]
    window = test[5]
    target = stx.Forecast("a", horizon=1)
    e = stx.explain(Sum(), window, target=target, method="IntegratedGradients", graph=GRAPH)
    expected = (window.x[0, ..., 0] - usual(whole, window)) * np.array([1, 2, 4]) / WINDOW
    np.testing.assert_allclose(e.values[0, 0], expected, atol=2e-4)
    assert e.notes == (
        "Baseline: each node's mean at that time of day and weekday in the training split, 2024-01-01 to 2024-02-11.",
    )


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("ExpectedGradients", {"reduce": "sum"}),
        ("Occlusion", {"window": 1}),
        ("ShapleyValueSampling", {"window": 1, "orders": 4}),
        ("OwenValueSampling", {"groups": {"all": ["a", "b"]}, "window": 1, "orders": 4}),
        ("GradientSHAP", {"noise": 0.0}),
    ],
)
def test_every_method_that_replaces_observations_does_so(method, options):
    """Of a linear model all of them give the weight times the difference from what is usual."""
    whole = series()
    window = whole.split()[2][5]
    e = stx.explain(Sum(), window, target=stx.Forecast("a", horizon=1), method=method, graph=GRAPH, **options)
    expected = (window.x[0, ..., 0] - usual(whole, window)) * np.array([1, 2, 4]) / WINDOW
    np.testing.assert_allclose(e.values[0, 0], expected, atol=3e-4)
    assert any(note.startswith("Baseline: each node's mean at that time of day and weekday") for note in e.notes)


def test_it_goes_with_batches_parts_samples_and_copies():
    test = series().split()[2]
    batch = test.batch(range(20, 26))
    explain = stx.IntegratedGradients(Sum(), graph=GRAPH)
    target = stx.Forecast("b", horizon=2)
    whole = explain(batch, target=target).values
    np.testing.assert_allclose(explain(batch[2:4], target=target).values, whole[2:4], atol=1e-5)
    together = Batch.of(test[21], test[24])
    np.testing.assert_allclose(explain(together, target=target).values, whole[[1, 4]], atol=1e-5)
    chunked = stx.IntegratedGradients(Sum(), graph=GRAPH, chunk=2)
    np.testing.assert_allclose(chunked(batch, target=target).values, whole, atol=1e-5)
    # What another process gets has left the series behind, and says so.
    alone = pickle.loads(pickle.dumps(batch))
    assert alone.history is None
    assert "Baseline: zero. The samples hold no historical average" in explain(alone, target=target).notes[0]


def test_the_calendar_is_not_compared():
    test = series().with_calendar().split()[2]
    batch = test.batch([3])
    e = stx.IntegratedGradients(Sum(), graph=GRAPH)(batch, target=stx.Forecast("a", horizon=1))
    plain = series().split()[2].batch([3])
    same = stx.IntegratedGradients(Sum(), graph=GRAPH)(plain, target=stx.Forecast("a", horizon=1))
    np.testing.assert_allclose(e.values, same.values, atol=1e-5)


def test_local_time_counts():
    whole = series(zone="America/Los_Angeles")
    window = whole.split()[2][5]
    e = stx.IntegratedGradients(Sum(), graph=GRAPH)(window, target=stx.Forecast("a", horizon=1))
    expected = (window.x[0, ..., 0] - usual(whole, window)) * np.array([1, 2, 4]) / WINDOW
    np.testing.assert_allclose(e.values[0, 0], expected, atol=2e-4)


def test_of_two_weeks_weekdays_are_not_told_apart():
    window = series(days=20).split()[2][5]
    e = stx.IntegratedGradients(Sum(), graph=GRAPH)(window, target=stx.Forecast("a", horizon=1))
    assert e.notes[0].startswith("Baseline: each node's mean at that time of day in the training split")


@pytest.mark.parametrize(
    "windows",
    [
        pytest.param(lambda: series()[5], id="no split"),
        pytest.param(lambda: series(time=False).split()[2][5], id="no clock"),
        pytest.param(lambda: series(days=4).split(0.5, 0.0)[2][5], id="two days"),
        pytest.param(lambda: torch.from_numpy(series()[5].x[None]), id="a tensor"),
    ],
)
def test_without_a_clock_or_a_split_the_named_baseline_is_taken_and_said(windows):
    x = windows()
    target = stx.Forecast("a", horizon=1)
    e = stx.IntegratedGradients(Sum(), graph=GRAPH)(x, target=target)
    zero = stx.IntegratedGradients(Sum(), graph=GRAPH, baseline="zero")(x, target=target)
    np.testing.assert_array_equal(e.values, zero.values)
    assert "Baseline: zero. The samples hold no historical average of their times" in e.notes[-1]
    assert not any("Baseline" in note for note in zero.notes)
    with pytest.raises(InputError, match=r"baseline: got 'historical_average'; expected it for windows of a part of"):
        stx.IntegratedGradients(Sum(), graph=GRAPH, baseline="historical_average")(x, target=target)


def test_named_it_is_the_same():
    window = series().split()[2][5]
    target = stx.Forecast("a", horizon=1)
    unasked = stx.Occlusion(Sum(), graph=GRAPH)(window, target=target)
    named = stx.Occlusion(Sum(), graph=GRAPH, baseline="historical_average")(window, target=target)
    np.testing.assert_array_equal(unasked.values, named.values)


def test_of_nodes_in_another_order_it_is_theirs():
    batch = series().split()[2].batch([5, 6])
    order = [2, 0, 1]
    assert batch.history is not None
    moved = batch.history.permuted(order).values(WINDOW)
    torch.testing.assert_close(moved, batch.history.values(WINDOW)[:, :, :, order])
    torch.testing.assert_close(batch.history.permuted(order).permuted(order).values(WINDOW), moved[:, :, :, order])


def test_the_default_method_redraws_about_what_is_usual():
    whole = series()
    window = whole.split()[2][5]
    target = stx.Forecast("a", horizon=1)
    e = stx.explain(Sum(), window, target=target, graph=GRAPH)
    apart = window.x[0, ..., 0] - usual(whole, window)
    weight = np.array([1, 2, 4]) / WINDOW
    fall, spread = torch.from_numpy(weight * apart), torch.from_numpy(weight * np.sqrt((apart**2).mean()))
    # The mean size of a normal variable: of a forecast, a rise tells as much as a fall.
    density = torch.exp(-((fall / spread) ** 2) / 2) / np.sqrt(2 * np.pi)
    expected = fall * (2 * torch.special.ndtr(fall / spread) - 1) + 2 * spread * density
    np.testing.assert_allclose(e.values[0, 0], expected, atol=2e-4)
    assert any(note.startswith("Baseline: each node's mean at that time of day and weekday") for note in e.notes)
