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
    chance: float | None = None,
    columns: int = 2,
    title: str = "Accuracy as nodes are hidden",
) -> alt.FacetChart:
    """Draws accuracy against masking, one panel per baseline, one line per set of nodes.

    Args:
        table: columns `set` (such as highlighted, least, random), `masking` in [0, 1] (0: untouched, 1: replaced by the
            baseline), `accuracy`, `low`, `high` (its interval) in [0, 1], and `baseline`. Intervals may be NaN.
        baselines: which to draw, in which order; all as they come where not given.
        chance: accuracy of guessing, drawn as a line.
        columns: panels per row.
        title: above the figure.

    Raises:
        InputError: where a column is missing or a baseline is not in the table.
    """
    require(table, ["set", "masking", "accuracy", "low", "high", "baseline"])
    present = list(dict.fromkeys(map(str, table["baseline"])))
    shown = ordered("baseline", present, baselines)
    table = table.assign(baseline=table["baseline"].astype(str), set=table["set"].astype(str))
    table = table[table["baseline"].isin(shown)]
    table = table.assign(panel="baseline: " + table["baseline"])
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
    y = alt.Y("accuracy:Q", title="accuracy", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%"))
    tip = [
        alt.Tooltip("set:N", title="nodes hidden"),
        alt.Tooltip("masking:Q"),
        alt.Tooltip("accuracy:Q", format=".3f"),
        alt.Tooltip("low:Q", format=".3f"),
        alt.Tooltip("high:Q", format=".3f"),
    ]
    base = alt.Chart()
    layers = [
        base.mark_area(opacity=0.18).encode(x=x, y=alt.Y("low:Q", title="accuracy"), y2="high:Q", color=colour),
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
            facet=alt.Facet("panel:N", sort=[f"baseline: {name}" for name in shown], title=None),
            columns=min(columns, len(shown)),
        )
        .resolve_axis(x="independent")
    )
    how = "An explanation holds up where hiding the highlighted nodes (orange-red) costs the most."
    return styled(chart, titled(title, how, "Bands: intervals." + (" Dotted: guessing." if chance is not None else "")))
