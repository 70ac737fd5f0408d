"""Where the readings of a series lie: an array, a memory map, a frame or a zarr array, and which are there."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.errors import InputError, unknown
from stexplain.graph import STGraph


@dataclass(frozen=True)
class Source:
    """The readings of a whole series; nothing is read before `readings` asks for frames.

    Attributes:
        values: ``[T, N, C]`` or ``[T, N]``, whatever can be indexed by frames.
        observed: ``[T, N]``, bool, or none.
        missing: the value that means that there is no reading, or none.
        channels: their names.
        time: of each frame, or none.
    """

    values: Any
    observed: Any
    missing: float | None
    channels: tuple[str, ...]
    time: pd.DatetimeIndex | None

    @property
    def frames(self) -> int:
        """T."""
        return int(self.values.shape[0])

    @property
    def nodes(self) -> int:
        """N."""
        return int(self.values.shape[1])

    @cached_property
    def calendar(self) -> NDArray[np.float32]:
        """See `WindowedSeries.calendar`."""
        if self.time is None:
            raise InputError(
                "this series has no times, so no calendar. Give `time`, or a frame with an index of times."
            )
        day = (self.time - self.time.normalize()) / pd.Timedelta(days=1)
        return np.stack([day, self.time.day_of_week], axis=1).astype(np.float32)

    def readings(self, frames: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values and what is observed of these frames, ``[..., N, C]`` each."""
        found = _rows(self.values, frames)
        if found.ndim == frames.ndim + 1:
            found = found[..., None]
        there = ~np.isnan(found)
        if self.missing is not None:
            there &= found != self.missing
        if self.observed is not None:
            there &= _rows(self.observed, frames).astype(bool, copy=False)[..., None]
        return found.astype(np.float32, copy=False), there

    def times(self, frames: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """The times of these frames; NaT where there are none."""
        if self.time is None:
            return np.full(len(frames), np.datetime64("NaT"), dtype="datetime64[ns]")
        return np.asarray(self.time.to_numpy()[frames].astype("datetime64[ns]"))

    def names(self, frames: NDArray[np.int64]) -> tuple[str, ...]:
        """What windows that start at these frames are called: their times to the second, or the frames' numbers."""
        if self.time is None:
            return tuple(map(str, frames.tolist()))
        return tuple(text.replace("T", " ") for text in np.datetime_as_string(self.times(frames), unit="s").tolist())


def source_of(
    values: Any,
    graph: STGraph | None,
    time: pd.DatetimeIndex | None,
    observed: Any,
    missing: float | None,
    channels: tuple[str, ...],
) -> Source:
    """The source of what a user gives; see `WindowedSeries`.

    Raises:
        InputError: where sizes do not fit, or times are not evenly spaced.
    """
    if isinstance(values, pd.DataFrame):
        if time is None and isinstance(values.index, pd.DatetimeIndex):
            time = values.index
        elif time is None and isinstance(next(iter(values.index), 0), str):
            raise InputError(
                f"the frame's index is text, such as {values.index[0]!r}. Make times of it: "
                "frame.index = pd.to_datetime(frame.index); or leave it out: frame.reset_index(drop=True)."
            )
        values = _in_order(values, graph).to_numpy(copy=False)
    elif not all(hasattr(values, name) for name in ("shape", "dtype", "__getitem__")):
        values = np.asarray(values)
    if np.dtype(values.dtype).kind not in "fiu":
        raise InputError(f"values are of type {values.dtype}; wanted numbers. NaN stands for what is missing.")
    shape = tuple(int(size) for size in values.shape)
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] != len(channels)):
        raise InputError(
            f"values have shape {shape} and {len(channels)} channel{'s' * (len(channels) != 1)} "
            f"({', '.join(channels)}); wanted [T, N, {len(channels)}]{' or [T, N]' * (len(channels) == 1)}."
        )
    if len(shape) == 2 and len(channels) != 1:
        raise InputError(f"values have shape {shape}, one channel; {len(channels)} channels are named: {channels}.")
    if graph is not None and len(graph) != shape[1]:
        raise InputError(f"values have shape {shape}: {shape[1]} nodes; the graph has {len(graph)}.")
    if observed is not None and tuple(observed.shape) != shape[:2]:
        raise InputError(f"observed has shape {tuple(observed.shape)}; wanted {shape[:2]}, one per frame and node.")
    return Source(values, observed, missing, channels, None if time is None else checked_time(time, shape[0]))


def checked_time(time: Any, frames: int) -> pd.DatetimeIndex:
    """Times of so many frames: one each, increasing, evenly spaced.

    Raises:
        InputError: naming the first gap and the remedy.

    Example:
        >>> checked_time(["2012-03-01 00:00", "2012-03-01 00:05", "2012-03-01 00:15"], 3)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: frame 2 is at 2012-03-01 00:15:00, 10 min after the one before; wanted 5 min. ...
    """
    index = pd.DatetimeIndex(time)
    if len(index) != frames:
        raise InputError(f"{len(index)} times came for {frames} frames; wanted one each.")
    if frames < 2:
        return index
    steps = np.diff(index.to_numpy().astype("datetime64[ns]"))
    lengths, counts = np.unique(steps, return_counts=True)
    step = lengths[counts.argmax()]
    odd = np.flatnonzero(steps != step)
    back = np.flatnonzero(steps <= np.timedelta64(0, "ns"))
    if back.size:
        first = back[0] + 1
        twice = steps[first - 1] == np.timedelta64(0, "ns")
        before = "as the one before" if twice else f"and the one before at {index[first - 1]}"
        remedy = "Keep one of each: frame[~frame.index.duplicated()]." if twice else "Sort them: frame.sort_index()."
        raise InputError(f"frame {first} is at {index[first]}, {before}; wanted times that increase. {remedy}")
    if odd.size:
        minutes = [value / np.timedelta64(1, "m") for value in (steps[odd[0]], step)]
        raise InputError(
            f"frame {odd[0] + 1} is at {index[odd[0] + 1]}, {minutes[0]:g} min after the one before; wanted "
            f"{minutes[1]:g} min. Put the missing times in as frames of NaN: frame.asfreq('{minutes[1]:g}min')."
        )
    return index


def _in_order(frame: pd.DataFrame, graph: STGraph | None) -> pd.DataFrame:
    """The frame with its columns in the order of the graph's nodes."""
    names = [str(name) for name in frame.columns]
    if graph is None or names == list(graph.nodes):
        return frame
    if len(set(names)) < len(names):
        raise InputError(f"a column is there twice: {next(name for name in names if names.count(name) > 1)!r}.")
    for name in names:
        if name not in set(graph.nodes):
            raise unknown("node (a column of the frame)", name, graph.nodes)
    place = {name: number for number, name in enumerate(names)}
    for node in graph.nodes:
        if node not in place:
            raise InputError(
                f"the node {node!r} of the graph has no column in the frame. Take graph.subgraph(columns)."
            )
    return frame.iloc[:, [place[node] for node in graph.nodes]]


def _rows(values: Any, frames: NDArray[np.int64]) -> NDArray[Any]:
    """``values[frames]``; of an array that is read in blocks (zarr, HDF5), each frame once and in order."""
    if isinstance(values, np.ndarray):
        return np.asarray(values[frames])
    once, place = np.unique(frames, return_inverse=True)
    read = values.oindex[once] if hasattr(values, "oindex") else values[once]
    return np.asarray(read)[place.reshape(frames.shape)]
