"""The values of an explanation as a tidy table: a row per observation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def tidy(
    values: NDArray[np.float32],
    valid: NDArray[np.bool_],
    *,
    ids: Sequence[str],
    time: NDArray[np.float64],
    nodes: Sequence[str],
    channels: Sequence[str] | None = None,
) -> pd.DataFrame:
    """A row per valid position, or per channel of one.

    Args:
        values: ``[B, M, T, N]``, or ``[B, M, T, N, C]`` with `channels`.
        valid: ``[B, M, T]``.
        ids: the names of the samples.
        time: of each frame.
        nodes: their names.
        channels: the names of the channels of `values`, where it has any.

    Example:
        >>> table = tidy(np.ones((1, 1, 2, 1)), np.array([[[False, True]]]), ids=["a"], time=np.arange(2.0), nodes="x")
        >>> table.to_dict("records")
        [{'sample': 'a', 'instance': 0, 'frame': 1, 'time': 1.0, 'node': 'x', 'value': 1.0}]
    """
    # np.nonzero lists valid frames; each has a row per node, and per channel.
    sample, instance, frame = np.nonzero(valid)
    each = len(channels) if channels is not None else 1
    rows = len(nodes) * each
    columns: dict[str, Any] = {
        "sample": np.asarray(ids)[sample].repeat(rows),
        "instance": instance.repeat(rows),
        "frame": frame.repeat(rows),
        "time": time[frame].repeat(rows),
        "node": np.tile(np.asarray(nodes).repeat(each), len(sample)),
    }
    if channels is not None:
        columns["channel"] = np.tile(np.asarray(channels), len(sample) * len(nodes))
    return pd.DataFrame({**columns, "value": values[sample, instance, frame].ravel()})
