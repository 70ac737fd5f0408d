"""Localisation scores: as JSON, as a table for a chart, and in the report; of clips and of events alike."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from stexplain.bench.html import number, paragraph, table
from stexplain.metrics.localisation import OVER, Localisation

MEASURES = {"auroc": "auroc", "average_precision": "ap", "pointing": "pointing"}
"""Scores of `stexplain.metrics.localisation` that are reported, and their names in `results.json`."""
Scores = Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]
"""Method -> nodes, frames or positions -> measure -> value and interval."""


def in_groups(groups: Any, rows: Any = None) -> dict[str, Any]:
    """The argument `groups` of an interval, of these rows; none where no groups are known.

    Example:
        >>> in_groups(None), in_groups(["a", "b"], [1])["groups"].tolist()
        ({}, ['b'])
    """
    return {} if groups is None else {"groups": np.asarray(groups)[slice(None) if rows is None else rows]}


def with_intervals(scores: Localisation, seed: int, groups: Any = None) -> dict[str, dict[str, dict[str, float]]]:
    """The scores of one method, over nodes, frames and positions, with intervals over groups of samples."""
    # One seed for all: methods are then compared on the same resamples.
    return {
        over: {
            short: scores.interval(over, measure, seed=seed, **in_groups(groups)).to_dict()
            for measure, short in MEASURES.items()
        }
        for over in OVER
    }


def auroc_measures(scores: Scores) -> dict[str, Any]:
    """The AUROC of every method on every axis, by a name that says both."""
    return {
        f"AUROC {method}, {over}": measures.get("auroc")
        for method, by_axis in scores.items()
        for over, measures in by_axis.items()
    }


def scores_table(scores: Scores, over: Mapping[str, str]) -> pd.DataFrame:
    """The scores as rows of ``method, over, measure, value, low, high``, for a chart.

    Args:
        scores: of every method.
        over: what nodes, frames and positions are called, as in the table beside the chart.
    """
    return pd.DataFrame(
        [
            # `score` adds value, low and high.
            {"method": method, "over": over[axis], "measure": measure, **score}
            for method, by_axis in scores.items()
            for axis, measures in by_axis.items()
            for measure, score in measures.items()
        ]
    )


def scores_html(
    runs: Mapping[str, Scores | None],
    over: Mapping[str, str],
    samples: Mapping[str, str] | None = None,
    *,
    sign: str,
    ranked_by: Callable[[str], str] | None = None,
) -> str:
    """A table per run.

    Args:
        runs: label of the run -> its scores.
        over: what nodes, frames and positions are called.
        samples: label of the run -> on how many samples, in words.
        sign: what is ranked, magnitudes or values of one sign, as a sentence.
        ranked_by: method -> what its row is ranked by, where that differs between methods.
    """

    def _ranking(method: str) -> list[str]:
        return [ranked_by(method)] if ranked_by else []

    parts = []
    for label, scores in runs.items():
        body: list[list[Any]] = [
            [method, *_ranking(method), over[axis], *(number(measures.get(short)) for short in MEASURES.values())]
            for method, by_axis in (scores or {}).items()
            for axis, measures in by_axis.items()
        ]
        # A run on real data has no ground truth; others of the experiment may.
        if body:
            head = ["method", *(["ranked by"] if ranked_by else []), "over"]
            head += ["AUROC", "average precision", "pointing game"]
            size = f", {samples[label]}" if samples else ""
            parts.append(table(head, body, caption=f"Localisation (95% interval){size}: {label}"))
    if not parts:
        return paragraph("This data has no ground truth, so localisation cannot be scored.")
    words = paragraph(
        "The data was generated, so its ground truth is known. An AUROC of 0.5 is chance level, 1 is perfect. "
        "Baseline explainers, such as motion energy (on series the temporal change) and random attribution, use no "
        "model: an explanation has value only where it scores higher. Shown are these two and those that are the best "
        f"on an axis. {sign}"
    )
    return words + "".join(parts)
