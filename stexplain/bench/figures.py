"""The figures of a run: each as a chart that opens anywhere (JSON, HTML), and as PNG and SVG."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stexplain.bench.experiment import Experiment
from stexplain.cards import DatasetCard
from stexplain.explainers.explanation import Explanation
from stexplain.viz import confusion, history, importance_map, localisation, masking_curves, save, skeleton

FORMATS = ("json", "html", "png", "svg")


class Figures:
    """Saves charts under `figures/` of a run and keeps what the report needs to know of them.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: list[dict[str, Any]] = []

    def add(self, name: str, title: str, caption: str, chart: Any, still: Any = None) -> None:
        """Saves a chart.

        Args:
            name: of its files.
            title: in the report.
            caption: what is seen.
            chart: the chart, interactive where it can be.
            still: what PNG and SVG show, where a picture on paper must differ from the interactive chart.
        """
        files = {}
        for ending in FORMATS:
            shown = chart if ending in ("json", "html") or still is None else still
            files[ending] = save(shown, self.folder / "figures" / f"{name}.{ending}")
        self.records.append(
            {
                "id": name,
                "title": title,
                "caption": caption,
                "file": files["json"].relative_to(self.folder).as_posix(),
                **{ending: path.relative_to(self.folder).as_posix() for ending, path in files.items()},
            }
        )


def run_figures(
    figures: Figures,
    *,
    card: DatasetCard,
    experiment: Experiment,
    runs: Mapping[str, Mapping[str, Any]],
    folder: Path,
) -> None:
    """Draws everything that a run's report shows.

    Args:
        figures: where they go.
        card: of the dataset.
        experiment: what is shown, and in which order.
        runs: the results of each run, as `results.json` holds them.
        folder: of the run: each run's `psi.csv`, `confusion.csv`, `history.csv` and `clip-*.nc` lie in its folder.
    """
    for count, (name, run) in enumerate(runs.items()):
        place, short = folder / name, name.replace("/", "-")
        if count == 0:
            for path in sorted(place.glob("clip-*.nc")):
                _clip(figures, path)
        psi = pd.read_csv(place / "psi.csv", index_col=0).dropna(how="all")
        figures.add(
            f"fig{min(count, 2) + 2}" if count < 3 else f"importance-{short}",
            f"{'Fig. ' + str(count + 2) + ': w' if count < 3 else 'W'}hich joints decide each action, {name}",
            f"Mean importance (Eq. 6) over correctly classified test clips of {run['model_title']}, "
            f"{run['protocol_title']}. Each row is scaled to its own greatest value.",
            importance_map(
                psi,
                nodes=experiment.figures.nodes or None,
                classes=_ordered_classes(card, experiment, list(psi.index)),
                groups=card.graph.groups,
                title=f"Importance of each joint for each action, {name}",
            ),
        )
        matrix = pd.read_csv(place / "confusion.csv", index_col=0)
        figures.add(
            f"confusion-{short}",
            f"Confusion, {name}",
            "Rows are what the clip shows, columns what the model said.",
            confusion(matrix.to_numpy(), list(matrix.index), title=f"What is taken for what, {name}"),
        )
        figures.add(
            f"training-{short}",
            f"Training, {name}",
            f"Recipe {run['recipe']}: {run['recipe_summary']}",
            history(pd.read_csv(place / "history.csv"), selected_epoch=run["kept_epoch"], title=f"Training, {name}"),
        )
        figures.add(
            f"masking-{short}",
            f"Hiding joints, {name}",
            "Accuracy as joints are moved towards a baseline: those that the explanation highlights, the least "
            "important ones, and as many at random. Bands are 95% bootstrap intervals.",
            masking_curves(
                curves_table(run["faithfulness"]), chance=1 / len(psi), title=f"Accuracy as joints are hidden, {name}"
            ),
        )
        if run["localisation"]:
            figures.add(
                f"localisation-{short}",
                f"Does it find what was planted? {name}",
                "The planted truth against the explanation, over joints, over frames, and over both at once. "
                "The controls know no model. Bars are 95% bootstrap intervals.",
                localisation(scores_table(run["localisation"]), title=f"Does it find what was planted? {name}"),
            )


def _clip(figures: Figures, path: Path) -> None:
    e = Explanation.load(path)
    x = np.load(path.with_suffix(".npy"), allow_pickle=False)
    number = sum(record["id"].startswith("fig1") for record in figures.records)
    said = e.classes[int(e.targets[0])] if e.classes else e.target
    figures.add(
        f"fig1{'abcdefgh'[number]}",
        f"Fig. 1: when and which joints, '{said}'",
        f"Clip {e.ids[0]}: the size of a joint is its importance for '{said}', which the model answered. "
        "Drag the slider, or click into the curve, to move through the clip.",
        skeleton(e, x=x),
        skeleton(e, x=x, interactive=False),
    )


def _ordered_classes(card: DatasetCard, experiment: Experiment, there: list[str]) -> list[str]:
    names = {entry.id: entry.name for entry in card.classes}
    order = [names[key] for key in experiment.figures.classes] or card.class_names
    return [name for name in order if name in there]


def curves_table(faithfulness: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """The masking curves of a run as rows of ``baseline, set, masking, accuracy, low, high``."""
    return pd.DataFrame(
        [
            {"baseline": baseline, "set": which, "masking": masking, "accuracy": a["value"], **_ends(a)}
            for baseline, sets in faithfulness.items()
            for which, curve in sets.items()
            for masking, a in zip(curve["masking"], curve["accuracy"], strict=True)
        ]
    )


def scores_table(localised: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """The localisation of a run as rows of ``method, over, measure, value, low, high``."""
    return pd.DataFrame(
        [
            {"method": method, "over": over, "measure": measure, "value": score["value"], **_ends(score)}
            for method, by_axis in localised.items()
            for over, measures in by_axis.items()
            for measure, score in measures.items()
        ]
    )


def _ends(score: Mapping[str, float]) -> dict[str, float]:
    return {"low": score["low"], "high": score["high"]}
