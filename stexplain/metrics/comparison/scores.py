"""One number per sample: what `compare` compares methods by."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from stexplain.axes import check_shape
from stexplain.data.samples import Batch
from stexplain.errors import InputError, unknown
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.explanation import Explanation
from stexplain.metrics.complexity import SCORES as COMPLEXITY
from stexplain.metrics.complexity import complexity
from stexplain.metrics.deletion import deletion_curve
from stexplain.metrics.fidelity import SIDES, fidelity
from stexplain.metrics.localisation import OVER, SCORES
from stexplain.metrics.localisation import localisation as localised
from stexplain.metrics.robustness import sensitivity_max


class Explains(Protocol):
    """Whatever explains a batch: an `Explainer`, or a function of the same call."""

    def __call__(self, x: Batch, *, target: Any) -> Explanation:
        """The explanation of a batch."""


@dataclass(frozen=True)
class SampleMetric:
    """A metric that gives one number per sample.

    Attributes:
        name: in tables.
        measure: called as ``measure(explainer, explanation, batch)``; gives ``[B]``, NaN for a sample that has no
            such number and is left out.
        higher_is_better: which way is better.

    Example:
        >>> size = SampleMetric("size", lambda explainer, e, batch: e.importance.sum((1, 2, 3)), higher_is_better=False)
        >>> size.name
        'size'
    """

    name: str
    measure: Callable[[Any, Explanation, Batch], ArrayLike]
    higher_is_better: bool = True

    def __call__(self, explainer: Explains, explanation: Explanation, batch: Batch) -> NDArray[np.float64]:
        """The numbers, ``[B]``.

        Raises:
            InputError: where `measure` gives anything else.
        """
        found = np.asarray(self.measure(explainer, explanation, batch), np.float64)
        check_shape(f"what the metric {self.name!r} gives", found.shape, "b", b=len(explanation))
        return found


def preprocessed_by(explainer: Any, batch: Batch) -> Batch:
    """The batch as an explainer's model was trained to see it; the batch itself where the explainer does not say."""
    found: Batch = explainer.preprocess(batch) if hasattr(explainer, "preprocess") else batch
    return found


class AbsoluteAttribution:
    """An explainer whose importance is the size of what it gives, whatever its sign.

    A gradient says by its size how much a cell matters, where a class activation map says it by what is positive. The
    comparison looks at `Explanation.importance`, the positive part; this makes the other reading a method of its own.

    Args:
        explainer: whose values are taken.

    Example:
        >>> import torch
        >>> from stexplain.explainers.methods.baselines import Motion
        >>> AbsoluteAttribution(Motion())(torch.zeros(1, 1, 3, 2, 3), target=None).values.shape
        (1, 1, 3, 2)
    """

    def __init__(self, explainer: Any):
        self.explainer = explainer

    def preprocess(self, batch: Batch) -> Batch:
        """See `preprocessed_by`."""
        return preprocessed_by(self.explainer, batch)

    def __call__(self, x: Any, *, target: Any, **options: Any) -> Explanation:
        """The explanation, without signs."""
        e: Explanation = self.explainer(x, target=target, **options)
        cells = None if e.layer_values is None else np.abs(e.layer_values)
        return replace(e, values=np.abs(e.values), layer_values=cells, method=f"{e.method}, absolute")


def localisation_score(over: str = "positions", score: str = "auroc") -> SampleMetric:
    """A score against planted truth, of `stexplain.metrics.localisation`; the batch must carry it.

    Args:
        over: ``"nodes"``, ``"frames"`` or ``"positions"``.
        score: such as ``"auroc"``, ``"average_precision"``, ``"pointing"``.

    Raises:
        InputError: for an unknown name; when called on a batch without truth.

    Example:
        >>> localisation_score("nodes").name
        'auroc, nodes'
    """
    if over not in OVER:
        raise unknown("axis", over, OVER)
    if score not in SCORES:
        raise unknown("score", score, SCORES)

    def measure(_: Explains, e: Explanation, batch: Batch) -> NDArray[np.float64]:
        if batch.truth is None:
            raise InputError("the batch carries no truth to find. Take planted data, or leave localisation out.")
        return localised(e.importance, batch.truth, batch.present).scores[over][score]

    return SampleMetric(f"{score.replace('_', ' ')}, {over}", measure, higher_is_better=score != "entropy")


def complexity_score(score: str = "gini") -> SampleMetric:
    """On how few cells the importance lies: a score of `stexplain.metrics.complexity`.

    Args:
        score: ``"gini"``, ``"sparsity"`` (higher is simpler) or ``"entropy"`` (lower is).

    Raises:
        InputError: for an unknown score.

    Example:
        >>> complexity_score("entropy").higher_is_better
        False
    """
    if score not in COMPLEXITY:
        raise unknown("score", score, COMPLEXITY)

    def measure(_: Explains, e: Explanation, batch: Batch) -> NDArray[np.float64]:
        return complexity(e.importance, e.valid).scores[score]

    return SampleMetric(score, measure, higher_is_better=score != "entropy")


def deletion_score(
    model: nn.Module, *, kind: Literal["deletion", "insertion"] = "deletion", target: Any = None, **options: Any
) -> SampleMetric:
    """How much better the order of the explanation is than random orders, as readings go or come back.

    The gain in area of `stexplain.metrics.deletion_curve`, in the units of the target; 0 for a guess.

    Args:
        model: which answers; the same for all methods, also for controls that know none.
        kind: deletion or insertion.
        target: what is scored; default: `Predicted()`.
        **options: of `deletion_curve`, such as ``over="nodes"``, ``baseline="mean"``, ``steps=5``.

    Example:
        >>> deletion_score(nn.Flatten(), kind="insertion").name
        'insertion gain'
    """

    def measure(_: Explains, e: Explanation, batch: Batch) -> NDArray[np.float64]:
        return deletion_curve(model, batch, e, target=target, kind=kind, **options).areas("gain")

    return SampleMetric(f"{kind} gain", measure)


def fidelity_score(model: nn.Module, side: Literal["plus", "minus"] = "plus", **options: Any) -> SampleMetric:
    """How far the probability of the answer falls without the most important cells, or with only those.

    The mean over shares of `stexplain.metrics.fidelity`; with a `target`, the change of its score.

    Args:
        model: see `deletion_score`.
        side: ``"plus"`` (without; higher is better) or ``"minus"`` (with only those; lower is better).
        **options: of `fidelity`, such as ``share=[0.1]``.

    Raises:
        InputError: for an unknown side.

    Example:
        >>> fidelity_score(nn.Flatten(), "minus").higher_is_better
        False
    """
    if side not in SIDES:
        raise unknown("side", side, SIDES)
    what = "change" if options.get("target") is not None else "probability"

    def measure(_: Explains, e: Explanation, batch: Batch) -> NDArray[np.float64]:
        means: NDArray[np.float64] = fidelity(model, batch, e, **options).scores[side][what].mean(axis=0)
        return means

    return SampleMetric(f"fidelity {side}", measure, higher_is_better=side == "plus")


def sensitivity_score(*, target: Any = None, **options: Any) -> SampleMetric:
    """How far the explanation moves when the signals move a little: `stexplain.metrics.sensitivity_max`.

    Args:
        target: what is explained; default: `Predicted()`.
        **options: of `sensitivity_max`, such as ``draws=5``.

    Raises:
        InputError: (when called) for a method that is no `Explainer`.

    Example:
        >>> sensitivity_score().name
        'sensitivity'
    """

    def measure(explainer: Explains, e: Explanation, batch: Batch) -> NDArray[np.float64]:
        whole = explainer.explainer if isinstance(explainer, AbsoluteAttribution) else explainer
        if not isinstance(whole, Explainer):
            raise InputError(f"sensitivity asks the explainer again; {e.method!r} is a {type(whole).__name__}.")
        return sensitivity_max(whole, batch, target=target, **options).greatest

    return SampleMetric("sensitivity", measure, higher_is_better=False)
