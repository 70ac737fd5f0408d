"""The work of `stexplain explain`: samples, model and method to an explanation, and what is written of it."""

import time
from collections.abc import Sequence
from typing import Any

import typer
from torch import nn

from stexplain.cli.explaining.groups import Grouped, chosen_groups, group_summary, group_text
from stexplain.cli.explaining.inputs import load_network, load_samples, select_samples
from stexplain.cli.explaining.output import summary_text, write_explanation
from stexplain.cli.explaining.predictions import predictions_of
from stexplain.cli.explaining.target import check_target, forecast_node, make_target
from stexplain.cli.validate.explain import Checked
from stexplain.cli.validate.target import ParsedTarget
from stexplain.data.clips import Clips
from stexplain.data.samples import Batch
from stexplain.data.series import WindowedSeries
from stexplain.data.windows import WindowBatch
from stexplain.explainers.by_name import explainer, takes
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.joined import joined
from stexplain.explainers.target import Target
from stexplain.progress import tracked

PART = 32
"""Samples that are read and explained at a time."""


def explain_samples(
    checked: Checked,
    *,
    target: ParsedTarget,
    ids: list[str],
    first: int | None,
    method: str,
    options: dict[str, Any],
    groups: tuple[str, str | None] | None,
    progress: bool,
) -> tuple[dict[str, Any], str]:
    """Explains samples, and writes what was requested.

    Returns:
        The summary, and the same for the terminal.
    """
    samples, graph = load_samples(checked.model, checked.dataset, checked.data, checked.split)
    grouped: Grouped | None = None
    if groups is not None:
        assert isinstance(samples, Clips)  # a series was refused before
        which = select_samples(samples, ids, len(samples) if first is None else first)
        grouped, which = chosen_groups(samples, which, *groups)
    else:
        which = select_samples(samples, ids, 1 if first is None else first)
    # Clips name their classes; the windows of a series have none.
    classes = list(getattr(samples, "classes", []))
    network = load_network(checked.model, graph, classes)
    check_target(target, network)
    # A model that carries its graph and class names wins over those of the dataset.
    options = {
        **options,
        "graph": None if hasattr(network, "graph") else graph,
        "classes": classes if getattr(network, "class_names", None) is None and classes else None,
    }
    nodes = list(getattr(network, "graph", graph).nodes)
    names = getattr(network, "class_names", None) or classes
    chosen = make_target(target, nodes, names)
    if classes and names and list(names) != classes:
        typer.echo(
            "stexplain: the model's classes are not those of the data; labels and predictions are each named by their "
            "own.",
            err=True,
        )
    parts = _explained(samples, which, network, method, _accepted(method, options), chosen, progress)
    seconds = sum(spent for *_, spent in parts)
    explanation = joined([one for one, *_ in parts])
    marked = {"forecast": [forecast_node(target, nodes)]} if target.kind == "forecast" else {}
    predictions = []
    for _, batch, rows, _ in parts:
        if isinstance(batch, WindowBatch) and marked:
            rows = _observed(rows, batch, nodes.index(marked["forecast"][0]), target.horizon, samples)
        predictions += _labelled(rows, batch, classes)
    summary = {"model": checked.model, "seconds": round(seconds, 4)}
    if grouped is not None:
        found = group_summary(explanation, grouped, predictions, checked.outputs, summary)
        return found, group_text(found)
    batches = [batch for _, batch, *_ in parts]
    written = write_explanation(explanation, batches, predictions, checked.outputs, summary=summary, marked=marked)
    return written, summary_text(written)


def _explained(
    samples: Clips | WindowedSeries,
    which: Sequence[int],
    network: nn.Module,
    method: str,
    options: dict[str, Any],
    target: Target,
    progress: bool,
) -> list[tuple[Explanation, Batch, list[dict[str, Any]], float]]:
    """The explanation of each part, its samples, what the model predicts of them, and the seconds that it took."""
    # Raw clips have each their own length: a part would be padded to its own longest, and not fit the others.
    size = len(which) if isinstance(samples, Clips) and samples.recipe is None else PART
    starts = range(0, len(which), size)
    found = []
    with explainer(method, network, **options) as explain_batch:
        for start in tracked(starts, len(starts), f"explaining, {size} samples each", progress):
            batch = samples.batch(list(which[start : start + size]))
            # The method alone is timed: loading and drawing take longer than it does.
            started = time.perf_counter()
            explanation = explain_batch(batch, target=target)
            seconds = time.perf_counter() - started
            found.append((explanation, batch, predictions_of(network, batch, explanation), seconds))
    return found


def _observed(
    rows: list[dict[str, Any]], batch: WindowBatch, node: int, horizon: int, series: Any
) -> list[dict[str, Any]]:
    """What was forecast, beside what was observed of that node at that time, where it was."""
    # A model of one's own may forecast further than the series' own horizon.
    if horizon > batch.y.shape[1]:
        return rows
    present = batch.y_observed[:, horizon - 1, node].tolist()
    values = batch.y[:, horizon - 1, node].tolist()
    return [
        {**row, "observed": value if known else None, "unit": series.unit}
        for row, value, known in zip(rows, values, present, strict=True)
    ]


def _labelled(rows: list[dict[str, Any]], batch: Batch, classes: Sequence[str]) -> list[dict[str, Any]]:
    """What was predicted, beside the label."""
    labels = batch.label.tolist()
    return [
        {"label": label, "label_name": classes[label] if 0 <= label < len(classes) else None, **row}
        for label, row in zip(labels, rows, strict=True)
    ]


def _accepted(method: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given; graph and classes, which the user did not give, only where the method takes them."""
    return {
        name: value
        for name, value in options.items()
        if value is not None and (name not in ("graph", "classes") or takes(method, name))
    }
