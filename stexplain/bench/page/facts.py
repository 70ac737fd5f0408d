"""The last sections of a report: tables, data and provenance, as they are."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stexplain.bench.html import count, folded, paragraph, percent, table, text
from stexplain.bench.stage import RunResults
from stexplain.reading.contents import readable


def tables(folder: Path, results: Mapping[str, Any]) -> str:
    """Every CSV table, folded."""
    return "".join(
        _csv_table(folder / str(entry["file"]), str(entry.get("title") or name))
        for name, entry in (results.get("tables") or {}).items()
    )


def _csv_table(path: Path, caption: str) -> str:
    """A CSV file as it is, number by number."""
    if not path.is_file():
        return paragraph(f"{caption}: {path.name} is missing from the run folder.")
    with readable(path, "a table in CSV", "Run the experiment again."), path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    if not lines:
        return paragraph(f"{caption}: {path.name} is empty.")
    # Tables would bury what follows; they lie beside the page as CSV, too.
    return folded(
        f"{caption}: {len(lines) - 1} row{'s' * (len(lines) != 2)}", table(lines[0], lines[1:], caption=caption)
    )


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
            parts.append(f"<p class=keep>{how}: {text(str(dataset['obtain']).strip())}</p>")
    return "".join(parts)


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
    seconds = results.get("seconds") or {}
    if seconds:
        rows = [[stage, f"{value:.1f}"] for stage, value in seconds.items()]
        rows.append(["total", f"{sum(seconds.values()):.1f}"])
        parts.append(table(["stage", "seconds"], rows, caption="Time"))
    return "".join(parts)
