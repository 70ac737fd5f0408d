"""The sections below the summary: tables of numbers, and the text around figures."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stexplain.report.html import number, paragraph, percent, share, table, text
from stexplain.report.verdicts import run_label

OVER = {"nodes": "nodes", "frames": "frames", "positions": "nodes × frames"}


def accuracy(runs: Mapping[str, Any]) -> str:
    """Accuracy of every run beside the paper's."""
    head = ["run", "accuracy (95% interval)", "paper", "top 5", "train", "validation", "test", "parameters", "recipe"]
    body = [
        [
            run_label(name, run),
            share(run.get("accuracy")),
            percent((run.get("paper") or {}).get("accuracy")),
            share(run.get("top5")),
            *(_count(run.get(key)) for key in ("train", "validation", "test", "parameters")),
            run.get("recipe") or "–",
        ]
        for name, run in runs.items()
    ]
    recipes = {str(run["recipe"]): str(run["recipe_summary"]) for run in runs.values() if run.get("recipe_summary")}
    notes = [paragraph(f"Recipe {name}: {words}") for name, words in recipes.items()]
    notes += [paragraph(str(run["paper"]["note"])) for run in runs.values() if (run.get("paper") or {}).get("note")]
    return table(head, body, caption="Accuracy on the test split") + "".join(notes)


def masking(runs: Mapping[str, Any]) -> str:
    """Eq. 7 for every run, baseline and set of nodes."""
    sets = ["highlighted", "random", "least"]
    body = [
        [run_label(name, run), baseline, *(number((found.get(kind) or {}).get("beta")) for kind in sets)]
        for name, run in runs.items()
        for baseline, found in (run.get("faithfulness") or {}).items()
    ]
    if not body:
        return paragraph("Faithfulness was not measured in this run.")
    head = ["run", "baseline", "β highlighted", "β random nodes", "β least important"]
    words = paragraph(
        "Each set of nodes is faded towards a baseline and the test is taken again. β sums the loss of accuracy over "
        "all strengths (Eq. 7 of the paper): the larger, the more those nodes mattered."
    )
    return words + table(head, body, caption="Faithfulness β")


def contrastivity(runs: Mapping[str, Any]) -> str:
    """How much the maps of different classes differ."""
    body = [
        [
            run_label(name, run),
            number(run["contrastivity"]),
            number((run.get("paper") or {}).get("contrastivity")),
            number((run.get("das2022") or {}).get("contrastivity")),
            number((run.get("das2022") or {}).get("node_rank_correlation")),
            run["contrastivity"].get("classes"),
            run["contrastivity"].get("constant"),
        ]
        for name, run in runs.items()
        if run.get("contrastivity")
    ]
    if not body:
        return ""
    head = [
        "run",
        "contrastivity",
        "paper",
        "parity das2022",
        "rank correlation with parity",
        "classes",
        "constant maps",
    ]
    return table(head, body, caption="Contrastivity: 0 = all classes alike, 1 = unrelated maps")


def localisation(runs: Mapping[str, Any], over_words: Mapping[str, str] = OVER) -> str:
    """Scores against the planted truth, the controls among them; `over_words` names what is found."""
    parts = []
    for name, run in runs.items():
        found = run.get("localisation")
        if not found:
            continue
        body = [
            [
                method,
                over_words.get(over, over),
                number(scores.get("auroc")),
                number(scores.get("ap")),
                number(scores.get("pointing")),
            ]
            for method, by_axis in found.items()
            for over, scores in by_axis.items()
        ]
        head = ["method", "over", "AUROC", "average precision", "pointing game"]
        parts.append(table(head, body, caption=f"Localisation: {run_label(name, run)}"))
    if not parts:
        return paragraph("The truth is not known for this data, so localisation cannot be scored.")
    words = paragraph(
        "The data was generated with a known cause. AUROC 0.5 is guessing, 1 is perfect. Motion and Random know no "
        "model: an explanation is worth something only where it beats both."
    )
    return words + "".join(parts)


def csv_table(path: Path, caption: str) -> str:
    """A CSV file as it stands, number by number."""
    if not path.is_file():
        return paragraph(f"{caption}: {path.name} is missing from the run folder.")
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    if not lines:
        return paragraph(f"{caption}: {path.name} is empty.")
    return table(lines[0], lines[1:], caption=caption)


def csv_tables(folder: Path, results: Mapping[str, Any]) -> str:
    """All tables that the results name, as they stand."""
    return "".join(
        csv_table(folder / _file(entry), _caption(name, entry)) for name, entry in (results.get("tables") or {}).items()
    )


def _file(entry: Any) -> str:
    return str(entry["file"] if isinstance(entry, Mapping) else entry)


def _caption(name: str, entry: Any) -> str:
    if isinstance(entry, Mapping) and entry.get("title"):
        return str(entry["title"])
    return name.replace("table", "Table ", 1) if name.startswith("table") else name


def excluded(results: Mapping[str, Any]) -> str:
    """Which data was not used, and why."""
    reasons = (results.get("dataset") or {}).get("excluded") or {}
    if not reasons:
        return paragraph("No recording was excluded.")
    return table(["reason", "recordings"], [[reason, _count(count)] for reason, count in reasons.items()], kind="facts")


def provenance(results: Mapping[str, Any]) -> str:
    """All that is needed to run this again."""
    dataset = results.get("dataset") or {}
    facts = [
        ["command", results.get("command")],
        ["started", results.get("started")],
        ["finished", results.get("finished")],
        ["seed", results.get("seed")],
        ["after", results.get("citation")],
        ["dataset", dataset.get("name")],
        ["dataset card (SHA-256)", dataset.get("card_hash")],
        ["source of the data", dataset.get("source")],
        *(
            [f"{name}: layer explained", run["layer"]]
            for name, run in (results.get("runs") or {}).items()
            if run.get("layer")
        ),
        *([f"model card {name} (SHA-256)", value] for name, value in (results.get("model_hashes") or {}).items()),
    ]
    parts = [table(["what", "value"], [fact for fact in facts if fact[1] is not None], caption="Run", kind="facts")]
    versions = results.get("versions") or {}
    parts.append(table(["package", "version"], list(versions.items()), caption="Versions"))
    seconds = results.get("seconds") or {}
    if seconds:
        rows = [[stage, f"{value:.1f}"] for stage, value in seconds.items()]
        rows.append(["all", f"{sum(seconds.values()):.1f}"])
        parts.append(table(["stage", "seconds"], rows, caption="Timings"))
    if dataset.get("obtain"):
        parts.append(f"<h3>How to get the data</h3><p class=keep>{text(str(dataset['obtain']).strip())}</p>")
    return "".join(parts)


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "–" if value is None else str(value)
