"""Importance over time of one test sample per chosen class; writes `example-K.nc` and its signals `example-K.npy`."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from stexplain.bench.figures import Figures
from stexplain.bench.run import CLASSIFICATION, Run, Task
from stexplain.bench.shared.predictions import load_predictions
from stexplain.bench.stage import Parts, Results, Stage, as_figure
from stexplain.cards import DatasetCard, Part
from stexplain.errors import suggest
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.targets import Predicted
from stexplain.files import atomic_write
from stexplain.viz import skeleton


class Options(Part):
    """Which samples are shown.

    Attributes:
        classes: names of classes, one sample of each.
    """

    classes: list[str]


class ExamplesStage(Stage[Options]):
    """The test sample of a class that the model classifies correctly and with the largest logit difference."""

    title = "Importance over time: examples"
    tasks = (CLASSIFICATION,)
    published = ("example_figure",)
    Options = Options

    def needs(self, task: Task) -> tuple[str, ...]:
        """The predictions, to choose by."""
        return ("train", "accuracy")

    def check(self, run: Run) -> Iterator[str]:
        """Classes must be the card's."""
        assert isinstance(run.card, DatasetCard)
        for name in self.options.classes:
            if name not in run.card.class_names:
                hint = suggest(name, run.card.class_names)
                yield f"classes: got {name!r}, which the card {run.card.name!r} lacks. {hint}"

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Chooses and explains the samples."""
        clips, model = run.clips("test"), run.model()
        logits, correct = load_predictions(run)
        chosen = []
        for number, name in enumerate(self.options.classes):
            if name not in clips.classes:
                continue  # of which the data holds no recordings
            label = clips.classes.index(name)
            candidates = np.flatnonzero(correct & (clips.labels == label))
            # A weak model may classify no sample of a class correctly.
            if not len(candidates):
                continue
            # The clearest one: the largest difference between its logit and that of any other class.
            difference = logits[candidates, label] - np.delete(logits[candidates], label, axis=1).max(1)
            sample = clips[int(candidates[difference.argmax()])]
            # Beside the explanation its signals: the figure moves the skeleton by them, without the dataset.
            path = run.folder / f"example-{number}"
            STGGradCAM(model)(sample, target=Predicted()).save(path.with_suffix(".nc"))
            with atomic_write(path.with_suffix(".npy")) as temporary:
                np.save(temporary, sample.x, allow_pickle=False)
            chosen.append({"class": name, "sample": sample.id, "file": f"{path.name}.nc"})
        return {"examples": chosen}

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """Importance of every node, frame by frame."""
        for number, example in enumerate(results[self.name]["examples"], 1):
            path = run.folder / example["file"]
            e = Explanation.load(path)
            x = np.load(path.with_suffix(".npy"), allow_pickle=False)
            paper = as_figure(run, "example_figure")
            figures.add(
                str(number),
                f"{paper}Importance over time, '{example['class']}', {run.label}",
                f"Sample {example['sample']}, correctly classified as '{example['class']}'.",
                skeleton(e, x=x),
                # On paper: frames side by side in place of the slider.
                skeleton(e, x=x, interactive=False),
                hint="Play it, drag the slider, or click into the curve.",
                answers=True,
            )
