"""The explanation of one of several streams, taken out of the one of all."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stexplain.explainers.explanation import Explanation

SAME_MAP = "The layer is behind all streams of x: its map is the same for each."


def of_stream(whole: Explanation, channels: slice, values: NDArray[np.float32]) -> Explanation:
    """The explanation of one stream.

    Args:
        whole: of all streams.
        channels: those of the stream, among those of all.
        values: its map, ``[B, M, T, N]``.

    Example:
        >>> both = np.array([[[[[1.0, 2.0]]]]])
        >>> whole = Explanation(both.sum(-1), np.ones((1, 1, 1), bool), channels=both)
        >>> of_stream(whole, slice(1, 2), both[..., 1]).channels.tolist()
        [[[[[2.0]]]]]
    """
    if whole.channels is None:
        return replace(whole, values=values)
    return replace(
        whole,
        values=np.where(whole.valid[..., None], values, 0),
        channels=whole.channels[..., channels],
        # Of the map of all streams: it says nothing of one.
        standard_error=None,
        # Numbers, which count the channels of all streams, begin anew.
        channel_names=()
        if whole.channel_names == tuple(map(str, range(len(whole.channel_names))))
        else (whole.channel_names[channels]),
    )
