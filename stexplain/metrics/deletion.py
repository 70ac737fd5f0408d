"""Deletion and insertion curves: the score as positions are masked, or revealed, the most important first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Unpack

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from stexplain.checking import checked
from stexplain.data.baselines import Baseline
from stexplain.errors import InputError, unknown
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.model_input import Signals, Streams
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.results.joining import check_alike
from stexplain.explainers.target import TargetLike
from stexplain.explainers.targets import as_target
from stexplain.intervals.bootstrap import Interval, interval, not_negative, ratio_interval
from stexplain.metrics.masked_model import baseline_name, frozen_masked_model
from stexplain.result import Charted

KINDS = ("deletion", "insertion")
"""Deletion masks the most important first; insertion starts with all masked and reveals the most important first."""
SETS = ("explained", "random", "gain")
"""The order of the explanation, random orders, and the gain of the first over the second."""
MEASURES = ("score", "normalised", "change")
"""The score; the score scaled to 0 with all masked and 1 with nothing masked; the absolute change of the score."""


@checked
@dataclass(frozen=True, repr=False)
class DeletionCurve(Charted):
    """Scores of samples against the share of nodes, frames or positions that is masked, or for insertion, revealed.

    Attributes:
        kind: one of `KINDS`.
        over: what is masked: nodes, frames or positions.
        baseline: the name of the baseline that replaces masked values.
        share: of the nodes, frames or positions of each sample, ``[A]``, from 0 to 1; rounded to whole ones.
        score: of each sample in the order of the explanation, ``[A, n]``, in the units of the target.
        random: in orders drawn at random, ``[A, repeats, n]``.
        ids: the names of the samples, n of them.
        method: the name of the explainer; empty if values were given.
        target: the target that was scored, in words.
        of_class: whether scores are of a class; else, as of a forecast, what matters may move them either way.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = nn.init.ones_(model[1].weight)
        >>> curve = deletion_curve(model, torch.ones(1, 2), [[[[3.0, 1.0]]]], steps=2, baseline="zero", inputs="b n")
        >>> curve.share.tolist(), curve.score[:, 0].tolist()
        ([0.0, 0.5, 1.0], [2.0, 1.0, 0.0])
    """

    kind: str
    over: str
    baseline: str
    share: NDArray[np.float64]
    score: NDArray[np.float64]
    random: NDArray[np.float64]
    ids: tuple[str, ...]
    method: str = ""
    target: str = ""
    of_class: bool = True

    _CHART = "deletion"

    def _said(self) -> str:
        return f"{len(self.ids)} samples: {self.kind} of {self.over} by {self.method or 'given values'}"

    @property
    def unmasked(self) -> NDArray[np.float64]:
        """The score with nothing masked, ``[n]``."""
        row: NDArray[np.float64] = self.score[0 if self.kind == "deletion" else -1]
        return row

    @property
    def all_masked(self) -> NDArray[np.float64]:
        """The score with everything masked, ``[n]``."""
        row: NDArray[np.float64] = self.score[-1 if self.kind == "deletion" else 0]
        return row

    @property
    def drop(self) -> NDArray[np.float64]:
        """The fall of the score, ``[A, n]``, in the units of the target; negative if it rises."""
        return self.unmasked - self.score

    def areas(self, which: str = "explained", measure: str = "score") -> NDArray[np.float64]:
        """The area under each sample's curve over share, by the trapezoidal rule, ``[n]``.

        Args:
            which: one of `SETS`. ``"random"``: the mean over the random orders. ``"gain"``: the difference of the two,
                positive if the explanation is better: for deletion the lower score is, for insertion the higher one,
                and for ``"change"`` the other way round.
            measure: ``"score"``, or ``"change"``, the distance from the score of the unmasked sample.

        Raises:
            InputError: for an unknown name.
        """
        if which == "gain":
            difference = self.areas("explained", measure) - self.areas("random", measure)
            # A good order keeps a deletion curve low and an insertion curve high; for changes it is the other way
            # round.
            higher_is_better = (self.kind == "insertion") == (measure == "score")
            return difference if higher_is_better else -difference
        curve = self._curve(which, measure)
        width = np.diff(self.share)[:, None]
        # Written out, because NumPy 1 and 2 name their trapezoidal rule differently.
        total: NDArray[np.float64] = (width * (curve[1:] + curve[:-1]) / 2).sum(axis=0)
        return total

    def area(
        self,
        which: str = "explained",
        measure: str = "score",
        *,
        groups: Any = None,
        seed: int = 0,
        resamples: int = 1000,
        confidence: float = 0.95,
    ) -> Interval:
        """The mean area over samples with its bootstrap interval.

        A normalised area is (mean area - mean all_masked) / (mean unmasked - mean all_masked). It is normalised over
        all samples together: normalised one by one, a sample whose score hardly moves would outweigh all others.

        Args:
            which: see `areas`.
            measure: one of `MEASURES`.
            groups: of the samples, see `stexplain.metrics.interval`.
            seed: of the draws.
            resamples: how many draws.
            confidence: in (0, 1).

        Raises:
            InputError: for an unknown name.
        """
        options: dict[str, Any] = {"groups": groups, "seed": seed, "resamples": resamples, "confidence": confidence}
        if measure != "normalised":
            found = interval(self.areas(which, measure), **options)
            return not_negative(found) if measure == "change" and which != "gain" else found
        # A gain is a difference of two areas, in which the floor cancels out.
        floor = 0.0 if which == "gain" else self.all_masked
        return ratio_interval(self.areas(which, "score") - floor, self.unmasked - self.all_masked, **options)

    def to_frame(
        self,
        measure: str = "score",
        *,
        groups: Any = None,
        seed: int = 0,
        resamples: int = 1000,
        confidence: float = 0.95,
    ) -> pd.DataFrame:
        """The curves as a table, as `stexplain.viz.scores.deletion` draws it.

        Args:
            measure: one of `MEASURES`.
            groups: of the samples, see `stexplain.metrics.interval`.
            seed: of the draws.
            resamples: how many draws.
            confidence: in (0, 1).

        Returns:
            Columns ``method, curve, over, baseline, set, share, value, low, high, samples``; set is ``"explained"`` or
            ``"random"``.
        """
        options: dict[str, Any] = {"groups": groups, "seed": seed, "resamples": resamples, "confidence": confidence}
        about = {"method": self.method, "curve": self.kind, "over": self.over, "baseline": self.baseline}
        rows = []
        # Without random orders there is only the explanation's curve.
        for which in SETS[: 2 if self.random.shape[1] else 1]:
            curve = self._curve(which, "score" if measure == "normalised" else measure)
            for share, row in zip(self.share, curve, strict=True):
                estimate = (
                    ratio_interval(row - self.all_masked, self.unmasked - self.all_masked, **options)
                    if measure == "normalised"
                    else interval(row, **options)
                )
                estimate = not_negative(estimate) if measure == "change" else estimate
                rows.append({**about, "set": which, "share": float(share), **estimate._asdict(), "samples": len(row)})
        return pd.DataFrame(rows)

    @classmethod
    def joined(cls, parts: "Sequence[DeletionCurve]") -> "DeletionCurve":
        """Curves of several batches as one.

        Raises:
            InputError: if there are none, or they differ in kind, baseline, method or target.
        """
        check_alike("curves", parts, ["kind", "over", "baseline", "method", "target", "of_class"])
        shapes = sorted({part.random.shape[:2] for part in parts})
        if len(shapes) > 1:
            raise InputError(
                f"parts: got curves of (steps + 1, random orders) {shapes}; expected one kind. Join curves of the same "
                "`steps` and `repeats`."
            )
        return replace(
            parts[0],
            # Samples are the last axis of both, [A, n] and [A, repeats, n].
            score=np.concatenate([part.score for part in parts], axis=1),
            random=np.concatenate([part.random for part in parts], axis=2),
            ids=tuple(name for part in parts for name in part.ids),
        )

    def _curve(self, which: str, measure: str) -> NDArray[np.float64]:
        """The curve of every sample, ``[A, n]``."""
        if which not in SETS:
            raise unknown("set", which, SETS)
        if measure not in MEASURES:
            raise unknown("measure", measure, MEASURES)
        if which == "random" and not self.random.shape[1]:
            raise InputError(
                "which: got 'random' or 'gain' for a curve without random orders; expected 'explained'. Give "
                "`repeats`, such as 5, to deletion_curve."
            )
        # [A, orders, n]: an order of the explanation, or `repeats` random ones, which are averaged.
        curves = self.score[:, None] if which == "explained" else self.random
        means: NDArray[np.float64] = (np.abs(curves - self.unmasked) if measure == "change" else curves).mean(axis=1)
        return means


@checked
def deletion_curve(
    model: nn.Module,
    x: Signals | Streams,
    explanation: "Explanation | Any",
    *,
    target: TargetLike | None = None,
    kind: Literal["deletion", "insertion"] = "deletion",
    over: Literal["nodes", "frames", "positions"] = "positions",
    steps: int = 10,
    baseline: "str | Baseline | Tensor | ArrayLike" = "mean",
    ranking: Literal["signed", "magnitude"] | None = None,
    repeats: int = 5,
    probability: bool = False,
    seed: int = 0,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    **options: Unpack[CallOptions],
) -> DeletionCurve:
    """Masks nodes, frames or positions step by step, the most important first, and scores the masked sample.

    Deletion (Samek et al., IEEE TNNLS 2017; Petsiuk et al., BMVC 2018): at share s of a sample's L nodes, frames or
    positions, the round(s L) most important ones are replaced by the baseline. Under a faithful explanation the score
    falls early and the area is small. Insertion (Petsiuk et al.): all but those are replaced; the score rises early and
    the area is large. The same shares are masked in `repeats` random orders. An area means little by itself, because
    masked samples are unlike any that the model was trained on; its difference from the random area is informative.

    A node is masked in all frames and instances, a frame in all nodes and instances; its importance is the mean over
    its valid positions. Ties are broken at random.

    `DeletionCurve.joined` joins batches; how samples are batched or padded does not change the result.

    Args:
        model: any module; see `stexplain.metrics.masked_model.frozen_masked_model`.
        x: the samples that were explained, as an explainer takes them.
        explanation: an `Explanation` of the samples, or values ``[B, M, T, N]``. An explanation remembers how the model
            was called: layout, graph and further arguments need not be given again.
        target: the target that is scored; default: `Predicted()`, the class predicted for the unmasked sample, at every
            step. A `Forecast` is scored in the units of the model's output.
        kind: deletion or insertion.
        over: what is ranked and masked.
        steps: the number of equal steps of the share from 0 to 1.
        baseline: the name of one in `stexplain.data.baselines`, a function of their kind, or values that broadcast
            to ``[M, T, N, C]`` or have the batch's shape. The mean of each node keeps a sample close to the training
            data; zero seldom does, and a curve then measures that rather than the explanation.
        ranking: ``"signed"``: evidence for the target is the most important, evidence against it the least;
            ``"magnitude"``: the absolute value counts, as for gradients, or forecasts that may move up or down. None:
            by magnitude where the scores are of no class.
        repeats: how many random orders.
        probability: score the softmax of the model's output, for classes.
        seed: of the random orders, which depend on it and the names of the samples (their place in x, where they have
            none).
        valid: see `frozen_masked_model`.
        observed: see `frozen_masked_model`.
        shared: see `frozen_masked_model`.
        per_sample: see `frozen_masked_model`.
        **options: how the model is called; see `frozen_masked_model`.

    Raises:
        InputError: if an argument is out of range, or the explanation is of another batch or another class.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 4.0, 3.0, 2.0]]))
        >>> x = torch.ones(1, 1, 2, 2, 1)
        >>> curve = deletion_curve(model, x, [[[[1.0, 4.0], [3.0, 2.0]]]], steps=4, baseline="zero")
        >>> curve.score[:, 0].tolist()
        [10.0, 6.0, 3.0, 1.0, 0.0]
        >>> curve.area().value
        3.75
    """
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    if steps < 1 or repeats < 0:
        raise InputError(f"steps, repeats: got {steps} and {repeats}; expected at least 1 and 0.")
    target = as_target(target)
    share = np.linspace(0, 1, steps + 1)
    given: Any = {"valid": valid, "observed": observed, "shared": shared, "per_sample": per_sample}
    with frozen_masked_model(model, x, explanation=explanation, **given, **options) as masked:
        # Fixed before anything is masked: a prediction that flips must lower the score, not change what is scored.
        fixed, classes = masked.fix_target(target)
        of_class = bool((classes >= 0).any())
        ranking = ranking or ("signed" if of_class else "magnitude")
        ranks, count = masked.ranks(explanation, over=over, ranking=ranking, seed=seed, repeats=repeats)
        if isinstance(explanation, Explanation):
            _check_classes(explanation, classes)
        base = masked.baseline_values(baseline)
        # Nothing masked and all masked are the same in every order: the model is evaluated on them once.
        runs = [(0, 0), (0, steps)] + [(order, step) for order in range(len(ranks)) for step in range(1, steps)]

        def perturbed(index: int) -> Tensor:
            order, step = runs[index]
            # Entries that are not valid have the rank L, so no share reaches them.
            most_important = ranks[order] < torch.round(count.double() * (step / steps))
            return masked.masked(most_important if kind == "deletion" else ~most_important, base)

        def read(output: Any, rows: slice) -> Tensor:
            return masked.scores(fixed, output, rows, probability=probability).scores

        scores = masked.evaluate(perturbed, len(runs), read)
        ids = masked.batch.ids
    curves = np.empty((steps + 1, len(ranks), len(ids)))
    # [2, B] -> [2, 1, B], the same for every order.
    curves[[0, steps]] = scores[:2, None]
    # The other runs go order by order, step by step: [orders * (steps - 1), B] -> [steps - 1, orders, B].
    curves[1:-1] = scores[2:].reshape(len(ranks), steps - 1, len(ids)).swapaxes(0, 1)
    method = explanation.method if isinstance(explanation, Explanation) else ""
    # Named by the target as given: the fixed one lists a class for every sample.
    text = f"the probability of {target.text()}" if probability else target.text()
    found = curves[:, 0], curves[:, 1:]
    return DeletionCurve(kind, over, baseline_name(baseline), share, *found, ids, method, text, of_class)


def _check_classes(explanation: Explanation, classes: NDArray[np.int64]) -> None:
    # -1 marks a target that is no class; there is nothing to compare then.
    differs = (explanation.targets >= 0) & (classes >= 0) & (explanation.targets != classes)
    if differs.any():
        row = int(differs.argmax())
        raise InputError(
            f"target: got class {classes[row]} for sample {row}, which was explained for class "
            f"{explanation.targets[row]}; expected the same class. Give the target that was explained."
        )
