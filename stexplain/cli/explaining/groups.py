"""Two groups of recordings compared by their explanations: `stexplain explain --group-by`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stexplain.cli.explaining.output import about, head, write_summary
from stexplain.cli.validate.outputs import CHARTS, MAPS, Outputs
from stexplain.data.clips import Clips
from stexplain.errors import InputError, unknown
from stexplain.explainers.explanation import Explanation
from stexplain.metrics.groups.compare import compare_groups
from stexplain.viz import group_comparison, save
from stexplain.wording import counted

_TABLES = (".csv", ".parquet")
_NOT_GROUPS = ("id", "label", "frames", "instances", "class")
_CLASS = ("class", "label")
"""What each dataset of recordings has, the name of the class: as a store calls it, and as a table of labels does."""


@dataclass(frozen=True)
class Grouped:
    """The groups of the samples that are compared.

    Attributes:
        column: by which they are grouped.
        groups: a label of each sample.
        clusters: of each sample; those of one cluster are not independent.
        reference: the group that the other is compared with.
    """

    column: str
    groups: list[str]
    clusters: list[str]
    reference: str


def chosen_groups(
    clips: Clips, which: Sequence[int], group_by: str, cluster_by: str | None
) -> tuple[Grouped, list[int]]:
    """The groups that `--group-by COLUMN` or `COLUMN=A,B` names, and the clips that are in one of them.

    Raises:
        InputError: where there is no such column, it has other than two values and none were named, or a group has
            fewer than two clusters.
    """
    column, _, named = group_by.partition("=")
    values = _column(clips, column, "--group-by")
    present = sorted({values[index] for index in which if values[index] != ""})
    requested = [name.strip() for name in named.split(",")] if named else present
    for name in requested:
        if name not in present:
            raise unknown(f"value of {column}", name, present)
    if len(set(requested)) != 2:
        shown = ", ".join(requested[:8]) + (", ..." if len(requested) > 8 else "")
        raise InputError(
            f"--group-by: got {len(requested)} values of {column} ({shown}); expected two. Name them, the reference "
            f"first: --group-by '{column}=A,B'."
        )
    kept = [index for index in which if values[index] in requested]
    clusters = clips.groups.astype(str).tolist() if cluster_by is None else _column(clips, cluster_by, "--cluster-by")
    # Before the samples are explained, which may take long.
    counts = [len({clusters[index] for index in kept if values[index] == name}) for name in requested]
    if min(counts) < 2:
        raise InputError(
            f"--group-by: got {counts[0]} and {counts[1]} independent units of {requested[0]} and {requested[1]}; "
            "expected two or more of each. Take more samples by --split, such as all, or by --first."
        )
    return Grouped(column, [values[index] for index in kept], [clusters[index] for index in kept], requested[0]), kept


def _column(clips: Clips, name: str, option: str) -> list[str]:
    """A column of the clips' table as text; of the class, its name."""
    if name in _CLASS:
        return [clips.classes[label] if label >= 0 else "" for label in clips.labels]
    known = [str(column) for column in clips.table.columns if column not in _NOT_GROUPS]
    if name not in known:
        raise unknown(f"column of {option}", name, [*_CLASS, *known])
    return ["" if value is None or value != value else str(value) for value in clips.table[name].tolist()]


def group_summary(
    explanation: Explanation,
    grouped: Grouped,
    predictions: Sequence[dict[str, Any]],
    outputs: Outputs,
    summary: dict[str, Any],
) -> dict[str, Any]:
    """Compares the groups, and writes the table, a chart, the maps and a summary."""
    # A recording without a label, or a model that does not say classes, leaves open how accurate it is.
    known = all(row.get("label", -1) >= 0 and "predicted" in row for row in predictions)
    result = compare_groups(
        explanation,
        grouped.groups,
        clusters=grouped.clusters,
        labels=[row["label"] for row in predictions] if known else None,
        predicted=[row["predicted"] for row in predictions] if known else None,
        reference=grouped.reference,
        windows=min(8, int(explanation.valid.any(1).sum(1).min())),
    )
    folder = outputs.folder
    # Named files hold the comparison; the maps have formats that a table cannot be in.
    tables = outputs.of(_TABLES) + ([folder / "groups.csv"] if folder else [])
    maps = [path for path in outputs.of(MAPS) if path not in tables] + ([folder / "explanation.nc"] if folder else [])
    charts = outputs.of(CHARTS) + ([folder / "groups.html", folder / "groups.png"] if folder else [])
    for path in maps:
        explanation.save(path)
    for path in tables:
        result.save(path)
    chart = group_comparison(result) if charts else None
    for path in charts:
        assert chart is not None
        save(chart, path)
    right = [row["label"] == row["predicted"] for row in predictions if row["label"] >= 0 and "predicted" in row]
    found = {
        **about(explanation, summary),
        "group_by": grouped.column,
        "reference": result.reference,
        "other": result.other,
        "samples": len(explanation),
        "accuracy": float(np.mean(right)) if right else None,
        "balanced_accuracy": result.to_frame().attrs.get("accuracy"),
        "sentences": result.sentences(),
        "table": _rows(result.to_frame()),
        "files": [str(path) for path in (*maps, *tables, *charts)],
    }
    write_summary(found, outputs)
    return found


def _rows(table: Any) -> list[dict[str, Any]]:
    """The rows of a table as JSON has them: NaN is none."""
    return [
        {name: None if value != value else value for name, value in row.items()} for row in table.to_dict("records")
    ]


def group_text(summary: dict[str, Any]) -> str:
    """The comparison for the terminal."""
    lines = head(summary)
    if summary["accuracy"] is not None:
        lines.append(f"the model classifies {summary['accuracy']:.0%} of these samples correctly")
    lines += ["", *summary["sentences"], ""]
    rows = sorted((row for row in summary["table"] if row["p"] is not None), key=lambda row: row["p_corrected"])
    lines.append(f"  {'':<24} {summary['reference']:>12.12} {summary['other']:>12.12}   p, corrected")
    for row in rows[:10]:
        lines.append(f"  {row['name']:<24} {row['reference']:>12.3g} {row['other']:>12.3g}   {row['p_corrected']:.3g}")
    if len(rows) > 10:
        lines.append(f"  and {counted(len(rows) - 10, 'more row')}")
    written = [*summary["files"], *([summary["summary"]] if summary["summary"] else [])]
    return "\n".join([*lines, "", *written])
