"""The historical average of each node by time of day and weekday: a baseline for explainers, and what is usual."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.errors import InputError

if TYPE_CHECKING:
    from stexplain.data.series import WindowedSeries
    from stexplain.data.windows import WindowBatch

DAY = np.timedelta64(1, "D")
Floats = NDArray[np.float64]


@checked
@dataclass(frozen=True)
class HistoricalAverage:
    """The mean of each node's observed training values at each time of day, and on each day of the week where asked.

    As a baseline, explanations say what differs from an ordinary day: ``IntegratedGradients(model,
    baseline=average.in_window(batch))``. Times are local ones where the series has a time zone, also where the clocks
    change within a window.

    Attributes:
        mean: ``[slots, N, C]``, in the channels' own units, of a day or, with `weekdays`, of a week from Monday. A node
            without an observation at a time of the week has its mean at that time of day there; without any at that
            time of day, its mean over all times.
        minutes: from one frame to the next. Zero if the series has no times: there is then one slot.
        weekdays: whether days of the week are distinguished.

    Example:
        >>> from stexplain.data.series import WindowedSeries
        >>> time = pd.date_range("2024-01-01", periods=8, freq="6h")
        >>> speeds = np.array([60.0, 50.0, 40.0, 30.0] * 2)[:, None]
        >>> average = HistoricalAverage.fit(WindowedSeries(speeds, window=2, horizon=1, time=time), weekdays=False)
        >>> average.at(np.array(["2024-02-01T06:00"], "datetime64[ns]"), first=0, count=3).ravel().tolist()
        [50.0, 40.0, 30.0]
    """

    mean: NDArray[np.float64]
    minutes: float
    weekdays: bool = False

    @classmethod
    def fit(cls, train: "WindowedSeries", *, weekdays: bool = True) -> "HistoricalAverage":
        """Computes the average of a training split: of another split, it would know what is to be explained.

        Args:
            train: the training split.
            weekdays: whether to tell days of the week apart; it needs several weeks. Ignored without times.

        Raises:
            InputError: with `weekdays`, if the step between frames does not divide a day.

        Example:
            >>> from stexplain.data.series import WindowedSeries
            >>> time = pd.date_range("2024-01-01", periods=8, freq="6h")
            >>> speeds = np.array([60.0, 50.0, 40.0, 30.0, 62.0, 50.0, 40.0, 30.0])[:, None]
            >>> series = WindowedSeries(speeds, window=2, horizon=1, time=time)
            >>> HistoricalAverage.fit(series, weekdays=False).mean.ravel().tolist()
            [61.0, 50.0, 40.0, 30.0]
            >>> HistoricalAverage.fit(series).mean.ravel()[:8].tolist()  # Monday's, then Tuesday's
            [60.0, 50.0, 40.0, 30.0, 62.0, 50.0, 40.0, 30.0]
        """
        time = train.time
        step = np.timedelta64(0, "ns") if time is None else (time[1] - time[0]).to_timedelta64()
        if weekdays and time is not None and DAY % step:
            raise InputError(
                f"train: got a frame every {float(step / np.timedelta64(1, 'm')):g} min, which does not divide a day; "
                "expected a step that does, so that every day has the same times. Resample the series, or give "
                "weekdays=False."
            )
        # A series without times, or with less than one frame a day, has a single slot: one mean for all times.
        # Of a step that does not divide a day the last slot is shorter: it must not count as the first of the day.
        slots = 1 if time is None else max(1, int(-(-DAY // step)))
        days = 7 if weekdays and time is not None else 1
        covered = train.covered
        slot = (
            np.zeros(len(covered), np.int64) if time is None else _slots(local_times(time)[covered], step, slots, days)
        )
        # [days, slots of a day, N, C]
        total, count = (each.reshape(days, slots, *each.shape[1:]) for each in sums_by_slot(train, slot, days * slots))
        mean = total.sum((0, 1)) / np.maximum(count.sum((0, 1)), 1)
        for part, seen in ((total.sum(0), count.sum(0)), (total, count)):
            mean = np.where(seen > 0, part / np.maximum(seen, 1), mean)
        return cls(mean.reshape(days * slots, *mean.shape[-2:]), float(step / np.timedelta64(1, "m")), days == 7)

    def in_window(self, batch: "WindowBatch") -> torch.Tensor:
        """The average at the frames of the windows, ``[B, 1, T, N, C]``, float32."""
        return torch.from_numpy(self.at(_moments(batch), 0, batch.x.shape[2]).astype(np.float32))[:, None]

    def in_horizon(self, batch: "WindowBatch", channel: int) -> NDArray[np.float64]:
        """The average of a channel at the frames to be forecast, ``[B, H, N]``.

        Args:
            batch: of windows.
            channel: by index.

        Raises:
            InputError: where there is no such channel.
        """
        if not -self.mean.shape[-1] <= channel < self.mean.shape[-1]:
            raise InputError(f"channel: got {channel}; expected 0 to {self.mean.shape[-1] - 1}.")
        return self.at(_moments(batch), batch.x.shape[2], batch.y.shape[1])[..., channel]

    def at(self, start: "pd.DatetimeIndex | NDArray[np.datetime64]", first: int, count: int) -> Floats:
        """The average at some frames of windows.

        Args:
            start: of each window, ``[B]``, as `WindowBatch.timestamps`; or as `WindowBatch.start`, the time on the
                clock, which does not know when clocks change.
            first: the first frame, counted from there.
            count: how many frames.

        Returns:
            ``[B, count, N, C]``.
        """
        if len(self.mean) == 1:
            return np.broadcast_to(self.mean[0], (len(start), count, *self.mean.shape[1:]))
        # Whole nanoseconds: times are datetime64[ns], and `minutes` may be a fraction.
        step = np.timedelta64(round(self.minutes * 60e9), "ns")
        times = clock_times(pd.DatetimeIndex(start), step * np.arange(first, first + count))
        days = 7 if self.weekdays else 1
        averages: Floats = self.mean[_slots(times, step, len(self.mean) // days, days)]
        return averages


def _moments(batch: "WindowBatch") -> "pd.DatetimeIndex | NDArray[np.datetime64]":
    return batch.start if batch.timestamps is None else batch.timestamps


def _slots(times: NDArray[np.datetime64], step: np.timedelta64, slots: int, days: int) -> NDArray[np.int64]:
    """The slot of each time in its day, or with seven days in its week from Monday, from 0."""
    # Rounded down to its day, so that the difference is the time since midnight.
    day = times.astype("datetime64[D]")
    slot: NDArray[np.int64] = ((times - day) // step).astype(np.int64) % slots
    if days == 1:
        return slot
    # 1970-01-01, day 0, was a Thursday: three days after a Monday.
    return (day.astype(np.int64) + 3) % 7 * slots + slot


def sums_by_slot(train: "WindowedSeries", slot: NDArray[np.int64], slots: int) -> tuple[Floats, Floats]:
    """Sum and number of each node's observed values by slot, such as a time of day.

    Args:
        train: the series.
        slot: of each frame that the series covers, in [0, slots).
        slots: how many slots.

    Returns:
        Both ``[slots, N, C]``.
    """
    total = np.zeros((slots, train.nodes, len(train.channels)))
    count = np.zeros_like(total)
    start = 0
    for values, observed in train.observations():
        part = slot[start : start + len(values)]
        # np.add.at, because a slot may occur many times in a part; += would count it once.
        np.add.at(total, part, np.where(observed, values, 0.0))
        np.add.at(count, part, observed)
        start += len(values)
    return total, count


def local_times(time: pd.DatetimeIndex) -> NDArray[np.datetime64]:
    """Times as the clock on the wall shows them, ``[T]``, datetime64[ns]: as the starts of windows are.

    Example:
        >>> local_times(pd.DatetimeIndex(["2024-01-01 08:00"], tz="America/Los_Angeles")).astype(str).tolist()
        ['2024-01-01T08:00:00.000000000']
    """
    # numpy knows no zones, and would turn them into UTC: averages would then be looked up hours beside their own.
    return np.asarray(time.tz_localize(None).to_numpy().astype("datetime64[ns]"))


def clock_times(start: pd.DatetimeIndex, offsets: NDArray[np.timedelta64]) -> NDArray[np.datetime64]:
    """The clock on the wall some time after each of some moments, ``[B, k]``; it may change in between.

    Args:
        start: the moments, ``[B]``, in their time zone if they have one.
        offsets: how much later, ``[k]``.

    Example:
        >>> start = pd.DatetimeIndex(["2024-03-10 01:00"], tz="America/Los_Angeles")
        >>> clock_times(start, np.arange(2) * np.timedelta64(1, "h")).astype("datetime64[h]").tolist()[0][1].hour
        3
    """
    # Moments, then clocks: added to the clock, hours would not skip the one that is left out.
    moments = local_times(start if start.tz is None else start.tz_convert("UTC"))[:, None] + offsets
    if start.tz is None:
        return moments
    return local_times(pd.DatetimeIndex(moments.ravel(), tz="UTC").tz_convert(start.tz)).reshape(moments.shape)
