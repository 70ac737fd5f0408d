"""Methods against two truths: what was planted in the data, and what the model used of it."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from stexplain.checking import checked
from stexplain.viz.columns import require
from stexplain.viz.names import labelled, ordered
from stexplain.viz.theme import CATEGORIES, MUTED, layered, rows, styled, titled

TRUTHS = ("planted", "effect")


@checked
def truths(
    table: pd.DataFrame,
    *,
    methods: Sequence[str] | None = None,
    width: int = 420,
    title: str = "Planted truth and effect",
) -> alt.LayerChart:
    """Draws the score of each method against each truth: a row per method, the best baseline explainer as a line.

    Args:
        table: columns `method`, `baseline_explainer` (bool), `truth` (planted, effect), `value` in [0, 1].
        methods: the methods to draw, in order; by default all, in the table's order, baseline explainers last.
        width: of the plot in pixels, without the methods' names.
        title: above the chart.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where a column is missing or a method is not in the table.

    Example:
        >>> table = pd.DataFrame({"method": ["ExpectedFall", "Motion"] * 2, "baseline_explainer": [False, True] * 2})
        >>> table["truth"], table["value"] = ["planted"] * 2 + ["effect"] * 2, [0.95, 0.6, 0.97, 0.64]
        >>> chart = truths(table)
    """
    require(table, ["method", "baseline_explainer", "truth", "value"])
    table = table.assign(method=table["method"].astype(str))
    shown = ordered("method", list(dict.fromkeys(table["method"])), methods)
    baseline_explainers = set(table.loc[table["baseline_explainer"].astype(bool), "method"])
    if methods is None:
        shown = [name for name in shown if name not in baseline_explainers] + [
            name for name in shown if name in baseline_explainers
        ]
    table = table[table["method"].isin(shown)]
    best = table[table["baseline_explainer"].astype(bool)].groupby("truth", sort=False)["value"].max().reset_index()
    # Room for the longest method with the longest baseline: what is cut off is what tells two rows apart.
    y = alt.Y("method:N", sort=shown, title=None, axis=alt.Axis(**labelled(shown, 310), grid=True))
    colour = alt.Color(
        "truth:N",
        scale=alt.Scale(domain=list(TRUTHS), range=[CATEGORIES[1], CATEGORIES[0]]),
        legend=alt.Legend(title=None, orient="top", symbolOpacity=1),
    )
    # Colour and shape share one legend because field, domain and legend are the same.
    shape = alt.Shape(
        "truth:N",
        scale=alt.Scale(domain=list(TRUTHS), range=["diamond", "circle"]),
        legend=alt.Legend(title=None, orient="top", symbolOpacity=1),
    )
    x = alt.X("value:Q", title="AUROC over positions", scale=alt.Scale(domain=[0, 1]))
    tip = [alt.Tooltip("method:N"), alt.Tooltip("truth:N"), alt.Tooltip("value:Q", format=".3f")]
    marks = alt.Chart(rows(table[["method", "truth", "value"]]))
    chart = layered(
        alt.Chart(rows(best)).mark_rule(strokeDash=[4, 3], strokeWidth=1.5).encode(x=x, color=colour),
        # From one truth to the other: how far a method's two scores lie apart.
        marks.mark_line(color=MUTED, strokeWidth=1.5).encode(x=x, y=y, detail="method:N"),
        marks.mark_point(filled=True, size=48, opacity=1).encode(x=x, y=y, color=colour, shape=shape, tooltip=tip),
    ).properties(width=width, height=alt.Step(20))
    how = "Further right is better. Dashed: the best baseline explainer, against the truth of that colour."
    return styled(chart, titled(title, how))
