"""Deletion and insertion curves: the score as positions are masked in the order of importance."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.viz.columns import require
from stexplain.viz.names import ordered
from stexplain.viz.theme import CATEGORIES, MUTED, layered, one_line, rows, styled, titled

RANDOM = "random order"
SHAPES = ("circle", "square", "triangle-up", "cross", "diamond", "triangle-down")


@checked
def deletion(
    table: pd.DataFrame,
    *,
    score: str = "score",
    methods: Sequence[str] | None = None,
    baseline_explainers: Sequence[str] = ("Motion", "Random"),
    title: str = "Deletion and insertion",
) -> alt.FacetChart:
    """Draws scores against the share of positions masked: a panel per curve, a line per method.

    The random orders of `DeletionCurve.to_frame` are the same for all methods, and so are one more line.

    Args:
        table: columns ``method``, ``curve`` (deletion: mask the most important positions first; insertion: start from
            the baseline and restore the most important first), ``share`` in [0, 1], ``value, low, high`` (the interval
            may be NaN), as `DeletionCurve.to_frame` gives for each method. With a column ``over`` (nodes, frames,
            positions) each of its values has its own panels; a column ``set`` marks rows of random orders as
            ``random``.
        score: the score's name or unit for the axis, such as ``"probability"`` or ``"mph"``.
        methods: the methods to draw, in order; by default all, in the table's order.
        baseline_explainers: methods that use no model; drawn last and grey, like random orders.
        title: above the chart.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where a column is missing, a method is not in the table, or the table mixes several baselines.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from stexplain.explainers import Class, InputGradient
        >>> from stexplain.metrics import deletion_curve
        >>> model, x = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), torch.randn(4, 1, 4, 3, 1)
        >>> e = InputGradient(model)(x, target=Class(1))
        >>> table = deletion_curve(model, x, e, target=Class(1)).to_frame().assign(method="gradient", curve="deletion")
        >>> chart = deletion(table, score="logit")
    """
    require(table, ["method", "curve", "share", "value", "low", "high"])
    score = one_line(score)
    if "baseline" in table.columns and table["baseline"].nunique() > 1:
        names = sorted(map(str, table["baseline"].unique()))
        raise InputError(
            f"table: got several baselines: {', '.join(names)}; expected one. Draw one baseline at a time."
        )
    shown = ordered("method", list(dict.fromkeys(map(str, table["method"]))), methods)
    explainers = [name for name in shown if name not in baseline_explainers]
    table = _lines(table, shown)
    present = set(table["line"])
    lines = [*explainers, *(name for name in [*shown, RANDOM] if name not in explainers and name in present)]
    # More methods than colours: colours repeat, shapes still tell the lines apart.
    colours = [CATEGORIES[explainers.index(name) % len(CATEGORIES)] if name in explainers else MUTED for name in lines]
    # In the table's order; Vega would sort panels by the alphabet.
    panels = list(dict.fromkeys(table["panel"]))
    legend = alt.Legend(title=None, orient="top", symbolOpacity=1, symbolSize=110, columns=3)
    colour = alt.Color("line:N", scale=alt.Scale(domain=lines, range=colours), legend=legend)
    shapes = alt.Scale(domain=lines, range=[SHAPES[index % len(SHAPES)] for index in range(len(lines))])
    # Curves differ most within the first few percent: a square-root axis gives them room.
    x = alt.X(
        "share:Q",
        title="share of positions masked or restored",
        scale=alt.Scale(type="sqrt", domain=[0, 1]),
        axis=alt.Axis(format=".0%", values=[0, 0.02, 0.1, 0.25, 0.5, 1]),
    )
    y = alt.Y("value:Q", title=score)
    tip = [
        alt.Tooltip("line:N", title="order"),
        alt.Tooltip("share:Q", format=".1%"),
        *(alt.Tooltip(f"{name}:Q", format=".4~g") for name in ("value", "low", "high")),
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
        "Deletion masks the most important positions first; insertion restores them first.",
        "A faithful explanation changes the score early. Bands: intervals. Grey: orders that use no model.",
    )
    return styled(chart, titled(title, *how))


def _lines(table: pd.DataFrame, shown: Sequence[str]) -> pd.DataFrame:
    """The rows to draw, with the `line` and the `panel` of each."""
    table = table.assign(method=table["method"].astype(str), curve=table["curve"].astype(str))
    table = table[table["method"].isin(shown)]
    table = table.assign(line=table["method"], panel=table["curve"])
    if "over" in table.columns:
        table = table.assign(panel=table["curve"] + " of " + table["over"].astype(str))
    if "set" in table.columns:
        random = table["set"] == "random"
        table = table.assign(line=table["line"].where(~random, RANDOM))
        # All methods carry the same random orders: draw those of the first method.
        table = table[~random | (table["method"] == shown[0])]
    return table
