"""Compares explainers: the same samples, the same metrics, and tests of what differs."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.targets import Predicted
from stexplain.metrics.comparison.permutation import Correction
from stexplain.metrics.comparison.result import Comparison
from stexplain.metrics.comparison.scores import Explains, SampleMetric, preprocessed_by

PlainMetric = Callable[[Explanation, Batch], ArrayLike]
BATCH = 32
"""Samples explained at a time, where the data is not batches already."""


def compare(
    explainers: "Mapping[str, Explains] | Sequence[Explains]",
    metrics: "Mapping[str, SampleMetric | PlainMetric] | Sequence[SampleMetric | PlainMetric]",
    data: Any,
    *,
    target: Any = None,
    seed: int = 0,
    resamples: int = 1000,
    permutations: int = 9999,
    correction: Correction = "holm",
    confidence: float = 0.95,
    batch: int = BATCH,
    progress: bool = True,
) -> Comparison:
    """Explains the same samples by several methods and scores every explanation.

    Batches are gone through once and let go; what is kept is one number per sample, method and metric.

    Args:
        explainers: by name, or a list whose names are their `method`.
        metrics: each gives one number per sample: a `SampleMetric`, or a function of the explanation and the batch, for
            which higher is better. By name, or a list.
        data: a `Batch`, anything with `batches(size)` such as `Clips` or `WindowedSeries`, or batches one by one.
        target: what is explained; default: `Predicted()`.
        seed: of bootstrap and permutation tests.
        resamples: of the bootstrap.
        permutations: of the tests; as many samples as allow it are tested exactly.
        correction: ``"holm"``, ``"benjamini-hochberg"`` or ``"none"``.
        confidence: of the intervals.
        batch: samples at a time, where the data is not batches already.
        progress: whether a bar is shown.

    Returns:
        The table and its tests. The time of explaining is taken on the wall, per sample; the first batch includes what
        a method does once.

    Raises:
        InputError: where there is nothing to compare, a name comes twice, or a metric gives no number per sample.

    Example:
        >>> import torch
        >>> from stexplain.explainers.methods.baselines import Motion, Random
        >>> from stexplain.metrics.comparison.scores import localisation_score
        >>> x = torch.zeros(6, 1, 8, 4, 3)
        >>> x[:, :, 2:5, 1] = torch.randn(6, 1, 3, 3, generator=torch.Generator().manual_seed(0))
        >>> truth = (x != 0).any(-1)
        >>> label, ids = torch.zeros(6, dtype=torch.int64), tuple("abcdef")
        >>> samples = Batch(x, torch.ones(6, 1, 8, dtype=torch.bool), label, ids, truth)
        >>> found = compare([Motion(), Random()], [localisation_score()], samples, progress=False)
        >>> found.best("auroc, positions"), found.tests()["better"].tolist()
        ('motion', ['motion'])
    """
    named = _named(explainers)
    measured = _metrics(metrics)
    goal = Predicted() if target is None else target
    found: dict[str, dict[str, list[NDArray[np.float64]]]] = {
        metric.name: {method: [] for method in named} for metric in measured
    }
    spent = dict.fromkeys(named, 0.0)
    ids: list[str] = []
    words = ""
    from rich.progress import Progress

    with Progress(disable=not progress, transient=True) as bar:
        task = bar.add_task("Comparing", total=_steps(data, batch, len(named)))
        for samples in _batches(data, batch):
            for method, explainer in named.items():
                bar.update(task, description=f"Comparing: {method}")
                # Samples as recorded are scored as the model sees them, and so is their truth.
                seen = preprocessed_by(explainer, samples)
                started = time.perf_counter()
                e = explainer(seen, target=goal)
                spent[method] += time.perf_counter() - started
                words = words or e.target
                for metric in measured:
                    found[metric.name][method].append(metric(explainer, e, seen))
                bar.advance(task)
            ids += samples.ids
    if not ids:
        raise InputError("the data holds no samples to compare methods on.")
    return Comparison(
        {metric: {method: np.concatenate(parts) for method, parts in by.items()} for metric, by in found.items()},
        {metric.name: metric.higher_is_better for metric in measured},
        tuple(ids),
        {method: seconds / len(ids) for method, seconds in spent.items()},
        target=words,
        seed=seed,
        resamples=resamples,
        permutations=permutations,
        correction=correction,
        confidence=confidence,
    )


def _named(explainers: "Mapping[str, Explains] | Sequence[Explains]") -> dict[str, Explains]:
    if isinstance(explainers, Mapping):
        named = {str(name): explainer for name, explainer in explainers.items()}
    else:
        listed = [(str(getattr(one, "method", "") or type(one).__name__), one) for one in explainers]
        named = dict(listed)
        if len(named) < len(listed):
            names = [name for name, _ in listed]
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"two explainers are called {twice!r}. Give them as a mapping from names of your own.")
    if not named:
        raise InputError("there are no explainers to compare.")
    for one in named.values():
        if isinstance(one, type):
            raise InputError(f"an explainer is the type {one.__name__} itself. Make one: {one.__name__}(model).")
    return named


def _metrics(
    metrics: "Mapping[str, SampleMetric | PlainMetric] | Sequence[SampleMetric | PlainMetric]",
) -> list[SampleMetric]:
    pairs = (
        list(metrics.items())
        if isinstance(metrics, Mapping)
        else [(str(getattr(one, "name", "") or getattr(one, "__name__", type(one).__name__)), one) for one in metrics]
    )
    names = [name for name, _ in pairs]
    if not names:
        raise InputError("there are no metrics to compare by.")
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two metrics are called {name!r}. Give them as a mapping from names of your own.")
    return [_metric(name, one) for name, one in pairs]


def _metric(name: str, metric: "SampleMetric | PlainMetric") -> SampleMetric:
    if isinstance(metric, SampleMetric):
        return SampleMetric(name, metric.measure, metric.higher_is_better)
    if not callable(metric):
        raise InputError(
            f"the metric {name!r} is a {type(metric).__name__}; wanted a SampleMetric, or a function of the "
            "explanation and the batch that gives one number per sample."
        )
    return SampleMetric(name, lambda _, e, samples: metric(e, samples))


def _batches(data: Any, size: int) -> Iterator[Batch]:
    """The batches of whatever holds samples. A batch stays whole: a target may name one class for each sample."""
    if isinstance(data, Batch):
        yield data
        return
    whole: Iterable[Any] = data.batches(size) if hasattr(data, "batches") else data
    for samples in whole:
        if not isinstance(samples, Batch):
            raise InputError(
                f"the data gave a {type(samples).__name__}; wanted a Batch. Give a Batch, Clips, a WindowedSeries, or "
                "an iterable of batches."
            )
        yield samples


def _steps(data: Any, size: int, methods: int) -> int | None:
    if isinstance(data, Batch):
        return methods
    if not hasattr(data, "__len__"):
        return None
    return methods * (-(-len(data) // size) if hasattr(data, "batches") else len(data))
