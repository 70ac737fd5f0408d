"""Does a score fall faster when the readings go that an explanation ranks first, than when any others do?"""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from stexplain.errors import InputError
from stexplain.viz.columns import require
from stexplain.viz.names import ordered
from stexplain.viz.theme import CATEGORIES, MUTED, layered, rows, styled, titled

RANDOM = "random order"
_SHAPES = ("circle", "square", "triangle-up", "cross", "triangle-down", "triangle-right")


def deletion(
    table: pd.DataFrame,
    *,
    score: str = "score",
    methods: Sequence[str] | None = None,
    title: str = "What the model says as readings go, and as they come back",
) -> alt.FacetChart:
    """Draws scores against the share of items replaced: a panel per curve and axis, a line per method.

    The random orders, which are the same for all methods, are one grey band.

    Args:
        table: as `DeletionCurve.to_frame` gives it, those of several methods one below the other: columns ``method``,
            ``curve`` (deletion or insertion), ``over`` (nodes, frames, cells), ``set`` (explained or random), ``share``
            in [0, 1], ``value, low, high`` (its interval, which may be NaN).
        score: what was scored, for the axis, such as ``"probability"`` or ``"forecast (mph)"``.
        methods: which to draw, in which order; all as they come where not given.
        title: above the figure.

    Raises:
        InputError: where a column is missing, a method is not in the table, or the table is of several baselines.
    """
    require(table, ["method", "curve", "over", "set", "share", "value", "low", "high"])
    if "baseline" in table.columns and table["baseline"].nunique() > 1:
        names = sorted(map(str, table["baseline"].unique()))
        raise InputError(f"the table is of several baselines: {', '.join(names)}. Draw one at a time.")
    shown = ordered("method", list(dict.fromkeys(map(str, table["method"]))), methods)
    table = table[table["method"].astype(str).isin(shown)]
    # The random orders of two methods are the same numbers: one of them is drawn.
    once = table[(table["set"] != "random") | (table["method"].astype(str) == shown[0])]
    once = once.assign(
        line=[
            RANDOM if kind == "random" else str(name) for kind, name in zip(once["set"], once["method"], strict=True)
        ],
        panel=[f"{curve} of {over}" for curve, over in zip(once["curve"], once["over"], strict=True)],
    )
    panels = list(dict.fromkeys(once["panel"]))
    lines = [*shown, *([RANDOM] if (once["set"] == "random").any() else [])]
    colours = [CATEGORIES[index % len(CATEGORIES)] for index in range(len(shown))] + [MUTED] * (len(lines) - len(shown))
    shapes = [_SHAPES[index % len(_SHAPES)] for index in range(len(shown))] + ["diamond"] * (len(lines) - len(shown))
    legend = alt.Legend(title=None, orient="top", symbolOpacity=1, symbolSize=90, columns=4)
    colour = alt.Color("line:N", scale=alt.Scale(domain=lines, range=colours), legend=legend)
    shape = alt.Shape("line:N", scale=alt.Scale(domain=lines, range=shapes), legend=legend)
    x = alt.X(
        "share:Q", title="share of items", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", tickCount=5)
    )
    y = alt.Y("value:Q", title=score)
    tip = [
        alt.Tooltip("line:N", title="order"),
        alt.Tooltip("share:Q", format=".0%"),
        *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("value", "low", "high")),
    ]
    base = alt.Chart()
    chart: alt.FacetChart = (
        layered(
            base.mark_area(opacity=0.16).encode(x=x, y=alt.Y("low:Q", title=score), y2="high:Q", color=colour),
            base.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour),
            base.mark_point(filled=True, size=46, opacity=1).encode(x=x, y=y, color=colour, shape=shape, tooltip=tip),
        )
        .properties(width=280, height=200)
        .facet(data=rows(once), facet=alt.Facet("panel:N", sort=panels, title=None), columns=_columns(once, panels))
        .resolve_axis(x="independent")
    )
    how = "Deletion: the lower a line lies below the grey one, the better. Insertion: the higher above it."
    return styled(chart, titled(title, how, "Grey: the same number of items in random order. Bands: intervals."))


def _columns(table: pd.DataFrame, panels: Sequence[str]) -> int:
    """Deletion and insertion side by side where both are there; else up to three panels in a row."""
    return 2 if table["curve"].nunique() > 1 else min(3, len(panels))
