"""Studentised intervals of a ratio of two sums over independent units: single samples, or groups of them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

# A resample of almost equal units has almost no spread; its error is taken for at least this share of the sample's.
_FLOOR = 0.1
# A unit that holds all of the weight leaves nothing to compare it with.
_MOST = 0.99
# Resamples per block of weights. This bounds memory and changes no number.
_BLOCK = 64


def studentised_ends(
    above: NDArray[np.float64],
    below: NDArray[np.float64],
    *,
    grouped: bool,
    seed: int,
    resamples: int,
    confidence: float,
) -> tuple[float, float]:
    """The ends of the interval of R = sum(above) / sum(below) over G units, by the bootstrap of the t statistic.

    With ``e_g = above_g - R below_g``, the share ``h_g = below_g / sum(below)`` of a unit, and G units::

        se^2 = sum over g of e_g^2 / (1 - h_g)^p / sum(below)^2         p = 1 for single samples, 2 for groups
        t*   = (R* - R) / se*   in every resample of G units
        low  = R - (upper quantile of t*) se,   high = R - (lower quantile of t*) se

    p = 1 is the usual standard error where all units weigh the same, p = 2 the jackknife's (CR3), which holds for
    groups of unequal sizes too. The t statistic of skewed samples is skewed; its bootstrap (Hall 1988; for groups
    Cameron, Gelbach & Miller 2008) knows, percentiles of the mean do not. On each side the wider of this and Student's
    t with G - 1 degrees is taken: the bootstrap alone falls short where few units hold most of what is known.

    Args:
        above: ``[G]``, at least two.
        below: ``[G]``, whose sum is not zero.
        grouped: whether a unit is a group of samples.
        seed: of the draws.
        resamples: how many.
        confidence: in (0, 1).

    Raises:
        InputError: if `resamples` is below 1.
    """
    power = 2 if grouped else 1
    count = len(above)
    ratio, error = (float(value[0]) for value in _ratio_and_error(above[None], below[None], power))
    reach = float(student.ppf((1 + confidence) / 2, count - 1)) * error
    statistics = []
    for drawn in _draws(count, seed, resamples):
        ratios, errors = _ratio_and_error(above[drawn], below[drawn], power)
        statistics.append((ratios - ratio) / np.maximum(errors, _FLOOR * error))
    joined = np.concatenate(statistics)
    # A resample whose denominators sum to zero has no ratio.
    joined = joined[np.isfinite(joined)]
    if not len(joined):
        return ratio - reach, ratio + reach
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(joined, [tail, 1 - tail])
    low, high = float(ratio - upper * error), float(ratio - lower * error)
    return min(low, ratio - reach), max(high, ratio + reach)


def spread(above: NDArray[np.float64], below: NDArray[np.float64]) -> float:
    """The standard error of sum(above) / sum(below) over units ``[G]``; zero where all units agree."""
    ratio, error = _ratio_and_error(above[None], below[None], 2)
    # Equal numbers may differ from their mean by a rounding error, which is no spread.
    return 0.0 if error[0] <= 1e-12 * abs(ratio[0]) else float(error[0])


def _ratio_and_error(
    above: NDArray[np.float64], below: NDArray[np.float64], power: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ratios and standard errors of rows of units, ``[rows, G]`` -> ``[rows]`` each; NaN without a denominator."""
    total = below.sum(axis=1)
    safe = np.where(total != 0, total, np.nan)
    ratio = above.sum(axis=1) / safe
    residual = above - ratio[:, None] * below
    rest = 1 - np.clip(below / safe[:, None], 0.0, _MOST)
    return ratio, np.sqrt((residual**2 / rest**power).sum(axis=1)) / np.abs(safe)


def _draws(count: int, seed: int, resamples: int) -> Iterator[NDArray[np.int64]]:
    """Units drawn with replacement, in blocks ``[rows, count]``."""
    random = np.random.default_rng(seed)
    for start in range(0, resamples, _BLOCK):
        yield random.integers(0, count, (min(_BLOCK, resamples - start), count))
