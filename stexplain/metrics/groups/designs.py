"""The tests between two groups of clusters, or between two parts of each cluster."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from stexplain.errors import InputError
from stexplain.metrics.groups.permutation import choices, flips, p_values, paired_t, welch


class Tested(NamedTuple):
    """The tests of all features; see the attributes of `GroupComparison`."""

    table: pd.DataFrame
    clusters: tuple[int, int]
    paired: bool
    permutations: int
    smallest_p: float


def between(
    means: NDArray[np.float64], in_other: NDArray[np.bool_], *, permutations: int, confidence: float, seed: int
) -> Tested:
    """Clusters of one group against clusters of the other.

    Args:
        means: of each cluster, ``[K, F]``; NaN where it has none.
        in_other: which clusters are of the other group, ``[K]``.
        permutations: the largest number.
        confidence: of the intervals.
        seed: of permutations that are drawn.

    Raises:
        InputError: where a group has fewer than two clusters.
    """
    sizes = (int((~in_other).sum()), int(in_other.sum()))
    if min(sizes) < 2:
        raise InputError(f"groups: got {sizes[0]} and {sizes[1]} clusters; expected at least two of each group.")
    tested = np.asarray(~np.isnan(means).any(0))
    values = means[:, tested]
    first, other = values[~in_other], values[in_other]
    errors = [part.var(0, ddof=1) / len(part) for part in (first, other)]
    total = errors[0] + errors[1]
    # Welch & Satterthwaite; where nothing varies the interval has no width, whatever the degrees of freedom.
    spread = sum(error**2 / (size - 1) for error, size in zip(errors, sizes, strict=True))
    freedom = np.where(total > 0, total**2 / np.where(spread > 0, spread, 1), 1)
    difference = other.mean(0) - first.mean(0)
    half = stats.t.ppf((1 + confidence) / 2, np.maximum(freedom, 1)) * np.sqrt(total)
    blocks, count, exact = choices(len(means), sizes[1], permutations, seed)
    p, corrected = p_values(
        welch(values, in_other[None])[0], lambda chosen: welch(values, chosen), blocks, count, exact
    )
    columns = {**_means(first, other, confidence), **_difference(difference, half, p, corrected)}
    # As many clusters in both groups: exchanging all of them gives the same |t|.
    smallest = (1 + (sizes[0] == sizes[1])) / count if exact else 1 / (count + 1)
    return Tested(_table(columns, tested), clusters=sizes, paired=False, permutations=count, smallest_p=smallest)


def within(
    first: NDArray[np.float64], other: NDArray[np.float64], *, permutations: int, confidence: float, seed: int
) -> Tested:
    """Both groups in each cluster: differences of pairs.

    Args:
        first: means of the samples of the first group of each cluster, ``[K, F]``.
        other: of the other.
        permutations: the largest number.
        confidence: of the intervals.
        seed: of permutations that are drawn.

    Raises:
        InputError: where there are fewer than two clusters.
    """
    units = len(first)
    if units < 2:
        raise InputError(f"clusters: got {units}; expected at least two, each with samples of both groups.")
    tested = np.asarray(~(np.isnan(first) | np.isnan(other)).any(0))
    first, other = first[:, tested], other[:, tested]
    pairs = other - first
    # What differs by rounding alone does not differ.
    pairs[np.abs(pairs) <= 1e-12 * np.maximum(np.abs(first), np.abs(other))] = 0.0
    half = stats.t.ppf((1 + confidence) / 2, units - 1) * pairs.std(0, ddof=1) / np.sqrt(units)
    blocks, count, exact = flips(units, permutations, seed)
    kept = np.zeros((1, units), bool)
    p, corrected = p_values(paired_t(pairs, kept)[0], lambda flipped: paired_t(pairs, flipped), blocks, count, exact)
    columns = {**_means(first, other, confidence), **_difference(pairs.mean(0), half, p, corrected)}
    smallest = 2 / count if exact else 1 / (count + 1)
    return Tested(
        _table(columns, tested), clusters=(units, units), paired=True, permutations=count, smallest_p=smallest
    )


def _means(first: NDArray[np.float64], other: NDArray[np.float64], confidence: float) -> dict[str, NDArray[np.float64]]:
    columns: dict[str, NDArray[np.float64]] = {}
    for name, part in (("reference", first), ("other", other)):
        half = stats.t.ppf((1 + confidence) / 2, len(part) - 1) * part.std(0, ddof=1) / np.sqrt(len(part))
        columns |= {name: part.mean(0), f"{name}_low": part.mean(0) - half, f"{name}_high": part.mean(0) + half}
    return columns


def _difference(
    difference: NDArray[np.float64], half: NDArray[np.float64], p: NDArray[np.float64], corrected: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    ends = {"low": difference - half, "high": difference + half}
    return {"difference": difference, **ends, "p": p, "p_corrected": corrected}


def _table(columns: dict[str, NDArray[np.float64]], tested: NDArray[np.bool_]) -> pd.DataFrame:
    """A row per feature; empty where some cluster never observed it."""
    whole = {name: np.full(len(tested), np.nan) for name in columns}
    for name, values in columns.items():
        whole[name][tested] = values
    return pd.DataFrame(whole)
