"""What `stexplain explain` computes with, and the explanation of some samples: a part of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from torch import nn

from stexplain.cards import DatasetCard, SeriesCard
from stexplain.cli.explaining.inputs import load_network, load_samples
from stexplain.cli.explaining.predictions import predictions_of
from stexplain.cli.explaining.target import check_target, make_target
from stexplain.cli.validate.target import ParsedTarget
from stexplain.data.clips import Clips
from stexplain.data.series import WindowedSeries
from stexplain.explainers.by_name import takes
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.target import Target

PART = 32
"""Samples that are read and explained at a time."""


@dataclass(frozen=True)
class Work:
    """Samples, model and method.

    Attributes:
        samples: of the split.
        network: the model.
        method: the name of the explainer.
        options: of it, as it takes them.
        target: what is explained.
        nodes: the names of the model's nodes, else of the dataset's.
        classes: the names of the dataset's classes; empty where it has none.
    """

    samples: Clips | WindowedSeries
    network: nn.Module
    method: str
    options: dict[str, Any]
    target: Target
    nodes: list[str]
    classes: list[str]

    def size(self, count: int) -> int:
        """How many of `count` samples are a part."""
        # Raw clips have each their own length: a part would be padded to its own longest, and not fit the others.
        return count if isinstance(self.samples, Clips) and self.samples.recipe is None else PART


@dataclass(frozen=True)
class Part:
    """The explanation of some samples, what the model predicts of each, and the seconds that the method took."""

    explanation: Explanation
    rows: list[dict[str, Any]]
    seconds: float


def make_work(
    model: str,
    dataset: DatasetCard | SeriesCard,
    data: Path | None,
    split: str | None,
    target: ParsedTarget,
    method: str,
    options: dict[str, Any],
) -> Work:
    """Loads samples and model, and says on stderr what is unusual about them."""
    samples, graph = load_samples(model, dataset, data, split)
    # Clips name their classes; the windows of a series have none.
    classes = list(getattr(samples, "classes", []))
    network = load_network(model, graph, classes)
    check_target(target, network)
    # A model that carries its graph and class names wins over those of the dataset.
    options = {
        **options,
        "graph": None if hasattr(network, "graph") else graph,
        "classes": classes if getattr(network, "class_names", None) is None and classes else None,
    }
    nodes = list(getattr(network, "graph", graph).nodes)
    names = getattr(network, "class_names", None) or classes
    if classes and names and list(names) != classes:
        typer.echo(
            "stexplain: the model's classes are not those of the data; labels and predictions are each named by their "
            "own.",
            err=True,
        )
    return Work(samples, network, method, _accepted(method, options), make_target(target, nodes, names), nodes, classes)


def explained(work: Work, explain: Explainer, which: Sequence[int]) -> Part:
    """The explanation of the samples of these indices."""
    batch = work.samples.batch(list(which))
    # The method alone is timed: loading and drawing take longer than it does.
    started = time.perf_counter()
    explanation = explain(batch, target=work.target)
    seconds = time.perf_counter() - started
    return Part(explanation, predictions_of(work.network, batch, explanation), seconds)


def _accepted(method: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given; graph and classes, which the user did not give, only where the method takes them."""
    return {
        name: value
        for name, value in options.items()
        if value is not None and (name not in ("graph", "classes") or takes(method, name))
    }
