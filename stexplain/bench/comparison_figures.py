"""The figures of a comparison."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.bench.compared import GUESS, ComparedJob, made
from stexplain.bench.comparison_experiment import ComparisonExperiment
from stexplain.bench.figures import Figures
from stexplain.explainers.targets import Predicted
from stexplain.metrics.localisation import localisation
from stexplain.report.comparison_verdicts import JUDGED
from stexplain.viz import comparison, network


def comparison_figures(
    figures: Figures, job: ComparedJob, asked: ComparisonExperiment, found: Mapping[str, Any]
) -> None:
    """Draws the scores of all methods, and one clip as the best method explains it.

    Args:
        figures: where they go.
        job: the run.
        asked: the experiment.
        found: its results, as `results.json` holds them.
    """
    name = job.asked.name
    table = pd.DataFrame(found["table"]).astype({"value": float, "low": float, "high": float})
    better = found["higher_is_better"]
    figures.add(
        f"compared-{name}",
        f"All methods on the run '{name}'",
        f"{found['clips']} test clips of {found['dataset_title']}, explained for the class that {found['model_title']} "
        "answers. Means with 95% bootstrap intervals; the controls know no model.",
        comparison(
            table,
            baseline_explainers=asked.controls,
            better=better,
            reference={metric: value for metric, value in GUESS.items() if metric in better},
            title=f"Which method finds what was planted? {name}",
        ),
    )
    _one_clip(figures, job, asked, found)


def _one_clip(figures: Figures, job: ComparedJob, asked: ComparisonExperiment, found: Mapping[str, Any]) -> None:
    """The clip whose score is the median of the best method's: neither its best nor its worst."""
    # A control may win, but shows nothing about the model.
    method = next(name for name in _ranked(found) if name not in asked.controls)
    batch = job.batch(found["indices"])
    assert batch.truth is not None
    e = made(job, asked, method)(batch, target=Predicted())
    area = localisation(e.importance, batch.truth, batch.valid).scores["positions"]["auroc"]
    order = np.argsort(np.where(np.isnan(area), np.inf, area), kind="stable")
    row = int(order[int((~np.isnan(area)).sum()) // 2])
    truth: NDArray[np.bool_] = batch.truth[row].numpy()
    nodes = [str(e.node_names[index]) for index in np.unique(np.nonzero(truth)[2])]
    graph = job.clips.graph
    frames = np.nonzero(truth)[1]
    figures.add(
        f"seen-{job.asked.name}",
        f"A clip of the run '{job.asked.name}', explained by {method}",
        f"Clip {e.ids[row]}, answered '{job.clips.classes[int(e.targets[row])]}'. Ringed nodes were planted, in frames "
        f"{frames.min()} to {frames.max()}. Of all clips, this one is scored in the middle (AUROC {area[row]:.2f}).",
        network(
            graph,
            e.importance[row].max(axis=0),
            marked={"planted": nodes},
            title=f"Importance over time, {method}",
        ),
    )


def _ranked(found: Mapping[str, Any]) -> list[str]:
    means = {row["method"]: row["value"] for row in found["table"] if row["metric"] == JUDGED}
    return sorted(means, key=lambda name: -(means[name] if means[name] is not None else -np.inf))
