"""From a run folder to its report."""

from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from stexplain.errors import DataError, suggest
from stexplain.files import atomic_write, read_json
from stexplain.report import comparison, forecast, recognition
from stexplain.report.figures import bundle
from stexplain.report.html import text

Contents = Callable[[Path, Mapping[str, Any]], list[tuple[str, str, str]]]
"""From a run folder and its results to sections: key, title, content; content that is empty is left out."""
CONTENTS: dict[str, Contents] = {
    "recognition": recognition.contents,
    "forecast": forecast.contents,
    "comparison": comparison.contents,
}
"""What a report holds, by the kind of experiment."""


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
        DataError: where ``results.json`` or a figure is not readable, or of another kind, or the page cannot be
            written.
    """
    folder = Path(run_folder)
    results = read_json(folder / "results.json")
    kind = results.get("kind", "recognition")
    if kind not in CONTENTS:
        raise DataError(f"{folder / 'results.json'} is of the kind {kind!r}. {suggest(str(kind), CONTENTS)}")
    parts = [
        (key, title, content)
        for key, title, content in CONTENTS[kind](folder, results)
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
    with atomic_write(path) as temporary:
        temporary.write_text(page, "utf-8")
    return path
