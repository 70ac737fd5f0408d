"""Long series of values on a graph, seen as windows: what a forecaster reads, and what it is to predict."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from stexplain.checking import checked, takes_masks
from stexplain.data.baselines.window_history import SplitHistory, WindowHistory
from stexplain.data.events import chosen_events, series_events
from stexplain.data.grouping import window_blocks
from stexplain.data.indices import picked_indices, slices
from stexplain.data.samples import UNMEASURED, Measured, Sample, check_finite
from stexplain.data.series_source import SeriesSource, as_series_source, with_units
from stexplain.data.splits import chronological_masks, train_share
from stexplain.data.windows import WindowBatch, measured_windows
from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.wording import counted

CALENDAR = ("time of day", "day of week")
"""The channels that `WindowedSeries.with_calendar` adds: a share of the day in [0, 1), and Monday = 0 to Sunday = 6."""

# Frames read at a time when all are needed: some MB, of a series that may not fit into memory.
_CHUNK = 4096


@checked
class WindowedSeries:
    """A series of values at N nodes, cut lazily into windows: the series is never copied, a batch is one gather.

    Window i reads the frames ``starts[i]`` to ``starts[i] + window - 1`` and predicts the `horizon` frames after.

    Args:
        values: ``[T, N, C]`` or ``[T, N]`` (one channel): an array, a memory map, a zarr array; a pandas frame whose
            columns are nodes, or (node, channel), and whose index of times, periods or seconds since 1970 is `time`; or
            an xarray array. NaN, and what a masked array masks: not observed.
        window: how many frames a window reads.
        horizon: how many frames it predicts, H.
        stride: frames from one window to the next.
        graph: whose nodes are N, in the order of the data. The columns of a frame may come in another order.
        time: of each frame, ``[T]``: evenly spaced and increasing.
        observed: the missing-value mask, ``[T, N]``, bool, or a frame; values that are NaN or `missing` are false, too.
        missing: a value that stands for a missing one, such as 0.0 in METR-LA; none: only NaN does.
        channels: names of the C channels; none: those of the values' labels, else ``"value"``.
        target_channel: the index of the channel that is predicted.
        unit: of the target channel, such as ``"mph"``; empty: that of `measured`, else not said, and nowhere guessed.
        measured: the units of all channels and the frame rate, where the source says them.
        events: of synthetic data: a row per event with the columns ``target`` (a node), ``frame`` (the first of its
            window) and ``horizon`` (in [1, H]: how many frames after the window).
        truth: which positions of that window cause the event, ``[events, window, N]``, bool.
        counterfactual: the target channel of that window without the event's cause, ``[events, window, N]``.

    Attributes:
        window: as given; so are `horizon`, `stride`, `graph`, `time`, `channels`, `target_channel`, `unit`, `measured`.
        starts: the first frame of each window, ``[n]``, int64.

    Raises:
        InputError: where sizes do not fit, times are not evenly spaced, or the series is shorter than one window.

    Example:
        >>> speeds = np.arange(60.0).reshape(20, 3)
        >>> series = WindowedSeries(speeds, window=4, horizon=2)
        >>> len(series), tuple(series.batch([0, 1]).x.shape), tuple(series.batch([0, 1]).y.shape)
        (15, (2, 1, 4, 3, 1), (2, 2, 3))
        >>> [len(part) for part in series.split(train=0.6, validation=0.0)]
        [7, 0, 3]
    """

    @takes_masks("values")
    def __init__(
        self,
        values: Any,
        *,
        window: int = 12,
        horizon: int = 12,
        stride: int = 1,
        graph: STGraph | None = None,
        time: pd.DatetimeIndex | None = None,
        observed: Any = None,
        missing: float | None = None,
        channels: Sequence[str] | None = None,
        target_channel: int = 0,
        unit: str = "",
        measured: Measured = UNMEASURED,
        events: pd.DataFrame | None = None,
        truth: NDArray[np.bool_] | None = None,
        counterfactual: NDArray[np.floating] | None = None,
    ) -> None:
        for name, size in (("window", window), ("horizon", horizon), ("stride", stride)):
            if size < 1:
                raise InputError(f"{name}: got {size}; expected at least 1 frame.")
        self._source: SeriesSource = as_series_source(values, graph, time, observed, missing, channels)
        own = self._source.channels
        if not 0 <= target_channel < len(own):
            raise InputError(f"target_channel: got {target_channel}; expected 0 to {len(own) - 1}, an index of {own}.")
        frames = self._source.frames
        # Here, because an empty series would fail much later, in the middle of a training.
        if frames < window + horizon:
            raise InputError(
                f"values: got {frames} frames; expected at least {window + horizon}, for a window of {window} and a "
                f"horizon of {horizon}."
            )
        self.window, self.horizon, self.stride, self.graph = window, horizon, stride, graph
        self.target_channel = target_channel
        self.measured = with_units(measured, values, own, unit, target_channel)
        self.unit = self.measured.target
        # The last window ends with the last frame, its horizon included.
        self.starts: NDArray[np.int64] = np.arange(0, frames - window - horizon + 1, stride)
        self._calendar = False  # models of other people know the sensors' channels only
        self._history: SplitHistory | None = None  # of a part of a split: others know of what is tested
        self._events = series_events(
            events, truth, counterfactual, window=window, horizon=horizon, nodes=self._source.nodes, graph=graph
        )

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the C channels of `x`, the calendar's last where they are on."""
        return (*self._source.channels, *(CALENDAR if self._calendar else ()))

    @property
    def time(self) -> pd.DatetimeIndex | None:
        """The times of the series' frames, ``[T]``, or none."""
        return self._source.time

    @property
    def nodes(self) -> int:
        """N."""
        return self._source.nodes

    @property
    def frames(self) -> int:
        """T of the whole series, of which this may be a part."""
        return self._source.frames

    @property
    def calendar(self) -> NDArray[np.float32]:
        """Time of day in [0, 1) and day of week (Monday = 0 to Sunday = 6) of every frame, ``[T, 2]``.

        Raises:
            InputError: where the series has no times.
        """
        return self._source.calendar

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        return (
            f"WindowedSeries({counted(len(self), 'window')} of {self.window} + {self.horizon} frames, "
            f"{counted(self.nodes, 'node')}, "
            f"{', '.join(self.channels)}{f'; in {self.unit}' if self.unit else ''})"
        )

    def __getitem__(self, index: int) -> Sample:
        """One window."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"window: got {index}; expected {-len(self)} to {len(self) - 1}.")
        batch = self.batch([int(index) % len(self)])  # of one, so that samples and batches agree
        return Sample(
            x=batch.x[0].numpy(), valid=batch.valid[0].numpy(), id=batch.ids[0], group=batch.groups[0],
            fields={"frame": int(self.starts[index]), "start": batch.start[0]}, channels=batch.channels,
            observed=batch.observed[0].numpy(), measured=batch.measured, history=batch.history, graph=self.graph,
            timestamp=None if self.time is None else self.time[int(self.starts[index])],
        )  # fmt: skip

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def batch(self, indices: Sequence[int] | NDArray[Any] | slice) -> WindowBatch:
        """The windows of these indices (or of a bool mask), as a batch.

        Raises:
            InputError: where an index is out of range, or a value is infinite.
        """
        starts = self.starts[picked := picked_indices(indices, len(self), "windows")]
        # Frame numbers [B, window + horizon]: one gather reads input and target of all windows.
        frames = starts[:, None] + np.arange(self.window + self.horizon)
        values, present = self._source.read(frames)
        y, y_observed = (each[:, self.window :, :, self.target_channel] for each in (values, present))
        # One mask serves all channels of x: a position counts where none of its channels is missing.
        observed = np.asarray(present[:, : self.window].all(axis=-1))
        x = np.where(observed[..., None], values[:, : self.window], np.float32(0))
        if self._calendar:
            # After the masking: the calendar is known also where the sensors are silent.
            x = np.concatenate([x, self._calendar_channels(frames[:, : self.window], x)], axis=-1)
        batch = WindowBatch(
            # One instance: [B, T, N, C] -> [B, 1, T, N, C].
            x=torch.from_numpy(x[:, None]),
            valid=torch.ones(len(starts), 1, self.window, dtype=torch.bool, device="cpu"),
            label=torch.full((len(starts),), -1, dtype=torch.int64, device="cpu"),
            ids=self._source.names(starts),
            observed=torch.from_numpy(np.ascontiguousarray(observed[:, None])),
            y=torch.from_numpy(np.where(y_observed, y, np.float32(0))),
            y_observed=torch.from_numpy(np.ascontiguousarray(y_observed)),
            start=self._source.times(starts),
            channels=self.channels,
            groups=tuple(f"block {number}" for number in self.groups[picked]),
            measured=measured_windows(self.measured, self.time, self.window),
            graph=self.graph,
            history=None if self._history is None else WindowHistory(self._history, self._source.moments(starts)),
            timestamps=self._source.timestamps(starts),
        )
        # NaN is missing and already zero; infinite values are errors of the data.
        check_finite("x", batch.x)
        check_finite("y", batch.y)
        return batch

    def batches(self, size: int) -> Iterator[WindowBatch]:
        """All windows in order, in batches of `size`, at least 1; the last may be smaller."""
        return (self.batch(part) for part in slices(len(self), size))

    @property
    def groups(self) -> NDArray[np.int64]:
        """The block of time of each window, ``[n]``, counted in this subset: not independent; see `window_blocks`."""
        return window_blocks(self.starts, self.window + self.horizon, self.time)[0]

    @property
    def covered(self) -> NDArray[np.int64]:
        """The frames that a window reads or predicts, once each and in order."""
        # +1 where a window begins, -1 after it ends: the running sum counts the windows over each frame.
        change = np.zeros(self.frames + 1, np.int64)
        np.add.at(change, self.starts, 1)
        np.add.at(change, self.starts + self.window + self.horizon, -1)
        return np.flatnonzero(np.cumsum(change)[:-1])

    def observations(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
        """The values of every frame of `covered`, in order and in parts.

        Yields:
            Values ``[t, N, C]`` (anything, also NaN, where not observed) and their missing-value mask, bool.
        """
        covered = self.covered
        for at in range(0, len(covered), _CHUNK):
            frames = covered[at : at + _CHUNK]
            values, observed = self._source.read(frames)
            if self._calendar:
                daily = self._calendar_channels(frames, values)
                values = np.concatenate([values, daily], axis=-1)
                observed = np.concatenate([observed, np.ones(daily.shape, bool)], axis=-1)
            yield values, observed

    def _calendar_channels(self, frames: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The calendar of frames ``[...]``, the same for all nodes of values ``[..., N, C]``: ``[..., N, 2]``."""
        return np.broadcast_to(self.calendar[frames][..., None, :], (*values.shape[:-1], len(CALENDAR)))

    def time_of(self, index: int, step: int = 0) -> pd.Timestamp:
        """The time of a frame of a window.

        Args:
            index: of the window.
            step: which of its frames: 0 is the first that it reads, ``window - 1`` the last, and
                ``window - 1 + h`` the frame at horizon h.

        Raises:
            InputError: where the series has no times, or there is no such frame.
        """
        if self.time is None:
            raise InputError("this series has no times. Give `time`, or a frame whose index is one of times.")
        if not 0 <= step < self.window + self.horizon:
            raise InputError(f"step: got {step}; expected 0 to {self.window + self.horizon - 1}.")
        window = int(picked_indices([index], len(self), "windows")[0])
        return self.time[int(self.starts[window]) + step]

    def split(
        self, train: float | None = None, validation: float = 0.1, *, test: float | None = None
    ) -> tuple["WindowedSeries", "WindowedSeries", "WindowedSeries"]:
        """Training, validation and test split, in the order of time.

        The frames that the windows span are cut in three; a window belongs to a part that holds all it reads and
        predicts: windows across a cut are excluded, so that no value is in two parts.

        Args:
            train: share of the frames, in (0, 1); default: what the others leave, 0.7 where nothing is said.
            validation: share of the frames, in [0, 1).
            test: share of the frames, in (0, 1), in place of `train`; default: the rest.

        Raises:
            InputError: where shares are out of range, or a part of a share above 0 has no window.
        """
        share = train_share(train, validation, test)
        # The horizon counts: a target in training must not be an input in validation.
        masks = chronological_masks(self.starts, self.window + self.horizon, share, validation)
        parts = [self.subset(inside) for inside in masks]
        history = None if self.time is None else SplitHistory(parts[0])
        return parts[0]._with(_history=history), parts[1]._with(_history=history), parts[2]._with(_history=history)

    def subset(self, indices: Sequence[int] | NDArray[Any] | slice) -> "WindowedSeries":
        """The windows of these indices (or of a bool mask), in this order, of the same series."""
        return self._with(starts=self.starts[picked_indices(indices, len(self), "windows")])

    def with_calendar(self, on: bool = True) -> "WindowedSeries":
        """The same windows with time of day and day of week as further channels of `x`, or without.

        The two are known also where nothing was observed, and are not predicted.

        Raises:
            InputError: where the series has no times.
        """
        if on and self.time is None:
            raise InputError("this series has no times, so no calendar. Give `time`, or a frame with times as index.")
        return self._with(_calendar=on)

    @property
    def planted(self) -> bool:
        """Whether the series has events whose cause is known."""
        return self._events.truth is not None

    @property
    def events(self) -> pd.DataFrame:
        """The planted events whose window is in this series: ``target``, ``window`` (its index), ``horizon``, ...

        The index is the event's number in the whole series. A series without events gives no rows.
        """
        return self._events.within(self.starts)

    def events_batch(
        self, events: "Sequence[int] | NDArray[Any] | Literal['all']" = "all", *, counterfactual: bool = False
    ) -> WindowBatch:
        """The windows of planted events, with the positions that cause them as `truth`.

        Args:
            events: numbers in the index of `events`, or all of this series.
            counterfactual: the same windows without the cause: `x` as the sensors would have reported it, with the same
                noise, missing values, faults and other causes. `y` stays what was observed after the window.

        Raises:
            InputError: where the series has no such event, or its events have no counterfactual.
        """
        known = self.events
        truth = self._events.truth
        if truth is None or known.empty:
            raise InputError("this series has no planted events. Use synthetic data, or a split that holds some.")
        chosen = chosen_events(known, events)
        # A window may appear several times, once per event.
        batch = self.batch(known.loc[chosen, "window"].to_numpy(np.int64))
        batch = replace(batch, truth=torch.from_numpy(truth[chosen][:, None]))
        if not counterfactual:
            return batch
        return replace(batch, x=self._events.without_cause(batch.x, batch.present, chosen, self.target_channel))

    def _with(self, **changes: Any) -> "WindowedSeries":
        # Past __init__: the source is checked once, and parts of a series share it.
        other = object.__new__(WindowedSeries)
        other.__dict__.update(self.__dict__, **changes)
        return other
