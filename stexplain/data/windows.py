"""Windows of a series, stacked: what a forecaster reads, and what follows."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.data.samples import Batch, Measured


def measured_windows(measured: Measured, time: pd.DatetimeIndex | None, window: int) -> Measured:
    """What windows of a series are measured in: the times of a series say how far its frames are apart.

    Their seconds end with 0, the last observation.

    Example:
        >>> time = pd.date_range("2026-01-01", periods=9, freq="5min")
        >>> measured_windows(Measured(("mph",)), time, window=3).seconds(3).tolist()
        [-600.0, -300.0, 0.0]
    """
    if measured.frame_rate is not None or time is None:
        return measured
    step = (time[1] - time[0]).total_seconds()
    return replace(measured, frame_rate=1 / step, start=-step * (window - 1))


@checked
@dataclass(frozen=True, kw_only=True, repr=False)
class WindowBatch(Batch):
    """Windows of a series as a batch; H is the horizon. The masks are those of `stexplain.data.samples`.

    Attributes:
        x: ``[B, 1, T, N, C]``, float32, in the channels' own units; zero where not observed.
        valid: ``[B, 1, T]``, bool; all true: windows are never padded, see `observed`.
        label: ``[B]``, -1: windows have no class.
        observed: ``[B, 1, T, N]``, bool: the missing-value mask of `x`.
        y: ``[B, H, N]``, float32: the target channel after the window, in its own unit; zero where not observed.
        y_observed: ``[B, H, N]``, bool: the missing-value mask of `y`.
        start: the time of each window's first frame, ``[B]``, datetime64; NaT where the series has no times.
        truth: ``[B, 1, T, N]``, bool: which positions cause an event, or none.
        ids: the names of the windows.
        channels: names of the C channels.
        sampling: none: windows are not sampled.
        groups: of each window, a block of time: windows of one block are not independent.
        unmasked: see `Batch`.
        measured: units of the channels, and times of the frames.
        history: what the nodes usually measure at the times of the windows; none: not known.
        graph: whose nodes are N.
        classes: empty.
        timestamps: the moment of each window's first frame, in the time zone of the series; none: not known.

    Example:
        >>> from stexplain.data.series import WindowedSeries
        >>> speeds = WindowedSeries(np.arange(20.0)[:, None] + np.zeros(3), window=4, horizon=2)
        >>> batch = speeds.batch([0, 5])
        >>> batch.x[1, 0, :, 0, 0].tolist(), batch.y[1, :, 0].tolist()
        ([5.0, 6.0, 7.0, 8.0], [9.0, 10.0])
    """

    observed: torch.Tensor
    y: torch.Tensor
    y_observed: torch.Tensor
    start: NDArray[np.datetime64]

    def __getitem__(self, index: slice) -> Self:
        """A part of the batch, as a batch."""
        # `Batch` cuts tensors and names; times are no tensor, since torch has no dates.
        return replace(super().__getitem__(index), start=self.start[index])
