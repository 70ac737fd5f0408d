"""Localisation: scores of explanations against ground truth, beside baseline explainers."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from stexplain.checking import checked
from stexplain.viz.columns import few_words, require
from stexplain.viz.names import labelled, ordered
from stexplain.viz.theme import CATEGORIES, MUTED, layered, rows, styled, titled

KINDS = ("explainer", "baseline explainer")
MEASURES = {"auroc": "AUROC", "ap": "average precision", "pointing": "pointing game"}


@checked
def localisation(
    table: pd.DataFrame,
    *,
    baseline_explainers: Sequence[str] = ("Motion", "Random"),
    methods: Sequence[str] | None = None,
    title: str = "Localisation against ground truth",
) -> alt.FacetChart:
    """Draws scores with intervals: a row of panels per axis, a panel per measure, a row per method.

    Args:
        table: columns `method`, `over` (nodes, frames, positions), `measure` (auroc, ap, pointing), and `value`, `low`,
            `high` in [0, 1].
        baseline_explainers: methods that use no model; drawn grey and last.
        methods: the methods to draw, in order; by default all, in the table's order.
        title: above the chart.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where a column is missing or a method is not in the table.

    Example:
        >>> columns = ["method", "over", "measure", "value", "low", "high"]
        >>> scores = {"ExpectedFall": (0.9, 0.86, 0.93), "Motion": (0.6, 0.55, 0.66)}
        >>> table = [[name, "nodes", "auroc", *ends] for name, ends in scores.items()]
        >>> chart = localisation(pd.DataFrame(table, columns=columns))
    """
    require(table, ["method", "over", "measure", "value", "low", "high"])
    present = list(dict.fromkeys(map(str, table["method"])))
    shown = ordered("method", present, methods)
    explainers = [name for name in shown if name not in baseline_explainers]
    shown = explainers + [name for name in shown if name in baseline_explainers]
    table = table.assign(
        method=table["method"].astype(str),
        measure=[MEASURES.get(str(name), str(name)) for name in table["measure"]],
        over="over " + table["over"].astype(str),
        kind=[KINDS[1] if name in baseline_explainers else KINDS[0] for name in table["method"]],
    )
    table = table[table["method"].isin(shown)]
    y = alt.Y("method:N", sort=shown, title=None, axis=alt.Axis(**labelled(shown, 220), grid=True))
    # Colour and shape share one legend because field, domain and legend are the same.
    legend = alt.Legend(title=None, orient="top", symbolOpacity=1)
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=list(KINDS), range=[CATEGORIES[0], MUTED]),
        legend=legend,
    )
    shapes = alt.Scale(domain=list(KINDS), range=["circle", "diamond"])
    # The same limits in every panel: an AUROC of 0.6 must not look like one of 0.9.
    x = alt.X(
        "value:Q",
        title=None,
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f"),
    )
    base = alt.Chart()
    tip = [alt.Tooltip("method:N"), *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("value", "low", "high"))]
    chart: alt.FacetChart = (
        layered(
            base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q", title=None), x2="high:Q", y=y, color=colour),
            base.mark_point(filled=True, size=42, opacity=1).encode(
                x=x, y=y, color=colour, shape=alt.Shape("kind:N", scale=shapes, legend=legend), tooltip=tip
            ),
        )
        .properties(width=190, height=alt.Step(26))
        .facet(
            data=rows(table),
            # Without `sort`, Vega would order the panels by the alphabet.
            row=alt.Row(
                "over:N",
                sort=list(dict.fromkeys(table["over"])),
                title=None,
                header=alt.Header(labelAngle=0, labelAlign="left"),
            ),
            column=alt.Column("measure:N", sort=list(dict.fromkeys(table["measure"])), title=None),
        )
        # Numbers below each panel; by default only the lowest row has them.
        .resolve_axis(x="independent")
    )
    how = "Further right is better; lines are intervals. An explainer should score higher than the baseline explainers."
    return styled(chart, titled(title, how, few_words(table)))
