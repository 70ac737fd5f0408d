"""Draws the picture of the front pages, `docs/_static/throw.svg`, for a light and for a dark page, and `graph.png`.

From a folder that `stexplain bench ntu` wrote: the first recording of *throw* in the test split that the model predicts
as that, explained by the default method.

    python docs/pictures.py runs/ntu
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import stexplain as stx
from stexplain.explainers.display import strongest_frames
from stexplain.viz import save

STATIC = Path(__file__).parent / "_static"
INK = {"throw.svg": "#1b1f24", "throw-dark.svg": "#e7ebf0"}
"""The colours of text on a light page and on a dark one; the background is the page's own."""


def explained(model: torch.nn.Module, clips: Any, name: str) -> tuple[stx.Explanation, Any]:
    """The first sample of a class that is predicted as that: its explanation, and the sample."""
    label = clips.classes.index(name)
    for sample in (clips[index] for index in range(len(clips))):
        if sample.label != label:
            continue
        e = stx.explain(model, sample)
        if int(e.targets[0]) == label:
            return e, sample
    raise SystemExit(f"no recording of {name!r} is predicted as that")


def graph() -> None:
    """The picture of tutorials without a chart: a graph, with a value at each node."""
    ring = [(f"n{number}", f"n{(number + 1) % 8}") for number in range(8)]
    spokes = [(f"n{number}", "hub") for number in (0, 3, 5)]
    angle = 2 * np.pi * np.arange(8) / 8
    places = [*np.column_stack([1.5 * np.cos(angle), np.sin(angle)]), [0.0, 0.0]]
    names = [*(f"n{number}" for number in range(8)), "hub"]
    drawn = stx.STGraph.from_edges(names, ring + spokes, positions=places)
    values = [0.2, 0.5, 1.0, 0.7, 0.3, 0.1, 0.1, 0.1, 0.6]
    chart = stx.viz.network(drawn, values, labels=False, width=360, height=240, title=" ", subtitle=[])
    save(chart, STATIC / "graph.png", scale=1.2)


def main(run: Path) -> None:
    """Draws all pictures."""
    graph()
    model = stx.load_model(run / "xsub" / "stgcn10")
    clips = stx.load_dataset("ntu", split="xsub/test", recipe=model.recipe)
    e, sample = explained(model, clips, "throw")
    for name, ink in INK.items():
        # The picture names the method already.
        chart = stx.viz.skeleton(replace(e, notes=()), x=sample.x, interactive=False, frames=strongest_frames(e))
        for part in ("axis", "header", "legend"):
            getattr(chart.config, part).labelColor = getattr(chart.config, part).titleColor = ink
        chart.config.title.color = chart.config.title.subtitleColor = ink
        chart.config.text = {"color": ink}
        chart.config.background = "transparent"
        save(chart, STATIC / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
