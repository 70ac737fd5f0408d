"""Scores of methods against two truths of generated data: the planted one, and the effect on the model at hand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stexplain.bench.run import FORECASTING, Run
from stexplain.bench.shared import method_scores
from stexplain.bench.shared.method_scores import compared_methods, importance_of, make_explainer
from stexplain.bench.shared.predictions import load_predictions
from stexplain.bench.shared.samples import Samples, draw, load
from stexplain.bench.stage import Results
from stexplain.bench.wording import with_baseline
from stexplain.cards import Count, Part
from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.by_name import methods, takes
from stexplain.files import atomic_write
from stexplain.metrics.comparison.baselines import BASELINE_EXPLAINERS, SERIES_BASELINE_EXPLAINERS
from stexplain.metrics.localisation import localisation
from stexplain.metrics.truth.agreement import effect_agreement
from stexplain.metrics.truth.effect import Effect, effect
from stexplain.metrics.truth.inferences import counted_inferences
from stexplain.metrics.truth.regions import Regions, members_of
from stexplain.progress import tracked

FILE = "effect.npz"
LEVELS = ("nodes", "parts")
"""Effects are of single nodes, and of the groups of the graph, such as body parts."""
SCORES = ("planted_nodes", "planted_frames", "planted_positions", "effect_nodes", "effect_positions", "effect_rank")
"""The scores that `tables/truth.csv` holds: AUROC, and of `effect_rank` Spearman's correlation."""
DETAILS = ("planted_precision", "effect_precision", "parts", "part_positions", "part_rank")
"""Average precision over positions, and the same scores at the level of parts."""


class Options(Part):
    """Which methods are scored, on how many samples.

    Attributes:
        per_class: how many correctly classified test clips of each class.
        events: how many events of a series.
        windows: into how many windows of time a sample is divided.
        baseline_explainers: explainers that use no model; none: all there are for such data, and random attribution.
        methods: only these, beside the baseline explainers; none: all there are.
        exclude: methods that are not scored.
        absolute: methods whose importance is the absolute value of what they give: their sign says which way the score
            moves, and where something was used has none.
        baselines: what replaces what is masked: every method that has this option is scored with each, unless `options`
            gives it one. Empty: its default.
        options: method -> its options; see the comparison of methods.
    """

    per_class: Count = 5
    events: Count = 40
    windows: Count = 8
    baseline_explainers: list[str] | None = None
    methods: list[str] | None = None
    exclude: list[str] = Field(default_factory=list)
    absolute: list[str] = Field(default_factory=list)
    baselines: list[str] = Field(default_factory=list)
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Row(NamedTuple):
    """A method that is scored, with one baseline.

    Attributes:
        method: its class name.
        baseline: what replaces what it masks; empty where it masks nothing.
        baseline_explainer: whether it uses no model.
        options: as of the comparison of methods, for this one.
    """

    method: str
    baseline: str
    baseline_explainer: bool
    options: method_scores.Options

    @property
    def name(self) -> str:
        """The name of the row, which is that of its record."""
        return with_baseline(self.method, self.baseline)


def rows(run: Run, options: Options) -> list[Row]:
    """The methods that are scored; baseline explainers last."""
    series = run.task == FORECASTING
    baseline_explainers = options.baseline_explainers or [
        *(SERIES_BASELINE_EXPLAINERS if series else BASELINE_EXPLAINERS),
        "Random",
    ]
    chosen = method_scores.Options(
        baselines=baseline_explainers, methods=options.methods, exclude=options.exclude, absolute=options.absolute
    )
    result = []
    for method in compared_methods(chosen):
        own = dict(options.options.get(method, {}))
        given = own.get("baseline")
        replaced: list[str | None] = [None]
        if takes(method, "baseline") and "baseline" not in own and options.baselines:
            replaced = list(options.baselines)
        for baseline in replaced:
            changed = own if baseline is None else {**own, "baseline": baseline}
            name = baseline or given or _default_baseline(method)
            # Only what `make_explainer` reads: the options of this method, and whose values are absolute.
            row_options = chosen.model_copy(update={"options": {method: changed}})
            result.append(Row(method, str(name or ""), method in baseline_explainers, row_options))
    return result


def _default_baseline(method: str) -> str:
    """The baseline that a method takes of itself."""
    for base in methods()[method].__mro__:
        parameter = signature(base).parameters.get("baseline") if "__init__" in vars(base) else None
        if parameter is not None:
            return parameter.default if isinstance(parameter.default, str) else ""
    return ""


def draw_samples(run: Run, results: Results, options: Options) -> dict[str, Any]:
    """The samples that are explained: as many correctly classified test clips of each class, or events.

    A clip in which nothing is planted is excluded, or every node: over nodes nothing could be right, or wrong.

    Returns:
        Plain JSON: ``indices``, the class of each as ``labels``, and the classes that are ``left_out``.
    """
    if run.task == FORECASTING:
        found = draw(run, results, options.events)
        return {"indices": found["indices"], "labels": [], "left_out": []}
    clips = run.clips("test")
    _, correct = load_predictions(run)
    random, indices, left_out = np.random.default_rng(run.seed), [], []
    for label, name in enumerate(clips.classes):
        # A permutation cut short: more clips of a class include those of fewer.
        candidates = random.permutation(np.flatnonzero((clips.labels == label) & correct)).tolist()
        taken = []
        for index in candidates:
            truth = np.asarray(clips[index].truth)  # [M, T, N]
            if truth.any() and not truth.any((0, 1)).all():
                taken.append(index)
            if len(taken) == options.per_class:
                break
        indices += taken
        left_out += [name] if candidates and not taken else []
    if not indices:
        raise InputError(
            f"the model of the run {run.name!r} classifies no test clip with a cause correctly. Train it for longer."
        )
    chosen = sorted(indices)
    return {"indices": chosen, "labels": [int(clips.labels[index]) for index in chosen], "left_out": left_out}


def has_counterfactual(run: Run) -> bool:
    """Whether the generator of the test data says what each sample would be without its cause."""
    # A part of a series need not hold an event.
    if run.task == FORECASTING and not run.windows("test").planted:
        return False
    try:
        if run.task == FORECASTING:
            test = run.windows("test")
            test.events_batch(test.events.index[:1].to_numpy(), counterfactual=True)
        else:
            run.clips("test").counterfactual()
    except InputError:
        return False
    return True


def measure_effect(run: Run, results: Results, drawn: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """Measures the effect, of nodes and of parts, and writes it to the folder of the run.

    Returns:
        What it took and found: inferences per sample, the share of planted regions that the model used in each, and
        whether it predicts the class of each all the same where all of the cause is replaced; of events none.
    """
    model, arrays = run.model(), dict[str, list[NDArray[Any]]]()
    shares: list[float] = []
    parts = load(run, results, drawn["indices"])
    levels = _levels(run)
    start = 0
    for samples in tracked(parts, len(parts), f"effect, {run.name}", run.progress):
        count = len(samples.batch)
        other = _counterfactual(run, results, samples, drawn["indices"][start : start + count])
        start += count
        for level, groups in levels.items():
            found = effect(model, samples.batch, other, target=samples.target, windows=options.windows, groups=groups)
            for name in ("values", "before", "after", "classes", "inferences"):
                arrays.setdefault(f"{level}_{name}", []).append(getattr(found, name))
            if level == LEVELS[0]:
                planted = found.regions.any(_truth(samples.batch))
                both = (found.used() & planted).sum((1, 2)) / np.maximum(planted.sum((1, 2)), 1)
                shares += np.where(planted.any((1, 2)), both, np.nan).tolist()
    joined: dict[str, Any] = {name: np.concatenate(each) for name, each in arrays.items()}
    with atomic_write(run.folder / FILE) as temporary:
        np.savez(temporary, **joined)
    inferences = {level: float(joined[f"{level}_inferences"].mean()) for level in levels}
    # A margin above zero: the class keeps more than half of the probability.
    kept = [] if run.task == FORECASTING else (joined[f"{LEVELS[0]}_after"] > 0).tolist()
    return {"used": shares, "inferences": inferences, "levels": list(levels), "kept": kept}


def score_row(run: Run, results: Results, row: Row, drawn: Mapping[str, Any], options: Options) -> Mapping[str, Any]:
    """The scores of one method against both truths, a number per sample, and what it costs.

    Where it needs a library that is not installed, or cannot explain this model, the result says so.
    """
    model, parts = run.model(), load(run, results, drawn["indices"])
    explain = make_explainer(run, model, row.method, parts[0], row.options)
    # What is measured once of a model, such as its layout, is no part of the cost of a sample. Where no batch is of
    # the kind of an earlier one, whose explanation has measured it, two samples are explained before.
    kinds = {tuple(samples.batch.x.shape[1:]) for samples in parts}
    if len(kinds) == len(parts) or parts[0].historical_average is not None:
        first = load(run, results, drawn["indices"][:2])[0]
        explain = make_explainer(run, model, row.method, first, row.options)
        try:
            explain(first.batch, target=first.target)
        except InputError as error:
            return {"excluded": str(error)}
    scores: dict[str, list[float]] = {name: [] for name in (*SCORES, *DETAILS)}
    costs: list[float] = []
    for samples, effects in zip(parts, _effects(run, parts, options), strict=True):
        if samples.historical_average is not None:
            # A baseline of the windows' own shape belongs to one batch.
            explain = make_explainer(run, model, row.method, samples, row.options)
        try:
            with counted_inferences(model) as counted:
                e = explain(samples.batch, target=samples.target)
        except InputError as error:
            if costs:
                raise
            return {"excluded": str(error)}
        costs.append(counted.per_sample(samples.batch.x.numel()))
        importance = importance_of(row.method, e, row.options)
        for name, values in _scores(importance, samples.batch, effects):
            scores[name] += values.tolist()
    # The least of the batches: in another, clips of more persons may have had their layout measured anew.
    return {"scores": scores, "inferences": min(costs)}


def _scores(importance: Any, batch: Batch, effects: Mapping[str, Effect]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """The scores of a map by name, ``[B]`` each."""
    truth = _truth(batch)
    planted = localisation(importance, truth, batch.present.cpu().numpy()).scores
    for over in ("nodes", "frames", "positions"):
        yield f"planted_{over}", planted[over]["auroc"]
    yield "planted_precision", planted["positions"]["average_precision"]
    for level, names in zip(LEVELS, (SCORES[3:], DETAILS[2:]), strict=True):
        if level not in effects:
            yield from ((name, np.full(len(batch), np.nan)) for name in names)
            continue
        found = effect_agreement(importance, effects[level], planted=truth).scores
        of_groups, of_regions, rank = names
        yield of_groups, found["groups"]["auroc"]
        yield of_regions, found["regions"]["auroc"]
        yield rank, found["regions"]["rank"]
        if level == LEVELS[0]:
            yield "effect_precision", found["regions"]["average_precision"]


def _truth(batch: Batch) -> NDArray[np.bool_]:
    assert batch.truth is not None
    truth: NDArray[np.bool_] = batch.truth.cpu().numpy().astype(np.bool_)
    return truth


def _levels(run: Run) -> dict[str, Any]:
    """The groups of each level; none: single nodes. A graph may have no groups."""
    graph = run.dataset("test").graph
    groups = {} if graph is None else {name: list(nodes) for name, nodes in graph.groups.items() if len(nodes)}
    return {LEVELS[0]: None, **({LEVELS[1]: groups} if groups else {})}


def _counterfactual(run: Run, results: Results, samples: Samples, indices: Sequence[int]) -> Batch:
    """The same samples without their cause."""
    if run.task == FORECASTING:
        explained = results["events"]["explained"]
        numbers = np.array([explained[index]["event"] for index in indices])
        return run.windows("test").events_batch(numbers, counterfactual=True)
    batch = run.clips("test").counterfactual().batch(list(indices))
    # Instances that no clip of the batch has are left out of the samples.
    count = samples.batch.x.shape[1]
    truth = None if batch.truth is None else batch.truth[:, :count]
    return replace(samples.batch, x=batch.x[:, :count], truth=truth)


def _effects(run: Run, parts: Sequence[Samples], options: Options) -> Iterator[dict[str, Effect]]:
    """The effects that `measure_effect` wrote, batch by batch."""
    levels, start = _levels(run), 0
    # No pickle: a run folder of unknown origin must not run code.
    with np.load(run.folder / FILE, allow_pickle=False) as file:
        arrays = dict(file)
    names = _node_names(run)
    for samples in parts:
        batch = samples.batch
        chosen = slice(start, start + len(batch))
        start += len(batch)
        observed = batch.present.cpu().numpy()
        of = partial(Regions.of, observed, options.windows)
        result = {}
        for level, groups in levels.items():
            regions = of(members_of(groups, names, observed.shape[3]))
            each = {name: arrays[f"{level}_{name}"][chosen] for name in ("values", "before", "after", "classes")}
            taken = arrays[f"{level}_inferences"][chosen]
            result[level] = Effect(**each, regions=regions, ids=tuple(batch.ids), inferences=taken, score="")
        yield result


def _node_names(run: Run) -> Sequence[str]:
    graph = run.dataset("test").graph
    return () if graph is None else graph.nodes
