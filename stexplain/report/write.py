"""From a run folder to its report."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from stexplain.files import read_json, written_aside
from stexplain.report import sections
from stexplain.report.figures import bundle, figure_html, place
from stexplain.report.html import paragraph, text
from stexplain.report.summary import summary


def write_report(run_folder: Path | str) -> Path:
    """Writes `report.html` into a run folder, from the `results.json` there and the files that it names.

    The page holds all it needs: numbers, charts as data, and the script that draws them; it loads nothing. What the
    run lacks, the page says it lacks.

    Args:
        run_folder: with ``results.json``; figures are Vega-Lite specifications, tables CSV, both named in it relative
            to the folder.

    Returns:
        The path of the page.

    Raises:
        DataError: where ``results.json`` or a figure is not readable, or the page cannot be written.
    """
    folder = Path(run_folder)
    results = read_json(folder / "results.json")
    parts = [
        (key, title, content)
        for key, title, content in _contents(folder, results)
        if content  # a section without anything to say is left out, and so is its entry in the contents
    ]
    page = Template(files("stexplain.report").joinpath("page.html").read_text("utf-8")).substitute(
        title=text(results.get("title") or "stexplain report"),
        lead=text((results.get("dataset") or {}).get("title") or ""),
        contents="".join(f'<li><a href="#{key}">{text(title)}</a></li>' for key, title, _ in parts),
        main="".join(
            f'<section id="{key}" aria-labelledby="{key}-h"><h2 id="{key}-h">{text(title)}</h2>{content}</section>'
            for key, title, content in parts
        ),
        bundle=bundle(),
    )
    path = folder / "report.html"
    with written_aside(path) as aside:
        aside.write_text(page, "utf-8")
    return path


def _contents(folder: Path, results: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    runs: Mapping[str, Any] = results.get("runs") or {}
    placed = place(results.get("figures") or [])
    drawn = {key: "".join(figure_html(folder, figure) for figure in found) for key, found in placed.items()}
    missing = paragraph("This run holds no such figure.")
    tables = "".join(
        sections.csv_table(folder / _file(entry), _caption(name, entry))
        for name, entry in (results.get("tables") or {}).items()
    )
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
        ("left-out", "Data left out", sections.left_out(results)),
        ("provenance", "Provenance", sections.provenance(results)),
    ]


def _file(entry: Any) -> str:
    return str(entry["file"] if isinstance(entry, Mapping) else entry)


def _caption(name: str, entry: Any) -> str:
    if isinstance(entry, Mapping) and entry.get("title"):
        return str(entry["title"])
    return name.replace("table", "Table ", 1) if name.startswith("table") else name
