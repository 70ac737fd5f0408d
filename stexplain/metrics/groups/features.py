"""What is compared of each sample: its importance per node, and over its course."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.results.times import LAGS, times_of


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


def window_names(parts: Sequence[Explanation], windows: int) -> list[str]:
    """What the parts of the course are called: by their times where all samples have the same, else by their share.

    Example:
        >>> values, valid = np.ones((2, 1, 4, 1)), np.ones((2, 1, 4), bool)
        >>> trials = Explanation(values, valid, time=[-0.1, 0, 0.1, 0.2], time_unit="s")
        >>> window_names([trials], 2), window_names([Explanation(values, valid)], 2)
        (['-0.1 to 0.1 s', '0.1 to 0.3 s'], ['0-50%', '50-100%'])
    """
    if not windows:
        return []
    first, unit = times_of(parts[0])
    alike = unit != "frame" and len(first) > 1 and all(np.array_equal(times_of(part)[0], first) for part in parts)
    if not alike or not all(part.present.any((1, 3)).all() for part in parts):
        return [f"{100 * at // windows}-{100 * (at + 1) // windows}%" for at in range(windows)]
    # Each frame lasts until the next.
    ends = np.append(first, 2 * first[-1] - first[-2])
    starts = np.ceil(np.arange(windows + 1) * len(first) / windows).astype(int)
    if unit in LAGS:
        return [f"{abs(ends[a]):.4g} to {abs(ends[b - 1]):.4g} {LAGS[unit]} earlier" for a, b in pairwise(starts)]
    return [f"{ends[a]:.4g} to {ends[b]:.4g} s" for a, b in pairwise(starts)]


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
