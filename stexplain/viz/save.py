"""Writing a chart: a page that opens offline, a picture, or its specification."""

import json
from pathlib import Path

import altair as alt

from stexplain.errors import InputError
from stexplain.files import atomic_write

SUFFIXES = (".html", ".png", ".svg", ".json")


def save(chart: alt.TopLevelMixin, path: Path | str, *, scale: float = 2.0) -> Path:
    """Writes a chart in the format that the path's ending names, whole or not at all.

    Args:
        chart: of this package, or any altair chart.
        path: ending in ``.html`` (interactive, all scripts inside, no network), ``.png``, ``.svg`` or ``.json``
            (Vega-Lite).
        scale: pixels per pixel of the chart, for ``.png``.

    Returns:
        The path.

    Raises:
        InputError: where the ending is another.
        DataError: where the file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise InputError(f"{path.name!r} does not say what to write. End it in one of {', '.join(SUFFIXES)}.")
    with atomic_write(path) as temporary:
        if kind == ".json":
            temporary.write_text(json.dumps(chart.to_dict(), ensure_ascii=False, separators=(",", ":")), "utf-8")
        elif kind == ".html":
            chart.save(str(temporary), format="html", inline=True)
        elif kind == ".png":
            chart.save(str(temporary), format="png", scale_factor=scale)
        else:
            chart.save(str(temporary), format="svg")
    return path
