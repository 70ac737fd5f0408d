"""Where the values of a series lie: an array, a memory map, a DataFrame or a zarr array, and which are observed."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from stexplain.checking import warn_caller
from stexplain.data.labelled import is_labelled, without_labels
from stexplain.data.times.even import even_times
from stexplain.data.times.measured import Measured
from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.wording import agree

UNNAMED = "value"
"""The name of a channel that nobody named."""
# Frames that are looked at for digits that float32 has no room for, and the share of the spread that may be lost.
_LOOKED_AT, _LOST = 128, 0.05


@dataclass(frozen=True)
class SeriesSource:
    """The values of a whole series; nothing is read before `read` is called.

    Attributes:
        values: ``[T, N, C]`` or ``[T, N]``, anything that can be indexed by frames.
        observed: the missing-value mask, ``[T, N]``, bool, or none.
        missing: the value that stands for a missing one, or none.
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
                "this series has no times, so no calendar. Give `time`, or a DataFrame with an index of times."
            )
        # By the clock on the wall: hours since midnight are others on the days on which clocks change.
        local = self.time.tz_localize(None)
        day = (local - local.normalize()) / pd.Timedelta(days=1)
        return np.stack([day, local.day_of_week], axis=1).astype(np.float32)

    def read(self, frames: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values of these frames and their missing-value mask, ``[..., N, C]`` each."""
        values = _take_frames(self.values, frames)
        # A series of one channel may come as [T, N].
        if values.ndim == frames.ndim + 1:
            values = values[..., None]
        observed = ~np.isnan(values)
        if self.missing is not None:
            # Compared before the cast: `missing` is exact in the type of the file only.
            observed &= values != self.missing
        if self.observed is not None:
            observed &= _take_frames(self.observed, frames).astype(bool, copy=False)[..., None]
        return values.astype(np.float32, copy=False), observed

    def times(self, frames: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """The times of these frames, local ones where the series has a time zone; NaT where there are none."""
        if self.time is None:
            return np.full(len(frames), np.datetime64("NaT"), dtype="datetime64[ns]")
        # The clock on the wall, as the calendar reads it: numpy knows no zones, and would turn them into UTC.
        local = self.time[frames].tz_localize(None)
        return np.asarray(local.to_numpy().astype("datetime64[ns]"))

    def timestamps(self, frames: NDArray[np.int64]) -> pd.DatetimeIndex | None:
        """The moments of these frames, in the series' time zone where it has one; none where there are no times."""
        return None if self.time is None else self.time[frames]

    def moments(self, frames: NDArray[np.int64]) -> pd.DatetimeIndex:
        """As `timestamps`; NaT where there are no times."""
        return pd.DatetimeIndex(self.times(frames)) if self.time is None else self.time[frames]

    def names(self, frames: NDArray[np.int64]) -> tuple[str, ...]:
        """What windows that start at these frames are called: their times to the second, or the frames' numbers."""
        if self.time is None:
            return tuple(map(str, frames.tolist()))
        local = np.datetime_as_string(self.times(frames), unit="s").tolist()
        if self.time.tz is None:
            return tuple(text.replace("T", " ") for text in local)
        # With the offset: where clocks are set back an hour comes twice.
        offsets = [moment.strftime("%z") for moment in self.time[frames]]
        return tuple(f"{text.replace('T', ' ')}{zone}" for text, zone in zip(local, offsets, strict=True))


@dataclass(frozen=True)
class OneChannel:
    """One channel of the values of a series, read as they are.

    Attributes:
        values: ``[T, N, C]``, anything that can be indexed by frames.
        channel: which one.

    Example:
        >>> OneChannel(np.arange(12).reshape(3, 2, 2), 1)[np.array([0, 2])].tolist()
        [[1, 3], [9, 11]]
    """

    values: Any
    channel: int

    @property
    def shape(self) -> tuple[int, ...]:
        """``(T, N)``."""
        return tuple(self.values.shape[:2])

    def __getitem__(self, frames: NDArray[np.int64]) -> NDArray[Any]:
        return _take_frames(self.values, frames)[..., self.channel]


def as_series_source(
    values: Any,
    graph: STGraph | None,
    time: pd.DatetimeIndex | None,
    observed: Any,
    missing: float | None,
    channels: Sequence[str] | None,
) -> SeriesSource:
    """The source of what a user gives; see `WindowedSeries`.

    Raises:
        InputError: where sizes do not fit, or times are not evenly spaced.
    """
    if isinstance(values, np.ma.MaskedArray):
        # What is masked was not observed, whatever number lies there.
        masked = np.ma.getmaskarray(values)
        values = np.where(masked, np.nan, np.ma.getdata(values).astype(np.result_type(values.dtype, np.float32)))
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    if is_labelled(values):
        labelled = without_labels(values, graph, named=time is not None)
        values = labelled.values
        time = labelled.time if time is None else time
        channels = labelled.channels if channels is None else channels
        if graph is None and labelled.nodes:
            some = ", ".join(map(repr, labelled.nodes[:3])) + (", ..." if len(labelled.nodes) > 3 else "")
            warn_caller(
                f"values: the names of the nodes ({some}) are not kept without a graph: give graph=, or, where there "
                "are no links, graph=STGraph.from_edges(names, [])."
            )
    elif not all(hasattr(values, name) for name in ("shape", "dtype", "__getitem__")):
        # Memory maps and zarr arrays have all three, and are left where they lie.
        values = np.asarray(values)
    if observed is not None and is_labelled(observed):
        # By the same names, in whatever order.
        observed = without_labels(observed, graph, named=True).values
    channels = (UNNAMED,) if channels is None else tuple(channels)
    if np.dtype(values.dtype).kind not in "fiu":
        raise InputError(f"values: got type {values.dtype}; expected numbers. Use NaN for what is missing.")
    shape = tuple(int(size) for size in values.shape)
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] != len(channels)):
        raise InputError(
            f"values: got shape {shape} and {len(channels)} channel{'s' * (len(channels) != 1)} "
            f"({', '.join(channels)}); expected [T, N, {len(channels)}]{' or [T, N]' * (len(channels) == 1)}."
        )
    if len(shape) == 2 and len(channels) != 1:
        raise InputError(f"values: got shape {shape}, one channel; expected {len(channels)} channels: {channels}.")
    if graph is not None and len(graph) != shape[1]:
        raise InputError(f"values: got shape {shape}, {shape[1]} nodes; expected {len(graph)}, as the graph has.")
    if observed is not None and tuple(observed.shape) != shape[:2]:
        raise InputError(f"observed: got shape {tuple(observed.shape)}; expected {shape[:2]}, one per frame and node.")
    _warn_of_lost_digits(values, channels)
    return SeriesSource(values, observed, missing, channels, None if time is None else even_times(time, shape[0]))


def _warn_of_lost_digits(values: Any, channels: tuple[str, ...]) -> None:
    """Warns where float32, in which windows are, rounds away how a node varies: a large offset, such as of a meter.

    Looked at are some frames of an array in memory.
    """
    if not isinstance(values, np.ndarray) or isinstance(values, np.memmap) or values.dtype.itemsize < 4:
        return
    some = values[np.unique(np.linspace(0, len(values) - 1, _LOOKED_AT).astype(np.int64))].astype(np.float64)
    some = some if some.ndim == 3 else some[..., None]
    with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
        # Of a node that was never observed there is no mean.
        warnings.simplefilter("ignore", RuntimeWarning)
        spread, largest = np.nanstd(some, axis=0), np.nanmax(np.abs(some), axis=0)
        lost = np.nanstd(some - some.astype(np.float32), axis=0)
    # Less than 1e-12 of a value is rounding of whoever computed it.
    few = (lost > _LOST * spread) & (spread > 1e-12 * largest) & np.isfinite(lost)
    if few.any():
        nodes = int(few.any(1).sum())
        node, channel = (int(place) for place in np.argwhere(few)[0])
        warn_caller(
            f"values: {nodes} of {len(few)} nodes "
            f"{agree(nodes, 'varies too little beside its', 'vary too little beside their')} size for float32, such "
            f"as node {node}, {channels[channel]!r}: by {spread[node, channel]:.2g} about "
            f"{np.nanmean(some[:, node, channel]):.6g}. Subtract a mean first: values - values.mean(axis=0)."
        )


def with_units(measured: Measured, values: Any, channels: tuple[str, ...], unit: str, target_channel: int) -> Measured:
    """What a series is measured in: as it was said, else as the attribute ``units`` of an xarray array says.

    The unit of the target channel is that of all where there is no other channel, and that of what is forecast.

    Raises:
        InputError: where there is another number of units than of channels.
    """
    if measured.units and len(measured.units) != len(channels):
        raise InputError(f"measured: got {len(measured.units)} units for the channels {channels}; expected one each.")
    said = getattr(values, "attrs", {}).get("units") if is_labelled(values) else None
    said = unit if unit and len(channels) == 1 else said
    units = measured.units
    # One text is of all values of the array.
    if not units and isinstance(said, str) and said.strip():
        units = (said.strip(),) * len(channels)
    return replace(measured, units=units, target=unit or measured.target or (units[target_channel] if units else ""))


def _take_frames(values: Any, frames: NDArray[np.int64]) -> NDArray[Any]:
    """``values[frames]``; of an array that is read in blocks (zarr, HDF5), each frame once and in order."""
    if isinstance(values, np.ndarray):
        return np.asarray(values[frames])
    # Windows overlap: without this a block on disk would be read once per window.
    once, position = np.unique(frames, return_inverse=True)
    # Of zarr's ways to index, `oindex` takes integers along one axis.
    read = values.oindex[once] if hasattr(values, "oindex") else values[once]
    return np.asarray(read)[position.reshape(frames.shape)]
