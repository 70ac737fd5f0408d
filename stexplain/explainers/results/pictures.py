"""A still picture of a chart for a notebook: in the colours of its page, light or dark, with nothing loaded."""

import re
from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

_LARGEST = 500_000
"""Letters of a picture of lines and shapes; a larger one is saved as pixels, on white, or notebooks become slow."""
_LEGIBLE = 0.75
"""How far a picture may shrink: its letters of 12 pixels are then of 9. Further, it scrolls in its own box."""
# The colour of the text around, which follows the page from light to dark.
_INK = "currentColor"
_COLOURS: dict[str, dict[str, Any]] = {
    "axis": {"labelColor": _INK, "titleColor": _INK, "domainColor": _INK, "tickColor": _INK},
    "header": {"labelColor": _INK, "titleColor": _INK},
    "legend": {"labelColor": _INK, "titleColor": _INK},
    "title": {"color": _INK, "subtitleColor": _INK},
    "text": {"color": _INK},
}


def picture(chart: "alt.TopLevelMixin", about: str) -> str:
    """The chart as HTML.

    Args:
        chart: to draw as it opens.
        about: what it shows, for those who do not see it.
    """
    import vl_convert

    spec = chart.to_dict()
    config = spec.get("config") or {}
    inked = {name: {**config.get(name, {}), **colours} for name, colours in _COLOURS.items()}
    # Without a description of every mark, which would double the size.
    spec["config"] = {**config, **inked, "background": "transparent", "aria": False}
    drawn = vl_convert.vegalite_to_svg(spec)
    if len(drawn) > _LARGEST:
        pixels = b64encode(vl_convert.vegalite_to_png(chart.to_dict(), scale=1.5)).decode("ascii")
        return f'<img alt="{escape(about, quote=True)}" style="max-width:100%" src="data:image/png;base64,{pixels}">'
    return f'<div style="overflow-x:auto">{_inline(drawn, about)}</div>'


def _inline(drawn: str, about: str) -> str:
    """An SVG document as a part of a page."""
    start, rest = drawn.split(">", 1)
    sizes = {name: float(size) for name, size in re.findall(r'\b(width|height)="([\d.]+)"', start)}
    # Names of gradients are of the whole page: with those of another picture a legend would have its colours.
    own = f"p{sha256(drawn.encode()).hexdigest()[:12]}-"
    rest = re.sub(r'\bid="([\w-]+)"', rf'id="{own}\1"', rest)
    rest = re.sub(r"url\(#([\w-]+)\)", rf"url(#{own}\1)", rest)
    width, height = sizes["width"], sizes["height"]
    style = f"max-width:100%;min-width:{_LEGIBLE * width:.0f}px;height:auto"
    return (
        f'<svg role="img" aria-label="{escape(about, quote=True)}" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" style="{style}">{rest}'
    )
