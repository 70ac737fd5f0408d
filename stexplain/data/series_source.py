"""Where the values of a series lie: an array, a memory map, a DataFrame or a zarr array, and which are observed."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from stexplain.checking import warn_caller
from stexplain.data.labelled import is_labelled, without_labels
from stexplain.data.samples import Measured
from stexplain.data.times.even import even_times
from stexplain.errors import InputError
from stexplain.graph import STGraph

UNNAMED = "value"
"""The name of a channel that nobody named."""


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
        day = (self.time - self.time.normalize()) / pd.Timedelta(days=1)
        return np.stack([day, self.time.day_of_week], axis=1).astype(np.float32)

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


def as_series_source(
    values: Any,
    graph: STGraph | None,
    time: pd.DatetimeIndex | None,
    observed: Any,
    missing: float | None,
    channels: tuple[str, ...] | None,
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
    channels = (UNNAMED,) if channels is None else channels
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
    return SeriesSource(values, observed, missing, channels, None if time is None else even_times(time, shape[0]))


def with_units(measured: Measured, values: Any, channels: tuple[str, ...]) -> Measured:
    """What a series is measured in: as it was said, else as the attribute ``units`` of an xarray array says.

    Raises:
        InputError: where there is another number of units than of channels.
    """
    if measured.units and len(measured.units) != len(channels):
        raise InputError(f"measured: got {len(measured.units)} units for the channels {channels}; expected one each.")
    said = getattr(values, "attrs", {}).get("units") if is_labelled(values) else None
    # One text is of all values of the array.
    if measured.units or not isinstance(said, str) or not said.strip():
        return measured
    return replace(measured, units=(said.strip(),) * len(channels))


def _take_frames(values: Any, frames: NDArray[np.int64]) -> NDArray[Any]:
    """``values[frames]``; of an array that is read in blocks (zarr, HDF5), each frame once and in order."""
    if isinstance(values, np.ndarray):
        return np.asarray(values[frames])
    # Windows overlap: without this a block on disk would be read once per window.
    once, position = np.unique(frames, return_inverse=True)
    # Of zarr's ways to index, `oindex` takes integers along one axis.
    read = values.oindex[once] if hasattr(values, "oindex") else values[once]
    return np.asarray(read)[position.reshape(frames.shape)]
