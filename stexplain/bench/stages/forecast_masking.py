"""Forecast error of the explained events as whole sensors are masked by their historical average."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from pydantic import Field

from stexplain.bench.figures import Figures
from stexplain.bench.html import listed, number, paragraph, table
from stexplain.bench.run import FORECASTING, Run, Task, tracked
from stexplain.bench.shared.events import event_groups, events_of, lowering, saved_explanations
from stexplain.bench.stage import Parts, Results, RunResults, Stage
from stexplain.bench.verdicts import SERIES_BASELINES, Outcome, compare_intervals, known, of_all, too_few
from stexplain.cards import Count, Part, SeriesCard, Share
from stexplain.metrics.faithfulness import SETS
from stexplain.metrics.forecast_masking import MEASURES, ForecastMaskingCurve, forecast_masking_curve
from stexplain.viz import masking_curves


class Options(Part):
    """What is masked, and by how much.

    Attributes:
        nodes: how many sensors are in each set.
        values: the masking values m, without 0, which is always measured.
    """

    nodes: Count = 3
    values: list[Share] = Field(default_factory=lambda: [0.25, 0.5, 0.75, 1.0])


class ForecastMaskingStage(Stage[Options]):
    """Error under masking of the most important sensors, the least important ones, and as many at random."""

    title = "Faithfulness: masking of sensors"
    tasks = (FORECASTING,)
    Options = Options

    def needs(self, task: Task) -> tuple[str, ...]:
        """The explanations of events."""
        return ("events",)

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Error and change of the explained forecasts at every masking value, and Eq. 7 on the error, by method."""
        events, test = results["events"], run.windows("test")
        # A small network may have fewer sensors than a set asks for.
        nodes = min(self.options.nodes, test.nodes)
        if not events["explained"]:
            return {"masking": {}, "nodes": nodes}
        chosen, model = events_of(run, events["explained"]), run.model()
        batch, averages = chosen.batch, run.historical_average.in_window(chosen.batch)
        targets = list(zip(chosen.node.tolist(), chosen.horizon, strict=True))
        # Of sensors that raised the forecast nothing is left: they are among the least important ones.
        maps = lowering(saved_explanations(run, events["methods"]))
        # Without an observation there is no error.
        rows = [row for row, (node, step) in enumerate(targets) if bool(batch.y_observed[row, step - 1, node])]
        options: dict[str, Any] = {"groups": event_groups([events["explained"][row] for row in rows]), "seed": run.seed}
        curves: dict[str, Any] = {}
        for name, values in tracked(maps.items(), len(maps), f"masking, {run.name}", run.progress):
            importance = values.mean((1, 2))  # [B, N]: sensors are masked as a whole
            # Event by event: each has its own target, and its own most important sensors.
            curve = ForecastMaskingCurve.joined(
                [
                    forecast_masking_curve(
                        model,
                        [batch[row : row + 1]],  # a slice keeps the axis of samples
                        importance[row],
                        nodes=nodes,
                        masking=self.options.values,
                        at=node,
                        horizon=horizon,
                        baseline=averages[row : row + 1],
                        seed=run.seed,
                    )
                    for row in rows
                    for node, horizon in [targets[row]]
                ]
            )
            curves[name] = {
                which: {
                    "masking": curve.masking.tolist(),
                    **{of: [score._asdict() for score in curve.interval(which, of, **options)] for of in MEASURES},
                    "beta": curve.faithfulness(which, **options)._asdict(),
                }
                for which in SETS
            }
        return {"masking": curves, "nodes": nodes}

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """Error against masking, a panel per method."""
        assert isinstance(run.card, SeriesCard)
        result = results[self.name]
        if result["masking"]:
            figures.add(
                "",
                "Forecast error under masking of sensors",
                f"Error of the explained forecasts as {result['nodes']} sensors move to their historical average: the "
                "most important ones by each method (highlighted), the least important ones, and as many at random. "
                "Bands are 95% bootstrap intervals.",
                masking_curves(
                    curves_table(result["masking"]),
                    panel="method",
                    measure="error",
                    unit=run.card.series.unit,
                    columns=3,
                    title="Forecast error under masking of sensors",
                ),
            )

    def section(self, runs: Sequence[RunResults]) -> str:
        """The error at the strongest masking, by set of sensors."""
        parts = []
        for run in runs:
            result = run.stages[self.name]
            body = [
                [method, *(number(sets[which]["error"][-1]) for which in ("highlighted", "random", "least"))]
                for method, sets in result["masking"].items()
            ]
            if not body:
                continue
            # Unmasked, the error is that of every method.
            first = next(iter(result["masking"].values()))["highlighted"]["error"][0]
            parts.append(
                paragraph(
                    f"Error of the explained forecasts with {result['nodes']} sensors masked by their historical "
                    f"average. Unmasked, it is {number(first)} {run.unit}."
                )
            )
            head = ["method", f"highlighted masked, {run.unit}", "random sensors masked", "least important masked"]
            parts.append(table(head, body, caption=f"Forecast error under masking (95% interval): {run.label}"))
        return "".join(parts) or paragraph("No slowdown was explained, so none was masked.")

    def verdicts(self, run: RunResults) -> Iterator[tuple[str, Outcome]]:
        """Does masking the sensors that an explainer highlights cost more than random ones and the baselines' ones?"""
        curves = run.stages[self.name]["masking"]

        def error(method: str, which: str) -> Mapping[str, Any]:
            last: Mapping[str, Any] = curves[method][which]["error"][-1]
            return last

        baselines = [name for name in SERIES_BASELINES if name in curves]
        by_outcome: dict[bool, list[str]] = {True: [], False: []}
        for method in curves:
            if method in SERIES_BASELINES:
                continue
            # At the strongest masking, where the sets differ most.
            ours = error(method, "highlighted")
            # Random nodes test the ranking, baseline explainers whether the model is needed for it.
            others = [error(method, "random"), *(error(name, "highlighted") for name in baselines)]
            if all(known(score) for score in (ours, *others)):
                against = listed([f"{score['value']:.2f}" for score in others])
                larger = all(compare_intervals(ours, score) > 0 for score in others)
                by_outcome[larger].append(f"{method} {ours['value']:.2f} against {against}")
        # Intervals are missing where a single event was explained.
        if not any(by_outcome.values()):
            return
        judged = of_all(by_outcome[True], by_outcome[False])
        names = listed(["random ones", *(f"those by {SERIES_BASELINES[name]}" for name in baselines)])
        details = "; ".join(by_outcome[True] or by_outcome[False])
        details += f"; not for {'; '.join(by_outcome[False])}" if judged == "inconclusive" else ""
        whom = {"supported": "every explainer", "not supported": "no explainer", "inconclusive": "some explainers only"}
        nodes = run.stages[self.name]["nodes"]
        text = (
            f"For {whom[judged]}, masking the {nodes} sensors that it ranks first causes a larger error than masking "
            f"{names} (error in {run.unit}: {details})."
        )
        yield too_few(text, judged, len(run.stages["events"]["explained"]))

    def measures(self, run: RunResults) -> Mapping[str, Any]:
        """Error at the strongest masking, by method and set of sensors."""
        return {
            f"error with {which} masked, {method}": sets[which]["error"][-1]
            for method, sets in run.stages[self.name]["masking"].items()
            for which in SETS
        }


def curves_table(curves_by_method: Mapping[str, Any]) -> pd.DataFrame:
    """The errors as rows of ``method, set, masking, error, low, high``."""
    return pd.DataFrame(
        [
            {"method": method, "set": which, "masking": m, "error": e["value"], "low": e["low"], "high": e["high"]}
            for method, sets in curves_by_method.items()
            for which, curve in sets.items()
            for m, e in zip(curve["masking"], curve["error"], strict=True)
        ]
    )
