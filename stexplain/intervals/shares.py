"""Intervals of shares, and what may be said of samples that are all alike, or most of them."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import binom


def share_ends(successes: int, trials: int, confidence: float) -> tuple[float, float]:
    """The mid-P interval of a share (Lancaster 1961): Clopper and Pearson's, with half of the probability of what came.

        low:   P(more than k | low) + P(k | low) / 2 = (1 - confidence) / 2,   and likewise the high end

    Unlike the exact interval it is not too wide on average, unlike Wilson's it does not fail near 0 and 1.

    Args:
        successes: k of n.
        trials: n, at least 1.
        confidence: in (0, 1).

    Example:
        >>> [round(end, 3) for end in share_ends(8, 8, 0.95)]
        [0.688, 1.0]
    """
    tail = (1 - confidence) / 2

    def above(p: float) -> float:
        """Probability of more than was counted, and half of that of the count itself."""
        return float(binom.sf(successes, trials, p) + binom.pmf(successes, trials, p) / 2)

    # At 0 and n one end is the bound itself: no smaller or larger share is possible.
    low = 0.0 if successes == 0 else float(brentq(lambda p: above(p) - tail, 0.0, 1.0))
    high = 1.0 if successes == trials else float(brentq(lambda p: above(p) - (1 - tail), 0.0, 1.0))
    return low, high


def unseen_share(count: int, confidence: float) -> float:
    """The largest share of others that is compatible with `count` samples that are all alike: the rule of three.

        q = 1 - (1 - confidence) ** (1 / count),   about 3 / count at 95%

    Example:
        >>> round(unseen_share(8, 0.95), 3), round(unseen_share(100, 0.95), 3)
        (0.312, 0.03)
    """
    return float(1 - (1 - confidence) ** (1 / count))


def limits_of_unlike(
    above: NDArray[np.float64], below: NDArray[np.float64], bounds: tuple[float, float], confidence: float
) -> tuple[float, float]:
    """How far the ends of the interval of sum(above) / sum(below) can lie, where k of G units are unlike the others.

    The share of units unlike the most common value c is at most the high end q of `share_ends` of k of G, and each may
    be as far from c as the bounds are::

        low  = c - s q (c - bound),   high = c + s q (bound - c)

    with s the mean size of those units by that of all, at least 1. The bootstrap of the t statistic needs this: of few
    units that differ, such as 3 of 17, many resamples have none, and so no spread to divide by.

    Args:
        above: ``[G]``.
        below: the sizes of the units, ``[G]``, positive.
        bounds: the smallest and the largest possible ratio.
        confidence: in (0, 1).

    Example:
        >>> hits = np.array([1.0] * 3 + [0.0] * 14)
        >>> [round(end, 2) for end in limits_of_unlike(hits, np.ones(17), (0, 1), 0.95)]
        [0.0, 0.41]
    """
    smallest, largest = bounds
    if (below <= 0).any():
        return smallest, largest
    # Equal ratios of unequal sizes may differ by a rounding error, which is small beside the range of what is possible.
    place = np.round((above / below - smallest) / (largest - smallest), 12)
    values, which, counts = np.unique(place, return_inverse=True, return_counts=True)
    common = int(counts.argmax())
    unlike = which != common
    size = max(1.0, float(below[unlike].mean() / below.mean())) if unlike.any() else 1.0
    share = min(1.0, size * share_ends(int(unlike.sum()), len(above), confidence)[1])
    value = smallest + float(values[common]) * (largest - smallest)
    return value - share * (value - smallest), value + share * (largest - value)
