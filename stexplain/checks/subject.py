"""The subject of a self-test (an explainer, its model, samples and a target), and the verdict of a check."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stexplain.data.samples import Batch
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.inputs.streams import Streams
from stexplain.explainers.model.inspection import device_and_dtype
from stexplain.explainers.model.model_input import ModelInput, Signals
from stexplain.explainers.model.model_input import Streams as StreamsByName
from stexplain.explainers.model.output_layout import with_output_layout
from stexplain.explainers.model.score_fn import ScoreFn
from stexplain.explainers.rebind import MakeExplainer, with_model
from stexplain.explainers.target import TargetLike
from stexplain.explainers.targets import Class, Forecast, LogOdds, NodeClass, PerSample, Target, as_target
from stexplain.metrics.calls import as_batch, unlabelled


@dataclass(frozen=True)
class Check:
    """A check and its verdict.

    Attributes:
        name: of the check.
        passed: the verdict; none if the check is not applicable.
        value: the measured number.
        limit: the largest value that passes.
        why: the reason why it is not applicable, or a remark.
    """

    name: str
    passed: bool | None
    value: float | None = None
    limit: float | None = None
    why: str = ""

    @classmethod
    def of(cls, name: str, value: float, limit: float, why: str = "") -> "Check":
        """A check whose value must be at most a limit."""
        return cls(name, bool(value <= limit), float(value), limit, why)

    @classmethod
    def not_applicable(cls, name: str, why: str) -> "Check":
        """A check that does not apply, with the reason."""
        return cls(name, None, why=why)


@dataclass(frozen=True)
class Limits:
    """The limits and draws of a self-test; see the arguments of `selftest` of the same names."""

    tolerance: float
    threshold: float
    draws: int
    seed: int


@dataclass(frozen=True)
class Subject:
    """The explainer, model and samples that are tested.

    Attributes:
        model: the module.
        explainer: of the model.
        make: makes an explainer of a model; none: `explainer` is copied.
        batch: the samples, as the model is given them.
        target: the target, with predicted classes fixed.
        shared: further arguments of the model's forward.
        per_sample: the same, with an entry per sample.
        permuted: from an order of the nodes to the model over the permuted graph.
        limits: of the verdicts.
        streams: how the batch's channels come apart, where x was a dict of streams.
        original: the explanation of the batch.
        plain: calls the model as the explainer does, with none of its code: one, as each measures the model anew.
        explained: the targets that checks against plain calls are made for, each with its explanation, once known.
    """

    model: nn.Module
    explainer: Explainer
    make: MakeExplainer | None
    batch: Batch
    target: Target
    shared: Mapping[str, Any]
    per_sample: Mapping[str, Any]
    permuted: Callable[[Sequence[int]], nn.Module] | None
    limits: Limits
    streams: Streams | None
    original: Explanation
    plain: ModelCaller
    explained: list[tuple[Target, Explanation]] = field(default_factory=list)

    @classmethod
    def from_arguments(
        cls,
        model: nn.Module,
        explainer: Explainer,
        make: MakeExplainer | None,
        x: Signals | StreamsByName,
        target: TargetLike,
        valid: Any,
        shared: Mapping[str, Any],
        per_sample: Mapping[str, Any],
        permuted: Callable[[Sequence[int]], nn.Module] | None,
        limits: Limits,
        observed: Any = None,
    ) -> "Subject":
        """Reads the samples and explains them; the predicted classes are fixed as the target of all checks."""
        fixed = as_target(target)
        streams = None
        if isinstance(x, Mapping):
            # Inside they are one tensor, which is cut and permuted as any other.
            arguments: tuple[Any, Any] = (None, None) if explainer.model is None else (shared, per_sample)
            prepared = explainer._prepare(x, valid, *arguments, observed=observed)
            batch, streams = unlabelled(prepared, explainer.inputs.to_batch(prepared.x)), explainer._streams
        else:
            batch = as_batch(explainer, x, valid, shared, per_sample, observed)
        given = given_to(batch, streams)
        original = _one(explainer(*given[:1], valid=given[1], target=fixed, shared=shared, per_sample=per_sample))
        # As the explainer has found the layout of its input.
        plain = ModelCaller(explainer.model, **explainer.options)
        if explainer.model is not None:
            # By a plain call: an explainer that explains another class than it should may name that one, too.
            fixed, classes = _classes(plain, given, fixed, shared, per_sample)
            if (classes >= 0).all():
                # From here on a changed prediction cannot change what is explained.
                fixed = fixed.fixed(classes.tolist())
        return cls(model, explainer, make, batch, fixed, shared, per_sample, permuted, limits, streams, original, plain)

    def explainer_for(self, model: nn.Module) -> Explainer:
        """The explainer for another model of the same structure."""
        return self.make(model) if self.make is not None else with_model(self.explainer, model)

    @cached_property
    def in_float64(self) -> "Subject | None":
        """The same on a copy of the model in float64; none where the model is not in float32, or has no such copy."""
        if self.explainer.model is None or device_and_dtype(self.model)[1] != torch.float32:
            return None
        try:
            model = deepcopy(self.model).double()
            explainer = self.explainer_for(model)
            batch = replace(self.batch, x=self.batch.x.double())
            other = replace(self, model=model, explainer=explainer, batch=batch, explained=[])
            original = other.explain()
            return replace(other, original=original, plain=ModelCaller(explainer.model, **explainer.options))
        # Whatever a model raises that holds float32 by itself, or cannot be copied.
        except Exception:
            return None

    def explain(
        self,
        *,
        by: Explainer | None = None,
        batch: Batch | None = None,
        rows: slice = slice(None),
        target: Target | None = None,
    ) -> Explanation:
        """Explains the batch, or some of its rows, or another batch or target, by the explainer or another one.

        Explanations of several streams are joined as if each were an instance.

        Raises:
            InputError: as the explainer does, and where an argument of the whole batch cannot be cut into rows.
        """
        explainer, samples = by or self.explainer, batch or self.batch
        target = _rows_of(target or self.target, rows)
        shared, per_sample = self.shared, self.per_sample
        if rows != slice(None) and explainer.model is not None:
            with explainer._model_frozen():
                some = explainer._rows(self.prepared(explainer, samples), rows)
            shared, per_sample = some.shared, some.per_sample
        x, valid = self.given(samples[rows])
        return _one(explainer(x, valid=valid, target=target, shared=shared, per_sample=per_sample))

    def given(self, batch: Batch) -> tuple[Any, Any]:
        """What an explainer is given as x and valid: the batch, or its streams."""
        return given_to(batch, self.streams)

    def prepared(self, explainer: ModelCaller, batch: Batch) -> ModelInput:
        """A batch as a method receives it."""
        return explainer._prepare(*self.given(batch), self.shared, self.per_sample)


def given_to(batch: Batch, streams: Streams | None) -> tuple[Any, Any]:
    """What an explainer is given as x and valid: the batch, or its streams."""
    if streams is None:
        return batch, None
    # A mask that was noticed is noticed again.
    return streams.split(batch.x), None if batch.unmasked else batch.valid


def _one(result: Any) -> Explanation:
    """An explanation; those of streams beside each other, as if each were an instance."""
    if not isinstance(result, Mapping):
        explanation: Explanation = result
        return explanation
    each = list(result.values())
    first: Explanation = each[0]
    # A layer behind all streams has one map: once is enough.
    if first.layer or len(each) == 1:
        return replace(first, channels=None, channel_names=(), standard_error=None)
    values, valid = (np.concatenate([getattr(one, name) for one in each], 1) for name in ("values", "valid"))
    return replace(first, values=values, valid=valid, channels=None, channel_names=(), standard_error=None)


def _classes(
    caller: ModelCaller,
    given: tuple[Any, Any],
    target: Target,
    shared: Mapping[str, Any],
    per_sample: Mapping[str, Any],
) -> tuple[Target, NDArray[np.int64]]:
    """A target with the layout of the model's output, and the classes that it chooses, by a plain call of the model."""
    found = []
    with caller._model_frozen(), torch.no_grad():
        prepared = caller._prepare(*given, shared, per_sample)
        # As explainers find it, where neither the target nor the model says it.
        [target] = with_output_layout(caller, prepared, [target])
        for chunk, (scores,) in caller._chunks(prepared, [target]):
            found.append(scores(caller._forward(chunk)).classes.cpu().numpy())
    return target, np.concatenate(found)


def _rows_of(target: Target, rows: slice) -> Target:
    """The target of some of the samples."""
    if isinstance(target, Class) and isinstance(target.which, list):
        return Class(target.which[rows])
    if isinstance(target, LogOdds) and isinstance(target.which, Class):
        which = _rows_of(target.which, rows)
        return LogOdds(which.which) if isinstance(which, Class) else target
    if isinstance(target, NodeClass) and isinstance(target.which, list):
        other_class = copy(target)
        other_class.which = target.which[rows]
        return other_class
    if isinstance(target, PerSample):
        # Targets of a PerSample are cut by sample already; each of them stays whole.
        return PerSample([_rows_of(each, slice(None)) for each in target.targets[rows]])
    if isinstance(target, Forecast) and target.minus is not None:
        # Numbers or outputs of samples, which lie along the layout's b: the copy keeps the caller's target as it is.
        other = copy(target)
        groups = [] if target.layout is None or target.minus.ndim == 1 else target.layout.groups
        dim = next((dim for dim, letters in enumerate(groups) if [*letters] == ["b"]), 0)
        other.minus = target.minus[(*[slice(None)] * dim, rows)]
        return other
    return target


def difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The largest difference of two arrays ``[B, ...]``, relative to the largest absolute value of the sample.

    Example:
        >>> difference(np.array([[2.0, -4.0], [0.0, 0.0]]), np.array([[2.0, -3.0], [0.0, 0.0]]))
        0.25
    """
    largest = np.abs(one - other).reshape(len(one), -1).max(1)
    # By the larger of the two maps: one that vanishes then differs by 1, and is not divided by zero.
    size = np.maximum(np.abs(one), np.abs(other)).reshape(len(one), -1).max(1)
    return float((largest / np.where(size > 0, size, 1)).max())


def same_score(subject: Subject, other: Explanation) -> bool:
    """Whether the target's score is the same as in the original explanation."""
    # Baseline explainers have no score (NaN); nothing is compared for them.
    known = ~np.isnan(subject.original.score)
    one, two = subject.original.score[known], other.score[known]
    # Relative for large scores, absolute for those near zero.
    return bool(np.allclose(one, two, rtol=subject.limits.tolerance, atol=subject.limits.tolerance))


def model_input(subject: Subject) -> ModelInput:
    """The batch as a method receives it."""
    return subject.prepared(subject.explainer, subject.batch)


def score_fn(subject: Subject) -> ScoreFn:
    """The target as a method receives it: from the model's output to scores."""
    count = len(subject.batch)
    return subject.explainer._score_fn(subject.target, rows=slice(0, count), samples=count)
