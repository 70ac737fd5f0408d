"""The subject of `trust`: a model, what explains it, the samples, and the groups that they come in."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.by_name import method_class, methods, of_class
from stexplain.explainers.explain import explain
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.baselines.base import BaselineExplainer
from stexplain.explainers.methods.naming import base_name
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.inspection import checked_model
from stexplain.explainers.model.model_input import Signals
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.rebind import with_model
from stexplain.explainers.target import Target
from stexplain.intervals.bootstrap import Interval, interval
from stexplain.intervals.groups import group_codes
from stexplain.metrics.calls import as_batch
from stexplain.metrics.masked_model import frozen_masked_model
from stexplain.wording import an

FEWEST = 10
"""Independent units (samples, or groups of them) below which nothing is tested: no interval is worth its name."""

FAMILIES = ("gradient", "layer", "perturbation")
"""Families of methods."""
ExplainerFor = Callable[[nn.Module], Callable[..., Explanation]]
"""From a model to what explains it, called as an `Explainer` is."""


@dataclass(frozen=True)
class TrustSubject:
    """What is to be trusted, or not.

    Attributes:
        model: the module.
        explainer_for: from a model of this structure to what explains it.
        caller: of the model, in the layout that was found.
        batch: the samples, as the model is given them.
        target: what is explained, with predicted classes fixed.
        shared: further arguments of the model's forward.
        per_sample: the same, with an entry per sample.
        groups: of each sample, ``[B]`` int; none: every sample is independent of the others.
        baseline: what a masked value is replaced by.
        seed: of all draws.
        explanation: of the batch.
    """

    model: nn.Module
    explainer_for: ExplainerFor
    caller: ModelCaller
    batch: Batch
    target: Target
    shared: Mapping[str, Any]
    per_sample: Mapping[str, Any]
    groups: NDArray[np.int64] | None
    baseline: Any
    seed: int
    explanation: Explanation

    @property
    def arguments(self) -> dict[str, Any]:
        """The further arguments of the model, as keyword arguments."""
        return {"shared": self.shared, "per_sample": self.per_sample}

    @property
    def options(self) -> CallOptions:
        """How the model is called."""
        return self.caller.options

    @property
    def kind(self) -> type[Explainer] | None:
        """The class of the explainer; none where `explain` chose one whose class its name does not tell."""
        by = self.explainer_for(self.model)
        if isinstance(by, Explainer):
            return type(by)
        return next((kind for kind in methods().values() if kind.method == base_name(self.explanation.method)), None)

    @property
    def family(self) -> str:
        """The family of the method: gradient, layer or perturbation, as the package's folders; empty: none of them."""
        if self.explanation.layer:
            return "layer"
        # A class of one's own is of the family that it derives from.
        modules = [] if self.kind is None else [base.__module__ for base in self.kind.__mro__]
        return next((name for name in FAMILIES if any(f".methods.{name}." in module for module in modules)), "")

    @property
    def uses_model(self) -> bool:
        """Whether the explainer calls a model at all."""
        return self.kind is None or not issubclass(self.kind, BaselineExplainer)

    def fixed(self) -> "TrustSubject":
        """The same with predicted classes fixed: a changed prediction cannot change what is explained."""
        with frozen_masked_model(self.model, self.batch, **self.arguments, **self.options) as masked:
            return replace(self, target=masked.fix_target(self.target)[0])

    @property
    def signed(self) -> bool:
        """Whether the map has a sign: then the sign counts, else the size alone."""
        return bool((self.explanation.values < 0).any())

    def explain(self, model: nn.Module, batch: Batch | None = None) -> Explanation:
        """Explains the batch, or another one, of the model or another of its structure, for the same target."""
        with _quiet():
            return self.explainer_for(model)(batch or self.batch, target=self.target, **self.arguments)

    def explain_by(self, kind: type[Explainer], **options: Any) -> Explanation:
        """Explains the batch by another method."""
        explainer = of_class(kind, self.model, **{**self.options, **options})
        with _quiet():
            found: Explanation = explainer(self.batch, target=self.target, **self.arguments)
        return found

    def interval(self, values: ArrayLike, *, confidence: float = 0.95) -> Interval:
        """The mean of values ``[B]`` over samples with its confidence interval over independent units."""
        # Not the mean of the groups' means: of groups of unequal size it is another number than the accuracy, or the
        # error, that is shown, and that copies with shuffled weights are held against.
        return interval(values, groups=self.groups, seed=self.seed, confidence=confidence)

    def correlation(self, values: ArrayLike, level: float, *, confidence: float = 0.95) -> Interval:
        """The interval of differences ``[B]`` of correlations from others, shown as a correlation.

        Args:
            values: correlations, each less what it is compared with.
            level: the mean of what they are compared with.
            confidence: of the interval.
        """
        found = self.interval(values, confidence=confidence)
        value, low, high = (float(np.clip(each + level, -1, 1)) for each in found)
        return Interval(value, low, high)

    def units(self, values: ArrayLike | None = None) -> int:
        """How many independent units there are, or how many have a value: NaN is none."""
        has = np.ones(len(self.batch), bool) if values is None else ~np.isnan(np.asarray(values, np.float64))
        return int(has.sum()) if self.groups is None else len(np.unique(self.groups[has]))

    def few(self, units: int) -> str | None:
        """What to say of too few samples or groups; none where there are enough."""
        if units >= FEWEST:
            return None
        noun = "sample" if self.groups is None else "group"
        remedy = (
            "Give more samples."
            if self.groups is None
            # A batch brings its groups along: who gave none may not know of them.
            else "Samples of a group, such as a person's or a day's, count once: give samples of more groups."
        )
        return f"Not shown: got {units} {noun}{'' if units == 1 else 's'}; expected at least {FEWEST}. {remedy}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings: the user saw those of the map itself; those of the maps it is compared with help no one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def mean_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each column ``[draws, B]`` without its NaN; NaN where there is nothing else.

    Example:
        >>> mean_known(np.array([[1.0, np.nan], [3.0, np.nan]])).tolist()
        [2.0, nan]
    """
    known = ~np.isnan(values)
    means: NDArray[np.float64] = np.nansum(values, 0) / np.where(known.any(0), known.sum(0), np.nan)
    return means


def checked_groups(groups: "ArrayLike | None", samples: int) -> NDArray[np.int64] | None:
    """The group of each sample as a number, ``[B]``; see `group_codes`.

    Raises:
        InputError: where there is not one for each sample.

    Example:
        >>> checked_groups(["ann", "bob", "ann"], 3).tolist()
        [0, 1, 0]
    """
    return None if groups is None else group_codes(groups, samples)


def read_samples(
    model: nn.Module,
    explainer: "Explainer | type[Explainer] | str | None",
    x: Signals,
    valid: Any,
    shared: Mapping[str, Any],
    per_sample: Mapping[str, Any],
    options: Mapping[str, Any],
    observed: Any = None,
) -> tuple[ExplainerFor, ModelCaller, Batch]:
    """What explains a model, how the model is called, and the samples as it is given them.

    Raises:
        InputError: where the explainer is of another model, or anything does not fit.
    """
    if isinstance(explainer, Explainer):
        if options:
            raise InputError(
                f"{sorted(options)[0]}: got an option for an explainer that exists already; expected none. Give it to "
                "the explainer itself, or give the explainer's class."
            )
        # A baseline explainer may have no model; it fits any.
        if explainer._recipe_model is not None and explainer._recipe_model is not model:
            raise InputError(
                "explainer: got one of another model; expected one of `model`. Give the explainer's own model, or the "
                "explainer's class."
            )
        reader = explainer if explainer.model is not None else ModelCaller(model, **explainer.options)
        batch, declared = _read(reader, x, valid, shared, per_sample, observed)
        own = _with_layout(explainer, declared)
        return lambda other: own if other is model else with_model(own, other), _caller(model, reader), batch
    kind = method_class(explainer) if isinstance(explainer, str) else explainer
    # Before the samples: where they are given in its place, what is read as samples are the labels.
    if kind is not None and (not isinstance(kind, type) or not issubclass(kind, Explainer)):
        raise InputError(
            f"explainer: got {an(type(explainer).__name__)}; expected an explainer of the model, the class or the name "
            "of one, or none for the default of `explain`."
        )
    calls = {name: value for name, value in options.items() if name in CallOptions.__annotations__}
    reader = ModelCaller(model, **calls)
    batch, declared = _read(reader, x, valid, shared, per_sample, observed)
    # What was found of the tensor: a batch tells no layout.
    known = {**options, "inputs": declared}
    if kind is None:
        return lambda other: _by_default(other, known), _caller(model, reader), batch
    return lambda other: of_class(kind, other, **known), _caller(model, reader), batch


def _by_default(model: nn.Module, options: Mapping[str, Any]) -> Callable[..., Explanation]:
    def by_default(x: Batch, **arguments: Any) -> Explanation:
        found: Explanation = explain(model, x, **arguments, **options)
        return found

    return by_default


def _read(
    reader: ModelCaller,
    x: Signals,
    valid: Any,
    shared: Mapping[str, Any],
    per_sample: Mapping[str, Any],
    observed: Any,
) -> tuple[Batch, Any]:
    """The samples as a batch, which no recipe samples again, and the layout of the model's input."""
    batch = as_batch(reader, x, valid, shared, per_sample, observed)
    # None where nobody said it, and a batch is passed on as it is: an error of the model then tells how to say it.
    return replace(batch, sampling=None), reader.options["inputs"]


def _caller(model: nn.Module, reader: ModelCaller) -> ModelCaller:
    """A plain caller of the model, in the layout that a reader found."""
    return ModelCaller(model, **reader.options)


def _with_layout(explainer: Explainer, layout: Any) -> Explainer:
    """The explainer, and those that it works around, with the layout declared: a copy, as the caller's own stays."""
    other = copy(explainer)
    # A shallow copy would share the stack of open blocks, and what is said about a call.
    other._frozen_blocks, other._notes, other._declared = [], [], layout
    for name, value in vars(explainer).items():
        if isinstance(value, Explainer):
            setattr(other, name, _with_layout(value, layout))
    return other


def inside_of(model: nn.Module) -> nn.Module:
    """The module inside of `torch.compile` or `DataParallel`.

    Raises:
        InputError: where it is no module.
    """
    return checked_model(model)
