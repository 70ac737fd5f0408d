"""Deletion and insertion curves over observations of the explained events; writes `deletion.csv`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from stexplain.bench.figures import Figures
from stexplain.bench.html import listed, number, paragraph, table
from stexplain.bench.run import FORECASTING, Run, Task, tracked
from stexplain.bench.shared.events import event_groups, events_of, lowering, saved_explanations
from stexplain.bench.stage import Parts, Results, RunResults, Stage, TextTable
from stexplain.bench.verdicts import SERIES_BASELINES, Outcome, compare_intervals, known, of_all, too_few
from stexplain.cards import Count, Part, SeriesCard
from stexplain.files import atomic_write
from stexplain.metrics.deletion import KINDS, deletion_curve
from stexplain.viz import deletion

SETS = ("explained", "random", "gain")


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
            return {"deletion": {}}
        chosen, model = events_of(run, events["explained"]), run.model()
        groups = event_groups(events["explained"])
        # The observations that lowered the forecast go first: a slowdown is explained.
        maps = lowering(saved_explanations(run, events["methods"]))
        # Method -> kind of curve -> set -> area with its interval.
        areas: dict[str, dict[str, Any]] = {}
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
                repeats=self.options.repeats,
                baseline=run.historical_average.in_window(chosen.batch),
                # The same random orders for every method.
                seed=run.seed,
            )
            areas.setdefault(name, {})[kind] = {
                which: curve.area(which, "change", groups=groups, seed=run.seed)._asdict() for which in SETS
            }
            # Curves of random orders are left out: the method Random stands for them in the figure.
            frame = curve.to_frame("change", seed=run.seed)
            tables.append(frame[frame["set"] == "explained"].assign(method=name))
        with atomic_write(run.folder / "deletion.csv") as temporary:
            pd.concat(tables).to_csv(temporary, index=False, float_format="%.6g")
        return {"deletion": areas}

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """Change of the forecast against the share of observations that are masked."""
        assert isinstance(run.card, SeriesCard)
        if results[self.name]["deletion"]:
            figures.add(
                "",
                "Deletion and insertion of observations",
                "Distance of the forecast from that of the unmasked window, mean over the explained slowdowns. The "
                "baseline is the historical average.",
                deletion(
                    pd.read_csv(run.folder / "deletion.csv"),
                    score=run.card.series.unit,
                    title="Change of the forecast as observations are masked",
                ),
            )

    def section(self, runs: Sequence[RunResults]) -> str:
        """Mean change by method, beside random orders."""
        parts = []
        for run in runs:
            body = [
                [method, kind, *(number(areas.get(which)) for which in SETS)]
                for method, curves in run.stages[self.name]["deletion"].items()
                for kind, areas in curves.items()
            ]
            if body:
                head = ["method", "curve", f"mean change, {run.unit}", "random order", "gain over random order"]
                parts.append(table(head, body, caption=f"Deletion and insertion (95% interval): {run.label}"))
        if not parts:
            return paragraph("No slowdown was explained, so none was masked.")
        return paragraph(
            "Deletion: observations are masked by the historical average of their sensor and time of day, in the order "
            "of importance. Insertion: all are masked and come back in that order. The change is the distance of the "
            "forecast from that of the unmasked window, averaged over the curve. In deletion a larger change is "
            "better, in insertion a smaller one. The gain is by how much the order of the method is better than a "
            "random one."
        ) + "".join(parts)

    def verdicts(self, run: RunResults) -> Iterator[tuple[str, Outcome]]:
        """Does the order of each explainer change the forecast more than a random order, and than motion's?"""
        by_method = run.stages[self.name]["deletion"]
        areas = {name: curves["deletion"] for name, curves in by_method.items() if "deletion" in curves}
        # Insertion says the same in the other direction, and is in the table.
        ours = {name: area for name, area in areas.items() if name not in SERIES_BASELINES and known(area.get("gain"))}
        if not ours:
            return
        by_outcome: dict[bool, list[str]] = {True: [], False: []}
        for name, area in ours.items():
            means = f"{name} {area['explained']['value']:.2f} against {area['random']['value']:.2f}"
            # Clear where the interval of the gain over random orders does not reach zero.
            by_outcome[area["gain"]["low"] > 0].append(means)
        judged = of_all(by_outcome[True], by_outcome[False])
        claim = "masking observations in its order changes the forecast more than in a random order"
        details = "; ".join(by_outcome[True] or by_outcome[False])
        details += f"; not for {'; '.join(by_outcome[False])}" if judged == "inconclusive" else ""
        whom = {"supported": "every explainer", "not supported": "no explainer", "inconclusive": "some explainers only"}
        text = f"For {whom[judged]}, {claim} (mean change in {run.unit}: {details})."
        motion = areas.get("Motion", {}).get("explained")
        if known(motion):
            above = [name for name, area in ours.items() if compare_intervals(area["explained"], motion) > 0]
            names = listed(above) or "none"
            text += f" Larger than by temporal change, which uses no model ({motion['value']:.2f}): {names}."
            # A method that moves the forecast no more than what moves anyway shows nothing of the model.
            if judged == "supported" and len(above) < len(ours):
                judged = "inconclusive"
        yield too_few(text, judged, len(run.stages["events"]["explained"]))

    def measures(self, run: RunResults) -> Mapping[str, Any]:
        """The gain of every method over random orders."""
        return {
            f"{kind} gain, {method}": areas.get("gain")
            for method, curves in run.stages[self.name]["deletion"].items()
            for kind, areas in curves.items()
        }

    def terminal(self, run: RunResults) -> Iterator[TextTable]:
        """Mean change of every method."""
        rows = [
            [name, *(f"{curves['deletion'][which]['value']:.2f}" for which in ("explained", "random"))]
            for name, curves in run.stages[self.name]["deletion"].items()
        ]
        if rows:
            yield TextTable("", ["explanation", f"deletion, {run.unit}", "random order"], rows)
