"""What the nodes of a window usually measure at its times: the historical average that goes with a window."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from stexplain.data.baselines.historical import DAY, HistoricalAverage

if TYPE_CHECKING:
    from stexplain.data.series import WindowedSeries

# Fewer days average to little more than one of them, and fewer weeks to little more than the same weekday once.
_DAYS, _WEEKS = 3, 3


class SplitHistory:
    """The historical average of a training split, computed when it is first asked for.

    Args:
        train: the training split.
    """

    def __init__(self, train: "WindowedSeries") -> None:
        # Of the sensors alone: time of day and weekday, as channels, are known at every frame.
        self._train = train.with_calendar(False)

    @cached_property
    def average(self) -> HistoricalAverage | None:
        """By time of day, and by weekday where there are three weeks of it; none of fewer than three days."""
        time, covered = self._train.time, len(self._train.covered)
        step = np.timedelta64(0, "ns") if time is None or len(time) < 2 else (time[1] - time[0]).to_timedelta64()
        # Of one frame a day, the time of day says nothing.
        if not step or 2 * step > DAY or covered * step < _DAYS * DAY:
            return None
        return HistoricalAverage.fit(self._train, weekdays=bool(not DAY % step and covered * step >= 7 * _WEEKS * DAY))

    @property
    def text(self) -> str:
        """What the average is, in words."""
        assert self.average is not None
        assert self._train.time is not None
        ends = [f"{self._train.time[int(self._train.covered[place])]:%Y-%m-%d}" for place in (0, -1)]
        what = "time of day and weekday" if self.average.weekdays else "time of day"
        return f"each node's mean at that {what} in the training split, {ends[0]} to {ends[1]}"


class WindowHistory:
    """The historical average at the frames of windows; it goes with their signals, as the missing-value mask does.

    Args:
        history: of the series' training split.
        start: the moment of each window's first frame, ``[B]``, in the series' time zone where it has one.
        nodes: the order of the nodes, where it is another than that of the series.
    """

    def __init__(self, history: SplitHistory, start: pd.DatetimeIndex, nodes: Sequence[int] | None = None) -> None:
        self.history, self._start, self._nodes = history, start, nodes

    def __len__(self) -> int:
        return len(self._start)

    def __getitem__(self, index: slice) -> "WindowHistory":
        """That of some of the windows."""
        return WindowHistory(self.history, self._start[index], self._nodes)

    def __reduce__(self) -> tuple[Any, ...]:
        # It holds a whole series, of which nothing goes to other processes.
        return _left_behind, ()

    def repeated(self, copies: int) -> "WindowHistory":
        """That of copies of the windows, one whole batch after the other."""
        return WindowHistory(self.history, self._start[list(range(len(self))) * copies], self._nodes)

    def permuted(self, order: Sequence[int]) -> "WindowHistory":
        """That of the windows with their nodes in another order; `order` holds the index of each in the present one."""
        return WindowHistory(self.history, self._start, [(self._nodes or range(len(order)))[one] for one in order])

    @staticmethod
    def joined(each: "Sequence[WindowHistory | None]") -> "WindowHistory | None":
        """That of several batches, one after the other; none where they are not of one series."""
        first = each[0]
        same = [one for one in each if one is not None and first is not None and one.history is first.history]
        if first is None or len(same) < len(each) or any(one._nodes != first._nodes for one in same):
            return None
        start = pd.DatetimeIndex(first._start.append([one._start for one in same[1:]]))
        return WindowHistory(first.history, start, first._nodes)

    def values(self, frames: int, first: int = 0) -> torch.Tensor | None:
        """The average at `frames` frames from the `first` on, ``[B, 1, frames, N, C]``; none where there is none.

        Frames count from the first of the window: those that follow it begin at its length.
        """
        if self.history.average is None:
            return None
        found = self.history.average.at(self._start, first, frames)
        found = found if self._nodes is None else found[:, :, list(self._nodes)]
        return torch.from_numpy(found.astype(np.float32))[:, None]


def _left_behind() -> None:
    """What is left of a history in another process."""
