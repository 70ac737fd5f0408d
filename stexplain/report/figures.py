"""Charts in the page: specifications as data, drawn by one script."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stexplain.errors import DataError
from stexplain.report.html import script_json, text

PLACES = {
    "accuracy": ("confusion", "history", "training"),
    "moments": ("fig1", "skeleton", "timeline"),
    "maps": ("fig2", "fig3", "fig4", "importance"),
    "masking": ("masking",),
    "localisation": ("localisation",),
}
"""Section -> how the ids of its figures start; a figure that fits nowhere is shown at the end."""


def place(
    figures: Sequence[Mapping[str, Any]], places: Mapping[str, tuple[str, ...]] = PLACES
) -> dict[str, list[Mapping[str, Any]]]:
    """The figures of every section, in the order given.

    Args:
        figures: as `results.json` lists them.
        places: section -> how the ids of its figures start.

    Example:
        >>> {section: len(found) for section, found in place([{"id": "fig1-throw"}, {"id": "novel"}]).items() if found}
        {'moments': 1, 'more': 1}
    """
    found: dict[str, list[Mapping[str, Any]]] = {section: [] for section in [*places, "more"]}
    for figure in figures:
        section = next(
            (name for name, starts in places.items() if str(figure.get("id", "")).startswith(starts)), "more"
        )
        found[section].append(figure)
    return found


def figure_html(folder: Path, figure: Mapping[str, Any]) -> str:
    """A figure with its heading, how to read it, and its caption.

    The chart's own title becomes text of the page: it then wraps on a narrow screen and is read aloud.

    Raises:
        DataError: where the specification is there but is not JSON.
    """
    name = str(figure.get("id") or figure.get("file"))
    path = folder / str(figure.get("file"))
    title, caption = str(figure.get("title") or name), str(figure.get("caption") or "")
    if not path.is_file():
        return (
            f"<figure><h3>{text(title)}</h3><p>{text(figure.get('file'))} is missing from the run folder.</p></figure>"
        )
    try:
        spec = json.loads(path.read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not readable as JSON: {error}. Remove it and run again.") from error
    drawn = spec.pop("title", None)
    how = " ".join(_lines(drawn.get("subtitle"))) if isinstance(drawn, dict) else ""
    key = text(f"chart-{name}")
    return (
        f'<figure aria-labelledby="{key}-title"><h3 id="{key}-title">{text(title)}</h3>'
        + (f'<p class="how">{text(how)}</p>' if how else "")
        + f'<div class="chart" data-chart="{key}" role="group" aria-label="{text(caption or title)}"></div>'
        + (f"<figcaption>{text(caption)}</figcaption>" if caption else "")
        + f'<script type="application/json" id="{key}">{script_json(spec)}</script></figure>'
    )


def _lines(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else [str(line) for line in value]


def bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script, in the version that wrote the charts."""
    import altair as alt
    import vl_convert

    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version))
