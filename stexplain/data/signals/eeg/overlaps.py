"""Epochs that overlap, as windows of fixed length with a shared part do: they are not independent."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from stexplain.checking import warn_caller
from stexplain.data.grouping import window_blocks


def overlapping_epochs(epochs: Any, kept: Sequence[int]) -> dict[str, list[str]]:
    """The field ``group`` of epochs of a recording of nobody known, where some share samples; else nothing.

    Args:
        epochs: of MNE, whose events say at which sample each is.
        kept: the numbers of those that become clips.

    Warns:
        UserWarning: with how many units they are.
    """
    if len(kept) < 2:
        return {}
    at, span = np.asarray(epochs.events[:, 0], np.int64)[list(kept)], len(epochs.times)
    steps = np.diff(np.sort(at))
    # Of an array without events MNE counts the epochs, a sample each.
    counted = np.array_equal(np.asarray(epochs.events[:, 0]), epochs.selection) or (len(steps) and steps.min() == 1)
    if counted or (steps >= span).all():
        return {}
    blocks, _ = window_blocks(at, span)
    warn_caller(
        f"EEG: epochs share samples, up to {int((steps < span).sum()) + 1} of {len(at)}: what overlaps is one unit in "
        f"intervals and tests, {len(np.unique(blocks))} in all. Give subject= where all are of one person."
    )
    return {"group": [f"block {block}" for block in blocks]}
