"""What a self-test is of: an explainer, its model, some samples and a target; and what a test says."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stexplain.data.samples import Batch
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.model_input import ModelInput, Signals
from stexplain.explainers.rebind import MakeExplainer, with_model
from stexplain.explainers.target import TargetLike
from stexplain.explainers.targets import Class, Forecast, PerSample, Predicted, Scores, Target, as_target


@dataclass(frozen=True)
class Check:
    """A test and its verdict.

    Attributes:
        name: of the test.
        passed: none: not applicable.
        value: what was measured.
        limit: up to which it passes.
        why: not applicable, or what there is to say.
    """

    name: str
    passed: bool | None
    value: float | None = None
    limit: float | None = None
    why: str = ""

    @classmethod
    def of(cls, name: str, value: float, limit: float, why: str = "") -> "Check":
        """The test whose number must be at most a limit."""
        return cls(name, bool(value <= limit), float(value), limit, why)

    @classmethod
    def not_applicable(cls, name: str, why: str) -> "Check":
        """The test that cannot be asked."""
        return cls(name, None, why=why)


@dataclass(frozen=True)
class Limits:
    """See the arguments of `selftest` of the same names."""

    tolerance: float
    threshold: float
    draws: int
    seed: int


@dataclass(frozen=True)
class Subject:
    """What is tested.

    Attributes:
        model: the module itself.
        explainer: of the model.
        make: what makes one of a model; none: copies of `explainer` are made.
        batch: the samples, as the model is given them.
        goal: what is explained, the classes fixed.
        shared: further arguments of the model's forward.
        per_sample: the same, with an entry per sample.
        permuted: from an order to the renumbered model.
        limits: of the verdicts.
        original: the explanation of the batch.
    """

    model: nn.Module
    explainer: Explainer
    make: MakeExplainer | None
    batch: Batch
    goal: Target
    shared: Mapping[str, Any]
    per_sample: Mapping[str, Any]
    permuted: Callable[[Sequence[int]], nn.Module] | None
    limits: Limits
    original: Explanation

    @classmethod
    def read(
        cls,
        model: nn.Module,
        explainer: Explainer,
        make: MakeExplainer | None,
        x: Signals,
        target: TargetLike,
        valid: Any,
        shared: Mapping[str, Any],
        per_sample: Mapping[str, Any],
        permuted: Callable[[Sequence[int]], nn.Module] | None,
        limits: Limits,
    ) -> "Subject":
        """Reads the samples and explains them; the class predicted for them is the one explained from here on."""
        goal = as_target(target)
        asked = explainer._prepare(x, valid)
        signals = explainer.inputs.to_batch(asked.x, **asked.sizes)
        samples = len(signals)
        labels = torch.full((samples,), -1)
        batch = Batch(signals, asked.known_valid, labels, asked.ids, observed=asked.observed)
        more = {"shared": shared, "per_sample": per_sample}
        original = explainer(batch, target=goal, **more)
        if isinstance(goal, Predicted | Class) and (original.targets >= 0).all():
            goal = Class(original.targets)
        return cls(model, explainer, make, batch, goal, shared, per_sample, permuted, limits, original)

    def on(self, model: nn.Module) -> Explainer:
        """The explainer for another model of the same structure."""
        return self.make(model) if self.make is not None else with_model(self.explainer, model)

    def explain(
        self, *, by: Explainer | None = None, batch: Batch | None = None, rows: slice = slice(None)
    ) -> Explanation:
        """What the explainer, or another, makes of the batch, or another with the same samples, or of some of them."""
        explainer, samples = by or self.explainer, batch or self.batch
        per_sample = {name: value[rows] for name, value in self.per_sample.items()}
        target = _cut(self.goal, rows)
        return explainer(samples[rows], target=target, shared=self.shared, per_sample=per_sample)


def _cut(goal: Target, rows: slice) -> Target:
    """The target for some of the samples."""
    if isinstance(goal, Class) and isinstance(goal.which, list):
        return Class(goal.which[rows])
    if isinstance(goal, PerSample):
        return PerSample([_cut(each, slice(None)) for each in goal.targets[rows]])
    if isinstance(goal, Forecast) and goal.minus is not None:
        other = copy(goal)
        other.minus = goal.minus[rows]
        return other
    return goal


def difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The largest difference of two arrays ``[B, ...]``, as a share of the largest magnitude of the sample.

    Example:
        >>> difference(np.array([[2.0, -4.0], [0.0, 0.0]]), np.array([[2.0, -3.0], [0.0, 0.0]]))
        0.25
    """
    apart = np.abs(one - other).reshape(len(one), -1).max(1)
    size = np.maximum(np.abs(one), np.abs(other)).reshape(len(one), -1).max(1)
    return float((apart / np.where(size > 0, size, 1)).max())


def same_score(subject: Subject, other: Explanation) -> bool:
    """Whether the model gave the target the score that it gave it for the batch."""
    known = ~np.isnan(subject.original.score)
    one, two = subject.original.score[known], other.score[known]
    return bool(np.allclose(one, two, rtol=subject.limits.tolerance, atol=subject.limits.tolerance))


def asked(subject: Subject) -> ModelInput:
    """The batch, as a method is asked."""
    return subject.explainer._prepare(subject.batch, None, subject.shared, subject.per_sample)


def scored(subject: Subject) -> Callable[[Any], Scores]:
    """The target, as a method is asked."""
    count = len(subject.batch)
    return lambda output: subject.explainer._score(subject.goal, output, rows=slice(0, count), samples=count)
