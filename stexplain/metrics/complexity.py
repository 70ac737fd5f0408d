"""Complexity: on how few cells an explanation lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import xlogy

from stexplain.errors import InputError
from stexplain.explainers.joining import check_alike
from stexplain.metrics.bootstrap import Interval, interval
from stexplain.metrics.items import readings

SCORES = ("sparsity", "gini", "entropy")
"""The scores; see `complexity`."""


@dataclass(frozen=True)
class Complexity:
    """Scores per sample.

    Attributes:
        scores: for each of `SCORES` one number per sample, ``[n]``; NaN for a sample whose map is zero throughout,
            which is left out.
    """

    scores: dict[str, NDArray[np.float64]]

    def interval(self, score: str, *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95) -> Interval:
        """The mean over samples with its bootstrap interval."""
        return interval(self.scores[score], seed=seed, resamples=resamples, confidence=confidence)

    def to_frame(self, *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95) -> pd.DataFrame:
        """A row per score: ``score, value, low, high, samples, excluded``."""
        options: dict[str, Any] = {"seed": seed, "resamples": resamples, "confidence": confidence}
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
            InputError: where there are none.
        """
        check_alike("scores", parts)
        return cls({score: np.concatenate([part.scores[score] for part in parts]) for score in SCORES})


def complexity(values: Any, valid: Any = None, *, threshold: float = 0.01) -> Complexity:
    """All of them: see `sparsity`, `gini` and `entropy`.

    Args:
        values: importance ``[B, M, T, N]``, or of one sample ``[M, T, N]``: array, tensor or `Explanation`. Its size
            counts and not its sign: give `Explanation.importance` for what speaks for the target alone.
        valid: ``[B, M, T]``, or ``[B, M, T, N]`` where single readings are missing; default: those of the explanation,
            else all.
        threshold: see `sparsity`.

    Raises:
        InputError: where a shape does not fit, a value is NaN or infinite, or the threshold is out of range.

    Example:
        >>> found = complexity([[[[4.0, 0.0], [0.0, 0.0]]]])
        >>> {name: float(values[0]) for name, values in found.scores.items()}
        {'sparsity': 0.75, 'gini': 0.75, 'entropy': 0.0}
    """
    scores = (sparsity(values, valid, threshold=threshold), gini(values, valid), entropy(values, valid))
    return Complexity(dict(zip(SCORES, scores, strict=True)))


def sparsity(values: Any, valid: Any = None, *, threshold: float = 0.01) -> NDArray[np.float64]:
    """The share of valid cells whose ``|value|`` is below a share of the sample's greatest.

        sparsity = | { i : |v_i| < threshold max |v| } | / L

    Pope et al. (CVPR 2019) count what is left of a map that is scaled to [0, 1] and thresholded at 0.01; this is what
    is not left.

    Args:
        values: see `complexity`.
        valid: see `complexity`.
        threshold: in (0, 1].

    Returns:
        ``[B]``, in [0, 1); NaN for a map that is zero throughout.

    Example:
        >>> sparsity([[[[8.0, 0.0, -2.0, 4.0]]]], threshold=0.5).tolist()
        [0.5]
    """
    if not 0 < threshold <= 1:
        raise InputError(f"threshold is {threshold}; wanted a share of the greatest value, in (0, 1].")
    size, ok = _sizes(values, valid)
    greatest = size.max(axis=1, keepdims=True, initial=0.0)
    below = (ok & (size < threshold * greatest)).sum(1) / np.maximum(ok.sum(1), 1)
    return np.where(greatest[:, 0] > 0, below, np.nan)


def gini(values: Any, valid: Any = None) -> NDArray[np.float64]:
    """The Gini index of ``|value|`` over valid cells (Hurley & Rickard, IEEE Trans. Information Theory 2009).

        G = 1 - 2 sum over k = 1 .. L of  c_k / sum(c)  (L - k + 1/2) / L       with c = |v| in ascending order

    Args:
        values: see `complexity`.
        valid: see `complexity`.

    Returns:
        ``[B]``, from 0 (all cells alike) to 1 - 1/L (a single cell); NaN for a map that is zero throughout.

    Example:
        >>> gini([[[[1.0, 1.0], [1.0, 1.0]]]]).tolist()
        [0.0]
    """
    size, ok = _sizes(values, valid)
    # What is not valid is zero and comes first in ascending order, where it adds nothing: k counts from the end.
    ordered = np.sort(size, axis=1)[:, ::-1]
    from_the_end = np.arange(size.shape[1]) + 0.5
    total, count = size.sum(1), np.maximum(ok.sum(1), 1)
    found = 1 - 2 * (ordered * from_the_end).sum(1) / (np.where(total > 0, total, 1) * count)
    return np.where(total > 0, found, np.nan)


def entropy(values: Any, valid: Any = None) -> NDArray[np.float64]:
    """The Shannon entropy of ``|value|`` over valid cells, as a share of the greatest possible.

        H = - sum of p_i ln p_i / ln L        with p = |v| / sum |v|

    The complexity of Bhatt et al. (IJCAI 2020), divided by ln L so that samples of different length compare.

    Args:
        values: see `complexity`.
        valid: see `complexity`.

    Returns:
        ``[B]``, from 0 (a single cell) to 1 (all alike); NaN for a map that is zero throughout or has one cell.

    Example:
        >>> entropy([[[[1.0, -1.0, 0.0, 0.0]]]]).tolist()
        [0.5]
    """
    size, ok = _sizes(values, valid)
    total, count = size.sum(1), ok.sum(1)
    share = size / np.where(total > 0, total, 1)[:, None]
    found = -xlogy(share, share).sum(1) / np.log(np.maximum(count, 2))
    return np.where((total > 0) & (count > 1), np.maximum(found, 0.0), np.nan)


def _sizes(values: Any, valid: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """``|values|`` and which are there, ``[B, L]`` each; what is not there is zero."""
    value, ok = readings("values", values, valid)
    return np.abs(value).reshape(len(value), -1), ok.reshape(len(ok), -1)
