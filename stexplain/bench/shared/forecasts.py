"""Forecasts of windows: of a model, and the last observation; both as ``[B, H, N]`` or ``[B, N]``."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stexplain.data.baselines.historical import HistoricalAverage
from stexplain.data.windows import WindowBatch
from stexplain.explainers.model.running.frozen import frozen_eval
from stexplain.training.baselines import last_observed
from stexplain.training.forecaster_call import ForecasterCall

BATCH = 64
"""Windows forecast at a time."""
Forecaster = Callable[[WindowBatch], NDArray[np.float64]]
"""From windows to forecasts ``[B, H, N]``."""


def forecaster_of(model: nn.Module) -> Forecaster:
    """A model as a function of windows."""
    call = ForecasterCall.of(model)

    def forecast(batch: WindowBatch) -> NDArray[np.float64]:
        with frozen_eval(model), torch.no_grad():
            # Double precision from here on, as the differences taken later are small.
            return call(model, batch).numpy().astype(np.float64)

    return forecast


def last_observation(batch: WindowBatch, average: HistoricalAverage, channel: int) -> NDArray[np.float64]:
    """The last observation of each node, ``[B, N]``; the historical average where the window holds none."""
    observed = last_observed(batch, channel).numpy()
    return np.where(np.isnan(observed), average.in_horizon(batch, channel)[:, 0], observed)
