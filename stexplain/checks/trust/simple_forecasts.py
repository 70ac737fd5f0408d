"""Forecasts without a network, of the windows that are to be trusted: what a forecaster must beat."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stexplain.data.windows import WindowBatch

Floats = NDArray[np.float64]


def targets_of(windows: WindowBatch) -> Floats:
    """What followed the windows, ``[B, H, N]``; NaN where it was not observed."""
    values: Floats = windows.y.double().masked_fill(~windows.y_observed, torch.nan).cpu().numpy()
    return values


def simple_forecasts(windows: WindowBatch) -> dict[str, Floats]:
    """Persistence and the historical average, ``[B, H, N]`` each: the latter where the windows know it.

    A window does not say which of its channels is forecast: the one that is nearest to what followed is taken, which
    makes the comparison harder for the model and never easier. A node without an observation has the mean of all
    targets.

    Args:
        windows: with what followed them.

    Example:
        >>> from stexplain.data.series import WindowedSeries
        >>> rising = WindowedSeries(np.arange(8.0)[:, None], window=3, horizon=2)
        >>> simple_forecasts(rising.batch([0, 1]))["the last observation"][..., 0].tolist()
        [[2.0, 2.0], [3.0, 3.0]]
    """
    y = targets_of(windows)
    found = {"the last observation": _best(y, _last(windows)[:, None].repeat(y.shape[1], 1))}
    if windows.history is not None:
        average = windows.history.values(y.shape[1], first=windows.x.shape[2])
        if average is not None:
            found["the historical average"] = _best(y, average[:, 0].double().cpu().numpy())
    return found


def _last(windows: WindowBatch) -> Floats:
    """The last observation of each node and channel, ``[B, N, C]``; NaN where there is none."""
    observed, frames = windows.observed[:, 0], torch.arange(1, windows.x.shape[2] + 1, device=windows.x.device)
    # Frames count from 1, so that 0 means that none is observed.
    last = (observed * frames[:, None]).amax(1)
    index = (last - 1).clamp(min=0)[:, None, :, None].expand(-1, -1, -1, windows.x.shape[-1])
    values = windows.x[:, 0].double().gather(1, index)[:, 0]
    found: Floats = values.masked_fill((last == 0)[..., None], torch.nan).cpu().numpy()
    return found


def _best(y: Floats, by_channel: NDArray[Any]) -> Floats:
    """Of forecasts ``[B, H, N, C]`` those of the channel that misses the targets by least."""
    filled = np.where(np.isnan(by_channel), np.nanmean(y), by_channel)
    errors = np.nanmean(np.abs(filled - y[..., None]), axis=(0, 1, 2))
    best: Floats = filled[..., int(errors.argmin())]
    return best
