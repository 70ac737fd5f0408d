"""Paired permutation tests, and their correction for multiple tests."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.axes import check_shape
from stexplain.checking import checked
from stexplain.errors import InputError, unknown
from stexplain.intervals.groups import group_codes, group_sums

Correction = Literal["holm", "benjamini-hochberg", "none"]
CORRECTIONS: tuple[Correction, ...] = ("holm", "benjamini-hochberg", "none")
"""Corrections for multiple tests, see `corrected_p_values`."""

# Sums that differ by rounding alone count as equal; relative to the sum of absolute differences.
_ROUNDING = 1e-12
# Sign patterns per block. This bounds memory and changes no number.
_BLOCK = 2048


@checked
def sign_flip_test(
    differences: ArrayLike, *, groups: Any = None, seed: int = 0, permutations: int = 9999
) -> NDArray[np.float64]:
    """The paired permutation test by flipping signs (Fisher 1935): are differences of pairs centred on zero?

    If two methods do equally well, a pair's difference is as likely to be d as -d. With s one sign per pair::

        p = the share of all sign patterns s with |sum_i s_i d_i| >= |sum_i d_i|          (two-sided)

    If there are at most `permutations` sign patterns, all 2^n are used and p is exact; else `permutations` are drawn,
    and p = (1 + hits) / (1 + permutations), which is never too small (Phipson & Smyth 2010).

    Pairs of one group keep one sign: d_i is then the sum over the pairs of group i, and n the number of groups. The
    same test over K trainings, one difference each, tells whether a claim holds of trainings and not of one: with
    K = 5 no p is below 2 / 2^5 = 1/16, with K = 6 none below 1/32; see `smallest_p`.

    Args:
        differences: one per pair, ``[n]``, or of several tests over the same samples, ``[n, tests]``; NaN excludes a
            pair.
        groups: a label per pair, ``[n]``, of pairs that are not independent; see `stexplain.metrics.interval`.
        seed: of the draws.
        permutations: the largest number of patterns.

    Returns:
        p per test, ``[tests]``, in (0, 1]; a single one for ``[n]``. NaN for a test without a pair.

    Raises:
        InputError: if the shape does not fit or `permutations` is below 1.

    Example:
        >>> sign_flip_test([1.0, 2.0, 3.0]).tolist()  # only + + + and - - - are as far from zero
        [0.25]
    """
    values = np.asarray(differences, np.float64)
    values = values[:, None] if values.ndim == 1 else values
    count = check_shape("differences", values.shape, "b tests")["b"]
    if permutations < 1:
        raise InputError(f"permutations: got {permutations}; expected at least 1.")
    codes = group_codes(groups, count)
    # Without the pairs of which no test has a difference: their signs would only make more patterns of the same sums.
    known = ~np.isnan(values).all(axis=1)
    # A pair that is excluded from some tests adds nothing to their sums, so one set of sign patterns serves all tests.
    paired = np.where(np.isnan(values), 0.0, values)[known]
    if groups is not None:
        # Signs are flipped within a group together: that is all that independence allows.
        paired = group_sums(paired, codes[known])
    count = len(paired)
    threshold = np.abs(paired.sum(axis=0)) - _ROUNDING * np.abs(paired).sum(axis=0)
    exact = 2**count <= permutations
    total = 2**count if exact else permutations
    random = np.random.default_rng(seed)
    hits = np.zeros(paired.shape[1], np.int64)
    for start in range(0, total, _BLOCK):
        size = min(_BLOCK, total - start)
        if exact:
            # Bit i of a pattern's number is the sign of pair i.
            flipped = (np.arange(start, start + size)[:, None] >> np.arange(count)) & 1
        else:
            flipped = random.integers(0, 2, (size, count), dtype=np.int8)
        hits += (np.abs((1.0 - 2.0 * flipped) @ paired) >= threshold).sum(axis=0)
    p = hits / total if exact else (1 + hits) / (1 + total)
    return np.where(np.isnan(values).all(axis=0), np.nan, p)


@checked
def smallest_p(units: int) -> float:
    """The smallest p that the exact `sign_flip_test` of so many independent units can give: ``2 / 2^units``.

    Five trainings cannot show a difference at 0.05, whatever they find; six can.

    Args:
        units: how many pairs, or groups of them, such as trainings.

    Returns:
        A probability, in (0, 1].

    Raises:
        InputError: if there is no unit.

    Example:
        >>> smallest_p(5), smallest_p(6)
        (0.0625, 0.03125)
    """
    if units < 1:
        raise InputError(f"units: got {units}; expected at least 1.")
    return float(2.0 ** (1 - units))


@checked
def corrected_p_values(p: ArrayLike, correction: Correction = "holm") -> NDArray[np.float64]:
    """P values corrected for multiple tests.

    With p_(1) <= ... <= p_(m)::

        holm                p'_(i) = max over j <= i of min(1, (m - j + 1) p_(j)): the probability of any
                            false discovery stays below the level (Holm 1979)
        benjamini-hochberg  p'_(i) = min over j >= i of min(1, m p_(j) / j): the expected share of false ones among
                            the discoveries does (Benjamini & Hochberg 1995)
        none                p' = p

    Args:
        p: one per test, ``[tests]``; NaN for a test that was not made and does not count.
        correction: one of `CORRECTIONS`.

    Returns:
        As many p values, in [0, 1], in the same order.

    Raises:
        InputError: for an unknown correction, or a p outside of [0, 1].

    Example:
        >>> corrected_p_values([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.06, 0.06]
        >>> corrected_p_values([0.01, 0.04, 0.03], "benjamini-hochberg").tolist()
        [0.03, 0.04, 0.04]
    """
    if correction not in CORRECTIONS:
        raise unknown("correction", correction, CORRECTIONS)
    values = np.asarray(p, np.float64)
    check_shape("p", values.shape, "tests")
    made = np.flatnonzero(~np.isnan(values))
    if ((values[made] < 0) | (values[made] > 1)).any():
        raise InputError("p: got values outside of [0, 1]; expected p values.")
    if correction == "none" or not len(made):
        return values.copy()
    order = made[np.argsort(values[made], kind="stable")]
    ranks = np.arange(1, len(made) + 1)
    # The running maximum and minimum keep the corrected values in the order of the p values.
    if correction == "holm":
        steps = np.maximum.accumulate((len(made) - ranks + 1) * values[order])
    else:
        steps = np.minimum.accumulate((len(made) * values[order] / ranks)[::-1])[::-1]
    result = values.copy()
    result[order] = np.minimum(steps, 1.0)
    return result
