"""The report of an experiment that compares methods."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stexplain.report import sections
from stexplain.report.figures import figure_html, place
from stexplain.report.html import items, paragraph, share, table, text
from stexplain.report.summary import held_up

PLACES = {"compared": ("compared",), "seen": ("seen",)}
"""Section -> how the ids of its figures start."""


def contents(folder: Path, results: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The sections of the report of compared methods: key, title and content of each."""
    runs: Mapping[str, Any] = results.get("runs") or {}
    placed = place(results.get("figures") or [], PLACES)
    drawn = {key: "".join(figure_html(folder, figure) for figure in found) for key, found in placed.items()}
    return [
        ("summary", "In short", summary(results)),
        ("models", "The models that are explained", models(runs)),
        ("compared", "Which method finds the truth?", drawn["compared"] + scores(runs)),
        ("tests", "Is the difference more than chance?", tests(runs)),
        ("seen", "One clip, explained", drawn["seen"]),
        ("tables", "Tables", sections.csv_tables(folder, results)),
        ("more", "More figures", drawn["more"]),
        ("provenance", "Provenance", sections.provenance(results)),
    ]


def summary(results: Mapping[str, Any]) -> str:
    """What was asked, what came out, and what to keep in mind."""
    controls = " and ".join(results.get("controls") or [])
    notes = [
        f"{controls} know no model: an explanation is worth something only where it beats both.",
        "The truth is what the generator planted. A model may decide by less than that, or by something else; a method "
        "that shows the model's reason is then scored low although it is right about the model.",
        "Each method has one setting, chosen for speed; more samples or steps may change its place.",
        "A new training of the model may change the order of methods whose intervals overlap.",
    ]
    if results.get("size"):
        notes.append(f"Of {', '.join(results['size'])} the size counts, of all others what speaks for the answer.")
    left = {
        f"{method}: {why}" for run in (results.get("runs") or {}).values() for method, why in run["excluded"].items()
    }
    return (
        "<div class='cards'>"
        f"<div class='card full'><h3>What was asked</h3>{paragraph(str(results.get('question') or ''))}</div>"
        f"<div class='card full'><h3>What came out</h3>{held_up(results.get('verdicts') or [])}</div>"
        f"<div class='card full'><h3>To keep in mind</h3>{items([*notes, *sorted(left)])}</div></div>"
    )


def models(runs: Mapping[str, Any]) -> str:
    """What was trained on what, and how often it is right."""
    body = [
        [
            name,
            run["dataset_title"],
            run["model_title"],
            share(run["accuracy"]),
            run["train"],
            run["test"],
            run["clips"],
            f"{run['recipe']}, {run['epochs']} epochs",
        ]
        for name, run in runs.items()
    ]
    head = ["run", "data", "model", "right (95% interval)", "train", "test", "clips explained", "recipe"]
    return table(head, body, caption="Models") + paragraph(
        "Clips are drawn at random from the test clips that the model gets right, the same for every method."
    )


def scores(runs: Mapping[str, Any]) -> str:
    """A table per run: a row per method, a column per metric."""
    parts = []
    for name, run in runs.items():
        metrics = list(run["higher_is_better"])
        cells = {(row["method"], row["metric"]): row for row in run["table"]}
        body = [
            [
                method,
                *(_mean(cells[method, metric], run["best"][metric] == method) for metric in metrics),
                f"{1000 * run['seconds_per_clip'][method]:.3g}",
            ]
            for method in run["methods"]
        ]
        head = ["method", *(f"{metric} {'↑' if run['higher_is_better'][metric] else '↓'}" for metric in metrics)]
        parts.append(table([*head, "ms a clip"], body, caption=f"{name}: means with 95% bootstrap intervals"))
    return "".join(parts)


def tests(runs: Mapping[str, Any]) -> str:
    """Every method against every control, in the metrics that look for the truth."""
    parts = []
    for name, run in runs.items():
        body = [
            [
                row["method"],
                row["against"],
                row["metric"],
                f"{row['difference']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})",
                f"{row['p']:.2g}",
                f"{row['p_corrected']:.2g}",
                row["better"] or "cannot be told",
            ]
            for row in run["tests"]
            if row["metric"].startswith("auroc") and row["p"] is not None
        ]
        head = ["method", "against", "metric", "difference", "p", "p corrected", "better"]
        whole = table(head, body, caption=f"{name}: paired permutation tests, corrected by {run['correction']}")
        told = sum(row[-1] != "cannot be told" for row in body)
        words = f"{name}: {len(body)} tests, of which {told} tell a difference"
        parts.append(f"<details><summary>{text(words)}</summary>{whole}</details>")
    intro = paragraph(
        "Two-sided tests by flipping the signs of the differences of pairs: the same clip explained by both methods. "
        "p values are corrected over all tests of a metric."
    )
    return intro + "".join(parts)


def _mean(row: Mapping[str, Any], best: bool) -> str:
    if row["value"] is None:
        return "–"
    return f"{row['value']:.3f} ({row['low']:.3f}–{row['high']:.3f}){' ★' if best else ''}"
