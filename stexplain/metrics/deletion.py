"""Deletion and insertion: what a model says as readings go, the most important first, or come back."""

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
from stexplain.explainers.targets import Predicted, as_target
from stexplain.graph import STGraph
from stexplain.metrics.bootstrap import Interval, interval, ratio_interval
from stexplain.metrics.probe import baseline_name, probing

KINDS = ("deletion", "insertion")
"""Readings are replaced, the most important first; or all are replaced and come back, the most important first."""
SETS = ("explained", "random", "gain")
"""The order of the explanation, orders drawn at random, and how much better the first is than the second."""
MEASURES = ("score", "normalised", "change")
"""The score; the score between all replaced (0) and nothing replaced (1); how far the score has moved."""


@dataclass(frozen=True)
class DeletionCurve:
    """Scores of samples against the share of their items that is replaced, or for insertion, that is left.

    Attributes:
        kind: one of `KINDS`.
        over: what is replaced: nodes, frames or cells.
        baseline: by what it is replaced.
        share: of the items of each sample, ``[A]``, from 0 to 1; rounded to whole items.
        score: of each sample in the order of the explanation, ``[A, n]``, in the units of the target.
        control: in orders drawn at random, ``[A, repeats, n]``.
        ids: the names of the samples, n of them.
        method: the name of the method that made the explanation; empty where values were given.
        target: what was scored, in words.
    """

    kind: str
    over: str
    baseline: str
    share: NDArray[np.float64]
    score: NDArray[np.float64]
    control: NDArray[np.float64]
    ids: tuple[str, ...]
    method: str = ""
    target: str = ""

    @property
    def full(self) -> NDArray[np.float64]:
        """The score with nothing replaced, ``[n]``."""
        row: NDArray[np.float64] = self.score[0 if self.kind == "deletion" else -1]
        return row

    @property
    def blank(self) -> NDArray[np.float64]:
        """The score with all replaced, ``[n]``."""
        row: NDArray[np.float64] = self.score[-1 if self.kind == "deletion" else 0]
        return row

    @property
    def drop(self) -> NDArray[np.float64]:
        """How far the score has fallen, ``[A, n]``, in the units of the target; negative where it has risen."""
        return self.full - self.score

    def areas(self, which: str = "explained", of: str = "score") -> NDArray[np.float64]:
        """The area under each sample's curve over share, by the trapezoidal rule, ``[n]``.

        Args:
            which: one of `SETS`. ``"random"``: the mean over the random orders. ``"gain"``: the difference of the two,
                positive where the explanation is better, which for deletion is the lower score and for insertion the
                higher one; for ``"change"`` the other way round.
            of: ``"score"``, or ``"change"``, the distance of the score from that of the unaltered sample.

        Raises:
            InputError: for another name.
        """
        if which == "gain":
            difference = self.areas("explained", of) - self.areas("random", of)
            return difference if (self.kind == "insertion") == (of == "score") else -difference
        curve = self._curve(which, of)
        width = np.diff(self.share)[:, None]
        total: NDArray[np.float64] = (width * (curve[1:] + curve[:-1]) / 2).sum(axis=0)
        return total

    def area(
        self,
        which: str = "explained",
        of: str = "score",
        *,
        seed: int = 0,
        resamples: int = 1000,
        confidence: float = 0.95,
    ) -> Interval:
        """The mean area over samples with its bootstrap interval.

        A normalised area is (mean area - mean blank) / (mean full - mean blank): normalised over all samples and not
        each by itself, as a sample whose score hardly moves would outweigh all others.

        Args:
            which: see `areas`.
            of: one of `MEASURES`.
            seed: of the draws.
            resamples: how many draws.
            confidence: in (0, 1).

        Raises:
            InputError: for another name.
        """
        options: dict[str, Any] = {"seed": seed, "resamples": resamples, "confidence": confidence}
        if of != "normalised":
            return interval(self.areas(which, of), **options)
        floor = 0.0 if which == "gain" else self.blank
        return ratio_interval(self.areas(which, "score") - floor, self.full - self.blank, **options)

    def to_frame(
        self, of: str = "score", *, seed: int = 0, resamples: int = 1000, confidence: float = 0.95
    ) -> pd.DataFrame:
        """The curves as a table, as `stexplain.viz.scores.deletion` draws it.

        Args:
            of: one of `MEASURES`.
            seed: of the draws.
            resamples: how many draws.
            confidence: in (0, 1).

        Returns:
            Columns ``method, curve, over, baseline, set, share, value, low, high, samples``; set is ``"explained"`` or
            ``"random"``.
        """
        options: dict[str, Any] = {"seed": seed, "resamples": resamples, "confidence": confidence}
        rows = []
        for which in SETS[: 2 if self.control.shape[1] else 1]:
            curve = self._curve(which, "score" if of == "normalised" else of)
            for share, row in zip(self.share, curve, strict=True):
                found = (
                    ratio_interval(row - self.blank, self.full - self.blank, **options)
                    if of == "normalised"
                    else interval(row, **options)
                )
                rows.append(
                    {
                        "method": self.method,
                        "curve": self.kind,
                        "over": self.over,
                        "baseline": self.baseline,
                        "set": which,
                        "share": float(share),
                        **found._asdict(),
                        "samples": len(row),
                    }
                )
        return pd.DataFrame(rows)

    @classmethod
    def joined(cls, parts: "Sequence[DeletionCurve]") -> "DeletionCurve":
        """Curves of several batches as one.

        Raises:
            InputError: where there are none, or they are not of one kind.
        """
        check_alike("curves", parts, ["kind", "over", "baseline", "method", "target"])
        shapes = sorted({part.control.shape[:2] for part in parts})
        if len(shapes) > 1:
            raise InputError(f"curves of different steps and random orders cannot be joined: {shapes}.")
        return replace(
            parts[0],
            score=np.concatenate([part.score for part in parts], axis=1),
            control=np.concatenate([part.control for part in parts], axis=2),
            ids=tuple(name for part in parts for name in part.ids),
        )

    def _curve(self, which: str, of: str) -> NDArray[np.float64]:
        """The curve of every sample, ``[A, n]``."""
        if which not in SETS:
            raise unknown("set", which, SETS)
        if of not in MEASURES:
            raise unknown("measure", of, MEASURES)
        if which == "random" and not self.control.shape[1]:
            raise InputError("there is no random order to compare with. Give `repeats`.")
        curves = self.score[:, None] if which == "explained" else self.control
        means: NDArray[np.float64] = (np.abs(curves - self.full) if of == "change" else curves).mean(axis=1)
        return means


def deletion_curve(
    model: nn.Module,
    batch: Batch,
    explanation: "Explanation | Any",
    *,
    target: TargetLike | None = None,
    kind: Literal["deletion", "insertion"] = "deletion",
    over: Literal["nodes", "frames", "positions"] = "positions",
    steps: int = 10,
    baseline: "str | Baseline | Tensor" = "mean",
    ranking: Literal["signed", "magnitude"] = "signed",
    repeats: int = 5,
    probability: bool = False,
    seed: int = 0,
    inputs: str | None = None,
    graph: STGraph | None = None,
    chunk: int | None = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
) -> DeletionCurve:
    """Replaces readings step by step, the most important first, and scores what is left.

    Deletion (Samek et al., IEEE TNNLS 2017; Petsiuk et al., BMVC 2018): at share s of the L items of a sample, the
    round(s L) most important ones are replaced by the baseline; a faithful explanation lets the score fall early, so
    that the area is small. Insertion (Petsiuk et al.): all but those are replaced; the score rises early and the area
    is large. Beside it, the same numbers of items in `repeats` orders drawn at random: an area says little by itself,
    as replaced readings are unlike any that the model was trained on; how far it differs from the random one does.

    An item is a node in all frames and instances, a frame of all nodes and instances, or a cell of both; its importance
    is the mean over its readings. Equals are put in an order drawn at random.

    Batches are put together by `DeletionCurve.joined`, and how samples are cut into batches or padded changes nothing.

    Args:
        model: any module; see `stexplain.metrics.probe.probing`.
        batch: what was explained.
        explanation: an `Explanation` of the batch, or values ``[B, M, T, N]``.
        target: what is scored; default: `Predicted()`, that is the class predicted for the unaltered sample, at every
            step. A `Forecast` is scored in the units of the model's output.
        kind: deletion or insertion.
        over: what is replaced.
        steps: into how many equal shares the way from 0 to 1 is cut.
        baseline: the name of one in `stexplain.data.baselines`, a function of their kind, or values that broadcast
            to ``[M, T, N, C]`` or are of the batch's shape. The mean of each node keeps a sample near those that the
            model knows; zero seldom does, and then curves say more about that.
        ranking: ``"signed"``: what speaks for the target is important, what speaks against it least; ``"magnitude"``:
            what matters either way, as for gradients, or where a forecast may move up or down.
        repeats: how many random orders.
        probability: whether the softmax of the model's output is scored; for classes.
        seed: of the random orders, which follow from it and the names of the samples.
        inputs: the layout of the model's input; default: `model.inputs`, else ``"b m t n c"``.
        graph: for the baseline `neighbours` and the names of nodes; default: `model.graph`.
        chunk: how many altered samples go through the model at a time; default: 64, fewer where they are of more than
            half a million cells together, and never fewer than the batch.
        shared: further arguments of the model's forward by name, the same for all samples, such as
            ``{"edge_index": edges}``.
        per_sample: further arguments of the model's forward by name, each with B entries along its first axis.

    Raises:
        InputError: where an argument is out of range, or the explanation is of another batch or another class.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[1.0, 4.0, 3.0, 2.0]]))
        >>> ones = torch.ones(1, 1, 2, 2, 1)
        >>> batch = Batch(ones, torch.ones(1, 1, 2, dtype=bool), torch.tensor([0]), ("a",))
        >>> curve = deletion_curve(model, batch, [[[[1.0, 4.0], [3.0, 2.0]]]], steps=4, baseline="zero")
        >>> curve.score[:, 0].tolist()
        [10.0, 6.0, 3.0, 1.0, 0.0]
        >>> curve.area().value
        3.75
    """
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    if steps < 1 or repeats < 0:
        raise InputError(f"steps is {steps} and repeats is {repeats}; wanted at least 1 and 0.")
    goal = as_target(Predicted() if target is None else target)
    share = np.linspace(0, 1, steps + 1)
    options: dict[str, Any] = {"inputs": inputs, "graph": graph, "chunk": chunk}
    with probing(model, batch, **options, shared=shared, per_sample=per_sample) as probe:
        orders, count = probe.places(explanation, over=over, ranking=ranking, seed=seed, repeats=repeats)
        fixed, classes = probe.fixed(goal)
        if isinstance(explanation, Explanation):
            _check_classes(explanation, classes)
        base = probe.towards(baseline)
        # Ends are the same in every order.
        asked = [(0, 0), (0, steps)] + [(order, step) for order in range(len(orders)) for step in range(1, steps)]

        def altered(number: int) -> Tensor:
            order, step = asked[number]
            first = orders[order] < torch.round(count.double() * (step / steps))
            return probe.replaced(first if kind == "deletion" else ~first, base)

        def read(output: Tensor, rows: slice) -> Tensor:
            return probe.scored(fixed, output, rows, probability=probability).scores

        found = probe.answers(altered, len(asked), read)
        ids = probe.batch.ids
    every = np.empty((steps + 1, len(orders), len(ids)))
    every[[0, steps]] = found[:2, None]
    every[1:-1] = found[2:].reshape(len(orders), steps - 1, -1).swapaxes(0, 1)
    method = explanation.method if isinstance(explanation, Explanation) else ""
    text = f"the probability of {goal.text()}" if probability else goal.text()
    return DeletionCurve(kind, over, baseline_name(baseline), share, every[:, 0], every[:, 1:], ids, method, text)


def _check_classes(explanation: Explanation, classes: NDArray[np.int64]) -> None:
    other = (explanation.targets >= 0) & (classes >= 0) & (explanation.targets != classes)
    if other.any():
        row = int(other.argmax())
        raise InputError(
            f"sample {row} was explained for class {explanation.targets[row]} and would be scored for class "
            f"{classes[row]}. Give the target that was explained."
        )
