"""Draws the picture of the front pages, `docs/_static/throw.svg`, for a light and for a dark page.

From a folder that `stexplain bench ntu` wrote: the first recording of *throw* in the test split that the model predicts
as that, explained by the default method.

    python docs/pictures.py runs/ntu
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

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


def main(run: Path) -> None:
    """Draws both pictures."""
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
