"""Forecast errors on the test split, beside persistence and the historical average."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from stexplain.bench.claims import Brief, Claim, Outcome, PairedTest, combined, paired_test, relation, scope
from stexplain.bench.figures import Figures
from stexplain.bench.html import count, items, number, paragraph, rounded, sized, table
from stexplain.bench.run import FORECASTING, Run
from stexplain.bench.stage import Card, Parts, Results, RunResults, Stage, Table, TextTable
from stexplain.cards import Count, Part, SeriesCard
from stexplain.training import ForecastEvaluation, evaluate_forecast, historical_average, persistence
from stexplain.training.forecast import METRICS
from stexplain.viz import horizon_errors

MODEL = "model"
"""The name of the model's own forecasts in the results."""
BASELINES = ("persistence", "historical average")
"""Forecasts that learn nothing of the graph; a model that is no better is not worth explaining."""


ACCURATE = ("more accurate than", "not shown to be more accurate than", "less accurate than")


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
        # One experiment runs on many series; some forecast fewer steps than it asks for. The nearest first, each once:
        # sentences are about the first, and a step named twice would be tested twice.
        horizons = sorted({step for step in self.options.horizons if step <= test.horizon})
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
                    f"{run.model if name == MODEL else name} {rounded(measures['mae'][step - 1])}"
                    for name, measures in _errors(run.stages).items()
                    if measures["mae"][step - 1] is not None
                ]
                lines.append(f"{run.minutes(step)} ahead: {', '.join(words)} {run.unit}.")
        return Card(
            "Forecast error (MAE)", paragraph("On the test split, which was not used in training:") + items(lines)
        )

    def trust(self, runs: Sequence[RunResults]) -> Iterator[str]:
        """The error beside that of simple forecasts, at the nearest horizon."""
        for run in runs:
            # None where the series ends before all that are requested.
            if not (horizons := run.stages[self.name]["horizons"]):
                continue
            step = horizons[0]
            errors = [_errors(each.stages) for each in run.trainings if self.name in each.stages]
            found = []
            for name in errors[0]:
                values = [each[name]["mae"][step - 1] for each in errors if name in each]
                known = [rounded(value) for value in (min(values), max(values))] if None not in values else []
                if known:
                    found.append(f"{run.label if name == MODEL else name} {' to '.join(dict.fromkeys(known))}")
            if found:
                unit = f" {run.unit}" if run.unit else ""
                over = f", over {len(errors)} trainings" if len(errors) > 1 else ""
                yield f"Forecast error (MAE) {run.minutes(step)} ahead{over}: {', '.join(found)}{unit}."

    def claims(self, run: RunResults) -> Iterator[Claim]:
        """Are the forecasts better than each simple one, at every horizon?"""
        # The historical average is missing for a series without times.
        for name in BASELINES:
            tests, details, in_short = horizon_tests(run, self.name, name)
            if not tests:
                continue

            def words(
                signs: Sequence[int], name: str = name, tests: list[PairedTest] = tests, details: str = details
            ) -> tuple[str, Outcome]:
                better, unsure, worse = (f"{way} {_article(name)}" for way in ACCURATE)
                relations, judged = relation(tests, signs, (better, unsure, worse))
                text = f"{scope(len(run.trainings))}, forecasts of {run.model} are {relations} ({details})."
                if judged != "supported":
                    text += (
                        " Read its maps with care: maps of a model that is no better than a simple forecast say little."
                    )
                return text, judged

            yield Claim(tests, words, brief=Brief(f"Forecasts are better than {_article(name)}", in_short))

    def caveats(self, runs: Sequence[RunResults]) -> Iterator[str]:
        """Little data."""
        for run in runs:
            days = run.dataset.get("days")
            # Two months hold about eight of each weekday.
            if days and days < 60 and not run.dataset.get("planted"):
                yield (
                    f"{days:.0f} days are little data: errors vary with which days are tested, the historical average "
                    "has few days to average over, and weekly patterns cannot be learnt. Do not compare them with "
                    "published errors on months of data."
                )

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
    """Errors of forecasts, by how much their MAE is above the model's, and the tests of that, as plain JSON."""
    return {
        "errors": {
            # At every step ahead, for the figure; the horizons of the options are those of tables and verdicts.
            name: {metric: getattr(evaluation, metric).tolist() for metric in METRICS}
            for name, evaluation in evaluations.items()
        },
        "differences": {
            # JSON has texts as keys only; so has a result that was just computed.
            name: {str(step): evaluation.minus(model, horizon=step, seed=seed).to_dict() for step in horizons}
            for name, evaluation in evaluations.items()
            # Against itself there is no difference to test.
            if evaluation is not model
        },
        # What `minus` bootstraps and the test flips are the same differences, by the same blocks of time.
        "tests": {
            name: [_test(evaluation, model, step, seed) for step in horizons]
            for name, evaluation in evaluations.items()
            if evaluation is not model
        },
    }


def _test(evaluation: ForecastEvaluation, model: ForecastEvaluation, step: int, seed: int) -> PairedTest:
    """The paired test at one horizon, positive where the model's error is smaller."""
    differences, _ = evaluation.differences(model, horizon=step)
    # A test takes the mean over windows; these sum to the difference.
    return paired_test(str(step), differences * len(differences), model.blocks, seed=seed)


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


def horizon_tests(
    run: RunResults, stage: str, name: str, more: str = "lower", less: str = "higher"
) -> tuple[list[PairedTest], str, str]:
    """The tests at each horizon that another forecast has a larger error than the model, and the differences in words.

    In words twice: at all horizons; and in short at the nearest, and at the one that speaks least for the model.

    Args:
        run: whose trainings hold the tests and differences of the stage.
        stage: its name.
        name: of the other forecast.
        more: what the sentence says of the difference where it is positive.
        less: where it is negative.
    """
    results = [training.stages[stage] for training in run.trainings if stage in training.stages]
    tests = combined([(result.get("tests") or {}).get(name, ()) for result in results])
    parts = []
    for test in tests:
        way = more if test["difference"] >= 0 else less
        parts.append(f"{rounded(abs(test['difference']))} {run.unit} {way} {run.minutes(int(test['against']))} ahead")
    timed: list[PairedTest] = [{**test, "against": f"{run.minutes(int(test['against']))} ahead"} for test in tests]
    least = min((test["difference"] for test in tests), default=0.0)
    in_short = [
        part for part, test in zip(parts, tests, strict=True) if test["difference"] in (tests[0]["difference"], least)
    ]
    # Every forecast is compared on the windows of this stage.
    found = run.stages.get("forecast_error") or {}
    windows, blocks = found.get("test"), found.get("resampled")
    # Windows overlap: what is independent are the blocks of time that are tested.
    tested = f"; {count(windows)} test windows{f' in {blocks}' if blocks else ''}" if windows else ""
    return timed, f"MAE is {'; '.join(parts)}{tested}", f"MAE is {', '.join(in_short)}{sized(windows, 'windows')}"


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
    return "–" if value is None else rounded(value)
