"""The historical average of each node at each time of day, from which events such as slowdowns deviate."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from stexplain.data.series import WindowedSeries
from stexplain.data.windows import WindowBatch
from stexplain.training.baselines import sums_by_slot

DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class HistoricalAverage:
    """The mean of each node's observed training values at each time of day.

    Attributes:
        mean: ``[slots, N, C]``; a node without an observation at a time of day has its mean over all times there.
        minutes: from one frame to the next; a day has ``slots`` of them. Zero if the series has no times: there is then
            one slot.
    """

    mean: NDArray[np.float64]
    minutes: float

    @classmethod
    def fit(cls, train: WindowedSeries) -> "HistoricalAverage":
        """Computes the average of a training split.

        Example:
            >>> import pandas as pd
            >>> time = pd.date_range("2024-01-01", periods=8, freq="6h")
            >>> speeds = np.array([60.0, 50.0, 40.0, 30.0, 62.0, 50.0, 40.0, 30.0])[:, None]
            >>> series = WindowedSeries(speeds, window=2, horizon=1, time=time)
            >>> HistoricalAverage.fit(series).mean.ravel().tolist()
            [61.0, 50.0, 40.0, 30.0]
        """
        time = train.time
        step = np.timedelta64(0, "ns") if time is None else (time[1] - time[0]).to_timedelta64()
        # A series without times, or with less than one frame a day, has a single slot: one mean for all times.
        slots = 1 if time is None else max(1, int(DAY / step))
        covered = train.covered
        slot = np.zeros(len(covered), np.int64) if time is None else _slots(time.to_numpy()[covered], step, slots)
        total, count = sums_by_slot(train, slot, slots)
        over_all_times = total.sum(0) / np.maximum(count.sum(0), 1)
        mean = np.where(count > 0, total / np.maximum(count, 1), over_all_times)
        return cls(mean, float(step / np.timedelta64(1, "m")))

    def in_window(self, batch: WindowBatch) -> torch.Tensor:
        """The average at the frames of the windows, ``[B, 1, T, N, C]``, float32."""
        return torch.from_numpy(self._at(batch, 0, batch.x.shape[2]).astype(np.float32))[:, None]

    def in_horizon(self, batch: WindowBatch, channel: int) -> NDArray[np.float64]:
        """The average of a channel at the frames to be forecast, ``[B, H, N]``."""
        return self._at(batch, batch.x.shape[2], batch.y.shape[1])[..., channel]

    def _at(self, batch: WindowBatch, first: int, count: int) -> NDArray[np.float64]:
        if len(self.mean) == 1:
            return np.broadcast_to(self.mean[0], (len(batch), count, *self.mean.shape[1:]))
        # Whole nanoseconds: times are datetime64[ns], and `minutes` may be a fraction.
        step = np.timedelta64(round(self.minutes * 60e9), "ns")
        times = batch.start[:, None] + step * np.arange(first, first + count)
        averages: NDArray[np.float64] = self.mean[_slots(times, step, len(self.mean))]
        return averages


def _slots(times: NDArray[np.datetime64], step: np.timedelta64, slots: int) -> NDArray[np.int64]:
    """The slot of each time in its day, from 0."""
    # Rounded down to its day, so that the difference is the time since midnight.
    since_midnight = times - times.astype("datetime64[D]")
    slot: NDArray[np.int64] = (since_midnight // step).astype(np.int64) % slots
    return slot
