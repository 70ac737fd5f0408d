"""Long series of readings on a graph, seen as windows: what a forecaster reads, and what it shall predict."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from stexplain.data.samples import Batch, Sample, check_finite
from stexplain.data.series_source import Source, source_of
from stexplain.errors import InputError
from stexplain.graph import STGraph

CALENDAR = ("time of day", "day of week")
"""The channels that `WindowedSeries.with_calendar` adds: a share of the day in [0, 1), and Monday = 0 to Sunday = 6."""

_CHUNK = 4096


@dataclass(frozen=True, kw_only=True)
class WindowBatch(Batch):
    """Windows of a series, stacked: what a forecaster reads, and what follows.

    Attributes:
        x: ``[B, 1, T, N, C]``, float32, in the channels' own units; zero where not observed.
        valid: ``[B, 1, T]``, bool; all true: what is missing is single readings, see `observed`.
        label: ``[B]``, -1: windows have no class.
        observed: ``[B, 1, T, N]``, bool: the readings of `x` that are there.
        y: ``[B, H, N]``, float32: the target channel after the window, in its own unit; zero where not observed.
        y_observed: ``[B, H, N]``, bool.
        start: the time of each window's first frame, ``[B]``, datetime64; NaT where the series has no times.
        truth: ``[B, 1, T, N]``, bool: the planted cause of an event, or none.
    """

    observed: torch.Tensor
    y: torch.Tensor
    y_observed: torch.Tensor
    start: NDArray[np.datetime64]

    def __getitem__(self, index: slice) -> Self:
        """A part of the batch, as a batch."""
        return replace(super().__getitem__(index), start=self.start[index])


class WindowedSeries:
    """A series of readings at N nodes, cut lazily into windows: the series is never copied, a batch is one gather.

    Window i reads the frames ``starts[i]`` to ``starts[i] + window - 1`` and predicts the `horizon` frames after.

    Args:
        values: ``[T, N, C]`` or ``[T, N]`` (one channel): an array, a memory map, a zarr array, or a pandas frame
            whose columns are nodes and whose index, where it is one of times, is `time`. NaN: not observed.
        window: how many frames a window reads.
        horizon: how many frames it predicts, H.
        stride: frames from one window to the next.
        graph: whose nodes are N, in the order of the data. The columns of a frame may come in another order.
        time: of each frame, ``[T]``: evenly spaced and increasing.
        observed: ``[T, N]``, bool, which readings are there, besides those that are NaN or `missing`.
        missing: a value that means that there is no reading, such as 0.0 in METR-LA; none: only NaN does.
        channels: names of the C channels.
        target_channel: the index of the channel that is predicted.
        unit: of the target channel.
        events: of planted data: a row per event with the columns ``target`` (a node), ``frame`` (the first of the
            window that is asked about) and ``horizon`` (in [1, H]: how many frames after the window).
        truth: which cells of that window cause the event, ``[events, window, N]``, bool.

    Attributes:
        window, horizon, stride, graph, time, channels, target_channel, unit: as given.
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
        channels: Sequence[str] = ("speed",),
        target_channel: int = 0,
        unit: str = "mph",
        events: pd.DataFrame | None = None,
        truth: NDArray[np.bool_] | None = None,
    ) -> None:
        for name, size in (("window", window), ("horizon", horizon), ("stride", stride)):
            if size < 1:
                raise InputError(f"{name} is {size}; wanted at least 1 frame.")
        self._source: Source = source_of(values, graph, time, observed, missing, tuple(channels))
        if not 0 <= target_channel < len(channels):
            raise InputError(
                f"target_channel is {target_channel}; wanted 0 to {len(channels) - 1}, an index of {channels}."
            )
        frames = self._source.frames
        if frames < window + horizon:
            raise InputError(
                f"the series has {frames} frames; wanted at least {window + horizon}: a window of {window} and a "
                f"horizon of {horizon}."
            )
        self.window = window
        self.horizon = horizon
        self.stride = stride
        self.graph = graph
        self.target_channel = target_channel
        self.unit = unit
        self.starts: NDArray[np.int64] = np.arange(0, frames - window - horizon + 1, stride)
        self._calendar = False
        self._events = _checked_events(events, truth, self)
        self._truth = truth

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
            f"WindowedSeries({len(self)} windows of {self.window} + {self.horizon} frames, {self.nodes} nodes, "
            f"{', '.join(self.channels)})"
        )

    def __getitem__(self, index: int) -> Sample:
        """One window."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        batch = self.batch([int(index) % len(self)])
        return Sample(
            x=batch.x[0].numpy(),
            valid=batch.valid[0].numpy(),
            id=batch.ids[0],
            fields={"frame": int(self.starts[index]), "start": batch.start[0]},
            observed=batch.observed[0].numpy(),
        )

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def batch(self, indices: Sequence[int] | NDArray[Any] | slice) -> WindowBatch:
        """The windows of these indices (or of a bool mask), as a batch.

        Raises:
            InputError: where an index is out of range, or a reading is infinite.
        """
        starts = self.starts[self._picked(indices)]
        span = starts[:, None] + np.arange(self.window + self.horizon)
        values, there = self._source.readings(span)
        x, y = values[:, : self.window], values[:, self.window :, :, self.target_channel]
        observed = np.asarray(there[:, : self.window].all(axis=-1))
        x = np.where(observed[..., None], x, np.float32(0))
        if self._calendar:
            daily = np.broadcast_to(
                self.calendar[span[:, : self.window]][:, :, None, :], (*x.shape[:-1], len(CALENDAR))
            )
            x = np.concatenate([x, daily], axis=-1)
        y_observed = there[:, self.window :, :, self.target_channel]
        batch = WindowBatch(
            x=torch.from_numpy(x[:, None]),
            valid=torch.ones(len(starts), 1, self.window, dtype=torch.bool),
            label=torch.full((len(starts),), -1, dtype=torch.int64),
            ids=self._source.names(starts),
            observed=torch.from_numpy(np.ascontiguousarray(observed[:, None])),
            y=torch.from_numpy(np.where(y_observed, y, np.float32(0))),
            y_observed=torch.from_numpy(np.ascontiguousarray(y_observed)),
            start=self._source.times(starts),
        )
        check_finite("x", batch.x)
        check_finite("y", batch.y)
        return batch

    def batches(self, size: int) -> Iterator[WindowBatch]:
        """All windows in order, in batches of `size`; the last may be smaller."""
        if size < 1:
            raise InputError(f"a batch size of {size} came; wanted at least 1.")
        return (self.batch(slice(start, start + size)) for start in range(0, len(self), size))

    @property
    def covered(self) -> NDArray[np.int64]:
        """The frames that a window reads or predicts, once each and in order."""
        used = np.zeros(self.frames + 1, np.int64)
        np.add.at(used, self.starts, 1)
        np.add.at(used, self.starts + self.window + self.horizon, -1)
        return np.flatnonzero(np.cumsum(used)[:-1])

    def readings(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
        """Every frame of `covered`, in order and in parts.

        Yields:
            Values ``[t, N, C]`` (NaN or anything where not observed) and what is observed, ``[t, N, C]``, bool.
        """
        covered = self.covered
        for at in range(0, len(covered), _CHUNK):
            part = covered[at : at + _CHUNK]
            values, there = self._source.readings(part)
            if self._calendar:
                daily = np.broadcast_to(self.calendar[part][:, None, :], (*values.shape[:-1], len(CALENDAR)))
                values = np.concatenate([values, daily], axis=-1)
                there = np.concatenate([there, np.ones(daily.shape, bool)], axis=-1)
            yield values, there

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
            raise InputError(f"step is {step}; wanted 0 to {self.window + self.horizon - 1}.")
        return self.time[int(self.starts[self._picked([index])[0]]) + step]

    def split(
        self, train: float = 0.7, validation: float = 0.1
    ) -> tuple["WindowedSeries", "WindowedSeries", "WindowedSeries"]:
        """Training, validation and test part, in the order of time.

        The frames that the windows span are cut in three, and a window belongs to a part where all that it reads and
        predicts lies in it: windows across a cut are left out, so that no reading is in two parts.

        Args:
            train: share of the frames, in (0, 1).
            validation: share of the frames, in [0, 1); the rest is for testing.

        Raises:
            InputError: where shares are out of range, or a part of a share above 0 has no window.
        """
        if not (0 < train < 1 and 0 <= validation < 1 and train + validation < 1):
            raise InputError(
                f"shares of {train} and {validation} came; wanted positive shares that leave a rest to test."
            )
        span = self.window + self.horizon
        first, last = (int(self.starts.min()), int(self.starts.max()) + span) if len(self) else (0, 0)
        cuts = [first, *(first + round(share * (last - first)) for share in (train, train + validation)), last]
        parts = []
        for name, share, low, high in zip(
            ("training", "validation", "test"),
            (train, validation, 1 - train - validation),
            cuts,
            cuts[1:],
            strict=False,
        ):
            inside = (self.starts >= low) & (self.starts + span <= high)
            if share and not inside.any():
                raise InputError(
                    f"the {name} part would be frames {low} to {high - 1}, which hold no window of {span} frames. "
                    "Give it a larger share, or a shorter window or horizon."
                )
            parts.append(self.subset(inside))
        return parts[0], parts[1], parts[2]

    def subset(self, indices: Sequence[int] | NDArray[Any] | slice) -> "WindowedSeries":
        """The windows of these indices (or of a bool mask), in this order, of the same series."""
        return self._with(starts=self.starts[self._picked(indices)])

    def with_calendar(self, on: bool = True) -> "WindowedSeries":
        """The same windows with time of day and day of week as further channels of `x`, or without.

        The two are known also where no reading was observed, and are not predicted.

        Raises:
            InputError: where the series has no times.
        """
        if on and self.time is None:
            raise InputError(
                "this series has no times, so no calendar. Give `time`, or a frame with an index of times."
            )
        return self._with(_calendar=on)

    @property
    def planted(self) -> bool:
        """Whether the series has events with a planted cause."""
        return self._truth is not None

    @property
    def events(self) -> pd.DataFrame:
        """The planted events whose window is in this series: ``target``, ``window`` (its index), ``horizon``, ...

        The index is the event's number in the whole series. Where nothing was planted there are no rows.
        """
        place = {int(start): index for index, start in enumerate(self.starts)}
        window = self._events["frame"].map(place)
        found = self._events[window.notna()]
        return found.assign(window=window[window.notna()].astype(np.int64))

    def events_batch(self, events: "Sequence[int] | NDArray[Any] | Literal['all']" = "all") -> WindowBatch:
        """The windows of planted events, with the cells that cause them as `truth`.

        Args:
            events: numbers in the index of `events`, or all of this series.

        Raises:
            InputError: where the series has no such event.
        """
        known = self.events
        if self._truth is None or known.empty:
            raise InputError("this series has no planted events. Take planted data, or the part of it that holds some.")
        chosen = known.index.to_numpy() if isinstance(events, str) else np.asarray(events)
        lost = [number for number in chosen.tolist() if number not in known.index]
        if lost:
            raise InputError(f"there is no event {lost[0]} in this part. There are: {known.index.tolist()[:20]} ...")
        batch = self.batch(known.loc[chosen, "window"].to_numpy(np.int64))
        return replace(batch, truth=torch.from_numpy(self._truth[chosen][:, None]))

    def _with(self, **changes: Any) -> "WindowedSeries":
        other = object.__new__(WindowedSeries)
        other.__dict__.update(self.__dict__, **changes)
        return other

    def _picked(self, indices: Sequence[int] | NDArray[Any] | slice) -> NDArray[np.int64]:
        every = np.arange(len(self))
        if isinstance(indices, slice):
            return every[indices]
        picked = np.asarray(indices)
        if picked.size == 0:
            return every[:0]
        if picked.dtype != bool and not np.issubdtype(picked.dtype, np.integer):
            raise InputError(f"indices of type {picked.dtype} came; wanted integers, a bool mask or a slice.")
        try:
            return np.asarray(every[picked.reshape(-1)])
        except IndexError as error:
            raise InputError(f"{error}. There are {len(self)} windows.") from None


def _checked_events(
    events: pd.DataFrame | None, truth: NDArray[np.bool_] | None, series: WindowedSeries
) -> pd.DataFrame:
    if events is None:
        if truth is not None:
            raise InputError("truth came without events; wanted both, a row of events for each truth.")
        return pd.DataFrame({"target": [], "frame": pd.Series([], dtype=np.int64), "horizon": []})
    missing = [name for name in ("target", "frame", "horizon") if name not in events.columns]
    if missing:
        raise InputError(f"events have no column {missing[0]!r}. They have: {', '.join(map(str, events.columns))}.")
    wanted = (len(events), series.window, series.nodes)
    if truth is None or truth.shape != wanted:
        raise InputError(f"truth has shape {None if truth is None else truth.shape}; wanted {wanted}.")
    if series.graph is not None:
        for name in events["target"]:
            series.graph.index(str(name))
    if not events["horizon"].between(1, series.horizon).all():
        raise InputError(f"events have horizons up to {events['horizon'].max()}; wanted 1 to {series.horizon}.")
    return events.reset_index(drop=True)
