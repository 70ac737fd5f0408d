"""Training by the run's recipe; writes the weights and `history.csv`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from stexplain.bench.figures import Figures
from stexplain.bench.html import count, paragraph, table
from stexplain.bench.run import FORECASTING, Run, Task
from stexplain.bench.shared.training import HISTORY, train
from stexplain.bench.stage import NoOptions, Parts, Results, RunResults, Stage
from stexplain.bench.wording import within
from stexplain.cards import SeriesCard
from stexplain.viz import history


class TrainStage(Stage[NoOptions]):
    """Training by the recipe of the run."""

    title = "Training"

    def needs(self, task: Task) -> tuple[str, ...]:
        """Nothing comes before."""
        return ()

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Sizes of model and splits, and the epoch whose weights are selected."""
        # Into the run's own folder, where `Run.model` looks for it.
        return train(run, run.folder)

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """Loss, and what else is measured after each epoch."""
        add_history(run, run.folder, results[self.name]["selected_epoch"], figures, run.label)

    def section(self, runs: Sequence[RunResults]) -> str:
        """What was trained on what."""
        body = [
            [
                run.label,
                *(
                    count(run.stages[self.name].get(key))
                    for key in ("parameters", "train", "validation", "selected_epoch")
                ),
                run.about.get("recipe"),
                count(run.about.get("epochs")),
            ]
            for run in runs
        ]
        head = ["run", "parameters", "training samples", "validation samples", "selected epoch", "recipe", "epochs"]
        # Runs may share a recipe, which is described once.
        recipes = dict.fromkeys(
            f"{run.model}, recipe {run.about.get('recipe')}: {run.about.get('recipe_summary')}" for run in runs
        )
        return table(head, body, caption="Models, splits and recipes") + "".join(map(paragraph, recipes))


def add_history(run: Run, folder: Path, epoch: int, figures: Figures, title: str) -> None:
    """Draws the history of a training that lies in a folder."""
    table = pd.read_csv(folder / HISTORY)
    unit = ""
    if run.task == FORECASTING and isinstance(run.card, SeriesCard):
        # A forecaster has no accuracy; its columns are empty.
        table = table.drop(columns=[column for column in table if "accuracy" in str(column)])
        unit = f". Loss is the mean absolute error in {run.card.series.unit}."
    figures.add(
        "",
        f"Training, {title}",
        f"Recipe {run.recipe_name}: {within(run.recipe.summary)}{unit}",
        history(table, selected_epoch=epoch, title=f"Training, {title}"),
    )
