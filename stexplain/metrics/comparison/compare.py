"""Compares explainers on the same samples by the same metrics, with tests of their differences."""

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from stexplain.checking import checked
from stexplain.data.samples import Batch, Sample
from stexplain.errors import InputError
from stexplain.explainers.arguments import check_counts
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.inputs.observed import observed_twice
from stexplain.explainers.model.options import ModelCall
from stexplain.explainers.targets import Predicted
from stexplain.intervals.groups import group_names
from stexplain.metrics.calls import SINGLE, as_batch, parts_of
from stexplain.metrics.comparison.permutation import Correction
from stexplain.metrics.comparison.result import Comparison
from stexplain.metrics.comparison.scores import ExplainerLike, SampleMetric, caller_of, preprocessed_by
from stexplain.progress import Progress
from stexplain.wording import an

PlainMetric = Callable[[Explanation, Batch], ArrayLike]
BATCH = 32
"""Samples explained at a time, if the data is not batched already."""


@checked
def compare(
    explainers: "Mapping[str, ExplainerLike] | Sequence[ExplainerLike]",
    metrics: "Mapping[str, SampleMetric | PlainMetric] | Sequence[SampleMetric | PlainMetric]",
    data: Any,
    *,
    target: Any = None,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    groups: Any = None,
    seed: int = 0,
    resamples: int = 1000,
    permutations: int = 9999,
    correction: Correction = "holm",
    confidence: float = 0.95,
    batch: int = BATCH,
    progress: bool = True,
) -> Comparison:
    """Explains the same samples by several methods and scores every explanation.

    Batches are gone through once and not kept; the result holds one number per sample, method and metric.

    Args:
        explainers: by name, or as a list, named by their `method`.
        metrics: each gives one number per sample: a `SampleMetric`, or a function of the explanation and the batch, for
            which higher is better. By name, or as a list.
        data: a `Batch`, or a tensor in the model's own layout; anything with `batches(size)` such as `Clips` or
            `WindowedSeries`; or batches or tensors one by one. Of a dict of streams each is compared by itself, named
            after method and stream.
        target: the target; default: `Predicted()`.
        valid: as an explainer takes it, of all samples in their order.
        observed: of tensors, as an explainer takes it: the missing-value mask of all samples in their order.
        shared: as an explainer takes it. Metrics that call the model use what the explanations remember.
        per_sample: as an explainer takes it, of all samples in their order.
        groups: a label per sample, in their order, of samples that are not independent; see
            `stexplain.metrics.interval`. Default: those of the data, such as `Clips.groups`.
        seed: of bootstrap and permutation tests.
        resamples: of the bootstrap.
        permutations: of the tests; with fewer sign patterns than that, the test is exact.
        correction: ``"holm"``, ``"benjamini-hochberg"`` or ``"none"``.
        confidence: of the intervals.
        batch: samples at a time, if the data is not batched already.
        progress: whether to show a progress bar.

    Returns:
        The table and its tests. Seconds per sample are wall time of explaining; the first batch includes a method's
        one-time work.

    Raises:
        InputError: if there is nothing to compare, a name occurs twice, or a metric gives no number per sample.

    Example:
        >>> import torch
        >>> from stexplain.explainers.methods import Motion, Random
        >>> from stexplain.metrics.comparison.scores import localisation_score
        >>> x = torch.zeros(6, 1, 8, 4, 3)
        >>> x[:, :, 2:5, 1] = torch.randn(6, 1, 3, 3, generator=torch.Generator().manual_seed(0))
        >>> truth = (x != 0).any(-1)
        >>> label, ids = torch.zeros(6, dtype=torch.int64), tuple("abcdef")
        >>> samples = Batch(x, torch.ones(6, 1, 8, dtype=torch.bool), label, ids, truth)
        >>> comparison = compare([Motion(), Random()], [localisation_score()], samples, progress=False)
        >>> comparison.best("auroc, positions"), comparison.tests()["better"].tolist()
        ('motion energy', ['motion energy'])
    """
    check_counts(batch=batch)
    named = _named_explainers(explainers)
    target = Predicted() if target is None else target
    sample_metrics = [_of_target(metric, target) for metric in _sample_metrics(metrics)]
    scores: dict[str, dict[str, list[NDArray[np.float64]]]] = {metric.name: {} for metric in sample_metrics}
    seconds: dict[str, float] = {}
    ids: list[str] = []
    known: list[str] = []
    target_text = ""
    callers = [caller for one in named.values() if (caller := caller_of(one)) is not None]
    # Layout and options are those of the explainers; here is what belongs to the samples.
    whole = ModelCall(valid=valid, shared=dict(shared or {}), per_sample=dict(per_sample or {}), observed=observed)
    with Progress("comparing", _steps(data, batch, len(named)), shown=progress) as bar:
        for given, call in parts_of(_reader(callers, data), _batches(data, batch), whole):
            samples = _samples(callers, given, call)
            arguments = {name: value for name in ("shared", "per_sample") if (value := getattr(call, name))}
            if isinstance(samples, Mapping) and call.valid is not None:
                # A batch has its own.
                arguments["valid"] = call.valid
            found: dict[str, Explanation] = {}
            for method, explainer in named.items():
                bar.update(bar.completed, what=f"comparing, {method}")
                # Raw samples are scored after the model's preprocessing, which their ground truth follows too.
                preprocessed: Any = samples if isinstance(samples, Mapping) else preprocessed_by(explainer, samples)
                # Preprocessing belongs to the data, not to the method, and is not timed.
                started = time.perf_counter()
                e: Any = explainer(preprocessed, target=target, **_taken(explainer, arguments))
                spent = time.perf_counter() - started
                # Of streams each is scored by itself; they were explained together.
                found = {f"{method}, {name}": one for name, one in e.items()} if isinstance(e, Mapping) else {method: e}
                for label, one in found.items():
                    seconds[label] = seconds.get(label, 0.0) + spent
                    # Baseline explainers may have no target; the first text that there is serves all methods.
                    target_text = target_text or one.target
                    one = _called(one, callers, call)
                    # Scored at once, so that no more than one map is kept in memory.
                    for metric in sample_metrics:
                        scores[metric.name].setdefault(label, []).append(metric(explainer, one, preprocessed))
                bar.advance()
            known += samples.groups if isinstance(samples, Batch) else ()
            ids += samples.ids if isinstance(samples, Batch) else next(iter(found.values())).ids
    if not ids:
        raise InputError("data: got no samples; expected at least one to compare methods on.")
    return Comparison(
        {metric: {method: np.concatenate(parts) for method, parts in by.items()} for metric, by in scores.items()},
        {metric.name: metric.higher_is_better for metric in sample_metrics},
        tuple(ids),
        {method: spent / len(ids) for method, spent in seconds.items()},
        target=target_text,
        seed=seed,
        resamples=resamples,
        permutations=permutations,
        correction=correction,
        confidence=confidence,
        # Groups of some of the samples say nothing of the rest.
        bounds={metric.name: metric.bounds for metric in sample_metrics if metric.bounds is not None},
        groups=tuple(group_names(groups, len(ids)).tolist()) if groups is not None else _if_all(known, len(ids)),
    )


def _if_all(names: Sequence[str], count: int) -> tuple[str, ...]:
    """The groups that the data gives, where it does of every sample."""
    return tuple(names) if len(names) == count else ()


def _named_explainers(explainers: "Mapping[str, ExplainerLike] | Sequence[ExplainerLike]") -> dict[str, ExplainerLike]:
    given = list(explainers.values() if isinstance(explainers, Mapping) else explainers)
    if texts := [one for one in given if isinstance(one, str)]:
        name = texts[0] if texts[0].isidentifier() else "Random"
        raise InputError(
            f"explainers: got the text {texts[0]!r}; expected explainers of a model, such as stexplain.{name}(model)."
        )
    if isinstance(explainers, Mapping):
        named = {str(name): explainer for name, explainer in explainers.items()}
    else:
        # A function has no `method`: it gets the name of its type.
        listed = [(str(getattr(one, "method", "") or type(one).__name__), one) for one in explainers]
        named = dict(listed)
        # A dict keeps one of two entries of the same name.
        if len(named) < len(listed):
            names = [name for name, _ in listed]
            repeated = next(name for name in names if names.count(name) > 1)
            raise InputError(
                f"explainers: got two named {repeated!r}; expected unique names. Give a mapping from names."
            )
    if not named:
        raise InputError("explainers: got none; expected at least one.")
    for one in named.values():
        # A class is callable too: it would be called with a batch in the place of a model.
        if isinstance(one, type):
            raise InputError(
                f"explainers: got the class {one.__name__}; expected an instance, such as {one.__name__}(model)."
            )
    return named


def _sample_metrics(
    metrics: "Mapping[str, SampleMetric | PlainMetric] | Sequence[SampleMetric | PlainMetric]",
) -> list[SampleMetric]:
    pairs = (
        list(metrics.items())
        if isinstance(metrics, Mapping)
        else [(str(getattr(one, "name", "") or getattr(one, "__name__", type(one).__name__)), one) for one in metrics]
    )
    # A list, not a dict, which would drop the repeated names that are refused below.
    names = [name for name, _ in pairs]
    if not names:
        raise InputError("metrics: got none; expected at least one.")
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"metrics: got two named {name!r}; expected unique names. Give a mapping from names.")
    return [_sample_metric(name, one) for name, one in pairs]


def _sample_metric(name: str, metric: "SampleMetric | PlainMetric") -> SampleMetric:
    # The given name wins over the metric's own, so that one metric can be used twice with different options.
    if isinstance(metric, SampleMetric):
        return replace(metric, name=name)
    if not callable(metric):
        raise InputError(
            f"metrics: got {an(type(metric).__name__)} as {name!r}; expected a SampleMetric, or a function of the "
            "explanation and the batch that returns one number per sample."
        )
    # A plain function takes no explainer.
    return SampleMetric(name, lambda _, e, samples: metric(e, samples))


def _of_target(metric: SampleMetric, target: Any) -> SampleMetric:
    """The metric of the explained target, where it has none of its own, under its name."""
    return metric if metric.of_target is None else replace(metric.of_target(target), name=metric.name)


def _batches(data: Any, size: int) -> Any:
    """The batches of the data. Given samples are not split, because a target may list one class per sample."""
    if isinstance(data, SINGLE) or not hasattr(data, "batches"):
        return data
    return data.batches(size)


def _samples(callers: Sequence[ModelCaller], given: Any, call: ModelCall) -> Any:
    """The samples as a batch, which every explainer takes in its own layout; a dict of streams as it is."""
    if call.observed is not None and isinstance(given, Mapping | Sample | Batch):
        raise observed_twice(given)
    if isinstance(given, Mapping):
        return given
    if isinstance(given, Batch):
        # True: nothing is padding, which a batch says by itself.
        known = call.valid is None or call.valid is True
        return given if known else replace(given, valid=torch.as_tensor(call.valid))
    if isinstance(given, Sample):
        return _samples(callers, Batch.of(given), call)
    if not isinstance(given, Tensor | np.ndarray):
        raise InputError(
            f"data: got {an(type(given).__name__)}; expected a Batch. Give a Batch, a tensor, Clips, a WindowedSeries, "
            "or an iterable of batches or tensors."
        )
    caller = _reader(callers, given)
    if caller is None:
        raise InputError("data: got a tensor and no explainer that knows its layout; expected a Batch.")
    return as_batch(caller, given, call.valid, call.shared, call.per_sample, call.observed)


def _reader(callers: Sequence[ModelCaller], data: Any) -> ModelCaller | None:
    """The explainer whose layout tensors are in; none where there is no explainer.

    Raises:
        InputError: where there are tensors, and explainers do not agree in their layout.
    """
    # A baseline explainer may be made without model and layout, and takes what the others do.
    of_models = [caller for caller in callers if caller.model is not None] or list(callers)
    layouts = list(dict.fromkeys(str(caller.options["inputs"]) for caller in of_models))
    if len(layouts) > 1 and isinstance(data, Tensor | np.ndarray):
        raise InputError(
            f"data: got a tensor for explainers whose inputs are laid out as {' and '.join(map(repr, layouts))}; "
            "expected one layout. Give a Batch, [b, m, t, n, c], which every explainer lays out by itself."
        )
    return of_models[0] if of_models else None


def _called(e: Explanation, callers: Sequence[ModelCaller], call: ModelCall) -> Explanation:
    """The explanation of a baseline explainer, with the call of the others' model; any other as it is.

    A baseline explainer calls no model: metrics call it as for the others, where these agree.
    """
    options = [caller.options for caller in callers if caller.model is not None]
    known = e.call is not None and e.call.options
    if known or not options or any(other != options[0] for other in options):
        return e
    stream = None if e.call is None else e.call.stream
    # A batch has its own masks.
    own = replace(call, options=options[0], valid=None if stream is None else call.valid, observed=None, stream=stream)
    return replace(e, call=own)


def _taken(explainer: ExplainerLike, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The further arguments that an explainer takes: a plain function may have its own."""
    if caller_of(explainer) is not None or not arguments:
        return dict(arguments)
    parameters = inspect.signature(explainer).parameters
    every = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    return {name: value for name, value in arguments.items() if every or name in parameters}


def _steps(data: Any, size: int, methods: int) -> int | None:
    """The number of steps of the progress bar; none if the number of batches is unknown."""
    if isinstance(data, SINGLE):
        return methods
    if not hasattr(data, "__len__"):
        return None
    # -(-a // b) rounds up: the last batch may be smaller. Anything else with a length is a list of batches.
    return methods * (-(-len(data) // size) if hasattr(data, "batches") else len(data))
