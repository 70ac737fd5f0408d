"""Accuracy and confusion on the test split; writes `confusion.csv` and `predictions.npz`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from stexplain.bench.figures import Figures
from stexplain.bench.html import count, items, known, listed, paragraph, percent, share, table
from stexplain.bench.run import CLASSIFICATION, Run
from stexplain.bench.shared.predictions import save_predictions
from stexplain.bench.stage import Card, NoOptions, Parts, Results, RunResults, Stage
from stexplain.files import atomic_write
from stexplain.training import evaluate
from stexplain.viz import confusion

CONFUSION = "confusion.csv"
TOP = 5
"""Of so many first classes the second accuracy is."""


class AccuracyStage(Stage[NoOptions]):
    """How many test samples the model classifies correctly."""

    title = "Accuracy"
    tasks = (CLASSIFICATION,)
    published = ("accuracy", "note")

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Top-1 and top-5 accuracy, with the sizes that they are over."""
        clips = run.clips("test")
        evaluation = evaluate(run.model(), clips)
        # Other stages choose their samples by what is predicted.
        save_predictions(run, evaluation)
        # A store may hold recordings of a few classes only: the others would be empty rows and columns.
        present = sorted({*evaluation.labels.tolist(), *evaluation.predicted.tolist()})
        names = [clips.classes[index] for index in present]
        matrix = pd.DataFrame(evaluation.confusion[np.ix_(present, present)], index=names, columns=names)
        with atomic_write(run.folder / CONFUSION) as temporary:
            matrix.to_csv(temporary)
        return {
            "test": len(clips),
            "classes": len(clips.classes),
            # What intervals are over: samples of one group are not independent.
            "groups": len({*clips.groups.tolist()}),
            "accuracy": evaluation.interval.to_dict(),
            "top5": evaluation.top5,
        }

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """The confusion matrix."""
        # From its file: a resumed run need not evaluate the model again.
        matrix = pd.read_csv(run.folder / CONFUSION, index_col=0)
        figures.add(
            "",
            f"Confusion matrix, {run.label}",
            f"Test samples by true class (rows) and predicted class (columns), {run.model_card.title}.",
            confusion(matrix.to_numpy(), list(matrix.index), title=f"Confusion matrix, {run.label}"),
        )

    def section(self, runs: Sequence[RunResults]) -> str:
        """Accuracy of every run, beside the paper's where one is published."""
        # A column for the paper only where a paper says something.
        published = any("accuracy" in run.published for run in runs)
        head = ["run", "accuracy (95% interval)", "top 5", "chance level", "test samples", "groups"]
        body = []
        for run in runs:
            result = run.stages[self.name]
            # Among five classes or fewer the true one is always of the first five.
            top = share(result["top5"]) if result["classes"] > TOP else "–"
            row = [run.label, share(result["accuracy"]), top, _chance(result), count(result["test"])]
            row.append(count(result["groups"]) if result.get("groups") else "–")
            body.append([*row, *([percent(run.published.get("accuracy"))] if published else [])])
        notes = [str(run.published["note"]) for run in runs if run.published.get("note")]
        note_on_intervals = paragraph(
            "Intervals are over groups of samples that are not independent, such as all clips of one person; the table "
            "says how many there are. Chance level is that of guessing among the classes."
        )
        return (
            table([*head, *(["paper (real data)"] if published else [])], body, caption="Accuracy on the test split")
            + note_on_intervals
            + "".join(paragraph(note) for note in notes)
        )

    def summary(self, runs: Sequence[RunResults]) -> Card:
        """Accuracy in a sentence per run."""
        lines = []
        for run in runs:
            result = run.stages[self.name]
            accuracy = result["accuracy"]
            line = f"{run.label}: {percent(accuracy['value'])} of {count(result['test'])} test samples"
            if known(accuracy):
                line += f" (95% interval {percent(accuracy['low'])} to {percent(accuracy['high'])})"
            elif accuracy.get("reason"):
                line += f" (no interval: {accuracy['reason']})"
            lines.append(f"{line}; chance level {_chance(result)}.")
        return Card("Test accuracy", items(lines) + paragraph("The test split was not used in training."))

    def trust(self, runs: Sequence[RunResults]) -> Iterator[str]:
        """Accuracy beside chance: a model that errs is not worth explaining."""
        found = [f"{run.label} {self._over_trainings(run)}" for run in runs]
        chance = listed(list(dict.fromkeys(_chance(run.stages[self.name]) for run in runs)))
        if found:
            yield f"Test accuracy: {', '.join(found)}; chance level {chance}."

    def _over_trainings(self, run: RunResults) -> str:
        """The accuracy, of several trainings the lowest and the highest."""
        values = [one.stages[self.name]["accuracy"]["value"] for one in run.trainings if self.name in one.stages]
        if len(values) == 1:
            return f"{percent(values[0])} of {count(run.stages[self.name]['test'])}"
        return f"{percent(min(values))} to {percent(max(values))} over {len(values)} trainings"

    def caveats(self, runs: Sequence[RunResults]) -> Iterator[str]:
        """Data and recipe may differ from the paper's."""
        recipes = sorted({str(run.about.get("recipe")) for run in runs if run.published})
        if recipes:
            if any(run.planted for run in runs):
                yield (
                    "The paper's numbers are of real recordings and ours of synthetic ones: they stand side by side "
                    "for orientation only, and no difference between them says anything about the method."
                )
            else:
                yield (
                    "The paper's numbers are shown for orientation: the data, the training recipe "
                    f"({' or '.join(recipes)}), or both, may differ from the paper's."
                )

    def measures(self, run: RunResults) -> Mapping[str, Any]:
        """The accuracy."""
        return {"accuracy": run.stages[self.name]["accuracy"]}

    def headline(self, run: RunResults) -> Mapping[str, str]:
        """The accuracy."""
        return {"accuracy": f"{run.stages[self.name]['accuracy']['value']:.3f}"}


def _chance(result: Mapping[str, Any]) -> str:
    return percent(1 / result["classes"]) if result.get("classes") else "–"
