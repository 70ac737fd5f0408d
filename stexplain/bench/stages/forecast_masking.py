"""Forecast error of the explained events as whole sensors are masked by their historical average."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from stexplain.bench.claims import Claim, PairedTest, paired_test
from stexplain.bench.figures import Figures
from stexplain.bench.html import number, paragraph, table
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
from stexplain.bench.stage import Parts, Results, RunResults, Stage, Table
from stexplain.bench.wording import with_names
from stexplain.cards import Count, Part, SeriesCard, Share
from stexplain.errors import InputError
from stexplain.metrics.faithfulness import SETS
from stexplain.metrics.forecast_masking import MEASURES, ForecastMaskingCurve, forecast_masking_curve
from stexplain.metrics.masking import masking_steps
from stexplain.progress import tracked
from stexplain.viz import masking_curves

SHOWN = ("highlighted", "random", "least")
CHANCE = {"random": "random sensors", "least": "the least important sensors"}
"""Sets that need no other method -> what they are called."""
SHORT = "Masking the sensors that {method} ranks first costs more than the gradient's and than what uses no model"
COSTS = (
    "causes a larger error than masking",
    "is not shown to cause a larger error than masking",
    "causes a smaller error than masking",
)


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

    def check(self, run: Run) -> Iterator[str]:
        """Values of m must ascend."""
        try:
            masking_steps(self.options.values)
        except InputError as error:
            yield f"values: {error}"

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Error and change of the explained forecasts at every masking value, and Eq. 7 on the error, by method."""
        events, test = results["events"], run.windows("test")
        # A small network may have fewer sensors than a set asks for.
        nodes = min(self.options.nodes, test.nodes)
        if not events["explained"]:
            return {"masking": {}, "tests": {}, "nodes": nodes}
        chosen, model = events_of(run, events["explained"]), run.model()
        batch, averages = chosen.batch, run.historical_average.in_window(chosen.batch)
        targets = list(zip(chosen.node.tolist(), chosen.horizon, strict=True))
        # Of sensors that raised the forecast nothing is left: they are among the least important ones.
        maps = lowering(saved_explanations(run, events["methods"]))
        # Without an observation there is no error.
        rows = [row for row, (node, step) in enumerate(targets) if bool(batch.y_observed[row, step - 1, node])]
        groups = event_groups(run.windows("test"), [events["explained"][row] for row in rows])
        options: dict[str, Any] = {"groups": groups, "seed": run.seed}
        curves: dict[str, Any] = {}
        areas: dict[str, NDArray[np.float64]] = {}
        own_sets: dict[str, dict[str, NDArray[np.float64]]] = {}
        random: ForecastMaskingCurve | None = None
        for name, values in tracked(maps.items(), len(maps), f"masking, {run.name}", run.progress):
            importance = values.mean((1, 2))  # [B, N]: sensors are masked as a whole
            # Random sensors are the same for every method, and the least important ones count of methods alone.
            sets = [which for which in SETS if which == "highlighted" or name not in BASELINES]
            sets = [which for which in sets if which != "random" or random is None]
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
                        sets=sets,
                    )
                    for row in rows
                    for node, horizon in [targets[row]]
                ]
            )
            random = curve if random is None else random
            curve = replace(curve, sums={**curve.sums, "random": random.sums["random"]})
            curves[name] = {
                which: {
                    "masking": curve.masking.tolist(),
                    **{of: [score.to_dict() for score in curve.interval(which, of, **options)] for of in MEASURES},
                    "beta": curve.faithfulness(which, **options).to_dict(),
                    "area": float(curve.areas(which).mean()),
                }
                for which in SETS
                if which in curve.sums
            }
            areas[name] = curve.areas("highlighted")
            own_sets[name] = {which: curve.areas(which) for which in CHANCE if which in curve.sums}
        # As an explainer, chance would mask other random sensors than the set that all are compared with.
        areas.pop(RANDOM, None)
        tests = compare_each(areas, BASELINES, options["groups"], seed=run.seed)
        for name, found in tests.items():
            found += [
                paired_test(which, areas[name] - values, options["groups"], seed=run.seed)
                for which, values in own_sets[name].items()
            ]
        return {"masking": curves, "tests": tests, "nodes": nodes, "events": len(rows)}

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """Error against masking, a panel per method."""
        assert isinstance(run.card, SeriesCard)
        result = results[self.name]
        if result["masking"]:
            shown = {name: result["masking"][name] for name in _shown(result["masking"])}
            figures.add(
                "",
                "Forecast error under masking of sensors",
                f"Error of {result['events']} explained forecasts as {result['nodes']} sensors move to their "
                "historical average: the most important ones by each method (highlighted), the least important ones, "
                "and as many at random. Of the baseline explainers, which use no model, the best is drawn. Bands are "
                "95% bootstrap intervals.",
                masking_curves(
                    with_names(curves_table(shown)),
                    panel="method",
                    measure="error",
                    unit=run.card.series.unit,
                    columns=3,
                    node="sensor",
                    title="Forecast error under masking of sensors",
                ),
            )

    def section(self, runs: Sequence[RunResults]) -> str:
        """The error at the strongest masking, by set of sensors."""
        parts = []
        for run in runs:
            result = run.stages[self.name]
            if not result["masking"]:
                continue
            body = [
                [
                    method,
                    ranked_by(method),
                    *(number((sets.get(which) or {"error": [None]})["error"][-1]) for which in SHOWN),
                    number(sets["highlighted"]["area"]),
                ]
                for method in _shown(result["masking"])
                for sets in [result["masking"][method]]
            ]
            # Unmasked, the error is that of every method.
            first = next(iter(result["masking"].values()))["highlighted"]["error"][0]
            parts.append(
                paragraph(
                    f"Error of {result['events']} explained forecasts with {result['nodes']} sensors masked by their "
                    f"historical average. Unmasked, it is {number(first)} {run.unit}. The last column is the mean "
                    "error over all masking values, which the tests compare. Of the baseline explainers, which use no "
                    f"model, the best is shown; forecast_masking.csv has all. {RANKING}"
                )
            )
            head = [
                "method",
                "ranked by",
                f"highlighted masked, {run.unit}",
                "random sensors masked",
                "least important masked",
            ]
            head.append("highlighted, mean over masking")
            size = sizes([result["events"]])
            caption = f"Forecast error under masking (95% interval), {size}: {run.label}"
            parts.append(table(head, body, caption=caption))
        return "".join(parts) or paragraph("No slowdown was explained, so none was masked.")

    def claims(self, run: RunResults) -> Iterator[Claim]:
        """Does masking what a method ranks first cost more than random and least important sensors, and the others'?"""
        nodes = (run.stages[self.name] or {}).get("nodes")
        claim = f"masking the {nodes} sensors that {{method}} ranks first"
        yield from event_claims(run, self.name, claim, COSTS, partial(_beaten, run.unit), SHORT)

    def tables(self, runs: Sequence[RunResults]) -> Mapping[str, Table]:
        """All methods and baseline explainers, at every masking."""
        rows = [
            {
                "run": run.name,
                "method": method,
                "baseline_explainer": method in BASELINES,
                "ranked_by": ranked_by(method),
                "set": which,
                "masking": m,
                "error": error["value"],
                "low": error["low"],
                "high": error["high"],
                "events": run.stages[self.name]["events"],
            }
            for run in runs
            for method, sets in run.stages[self.name]["masking"].items()
            for which, curve in sets.items()
            for m, error in zip(curve["masking"], curve["error"], strict=True)
        ]
        title = "Forecast error under masking of sensors, all methods and baseline explainers"
        return {"forecast_masking": Table(title, pd.DataFrame(rows))} if rows else {}

    def measures(self, run: RunResults) -> Mapping[str, Any]:
        """Error at the strongest masking, by method and set of sensors."""
        return {
            f"error with {which} masked, {method}": sets[which]["error"][-1]
            for method, sets in run.stages[self.name]["masking"].items()
            for which in SETS
            if which in sets
        }


def _shown(curves: Mapping[str, Any]) -> list[str]:
    """The methods and the best of the baseline explainers."""
    means = {name: sets["highlighted"]["area"] for name, sets in curves.items() if name != RANDOM}
    best = strongest_of(means, BASELINES)
    return [name for name in curves if name not in BASELINES or name == best]


def _beaten(unit: str, results: Sequence[Mapping[str, Any]], method: str) -> tuple[list[PairedTest], str, str]:
    """What a method's sensors must beat, and the mean errors over masking values and trainings that are compared."""
    tests, strongest = must_beat(combined_tests(results, method), chance=CHANCE, those="those of ")

    def mean(name: str, which: str = "highlighted") -> float:
        return float(np.mean([result["masking"][name][which]["area"] for result in results]))

    names = dict.fromkeys([method, *strongest, GRADIENT])
    means = {name: mean(name) for name in names if all(name in result["masking"] for result in results)}
    means |= {words: mean(method, which) for which, words in CHANCE.items()}
    numbers = f"mean error in {unit} over the masking values: {means_in_words(means)}"
    return tests, numbers, beside_best(f"mean error in {unit}", means, method)


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
