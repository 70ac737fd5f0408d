"""Does hiding the highlighted nodes hurt the model more than hiding others?"""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from stexplain.viz.columns import require
from stexplain.viz.names import ordered
from stexplain.viz.theme import CATEGORIES, MUTED, layered, rows, styled, titled

SETS = {"highlighted": CATEGORIES[1], "random": MUTED, "least": CATEGORIES[0]}


def masking_curves(
    table: pd.DataFrame,
    *,
    baselines: Sequence[str] | None = None,
    panel: str = "baseline",
    measure: str = "accuracy",
    unit: str | None = None,
    chance: float | None = None,
    columns: int = 2,
    title: str = "Accuracy as nodes are hidden",
) -> alt.FacetChart:
    """Draws accuracy, or the error of a forecast, against masking: one panel per baseline, one line per set of nodes.

    Args:
        table: columns `set` (such as highlighted, least, random), `masking` in [0, 1] (0: untouched, 1: replaced by the
            baseline), `accuracy`, `low`, `high` (its interval) in [0, 1], and `baseline`. Intervals may be NaN.
        baselines: which panels to draw, in which order; all as they come where not given.
        panel: the column that has a panel for each of its values.
        measure: the column that is drawn.
        unit: of the measure; where not given, it is a share.
        chance: accuracy of guessing, drawn as a line.
        columns: panels per row.
        title: above the figure.

    Raises:
        InputError: where a column is missing or a baseline is not in the table.
    """
    require(table, ["set", "masking", measure, "low", "high", panel])
    present = list(dict.fromkeys(map(str, table[panel])))
    shown = ordered(panel, present, baselines)
    table = table.assign(panel=table[panel].astype(str), set=table["set"].astype(str))
    table = table[table["panel"].isin(shown)]
    table = table.assign(panel=f"{panel}: " + table["panel"])
    known = [name for name in SETS if name in set(table["set"])]
    others = [name for name in dict.fromkeys(table["set"]) if name not in SETS]
    colours = [SETS[name] for name in known] + list(CATEGORIES[2 : 2 + len(others)])
    legend = alt.Legend(title="nodes hidden", orient="top", symbolOpacity=1)
    colour = alt.Color(
        "set:N",
        scale=alt.Scale(domain=[*known, *others], range=colours),
        legend=legend,
    )
    shapes = alt.Scale(domain=[*known, *others], range=["circle", "diamond", "square", "triangle-up", "cross"])
    x = alt.X("masking:Q", title="masking (0 = untouched, 1 = gone)", scale=alt.Scale(domain=[0, 1]))
    words = measure if unit is None else f"{measure}, {unit}"
    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(format=".0%")
    if unit is not None:
        scale, axis = alt.Scale(zero=False, nice=True), alt.Axis(format="~g")
    y = alt.Y(f"{measure}:Q", title=words, scale=scale, axis=axis)
    tip = [
        alt.Tooltip("set:N", title="nodes hidden"),
        alt.Tooltip("masking:Q"),
        alt.Tooltip(f"{measure}:Q", format=".3f"),
        alt.Tooltip("low:Q", format=".3f"),
        alt.Tooltip("high:Q", format=".3f"),
    ]
    base = alt.Chart()
    layers = [
        base.mark_area(opacity=0.18).encode(x=x, y=alt.Y("low:Q", title=words), y2="high:Q", color=colour),
        base.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour),
        base.mark_point(filled=True, size=55, opacity=1).encode(
            x=x, y=y, color=colour, shape=alt.Shape("set:N", scale=shapes, legend=legend), tooltip=tip
        ),
    ]
    if chance is not None:
        layers.append(base.mark_rule(strokeDash=[2, 3], color=MUTED).encode(y=alt.datum(chance)))
    chart: alt.FacetChart = (
        layered(*layers)
        .properties(width=270, height=200)
        .facet(
            data=rows(table),
            facet=alt.Facet("panel:N", sort=[f"{panel}: {name}" for name in shown], title=None),
            columns=min(columns, len(shown)),
        )
        .resolve_axis(x="independent")
    )
    how = "An explanation holds up where hiding the highlighted nodes (orange-red) costs the most."
    return styled(chart, titled(title, how, "Bands: intervals." + (" Dotted: guessing." if chance is not None else "")))
