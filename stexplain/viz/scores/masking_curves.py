"""Masking curves: accuracy or error as the most important, the least important and random nodes are masked."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from stexplain.checking import checked
from stexplain.viz.columns import require
from stexplain.viz.names import ordered
from stexplain.viz.theme import CATEGORIES, MUTED, layered, one_line, rows, styled, titled

# Set of nodes in the table -> its name in the legend, its colour.
SETS = {
    "highlighted": ("highlighted", CATEGORIES[1]),
    "random": ("random", MUTED),
    "least": ("least important", CATEGORIES[0]),
}


@checked
def masking_curves(
    table: pd.DataFrame,
    *,
    baselines: Sequence[str] | None = None,
    panel: str = "baseline",
    measure: str = "accuracy",
    unit: str | None = None,
    chance: float | None = None,
    columns: int = 2,
    node: str = "node",
    title: str = "Faithfulness: accuracy as nodes are masked",
) -> alt.FacetChart:
    """Draws accuracy, or forecast error, against masking: a panel per baseline, a line per set of nodes.

    Args:
        table: columns `set` (such as highlighted, least, random), `masking` in [0, 1] (0: unchanged, 1: replaced by the
            baseline), `accuracy`, `low`, `high` (its interval) in [0, 1], and `baseline`. Intervals may be NaN.
        baselines: the panels to draw, in order; by default all, in the table's order.
        panel: the column with a panel for each of its values.
        measure: the column to draw.
        unit: of the measure; by default it is a share in [0, 1].
        chance: chance level of the accuracy, drawn as a line.
        columns: panels per row.
        node: what a node is, such as ``"joint"`` or ``"sensor"``.
        title: above the chart.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where a column is missing or a baseline is not in the table.

    Example:
        >>> falls = {"highlighted": [0.9, 0.5, 0.2], "random": [0.9, 0.8, 0.6], "least": [0.9, 0.88, 0.85]}
        >>> table = pd.DataFrame(falls).melt(var_name="set", value_name="accuracy")
        >>> table["masking"] = [0.0, 0.5, 1.0] * 3
        >>> table["low"], table["high"] = table["accuracy"] - 0.05, table["accuracy"] + 0.05
        >>> chart = masking_curves(table.assign(baseline="mean"), chance=0.1)
    """
    require(table, ["set", "masking", measure, "low", "high", panel])
    present = list(dict.fromkeys(map(str, table[panel])))
    shown = ordered(panel, present, baselines)
    table = table.assign(panel=table[panel].astype(str), set=table["set"].astype(str))
    table = table[table["panel"].isin(shown)]
    table = table.assign(
        panel=f"{panel}: " + table["panel"],
        line=[SETS[name][0] if name in SETS else name for name in table["set"]],
    )
    # The order of SETS, not of the table, so that legend and shapes are the same in every figure.
    known = [name for name in SETS if name in set(table["set"])]
    others = [name for name in dict.fromkeys(table["set"]) if name not in SETS]
    lines = [*(SETS[name][0] for name in known), *others]
    colours = [SETS[name][1] for name in known] + list(CATEGORIES[2 : 2 + len(others)])
    legend = alt.Legend(title=one_line(f"masked {node}s"), orient="top", symbolOpacity=1)
    colour = alt.Color(
        "line:N",
        scale=alt.Scale(domain=lines, range=colours),
        legend=legend,
    )
    shapes = alt.Scale(domain=lines, range=["circle", "diamond", "square", "triangle-up", "cross"])
    x = alt.X("masking:Q", title="masking (0: unchanged, 1: replaced)", scale=alt.Scale(domain=[0, 1]))
    words = measure if unit is None else one_line(f"{measure}, {unit}")
    # A share always has the axis 0 to 1; an error's axis starts near its least value.
    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(format=".0%")
    if unit is not None:
        scale, axis = alt.Scale(zero=False, nice=True), alt.Axis(format="~g")
    y = alt.Y(f"{measure}:Q", title=words, scale=scale, axis=axis)
    tip = [
        alt.Tooltip("line:N", title=one_line(f"masked {node}s")),
        alt.Tooltip("masking:Q"),
        # Digits, not decimals: errors may be in a large unit, such as volts.
        *(alt.Tooltip(f"{name}:Q", format=".4~g") for name in (measure, "low", "high")),
    ]
    base = alt.Chart()
    layers = [
        base.mark_area(opacity=0.18).encode(x=x, y=alt.Y("low:Q", title=words), y2="high:Q", color=colour),
        base.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour),
        base.mark_point(filled=True, size=55, opacity=1).encode(
            x=x, y=y, color=colour, shape=alt.Shape("line:N", scale=shapes, legend=legend), tooltip=tip
        ),
    ]
    # alt.datum places the rule at a value of the axis, without a row in the data.
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
        # Numbers below each panel; by default only the lowest row has them.
        .resolve_axis(x="independent")
    )
    how = f"An explanation is faithful where masking the highlighted {node}s (orange-red) costs the most."
    return styled(
        chart, titled(title, how, "Bands: intervals." + (" Dotted: chance level." if chance is not None else ""))
    )
