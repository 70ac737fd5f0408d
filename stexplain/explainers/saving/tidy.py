"""The values of an explanation as a tidy table: a row per observation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def tidy(
    values: NDArray[np.float32],
    present: NDArray[np.bool_],
    *,
    ids: Sequence[str],
    time: NDArray[np.float64],
    nodes: Sequence[str],
    channels: Sequence[str] | None = None,
    moments: Sequence[pd.DatetimeIndex] | None = None,
) -> pd.DataFrame:
    """A row per position that holds an observation, or per channel of one.

    Args:
        values: ``[B, M, T, N]``, or ``[B, M, T, N, C]`` with `channels`.
        present: which positions hold an observation, ``[B, M, T, N]``.
        ids: the names of the samples.
        time: of each frame.
        nodes: their names.
        channels: the names of the channels of `values`, where it has any.
        moments: of each frame of each sample, where known.

    Example:
        >>> present = np.array([[[[False], [True]]]])
        >>> table = tidy(np.ones((1, 1, 2, 1)), present, ids=["a"], time=np.arange(2.0), nodes="x")
        >>> table.to_dict("records")
        [{'sample': 'a', 'instance': 0, 'frame': 1, 'time': 1.0, 'node': 'x', 'value': 1.0}]
    """
    # A missing observation has no row: a zero would be read as no importance.
    sample, instance, frame, node = np.nonzero(present)
    each = len(channels) if channels is not None else 1
    columns: dict[str, Any] = {
        "sample": np.asarray(ids)[sample].repeat(each),
        "instance": instance.repeat(each),
        "frame": frame.repeat(each),
        "time": time[frame].repeat(each),
    }
    if moments:
        # By row of one index of all samples, which keeps the time zone.
        every = moments[0].append(list(moments[1:]))
        columns["timestamp"] = every[(sample * len(time) + frame).repeat(each)]
    columns["node"] = np.asarray(list(nodes))[node].repeat(each)
    if channels is not None:
        columns["channel"] = np.tile(np.asarray(channels), len(sample))
    return pd.DataFrame({**columns, "value": values[sample, instance, frame, node].ravel()})


def moments(first: pd.DatetimeIndex, time: NDArray[np.float64]) -> list[pd.DatetimeIndex]:
    """The moment of each frame of each sample, from those of the samples' first frames.

    Seconds are added to moments, not to clocks: where clocks change, an hour is left out or comes twice.

    Args:
        first: of each sample, ``[B]``.
        time: of each frame, ``[T]``, in seconds.

    Example:
        >>> moments(pd.DatetimeIndex(["2026-01-01"]), np.array([-300.0, 0.0]))[0].strftime("%H:%M").tolist()
        ['00:00', '00:05']
    """
    # Rounded to nanoseconds, as a float of seconds is.
    since = pd.to_timedelta(np.round((time - time[:1]) * 1e9).astype(np.int64), unit="ns")
    return [moment + since for moment in first]
