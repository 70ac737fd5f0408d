"""The last sections of a report: tables, data and provenance, as they are."""

import csv
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from stexplain.bench.html import count, folded, items, paragraph, percent, table, text
from stexplain.bench.stage import RunResults
from stexplain.reading.contents import is_there, readable

_WRAPPED = 80
"""So long is a line that ends because its file is no wider."""


def tables(folder: Path, results: Mapping[str, Any], runs: Sequence[RunResults] = ()) -> str:
    """Every CSV table, folded; on paper, where each lies in the run folder.

    Files call runs, models and datasets by the names of folders and cards; here they have those of the whole report.
    """
    named = [
        (str(entry.get("title") or name), str(entry["file"])) for name, entry in (results.get("tables") or {}).items()
    ]
    if not named:
        return ""
    files = items(f"{title}: {file}" for title, file in named)
    words = _words(results, runs)
    return (
        f'<div class="screen">{"".join(_csv_table(folder / file, title, words) for title, file in named)}</div>'
        f'<div class="paper">{paragraph("Too long for paper; these files of the run folder hold them.")}{files}</div>'
    )


def _words(results: Mapping[str, Any], runs: Sequence[RunResults]) -> Mapping[str, Mapping[str, str]]:
    """Name of a column -> what its cells are called in the report."""
    labels: dict[str, str] = {}
    models: dict[str, str] = {}
    datasets: dict[str, str] = {}
    known = results.get("datasets") or {}
    for run in runs:
        labels[run.name] = run.label
        labels |= {other.name: f"{run.label}, seed {other.about.get('seed')}" for other in run.others}
        models[str(run.about.get("model"))] = run.model
        name, protocol = str(run.about.get("dataset")), str(run.about.get("protocol") or "")
        title = str((known.get(name) or {}).get("title") or name)
        datasets[f"{name}/{protocol}" if protocol else name] = f"{title}, {protocol}" if protocol else title
    return {"run": labels, "model": models, "dataset": datasets}


def _csv_table(path: Path, caption: str, words: Mapping[str, Mapping[str, str]]) -> str:
    """A CSV file, number by number."""
    if not is_there(path):
        return paragraph(f"{caption}: {path.name} is missing from the run folder.")
    with readable(path, "a table in CSV", "Run the experiment again."), path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    if not lines:
        return paragraph(f"{caption}: {path.name} is empty.")
    head, *body = lines
    # A line of a file that somebody edited may be shorter or longer than the first.
    named: list[Mapping[str, str]] = [words.get(name, {}) for name in head]
    named += [{}] * max(map(len, lines))
    body = [[called.get(cell, cell) for called, cell in zip(named, line, strict=False)] for line in body]
    # Tables would bury what follows; they lie beside the page as CSV, too.
    return folded(f"{caption}: {len(body)} row{'s' * (len(body) != 1)}", table(head, body, caption=caption))


def data(results: Mapping[str, Any]) -> str:
    """What was read, how it was split, and which samples were excluded."""
    parts = []
    for name, dataset in (results.get("datasets") or {}).items():
        facts = [
            [label, count(dataset[key]) if isinstance(dataset.get(key), int) else dataset.get(key)]
            # Recordings and series have different properties; those that a dataset lacks are dropped below.
            for key, label in (
                ("samples", "samples"),
                ("nodes", "nodes"),
                ("edges", "edges"),
                ("frames", "frames"),
                ("first", "first frame"),
                ("last", "last frame"),
                ("minutes", "minutes per frame"),
                ("window", "frames that the model reads"),
                ("horizon", "frames that it forecasts"),
            )
        ]
        facts += [[f"windows, {part} split", count(value)] for part, value in (dataset.get("windows") or {}).items()]
        if dataset.get("missing") is not None:
            facts.append(["missing observations", percent(dataset["missing"])])
        facts += [[f"excluded: {reason}", count(value)] for reason, value in (dataset.get("excluded") or {}).items()]
        # Where the data lay on the machine that ran this; generated data is in its cache.
        facts.append(["source", dataset.get("source")])
        facts.append(["dataset card (SHA-256)", dataset.get("card_hash")])
        known = [fact for fact in facts if fact[1] is not None]
        parts.append(table(["property", "value"], known, caption=str(dataset.get("title") or name), kind="facts"))
        if dataset.get("obtain"):
            # Recordings of which a generated copy was used: how to get them is of use, but not what this run read.
            how = f"How to get the data{' (this run used synthetic data)' if dataset.get('planted') else ''}"
            # Cards mark names of files and commands as Markdown does.
            instruction = re.sub(r"`([^`]+)`", r"<code>\1</code>", text(unwrapped(str(dataset["obtain"]).strip())))
            parts.append(f"<p class=keep>{how}: {instruction}</p>")
    return "".join(parts)


def unwrapped(written: str) -> str:
    r"""Text of a card without the ends of lines that only keep its file narrow: those of long lines within a paragraph.

    Example:
        >>> unwrapped("Ask for access on the site of the dataset, and download the archive of all\n recordings")
        'Ask for access on the site of the dataset, and download the archive of all\n recordings'
        >>> unwrapped("a " * 40 + "\nb\n\n- c\nd") == "a " * 40 + "b\n\n- c\nd"
        True
    """
    joined = written.splitlines()[:1]
    for before, line in pairwise(written.splitlines()):
        if len(before) >= _WRAPPED and re.match(r"(?![-*] |\d+[.)] )\S", line):
            joined[-1] = f"{joined[-1].rstrip()} {line}"
        else:
            joined.append(line)
    return "\n".join(joined)


def provenance(results: Mapping[str, Any], runs: Sequence[RunResults]) -> str:
    """All that is needed to run this again."""
    facts: list[list[object]] = [
        ["command", results.get("command")],
        ["finished", results.get("finished")],
        ["seed", results.get("seed")],
        ["trainings of each run", results.get("seeds")],
        ["threads", results.get("threads")],
        ["method of", results.get("citation")],
    ]
    facts += [[f"folder, {run.label}", run.name] for run in runs if run.label != run.name]
    facts += [[f"model card, {run.label} (SHA-256)", run.about.get("model_hash")] for run in runs]
    known: list[list[object]] = [fact for fact in facts if fact[1] is not None]
    parts = [table(["property", "value"], known, caption="Experiment", kind="facts")]
    parts.append(table(["package", "version"], list((results.get("versions") or {}).items()), caption="Versions"))
    return "".join(parts) + _time(results, runs)


def _time(results: Mapping[str, Any], runs: Sequence[RunResults]) -> str:
    """Seconds of every stage and run; a stage that is computed in parts is one row."""
    seconds: Mapping[str, float] = results.get("seconds") or {}
    if not seconds:
        return ""
    # Runs may lie below each other in folders: the longest name that fits is the run's.
    names = sorted((results.get("runs") or {}), key=len, reverse=True)
    cells: dict[str, dict[str, float]] = {}
    for key, value in seconds.items():
        # Figures are a step of their own, below which runs and stages lie.
        drawn, rest = key.startswith("figures/"), key.removeprefix("figures/")
        run = next((name for name in names if rest.startswith(f"{name}/")), "")
        stage = "figures" if drawn else rest.removeprefix(f"{run}/").split("/")[0] if run else key
        row = cells.setdefault(stage, {})
        row[run] = row.get(run, 0.0) + value
    shown = [name for name in (results.get("runs") or {}) if any(name in row for row in cells.values())]
    labels = {run.name: run.label for run in runs}
    body = [
        [stage, *(_seconds(row.get(name)) for name in shown), f"{sum(row.values()):.1f}"]
        for stage, row in cells.items()
    ]
    totals = [_seconds(sum(row.get(name, 0.0) for row in cells.values())) for name in shown]
    body.append(["total", *totals, f"{sum(seconds.values()):.1f}"])
    return table(
        ["stage", *(labels.get(name, name) for name in shown), "seconds, all"], body, caption="Time in seconds"
    )


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f}"
