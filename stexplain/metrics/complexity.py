"""Complexity: on how few positions an explanation concentrates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import xlogy

from stexplain.checking import checked
from stexplain.errors import InputError, entry_of
from stexplain.explainers.results.joining import check_alike
from stexplain.intervals.bootstrap import Interval, interval
from stexplain.metrics.arrays import valid_importance
from stexplain.result import Result
from stexplain.wording import counted

SCORES = ("sparsity", "gini", "entropy")
"""The scores; see `complexity`."""


@checked
@dataclass(frozen=True, repr=False)
class Complexity(Result):
    """Scores per sample.

    Attributes:
        scores: for each of `SCORES` one number per sample, ``[n]``; NaN for a sample whose map is zero
            everywhere, which is excluded.

    Example:
        >>> maps = [[[[1.0, 1.0, 0.0, 0.0]]], [[[1.0, 0.0, 0.0, 0.0]]]]
        >>> complexity(maps).to_frame()[["score", "value", "samples"]].values.tolist()
        [['sparsity', 0.625, 2], ['gini', 0.625, 2], ['entropy', 0.25, 2]]
    """

    scores: dict[str, NDArray[np.float64]]

    def _said(self) -> str:
        return counted(len(next(iter(self.scores.values()))), "map")

    def interval(
        self, score: str, *, groups: Any = None, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
    ) -> Interval:
        """The mean of `score` over samples with its bootstrap interval; see `stexplain.metrics.interval`."""
        return interval(
            entry_of("score", score, self.scores), groups=groups, seed=seed, resamples=resamples, confidence=confidence
        )

    def to_frame(
        self, *, groups: Any = None, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
    ) -> pd.DataFrame:
        """A row per score: ``score, value, low, high, samples, excluded``; see `stexplain.metrics.interval`."""
        options: dict[str, Any] = {"groups": groups, "seed": seed, "resamples": resamples, "confidence": confidence}
        return pd.DataFrame(
            [
                {
                    "score": score,
                    **self.interval(score, **options)._asdict(),
                    "samples": int((~np.isnan(values)).sum()),
                    "excluded": int(np.isnan(values).sum()),
                }
                for score, values in self.scores.items()
            ]
        )

    @classmethod
    def joined(cls, parts: "Sequence[Complexity]") -> "Complexity":
        """Scores of several batches as one.

        Raises:
            InputError: if there are none.
        """
        check_alike("scores", parts)
        return cls({score: np.concatenate([part.scores[score] for part in parts]) for score in SCORES})


@checked
def complexity(values: Any, valid: Any = None, *, threshold: float = 0.01) -> Complexity:
    """Sparsity, Gini index and entropy of a map; see `sparsity`, `gini` and `entropy`.

    Args:
        values: importance ``[B, M, T, N]``, or of one sample ``[M, T, N]``: array, tensor or `Explanation`. Its
            absolute value counts: give `Explanation.importance` for evidence for the target alone.
        valid: ``[B, M, T]``, or ``[B, M, T, N]`` where single observations are missing; default: those of the
            explanation, else all.
        threshold: see `sparsity`.

    Returns:
        Three numbers per sample, ``[n]`` each, in [0, 1]; NaN for a map that is zero everywhere.

    Raises:
        InputError: if a shape does not fit, a value is NaN or infinite, or the threshold is out of range.

    Example:
        >>> result = complexity([[[[4.0, 0.0], [0.0, 0.0]]]])
        >>> {name: float(values[0]) for name, values in result.scores.items()}
        {'sparsity': 0.75, 'gini': 0.75, 'entropy': 0.0}
    """
    scores = (sparsity(values, valid, threshold=threshold), gini(values, valid), entropy(values, valid))
    return Complexity(dict(zip(SCORES, scores, strict=True)))


@checked
def sparsity(values: Any, valid: Any = None, *, threshold: float = 0.01) -> NDArray[np.float64]:
    """The share of valid positions whose ``|value|`` is below a threshold, relative to the sample's maximum.

        sparsity = | { i : |v_i| < threshold max |v| } | / L

    Pope et al. (CVPR 2019) scale a map to [0, 1], threshold it at 0.01 and count the positions above; this counts those
    below.

    Args:
        values: see `complexity`.
        valid: see `complexity`.
        threshold: in (0, 1].

    Returns:
        ``[B]``, in [0, 1); NaN for a map that is zero everywhere.

    Raises:
        InputError: as of `complexity`.

    Example:
        >>> sparsity([[[[8.0, 0.0, -2.0, 4.0]]]], threshold=0.5).tolist()
        [0.5]
    """
    if not 0 < threshold <= 1:
        raise InputError(f"threshold: got {threshold}; expected a share of the maximum, in (0, 1].")
    size, mask = _sizes(values, valid)
    # `initial` is the maximum of a map without positions; sizes are at least 0, so it changes no other.
    maximum = size.max(axis=1, keepdims=True, initial=0.0)
    below: NDArray[np.float64] = (mask & (size < threshold * maximum)).sum(1) / np.where(
        maximum[:, 0], mask.sum(1), np.nan
    )
    return below


@checked
def gini(values: Any, valid: Any = None) -> NDArray[np.float64]:
    """The Gini index of ``|value|`` over valid positions (Hurley & Rickard, IEEE Trans. Information Theory 2009).

        G = 1 - 2 sum over k = 1 .. L of  c_k / sum(c)  (L - k + 1/2) / L       with c = |v| in ascending order

    Args:
        values: see `complexity`.
        valid: see `complexity`.

    Returns:
        ``[B]``, from 0 (all positions alike) to 1 - 1/L (a single position); NaN for a map that is zero everywhere.

    Example:
        >>> gini([[[[1.0, 1.0], [1.0, 1.0]]]]).tolist()
        [0.0]
    """
    size, mask = _sizes(values, valid)
    # Invalid positions are zero and sort last in descending order, where they add nothing. With k counted from the end,
    # L - k + 1/2 is the rank from 0 plus 1/2, whatever the number of valid positions.
    ordered = np.sort(size, axis=1)[:, ::-1]
    from_the_end = np.arange(size.shape[1]) + 0.5
    total = size.sum(1)
    index: NDArray[np.float64] = 1 - 2 * (ordered * from_the_end).sum(1) / np.where(total, total * mask.sum(1), np.nan)
    return index


@checked
def entropy(values: Any, valid: Any = None) -> NDArray[np.float64]:
    """The Shannon entropy of ``|value|`` over valid positions, divided by its maximum.

        H = - sum of p_i ln p_i / ln L        with p = |v| / sum |v|

    The complexity of Bhatt et al. (IJCAI 2020), divided by ln L so that samples of different length compare.

    Args:
        values: see `complexity`.
        valid: see `complexity`.

    Returns:
        ``[B]``, from 0 (a single position) to 1 (all alike); NaN for a map that is zero everywhere or has one position.

    Example:
        >>> entropy([[[[1.0, -1.0, 0.0, 0.0]]]]).tolist()
        [0.5]
    """
    size, mask = _sizes(values, valid)
    total, count = size.sum(1), mask.sum(1)
    share = size / np.where(total, total, np.nan)[:, None]
    # xlogy(0, 0) is 0, as the limit of p ln p is. A single position has ln L = 0, by which nothing is divided.
    relative = -xlogy(share, share).sum(1) / np.log(np.where(count > 1, count, np.nan))
    # Clipped at zero: a share that rounds to just above 1 would make it negative.
    return np.asarray(np.maximum(relative, 0.0))


def _sizes(values: Any, valid: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """``|values|``, zero where not valid, and the mask of valid positions, ``[B, L]`` each."""
    importance, mask = valid_importance("values", values, valid)
    return np.abs(importance).reshape(len(importance), -1), mask.reshape(len(mask), -1)
