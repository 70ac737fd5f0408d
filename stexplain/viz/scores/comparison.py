"""Methods compared: a panel per metric, a line per method."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from stexplain.viz.columns import require
from stexplain.viz.names import ordered
from stexplain.viz.theme import CATEGORIES, MUTED, layered, rows, styled, titled


def comparison(
    table: pd.DataFrame,
    *,
    controls: Sequence[str] = (),
    methods: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    better: Mapping[str, bool] | None = None,
    reference: Mapping[str, float] | None = None,
    columns: int = 4,
    title: str = "Methods compared",
) -> alt.FacetChart:
    """Draws means with intervals: a panel per metric with an axis of its own, a line per method.

    Args:
        table: columns `metric`, `method`, `value`, `low`, `high`, as `Comparison.to_frame` gives them. A method without
            a value in a metric has an empty line there.
        controls: methods that know no model; drawn grey, as diamonds, and last.
        methods: which to draw, in which order; all as they come where not given.
        metrics: which to draw, in which order; all as they come where not given.
        better: metric -> whether higher is better, which the panel's heading then says.
        reference: metric -> a value that is drawn as a dashed line, such as what a guess has.
        columns: how many panels in a row.
        title: above the figure.

    Raises:
        InputError: where a column is missing, or a method or metric is not in the table.
    """
    require(table, ["metric", "method", "value", "low", "high"])
    present = list(dict.fromkeys(map(str, table["method"])))
    shown = ordered("method", present, methods)
    shown = [name for name in shown if name not in controls] + [name for name in shown if name in controls]
    panels = ordered("metric", list(dict.fromkeys(map(str, table["metric"]))), metrics)
    heading = {name: _heading(name, better) for name in panels}
    table = table[table["method"].isin(shown) & table["metric"].isin(panels)]
    table = table.assign(
        panel=[heading[str(name)] for name in table["metric"]],
        kind=["control" if name in controls else "explainer" for name in table["method"]],
        reference=[(reference or {}).get(str(name), np.nan) for name in table["metric"]],
    )
    kinds = [kind for kind in ("explainer", "control") if kind in set(table["kind"])]
    legend = alt.Legend(title=None, orient="top", symbolOpacity=1) if len(kinds) > 1 else None
    colours, shapes = {"explainer": CATEGORIES[0], "control": MUTED}, {"explainer": "circle", "control": "diamond"}
    colour = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=[colours[kind] for kind in kinds]), legend=legend)
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=[shapes[kind] for kind in kinds]), legend=legend)
    y = alt.Y("method:N", sort=shown, title=None, axis=alt.Axis(labelLimit=240, grid=True))
    axis = alt.Axis(tickCount=4, format=",.6~r")
    x = alt.X("value:Q", title=None, scale=alt.Scale(zero=False, nice=True), axis=axis)
    tip = [alt.Tooltip("method:N"), *(alt.Tooltip(f"{name}:Q", format=".4~g") for name in ("value", "low", "high"))]
    base = alt.Chart()
    layers = [
        base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q", title=None, axis=axis), x2="high:Q", y=y, color=colour),
        base.mark_point(filled=True, size=46, opacity=1).encode(x=x, y=y, color=colour, shape=shape, tooltip=tip),
    ]
    if reference:
        dashed = base.transform_filter("isValid(datum.reference)")
        layers.insert(
            0, dashed.mark_rule(strokeDash=[4, 3], color=MUTED).encode(x=alt.X("reference:Q", title=None, axis=axis))
        )
    chart: alt.FacetChart = (
        layered(*layers)
        .properties(width=190, height=alt.Step(22))
        .facet(
            data=rows(table[["panel", "method", "kind", "value", "low", "high", "reference"]]),
            facet=alt.Facet("panel:N", sort=[heading[name] for name in panels], title=None),
            columns=columns,
        )
        .resolve_scale(x="independent")
        .resolve_axis(x="independent")
    )
    how = "Points are means over samples, lines their intervals; ↑ and ↓ say which way is better."
    return styled(chart, titled(title, how, "A dashed line is what a guess has." if reference else ""))


def _heading(metric: str, better: Mapping[str, bool] | None) -> str:
    if better is None or metric not in better:
        return metric
    return f"{metric} {'↑' if better[metric] else '↓'}"
