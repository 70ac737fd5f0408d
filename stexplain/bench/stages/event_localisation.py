"""Localisation of the ground truth by explanations of events, beside the baseline explainers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from stexplain.bench.claims import Claim, PairedTest, combined
from stexplain.bench.figures import Figures
from stexplain.bench.run import FORECASTING, Run, Task
from stexplain.bench.shared.baseline_tests import (
    GRADIENT,
    LOCALISES,
    RANDOM,
    beside_best,
    compare_each,
    event_claims,
    means_in_words,
    must_beat,
    sizes,
    strongest_of,
)
from stexplain.bench.shared.events import (
    BASELINES,
    RANKING,
    event_groups,
    events_of,
    lowering,
    ranked_by,
    saved_explanations,
)
from stexplain.bench.shared.localisation_scores import auroc_measures, scores_html, scores_table, with_intervals
from stexplain.bench.stage import NoOptions, Parts, Results, RunResults, Stage, Table, TextTable
from stexplain.bench.wording import as_label, with_names
from stexplain.metrics.localisation import localisation as score
from stexplain.viz import localisation

SHORT = "{method} finds the true sensors and times better than the gradient and than what uses no model"
OVER = {"nodes": "sensors", "frames": "times"}
CALLED = {**OVER, "positions": "sensors × times"}
"""What figure and table call nodes, frames and positions."""


class EventLocalisationStage(Stage[NoOptions]):
    """What lowered the forecast against the ground truth, beside the baseline explainers."""

    title = "Localisation against ground truth"
    tasks = (FORECASTING,)

    def needs(self, task: Task) -> tuple[str, ...]:
        """The explanations of events."""
        return ("events",)

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Scores of every method over sensors, times and both; none where there is no ground truth or no event."""
        events = results["events"]
        # Falls that are found in real observations have no known cause.
        if not events["explained"] or not run.windows("test").planted:
            return {"localisation": None}
        # Only observed positions take part: nothing can be said of a missing one.
        batch = events_of(run, events["explained"]).batch
        groups = event_groups(run.windows("test"), events["explained"])
        scores = {
            name: score(values, batch.truth, batch.observed)
            for name, values in lowering(saved_explanations(run, events["methods"])).items()
        }
        by_axis = {
            over: compare_each(
                {name: one.scores[over]["auroc"] for name, one in scores.items()}, BASELINES, groups, seed=run.seed
            )
            for over in OVER
        }
        methods = [name for name in scores if name not in BASELINES]
        return {
            "localisation": {name: with_intervals(one, run.seed, groups) for name, one in scores.items()},
            "tests": {name: {over: tests[name] for over, tests in by_axis.items()} for name in methods},
        }

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """All scores with their intervals."""
        scores = results[self.name]["localisation"]
        if scores:
            size = sizes([len(results["events"]["explained"])])
            figures.add(
                "",
                "Localisation against ground truth",
                f"Scores over sensors, over times, and over sensors × times, {size}. The "
                "baseline explainers use no model; those that are the best on an axis are drawn. Bars are 95% "
                "bootstrap intervals.",
                localisation(
                    with_names(scores_table(_shown(scores), CALLED)),
                    baseline_explainers=[as_label(name) for name in BASELINES],
                    title="Localisation against ground truth",
                ),
            )

    def section(self, runs: Sequence[RunResults]) -> str:
        """All scores."""
        scores = {run.label: _shown(run.stages[self.name]["localisation"]) for run in runs}
        samples = {run.label: sizes([len(run.stages["events"]["explained"])]) for run in runs}
        return scores_html(scores, CALLED, samples, sign=RANKING, ranked_by=ranked_by)

    def claims(self, run: RunResults) -> Iterator[Claim]:
        """Is each method better than chance, every baseline explainer and the gradient, over sensors and times?"""
        yield from event_claims(run, self.name, "{method}", LOCALISES, _beaten, SHORT)

    def tables(self, runs: Sequence[RunResults]) -> Mapping[str, Table]:
        """All methods and baseline explainers."""
        rows = [
            {
                "run": run.name,
                "method": method,
                "baseline_explainer": method in BASELINES,
                "ranked_by": ranked_by(method),
                "over": OVER.get(over, over),
                "measure": measure,
                **{end: found[end] for end in ("value", "low", "high")},
                "events": len(run.stages["events"]["explained"]),
            }
            for run in runs
            for method, axes in (run.stages[self.name]["localisation"] or {}).items()
            for over, measures in axes.items()
            for measure, found in measures.items()
        ]
        title = "Localisation of all methods and baseline explainers (synthetic data)"
        return {"event_localisation": Table(title, pd.DataFrame(rows))} if rows else {}

    def measures(self, run: RunResults) -> Mapping[str, Any]:
        """AUROC of every method over sensors, times and positions."""
        return auroc_measures(run.stages[self.name]["localisation"] or {})

    def terminal(self, run: RunResults) -> Iterator[TextTable]:
        """AUROC of every method."""
        by_method = _shown(run.stages[self.name]["localisation"]) or {}
        rows = [
            [name, *(f"{scores[axis]['auroc']['value']:.2f}" for axis in (*OVER, "positions"))]
            for name, scores in by_method.items()
        ]
        if rows:
            yield TextTable("", ["explanation", *(f"AUROC, {name}" for name in CALLED.values())], rows)


def _best(scores: Mapping[str, Any], over: str) -> str | None:
    """The baseline explainer whose AUROC is highest."""
    means = {
        name: axes[over]["auroc"]["value"]
        for name, axes in scores.items()
        if name != RANDOM and axes[over]["auroc"]["value"] is not None
    }
    return strongest_of(means, BASELINES)


def _shown(scores: Mapping[str, Any] | None) -> Any:
    """The scores without the baseline explainers that are the best on no axis; the CSV has all."""
    if not scores:
        return scores
    best = {_best(scores, over) for over in (*OVER, "positions")}
    return {name: axes for name, axes in scores.items() if name not in BASELINES or name in (*best, "Motion", RANDOM)}


def _beaten(results: Sequence[Mapping[str, Any]], method: str) -> tuple[list[PairedTest], str, str]:
    """What a method must beat on both axes, and the mean AUROCs over trainings that are compared."""
    tests: list[PairedTest] = []
    parts = []
    scores = [result["localisation"] for result in results]
    in_short = []
    for over, axis in OVER.items():
        pairs = combined([(result["tests"].get(method) or {}).get(over, ()) for result in results])
        found, strongest = must_beat(pairs, f" over {axis}")
        tests += found
        names = dict.fromkeys([method, RANDOM, *strongest, GRADIENT])
        means = {
            name: float(np.mean([each[name][over]["auroc"]["value"] for each in scores]))
            for name in names
            if all(name in each and each[name][over]["auroc"]["value"] is not None for each in scores)
        }
        parts += [f"over {axis} {means_in_words(means)}"] if found else []
        in_short += [beside_best(f"over {axis}", means, method)] if method in means else []
    return tests, f"AUROC {'; '.join(parts)}", f"AUROC {'; '.join(in_short)}"
