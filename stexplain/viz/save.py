"""Saves a chart as a page that opens offline, a picture, or its specification."""

import json
from pathlib import Path

import altair as alt

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.files import atomic_write
from stexplain.viz.page import page_of
from stexplain.wording import an

SUFFIXES = (".html", ".png", ".svg", ".pdf", ".json")


@checked
def save(chart: alt.TopLevelMixin, path: Path | str, *, scale: float = 2.0) -> Path:
    """Writes a chart in the format of the path's suffix. The file appears only once it is complete.

    Args:
        chart: of this package, or any altair chart.
        path: with the suffix ``.html`` (interactive, with a play button where it moves; no network), ``.png``,
            ``.svg``, ``.pdf`` or ``.json`` (Vega-Lite).
        scale: resolution of a ``.png``: pixels of the picture per pixel of the chart.

    Returns:
        The path.

    Raises:
        InputError: where the suffix is another.
        DataError: where the file cannot be written.

    Example:
        >>> import tempfile
        >>> from stexplain.viz import confusion
        >>> folder = Path(tempfile.mkdtemp())
        >>> save(confusion([[3, 1], [0, 4]], ["throw", "kick"]), folder / "confusion.json").name
        'confusion.json'
        >>> save(confusion([[3, 1], [0, 4]], ["throw", "kick"]), folder / "confusion.jpg")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: path: got the unsupported format '.jpg'; use .html, .png, .svg, .pdf or .json.
    """
    if not isinstance(chart, alt.TopLevelMixin):
        raise InputError(f"chart: got {an(type(chart).__name__)}; expected a chart, from a function of stexplain.viz.")
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise InputError(
            f"path: got the unsupported format {path.suffix!r}; use {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}."
        )
    with atomic_write(path) as temporary:
        if kind == ".json":
            temporary.write_text(json.dumps(chart.to_dict(), ensure_ascii=False, separators=(",", ":")), "utf-8")
        elif kind == ".html":
            temporary.write_text(page_of(chart.to_dict()), "utf-8")
        elif kind == ".png":
            chart.save(str(temporary), format="png", scale_factor=scale)
        else:
            chart.save(str(temporary), format="svg" if kind == ".svg" else "pdf")
    return path
