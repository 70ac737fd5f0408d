"""The explanation of one of several streams, taken out of the one of all."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation

SAME_MAP = "The layer comes after all streams of x are joined: its map is the same for each."


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


@checked
def summed(by_stream: Mapping[str, Explanation]) -> Explanation:
    """The maps of several streams added up: where and when all of them together speak for the target.

    Args:
        by_stream: what an explainer gives for a dict of streams.

    Raises:
        InputError: where there is none, or the map of a layer is the same for each: it is not a sum.

    Example:
        >>> one = Explanation(np.array([[[[1.0, -2.0]]]]), np.ones((1, 1, 1), bool))
        >>> summed({"joint": one, "bone": one}).values.tolist()
        [[[[2.0, -4.0]]]]
    """
    parts = list(by_stream.values())
    if not parts:
        raise InputError("by_stream: got no explanations; expected one by the name of each stream.")
    if len(parts) > 1 and any(SAME_MAP in part.notes for part in parts):
        raise InputError(
            "by_stream: got maps of a layer after the streams are joined; expected one map per stream. "
            "The map is the same for each: take one."
        )
    total = np.sum([part.values for part in parts], axis=0)
    names = ", ".join(by_stream)
    note = f"The sum of the maps of the streams {names}."
    # Channels are of single streams; errors of sums are not known.
    return replace(
        parts[0], values=total, channels=None, channel_names=(), reduce="", standard_error=None, layer_values=None,
        call=None, notes=(note, *dict.fromkeys(note for part in parts for note in part.notes)),
    )  # fmt: skip
