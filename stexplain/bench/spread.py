"""The spread of results between trainings, beside that between samples."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stexplain.bench.html import number, paragraph, rounded, table
from stexplain.bench.stage import RunResults, Stage, Table


class Spread(NamedTuple):
    """A number over several trainings of one run.

    Attributes:
        mean: over trainings.
        deviation: the standard deviation between trainings, of a sample of them (n - 1).
        low: the smallest.
        high: the largest.
        trainings: how many.
    """

    mean: float
    deviation: float
    low: float
    high: float
    trainings: int


def spread(values: Iterable[float | None]) -> Spread | None:
    """The spread of a number, one per training; none where fewer than two trainings have it.

    Example:
        >>> spread([0.75, 0.875, 1.0, None])
        Spread(mean=0.875, deviation=0.125, low=0.75, high=1.0, trainings=3)
        >>> spread([0.8]) is None
        True
    """
    present = np.array([value for value in values if value is not None], np.float64)
    present = present[~np.isnan(present)]
    # One training has no spread, and 0 would read as if it had been measured.
    if len(present) < 2:
        return None
    ends = float(present.min()), float(present.max())
    return Spread(float(present.mean()), float(present.std(ddof=1)), *ends, len(present))


def measured(stage: Stage[Any], runs: Sequence[RunResults]) -> Iterator[tuple[RunResults, str, Any, Spread | None]]:
    """Each run and number of a stage: of its first training with the interval between samples, and its spread."""
    for run in runs:
        by_training: list[Mapping[str, Any]] = [
            dict(stage.measures(training)) for training in run.trainings if stage.name in training.stages
        ]
        # A method that failed in one training still has numbers in the others.
        for name in dict.fromkeys(name for measures in by_training for name in measures):
            scores = [measures.get(name) for measures in by_training]
            yield run, name, scores[0], spread(_value(score) for score in scores)


def spread_html(stage: Stage[Any], runs: Sequence[RunResults]) -> str:
    """The table of a stage's numbers over trainings; nothing where each run was trained once."""
    body = [
        [
            run.label,
            name,
            number(score),
            f"{rounded(over.mean, 3)} ± {rounded(over.deviation, 3)}",
            *_ends(over),
            over.trainings,
        ]
        for run, name, score, over in measured(stage, runs)
        if over is not None
    ]
    if not body:
        return ""
    head = ["run", "measure", "first training (95% interval between samples)"]
    head += ["mean ± standard deviation between trainings", "lowest", "highest", "trainings"]
    words = paragraph(
        "Verdicts are over all trainings; figures, tables and lists above are of the first. Below, beside its interval "
        "between samples, is how far the same number moves when the model is trained again from another seed."
    )
    return words + table(head, body, caption="Between trainings")


def spread_tables(stages: Sequence[Stage[Any]], runs: Sequence[RunResults]) -> Mapping[str, Table]:
    """The same of all stages as a table for `tables/`; none where each run was trained once."""
    rows = []
    for stage in stages:
        for run, name, score, over in measured(stage, [run for run in runs if stage.name in run.stages]):
            if over is not None:
                interval = score if isinstance(score, Mapping) else {}
                first = {"first": _value(score), **{f"first_{end}": interval.get(end) for end in ("low", "high")}}
                rows.append({"run": run.name, "stage": stage.name, "measure": name, **first, **over._asdict()})
    return {"trainings": Table("Numbers of all stages over trainings", pd.DataFrame(rows), "%.5g")} if rows else {}


def _value(score: Any) -> float | None:
    value = score.get("value") if isinstance(score, Mapping) else score
    return None if value is None else float(value)


def _ends(over: Spread) -> list[str]:
    return [rounded(over.low, 3), rounded(over.high, 3)]
