"""Localisation: how well importance ranks the ground truth, the positions that are known to decide the class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import rankdata

from stexplain.axes import check_shape
from stexplain.checking import checked
from stexplain.checking.values import as_numbers
from stexplain.errors import entry_of
from stexplain.explainers.results.joining import check_alike
from stexplain.intervals.bootstrap import Interval, interval
from stexplain.metrics.arrays import valid_importance
from stexplain.metrics.ranking import OVER as OVER
from stexplain.metrics.ranking import aggregate
from stexplain.result import Result
from stexplain.wording import counted

SCORES = ("auroc", "average_precision", "pointing", "prevalence", "aup", "aur", "information", "entropy")
"""The scores; see `localisation`."""

# The smallest 1 - m, which keeps the information of the highest entry finite; as in Crabbé and van der Schaar's code.
_SMALLEST = 1e-5


@checked
@dataclass(frozen=True, repr=False)
class Localisation(Result):
    """Scores per sample.

    Attributes:
        scores: for each of `OVER` and each of `SCORES`, one number per sample ``[B]``; NaN for a sample of which
            no valid position is in the ground truth, or all are: it is excluded.

    Example:
        >>> truth = np.array([[[[True, False, False]]], [[[False, False, False]]]])  # the second has no cause
        >>> result = localisation([[[[3.0, 1.0, 2.0]]], [[[1.0, 2.0, 3.0]]]], truth)
        >>> result.scores["nodes"]["auroc"].tolist(), result.excluded("nodes")
        ([1.0, nan], 1)
    """

    scores: dict[str, dict[str, NDArray[np.float64]]]

    def _said(self) -> str:
        return f"{counted(len(next(iter(next(iter(self.scores.values())).values()))), 'sample')} against ground truth"

    def interval(
        self,
        over: str,
        score: str,
        *,
        groups: Any = None,
        seed: int = 0,
        resamples: int = 1000,
        confidence: float = 0.95,
    ) -> Interval:
        """The mean of a `score` `over` nodes, frames or positions; see `stexplain.metrics.interval`."""
        # Information and entropy are sums; all other scores are shares.
        bounds = None if score in ("information", "entropy") else (0.0, 1.0)
        options: dict[str, Any] = {"groups": groups, "seed": seed, "resamples": resamples, "confidence": confidence}
        return interval(entry_of("score", score, entry_of("axis", over, self.scores)), bounds=bounds, **options)

    def excluded(self, over: str) -> int:
        """How many samples are excluded because they have no score."""
        return int(np.isnan(entry_of("axis", over, self.scores)["auroc"]).sum())

    def to_frame(
        self, *, groups: Any = None, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
    ) -> pd.DataFrame:
        """A row per axis (`OVER`) and score: ``over, score, value, low, high, samples, excluded``.

        The interval is that of `stexplain.metrics.interval`.
        """
        options: dict[str, Any] = {"groups": groups, "seed": seed, "resamples": resamples, "confidence": confidence}
        return pd.DataFrame(
            [
                {
                    "over": over,
                    "score": score,
                    **self.interval(over, score, **options)._asdict(),
                    "samples": len(values) - self.excluded(over),
                    "excluded": self.excluded(over),
                }
                for over, scores in self.scores.items()
                for score, values in scores.items()
            ]
        )

    @classmethod
    def joined(cls, parts: "Sequence[Localisation]") -> "Localisation":
        """Scores of several batches as one.

        Raises:
            InputError: if there are none.
        """
        check_alike("scores", parts)
        return cls(
            {
                over: {score: np.concatenate([part.scores[over][score] for part in parts]) for score in SCORES}
                for over in OVER
            }
        )


@checked
def localisation(values: Any, truth: Any, valid: Any = None) -> Localisation:
    """How well importance ranks the ground truth: over nodes, over frames, and over positions (both).

    Over nodes, a node's importance is the mean over its valid frames and instances, and it is true if any of them is;
    over frames, likewise over nodes and valid instances. Only valid positions count. Per sample, with "position" for
    what is ranked::

        auroc              the probability that a true position has a higher value than another, a tie counting one half
                           (Mann-Whitney U / (P Q)); chance level 0.5
        average_precision  mean over true positions of the precision among all positions of at least its value; chance
                           level about the prevalence
        pointing           whether the highest value is at a true position (pointing game, Zhang et al. 2018); the share
                           of true ones if several are highest
        prevalence         the share of positions that are true

    and, with m = (value - min) / (max - min) over the positions of the sample, zero if all are equal, the scores of
    Crabbé & van der Schaar (ICML 2021) with A the true positions::

        aup                the integral of precision over thresholds tau in (0, 1]: | A and m >= tau | / | m >= tau |
        aur                the integral of recall: | A and m >= tau | / | A |
        information        - sum over A of ln(1 - m), 1 - m being at least 1e-5: the mask's information about A
        entropy            - sum over A of m ln m + (1 - m) ln(1 - m): its uncertainty about A; 0 for a mask of
                           zeros and ones

    The integrals are exact: both are constant between two values that follow each other. Information and entropy are
    sums, and so grow with the number of true positions: compare methods on the same samples.

    Args:
        values: importance ``[B, M, T, N]``, or of one sample ``[M, T, N]``; array or tensor. Ranked with its
            sign: give `Explanation.importance`, or `Explanation.values` to rank negative values below zero.
        truth: the positions that decide the class, bool, of the same shape.
        valid: ``[B, M, T]`` or ``[M, T]``, or with N where single observations are missing; default: all.

    Returns:
        Each of `SCORES` over nodes, frames and positions, a number per sample ``[B]``.

    Raises:
        InputError: if shapes do not fit, or a value is NaN or infinite.

    Example:
        >>> truth = np.zeros((1, 1, 4, 3), bool)
        >>> truth[0, 0, 1:3, 2] = True
        >>> result = localisation(truth * 2.0, truth)
        >>> float(result.scores["positions"]["auroc"][0]), float(result.scores["nodes"]["pointing"][0])
        (1.0, 1.0)
    """
    importance, mask = valid_importance("values", values, valid)
    true = as_numbers("truth", truth).astype(np.bool_)
    true = true[None] if true.ndim == 3 else true
    check_shape("truth", true.shape, "b m t n", **check_shape("values", importance.shape, "b m t n"))
    true = true & mask
    scores = {}
    for over in OVER:
        means, present = aggregate(importance, mask, over)
        # The mean of a 0/1 truth is above zero where any position is true.
        scores[over] = row_scores(means, aggregate(true.astype(np.float64), mask, over)[0] > 0, present)
    return Localisation(scores)


def row_scores(
    value: NDArray[np.float64], true: NDArray[np.bool_], valid: NDArray[np.bool_]
) -> dict[str, NDArray[Any]]:
    """The scores of `localisation` for rows of anything that is ranked, ``[B, L]``.

    Args:
        value: what is ranked by.
        true: which entries should be ranked first.
        valid: which entries are ranked.

    Returns:
        Each of `SCORES`, ``[B]``; NaN for a row whose valid entries are all true, or none.

    Example:
        >>> value, true = np.array([[0.1, 0.4, 0.4]]), np.array([[False, True, False]])
        >>> row_scores(value, true, np.ones((1, 3), bool))["auroc"].tolist()  # one of two beaten, one tied
        [0.75]
    """
    positives, count = true.sum(1), valid.sum(1)
    defined = (positives > 0) & (positives < count)
    scores = {name: np.full(len(value), np.nan) for name in SCORES}
    if defined.any():
        rows = value[defined], true[defined], valid[defined]
        for name, found in zip(SCORES, (*_rank_scores(*rows), *_mask_scores(*rows)), strict=True):
            scores[name][defined] = found
    return scores


def _rank_scores(
    value: NDArray[np.float64], true: NDArray[np.bool_], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], ...]:
    """AUROC, average precision, pointing game and prevalence of rows ``[B, L]`` with true and other entries."""
    positives, count = true.sum(1), valid.sum(1)
    # Entries that are not valid get the highest ranks, where they change no other entry's rank.
    ranks = rankdata(np.where(valid, value, np.inf), axis=1)
    # Mann-Whitney U from the rank sum of the true entries; rankdata gives ties their mean rank.
    auroc = ((ranks * true).sum(1) - positives * (positives + 1) / 2) / (positives * (count - positives))

    order = np.argsort(np.where(valid, -value, np.inf), axis=1, kind="stable")
    ordered, hits = np.take_along_axis(value, order, 1), np.take_along_axis(true, order, 1)
    length = value.shape[1]
    # Tied entries share one threshold: their precision is that at the last entry of the tie.
    last_of_tie = np.full(value.shape, length - 1)
    last_of_tie[:, :-1] = np.where(ordered[:, :-1] != ordered[:, 1:], np.arange(length - 1), length - 1)
    # The last valid entry ends its tie, whatever invalid entries follow.
    last_of_tie[np.arange(len(value)), count - 1] = count - 1
    # From the right, the nearest end of a tie at or after each entry.
    last_of_tie = np.minimum.accumulate(last_of_tie[:, ::-1], axis=1)[:, ::-1]
    precision = np.take_along_axis(hits.cumsum(1), last_of_tie, 1) / (last_of_tie + 1)
    average_precision = (precision * hits).sum(1) / positives

    # All positions that share the highest value: a constant map points everywhere.
    highest = valid & (value == np.max(np.where(valid, value, -np.inf), axis=1)[:, None])
    pointing = (highest & true).sum(1) / highest.sum(1)
    return auroc, average_precision, pointing, positives / count


def _mask_scores(
    value: NDArray[np.float64], true: NDArray[np.bool_], valid: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], ...]:
    """Areas under precision and recall, information and entropy of such rows, seen as a mask in [0, 1]."""
    low = np.min(np.where(valid, value, np.inf), axis=1)[:, None]
    high = np.max(np.where(valid, value, -np.inf), axis=1)[:, None]
    # A row that is constant is zero throughout.
    mask = np.where(valid, value - low, 0) / np.where(high > low, high - low, 1)

    order = np.argsort(np.where(valid, -mask, np.inf), axis=1, kind="stable")
    ordered, hits = np.take_along_axis(mask, order, 1), np.take_along_axis(true, order, 1).cumsum(1)
    # Between two neighbouring values the same entries exceed the threshold, so the integral is a sum of steps.
    step = ordered - np.concatenate([ordered[:, 1:], np.zeros((len(mask), 1))], axis=1)
    aup = (step * hits / np.arange(1, mask.shape[1] + 1)).sum(1)
    aur = (step * hits / true.sum(1)[:, None]).sum(1)

    rest = np.maximum(1 - mask, _SMALLEST)
    information = -(np.log(rest) * true).sum(1)
    entropy = -((xlogy(mask, mask) + xlogy(1 - mask, 1 - mask)) * true).sum(1)
    return aup, aur, information, entropy
