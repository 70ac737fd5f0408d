"""The report of an experiment on models that recognise classes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stexplain.report import sections
from stexplain.report.figures import figure_html, place
from stexplain.report.html import paragraph
from stexplain.report.summary import summary


def contents(folder: Path, results: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The sections of the report of models that recognise classes: key, title and content of each."""
    runs: Mapping[str, Any] = results.get("runs") or {}
    placed = place(results.get("figures") or [])
    drawn = {key: "".join(figure_html(folder, figure) for figure in found) for key, found in placed.items()}
    missing = paragraph("This run holds no such figure.")
    tables = sections.csv_tables(folder, results)
    return [
        ("summary", "In short", summary(results)),
        ("accuracy", "Accuracy", sections.accuracy(runs) + drawn["accuracy"]),
        ("moments", "When and where: moments of a clip", drawn["moments"] or missing),
        ("maps", "Which nodes matter for which class", drawn["maps"] or missing),
        ("masking", "Does hiding what was highlighted hurt?", sections.masking(runs) + drawn["masking"]),
        ("localisation", "Is the planted truth found?", sections.localisation(runs) + drawn["localisation"]),
        ("contrastivity", "Do classes differ?", sections.contrastivity(runs)),
        ("tables", "Tables of the paper, with ours", tables),
        ("more", "More figures", drawn["more"]),
        ("excluded", "Excluded data", sections.excluded(results)),
        ("provenance", "Provenance", sections.provenance(results)),
    ]
