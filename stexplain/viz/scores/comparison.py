"""Comparison of methods: one panel per metric, one row per method."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from stexplain.checking import checked
from stexplain.viz.columns import few_words, require
from stexplain.viz.names import labelled, ordered
from stexplain.viz.theme import CATEGORIES, MUTED, layered, rows, styled, titled

KINDS = ("explainer", "baseline explainer")
SHAPES = ("circle", "diamond")


@checked
def comparison(
    table: pd.DataFrame,
    *,
    baseline_explainers: Sequence[str] = (),
    methods: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    better: Mapping[str, bool] | None = None,
    reference: Mapping[str, float] | None = None,
    columns: int = 4,
    title: str = "Comparison of methods",
) -> alt.FacetChart:
    """Draws means with intervals: one panel per metric with its own axis, one row per method.

    Args:
        table: columns `metric`, `method`, `value`, `low`, `high`, as `Comparison.to_frame` gives them. A method without
            a value for a metric has an empty row there.
        baseline_explainers: methods that use no model, such as Random; drawn last, as grey diamonds.
        methods: the methods to draw, in order; by default all, in the table's order.
        metrics: the metrics to draw, in order; by default all, in the table's order.
        better: metric -> whether higher is better; an arrow in the panel's heading shows it.
        reference: metric -> a reference value such as chance level, drawn as a dashed line.
        columns: panels per row.
        title: above the chart.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where a column is missing, or a method or metric is not in the table.

    Example:
        >>> import torch
        >>> from stexplain.explainers import Motion, Random
        >>> from stexplain.metrics import compare, complexity_score
        >>> result = compare([Motion(), Random()], [complexity_score()], torch.randn(6, 1, 8, 4, 3), progress=False)
        >>> chart = comparison(result.to_frame(), baseline_explainers=["random"])
    """
    require(table, ["metric", "method", "value", "low", "high"])
    present = list(dict.fromkeys(map(str, table["method"])))
    shown = ordered("method", present, methods)
    explainers = [name for name in shown if name not in baseline_explainers]
    shown = explainers + [name for name in shown if name in baseline_explainers]
    panels = ordered("metric", list(dict.fromkeys(map(str, table["metric"]))), metrics)
    heading = {name: _heading(name, better) for name in panels}
    table = table[table["method"].isin(shown) & table["metric"].isin(panels)]
    table = table.assign(
        panel=[heading[str(name)] for name in table["metric"]],
        kind=[KINDS[1] if name in baseline_explainers else KINDS[0] for name in table["method"]],
        reference=[(reference or {}).get(str(name), np.nan) for name in table["metric"]],
    )
    kinds = [kind for kind in KINDS if kind in set(table["kind"])]
    # One kind alone needs no legend.
    legend = alt.Legend(title=None, orient="top", symbolOpacity=1) if len(kinds) > 1 else None
    colours, shapes = dict(zip(KINDS, (CATEGORIES[0], MUTED), strict=True)), dict(zip(KINDS, SHAPES, strict=True))
    # Colour and shape share one legend because field, domain and legend are the same.
    colour = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=[colours[kind] for kind in kinds]), legend=legend)
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=[shapes[kind] for kind in kinds]), legend=legend)
    y = alt.Y("method:N", sort=shown, title=None, axis=alt.Axis(**labelled(shown, 240), grid=True))
    # Metrics range from correlations to seconds: round to six digits and never write an exponent.
    axis = alt.Axis(tickCount=4, format=",.6~r")
    x = alt.X("value:Q", title=None, scale=alt.Scale(zero=False, nice=True), axis=axis)
    tip = [alt.Tooltip("method:N"), *(alt.Tooltip(f"{name}:Q", format=".4~g") for name in ("value", "low", "high"))]
    base = alt.Chart()
    layers = [
        base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q", title=None, axis=axis), x2="high:Q", y=y, color=colour),
        base.mark_point(filled=True, size=46, opacity=1).encode(x=x, y=y, color=colour, shape=shape, tooltip=tip),
    ]
    if reference:
        # First, so that points and intervals lie over the dashed line.
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
        # Each metric has its own unit, so each panel its own axis.
        .resolve_scale(x="independent")
        .resolve_axis(x="independent")
    )
    how = "Points: means over samples; lines: their intervals; ↑ higher is better, ↓ lower is better."
    return styled(chart, titled(title, how, few_words(table), "Dashed: chance level." if reference else ""))


def _heading(metric: str, better: Mapping[str, bool] | None) -> str:
    if better is None or metric not in better:
        return metric
    return f"{metric} {'↑' if better[metric] else '↓'}"
