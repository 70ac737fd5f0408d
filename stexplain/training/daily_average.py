"""What is usual at each sensor at each time of day: what a slowdown is a departure from."""

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
    """The mean of the observed training readings of each node at each time of day.

    Attributes:
        mean: ``[slots, N, C]``; where a node has no reading at a time of day, its mean over all times.
        minutes: from one frame to the next; a day has ``slots`` of them. Zero where the series has no times: there is
            one slot then.
    """

    mean: NDArray[np.float64]
    minutes: float

    @classmethod
    def fit(cls, train: WindowedSeries) -> "HistoricalAverage":
        """What is usual in a training part.

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
        slots = 1 if time is None else max(1, int(DAY / step))
        covered = train.covered
        slot = np.zeros(len(covered), np.int64) if time is None else _slots(time.to_numpy()[covered], step, slots)
        total, count = sums_by_slot(train, slot, slots)
        whole = total.sum(0) / np.maximum(count.sum(0), 1)
        mean = np.where(count > 0, total / np.maximum(count, 1), whole)
        return cls(mean, float(step / np.timedelta64(1, "m")))

    def in_window(self, batch: WindowBatch) -> torch.Tensor:
        """What is usual in the place of the windows' readings, ``[B, 1, T, N, C]``, float32."""
        return torch.from_numpy(self._at(batch, 0, batch.x.shape[2]).astype(np.float32))[:, None]

    def in_horizon(self, batch: WindowBatch, channel: int) -> NDArray[np.float64]:
        """What is usual in the place of what follows, ``[B, H, N]``."""
        return self._at(batch, batch.x.shape[2], batch.y.shape[1])[..., channel]

    def _at(self, batch: WindowBatch, first: int, count: int) -> NDArray[np.float64]:
        if len(self.mean) == 1:
            return np.broadcast_to(self.mean[0], (len(batch), count, *self.mean.shape[1:]))
        step = np.timedelta64(round(self.minutes * 60e9), "ns")
        times = batch.start[:, None] + step * np.arange(first, first + count)
        found: NDArray[np.float64] = self.mean[_slots(times, step, len(self.mean))]
        return found


def _slots(times: NDArray[np.datetime64], step: np.timedelta64, slots: int) -> NDArray[np.int64]:
    into = times - times.astype("datetime64[D]")
    found: NDArray[np.int64] = (into // step).astype(np.int64) % slots
    return found
