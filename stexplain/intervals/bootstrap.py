"""Confidence intervals over samples, which may come in groups."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.axes import check_shape
from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.intervals.groups import group_codes, group_sums
from stexplain.intervals.shares import limits_of_unlike, share_ends, unseen_share
from stexplain.intervals.studentised import spread, studentised_ends
from stexplain.intervals.units import FEWEST, too_few

# How far a value may lie outside of its bounds, as a share of their distance.
_ROUNDING = 1e-9


class _Ends(NamedTuple):
    value: float
    low: float
    high: float


class Interval(_Ends):
    """An estimate and its confidence interval: a tuple of three numbers, and why there is no interval.

    Attributes:
        value: the estimate.
        low: the lower end.
        high: the upper end.
        reason: why the ends are NaN, where they are; not a part of the tuple.

    Example:
        >>> value, low, high = interval(np.arange(20.0))
        >>> value, low < value < high, interval([1.0, 2.0]).reason
        (9.5, True, 'too few samples: 2')
    """

    reason: str = ""

    def __new__(cls, value: float, low: float, high: float, reason: str = "") -> "Interval":
        """An interval, with the reason where it has no ends."""
        made = super().__new__(cls, value, low, high)
        made.reason = reason
        return made

    def to_dict(self) -> dict[str, Any]:
        """The three numbers by name, and the reason where there is one, as a results file keeps them.

        Example:
            >>> Interval(0.9, 0.8, 1.0).to_dict()
            {'value': 0.9, 'low': 0.8, 'high': 1.0}
            >>> interval([0.5, 0.7], groups=["ann", "bob"]).to_dict()["reason"]
            'too few groups: 2'
        """
        return {**self._asdict(), **({"reason": self.reason} if self.reason else {})}


@checked
def interval(
    values: ArrayLike,
    *,
    groups: Any = None,
    seed: int = 0,
    resamples: int = 1000,
    confidence: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Interval:
    """The mean of values and its confidence interval, for few samples, skewed ones, and samples that come in groups.

    - Values that differ: the bootstrap of the t statistic, of samples or of whole groups; see
      `stexplain.intervals.studentised.studentised_ends`, whose ends are cut at the bounds.
    - Zeros and ones, without groups: the interval of a share; see `stexplain.intervals.shares.share_ends`.
    - Values that are all alike have no spread to go by. n of them (or n groups) leave room for a share
      ``q = 1 - (1 - confidence)^(1 / n)`` of others, about 3 / n, and these may be as far off as the bounds: the
      interval is ``[value - q (value - bound), value + q (bound - value)]``. Without `bounds`, these are 0 and 1 for a
      value between them, else 0 and twice the value.
    - Where most are alike, and `bounds` are given, the same reasoning limits the bootstrap, whose resamples without any
      of the others have no spread: see `stexplain.intervals.shares.limits_of_unlike`.
    - Fewer than 5 independent units, samples or groups, show too little of what they vary by: no interval.

    Args:
        values: one per sample, ``[n]``; NaN excludes a sample.
        groups: a label per sample, ``[n]``, of samples that are not independent, such as of one performance filmed by
            several cameras; or nested, ``[n, levels]``, of which the outermost, first, decides. Data gives its own as
            `Clips.groups` and `WindowedSeries.groups`.
        seed: of the draws.
        resamples: how many draws.
        confidence: in (0, 1).
        bounds: the smallest and the largest possible value, such as ``(0, 1)`` of an AUROC; none: not known.

    Returns:
        The mean over samples. NaN for all three if no sample has a value. NaN ends, with the reason, where fewer than 5
        samples, or groups, have one.

    Raises:
        InputError: if values or groups are not one per sample, a value is infinite, or an argument is out of range.

    Example:
        >>> found = interval(np.ones(8))
        >>> found.value, round(found.low, 2), found.high
        (1.0, 0.69, 1.0)
        >>> mean = interval(np.arange(101.0))
        >>> mean.value, 40 < mean.low < 46, 54 < mean.high < 60
        (50.0, True, True)
        >>> interval([0.5, 0.7, 0.6, 0.9, 0.8], groups=["ann", "ann", "ann", "bob", "bob"]).reason
        'too few groups: 2'
    """
    every = np.asarray(values, np.float64)
    if every.ndim == 2:
        raise InputError(
            f"values has shape {every.shape}; expected [b], one number per sample. Of a table give one column after "
            "the other: {name: interval(table[name]) for name in table}."
        )
    check_shape("values", every.shape, "b")
    _refuse_infinite("values", every)
    known = ~np.isnan(every)
    codes = group_codes(groups, len(every))[known]
    present = every[known]
    grouped = groups is not None and _share_groups(codes)
    # A score may leave its bounds by a rounding error.
    room = 0.0 if bounds is None else _ROUNDING * (bounds[1] - bounds[0])
    if bounds is not None and not (
        bounds[0] < bounds[1] and (bounds[0] - room <= present).all() and (present <= bounds[1] + room).all()
    ):
        raise InputError(f"bounds: got {bounds}; expected (smallest, largest) possible value, around all values.")
    # A share that is counted needs no bootstrap: its distribution is known.
    if not grouped and len(present) >= FEWEST and bounds in (None, (0, 1)) and np.isin(present, (0.0, 1.0)).all():
        _check_arguments(resamples, confidence)
        return Interval(float(present.mean()), *share_ends(int(present.sum()), len(present), confidence))
    return _of_units(present, np.ones(len(present)), codes, grouped, seed, resamples, confidence, bounds)


@checked
def ratio_interval(
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    groups: Any = None,
    seed: int = 0,
    resamples: int = 1000,
    confidence: float = 0.95,
    bounds: tuple[float, float] | None = None,
) -> Interval:
    """The ratio of two sums over samples and its confidence interval, made as that of a mean; see `interval`.

    Args:
        numerator: one per sample, ``[n]``; NaN, here or in the denominator, excludes a sample.
        denominator: one per sample, ``[n]``.
        groups: see `interval`.
        seed: of the draws.
        resamples: how many draws; one whose denominators sum to zero has no ratio and is excluded.
        confidence: in (0, 1).
        bounds: the smallest and the largest possible ratio; none: not known.

    Returns:
        NaN if the denominators sum to zero. NaN ends, with the reason, as of `interval`.

    Raises:
        InputError: if the two differ in length, hold infinite numbers, or an argument is out of range.

    Example:
        >>> found = ratio_interval([1.0, 2.0, 3.5, 4.0, 5.0], [2.0, 4.0, 6.0, 8.0, 10.0])
        >>> round(found.value, 3), found.low < found.value < found.high
        (0.517, True)
    """
    above, below = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    sizes = check_shape("numerator", above.shape, "b")
    check_shape("denominator", below.shape, "b", **sizes)
    _refuse_infinite("numerator", above)
    _refuse_infinite("denominator", below)
    known = ~(np.isnan(above) | np.isnan(below))
    codes = group_codes(groups, len(above))[known]
    grouped = groups is not None and _share_groups(codes)
    return _of_units(above[known], below[known], codes, grouped, seed, resamples, confidence, bounds)


def not_negative(found: Interval) -> Interval:
    """The interval of what cannot be below zero, such as an error or a distance, without what lies below.

    Example:
        >>> not_negative(Interval(2.0, -1.0, 5.0))
        Interval(value=2.0, low=0.0, high=5.0)
    """
    # NaN stays NaN: there is no interval to cut.
    return Interval(found.value, 0.0 if found.low < 0 else found.low, found.high, found.reason)


def _of_units(
    above: NDArray[np.float64],
    below: NDArray[np.float64],
    codes: NDArray[np.intp],
    grouped: bool,
    seed: int,
    resamples: int,
    confidence: float,
    bounds: tuple[float, float] | None,
) -> Interval:
    """The interval of sum(above) / sum(below) over samples ``[n]``, resampled by the codes of their groups ``[n]``."""
    _check_arguments(resamples, confidence)
    if not len(above) or below.sum() == 0:
        return Interval(np.nan, np.nan, np.nan, "no sample has a value")
    # A mean over samples is a ratio of sums over groups, whose sizes are drawn with them.
    units, sizes = (group_sums(above, codes), group_sums(below, codes)) if grouped else (above, below)
    # Not the ratio of the sums over groups, which may differ by a rounding error.
    value = float(above.sum() / below.sum())
    if len(units) < FEWEST:
        return Interval(value, np.nan, np.nan, too_few(len(units), grouped=grouped))
    if spread(units, sizes) == 0:
        smallest, largest = bounds if bounds is not None else ((0.0, 1.0) if 0 <= value <= 1 else _around(value))
        share = unseen_share(len(units), confidence)
        return Interval(value, value - share * (value - smallest), value + share * (largest - value))
    low, high = studentised_ends(units, sizes, grouped=grouped, seed=seed, resamples=resamples, confidence=confidence)
    if bounds is not None:
        lowest, highest = limits_of_unlike(units, sizes, bounds, confidence)
        low, high = max(low, lowest), min(high, highest)
    return Interval(value, low, high)


def _around(value: float) -> tuple[float, float]:
    """From zero to twice a value, in ascending order."""
    return min(0.0, 2 * value), max(0.0, 2 * value)


def _share_groups(codes: NDArray[np.intp]) -> bool:
    """Whether any samples share a group: where each is a group of its own, samples are independent.

    Of too few samples it is said, too, as the reason why there is no interval then speaks of groups.
    """
    return len(np.unique(codes)) < max(len(codes), FEWEST)


def _refuse_infinite(name: str, values: NDArray[np.float64]) -> None:
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        row = int(infinite[0])
        raise InputError(
            f"{name}: got {values[row]} for sample {row}; expected finite numbers, which have a mean, or NaN for a "
            "sample without any."
        )


def _check_arguments(resamples: int, confidence: float) -> None:
    if resamples < 1:
        raise InputError(f"resamples: got {resamples}; expected at least 1.")
    if not 0 < confidence < 1:
        raise InputError(f"confidence: got {confidence}; expected a share between 0 and 1, such as 0.95.")
