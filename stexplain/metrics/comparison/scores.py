"""Metrics that give one number per sample, by which `compare` compares explainers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from stexplain.axes import check_shape
from stexplain.checking import check_arguments, checked
from stexplain.data.samples import Batch
from stexplain.errors import InputError, unknown
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.caller import ModelCaller
from stexplain.metrics.complexity import SCORES as COMPLEXITY
from stexplain.metrics.complexity import complexity
from stexplain.metrics.deletion import deletion_curve
from stexplain.metrics.fidelity import SIDES, fidelity
from stexplain.metrics.localisation import OVER, SCORES
from stexplain.metrics.localisation import localisation as localise
from stexplain.metrics.robustness import sensitivity_max
from stexplain.wording import an


class ExplainerLike(Protocol):
    """Explains a batch: an `Explainer`, or a function with the same call."""

    def __call__(self, x: Batch, *, target: Any) -> Explanation:
        """The explanation of a batch."""


@checked
@dataclass(frozen=True)
class SampleMetric:
    """A metric that gives one number per sample.

    Attributes:
        name: of the metric in tables.
        measure: called as ``measure(explainer, explanation, batch)``; returns ``[B]``, NaN for a sample that is
            excluded because it has no such number.
        higher_is_better: whether a higher number is better.
        of_target: makes the same metric of a target, where it has none of its own: `compare` gives it the target that
            is explained.
        bounds: the smallest and the largest possible number, which intervals keep to; none: not known.

    Example:
        >>> size = SampleMetric("size", lambda explainer, e, batch: e.importance.sum((1, 2, 3)), higher_is_better=False)
        >>> size.name
        'size'
    """

    name: str
    measure: Callable[[Any, Explanation, Batch], ArrayLike]
    higher_is_better: bool = True
    of_target: "Callable[[Any], SampleMetric] | None" = None
    bounds: tuple[float, float] | None = None

    def __call__(self, explainer: ExplainerLike, explanation: Explanation, batch: Batch) -> NDArray[np.float64]:
        """The numbers, ``[B]``.

        Raises:
            InputError: if `measure` does not return ``[B]``.
        """
        numbers = np.asarray(self.measure(explainer, explanation, batch), np.float64)
        check_shape(f"the result of metric {self.name!r}", numbers.shape, "b", b=len(explanation))
        return numbers


def caller_of(explainer: Any) -> ModelCaller | None:
    """The explainer inside of `AbsoluteAttribution`; none for a plain function.

    Example:
        >>> caller_of(AbsoluteAttribution(len)) is None
        True
    """
    while isinstance(explainer, AbsoluteAttribution):
        explainer = explainer.explainer
    return explainer if isinstance(explainer, ModelCaller) else None


def preprocessed_by(explainer: Any, batch: Batch) -> Batch:
    """The batch preprocessed by the training recipe of an explainer's model; the batch itself if there is none."""
    # A plain function has no model whose recipe it could follow.
    preprocessed: Batch = explainer.preprocess(batch) if hasattr(explainer, "preprocess") else batch
    return preprocessed


@checked
class AbsoluteAttribution:
    """An explainer that returns the absolute values of another one's attribution.

    The size of a gradient tells how much a position matters, while a class activation map tells it by its positive
    part. Metrics score `Explanation.importance`, the positive part; wrapped in this, an explainer is scored by its
    absolute values, as a method of its own.

    Args:
        explainer: whose attribution is taken.

    Example:
        >>> import torch
        >>> from stexplain.explainers.methods import Motion
        >>> AbsoluteAttribution(Motion())(torch.zeros(1, 1, 3, 2, 3), target=None).values.shape
        (1, 1, 3, 2)
    """

    def __init__(self, explainer: Callable[..., Any]):
        check_arguments(AbsoluteAttribution.__init__, explainer=explainer)
        self.explainer = explainer

    def preprocess(self, batch: Batch) -> Batch:
        """See `preprocessed_by`."""
        return preprocessed_by(self.explainer, batch)

    def __call__(self, x: Any, *, target: Any, **options: Any) -> Any:
        """The explanation with absolute values; of streams, one for each."""
        found = self.explainer(x, target=target, **options)
        return (
            {name: self._absolute(e) for name, e in found.items()} if isinstance(found, dict) else self._absolute(found)
        )

    @staticmethod
    def _absolute(e: Explanation) -> Explanation:
        # At the layer too, so that the map of positions and the map of frames agree.
        layer_values = None if e.layer_values is None else np.abs(e.layer_values)
        return replace(e, values=np.abs(e.values), layer_values=layer_values, method=f"{e.method}, absolute")


@checked
def localisation_score(over: str = "positions", score: str = "auroc") -> SampleMetric:
    """A score of `stexplain.metrics.localisation` against the batch's ground truth.

    Args:
        over: ``"nodes"``, ``"frames"`` or ``"positions"``.
        score: such as ``"auroc"``, ``"average_precision"``, ``"pointing"``.

    Returns:
        A score for `stexplain.compare`: one number per sample.

    Raises:
        InputError: for an unknown name; when called, for a batch without ground truth.

    Example:
        >>> localisation_score("nodes").name
        'auroc, nodes'
    """
    if over not in OVER:
        raise unknown("over", over, OVER)
    if score not in SCORES:
        raise unknown("score", score, SCORES)

    def measure(_: ExplainerLike, e: Explanation, batch: Batch) -> NDArray[np.float64]:
        if batch.truth is None:
            raise InputError(
                "batch.truth: got None; expected ground truth. Use a dataset with ground truth, such as planted-ntu, "
                "or leave localisation out."
            )
        # The batch's mask and not `e.valid`, which knows whole frames only: single observations may be missing too.
        return localise(e.importance, batch.truth, batch.present).scores[over][score]

    # The mask's entropy is its uncertainty about the ground truth: the only score of which less is better.
    higher = score != "entropy"
    bounds = None if score in ("information", "entropy") else (0.0, 1.0)
    return SampleMetric(f"{score.replace('_', ' ')}, {over}", measure, higher_is_better=higher, bounds=bounds)


@checked
def complexity_score(score: str = "gini") -> SampleMetric:
    """A score of `stexplain.metrics.complexity`: on how few positions the importance concentrates.

    Args:
        score: ``"gini"``, ``"sparsity"`` (higher is simpler) or ``"entropy"`` (lower is).

    Returns:
        A score for `stexplain.compare`: one number per sample.

    Raises:
        InputError: for an unknown score.

    Example:
        >>> complexity_score("entropy").higher_is_better
        False
    """
    if score not in COMPLEXITY:
        raise unknown("score", score, COMPLEXITY)

    def measure(_: ExplainerLike, e: Explanation, batch: Batch) -> NDArray[np.float64]:
        # Not `e.valid`, which knows whole frames only: a gap of a sensor is no position without importance.
        return complexity(e.importance, e.present).scores[score]

    return SampleMetric(score, measure, higher_is_better=score != "entropy", bounds=(0.0, 1.0))


@checked
def deletion_score(
    model: nn.Module, *, kind: Literal["deletion", "insertion"] = "deletion", target: Any = None, **options: Any
) -> SampleMetric:
    """How much better the order of the explanation is than random orders, as positions are masked or revealed.

    The gain in area of `stexplain.metrics.deletion_curve`, in the units of the target; 0 for random attribution. Of a
    score that is of no class, such as a forecast, values count by their size, and the curves are of the distance from
    the score of the whole sample: what matters may move it either way.

    The model is called as for the explanation, but for the options that are given.

    Args:
        model: whose score is measured; the same for all methods, also for baseline explainers that use no model.
        kind: deletion or insertion.
        target: the target that is scored; default: in `compare`, the one that is explained, else `Predicted()`.
        **options: of `deletion_curve`, such as ``over="nodes"``, ``baseline="mean"``, ``steps=5``.

    Returns:
        A score for `stexplain.compare`: one number per sample.

    Example:
        >>> deletion_score(nn.Flatten(), kind="insertion").name
        'insertion gain'
    """

    def measure(_: ExplainerLike, e: Explanation, batch: Batch) -> NDArray[np.float64]:
        # A gain is positive for a better order in both kinds, so higher is better for insertion as well as deletion.
        curve = deletion_curve(model, batch, e, target=target, kind=kind, **options)
        return curve.areas("gain", "score" if curve.of_class else "change")

    of_target = partial(_of_target, deletion_score, model, kind=kind, **options) if target is None else None
    return SampleMetric(f"{kind} gain", measure, of_target=of_target)


@checked
def fidelity_score(model: nn.Module, side: Literal["plus", "minus"] = "plus", **options: Any) -> SampleMetric:
    """How far the probability of the prediction falls without the most important positions, or with only those.

    The mean over shares of `stexplain.metrics.fidelity`; with a `target`, the change of its score.

    Args:
        model: see `deletion_score`.
        side: ``"plus"`` (without; higher is better) or ``"minus"`` (with only those; lower is better).
        **options: of `fidelity`, such as ``share=[0.1]``.

    Returns:
        A score for `stexplain.compare`: one number per sample.

    Raises:
        InputError: for an unknown side.

    Example:
        >>> fidelity_score(nn.Flatten(), "minus").higher_is_better
        False
    """
    if side not in SIDES:
        raise unknown("side", side, SIDES)
    # With a target there is no class whose probability could be read.
    measured = "change" if options.get("target") is not None else "probability"

    def measure(_: ExplainerLike, e: Explanation, batch: Batch) -> NDArray[np.float64]:
        # [shares, B] -> [B]
        means: NDArray[np.float64] = fidelity(model, batch, e, **options).scores[side][measured].mean(axis=0)
        return means

    return SampleMetric(f"fidelity {side}", measure, higher_is_better=side == "plus")


@checked
def sensitivity_score(*, target: Any = None, **options: Any) -> SampleMetric:
    """How much the explanation changes under small changes of the signals: `stexplain.metrics.sensitivity_max`.

    Args:
        target: the target; default: in `compare`, the one that is explained, else `Predicted()`.
        **options: of `sensitivity_max`, such as ``draws=5``.

    Returns:
        A score for `stexplain.compare`: one number per sample.

    Raises:
        InputError: when called, for a method that is no `Explainer`.

    Example:
        >>> sensitivity_score().name
        'sensitivity'
    """

    def measure(explainer: ExplainerLike, e: Explanation, batch: Batch) -> NDArray[np.float64]:
        arguments = {} if e.call is None else {"shared": e.call.shared, "per_sample": e.call.per_sample}
        # The sign does not matter to how far a map moves: the wrapped explainer is measured.
        inner = explainer.explainer if isinstance(explainer, AbsoluteAttribution) else explainer
        if not isinstance(inner, Explainer):
            raise InputError(
                f"sensitivity: got {an(type(inner).__name__)} as the method {e.method!r}; expected an Explainer, which "
                "can explain the perturbed samples."
            )
        return sensitivity_max(inner, batch, target=target, **{**arguments, **options}).maximum

    of_target = partial(_of_target, sensitivity_score, **options) if target is None else None
    return SampleMetric("sensitivity", measure, higher_is_better=False, of_target=of_target)


def _of_target(make: Callable[..., SampleMetric], *arguments: Any, **options: Any) -> SampleMetric:
    # The target comes last, as `compare` gives it.
    *given, target = arguments
    return make(*given, target=target, **options)
