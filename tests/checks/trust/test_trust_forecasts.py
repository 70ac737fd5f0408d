"""Trust in forecasters: windows bring what followed them, and simple forecasts must be beaten."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.checks.trust.simple_forecasts import simple_forecasts, targets_of
from stexplain.data.baselines.historical import HistoricalAverage
from stexplain.data.series import WindowedSeries

NODES, LAG, DAYS = 4, 2, 40
TARGET = stx.Forecast(2, LAG)


def hourly(values: np.ndarray) -> WindowedSeries:
    time = pd.date_range("2024-01-01", periods=len(values), freq="h")
    return WindowedSeries(values, window=6, horizon=LAG, time=time, unit="mph")


@pytest.fixture(scope="module")
def split():
    """What one node measures, the next one measures two frames later; nothing else tells of it."""
    frames = 24 * DAYS
    noise = np.random.default_rng(0).normal(size=frames + LAG * NODES)
    values = np.stack([noise[LAG * (NODES - node) :][:frames] for node in range(NODES)], axis=1)
    return hourly(values).split()


@pytest.fixture(scope="module")
def windows(split):
    return split[2].batch(range(0, len(split[2]), 3))


class Upstream(nn.Module):
    """Forecasts each node by the last two frames of the node before it, and the first node by 0."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(LAG, 6))
        with torch.no_grad():
            if seed is None:
                self.weight[:, -LAG:] = torch.eye(LAG)
            else:
                self.weight.normal_(generator=torch.Generator().manual_seed(seed))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x ``[B, T, N, C]`` to ``[B, H, N]``."""
        before = torch.cat([torch.zeros_like(x[:, :, :1, 0]), x[:, :, :-1, 0]], dim=2)
        return torch.einsum("ht,btn->bhn", self.weight, before)


class Persistence(nn.Module):
    """The last observation of each node."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x ``[B, T, N, C]`` to ``[B, H, N]``."""
        return x[:, -1:, :, 0].repeat(1, LAG, 1)


def judged(model: nn.Module, windows: stx.data.WindowBatch):
    return stx.trust(model, "IntegratedGradients", windows, target=TARGET, inputs="b t n c")


def test_a_forecaster_that_knows_what_comes_is_trusted_without_any_labels(windows):
    verdict = judged(Upstream(), windows)
    assert verdict["accuracy"].passed, str(verdict)
    assert verdict["deletion"].passed, str(verdict)
    # Three nodes of four are forecast exactly; the error is that of the first, whose forecast is 0.
    error = np.abs(windows.y[:, :, 0].numpy()).mean() / NODES
    said = verdict["accuracy"].sentence
    assert f"Mean absolute error {error:.3g} mph; that of" in said
    # Of the copies it is an error too, not a distance from the simple forecast: above the model's, in its unit.
    copies = re.search(r" The best of \d+ copies with shuffled weights has ([\d.]+) mph\. ", said)
    assert float(copies[1]) > error
    assert said.endswith(" The model is better than both.")
    # Windows of one block of time are one unit.
    assert f"{len(windows)} samples in {len(set(windows.groups))} groups" in str(verdict)
    assert 10 <= len(set(windows.groups)) < len(windows)


def test_an_untrained_forecaster_is_not(windows):
    verdict = judged(Upstream(seed=1), windows)
    assert not verdict.trusted
    assert verdict["accuracy"].passed is False


def test_a_forecaster_no_better_than_the_historical_average_is_not_trusted():
    day = 5 * np.sin(np.arange(24) * 2 * np.pi / 24)
    noise = np.random.default_rng(1).normal(size=(24 * DAYS, NODES))
    test = hourly(np.tile(day, DAYS)[:, None] + noise).split()[2]
    verdict = judged(Persistence(), test.batch(range(0, len(test), 3)))
    assert verdict["accuracy"].passed is False
    assert "that of the historical average" in verdict["accuracy"].sentence


def test_simple_forecasts_are_persistence_and_the_average_of_that_time(split):
    train, _, test = split
    batch = test.batch([0, 5, 9])
    found = simple_forecasts(batch)
    last = batch.x[:, 0, -1, :, 0].double().numpy()
    np.testing.assert_array_equal(found["the last observation"], np.repeat(last[:, None], LAG, axis=1))
    # Forty days are split, so that the training part has three weeks or more: by weekday, too.
    average = HistoricalAverage.fit(train, weekdays=True)
    np.testing.assert_allclose(found["the historical average"], average.in_horizon(batch, 0), atol=1e-6)


def test_the_channel_that_is_forecast_is_found():
    random = np.random.default_rng(3)
    values = random.normal(size=(60, NODES, 1)).cumsum(0)
    both = np.concatenate([100 + random.normal(size=values.shape), values], axis=2)
    batch = WindowedSeries(both, window=6, horizon=LAG, channels=("noise", "walk"), target_channel=1).batch([3, 20])
    last = simple_forecasts(batch)["the last observation"][:, 0]
    np.testing.assert_allclose(last, values[[8, 25], :, 0], rtol=1e-6)


def test_what_was_not_observed_counts_nowhere():
    values = np.random.default_rng(2).normal(size=(60, NODES))
    values[30:34, 1] = np.nan
    values[40:46, 2] = np.nan
    batch = WindowedSeries(values, window=6, horizon=LAG).batch([24, 26, 40])
    y = targets_of(batch)
    assert np.isnan(y[:2, :, 1]).all()
    assert not np.isnan(y[2, :, 0]).any()
    # A node without an observation in its window is forecast by the mean of what came.
    last = simple_forecasts(batch)["the last observation"]
    np.testing.assert_allclose(last[2, :, 2], np.nanmean(y))
    assert not np.isnan(last).any()


@pytest.mark.parametrize("explainer", [None, "IntegratedGradients", "Random"])
def test_windows_bring_the_names_of_their_nodes(windows, explainer):
    # As they do for `explain`: a target names a node, and the graph is that of the windows.
    graph = stx.STGraph.from_edges(["a", "b", "c", "d"], [("a", "b"), ("b", "c"), ("c", "d")])
    named = replace(windows, graph=graph)[:3]
    verdict = stx.trust(Upstream(), explainer, named, target=stx.Forecast("c", LAG), inputs="b t n c", copies=1)
    assert "3 samples" in str(verdict)


def test_a_forecaster_that_a_few_windows_alone_put_ahead_of_persistence_is_not_shown_to_beat_it():
    class First(nn.Module):
        """Four fifths of the first observation of each node."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 0.8 * x[:, :1, :, 0].repeat(1, LAG, 1)

    # A level for eight frames each: persistence makes no error, but where the last observation is a fault.
    levels = np.random.default_rng(0).choice([-1.0, 1.0], size=(40, NODES))
    values = levels.repeat(8, axis=0)
    values[5::160] = 100
    windows = hourly(values).batch(range(0, 320, 8))
    verdict = stx.trust(First(), "InputGradient", windows, target=TARGET, inputs="b t n c")
    check = verdict["accuracy"]
    # On average it is ahead of persistence by more than of the mean.
    guesses, y = simple_forecasts(windows), targets_of(windows)
    ahead = [np.abs(guess - y).mean() - 0.2 for guess in (guesses["the last observation"], y.mean(0))]
    assert ahead[0] > 2 * ahead[1] > 0
    assert check.passed is False
    assert "that of the last observation" in check.sentence


@pytest.mark.parametrize("target", [TARGET, None])
def test_the_last_observation_of_a_tensor_is_that_of_the_channel_which_is_forecast(target):
    """Another channel came first, such as the time of day; persistence then beat "the last observation"."""
    steps = np.random.default_rng(0).normal(size=(200, 6 + LAG, NODES)).cumsum(1)
    x = torch.zeros(200, 6, NODES, 2)
    x[..., 1] = torch.as_tensor(steps[:, :6])
    y = steps[:, 6:] if target is None else steps[:, 6 + LAG - 1, 2]
    model = LastOfChannel()
    verdict = stx.trust(model, "InputGradient", x, labels=y, target=target or TARGET, inputs="b t n c")
    check = verdict["accuracy"]
    assert "that of the last observation" in check.sentence
    assert not check.passed, check.sentence


class LastOfChannel(nn.Module):
    """The last observation of channel 1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x ``[B, T, N, C]`` to ``[B, H, N]``."""
        return x[:, -1:, :, 1].repeat(1, LAG, 1)
