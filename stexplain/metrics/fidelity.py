"""Fidelity: whether what an explanation points at is necessary for an answer, and whether it is enough for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stexplain.data.baselines import Baseline
from stexplain.data.samples import Batch
from stexplain.errors import InputError, unknown
from stexplain.explainers.explainer import TargetLike
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.joining import check_alike
from stexplain.explainers.targets import as_target
from stexplain.graph import STGraph
from stexplain.metrics.bootstrap import Interval, interval, quantiles, resampling_weights
from stexplain.metrics.probe import Probe, baseline_name, probing

SIDES = ("plus", "minus")
"""What is replaced: the most important items, or all but those."""


@dataclass(frozen=True)
class Fidelity:
    """How answers change without the most important items (plus), and with only those (minus).

    Attributes:
        over: what is replaced: nodes, frames or cells.
        baseline: by what it is replaced.
        share: of the items of each sample that count as the most important, ``[S]``.
        scores: for each of `SIDES` and each measure (``"probability"`` and ``"accuracy"``, or ``"change"``), a number
            per share and sample, ``[S, n]``.
        ids: the names of the samples.
        method: the name of the method; empty where values were given.
        target: what was asked about, in words.
    """

    over: str
    baseline: str
    share: NDArray[np.float64]
    scores: dict[str, dict[str, NDArray[np.float64]]]
    ids: tuple[str, ...]
    method: str = ""
    target: str = ""

    def interval(
        self, side: str, measure: str, *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
    ) -> list[Interval]:
        """The mean over samples with its bootstrap interval, for each share.

        Raises:
            InputError: for a side or a measure that is not there.
        """
        rows = self._scores(side, measure)
        return [interval(row, seed=seed, resamples=resamples, confidence=confidence) for row in rows]

    def characterization(
        self,
        measure: str = "probability",
        *,
        weight: float = 0.5,
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
            seed: of the draws.
            resamples: how many draws of samples; fid+ and fid- are of the same ones.
            confidence: in (0, 1).

        Returns:
            In [0, 1], the greater the better; 0 where fid+ is 0 or fid- is 1; NaN where fid+ is below 0, which
            only probabilities can be: the answer then became surer without what is said to make it.

        Raises:
            InputError: for changes of a forecast, which have no greatest value, or a weight out of range.
        """
        if measure == "change":
            raise InputError("a change has no greatest value, so 1 - fid- means nothing. Look at plus and minus apart.")
        if not 0 < weight < 1:
            raise InputError(f"weight is {weight}; wanted a share between 0 and 1.")
        found = []
        for plus, minus in zip(self._scores("plus", measure), self._scores("minus", measure), strict=True):
            value = _characterization(plus.mean()[None], minus.mean()[None], weight)[0]
            weighted = list(resampling_weights(len(plus), seed=seed, resamples=resamples))
            draws = [_characterization(w @ plus / len(plus), w @ minus / len(plus), weight) for w in weighted]
            low, high = quantiles(np.concatenate(draws), confidence)
            found.append(Interval(float(value), float(low), float(high)))
        return found

    def to_frame(self, *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95) -> pd.DataFrame:
        """A row per side, measure and share: ``method, over, baseline, side, measure, share, value, low, high``."""
        options: dict[str, Any] = {"seed": seed, "resamples": resamples, "confidence": confidence}
        about = {"method": self.method, "over": self.over, "baseline": self.baseline}
        return pd.DataFrame(
            [
                {**about, "side": side, "measure": measure, "share": float(share), **found._asdict()}
                for side, measures in self.scores.items()
                for measure in measures
                for share, found in zip(self.share, self.interval(side, measure, **options), strict=True)
            ]
        )

    @classmethod
    def joined(cls, parts: "Sequence[Fidelity]") -> "Fidelity":
        """Scores of several batches as one.

        Raises:
            InputError: where there are none, or they are not of one kind.
        """
        check_alike("fidelities", parts, ["over", "baseline", "method", "target"])
        if len({tuple(part.share) for part in parts}) > 1 or len({tuple(part.scores["plus"]) for part in parts}) > 1:
            raise InputError("fidelities of different shares or measures cannot be joined.")
        together = {
            side: {
                measure: np.concatenate([part.scores[side][measure] for part in parts], axis=1)
                for measure in parts[0].scores[side]
            }
            for side in SIDES
        }
        return replace(parts[0], scores=together, ids=tuple(name for part in parts for name in part.ids))

    def _scores(self, side: str, measure: str) -> NDArray[np.float64]:
        if side not in self.scores:
            raise unknown("side", side, SIDES)
        if measure not in self.scores[side]:
            raise unknown("measure", measure, self.scores[side])
        return self.scores[side][measure]


def fidelity(
    model: nn.Module,
    batch: Batch,
    explanation: "Explanation | Any",
    *,
    target: TargetLike | None = None,
    focus: Literal["model", "phenomenon"] = "model",
    share: Sequence[float] = (0.1, 0.2, 0.3, 0.5),
    over: Literal["nodes", "frames", "positions"] = "positions",
    baseline: "str | Baseline | Tensor" = "mean",
    ranking: Literal["signed", "magnitude"] = "signed",
    seed: int = 0,
    inputs: str | None = None,
    graph: STGraph | None = None,
    chunk: int | None = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
) -> Fidelity:
    """What becomes of an answer without the most important items, and with only those.

    Fidelity is due to Pope et al. (CVPR 2019); its two sides as Amara et al. (LoG 2022, GraphFramEx) define them. With
    p the softmax of the model's output, y' its answer, S the most important items and G all::

        fid+ probability = p(G)_c - p(G without S)_c           fid- probability = p(G)_c - p(S alone)_c
        fid+ accuracy    = | 1[y'(G) = c] - 1[y'(G without S) = c] |     and the same for fid- with S alone

    c is the answer for the unaltered sample where the focus is on the model, and the sample's label where it is on the
    phenomenon. High fid+ means that S is necessary, low fid- that it is sufficient. What is left out is replaced by a
    baseline. For a target, such as a `Forecast`, the change in the units of the model's output is measured instead::

        fid+ change = | score(G) - score(G without S) |        fid- change = | score(G) - score(S alone) |

    Args:
        model: see `deletion_curve`.
        batch: what was explained.
        explanation: an `Explanation` of the batch, or values ``[B, M, T, N]``.
        target: what is scored where it is no class; default: none, the model's classes are asked about.
        focus: whether the model's answer or the label is asked about; does not matter where there is a target.
        share: how many items count as the most important: of each sample's, each in (0, 1), rounded to whole items.
        over: see `deletion_curve`.
        baseline: see `deletion_curve`.
        ranking: see `deletion_curve`.
        seed: of the order of equals.
        inputs: see `deletion_curve`.
        graph: see `deletion_curve`.
        chunk: see `deletion_curve`.
        shared: see `deletion_curve`.
        per_sample: see `deletion_curve`.

    Raises:
        InputError: where an argument is out of range, or the explanation is of another batch.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
        >>> batch = Batch(torch.ones(1, 1, 1, 2, 1), torch.ones(1, 1, 1, dtype=bool), torch.tensor([0]), ("a",))
        >>> found = fidelity(model, batch, [[[[1.0, 0.0]]]], share=[0.5], baseline="zero")
        >>> [found.interval(side, "accuracy")[0].value for side in SIDES]
        [1.0, 0.0]
    """
    if focus not in ("model", "phenomenon"):
        raise unknown("focus", focus, ["model", "phenomenon"])
    shares = np.asarray(share, np.float64)
    if shares.ndim != 1 or not len(shares) or not ((shares > 0) & (shares < 1)).all():
        raise InputError(f"share is {list(share)}; wanted shares between 0 and 1, such as [0.1, 0.2].")
    options: dict[str, Any] = {"inputs": inputs, "graph": graph, "chunk": chunk}
    with probing(model, batch, **options, shared=shared, per_sample=per_sample) as probe:
        (order,), count = probe.places(explanation, over=over, ranking=ranking, seed=seed)
        base = probe.towards(baseline)

        def altered(number: int) -> Tensor:
            if number == 0:
                return probe.batch.x
            side, step = divmod(number - 1, len(shares))
            first = order < torch.round(count.double() * shares[step])
            return probe.replaced(first if side == 0 else ~first, base)

        times = 1 + 2 * len(shares)
        if target is None:
            measured = _classes(probe, altered, times, focus)
            text = "the predicted class" if focus == "model" else "the label"
        else:
            goal = as_target(target)
            fixed, _ = probe.fixed(goal)
            scores = probe.answers(altered, times, lambda output, rows: probe.scored(fixed, output, rows).scores)
            measured, text = {"change": np.abs(scores[0] - scores[1:])}, goal.text()
        ids = probe.batch.ids
    sides = {
        side: {measure: rows[number * len(shares) : (number + 1) * len(shares)] for measure, rows in measured.items()}
        for number, side in enumerate(SIDES)
    }
    method = explanation.method if isinstance(explanation, Explanation) else ""
    return Fidelity(over, baseline_name(baseline), shares, sides, ids, method, text)


def _classes(probe: Probe, altered: Any, times: int, focus: str) -> dict[str, NDArray[np.float64]]:
    """By how much the probability and the rightness of the class fall, ``[times - 1, B]`` each."""

    def read(output: Tensor, rows: slice) -> Tensor:
        if output.ndim != 2:
            raise InputError(
                f"the model's output has shape {tuple(output.shape)}; a class is read from [samples, classes]. "
                "Give `target`, such as Forecast(node, horizon)."
            )
        return output.softmax(1)

    found = probe.answers(altered, times, read)
    label = probe.batch.label.cpu().numpy()
    if focus == "phenomenon" and not ((label >= 0) & (label < found.shape[2])).all():
        raise InputError(f"labels are {label.tolist()}; wanted classes of the model, 0 to {found.shape[2] - 1}.")
    answer = found.argmax(2)
    of = answer[0] if focus == "model" else label
    probability = np.take_along_axis(found, of[None, :, None], 2)[..., 0]
    right = (answer == of).astype(np.float64)
    return {"probability": probability[0] - probability[1:], "accuracy": np.abs(right[0] - right[1:])}


def _characterization(plus: NDArray[np.float64], minus: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    enough = 1 - minus
    below = weight * enough + (1 - weight) * plus
    # The same as the harmonic mean, without dividing by a fid+ of zero.
    found = np.where(below > 0, plus * enough / np.where(below > 0, below, 1), 0.0)
    return np.where((plus < 0) | (enough < 0), np.nan, found)
