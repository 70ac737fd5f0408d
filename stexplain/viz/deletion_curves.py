"""What replacing readings does to a forecast, in the order in which an explanation ranks them."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from stexplain.viz.columns import require
from stexplain.viz.names import ordered
from stexplain.viz.theme import CATEGORIES, MUTED, layered, rows, styled, titled

CURVES = ("deletion", "insertion")
SHAPES = ("circle", "square", "triangle-up", "cross", "diamond", "triangle-down")


def deletion_curves(
    table: pd.DataFrame,
    *,
    unit: str = "mph",
    methods: Sequence[str] | None = None,
    controls: Sequence[str] = ("Motion", "Random"),
    title: str = "How the forecast moves as readings are replaced",
) -> alt.FacetChart:
    """Draws how far the forecast moved against the share of readings replaced: a panel per curve, a line per method.

    Args:
        table: columns `method`, `curve` (deletion: the most important first; insertion: from the baseline, put back the
            most important first), `share` in [0, 1], `value`, `low`, `high` (its interval, may be NaN) in `unit`.
        unit: of the values.
        methods: which to draw, in which order; all as they come where not given.
        controls: methods that know no model; drawn grey and last.
        title: above the figure.

    Raises:
        InputError: where a column is missing or a method is not in the table.
    """
    require(table, ["method", "curve", "share", "value", "low", "high"])
    shown = ordered("method", list(dict.fromkeys(map(str, table["method"]))), methods)
    shown = [name for name in shown if name not in controls] + [name for name in shown if name in controls]
    table = table[table["method"].astype(str).isin(shown)]
    table = table.assign(method=table["method"].astype(str), curve=table["curve"].astype(str))
    explainers = [name for name in shown if name not in controls]
    colours = [CATEGORIES[explainers.index(name) % len(CATEGORIES)] if name in explainers else MUTED for name in shown]
    legend = alt.Legend(title=None, orient="top", symbolOpacity=1, symbolSize=110, columns=3)
    colour = alt.Color("method:N", scale=alt.Scale(domain=shown, range=colours), legend=legend)
    shapes = alt.Scale(domain=shown, range=[SHAPES[index % len(SHAPES)] for index in range(len(shown))])
    # What decides happens among the first few readings: a square root gives them room.
    x = alt.X(
        "share:Q",
        title="share of readings",
        scale=alt.Scale(type="sqrt", domain=[0, 1]),
        axis=alt.Axis(format=".0%", values=[0, 0.02, 0.1, 0.25, 0.5, 1]),
    )
    y = alt.Y("value:Q", title=unit)
    tip = [
        alt.Tooltip("method:N"),
        alt.Tooltip("share:Q", format=".1%"),
        *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("value", "low", "high")),
    ]
    base = alt.Chart()
    chart: alt.FacetChart = (
        layered(
            base.mark_area(opacity=0.12).encode(x=x, y=alt.Y("low:Q", title=unit), y2="high:Q", color=colour),
            base.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour),
            base.mark_point(filled=True, size=42, opacity=1).encode(
                x=x, y=y, color=colour, shape=alt.Shape("method:N", scale=shapes, legend=legend), tooltip=tip
            ),
        )
        .properties(width=320, height=230)
        .facet(
            data=rows(table),
            facet=alt.Facet("curve:N", sort=[*CURVES], title=None),
            columns=2,
        )
        .resolve_axis(x="independent")
    )
    lines = (
        "Deletion replaces the most important readings first; insertion puts them back first.",
        "A faithful explanation moves the forecast early. Bands: intervals. Grey: controls that know no model.",
    )
    return styled(chart, titled(title, *lines))
