"""Confidence intervals by resampling."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.axes import check_shape
from stexplain.errors import InputError

# Resamples whose weights are held at once; bounds memory, changes no number.
_AT_ONCE = 64


class Interval(NamedTuple):
    """An estimate and the interval that holds it with the confidence asked for.

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

    Values are drawn again with replacement `resamples` times; the interval is between the quantiles of the means.

    Args:
        values: one per sample, ``[n]``; NaN where a sample has none, which leaves it out.
        seed: of the draws.
        resamples: how many draws.
        confidence: in (0, 1).

    Returns:
        NaN throughout where no sample has a value.

    Raises:
        InputError: where values are not one per sample, or an argument is out of range.

    Example:
        >>> interval([1.0, 1.0, 1.0])
        Interval(value=1.0, low=1.0, high=1.0)
        >>> found = interval(np.arange(101.0))
        >>> found.value, 40 < found.low < 46, 54 < found.high < 60
        (50.0, True, True)
    """
    kept = np.asarray(values, np.float64)
    check_shape("values", kept.shape, "b")
    kept = kept[~np.isnan(kept)]
    if not len(kept):
        return Interval(np.nan, np.nan, np.nan)
    weighted = resampling_weights(len(kept), seed=seed, resamples=resamples)
    means = np.concatenate([weights @ kept / len(kept) for weights in weighted])
    low, high = quantiles(means, confidence)
    return Interval(float(kept.mean()), float(low), float(high))


def ratio_interval(
    numerator: ArrayLike, denominator: ArrayLike, *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
) -> Interval:
    """The ratio of two sums over samples and its percentile bootstrap interval: both are of the same drawn samples.

    Args:
        numerator: one per sample, ``[n]``.
        denominator: one per sample, ``[n]``.
        seed: of the draws.
        resamples: how many draws; one whose denominator is zero has no ratio and is left out.
        confidence: in (0, 1).

    Returns:
        NaN where the denominators sum to zero.

    Raises:
        InputError: where the two differ in length, or an argument is out of range.

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
        total = weights @ below
        draws.append(np.where(total != 0, weights @ above / np.where(total != 0, total, 1), np.nan))
    low, high = quantiles(np.concatenate(draws), confidence)
    return Interval(float(above.sum() / below.sum()), float(low), float(high))


def resampling_weights(count: int, *, seed: int, resamples: int) -> "list[NDArray[np.int32]] | Any":
    """How often each of `count` samples is drawn in each resample, in parts ``[some, count]`` that make `resamples`."""
    if resamples < 1:
        raise InputError(f"resamples is {resamples}; wanted at least 1.")
    random = np.random.default_rng(seed)
    for start in range(0, resamples, _AT_ONCE):
        drawn = random.integers(0, count, (min(_AT_ONCE, resamples - start), count))
        rows = np.arange(len(drawn))[:, None] * count
        yield np.bincount((drawn + rows).ravel(), minlength=drawn.size).reshape(drawn.shape)


def quantiles(draws: NDArray[Any], confidence: float) -> NDArray[np.float64]:
    """The ends ``[2, ...]`` of the middle share of draws ``[resamples, ...]``; NaN draws are left out.

    Raises:
        InputError: where confidence is not in (0, 1).
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence is {confidence}; wanted a share between 0 and 1, such as 0.95.")
    tail = (1 - confidence) / 2
    # nanquantile warns of slices without any value; those are asked for on purpose.
    some = ~np.isnan(draws).all(axis=0)
    ends: NDArray[np.float64] = np.full((2, *draws.shape[1:]), np.nan)
    if some.ndim == 0:
        return np.nanquantile(draws, [tail, 1 - tail], axis=0) if some else ends
    ends[:, some] = np.nanquantile(draws[:, some], [tail, 1 - tail], axis=0)
    return ends
