"""Permutation tests of many differences at once, corrected by the largest (Westfall & Young 1993)."""

from collections.abc import Callable, Iterator
from itertools import combinations, islice
from math import comb

import numpy as np
from numpy.typing import NDArray

# Permutations per block. This bounds memory and changes no number.
_BLOCK = 512
# Statistics that differ by rounding alone count as equal.
_ROUNDING = 1e-9

Statistic = Callable[[NDArray[np.bool_]], NDArray[np.float64]]


def welch(values: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Welch's t of the units that are chosen against the others, for each of several choices.

    ::

        t = (mean_1 - mean_0) / sqrt(s_1^2 / n_1 + s_0^2 / n_0)

    A permutation test by a difference of means is right only where both groups vary alike; by t it is right, for many
    units, where they do not (Chung & Romano 2013).

    Args:
        values: ``[K, F]``.
        chosen: ``[P, K]``.

    Returns:
        ``[P, F]``; infinite where neither group varies and they differ, zero where they do not differ.
    """
    scale = np.abs(values).max(0, initial=0.0)
    # Centred, so that sums of squares lose no digits.
    values = values - values.mean(0)
    picked = chosen.astype(np.float64)
    ones, squares = picked.sum(1, keepdims=True), values**2
    zeros = len(values) - ones
    sum_1, square_1 = picked @ values, picked @ squares
    sum_0, square_0 = values.sum(0) - sum_1, squares.sum(0) - square_1
    variance_1 = np.maximum(square_1 - sum_1**2 / ones, 0) / (ones - 1)
    variance_0 = np.maximum(square_0 - sum_0**2 / zeros, 0) / (zeros - 1)
    return _ratio(sum_1 / ones - sum_0 / zeros, np.sqrt(variance_1 / ones + variance_0 / zeros), scale)


def paired_t(differences: NDArray[np.float64], flipped: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Student's t of differences of pairs, with the signs of some flipped.

    Args:
        differences: ``[K, F]``.
        flipped: ``[P, K]``.

    Returns:
        ``[P, F]``.
    """
    units = len(differences)
    means = (1.0 - 2.0 * flipped) @ differences / units
    squares = (differences**2).sum(0) / units
    scale = np.abs(differences).max(0, initial=0.0)
    return _ratio(means, np.sqrt(np.maximum(squares - means**2, 0) / (units - 1)), scale)


def _ratio(
    difference: NDArray[np.float64], error: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    # Differences and errors that are rounding alone are none: each feature by its own numbers, ``[F]``, as others may
    # be larger by any factor.
    difference = np.where(np.abs(difference) <= 1e-12 * scale, 0.0, difference)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error > 1e-12 * scale, difference / error, np.sign(difference) * np.inf)
    return np.where(difference == 0, 0.0, ratio)


def choices(units: int, ones: int, limit: int, seed: int) -> tuple[Iterator[NDArray[np.bool_]], int, bool]:
    """All ways to choose units, or `limit` drawn ones; in blocks ``[P, units]``, how many, and whether all."""
    total = comb(units, ones)
    if total <= limit:
        return _all_choices(units, ones), total, True

    def drawn() -> Iterator[NDArray[np.bool_]]:
        random = np.random.default_rng(seed)
        for start in range(0, limit, _BLOCK):
            order = random.random((min(_BLOCK, limit - start), units)).argsort(1)
            yield order < ones

    return drawn(), limit, False


def _all_choices(units: int, ones: int) -> Iterator[NDArray[np.bool_]]:
    listed = combinations(range(units), ones)
    while block := list(islice(listed, _BLOCK)):
        chosen = np.zeros((len(block), units), bool)
        np.put_along_axis(chosen, np.asarray(block), True, axis=1)
        yield chosen


def flips(units: int, limit: int, seed: int) -> tuple[Iterator[NDArray[np.bool_]], int, bool]:
    """All patterns of signs, or `limit` drawn ones; as `choices`."""
    exact = 2**units <= limit
    total = 2**units if exact else limit

    def blocks() -> Iterator[NDArray[np.bool_]]:
        random = np.random.default_rng(seed)
        for start in range(0, total, _BLOCK):
            size = min(_BLOCK, total - start)
            if exact:
                # Bit i of a pattern's number is the sign of unit i.
                yield ((np.arange(start, start + size)[:, None] >> np.arange(units)) & 1).astype(bool)
            else:
                yield random.integers(0, 2, (size, units)).astype(bool)

    return blocks(), total, exact


def p_values(
    observed: NDArray[np.float64], statistic: Statistic, blocks: Iterator[NDArray[np.bool_]], total: int, exact: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two-sided p of each statistic, and p corrected over all of them by step-down maxima.

    With the observed ``|t_(1)| >= |t_(2)| >= ...`` and those of permutation b in the same order::

        p_j          the share of permutations with |t_j,b| >= |t_j|
        corrected_j  the share with max over k >= j of |t_(k),b| >= |t_(j)|, made to rise with j

    The probability of any false discovery stays below the level, whatever the tests have in common (Westfall & Young
    1993, algorithm 2.8).

    Args:
        observed: ``[F]``.
        statistic: from choices ``[P, K]`` to statistics ``[P, F]``.
        blocks: of choices.
        total: how many there are.
        exact: whether they are all that there are; else the observed one is counted beside them (Phipson & Smyth 2010).

    Returns:
        p and corrected p, ``[F]`` each, in (0, 1].
    """
    size = np.abs(observed)
    order = np.argsort(-size, kind="stable")
    least = size * (1 - _ROUNDING)
    hits, hits_of_maxima = np.zeros(len(size)), np.zeros(len(size))
    for block in blocks:
        drawn = np.abs(statistic(block))
        hits += (drawn >= least).sum(0)
        maxima = np.maximum.accumulate(drawn[:, order][:, ::-1], axis=1)[:, ::-1]
        hits_of_maxima += (maxima >= least[order]).sum(0)
    added = 0 if exact else 1
    p = (hits + added) / (total + added)
    corrected = np.empty_like(p)
    corrected[order] = np.maximum.accumulate((hits_of_maxima + added) / (total + added))
    return p, corrected
