"""What is compared of each sample: its importance per node, and over its course."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation


def node_means(e: Explanation, *, signed: bool) -> NDArray[np.float64]:
    """Importance per node, ``[B, N]``: the mean over the positions at which it was observed; NaN where never.

    Args:
        e: an explanation.
        signed: the values as they are; else their positive part.
    """
    values = np.where(e.present, e.values if signed else e.importance, 0.0)
    count = e.present.sum((1, 2))
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float64] = values.sum((1, 2), dtype=np.float64) / np.where(count, count, np.nan)
    return means


def window_means(e: Explanation, windows: int, *, signed: bool) -> NDArray[np.float64]:
    """Importance in each of equal parts of a sample's own course, ``[B, windows]``.

    The course is that of the frames with any observation: samples of unlike length are compared by the same share of
    it. The mean is over nodes, instances and frames that were observed.

    Args:
        e: an explanation.
        windows: how many parts.
        signed: as for `node_means`.

    Raises:
        InputError: where a sample has fewer frames than windows.
    """
    values = np.where(e.present, e.values if signed else e.importance, 0.0)
    sums, counts = values.sum((1, 3), dtype=np.float64), e.present.sum((1, 3))  # [B, T]
    result = np.empty((len(e), windows))
    for row in range(len(e)):
        frames = np.flatnonzero(counts[row])
        if len(frames) < windows:
            name = f"sample {e.ids[row]!r}" if e.ids[row] else f"sample {row}"
            raise InputError(f"windows: got {windows}; {name} has {len(frames)} frames. Give no more than that.")
        starts = np.ceil(np.arange(windows) * len(frames) / windows).astype(int)
        total = np.add.reduceat(sums[row, frames], starts)
        result[row] = total / np.add.reduceat(counts[row, frames], starts)
    return result


def shares(features: NDArray[np.float64], ids: Sequence[str]) -> NDArray[np.float64]:
    """Each row divided by the sum of its absolute values; NaN counts nothing.

    Raises:
        InputError: where a row is zero throughout.
    """
    total = np.nansum(np.abs(features), axis=1, keepdims=True)
    if not total.all():
        row = int(np.flatnonzero(total[:, 0] == 0)[0])
        raise InputError(
            f"share: sample {ids[row] or row!r} has an importance of zero throughout, which has no shares. Leave the "
            "sample out, or give share=False."
        )
    divided: NDArray[np.float64] = features / total
    return divided


def means_by_cluster(features: NDArray[np.float64], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean of the rows of each cluster, ``[K, F]``; NaN counts nothing, and is kept where there is no number.

    Args:
        features: ``[B, F]``.
        codes: of each row's cluster, 0 to K - 1.
    """
    known = ~np.isnan(features)
    sums = np.zeros((int(codes.max()) + 1, features.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, codes, np.where(known, features, 0.0))
    np.add.at(counts, codes, known)
    means: NDArray[np.float64] = sums / np.where(counts, counts, np.nan)
    return means
