"""Deletion and insertion curves over observations of the explained events; writes `deletion.csv`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.bench.claims import Claim, PairedTest
from stexplain.bench.figures import Figures
from stexplain.bench.html import number, paragraph, rounded, table
from stexplain.bench.run import FORECASTING, Run, Task
from stexplain.bench.shared.baseline_tests import (
    GRADIENT,
    RANDOM,
    beside_best,
    combined_tests,
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
from stexplain.bench.stage import Parts, Results, RunResults, Stage, Table, TextTable
from stexplain.bench.wording import as_label, with_names
from stexplain.cards import Count, Part, SeriesCard
from stexplain.files import atomic_write
from stexplain.metrics.deletion import KINDS, DeletionCurve, deletion_curve
from stexplain.progress import tracked
from stexplain.viz import deletion

SETS = ("explained", "random", "gain")
JUDGED = "deletion"
"""The kind of curve that verdicts are about."""
SHORT = "Masking in the order of {method} changes the forecast more than the gradient's and than what uses no model"
CHANGES = (
    "changes the forecast more than",
    "is not shown to change the forecast more than",
    "changes the forecast less than",
)


class Options(Part):
    """How the curves are measured.

    Attributes:
        steps: into how many shares the way from nothing to everything masked is cut.
        repeats: with how many random orders each is compared.
    """

    steps: Count = 10
    repeats: Count = 3


class DeletionStage(Stage[Options]):
    """How far the forecast moves as observations are masked by the historical average, the most important first."""

    title = "Faithfulness: deletion of observations"
    tasks = (FORECASTING,)
    Options = Options

    def needs(self, task: Task) -> tuple[str, ...]:
        """The explanations of events."""
        return ("events",)

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """The area under the curve of the change of the forecast, by method and kind of curve."""
        events = results["events"]
        if not events["explained"]:
            return {"deletion": {}, "tests": {}}
        chosen, model = events_of(run, events["explained"]), run.model()
        groups = event_groups(run.windows("test"), events["explained"])
        # The observations that lowered the forecast go first: a slowdown is explained.
        maps = lowering(saved_explanations(run, events["methods"]))
        # Method -> kind of curve -> set -> area with its interval.
        areas: dict[str, dict[str, Any]] = {}
        changes: dict[str, NDArray[np.float64]] = {}
        shared: dict[str, DeletionCurve] = {}
        tables = []
        # A curve takes seconds, which the progress bar counts.
        pairs = [(name, kind) for name in maps for kind in KINDS]
        for name, kind in tracked(pairs, len(pairs), f"deletion, {run.name}", run.progress):
            curve = deletion_curve(
                model,
                chosen.batch,
                maps[name],
                target=chosen.target,
                kind=kind,  # type: ignore[arg-type]  # of a literal type; KINDS holds its values
                steps=self.options.steps,
                repeats=0 if kind in shared else self.options.repeats,
                baseline=run.historical_average.in_window(chosen.batch),
                # The same random orders for every method.
                seed=run.seed,
            )
            # Random orders are the same for every method: the model goes through them once.
            curve = replace(curve, random=shared[kind].random) if kind in shared else curve
            shared.setdefault(kind, curve)
            if kind == JUDGED:
                changes[name] = curve.areas("explained", "change")
            areas.setdefault(name, {})[kind] = {
                which: curve.area(which, "change", groups=groups, seed=run.seed).to_dict() for which in SETS
            }
            # Curves of random orders are left out: the method Random stands for them in the figure.
            frame = curve.to_frame("change", groups=groups, seed=run.seed)
            tables.append(frame[frame["set"] == "explained"].assign(method=name))
        with atomic_write(run.folder / "deletion.csv") as temporary:
            pd.concat(tables).to_csv(temporary, index=False, float_format="%.6g")
        # The random orders that all are compared with are many; as an explainer chance has one.
        changes[RANDOM] = shared[JUDGED].areas("random", "change")
        return {"deletion": areas, "tests": compare_each(changes, BASELINES, groups, seed=run.seed)}

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """Change of the forecast against the share of observations that are masked."""
        assert isinstance(run.card, SeriesCard)
        areas = results[self.name]["deletion"]
        if areas:
            explained = results["events"]["explained"]
            frame = pd.read_csv(run.folder / "deletion.csv")
            figures.add(
                "",
                "Deletion and insertion of observations",
                f"Distance of the forecast from that of the unmasked window, mean over the {len(explained)} explained "
                "slowdowns. The baseline is the historical average. Of the baseline explainers, which use no model, "
                "the best is drawn.",
                deletion(
                    with_names(frame[frame["method"].isin(_shown(areas))]),
                    score=run.card.series.unit,
                    baseline_explainers=[as_label(name) for name in BASELINES],
                    title="Change of the forecast as observations are masked",
                ),
            )

    def section(self, runs: Sequence[RunResults]) -> str:
        """Mean change by method, beside random orders."""
        parts = []
        for run in runs:
            areas = run.stages[self.name]["deletion"]
            body = [
                [method, ranked_by(method), kind, *(number(areas[method][kind].get(which)) for which in SETS)]
                for method in _shown(areas)
                for kind in areas[method]
            ]
            if body:
                head = [
                    "method",
                    "ranked by",
                    "curve",
                    f"mean change, {run.unit}",
                    "random order",
                    "gain over random order",
                ]
                size = sizes([len(run.stages["events"]["explained"])])
                caption = f"Deletion and insertion (95% interval), {size}: {run.label}"
                parts.append(table(head, body, caption=caption))
        if not parts:
            return paragraph("No slowdown was explained, so none was masked.")
        return paragraph(
            "Deletion: observations are masked by the historical average of their sensor and time of day, in the order "
            "of importance. Insertion: all are masked and come back in that order. The change is the distance of the "
            "forecast from that of the unmasked window, averaged over the curve. In deletion a larger change is "
            "better, in insertion a smaller one. The gain is by how much the order of the method is better than a "
            "random one. Of the baseline explainers, which use no model, the best is shown; deletion.csv has all. "
            f"{RANKING}"
        ) + "".join(parts)

    def claims(self, run: RunResults) -> Iterator[Claim]:
        """Does the order of each method change the forecast more than chance, each baseline and the plain gradient?"""
        claim = "masking observations in the order of {method}"
        # Insertion says the same in the other direction, and is in the table.
        yield from event_claims(run, self.name, claim, CHANGES, partial(_beaten, run.unit), SHORT)

    def tables(self, runs: Sequence[RunResults]) -> Mapping[str, Table]:
        """All methods and baseline explainers."""
        rows = [
            {
                "run": run.name,
                "method": method,
                "baseline_explainer": method in BASELINES,
                "ranked_by": ranked_by(method),
                "curve": kind,
                "change": areas["explained"]["value"],
                "low": areas["explained"]["low"],
                "high": areas["explained"]["high"],
                "random_order": areas["random"]["value"],
                "events": len(run.stages["events"]["explained"]),
            }
            for run in runs
            for method, curves in run.stages[self.name]["deletion"].items()
            for kind, areas in curves.items()
        ]
        title = "Mean change of the forecast in deletion and insertion, all methods and baseline explainers"
        return {"deletion": Table(title, pd.DataFrame(rows))} if rows else {}

    def measures(self, run: RunResults) -> Mapping[str, Any]:
        """The gain of every method over random orders."""
        return {
            f"{kind} gain, {method}": areas.get("gain")
            for method, curves in run.stages[self.name]["deletion"].items()
            for kind, areas in curves.items()
        }

    def terminal(self, run: RunResults) -> Iterator[TextTable]:
        """Mean change of every method, and of the best baseline explainer."""
        areas = run.stages[self.name]["deletion"]
        rows = [
            [name, *(rounded(areas[name][JUDGED][which]["value"]) for which in ("explained", "random"))]
            for name in _shown(areas)
        ]
        if rows:
            yield TextTable("", ["explanation", f"deletion, {run.unit}", "random order"], rows)


def _shown(areas: Mapping[str, Any]) -> list[str]:
    """The methods, the best of the baseline explainers, and chance."""
    means = {name: curves[JUDGED]["explained"]["value"] for name, curves in areas.items() if name != RANDOM}
    best = strongest_of(means, BASELINES)
    return [name for name in areas if name not in BASELINES or name in (best, RANDOM)]


def _beaten(unit: str, results: Sequence[Mapping[str, Any]], method: str) -> tuple[list[PairedTest], str, str]:
    """What the order of a method must beat, and the mean changes over trainings that are compared."""
    tests, strongest = must_beat(combined_tests(results, method), chance={RANDOM: "a random order"})
    means = {
        name: float(np.mean([result["deletion"][name][JUDGED]["explained"]["value"] for result in results]))
        for name in dict.fromkeys([method, *strongest, GRADIENT])
        if all(name in result["deletion"] for result in results)
    }
    orders = float(np.mean([result["deletion"][method][JUDGED]["random"]["value"] for result in results]))
    means = {**means, "random orders": orders}
    what = f"mean change in {unit}"
    return tests, f"{what}: {means_in_words(means)}", beside_best(what, means, method)
