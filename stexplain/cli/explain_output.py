"""What `stexplain explain` writes and prints: the map, a chart per sample, and a summary."""

import re
from pathlib import Path
from typing import Any

from stexplain.data.samples import Batch
from stexplain.explainers.explanation import Explanation
from stexplain.files import write_json
from stexplain.viz import network, save, skeleton, top_nodes

TOP = 5
"""Nodes named per sample."""


def write_explanation(
    explanation: Explanation, batch: Batch, out: Path, *, model: str, seconds: float, marked: dict[str, list[str]]
) -> dict[str, Any]:
    """Writes `explanation.nc`, a chart per sample and `summary.json` to a folder.

    Args:
        explanation: of the samples of `batch`.
        batch: what was explained.
        out: the folder.
        model: what to call the model in the summary.
        seconds: how long explaining took.
        marked: nodes to ring in a drawing of the graph, by what they are.

    Returns:
        The summary, as `summary.json` has it.
    """
    explanation.save(out / "explanation.nc")
    nodes = explanation.nodes()
    samples = []
    for row in range(len(explanation)):
        # An id may hold slashes and colons (a time), which file names may not.
        name = re.sub(r"[^\w.-]", "_", explanation.ids[row]) or f"sample-{row}"
        files = draw_sample(explanation[row], batch, row, out / name, marked)
        # A stable sort: nodes of equal importance stay in the graph's order, whatever numpy's version.
        top = nodes.iloc[row].sort_values(ascending=False, kind="stable").head(TOP)
        score = float(explanation.score[row])
        samples.append(
            {
                "id": explanation.ids[row],
                "label": int(batch.label[row]),
                "explained_class": _class_of(explanation, row),
                "score": None if score != score else score,
                "top_nodes": [[str(node), float(value)] for node, value in top.items()],
                "padding_share": float(explanation.padding_share[row]),
                "files": files,
            }
        )
    summary = {
        "model": model,
        "method": explanation.method,
        "target": explanation.target,
        "layer": explanation.layer,
        "notes": list(explanation.notes),
        "seconds": round(seconds, 4),
        "map": str(out / "explanation.nc"),
        "samples": samples,
    }
    write_json(out / "summary.json", summary)
    return summary


def _class_of(explanation: Explanation, row: int) -> str | int | None:
    """The name of the class that was explained, its index where it has no name; none where no class was."""
    index = int(explanation.targets[row])
    if index < 0:
        return None
    return explanation.classes[index] if index < len(explanation.classes) else index


def draw_sample(
    explanation: Explanation, batch: Batch, row: int, path: Path, marked: dict[str, list[str]]
) -> dict[str, str]:
    """Draws one sample as HTML and PNG: on its graph where nodes have positions, else its most important nodes.

    Returns:
        The path of each file, by its ending.
    """
    x = batch.x[row].numpy()  # [M, T, N, C]
    graph = explanation.graph
    chart: Any
    still: Any
    if graph is None or graph.positions is None:
        chart = still = top_nodes(explanation)
    elif x.shape[-1] == 3 and x.shape[:3] == explanation.values.shape[1:] and graph.center is not None:
        # Three channels and a centre: the signals are positions in space, so nodes are drawn where they are.
        chart, still = skeleton(explanation, x=x), skeleton(explanation, x=x, interactive=False)
    else:
        importance = explanation.importance[0].max(axis=0)  # [T, N]: over instances
        options: dict[str, Any] = {
            "title": f"Which nodes matter for {explanation.target or 'the model'}, {explanation.method}",
            "marked": marked,
        }
        # The page has a slider over frames; a still picture shows their mean.
        chart = network(graph, importance, **options)
        still = network(graph, importance.mean(axis=0), **options)
    return {
        ending: str(save(shown, path.with_name(f"{path.name}.{ending}")))
        for ending, shown in (("html", chart), ("png", still))
    }


def summary_text(summary: dict[str, Any]) -> str:
    """The summary for the terminal."""
    where = f" at {summary['layer']}" if summary["layer"] else ""
    lines = [f"{summary['method']}{where}, {summary['target'] or 'no target'}: {summary['seconds']:.2f} s"]
    lines += [f"note: {note}" for note in summary["notes"]]
    for sample in summary["samples"]:
        explained = "" if sample["explained_class"] is None else f"  {sample['explained_class']}"
        score = "" if sample["score"] is None else f"  score {sample['score']:.3g}"
        lines.append(f"\n{sample['id'] or 'sample'}{explained}{score}")
        lines += [f"  {node:<24} {value:.3g}" for node, value in sample["top_nodes"]]
        lines += [f"  {path}" for path in sample["files"].values()]
    folder = Path(summary["map"]).parent
    return "\n".join([*lines, "", f"map      {summary['map']}", f"summary  {folder / 'summary.json'}"])
