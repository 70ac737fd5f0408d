"""The work of `stexplain explain`: samples, model and method to an explanation, and what is written of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stexplain.cli.command import typed
from stexplain.cli.explaining.groups import Grouped, chosen_groups, group_summary, group_text
from stexplain.cli.explaining.inputs import select_samples
from stexplain.cli.explaining.output import summary_text, write_explanation
from stexplain.cli.explaining.parts import Part, Work, explained, make_work
from stexplain.cli.explaining.shards import parts_by_engine
from stexplain.cli.explaining.target import forecast_node
from stexplain.cli.validate.explain import Checked
from stexplain.cli.validate.target import ParsedTarget
from stexplain.data.clips import Clips
from stexplain.data.samples import Batch
from stexplain.data.windows import WindowBatch
from stexplain.engine.run import Engine
from stexplain.explainers.by_name import explainer
from stexplain.explainers.joined import joined
from stexplain.explainers.results.made_by import without_home
from stexplain.progress import tracked
from stexplain.wording import counted


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
    engine: Engine = "local",
    workers: int | None = None,
) -> tuple[dict[str, Any], str]:
    """Explains samples, and writes what was requested.

    Returns:
        The summary, and the same for the terminal.
    """
    work = make_work(checked.model, checked.dataset, checked.data, checked.split, target, method, options)
    samples = work.samples
    grouped: Grouped | None = None
    if groups is not None:
        assert isinstance(samples, Clips)  # a series was refused before
        which = select_samples(samples, ids, len(samples) if first is None else first)
        grouped, which = chosen_groups(samples, which, *groups)
    else:
        which = select_samples(samples, ids, 1 if first is None else first)
    if engine == "local" and (workers or 1) == 1:
        parts = _explained(work, which, progress)
    else:
        parts = parts_by_engine(
            checked, target, method, options, work, which, engine=engine, workers=workers, progress=progress
        )
    seconds = sum(part.seconds for part in parts)
    explanation = joined([part.explanation for part in parts])
    explanation = replace(explanation, made_by={**explanation.made_by, "command": without_home(typed())})
    marked = {"forecast": [forecast_node(target, work.nodes)]} if target.kind == "forecast" else {}
    predictions, batches, at = [], [], 0
    for part in parts:
        batch, rows = samples.batch(list(which[at : at + len(part.rows)])), part.rows
        at += len(rows)
        batches.append(batch)
        if isinstance(batch, WindowBatch) and marked:
            rows = _observed(rows, batch, work.nodes.index(marked["forecast"][0]), target.horizon, samples)
        predictions += _labelled(rows, batch, work.classes)
    summary = {"model": checked.model, "seconds": round(seconds, 4)}
    if grouped is not None:
        found = group_summary(explanation, grouped, predictions, checked.outputs, summary)
        return found, group_text(found)
    written = write_explanation(explanation, batches, predictions, checked.outputs, summary=summary, marked=marked)
    return written, summary_text(written)


def _explained(work: Work, which: Sequence[int], progress: bool) -> list[Part]:
    """The explanation of each part, in this process."""
    size = work.size(len(which))
    starts = range(0, len(which), size)
    with explainer(work.method, work.network, **work.options) as explain:
        return [
            explained(work, explain, which[start : start + size])
            for start in tracked(starts, len(starts), f"explaining, {counted(size, 'sample')} each", progress)
        ]


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
