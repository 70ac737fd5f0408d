"""Forecast errors by horizon, beside baselines."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from stexplain.checking import checked
from stexplain.viz.columns import require
from stexplain.viz.names import ordered
from stexplain.viz.theme import CATEGORIES, MUTED, layered, rows, styled, titled

MEASURES = {"mae": "MAE", "rmse": "RMSE", "mape": "MAPE"}
SHAPES = ("circle", "square", "triangle-up", "cross", "diamond")
DASHES = ([1, 0], [7, 3], [2, 3], [8, 3, 2, 3])


@checked
def horizon_errors(
    table: pd.DataFrame,
    *,
    minutes: float = 5.0,
    unit: str = "",
    methods: Sequence[str] | None = None,
    baselines: Sequence[str] = ("persistence", "historical average"),
    title: str = "Forecast error by horizon",
) -> alt.FacetChart:
    """Draws forecast errors over the horizon: a panel per measure, a line per model, baselines in grey.

    Args:
        table: columns `method`, `measure` (mae, rmse, mape), `horizon` (steps, from 1) and `value`: mae and rmse in
            `unit`, mape in percent.
        minutes: minutes per step.
        unit: of mae and rmse; empty: not said.
        methods: the methods to draw, in order; by default all, in the table's order.
        baselines: forecasts without a trained model; drawn last and grey.
        title: above the chart.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where a column is missing or a method is not in the table.

    Example:
        >>> errors = {"horizon": [1, 2, 3], "value": [2.1, 2.8, 3.6]}
        >>> table = pd.DataFrame({"method": "persistence", "measure": "mae", **errors})
        >>> chart = horizon_errors(table, minutes=5, unit="mph", baselines=["persistence"])
    """
    require(table, ["method", "measure", "horizon", "value"])
    shown = ordered("method", list(dict.fromkeys(map(str, table["method"]))), methods)
    # Baselines last in the legend, whatever their place in the table.
    shown = [name for name in shown if name not in baselines] + [name for name in shown if name in baselines]
    table = table[table["method"].astype(str).isin(shown)]
    table = table.assign(
        method=table["method"].astype(str),
        minutes=minutes * table["horizon"].astype(float),
        panel=[_panel(str(measure), unit) for measure in table["measure"]],
    )
    models = [name for name in shown if name not in baselines]
    colours = [CATEGORIES[models.index(name) % len(CATEGORIES)] if name in models else MUTED for name in shown]
    dashes = [DASHES[index % len(DASHES)] for index in range(len(shown))]
    legend = alt.Legend(title=None, orient="top", symbolStrokeWidth=0, symbolSize=110, columns=4)
    colour = alt.Color("method:N", scale=alt.Scale(domain=shown, range=colours), legend=legend)
    # Points carry the legend; dashes alone are hard to tell apart in it.
    dash = alt.StrokeDash("method:N", scale=alt.Scale(domain=shown, range=dashes), legend=None)
    shapes = alt.Scale(domain=shown, range=[SHAPES[index % len(SHAPES)] for index in range(len(shown))])
    x = alt.X("minutes:Q", title="minutes ahead", axis=alt.Axis(tickCount=6))
    # From zero: an axis cut off would exaggerate small differences.
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=True))
    base = alt.Chart()
    tip = [alt.Tooltip("method:N"), alt.Tooltip("minutes:Q"), alt.Tooltip("value:Q", format=".4~g")]
    chart: alt.FacetChart = (
        layered(
            base.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour, strokeDash=dash),
            base.mark_point(filled=True, size=40, opacity=1).encode(
                x=x, y=y, color=colour, shape=alt.Shape("method:N", scale=shapes, legend=legend), tooltip=tip
            ),
        )
        .properties(width=230, height=200)
        .facet(
            data=rows(table),
            facet=alt.Facet("panel:N", sort=list(dict.fromkeys(table["panel"])), title=None),
            columns=3,
        )
        # MAE and RMSE are in the unit, MAPE in percent.
        .resolve_scale(y="independent")
    )
    how = "Lower is better. Explain a model only if its error is below that of the baselines (grey)."
    return styled(chart, titled(title, how))


def _panel(measure: str, unit: str) -> str:
    shown = "%" if measure == "mape" else unit
    return f"{MEASURES.get(measure, measure)}{f', {shown}' if shown else ''}"
