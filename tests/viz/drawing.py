"""Helpers that render a chart and return what is drawn."""

from typing import Any
from xml.etree import ElementTree

import altair as alt
import vl_convert


def records(chart: alt.TopLevelMixin, *columns: str) -> list[dict[str, Any]]:
    """The rows of the first data set of a chart that has these columns."""
    for rows in chart.to_dict()["datasets"].values():
        if rows and set(columns) <= set(rows[0]):
            return rows
    raise AssertionError(f"no data set has the columns {columns}")


def _elements(chart: alt.TopLevelMixin) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(vl_convert.vegalite_to_svg(chart.to_dict())).iter())


def words(chart: alt.TopLevelMixin) -> list[str]:
    """Every rendered text, in order."""
    return ["".join(element.itertext()) for element in _elements(chart) if element.tag.endswith("}text")]


def marks(chart: alt.TopLevelMixin, kind: str) -> list[ElementTree.Element]:
    """The marks of a kind that are drawn, such as "circle", "rule mark" or "rect mark"."""
    return [element for element in _elements(chart) if element.get("aria-roledescription") == kind]


def colours(chart: alt.TopLevelMixin, kind: str) -> set[str]:
    return {str(element.get("fill")) for element in marks(chart, kind)}


def drawn(chart: alt.TopLevelMixin) -> tuple[int, int]:
    """Renders a chart to PNG and returns its width and height; fails on a blank picture, whose file is tiny."""
    png = vl_convert.vegalite_to_png(chart.to_dict())
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(png[start : start + 4]) for start in (16, 20))
    assert len(png) > 2500
    return width, height
