"""One number per sample: what `compare` compares methods by."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.axes import check_shape
from stexplain.data.samples import Batch
from stexplain.errors import InputError, unknown
from stexplain.explain.explanation import Explanation
from stexplain.metrics.localisation import OVER, SCORES
from stexplain.metrics.localisation import localisation as localised


class Explains(Protocol):
    """Whatever explains a batch: an `Explainer`, or a function of the same call."""

    def __call__(self, x: Batch, *, target: Any) -> Explanation:
        """The explanation of a batch."""


@dataclass(frozen=True)
class PerSample:
    """A metric that gives one number per sample.

    Attributes:
        name: in tables.
        measure: called as ``measure(explainer, explanation, batch)``; gives ``[B]``, NaN for a sample that has no
            such number and is left out.
        higher_is_better: which way is better.

    Example:
        >>> size = PerSample("size", lambda explainer, e, batch: e.importance.sum((1, 2, 3)), higher_is_better=False)
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


class Magnitude:
    """An explainer whose importance is the size of what it gives, whatever its sign.

    A gradient says by its size how much a cell matters, where a class activation map says it by what is positive. The
    comparison looks at `Explanation.importance`, the positive part; this makes the other reading a method of its own.

    Args:
        explainer: whose values are taken.

    Example:
        >>> import torch
        >>> from stexplain.explain.controls import Motion
        >>> Magnitude(Motion())(torch.zeros(1, 1, 3, 2, 3), target=None).values.shape
        (1, 1, 3, 2)
    """

    def __init__(self, explainer: Any):
        self.explainer = explainer

    def __call__(self, x: Any, *, target: Any, **options: Any) -> Explanation:
        """The explanation, without signs."""
        e: Explanation = self.explainer(x, target=target, **options)
        cells = None if e.cells is None else np.abs(e.cells)
        return replace(e, values=np.abs(e.values), cells=cells, method=f"{e.method}, size")


def localisation_score(over: str = "cells", score: str = "auroc") -> PerSample:
    """A score against planted truth, of `stexplain.metrics.localisation`; the batch must carry it.

    Args:
        over: ``"nodes"``, ``"frames"`` or ``"cells"``.
        score: ``"auroc"``, ``"average_precision"``, ``"pointing"``.

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
        return localised(e.importance, batch.truth, batch.valid).scores[over][score]

    return PerSample(f"{score.replace('_', ' ')}, {over}", measure)
