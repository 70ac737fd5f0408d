"""Localisation: how well importance finds the cells that are known to decide the class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import rankdata

from stexplain.axes import check_shape
from stexplain.explainers.joining import check_alike
from stexplain.metrics.bootstrap import Interval, interval
from stexplain.metrics.items import OVER as OVER
from stexplain.metrics.items import array, items, readings

SCORES = ("auroc", "average_precision", "pointing", "prevalence", "aup", "aur", "information", "entropy")
"""The scores; see `localisation`."""

# The least 1 - m, which keeps the information of the highest cell finite: Crabbé and van der Schaar's own.
_LEAST = 1e-5


@dataclass(frozen=True)
class Localisation:
    """Scores per sample.

    Attributes:
        scores: for each of `OVER` and each of `SCORES`, one number per sample ``[B]``; NaN for a sample that has
            nothing to find, or nothing else, and is left out.
    """

    scores: dict[str, dict[str, NDArray[np.float64]]]

    def interval(
        self, over: str, score: str, *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
    ) -> Interval:
        """The mean over samples with its bootstrap interval."""
        return interval(self.scores[over][score], seed=seed, resamples=resamples, confidence=confidence)

    def excluded(self, over: str) -> int:
        """How many samples have no score."""
        return int(np.isnan(self.scores[over]["auroc"]).sum())

    def table(self, *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95) -> pd.DataFrame:
        """A row per thing to be found and score: ``over, score, value, low, high, samples, excluded``."""
        options: dict[str, Any] = {"seed": seed, "resamples": resamples, "confidence": confidence}
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
            InputError: where there are none.
        """
        check_alike("scores", parts)
        return cls(
            {
                over: {score: np.concatenate([part.scores[over][score] for part in parts]) for score in SCORES}
                for over in OVER
            }
        )


def localisation(values: Any, truth: Any, valid: Any = None) -> Localisation:
    """How well importance finds planted truth: over nodes, over frames, and over both.

    Over nodes, a node's value is the mean over valid frames and instances, and it is true where any of them is; over
    frames, the same with the mean over nodes and valid instances. Only valid cells take part. Per sample::

        auroc              the chance that a true cell has a higher value than another, a tie counting one half
                           (Mann-Whitney U / (P Q)); 0.5 for a guess
        average_precision  mean over true cells of the precision among all cells of at least its value; a guess has
                           about the prevalence
        pointing           whether the highest value is at a true cell (Zhang et al. 2018); the share of true ones
                           where several are highest
        prevalence         the share of cells that are true

    and, with m = (value - min) / (max - min) over the cells of the sample, zero where all are equal, the scores of
    Crabbé & van der Schaar (ICML 2021) with A the true cells::

        aup                the integral of precision over thresholds tau in (0, 1]: | A and m >= tau | / | m >= tau |
        aur                the integral of recall: | A and m >= tau | / | A |
        information        - sum over A of ln(1 - m), 1 - m being at least 1e-5: how much the mask says about A
        entropy            - sum over A of m ln m + (1 - m) ln(1 - m): how undecided it is about A; 0 for a mask of
                           zeros and ones

    The integrals are exact: both are constant between two values that follow each other. Information and entropy are
    sums, and so grow with the number of true cells: compare methods on the same samples.

    Args:
        values: importance ``[B, M, T, N]``, or of one sample ``[M, T, N]``; array or tensor. Ranked as it comes: give
            `Explanation.importance`, or `values` where a negative sign shall rank below zero.
        truth: which cells decide the class, bool, of the same shape.
        valid: ``[B, M, T]`` or ``[M, T]``, or with N where single readings are missing; default: all.

    Raises:
        InputError: where shapes do not fit, or a value is NaN or infinite.

    Example:
        >>> truth = np.zeros((1, 1, 4, 3), bool)
        >>> truth[0, 0, 1:3, 2] = True
        >>> found = localisation(truth * 2.0, truth)
        >>> float(found.scores["positions"]["auroc"][0]), float(found.scores["nodes"]["pointing"][0])
        (1.0, 1.0)
    """
    value, ok = readings("values", values, valid)
    true = array(truth).astype(np.bool_)
    true = true[None] if true.ndim == 3 else true
    check_shape("truth", true.shape, "b m t n", **dict(zip("bmtn", value.shape, strict=True)))
    true = true & ok
    found = {}
    for over in OVER:
        means, usable = items(value, ok, over)
        found[over] = _scores(means, items(true.astype(np.float64), ok, over)[0] > 0, usable)
    return Localisation(found)


def _scores(value: NDArray[np.float64], true: NDArray[np.bool_], ok: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """The scores per row of ``[B, L]``; NaN where a row has no true or no other item among those that are ok."""
    positives, count = true.sum(1), ok.sum(1)
    usable = (positives > 0) & (positives < count)
    safe_positives, negatives = np.maximum(positives, 1), np.maximum(count - positives, 1)

    # Items that are not ok rank last, above all others, where they change no other's rank.
    ranks = rankdata(np.where(ok, value, np.inf), axis=1)
    auroc = ((ranks * true).sum(1) - positives * (positives + 1) / 2) / (safe_positives * negatives)

    order = np.argsort(np.where(ok, -value, np.inf), axis=1, kind="stable")
    ordered, hits = np.take_along_axis(value, order, 1), np.take_along_axis(true, order, 1)
    length = value.shape[1]
    last_of_tie = np.full(value.shape, length - 1)
    last_of_tie[:, :-1] = np.where(ordered[:, :-1] != ordered[:, 1:], np.arange(length - 1), length - 1)
    # The last ok item ends its tie, whatever follows.
    rows = np.flatnonzero(count > 0)
    last_of_tie[rows, count[rows] - 1] = count[rows] - 1
    last_of_tie = np.minimum.accumulate(last_of_tie[:, ::-1], axis=1)[:, ::-1]
    precision = np.take_along_axis(hits.cumsum(1), last_of_tie, 1) / (last_of_tie + 1)
    average_precision = (precision * hits).sum(1) / safe_positives

    highest = ok & (value == np.max(np.where(ok, value, -np.inf), axis=1, keepdims=True))
    pointing = (highest & true).sum(1) / np.maximum(highest.sum(1), 1)
    found = (auroc, average_precision, pointing, positives / np.maximum(count, 1), *_mask_scores(value, true, ok))
    return {name: np.where(usable, score, np.nan) for name, score in zip(SCORES, found, strict=True)}


def _mask_scores(
    value: NDArray[np.float64], true: NDArray[np.bool_], ok: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], ...]:
    """Areas under precision and recall, information and entropy of each row of ``[B, L]``, seen as a mask in [0, 1]."""
    low = np.min(np.where(ok, value, np.inf), axis=1, keepdims=True, initial=np.inf)
    high = np.max(np.where(ok, value, -np.inf), axis=1, keepdims=True, initial=-np.inf)
    varies = high > low
    mask = np.where(ok & varies, value - np.where(varies, low, 0), 0) / np.where(varies, high - low, 1)

    order = np.argsort(np.where(ok, -mask, np.inf), axis=1, kind="stable")
    ordered, hits = np.take_along_axis(mask, order, 1), np.take_along_axis(true, order, 1).cumsum(1)
    # Between two neighbouring values the cells above the threshold are the same ones: the integral is a sum of steps.
    step = ordered - np.concatenate([ordered[:, 1:], np.zeros((len(mask), 1))], axis=1)
    aup = (step * hits / np.arange(1, mask.shape[1] + 1)).sum(1)
    aur = (step * hits / np.maximum(true.sum(1), 1)[:, None]).sum(1)

    rest = np.maximum(1 - mask, _LEAST)
    information = -(np.log(rest) * true).sum(1)
    entropy = -((xlogy(mask, mask) + xlogy(1 - mask, 1 - mask)) * true).sum(1)
    return aup, aur, information, entropy
