"""One run of a comparison: its data, its model, and the scores of every method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from stexplain.bench.comparison_experiment import ComparedRun, ComparisonExperiment
from stexplain.bench.experiment import Run
from stexplain.bench.job import Job
from stexplain.cards import DatasetCard, ModelCard, Recipe
from stexplain.data.clips import Clips
from stexplain.data.load import load_dataset
from stexplain.data.planted.cache import planted_store
from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.by_name import explainer, methods, takes
from stexplain.explainers.targets import Predicted
from stexplain.metrics.comparison.compare import compare
from stexplain.metrics.comparison.result import Comparison
from stexplain.metrics.comparison.scores import (
    AbsoluteAttribution,
    ExplainerLike,
    SampleMetric,
    complexity_score,
    deletion_score,
    localisation_score,
)
from stexplain.nn.checkpoint import load_model
from stexplain.training import evaluate

BATCH = 20
"""Clips explained at a time."""
GUESS = {"auroc, nodes": 0.5, "auroc, frames": 0.5, "auroc, positions": 0.5, "deletion gain": 0.0}
"""What a guess has, where that is known."""


@dataclass(frozen=True)
class ComparedJob:
    """One run: which model is trained on which data, and where it is kept.

    Attributes:
        card: of the dataset.
        data: a prepared store; none: the card's planted data.
        asked: what the experiment says of the run.
        model_card: of the model.
        seed: of everything random.
        folder: of the run.
        progress: whether progress bars are shown.
    """

    card: DatasetCard
    data: Path | None
    asked: ComparedRun
    model_card: ModelCard
    seed: int
    folder: Path
    progress: bool

    @property
    def recipe(self) -> Recipe:
        """How the model is trained and what it is given."""
        recipe = self.model_card.recipe(self.asked.recipe)
        return recipe if self.asked.epochs is None else recipe.model_copy(update={"epochs": self.asked.epochs})

    @cached_property
    def clips(self) -> Clips:
        """The test clips, as the recipe samples them."""
        return load_dataset(self.card, self.data, f"{self.asked.protocol}/test", recipe=self.recipe)

    @cached_property
    def model(self) -> nn.Module:
        """The trained model."""
        return load_model(self.folder)

    def source(self) -> Mapping[str, Any]:
        """Where the store lies; planted data is generated where it is not in the cache."""
        folder = planted_store(self.card) if self.data is None else self.data
        return {"source": str(folder.resolve())}

    def train(self) -> Mapping[str, Any]:
        """Trains the model and saves it in the folder."""
        cards = {**self.model_card.recipes, self.asked.recipe: self.recipe}
        job = Job(
            card=self.card,
            store=planted_store(self.card) if self.data is None else self.data,
            run=Run(protocol=self.asked.protocol, model=self.asked.model),
            model_card=self.model_card.model_copy(update={"recipes": cards}),
            recipe_name=self.asked.recipe,
            seed=self.seed,
            folder=self.folder,
            progress=self.progress,
        )
        return job.train()

    def about(self) -> dict[str, Any]:
        """What the results say of the run beside its numbers."""
        return {
            "dataset_title": self.card.title,
            "protocol": self.asked.protocol,
            "protocol_title": self.card.protocols[self.asked.protocol].title,
            "model": self.asked.model,
            "model_title": self.model_card.title,
            "recipe": self.asked.recipe,
            "recipe_summary": self.recipe.summary,
            "epochs": self.recipe.epochs,
        }

    def batch(self, indices: Sequence[int]) -> Batch:
        """Test clips, without the last instances that none of them has."""
        batch = self.clips.batch(indices)
        count = int(batch.valid.any(2).any(0).nonzero().max()) + 1
        truth = None if batch.truth is None else batch.truth[:, :count]
        return Batch(batch.x[:, :count], batch.valid[:, :count], batch.label, batch.ids, truth)


def prepare_run(job: ComparedJob, asked: ComparisonExperiment) -> Mapping[str, Any]:
    """Asks the model about the test split, and draws the clips to explain from those that it gets right.

    Raises:
        InputError: where the data carries no truth, or the model gets nothing right.
    """
    if not job.clips.planted:
        raise InputError(f"the data of {job.card.name!r} carries no planted truth, so no method can be scored by it.")
    evaluation = evaluate(job.model, job.clips)
    right = np.flatnonzero(evaluation.correct)
    if not len(right):
        raise InputError(f"the model of the run {job.asked.name!r} gets no test clip right. Train it for longer.")
    drawn = np.random.default_rng(job.seed).permutation(right)[: asked.clips]
    low, high = evaluation.interval
    return {
        "test": len(job.clips),
        "accuracy": {"value": evaluation.accuracy, "low": low, "high": high},
        "indices": sorted(drawn.tolist()),
        "clips": len(drawn),
    }


def compared_methods(asked: ComparisonExperiment) -> list[str]:
    """The methods that are compared, by class name: all there are but those left out, controls last."""
    names = [name for name in methods() if name not in asked.leave_out]
    return [name for name in names if name not in asked.controls] + [name for name in asked.controls if name in names]


def made(job: ComparedJob, asked: ComparisonExperiment, method: str) -> ExplainerLike:
    """A method as the experiment wants it."""
    options = dict(asked.options.get(method, {}))
    if options.get("groups") == "graph":
        options["groups"] = dict(job.clips.graph.groups)
    if takes(method, "seed"):
        options.setdefault("seed", job.seed)
    one = explainer(method, job.model, **options)
    return AbsoluteAttribution(one) if method in asked.size else one


def measures(job: ComparedJob, asked: ComparisonExperiment) -> list[SampleMetric]:
    """What methods are compared by."""
    found = [localisation_score(over, "auroc") for over in ("nodes", "frames", "positions")]
    found += [localisation_score("positions", "average_precision"), localisation_score("positions", "pointing")]
    found.append(deletion_score(job.model, **asked.deletion.model_dump(), seed=job.seed))
    return [*found, complexity_score("gini")]


def score_method(
    job: ComparedJob, asked: ComparisonExperiment, method: str, indices: Sequence[int]
) -> Mapping[str, Any]:
    """The scores of one method on the clips of a run, one number per clip and metric.

    Where a method needs a library that is not installed, what it says about that is the result.
    """
    parts = [job.batch(indices[start : start + BATCH]) for start in range(0, len(indices), BATCH)]
    one = made(job, asked, method)
    try:
        one(parts[0][:1], target=Predicted())
    except InputError as error:
        if not isinstance(error.__cause__, ImportError):
            raise
        return {"excluded": str(error)}
    found = compare({method: one}, measures(job, asked), parts, progress=job.progress, resamples=1)
    return {
        "seconds": (found.seconds or {})[method],
        "higher_is_better": dict(found.higher_is_better),
        "scores": {metric: by_method[method].tolist() for metric, by_method in found.scores.items()},
    }


def comparison_of(
    asked: ComparisonExperiment, about: Mapping[str, Any], scored: Mapping[str, Mapping[str, Any]], seed: int
) -> dict[str, Any]:
    """The table and the tests of a run against each control, from the scores of its methods."""
    there = {method: found for method, found in scored.items() if "scores" in found}
    first = next(iter(there.values()))
    scores = {
        metric: {method: np.array(found["scores"][metric], np.float64) for method, found in there.items()}
        for metric in first["scores"]
    }
    found = Comparison(
        scores,
        first["higher_is_better"],
        tuple(map(str, about["indices"])),
        {method: float(one["seconds"]) for method, one in there.items()},
        seed=seed,
    )
    told = found.to_dict()
    controls = [name for name in asked.controls if name in there]
    return {
        "methods": list(found.methods),
        "higher_is_better": dict(found.higher_is_better),
        "excluded": {method: one["excluded"] for method, one in scored.items() if "excluded" in one},
        "best": {metric: found.best(metric) for metric in found.metrics},
        "table": told["table"],
        "tests": found.tests(controls).astype(object).where(lambda table: table.notna(), None).to_dict("records"),
        "correction": found.correction,
        "seconds_per_clip": told["seconds"],
    }
