"""Scores of explainers on the same samples, and the tests of their differences."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from torch import Tensor, nn

from stexplain.bench.run import Run
from stexplain.bench.shared.all_methods import paired_with_each
from stexplain.bench.shared.samples import Samples, load
from stexplain.bench.stage import Results
from stexplain.cards import Count, Part
from stexplain.data.baselines import baseline
from stexplain.data.samples import Batch
from stexplain.errors import InputError, suggest
from stexplain.explainers.by_name import explainer, methods, takes
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.baselines.base import BaselineExplainer
from stexplain.intervals.groups import group_names
from stexplain.metrics.comparison.compare import compare
from stexplain.metrics.comparison.result import Comparison
from stexplain.metrics.comparison.scores import (
    ExplainerLike,
    SampleMetric,
    complexity_score,
    deletion_score,
    localisation_score,
)

JUDGED = "auroc, positions"
"""The metric that methods are judged by."""
HISTORICAL_AVERAGE = "historical_average"
"""The name of the baseline that is the historical average, for series."""


class DeletionOptions(Part):
    """How the gain in area of deletion curves is measured; see `stexplain.metrics.deletion_curve`."""

    baseline: str = "mean"
    steps: Count = 5
    repeats: Count = 2


class Options(Part):
    """Which methods are compared, on how many samples.

    Attributes:
        samples: how many are explained: correctly classified test clips at random, or events.
        baselines: baseline explainers, which every other method is tested against.
        methods: only these, beside the baseline explainers; none: all there are.
        exclude: methods that are not compared.
        absolute: methods that localise by the absolute value of what they give, not by its positive part. Deletion
            keeps the sign: what contributed to the target goes first.
        deletion: how deletion is measured.
        options: method -> its options. ``groups = "graph"`` stands for the groups of the graph, ``baseline =
            "historical_average"`` for the historical average of a series.
    """

    samples: Count = 30
    baselines: Annotated[list[str], Field(min_length=1)]
    methods: list[str] | None = None
    exclude: list[str] = Field(default_factory=list)
    absolute: list[str] = Field(default_factory=list)
    deletion: DeletionOptions = DeletionOptions()
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)


class MethodChoice(Protocol):
    """Options of a stage that say which methods it takes; see `Options`."""

    @property
    def methods(self) -> list[str] | None: ...  # noqa: D102 - see `Options`
    @property
    def exclude(self) -> list[str]: ...  # noqa: D102 - see `Options`
    @property
    def absolute(self) -> list[str]: ...  # noqa: D102 - see `Options`
    @property
    def options(self) -> dict[str, dict[str, Any]]: ...  # noqa: D102 - see `Options`


def problems_of(
    options: MethodChoice, explainers: Mapping[str, Iterable[str]], baselines: Mapping[str, str]
) -> Iterator[str]:
    """What is wrong with the methods and baselines that an experiment names, each as a sentence.

    Args:
        options: of the stage.
        explainers: names of baseline explainers, by the field that gives them.
        baselines: names of baselines, by the field that gives them.
    """
    known, given = methods(), dict(baselines)
    own = {"methods": options.methods or (), "exclude": options.exclude, "absolute": options.absolute}
    for field, names in {**explainers, **own, "options": options.options}.items():
        for name in names:
            if name not in known:
                yield f"{field}: got {name!r}; there is no such method. {suggest(name, known)}"
    # Options are used after training only, and a method that refuses them would look as if it could not explain.
    for name, method_options in options.options.items():
        for option, value in method_options.items():
            # A method that wraps another takes the other's options as well.
            if name in known and takes(name, "model") and not takes(name, option):
                yield f"options.{name}: there is no option {option!r}."
            if option == "baseline":
                given[f"options.{name}"] = value
    for field, value in given.items():
        try:
            if value != HISTORICAL_AVERAGE:
                baseline(value)
        except InputError as error:
            yield f"{field}.baseline: {error}"


def compared_methods(options: Options) -> list[str]:
    """The methods that are compared, by class name; baseline explainers last."""
    # Of explainers that call no model those are compared that are named: there are many, and they are no methods.
    chosen = [
        name
        for name, kind in methods().items()
        if (not issubclass(kind, BaselineExplainer) if options.methods is None else name in options.methods)
    ]
    # Baseline explainers are last in every table, whatever their names.
    explainers = [name for name in chosen if name not in options.exclude and name not in options.baselines]
    return explainers + [name for name in options.baselines if name not in options.exclude]


def score_method(
    run: Run, results: Results, method: str, indices: Sequence[int], options: Options
) -> Mapping[str, Any]:
    """The scores of one method, a number per sample and metric.

    Where a method needs a library that is not installed, or cannot explain this model, the result says so.
    """
    model, samples = run.model(), load(run, results, indices)
    # One sample tells, at little cost, whether the method can explain this model.
    first = load(run, results, indices[:1])[0]
    trial = make_explainer(run, model, method, first, options)
    try:
        trial(first.batch, target=first.target)
    except InputError as error:
        return {"excluded": str(error)}
    # Outside of the `except`: what goes wrong from here on is an error, and no reason to exclude the method.
    shared_explainer = make_explainer(run, model, method, samples[0], options)
    seconds = 0.0
    scores: dict[str, list[float]] = {}
    better: dict[str, bool] = {}
    bounds: dict[str, tuple[float, float]] = {}
    for part in samples:
        # A baseline of the windows' own shape belongs to one batch.
        explainer_of_part = (
            shared_explainer if part.historical_average is None else make_explainer(run, model, method, part, options)
        )
        comparison = compare(
            {method: explainer_of_part},
            sample_metrics(run, model, part, method, options),
            part.batch,
            target=part.target,
            progress=run.progress,
            resamples=1,  # intervals are computed once all methods are scored
        )
        # `compare` gives seconds per sample; batches may differ in size.
        seconds += (comparison.seconds or {})[method] * len(part.batch)
        better, bounds = dict(comparison.higher_is_better), dict(comparison.bounds)
        for metric, by_method in comparison.scores.items():
            scores.setdefault(metric, []).extend(by_method[method].tolist())
    return {"seconds": seconds / len(indices), "higher_is_better": better, "bounds": bounds, "scores": scores}


def make_explainer(run: Run, model: nn.Module, method: str, samples: Samples, options: Options) -> ExplainerLike:
    """A method with its options."""
    method_options = dict(options.options.get(method, {}))
    if method_options.get("groups") == "graph":
        graph = run.dataset("test").graph
        method_options["groups"] = {} if graph is None else dict(graph.groups)
    if method_options.get("baseline") == HISTORICAL_AVERAGE:
        method_options["baseline"] = _historical_average(samples)
    # The experiment's seed, where the method draws anything and its options fix none.
    if takes(method, "seed"):
        method_options.setdefault("seed", run.seed)
    # What is known before a sample is seen is known of the training split alone.
    if takes(method, "training"):
        method_options.setdefault("training", run.dataset("train"))
    return explainer(method, model, **method_options)


def importance_of(method: str, e: Explanation, options: Options) -> NDArray[np.floating[Any]]:
    """What a method localises by: where something mattered, not for or against what."""
    return np.abs(e.values) if method in options.absolute else e.importance


def sample_metrics(run: Run, model: nn.Module, samples: Samples, method: str, options: Options) -> list[SampleMetric]:
    """What a method is scored by."""
    metrics = [localisation_score(over, "auroc") for over in ("nodes", "frames", "positions")]
    metrics += [localisation_score("positions", "average_precision"), localisation_score("positions", "pointing")]
    # Deletion asks the model, localisation the ground truth, and Gini neither: three views of one explanation.
    deletion = options.deletion.model_dump()
    if deletion["baseline"] == HISTORICAL_AVERAGE:
        deletion["baseline"] = _historical_average(samples)
    metrics.append(complexity_score("gini"))
    if method in options.absolute:
        # Where something mattered has no sign.
        metrics = [replace(metric, measure=_by_magnitude(metric)) for metric in metrics]
    # What contributed to the target has one: values against it are masked last, whatever their size.
    signed = deletion_score(model, **deletion, target=samples.target, seed=run.seed)
    return [*metrics[:-1], signed, metrics[-1]]


def _by_magnitude(metric: SampleMetric) -> Callable[[Any, Explanation, Batch], ArrayLike]:
    return lambda explainer, e, batch: metric.measure(explainer, replace(e, values=np.abs(e.values)), batch)


def compare_scores(
    indices: Sequence[int],
    scored: Mapping[str, Mapping[str, Any]],
    baselines: Sequence[str],
    seed: int,
    groups: Any = None,
) -> dict[str, Any]:
    """The table and the tests against each baseline explainer, from the scores of the methods."""
    present = {method: scores for method, scores in scored.items() if "scores" in scores}
    excluded = {method: scores["excluded"] for method, scores in scored.items() if "excluded" in scores}
    # The baseline explainers alone are no comparison.
    if not any(name not in baselines for name in present):
        raise InputError(
            f"no method could be compared: {'; '.join(excluded.values())}. Expected one at least beside the baseline "
            "explainers: mend one, or list another."
        )
    first = next(iter(present.values()))
    comparison = Comparison(
        {
            metric: {method: np.array(scores["scores"][metric], np.float64) for method, scores in present.items()}
            for metric in first["scores"]
        },
        first["higher_is_better"],
        tuple(map(str, indices)),
        {method: float(scores["seconds"]) for method, scores in present.items()},
        seed=seed,
        bounds={metric: (low, high) for metric, (low, high) in first.get("bounds", {}).items()},
        groups=() if groups is None else tuple(group_names(groups, len(indices)).tolist()),
    )
    # Methods against each other would be many more tests, and a harsher correction.
    tests = comparison.tests([name for name in baselines if name in present])
    plain = comparison.to_dict()
    return {
        "methods": list(comparison.methods),
        "higher_is_better": dict(comparison.higher_is_better),
        "excluded": excluded,
        "best": {metric: comparison.best(metric) for metric in comparison.metrics},
        "table": plain["table"],
        # NaN is no JSON; a test of differences that are all zero has no p value.
        "tests": tests.astype(object).where(lambda frame: frame.notna(), None).to_dict("records"),
        "correction": comparison.correction,
        "groups": plain["groups"],
        # By whole groups of samples: what the verdict is made of.
        "paired": paired_with_each(comparison.scores[JUDGED], baselines, groups, seed=seed),
        "seconds_per_sample": plain["seconds"],
    }


def _historical_average(samples: Samples) -> Tensor:
    if samples.historical_average is None:
        raise InputError(
            f"baseline: got {HISTORICAL_AVERAGE!r} for recordings; expected it for series only. Use 'mean'."
        )
    return samples.historical_average
