"""Charts in a page that loads nothing: the scripts, the styles, and a page of one chart.

The page of one chart has the same play button as the report.
"""

import html
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any


def script_json(value: Any) -> str:
    r"""JSON that is safe inside a script element: it cannot end the element or open a comment.

    Example:
        >>> script_json({"name": "</script>"})
        '{"name":"\\u003c/script\\u003e"}'
    """
    return as_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")))


def as_text(dumped: str) -> str:
    r"""JSON without a letter of markup.

    Example:
        >>> as_text('{"name":"a < b"}')
        '{"name":"a \\u003c b"}'
    """
    # JSON may write any character as an escape; a browser looks for markup before it looks for JSON.
    return dumped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


# A megabyte, and the same for every page of a process.
@cache
def bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script, in the version that wrote the charts."""
    import altair as alt
    import vl_convert

    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version))


def player() -> str:
    """The script that draws charts in the colours of their page and lets them play; `bundle` comes before it."""
    return _resource("player.js")


def chart_style() -> str:
    """The styles of charts and of their controls."""
    return _resource("chart.css")


def page_of(spec: Mapping[str, Any], *, title: str = "", autoplay: bool = False) -> str:
    """A page of one chart, which opens offline.

    Args:
        spec: of the chart.
        title: of the page; default: the chart's.
        autoplay: whether a chart that plays starts at once.
    """
    own = spec.get("title")
    text = own.get("text") if isinstance(own, Mapping) else own
    # A long one has several lines.
    title = title or (" ".join(map(str, text)) if isinstance(text, list) else str(text or "")) or "Chart"
    # `Template`, as CSS and JavaScript are full of braces.
    return Template(_resource("chart.html")).substitute(
        title=html.escape(title, quote=True),
        style=chart_style(),
        autoplay='data-autoplay="yes"' if autoplay else "",
        spec=script_json(spec),
        bundle=bundle(),
        player=player(),
    )


def _resource(name: str) -> str:
    return files("stexplain.viz.page").joinpath(name).read_text("utf-8")
