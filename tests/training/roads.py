"""Small series of speeds for the tests of forecasting."""

from typing import Any

import numpy as np
import pandas as pd
import torch

from stexplain.cards import Recipe
from stexplain.data.series import WindowedSeries
from stexplain.graph import STGraph
from stexplain.nn.traffic import STGCNForecaster

NODES = 4


def network() -> STGraph:
    return STGraph.from_edges([f"s{index}" for index in range(NODES)], [("s0", "s1"), ("s1", "s2"), ("s1", "s3")])


def speeds(frames: int = 200, seed: int = 0, missing: float = 0.1) -> np.ndarray:
    """Slow waves that pass from sensor to sensor, in mph, with gaps."""
    random = np.random.default_rng(seed)
    phase = np.arange(frames)[:, None] / 9 - np.array([0.0, 0.7, 1.4, 1.6])
    values = 50 + 12 * np.sin(phase) + random.normal(0, 1, (frames, NODES))
    values[random.random(values.shape) < missing] = np.nan
    return values


def series(values: np.ndarray | None = None, every: str | None = None, **changes: Any) -> WindowedSeries:
    values = speeds() if values is None else values
    time = None if every is None else pd.date_range("2024-01-01", periods=len(values), freq=every)
    named = {"unit": "mph"} if values.ndim == 3 else {"unit": "mph", "channels": ("speed",)}
    return WindowedSeries(values, **{"window": 6, "horizon": 3, "graph": network(), "time": time, **named, **changes})


def forecaster(seed: int = 0, **changes: Any) -> STGCNForecaster:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return STGCNForecaster(network(), **{"window": 6, "horizon": 3, "blocks": [[6, 4, 6]], **changes})


def recipe(**changes: Any) -> Recipe:
    values: dict[str, Any] = {"summary": "for tests", "epochs": 3, "batch": 16, "optimizer": "adamw", "rate": 0.01}
    return Recipe(**{**values, **changes})
