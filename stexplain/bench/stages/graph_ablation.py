"""Forecast error of the same model trained without message passing, beside the model's own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stexplain.bench.claims import Brief, Claim, Outcome, relation, scope
from stexplain.bench.figures import Figures
from stexplain.bench.html import number, paragraph, table
from stexplain.bench.run import FORECASTING, Run, Task
from stexplain.bench.shared.training import train
from stexplain.bench.stage import NoOptions, Parts, Results, RunResults, Stage
from stexplain.bench.stages.forecast_error import MODEL, errors_beside, horizon_tests
from stexplain.bench.stages.train import add_history
from stexplain.training import evaluate_forecast

FOLDER = "no_message_passing"
"""The folder of the model without message passing, in that of the run."""
NAME = "no message passing"
USES = ("uses its graph", "is not shown to use its graph", "forecasts worse with its graph than without it")


class GraphAblationStage(Stage[NoOptions]):
    """What the graph is worth to the model."""

    title = "Graph ablation"
    tasks = (FORECASTING,)

    def needs(self, task: Task) -> tuple[str, ...]:
        """The errors of the model, to compare with."""
        return ("train", "forecast_error")

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Trains the model without message passing, and compares errors."""
        folder = run.folder / FOLDER
        # A part of its own: training takes most of the time, and is not repeated where evaluation was stopped.
        trained = parts("train", lambda: train(run, folder, message_passing=False))
        # The model is evaluated again, as differences need the errors of every window.
        test = run.windows("test")
        without, model = evaluate_forecast(run.model(FOLDER), test), evaluate_forecast(run.model(), test)
        horizons = results["forecast_error"]["horizons"]
        return {**trained, **errors_beside(model, {NAME: without}, horizons, run.seed)}

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """The history of its training."""
        title = f"{run.label}, {NAME}"
        add_history(run, run.folder / FOLDER, results[self.name]["selected_epoch"], figures, title)

    def section(self, runs: Sequence[RunResults]) -> str:
        """The errors with and without message passing, and their difference."""
        body = []
        for run in runs:
            # Both errors stand here, so that the difference can be judged by its size.
            model, ablated = run.stages["forecast_error"]["errors"][MODEL], run.stages[self.name]["errors"][NAME]
            # JSON has no whole numbers as keys: the horizons are texts here.
            for step, difference in run.stages[self.name]["differences"][NAME].items():
                errors = [number(of["mae"][int(step) - 1]) for of in (model, ablated)]
                body.append([run.label, run.minutes(int(step)), *errors, number(difference)])
        intro = paragraph(
            "The same model, trained in the same way from the same seed with the identity as adjacency, so that no "
            "sensor receives anything from another. Where its error is no larger, what an explanation says of other "
            "sensors has little weight."
        )
        head = ["run", "horizon", f"MAE of the model, {runs[0].unit}", "without message passing"]
        head.append("difference (95% interval)")
        return intro + table(head, body, caption="No message passing (identity adjacency) against the model")

    def measures(self, run: RunResults) -> Mapping[str, Any]:
        """By how much the error is larger without message passing."""
        return {
            f"MAE without message passing minus the model's, {run.minutes(int(step))} ahead": score
            for step, score in run.stages[self.name]["differences"][NAME].items()
        }

    def claims(self, run: RunResults) -> Iterator[Claim]:
        """Is the error larger without message passing, at every horizon?"""
        tests, details, in_short = horizon_tests(run, self.name, NAME, more="higher", less="lower")
        if not tests:
            return

        def words(signs: Sequence[int]) -> tuple[str, Outcome]:
            relations, judged = relation(tests, signs, USES)
            text = f"{scope(len(run.trainings))}, {run.model} {relations} (without message passing, {details})."
            if judged != "supported":
                text += " Where it is not shown to use its graph, what maps say of other sensors has little weight."
            return text, judged

        yield Claim(tests, words, brief=Brief("The forecaster uses its graph", f"without it, {in_short}"))
