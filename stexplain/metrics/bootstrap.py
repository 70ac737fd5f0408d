"""Bootstrap confidence intervals over samples."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.axes import check_shape
from stexplain.errors import InputError

# Resamples per block of weights. This bounds memory and changes no number.
_BLOCK = 64


class Interval(NamedTuple):
    """An estimate and its confidence interval.

    Attributes:
        value: the estimate.
        low: the lower end.
        high: the upper end.
    """

    value: float
    low: float
    high: float


def interval(values: ArrayLike, *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95) -> Interval:
    """The mean of values and its percentile bootstrap interval (Efron 1979).

    Values are resampled with replacement `resamples` times; the interval lies between the quantiles of their means.

    Args:
        values: one per sample, ``[n]``; NaN excludes a sample.
        seed: of the draws.
        resamples: how many draws.
        confidence: in (0, 1).

    Returns:
        NaN for all three if no sample has a value.

    Raises:
        InputError: if values are not one per sample, or an argument is out of range.

    Example:
        >>> interval([1.0, 1.0, 1.0])
        Interval(value=1.0, low=1.0, high=1.0)
        >>> mean = interval(np.arange(101.0))
        >>> mean.value, 40 < mean.low < 46, 54 < mean.high < 60
        (50.0, True, True)
    """
    present = np.asarray(values, np.float64)
    check_shape("values", present.shape, "b")
    present = present[~np.isnan(present)]
    if not len(present):
        return Interval(np.nan, np.nan, np.nan)
    # A resample is a weight per sample, so that the means of many resamples are one matrix product.
    blocks = resampling_weights(len(present), seed=seed, resamples=resamples)
    means = np.concatenate([weights @ present / len(present) for weights in blocks])
    low, high = quantiles(means, confidence)
    return Interval(float(present.mean()), float(low), float(high))


def ratio_interval(
    numerator: ArrayLike, denominator: ArrayLike, *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
) -> Interval:
    """The ratio of two sums over samples and its percentile bootstrap interval; both sums use the same resamples.

    Args:
        numerator: one per sample, ``[n]``.
        denominator: one per sample, ``[n]``.
        seed: of the draws.
        resamples: how many draws; one whose denominator is zero has no ratio and is excluded.
        confidence: in (0, 1).

    Returns:
        NaN if the denominators sum to zero.

    Raises:
        InputError: if the two differ in length, or an argument is out of range.

    Example:
        >>> ratio_interval([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
        Interval(value=0.5, low=0.5, high=0.5)
    """
    above, below = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    sizes = check_shape("numerator", above.shape, "b")
    check_shape("denominator", below.shape, "b", **sizes)
    if not len(above) or below.sum() == 0:
        return Interval(np.nan, np.nan, np.nan)
    draws = []
    for weights in resampling_weights(len(above), seed=seed, resamples=resamples):
        # A ratio of sums rather than a mean of ratios, in which samples of small denominators would dominate.
        total = weights @ below
        # The inner `where` keeps the division from warning; the outer one marks the resample as without a ratio.
        draws.append(np.where(total != 0, weights @ above / np.where(total != 0, total, 1), np.nan))
    low, high = quantiles(np.concatenate(draws), confidence)
    return Interval(float(above.sum() / below.sum()), float(low), float(high))


def resampling_weights(count: int, *, seed: int, resamples: int) -> Iterator[NDArray[np.intp]]:
    """How often each resample draws each of `count` samples: blocks ``[rows, count]``, `resamples` rows in all."""
    if resamples < 1:
        raise InputError(f"resamples: got {resamples}; expected at least 1.")
    random = np.random.default_rng(seed)
    for start in range(0, resamples, _BLOCK):
        drawn = random.integers(0, count, (min(_BLOCK, resamples - start), count))
        # One bincount serves all rows: each row counts in bins of its own, from row * count on.
        rows = np.arange(len(drawn))[:, None] * count
        yield np.bincount((drawn + rows).ravel(), minlength=drawn.size).reshape(drawn.shape)


def quantiles(draws: NDArray[Any], confidence: float) -> NDArray[np.float64]:
    """The ends ``[2, ...]`` of the central interval of draws ``[resamples, ...]``; NaN draws are excluded.

    Raises:
        InputError: if confidence is not in (0, 1).
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence: got {confidence}; expected a share between 0 and 1, such as 0.95.")
    tail = (1 - confidence) / 2
    # nanquantile warns about all-NaN slices, such as a class without samples; they stay NaN without a warning.
    present = ~np.isnan(draws).all(axis=0)
    ends: NDArray[np.float64] = np.full((2, *draws.shape[1:]), np.nan)
    if present.ndim == 0:
        return np.nanquantile(draws, [tail, 1 - tail], axis=0) if present else ends
    ends[:, present] = np.nanquantile(draws[:, present], [tail, 1 - tail], axis=0)
    return ends
