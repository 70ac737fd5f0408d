"""The rows of the stage `truth`: a method with one baseline, and its scores, a number per sample."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.bench.html import listed
from stexplain.bench.run import FORECASTING
from stexplain.bench.shared.by_class import FOUND
from stexplain.bench.stage import RunResults
from stexplain.bench.wording import of_series, with_baseline

Row = Mapping[str, Any]
"""``method``, ``baseline``, ``baseline_explainer`` (it uses no model), ``scores`` (each a list) and ``inferences``."""
BOUNDS = {"effect_rank": (-1.0, 1.0)}
"""The smallest and the largest score, where these are not 0 and 1."""
TITLES = {
    "planted_nodes": "planted nodes",
    "planted_frames": "planted frames",
    "planted_positions": "planted positions",
    "effect_nodes": "effect nodes",
    "effect_positions": "effect positions",
    "effect_rank": "effect rank",
}
"""Scores -> what tables call them."""


def titles_of(run: RunResults) -> dict[str, str]:
    """Scores -> what tables call them, in the words of the run's data.

    Example:
        >>> titles_of(RunResults("stgcn", {"task": "forecasting"}, {}))["planted_frames"]
        'planted times'
    """
    forecasts = run.about.get("task") == FORECASTING
    return {score: of_series(title) if forecasts else title for score, title in TITLES.items()}


def as_array(values: Sequence[float | None]) -> NDArray[np.float64]:
    """A score of all samples; NaN where there is none, which JSON keeps as null."""
    return np.array([np.nan if value is None else value for value in values], np.float64)


def mean_of(row: Row, score: str, chosen: Any = slice(None)) -> float:
    """The mean over the samples that have the score; NaN where none has."""
    values = as_array(row["scores"][score])[chosen]
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def name_of(row: Row) -> str:
    """The method, and its baseline where it has one.

    Example:
        >>> name_of({"method": "Occlusion", "baseline": "historical_average"})
        'Occlusion (historical average)'
    """
    return with_baseline(row["method"], row["baseline"])


def classes_found(row: Row, score: str, labels: Sequence[str], words: str) -> str:
    """Of how many classes the nodes are found, and of which not."""
    of = np.array(labels)
    means = {name: mean_of(row, score, of == name) for name in dict.fromkeys(labels)}
    present = {name: value for name, value in means.items() if not np.isnan(value)}
    missed = [f"{name} (AUROC {value:.2f})" for name, value in present.items() if value < FOUND]
    text = f"finds the {words} nodes of {len(present) - len(missed)} of {len(present)} classes"
    return f"{text}; not of {listed(missed)}." if missed else f"{text}."


def kept_by_class(kept: Sequence[bool], labels: Sequence[str]) -> dict[str, float]:
    """Of each class the share of samples that the model predicts all the same where all of their cause is replaced.

    Example:
        >>> kept_by_class([True, False, False], ["nod", "nod", "hop"])
        {'nod': 0.5, 'hop': 0.0}
    """
    of = np.array(labels)
    return {name: float(np.mean(np.array(kept)[of == name])) for name in dict.fromkeys(labels)}


def told_by_absence(kept: Mapping[str, float]) -> str:
    """Says of which classes the model uses next to nothing that was planted; nothing where it needs the cause of all.

    Example:
        >>> told_by_absence({"nod": 1.0, "hop": 0.1})[:63]
        'Without its cause the model still predicts nod (100% of its sam'
        >>> told_by_absence({"hop": 0.1})
        ''
    """
    # The first says what the percentages are of.
    most = [f"{name} ({share:.0%})" for name, share in kept.items() if share > 0.5]
    most[:1] = [first.replace("%)", "% of its samples)") for first in most[:1]]
    if not most:
        return ""
    return (
        f"Without its cause the model still predicts {listed(most)}. It may tell such a class by the absence of the "
        "others: it hardly uses what is planted there, and an explanation that does not find it may be right."
    )


def digits(value: float, places: int = 3) -> str:
    """A number with so many digits; a dash for NaN."""
    return "–" if np.isnan(value) else f"{value:.{places}f}"


def best_of(body: Sequence[Row], score: str) -> Row | None:
    """The row with the highest mean, of methods that use the model; none where no row has one."""
    candidates = [row for row in body if not row["baseline_explainer"] and not np.isnan(mean_of(row, score))]
    return max(candidates, key=lambda row: mean_of(row, score), default=None)
