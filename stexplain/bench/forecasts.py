"""Forecasts of windows, of a network and of the last reading."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stexplain.bench.usual import Usual
from stexplain.data.series import WindowBatch
from stexplain.explain.model_state import held
from stexplain.train.asking import Asking

BATCH = 64
"""Windows forecast at a time."""
Forecaster = Callable[[WindowBatch], NDArray[np.float64]]
"""From windows to forecasts ``[B, H, N]``."""


def forecaster_of(model: nn.Module) -> Forecaster:
    """A model as a function of windows."""
    asking = Asking.of(model)

    def forecast(batch: WindowBatch) -> NDArray[np.float64]:
        with held(model), torch.no_grad():
            return asking(model, batch).numpy().astype(np.float64)

    return forecast


def last_readings(batch: WindowBatch, usual: Usual, channel: int) -> NDArray[np.float64]:
    """The last observed reading of each node, ``[B, N]``; what is usual where the window holds none."""
    x, there = batch.x[:, 0, ..., channel].numpy().astype(np.float64), batch.observed[:, 0].numpy()
    last = x.shape[1] - 1 - there[:, ::-1].argmax(1)
    value = np.take_along_axis(x, last[:, None], 1)[:, 0]
    found: NDArray[np.float64] = np.where(np.any(there, axis=1), value, usual.ahead(batch, channel)[:, 0])
    return found
