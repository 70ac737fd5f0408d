"""Does what the model says move early when the readings go that an explanation ranks first?"""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from stexplain.errors import InputError
from stexplain.viz.columns import require
from stexplain.viz.names import ordered
from stexplain.viz.theme import CATEGORIES, MUTED, layered, rows, styled, titled

RANDOM = "random order"
SHAPES = ("circle", "square", "triangle-up", "cross", "diamond", "triangle-down")


def deletion(
    table: pd.DataFrame,
    *,
    score: str = "score",
    methods: Sequence[str] | None = None,
    controls: Sequence[str] = ("Motion", "Random"),
    title: str = "What the model says as readings go, and as they come back",
) -> alt.FacetChart:
    """Draws scores against the share of readings replaced: a panel per curve, a line per method.

    The random orders of `DeletionCurve.to_frame`, which are the same for all methods, are one more line.

    Args:
        table: columns ``method``, ``curve`` (deletion: the most important first; insertion: from the baseline, put back
            the most important first), ``share`` in [0, 1], ``value, low, high`` (its interval, which may be NaN), such
            as `DeletionCurve.to_frame` gives for each method. Where there are columns ``over`` (nodes, frames, cells),
            each has panels of its own; ``set`` (explained or random) tells the random orders.
        score: what was scored, for the axis, such as ``"probability"`` or ``"mph"``.
        methods: which to draw, in which order; all as they come where not given.
        controls: methods that know no model; drawn grey and last, as random orders are.
        title: above the figure.

    Raises:
        InputError: where a column is missing, a method is not in the table, or the table is of several baselines.
    """
    require(table, ["method", "curve", "share", "value", "low", "high"])
    if "baseline" in table.columns and table["baseline"].nunique() > 1:
        names = sorted(map(str, table["baseline"].unique()))
        raise InputError(f"the table is of several baselines: {', '.join(names)}. Draw one at a time.")
    shown = ordered("method", list(dict.fromkeys(map(str, table["method"]))), methods)
    explainers = [name for name in shown if name not in controls]
    table = _lines(table, shown)
    present = set(table["line"])
    lines = [*explainers, *(name for name in [*shown, RANDOM] if name not in explainers and name in present)]
    colours = [CATEGORIES[explainers.index(name) % len(CATEGORIES)] if name in explainers else MUTED for name in lines]
    panels = list(dict.fromkeys(table["panel"]))
    legend = alt.Legend(title=None, orient="top", symbolOpacity=1, symbolSize=110, columns=3)
    colour = alt.Color("line:N", scale=alt.Scale(domain=lines, range=colours), legend=legend)
    shapes = alt.Scale(domain=lines, range=[SHAPES[index % len(SHAPES)] for index in range(len(lines))])
    # What decides happens among the first few readings: a square root gives them room.
    x = alt.X(
        "share:Q",
        title="share replaced, or put back",
        scale=alt.Scale(type="sqrt", domain=[0, 1]),
        axis=alt.Axis(format=".0%", values=[0, 0.02, 0.1, 0.25, 0.5, 1]),
    )
    y = alt.Y("value:Q", title=score)
    tip = [
        alt.Tooltip("line:N", title="order"),
        alt.Tooltip("share:Q", format=".1%"),
        *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("value", "low", "high")),
    ]
    base = alt.Chart()
    chart: alt.FacetChart = (
        layered(
            base.mark_area(opacity=0.14).encode(x=x, y=alt.Y("low:Q", title=score), y2="high:Q", color=colour),
            base.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour),
            base.mark_point(filled=True, size=44, opacity=1).encode(
                x=x, y=y, color=colour, shape=alt.Shape("line:N", scale=shapes, legend=legend), tooltip=tip
            ),
        )
        .properties(width=300, height=220)
        .facet(
            data=rows(table),
            facet=alt.Facet("panel:N", sort=panels, title=None),
            # Deletion and insertion side by side where both are there.
            columns=2 if table["curve"].nunique() > 1 else min(3, len(panels)),
        )
        .resolve_axis(x="independent")
    )
    how = (
        "Deletion replaces the most important readings first; insertion puts them back first.",
        "A faithful explanation moves the score early. Bands: intervals. Grey: orders that know no model.",
    )
    return styled(chart, titled(title, *how))


def _lines(table: pd.DataFrame, shown: Sequence[str]) -> pd.DataFrame:
    """The rows to draw, and of which line in which panel each is."""
    table = table.assign(method=table["method"].astype(str), curve=table["curve"].astype(str))
    table = table[table["method"].isin(shown)]
    table = table.assign(line=table["method"], panel=table["curve"])
    if "over" in table.columns:
        table = table.assign(panel=table["curve"] + " of " + table["over"].astype(str))
    if "set" in table.columns:
        random = table["set"] == "random"
        table = table.assign(line=table["line"].where(~random, RANDOM))
        # The random orders of two methods are the same numbers: those of one are drawn.
        table = table[~random | (table["method"] == shown[0])]
    return table
