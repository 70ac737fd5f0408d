"""What `stexplain explain` writes and prints: the map, a chart per sample, and a summary."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stexplain.cli.validate.outputs import CHARTS, MAPS, SUMMARY, Outputs
from stexplain.data.samples import Batch
from stexplain.data.windows import WindowBatch
from stexplain.explainers.explanation import Explanation
from stexplain.files import write_json
from stexplain.viz import network, save, skeleton, top_nodes

TOP = 5
"""Nodes named per sample."""


def write_explanation(
    explanation: Explanation,
    batches: Sequence[Batch],
    predictions: Sequence[dict[str, Any]],
    outputs: Outputs,
    *,
    summary: dict[str, Any],
    marked: dict[str, list[str]],
) -> dict[str, Any]:
    """Writes the map, a chart per sample and a summary, to a folder or to the files that were named.

    Args:
        explanation: of the samples of `batches`.
        batches: what was explained, in order.
        predictions: of each sample: its label, and what the model predicts.
        outputs: where to write.
        summary: what it begins with.
        marked: nodes to ring in a drawing of the graph, by what they are.

    Returns:
        The summary, as `summary.json` has it.
    """
    maps = outputs.of(MAPS) + ([outputs.folder / "explanation.nc"] if outputs.folder else [])
    for path in maps:
        explanation.save(path)
    nodes = explanation.nodes()
    places = [(batch, row) for batch in batches for row in range(len(batch))]
    samples = []
    for row, (batch, at) in enumerate(places):
        paths = _charts(explanation.ids[row], row, len(places), outputs)
        files = draw_sample(explanation[row], batch, at, paths, marked) if paths else {}
        # A stable sort: nodes of equal importance stay in the graph's order, whatever numpy's version.
        top = nodes.iloc[row].sort_values(ascending=False, kind="stable").head(TOP)
        score = float(explanation.score[row])
        samples.append(
            {
                "id": explanation.ids[row],
                **predictions[row],
                "explained_class": _class_of(explanation, row),
                "score": None if score != score else score,
                "top_nodes": [[str(node), float(value)] for node, value in top.items()],
                "padding_share": float(explanation.padding_share[row]),
                "files": files,
            }
        )
    summary = {
        **about(explanation, summary, _unit_of(batches)),
        "map": str(maps[0]) if maps else None,
        "maps": list(map(str, maps)),
        "samples": samples,
    }
    write_summary(summary, outputs)
    return summary


def about(explanation: Explanation, summary: dict[str, Any], unit: str = "") -> dict[str, Any]:
    """What a summary says of the explanation as a whole.

    Args:
        explanation: of all samples.
        summary: what it begins with.
        unit: of forecasts, and of the signals that they are made of; empty: not known, or of classes.
    """
    return {
        "model": summary["model"],
        "method": explanation.method,
        "target": explanation.target,
        "layer": explanation.layer,
        "unit": explanation.unit(unit, unit),
        "notes": list(explanation.notes),
        "seconds": summary["seconds"],
    }


def _unit_of(batches: Sequence[Batch]) -> str:
    """The unit of a series, where it has one for all channels; a forecast is in it."""
    units = {unit for batch in batches if isinstance(batch, WindowBatch) for unit in batch.measured.units}
    return units.pop() if len(units) == 1 else ""


def write_summary(summary: dict[str, Any], outputs: Outputs) -> None:
    """Writes it to the folder, and to the files that were named for it."""
    paths = outputs.of((SUMMARY,)) + ([outputs.folder / "summary.json"] if outputs.folder else [])
    # Also says where it lies itself.
    summary["summary"] = str(paths[0]) if paths else None
    for path in paths:
        write_json(path, summary)


def _charts(name: str, row: int, count: int, outputs: Outputs) -> list[Path]:
    """Where the charts of a sample go."""
    # An id may hold slashes and colons (a time), which file names may not.
    safe = re.sub(r"[^\w.-]", "_", name) or f"sample-{row}"
    named = outputs.of(CHARTS)
    # Of several samples each has a file of its own, beside the one that was named.
    paths = named if count == 1 else [path.with_name(f"{path.stem}-{safe}{path.suffix}") for path in named]
    return paths + ([outputs.folder / f"{safe}{ending}" for ending in (".html", ".png")] if outputs.folder else [])


def _class_of(explanation: Explanation, row: int) -> str | int | None:
    """The name of the class that was explained, its index where it has no name; none where no class was."""
    index = int(explanation.targets[row])
    if index < 0:
        return None
    return explanation.classes[index] if index < len(explanation.classes) else index


def draw_sample(
    explanation: Explanation, batch: Batch, row: int, paths: Sequence[Path], marked: dict[str, list[str]]
) -> dict[str, str]:
    """Draws one sample: on its graph where nodes have positions, else its most important nodes.

    Returns:
        The path of each file, by its ending.
    """
    files = {}
    for path in paths:
        kind = path.suffix.lower()
        files[kind[1:]] = str(save(_drawn(explanation, batch, row, kind == ".html", marked), path))
    return files


def _drawn(explanation: Explanation, batch: Batch, row: int, page: bool, marked: dict[str, list[str]]) -> Any:
    """A chart for a page, or for a still picture."""
    x = batch.x[row].numpy()  # [M, T, N, C]
    graph = explanation.graph
    if graph is None or graph.positions is None:
        return top_nodes(explanation)
    if x.shape[-1] == 3 and x.shape[:3] == explanation.values.shape[1:] and graph.center is not None:
        # Three channels and a centre: the signals are positions in space, so nodes are drawn where they are.
        return skeleton(explanation, x=x) if page else skeleton(explanation, x=x, interactive=False)
    importance = explanation.importance[0].max(axis=0)  # [T, N]: over instances
    # A page has a slider over frames; a still picture shows their mean.
    return network(
        graph,
        importance if page else np.asarray(importance.mean(axis=0)),
        title=f"Which nodes matter for {explanation.target or 'the model'}, {explanation.method}",
        marked=marked,
    )


def head(summary: dict[str, Any]) -> list[str]:
    """The first lines for the terminal: what was explained, how, and what there is to know about it."""
    where = f" at {summary['layer']}" if summary["layer"] else ""
    lines = [f"{summary['method']}{where}, {summary['target'] or 'no target'}: {summary['seconds']:.2f} s"]
    unit = "units of the score" if summary["unit"] == "score" else summary["unit"]
    lines.append(f"importance: the mean over frames{'' if unit == 'importance' else f', in {unit}'}")
    return lines + [f"note: {note}" for note in summary["notes"]]


def summary_text(summary: dict[str, Any]) -> str:
    """The summary for the terminal."""
    lines = head(summary)
    for sample in summary["samples"]:
        explained = "" if sample["explained_class"] is None else f"  {sample['explained_class']}"
        score = "" if sample["score"] is None else f"  score {sample['score']:.3g}"
        lines.append(f"\n{sample['id'] or 'sample'}{explained}{score}")
        lines += [f"  {_predicted(sample)}"] * bool(_predicted(sample))
        lines += [f"  {node:<24} {value:.3g}" for node, value in sample["top_nodes"]]
        lines += [f"  {path}" for path in sample["files"].values()]
    places = [("map", path) for path in summary["maps"]] + [("summary", summary["summary"])] * bool(summary["summary"])
    return "\n".join([*lines, "", *(f"{what:<8} {path}" for what, path in places)])


def _predicted(sample: dict[str, Any]) -> str:
    """Label, prediction and probability; or the forecast and what was observed."""
    said = []
    if sample["label"] >= 0:
        said.append(f"label {_name(sample['label_name'], sample['label'])}")
    if sample.get("predicted") is not None:
        name = _name(sample["predicted_name"], sample["predicted"])
        said.append(f"predicted {name}, probability {sample['probability']:.3g}")
    if sample.get("forecast") is not None:
        said.append(f"forecast {sample['forecast']:.4g}")
    if sample.get("observed") is not None:
        said.append(f"observed {sample['observed']:.4g} {sample['unit']}".rstrip())
    return "; ".join(said)


def _name(name: str | None, index: int) -> str:
    return f"class {index}" if name is None else name
