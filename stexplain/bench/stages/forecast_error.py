"""Forecast errors on the test split, beside persistence and the historical average."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from stexplain.bench.figures import Figures
from stexplain.bench.html import items, number, paragraph, table
from stexplain.bench.run import FORECASTING, Run
from stexplain.bench.stage import Card, Parts, Results, RunResults, Stage, Table, TextTable
from stexplain.bench.verdicts import Outcome, compare_intervals, known, outcome
from stexplain.cards import Count, Part, SeriesCard
from stexplain.training import ForecastEvaluation, evaluate_forecast, historical_average, persistence
from stexplain.training.forecast import METRICS
from stexplain.viz import horizon_errors

MODEL = "model"
"""The name of the model's own forecasts in the results."""
BASELINES = ("persistence", "historical average")
"""Forecasts that learn nothing of the graph; a model that is no better is not worth explaining."""


class Options(Part):
    """At which steps ahead errors are reported."""

    horizons: Annotated[list[Count], Field(min_length=1)]


class ForecastErrorStage(Stage[Options]):
    """MAE, RMSE and MAPE of the model and of simple forecasts, and the differences between them.

    Its figure, summary and CSV show the `errors` of other stages beside its own; its section shows only its own.
    """

    title = "Forecast error"
    tasks = (FORECASTING,)
    Options = Options

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Errors at every step ahead; differences to the model's at those of the options, with intervals."""
        train, test = run.windows("train"), run.windows("test")
        model = evaluate_forecast(run.model(), test)
        evaluations = {MODEL: model, "persistence": persistence(train, test)}
        # Without times there is no time of day to average over.
        if test.time is not None:
            evaluations["historical average"] = historical_average(train, test)
        # One experiment runs on many series; some forecast fewer steps than it asks for.
        horizons = [step for step in self.options.horizons if step <= test.horizon]
        return {
            "test": len(test),
            "horizons": horizons,
            "resampled": model.block,
            **errors_beside(model, evaluations, horizons, run.seed),
        }

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """Errors against the step ahead."""
        assert isinstance(run.card, SeriesCard)
        part, title = run.card.series, run.model_card.title
        figures.add(
            "",
            f"Forecast error by horizon, {title}",
            "On the test split.",
            horizon_errors(errors_table(_errors(results), title), minutes=part.minutes, unit=part.unit),
        )

    def section(self, runs: Sequence[RunResults]) -> str:
        """Errors at the horizons of the options."""
        parts = []
        for run in runs:
            # Errors of other stages, such as an ablation, are explained in their own sections.
            result = run.stages[self.name]
            body = [
                [
                    run.model if name == MODEL else name,
                    run.minutes(step),
                    # Lists count from 0, steps ahead from 1.
                    *(_digits(measures[metric][step - 1]) for metric in METRICS),
                    number((result["differences"].get(name) or {}).get(str(step))),
                ]
                for name, measures in result["errors"].items()
                for step in result["horizons"]
            ]
            head = ["forecast by", "horizon", f"MAE, {run.unit}", f"RMSE, {run.unit}", "MAPE, %"]
            head.append(f"MAE minus the model's, {run.unit} (95% interval)")
            parts.append(table(head, body, caption=f"Forecast errors on the test split: {run.label}"))
        # What the bootstrap draws follows from the series' length, which all runs share.
        resampled = runs[0].stages[self.name]["resampled"]
        return paragraph(
            "Errors are over all observed values of the test split, which lies after the training split in time. "
            "Persistence repeats the last observation; the historical average is that of the training split at that "
            f"time of the week. Intervals are from a bootstrap over {resampled}, as neighbouring windows overlap."
        ) + "".join(parts)

    def summary(self, runs: Sequence[RunResults]) -> Card:
        """MAE in a sentence per horizon."""
        lines = []
        for run in runs:
            for step in run.stages[self.name]["horizons"]:
                words = [
                    f"{run.model if name == MODEL else name} {measures['mae'][step - 1]:.2f}"
                    for name, measures in _errors(run.stages).items()
                    if measures["mae"][step - 1] is not None
                ]
                lines.append(f"{run.minutes(step)} ahead: {', '.join(words)} {run.unit}.")
        return Card(
            "Forecast error (MAE)", paragraph("On the test split, which was not used in training:") + items(lines)
        )

    def verdicts(self, run: RunResults) -> Iterator[tuple[str, Outcome]]:
        """Are the forecasts better than each simple one, at every horizon?"""
        # The historical average is missing for a series without times.
        for name in BASELINES:
            signs, words = differences_in_words(run, self.name, name)
            if not signs:
                continue
            judged = outcome(signs)
            relation = {
                "supported": "are more accurate than",
                "not supported": "are less accurate than",
                "inconclusive": "are more accurate at some horizons only than"
                if max(signs) > 0
                else "are not more accurate than",
            }[judged]
            yield f"Forecasts of {run.model} {relation} {_article(name)} ({words}).", judged

    def caveats(self, runs: Sequence[RunResults]) -> Iterator[str]:
        """Little data, and a model that is no better than a simple forecast."""
        for run in runs:
            days = run.dataset.get("days")
            # Two months hold about eight of each weekday.
            if days and days < 60 and not run.dataset.get("planted"):
                yield (
                    f"{days:.0f} days are little data: errors vary with which days are tested, the historical average "
                    "has few days to average over, and weekly patterns cannot be learnt. Do not compare them with "
                    "published errors on months of data."
                )
        if any(judged != "supported" for run in runs for _, judged in self.verdicts(run)):
            yield "A model that is no better than a simple forecast is not worth explaining: read its maps with care."

    def tables(self, runs: Sequence[RunResults]) -> Mapping[str, Table]:
        """Errors at every step of the horizon."""
        if not runs:
            return {}
        frames = []
        for run in runs:
            # A row per forecast and horizon, a column per metric: what one opens in a spreadsheet.
            long = errors_table(_errors(run.stages), run.model)
            wide = long.pivot(index=["method", "horizon"], columns="measure", values="value").reset_index()
            wide = wide.assign(run=run.name, minutes=float(run.dataset["minutes"]) * wide["horizon"])
            frames.append(wide[["run", "method", "minutes", *METRICS]])
        return {"forecast_error": Table("Forecast error at every horizon", pd.concat(frames))}

    def measures(self, run: RunResults) -> Mapping[str, Any]:
        """MAE of the model at every horizon of the options, and the differences to simple forecasts."""
        result = run.stages[self.name]
        measures: dict[str, Any] = {
            f"MAE, {run.minutes(step)} ahead": result["errors"][MODEL]["mae"][step - 1] for step in result["horizons"]
        }
        for name, by_step in result["differences"].items():
            measures |= {
                f"MAE of {name} minus the model's, {run.minutes(int(step))} ahead": score
                for step, score in by_step.items()
            }
        return measures

    def terminal(self, run: RunResults) -> Iterator[TextTable]:
        """MAE at the horizons of the options."""
        steps = run.stages[self.name]["horizons"]
        rows = [
            [run.model if name == MODEL else name, *(_digits(measures["mae"][step - 1]) for step in steps)]
            for name, measures in _errors(run.stages).items()
        ]
        yield TextTable(run.label, [f"MAE, {run.unit}", *(run.minutes(step) for step in steps)], rows)


def errors_beside(
    model: ForecastEvaluation, evaluations: Mapping[str, ForecastEvaluation], horizons: Sequence[int], seed: int
) -> dict[str, Any]:
    """Errors of forecasts, and by how much their MAE is above the model's, as plain JSON."""
    return {
        "errors": {
            # At every step ahead, for the figure; the horizons of the options are those of tables and verdicts.
            name: {metric: getattr(evaluation, metric).tolist() for metric in METRICS}
            for name, evaluation in evaluations.items()
        },
        "differences": {
            # JSON has texts as keys only; so has a result that was just computed.
            name: {str(step): evaluation.minus(model, horizon=step, seed=seed)._asdict() for step in horizons}
            for name, evaluation in evaluations.items()
            # Against itself there is no difference to test.
            if evaluation is not model
        },
    }


def errors_table(errors: Mapping[str, Mapping[str, Any]], model: str) -> pd.DataFrame:
    """Errors as rows of ``method, measure, horizon, value``."""
    return pd.DataFrame(
        [
            {"method": model if name == MODEL else name, "measure": measure, "horizon": step + 1, "value": value}
            for name, measures in errors.items()
            for measure, values in measures.items()
            for step, value in enumerate(values)
        ]
    )


def differences_in_words(
    run: RunResults, stage: str, name: str, more: str = "lower", less: str = "higher"
) -> tuple[list[int], str]:
    """At each horizon 1 where the difference lies above zero, -1 where below, else 0; and all of it in words."""
    signs, words = [], []
    for step, score in (run.stages[stage]["differences"].get(name) or {}).items():
        if known(score):
            # A difference is clear where its interval does not reach zero.
            signs.append(compare_intervals(score, {"low": 0.0, "high": 0.0}))
            way = more if score["value"] >= 0 else less
            unsure = "" if signs[-1] else ", the interval includes 0"
            words.append(f"{abs(score['value']):.2f} {run.unit} {way} {run.minutes(int(step))} ahead{unsure}")
    return signs, f"MAE is {'; '.join(words)}"


def _errors(results: Results) -> dict[str, Mapping[str, Any]]:
    """The errors of every stage that has some, the model's own first."""
    # By what it holds, not by its name: any stage may add a forecast to the comparison.
    errors_by_name = {
        name: errors for stage in results.values() for name, errors in (stage.get("errors") or {}).items()
    }
    return {name: errors_by_name[name] for name in sorted(errors_by_name, key=lambda name: name != MODEL)}


def _article(name: str) -> str:
    return name if name == "persistence" else f"the {name}"


def _digits(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
