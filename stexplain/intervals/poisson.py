"""Poisson bootstrap: how often a unit counts in a resample depends on its name alone, so that parts can be merged."""

import hashlib

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from stexplain.intervals.units import FEWEST


def poisson_weights(seed: int, name: bytes, resamples: int) -> NDArray[np.int64]:
    """How often a unit counts in each resample, ``[resamples]``: Poisson(1), the same for all units of a name.

    Example:
        >>> poisson_weights(0, b"clip 7", 6).tolist()
        [0, 1, 0, 0, 0, 3]
    """
    # The hash, unlike Python's own, is the same in every process.
    digest = hashlib.blake2b(f"{seed}:".encode() + name, digest_size=8).digest()
    # In place of drawing n of n: a unit's weight needs no other unit, so shards can be merged.
    return np.random.default_rng(int.from_bytes(digest)).poisson(1.0, resamples)


def spread(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """The standard deviation over resamples ``[R, n]`` of each number; a resample that lacks it (NaN) is left out.

    Returns:
        ``[n]``; NaN for a number that no resample has.

    Example:
        >>> spread(np.array([[1.0, np.nan, 2.0], [3.0, np.nan, np.nan]])).tolist()
        [1.0, nan, 0.0]
    """
    present = ~np.isnan(draws)
    count = present.sum(axis=0)
    mean = np.where(present, draws, 0.0).sum(axis=0) / np.maximum(count, 1)
    variance = np.where(present, draws - mean, 0.0)
    error: NDArray[np.float64] = np.sqrt((variance**2).sum(axis=0) / np.where(count, count, np.nan))
    return error


def student_reach(units: int, confidence: float) -> float:
    """How many standard deviations of its resamples the ends of a mean are away from it.

    Resamples of G units vary by (G - 1) / G of the variance, and have normal tails: ``sqrt(G / (G - 1))`` times
    Student's t makes up for both (Hesterberg 2015).

    Args:
        units: how many, at least 2.
        confidence: in (0, 1).

    Example:
        >>> [round(student_reach(units, 0.95), 2) for units in (5, 10_000)]
        [3.1, 1.96]
    """
    return float(np.sqrt(units / (units - 1)) * student.ppf((1 + confidence) / 2, units - 1))


def mean_ends(
    means: NDArray[np.float64], draws: NDArray[np.float64], units: NDArray[np.int64], confidence: float
) -> NDArray[np.float64]:
    """The ends of each mean: Student's t times the standard deviation of its resamples.

    Args:
        means: ``[K, N]``.
        draws: in each resample, ``[R, K, N]``; NaN in one that drew none of its units.
        units: how many independent units each mean is of, ``[K, N]``.
        confidence: in (0, 1).

    Returns:
        ``[2, K, N]``; NaN for a mean of fewer units than `FEWEST`.
    """
    ends: NDArray[np.float64] = np.full((2, *means.shape), np.nan)
    # By row and number of units: the error of all at once would take as much memory again as the draws.
    for row, counts in enumerate(units):
        for count in np.unique(counts[counts >= FEWEST]).tolist():
            at = np.flatnonzero(counts == count)
            reach = student_reach(count, confidence) * spread(draws[:, row, at])
            ends[:, row, at] = means[row, at] - reach, means[row, at] + reach
    return ends
