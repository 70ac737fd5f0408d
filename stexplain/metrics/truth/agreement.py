"""Scores of explanations against the effect: what they rank first, and in which order, is what the model used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from stexplain.axes import check_shape
from stexplain.checking import checked
from stexplain.checking.values import as_numbers
from stexplain.errors import entry_of
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.results.joining import check_alike
from stexplain.metrics.arrays import valid_importance
from stexplain.metrics.localisation import row_scores
from stexplain.metrics.ranking import equal_but_for_rounding
from stexplain.metrics.truth.effect import USED, Effect
from stexplain.result import Result
from stexplain.wording import counted

OVER = ("groups", "regions")
"""What is ranked: groups (by default, single nodes), or regions, that is groups in windows of time."""
SCORES = ("auroc", "average_precision", "rank")
"""The scores; see `effect_agreement`."""


@checked
@dataclass(frozen=True, repr=False)
class Agreement(Result):
    """Scores per sample, as of `effect_agreement`.

    Attributes:
        scores: for each of `OVER` and each of `SCORES`, one number per sample ``[B]``; NaN for a sample that has none.

    Example:
        >>> scores = {over: {score: np.array([0.9, np.nan]) for score in SCORES} for over in OVER}
        >>> found = Agreement(scores)
        >>> found.mean("groups", "rank"), found.excluded("groups", "rank")
        (0.9, 1)
    """

    scores: dict[str, dict[str, NDArray[np.float64]]]

    def _said(self) -> str:
        return f"{counted(len(next(iter(next(iter(self.scores.values())).values()))), 'sample')} with the effect"

    def to_frame(self) -> pd.DataFrame:
        """A row per axis (`OVER`) and score: ``over, score, value, samples, excluded``; value is the mean."""
        return pd.DataFrame(
            [
                {
                    "over": over,
                    "score": score,
                    "value": self.mean(over, score),
                    "samples": len(values) - self.excluded(over, score),
                    "excluded": self.excluded(over, score),
                }
                for over, scores in self.scores.items()
                for score, values in scores.items()
            ]
        )

    def mean(self, over: str, score: str) -> float:
        """The mean over the samples that have the score; NaN where none has.

        Args:
            over: the axis, one of those in `scores`.
            score: its name.
        """
        values = entry_of("score", score, entry_of("axis", over, self.scores))
        values = values[~np.isnan(values)]
        return float(values.mean()) if len(values) else float("nan")

    def excluded(self, over: str, score: str) -> int:
        """How many samples are excluded because they have no such score.

        Args:
            over: the axis, one of those in `scores`.
            score: its name.
        """
        return int(np.isnan(entry_of("score", score, entry_of("axis", over, self.scores))).sum())

    @classmethod
    def joined(cls, parts: "Sequence[Agreement]") -> "Agreement":
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
def effect_agreement(values: Any, effect: Effect, *, planted: Any = None, share: float = USED) -> Agreement:
    """How well importance agrees with the effect: with what this model used, and how much.

    Importance is averaged over each region (over its frames and nodes; summed over instances); a group's importance
    is its mean over all windows, and its effect the largest of its windows. Per sample::

        auroc              the probability that what was used (effect above share of the sample's largest) has a
                           higher importance than what was not, a tie counting one half; chance level 0.5
        average_precision  as of localisation; chance level about the share that was used
        rank               Spearman's correlation of importance and effect, over regions that are planted, or over
                           groups that have one; ties have their mean rank; chance level 0

    Rank looks inside of the planted positions alone: between them and all others, whose effect is zero, the AUROC
    tells. Importance that is the same everywhere has rank 0, as by ties broken at random.

    Args:
        values: importance ``[B, M, T, N]``, or an `Explanation`; ranked with its sign: give absolute values where the
            sign says only which way a score moves.
        effect: of the same samples.
        planted: the ground truth of the data, bool ``[B, M, T, N]``; default: whatever has an effect other than zero.
        share: of the sample's largest effect, above which something counts as used.

    Returns:
        Scores per sample: NaN where all was used, or nothing; and of rank, where fewer than two are planted or all of
        them have the same effect.

    Raises:
        InputError: if shapes do not fit, or a value is NaN or infinite.

    Example:
        >>> import torch
        >>> from stexplain.metrics import effect
        >>> model, x = torch.nn.Flatten(), torch.tensor([[[3.0], [0.0], [2.0], [0.0]]])
        >>> read = lambda output: output @ torch.tensor([2.0, 1.0, 1.0, 1.0])
        >>> found = effect(model, x, torch.zeros_like(x), windows=4, target=read, inputs="b t n")
        >>> scores = effect_agreement(x.view(1, 1, 4, 1), found).scores["regions"]
        >>> float(scores["auroc"][0]), float(scores["rank"][0])
        (1.0, 1.0)
    """
    regions = effect.regions
    given = as_numbers("values", values.values if isinstance(values, Explanation) else values)
    sizes = check_shape("the samples", regions.observed.shape, "b m t n")
    check_shape("values", given.shape, "b m t n", **sizes)
    # By the mask of the samples: padding may hold anything.
    importance, _ = valid_importance("values", given, regions.observed)
    if planted is None:
        inside = effect.values != 0
    else:
        truth = as_numbers("planted", planted).astype(np.bool_)
        check_shape("planted", truth.shape, "b m t n", **sizes)
        inside = regions.any(truth)
    present, used = regions.present, effect.used(share)
    # Regions of unequal size round their means in another way: of a map that is the same everywhere all are tied.
    means, magnitudes = regions.means(importance), regions.means(np.abs(importance))
    windows = np.maximum(present.sum(1), 1)
    by_group = equal_but_for_rounding(means.sum(1) / windows, magnitudes.sum(1) / windows)
    # A group in any of its windows.
    used_ever, present_ever, inside_ever = (np.any(each, axis=1, keepdims=False) for each in (used, present, inside))
    flat = (len(means), -1)  # [B, W, G] -> [B, W G]
    regions_of_all = (
        equal_but_for_rounding(means.reshape(flat), magnitudes.reshape(flat)),
        effect.values.reshape(flat),
    )
    masks = (used.reshape(flat), present.reshape(flat), inside.reshape(flat))
    return Agreement(
        {
            "groups": _scores(by_group, effect.groups(), used_ever, present_ever, inside_ever),
            "regions": _scores(*regions_of_all, *masks),
        }
    )


def _scores(
    importance: NDArray[np.float64],
    of_effect: NDArray[np.float64],
    used: NDArray[np.bool_],
    present: NDArray[np.bool_],
    inside: NDArray[np.bool_],
) -> dict[str, NDArray[np.float64]]:
    """The scores of what is ranked, all ``[B, L]``."""
    found = row_scores(importance, used, present)
    rank = rank_correlation(importance, of_effect, inside & present)
    return {"auroc": found["auroc"], "average_precision": found["average_precision"], "rank": rank}


def rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Spearman's rank correlation of the valid entries of each row ``[B, L]``; ties have their mean rank.

    Returns:
        ``[B]``: 0 where a is constant, as by ties broken at random; NaN where b is, or fewer than two are valid.

    Example:
        >>> row = np.array([[1.0, 2.0, 5.0]])
        >>> rank_correlation(row, row**2, row > 0).tolist(), rank_correlation(row, -row, row < 5).tolist()
        ([1.0], [-1.0])
    """
    result = np.full(len(a), np.nan)
    for row, mask in enumerate(valid):
        if mask.sum() < 2:
            continue
        x, y = rankdata(a[row, mask]), rankdata(b[row, mask])
        x, y = x - x.mean(), y - y.mean()
        if y.any():
            # Pearson's correlation of the ranks.
            result[row] = x @ y / np.sqrt((x @ x) * (y @ y)) if x.any() else 0.0
    return result
