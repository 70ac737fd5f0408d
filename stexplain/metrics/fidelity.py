"""Fidelity: whether the most important nodes, frames or positions are necessary, and sufficient, for a prediction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Unpack

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from stexplain.checking import checked
from stexplain.checking.labels import refuse_booleans
from stexplain.data.baselines import Baseline
from stexplain.errors import InputError, unknown
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.model_input import Signals, Streams
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.results.joining import check_alike
from stexplain.explainers.target import TargetLike
from stexplain.explainers.targets import as_target
from stexplain.intervals.bootstrap import Interval, interval
from stexplain.metrics.masked_model import MaskedModel, baseline_name, frozen_masked_model
from stexplain.result import Result

SIDES = ("plus", "minus")
"""What is masked: the most important nodes, frames or positions (plus), or all but those (minus)."""


@checked
@dataclass(frozen=True, repr=False)
class Fidelity(Result):
    """How predictions change without the most important nodes, frames or positions (plus), and with only those (minus).

    Attributes:
        over: what is masked: nodes, frames or positions.
        baseline: the name of the baseline that replaces masked values.
        share: the share of each sample that counts as the most important, ``[S]``.
        scores: for each of `SIDES` and each measure (``"probability"`` and ``"accuracy"``, or ``"change"``), a number
            per share and sample, ``[S, n]``.
        ids: the names of the samples.
        method: the name of the explainer; empty if values were given.
        target: the target whose score is compared, in words.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
        >>> result = fidelity(model, torch.ones(1, 2), [[[[1.0, 0.0]]]], share=[0.5], baseline="zero", inputs="b n")
        >>> result.interval("plus", "accuracy")[0].value  # without node 0 another class is predicted
        1.0
    """

    over: str
    baseline: str
    share: NDArray[np.float64]
    scores: dict[str, dict[str, NDArray[np.float64]]]
    ids: tuple[str, ...]
    method: str = ""
    target: str = ""

    def interval(
        self,
        side: str,
        measure: str,
        *,
        groups: Any = None,
        seed: int = 0,
        resamples: int = 1000,
        confidence: float = 0.95,
    ) -> list[Interval]:
        """The mean of a `side` and `measure` over samples, for each share; see `stexplain.metrics.interval`.

        Raises:
            InputError: for an unknown side or measure.
        """
        rows = self._scores(side, measure)
        return [interval(row, groups=groups, seed=seed, resamples=resamples, confidence=confidence) for row in rows]

    def _said(self) -> str:
        return f"{len(self.ids)} samples by {self.method or 'given values'}: {self.over}, baseline {self.baseline}"

    def characterization(
        self,
        measure: str = "probability",
        *,
        weight: float = 0.5,
        groups: Any = None,
        seed: int = 0,
        resamples: int = 1000,
        confidence: float = 0.95,
    ) -> list[Interval]:
        """Both sides in one number, for each share: the weighted harmonic mean of fid+ and 1 - fid-.

        Amara et al. (LoG 2022), with w+ = weight and w- = 1 - weight::

            charact = (w+ + w-) / (w+ / fid+  +  w- / (1 - fid-))

        Args:
            measure: ``"probability"`` or ``"accuracy"``.
            weight: of fid+, in (0, 1).
            groups: of the samples, see `stexplain.metrics.interval`.
            seed: of the draws.
            resamples: how many draws.
            confidence: in (0, 1).

        Returns:
            In [0, 1], higher is better; 0 if fid+ is 0 or fid- is 1; NaN if fid+ is below 0, which only a probability
            can be: the prediction then became more certain without its most important part.

        Raises:
            InputError: for changes of a forecast, which are not bounded by 1, or a weight out of range.
        """
        if measure == "change":
            raise InputError(
                "measure: got 'change'; expected 'probability' or 'accuracy', because a change is not bounded by 1 and "
                "1 - fid- means nothing for it. Read plus and minus separately."
            )
        if not 0 < weight < 1:
            raise InputError(f"weight: got {weight}; expected a share between 0 and 1.")
        intervals = []
        for plus, minus in zip(self._scores("plus", measure), self._scores("minus", measure), strict=True):
            # [None]: the formula takes arrays, here of one.
            value = float(_characterization(plus.mean()[None], minus.mean()[None], weight)[0])
            if np.isnan(value):
                intervals.append(Interval(value, np.nan, np.nan, "fid+ is below 0"))
                continue
            # By how much each sample moves the value, to first order (the delta method): the mean of both is the value.
            each = value + _influence(plus, minus, weight)
            found = interval(each, groups=groups, seed=seed, resamples=resamples, confidence=confidence)
            # Both sides are shares, and so is their mean.
            intervals.append(Interval(value, max(found.low, 0.0), min(found.high, 1.0), found.reason))
        return intervals

    def to_frame(
        self, *, groups: Any = None, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
    ) -> pd.DataFrame:
        """A row per side, measure and share: ``method, over, baseline, side, measure, share, value, low, high``.

        The interval is that of `stexplain.metrics.interval`.
        """
        options: dict[str, Any] = {"groups": groups, "seed": seed, "resamples": resamples, "confidence": confidence}
        about = {"method": self.method, "over": self.over, "baseline": self.baseline}
        return pd.DataFrame(
            [
                {**about, "side": side, "measure": measure, "share": float(share), **estimate._asdict()}
                for side, measures in self.scores.items()
                for measure in measures
                for share, estimate in zip(self.share, self.interval(side, measure, **options), strict=True)
            ]
        )

    @classmethod
    def joined(cls, parts: "Sequence[Fidelity]") -> "Fidelity":
        """Scores of several batches as one.

        Raises:
            InputError: if there are none, or they differ in baseline, method, target, shares or measures.
        """
        check_alike("fidelities", parts, ["over", "baseline", "method", "target"])
        shares = sorted({tuple(part.share.tolist()) for part in parts})
        measures = sorted({tuple(part.scores["plus"]) for part in parts})
        if len(shares) > 1 or len(measures) > 1:
            raise InputError(
                f"parts: got fidelities of different shares or measures: {shares}, {measures}; expected the same. Give "
                "all of them the same `share` and kind of target."
            )
        joined = {  # [S, n] of every batch, along the samples
            side: {
                measure: np.concatenate([part.scores[side][measure] for part in parts], axis=1)
                for measure in parts[0].scores[side]
            }
            for side in SIDES
        }
        return replace(parts[0], scores=joined, ids=tuple(name for part in parts for name in part.ids))

    def _scores(self, side: str, measure: str) -> NDArray[np.float64]:
        if side not in self.scores:
            raise unknown("side", side, SIDES)
        if measure not in self.scores[side]:
            raise unknown("measure", measure, self.scores[side])
        return self.scores[side][measure]


@checked
def fidelity(
    model: nn.Module,
    x: Signals | Streams,
    explanation: "Explanation | Any",
    *,
    target: TargetLike | None = None,
    focus: Literal["model", "phenomenon"] = "model",
    share: Sequence[float] = (0.1, 0.2, 0.3, 0.5),
    over: Literal["nodes", "frames", "positions"] = "positions",
    baseline: "str | Baseline | Tensor | ArrayLike" = "mean",
    ranking: Literal["signed", "magnitude"] | None = None,
    seed: int = 0,
    labels: ArrayLike | None = None,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    **options: Unpack[CallOptions],
) -> Fidelity:
    """How a prediction changes without the most important nodes, frames or positions, and with only those.

    Fidelity is due to Pope et al. (CVPR 2019); its two sides as Amara et al. (LoG 2022, GraphFramEx) define them. With
    p the softmax of the model's output, y' its predicted class, S the most important part and G the whole sample::

        fid+ probability = p(G)_c - p(G without S)_c           fid- probability = p(G)_c - p(S alone)_c
        fid+ accuracy    = | 1[y'(G) = c] - 1[y'(G without S) = c] |     and the same for fid- with S alone

    c is the class predicted for the unmasked sample if the focus is on the model, the sample's label if it is on the
    phenomenon. High fid+ means that S is necessary, low fid- that it is sufficient. Masked values are replaced by a
    baseline. For a target, such as a `Forecast`, the change is measured in the units of the model's output instead::

        fid+ change = | score(G) - score(G without S) |        fid- change = | score(G) - score(S alone) |

    Args:
        model: see `deletion_curve`.
        x: see `deletion_curve`.
        explanation: see `deletion_curve`.
        target: what is scored if it is not a class; default: none, the model's classes are compared.
        focus: the class: that predicted by the model, or the label (phenomenon); not used with a target.
        share: shares of each sample that count as the most important, each in (0, 1), rounded to whole nodes, frames or
            positions.
        over: see `deletion_curve`.
        baseline: see `deletion_curve`.
        ranking: see `deletion_curve`.
        seed: breaks ties.
        labels: the class of each sample, ``[B]``, for the phenomenon; default: those of a `Sample` or `Batch`.
        valid: see `deletion_curve`.
        observed: see `deletion_curve`.
        shared: see `deletion_curve`.
        per_sample: see `deletion_curve`.
        **options: see `deletion_curve`.

    Raises:
        InputError: if an argument is out of range, or the explanation is of another batch.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
        >>> result = fidelity(model, torch.ones(1, 1, 1, 2, 1), [[[[1.0, 0.0]]]], share=[0.5], baseline="zero")
        >>> [result.interval(side, "accuracy")[0].value for side in SIDES]
        [1.0, 0.0]
    """
    if focus not in ("model", "phenomenon"):
        raise unknown("focus", focus, ["model", "phenomenon"])
    shares = np.asarray(share, np.float64)
    if shares.ndim != 1 or not len(shares) or not ((shares > 0) & (shares < 1)).all():
        raise InputError(f"share: got {list(share)}; expected shares between 0 and 1, such as [0.1, 0.2].")
    given: Any = {"valid": valid, "observed": observed, "shared": shared, "per_sample": per_sample}
    with frozen_masked_model(model, x, explanation=explanation, **given, **options) as masked:
        label = masked.labels(labels) if focus == "phenomenon" and target is None else None
        requested = None if target is None else as_target(target)
        # Fixed on the unmasked samples, like the class that is predicted.
        fixed = None if requested is None else masked.fix_target(requested)
        if ranking is None:
            # What lowers a score that is of no class matters as what raises it.
            ranking = "signed" if fixed is None or bool((fixed[1] >= 0).any()) else "magnitude"
        # One ranking alone: fidelity is not compared with random orders.
        (rank,), count = masked.ranks(explanation, over=over, ranking=ranking, seed=seed, repeats=0)
        base = masked.baseline_values(baseline)

        # Copy 0 is the unmasked sample; then come all shares of plus, and all shares of minus.
        def perturbed(index: int) -> Tensor:
            if index == 0:
                return masked.batch.x
            side, step = divmod(index - 1, len(shares))
            most_important = rank < torch.round(count.double() * shares[step])
            return masked.masked(most_important if side == 0 else ~most_important, base)

        copies = 1 + 2 * len(shares)
        if requested is None or fixed is None:
            changes = _class_changes(masked, perturbed, copies, label, labels)
            text = "the predicted class" if focus == "model" else "the label"
        else:
            of_samples, _ = fixed
            scores = masked.evaluate(
                perturbed, copies, lambda output, rows: masked.scores(of_samples, output, rows).scores
            )
            # Absolute, because a forecast may move either way.
            changes, text = {"change": np.abs(scores[0] - scores[1:])}, requested.text()
        ids = masked.batch.ids
    # The 2 S differences to the unmasked copy, split into the S of each side.
    sides = {
        side: {measure: np.split(rows, len(SIDES))[index] for measure, rows in changes.items()}
        for index, side in enumerate(SIDES)
    }
    method = explanation.method if isinstance(explanation, Explanation) else ""
    return Fidelity(over, baseline_name(baseline), shares, sides, ids, method, text)


def _class_changes(
    masked: MaskedModel,
    perturbed: Callable[[int], Tensor],
    copies: int,
    label: NDArray[np.int64] | None,
    given: ArrayLike | None,
) -> dict[str, NDArray[np.float64]]:
    """How far the class's probability falls, and whether the prediction changes, ``[copies - 1, B]`` each.

    The class is the label, where there is one, else the one predicted.
    """

    def read(output: Any, rows: slice) -> Tensor:
        return masked.probabilities(output, rows, "Give `target`, such as Forecast(node, horizon).")

    probabilities = masked.evaluate(perturbed, copies, read)
    classes_of_model = probabilities.shape[2]
    if label is not None and given is not None:
        refuse_booleans("labels", given, classes_of_model)
    if label is not None and not ((label >= 0) & (label < classes_of_model)).all():
        raise InputError(
            f"labels: got {label.tolist()}; expected classes of the model, 0 to {classes_of_model - 1}. Give `labels`, "
            "or a Batch that has them."
        )
    # Copy 0 is the unmasked sample, whose prediction all others are compared with.
    predicted = probabilities.argmax(2)
    classes = predicted[0] if label is None else label
    # [copies, B, classes] -> [copies, B]: the probability of each sample's own class.
    probability = np.take_along_axis(probabilities, classes[None, :, None], 2)[..., 0]
    correct = (predicted == classes).astype(np.float64)
    # The fall of a probability keeps its sign, whether a prediction changed has none: GraphFramEx defines them so.
    return {"probability": probability[0] - probability[1:], "accuracy": np.abs(correct[0] - correct[1:])}


def _characterization(plus: NDArray[np.float64], minus: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    sufficient = 1 - minus
    denominator = weight * sufficient + (1 - weight) * plus
    # The harmonic mean with both fractions cleared, so that nothing is divided by a fid+ of zero.
    value = np.where(denominator > 0, plus * sufficient / np.where(denominator > 0, denominator, 1), 0.0)
    return np.where((plus < 0) | (sufficient < 0), np.nan, value)


def _influence(plus: NDArray[np.float64], minus: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """By how much each sample moves the characterization, to first order, ``[n]``; the mean is 0.

    With ``p = fid+``, ``q = 1 - fid-`` and ``d = w+ q + w- p``, the characterization is ``p q / d``, and its
    derivatives are ``w+ q^2 / d^2`` for p and ``w- p^2 / d^2`` for q.
    """
    p, q = float(plus.mean()), float(1 - minus.mean())
    below = weight * q + (1 - weight) * p
    # Neither necessary nor sufficient: 0, whatever moves.
    if below == 0:
        return np.zeros(len(plus))
    of_p, of_q = weight * q**2 / below**2, (1 - weight) * p**2 / below**2
    moved: NDArray[np.float64] = of_p * (plus - p) - of_q * (minus - minus.mean())
    return moved
