"""Does the explanation change as the model forgets what it learned?"""

import altair as alt
import pandas as pd

from stexplain.errors import InputError
from stexplain.viz.columns import require
from stexplain.viz.theme import CATEGORIES, MUTED, layered, rows, styled, titled

UNTOUCHED = "untouched"


def randomisation(
    table: pd.DataFrame, *, threshold: float | None = 0.5, title: str = "The map as the model forgets"
) -> alt.LayerChart:
    """Draws the rank correlation with the original map, as the model is randomised from its last layer to the first.

    Args:
        table: columns `stage` (0: untouched), `layer`, `correlation`, `low`, `high` and `random`, as `SelfTest.curve`
            holds them; for several methods on one model their curves below each other, with a column `method`.
        threshold: below which the last stage is to end, drawn as a line; none: not drawn.
        title: above the figure.

    Raises:
        InputError: where a column is missing, or a stage is of two layers: the curves are of different models.

    Example:
        >>> curve = {"stage": [0, 1], "layer": ["", "head"], "correlation": [1.0, 0.2], "random": [0.0, 0.0]}
        >>> chart = randomisation(pd.DataFrame({**curve, "low": [1.0, 0.1], "high": [1.0, 0.4]}))
        >>> [row["layer"] for row in chart.data.values]
        ['untouched', 'head']
    """
    require(table, ["stage", "layer", "correlation", "low", "high", "random"])
    named = [str(layer) or UNTOUCHED for layer in table["layer"]]
    table = table.assign(layer=named).sort_values("stage", kind="stable")
    layers = table.drop_duplicates(["stage", "layer"])
    if bool(layers["stage"].duplicated().any()):
        raise InputError("a stage is of two layers: the curves are of different models. Draw one model at a time.")
    several = "method" in table.columns
    table = table.assign(method=table["method"].astype(str) if several else "explainer")
    methods = list(dict.fromkeys(table["method"]))
    # Colours and dashes together tell more methods apart than there are colours.
    dashes = [[1, 0], [6, 3], [2, 2]]
    colour = alt.Color(
        "method:N",
        scale=alt.Scale(domain=methods, range=[CATEGORIES[i % len(CATEGORIES)] for i in range(len(methods))]),
        legend=alt.Legend(title=None, orient="top", columns=4, symbolType="stroke", symbolStrokeWidth=3)
        if several
        else None,
    )
    dash = alt.StrokeDash(
        "method:N",
        scale=alt.Scale(domain=methods, range=[dashes[i // len(CATEGORIES) % 3] for i in range(len(methods))]),
        legend=None,
    )
    x = alt.X(
        "layer:N",
        sort=layers["layer"].tolist(),
        title="randomised so far, from the last layer to the first",
        axis=alt.Axis(labelAngle=-40, grid=False),
    )
    lowest = min(0.0, float(table[["random", "correlation" if len(methods) > 1 else "low"]].min().min()))
    span = alt.Scale(domain=[lowest, 1])
    y = alt.Y("correlation:Q", title="rank correlation with the original map", scale=span)
    tip = [
        alt.Tooltip("method:N"),
        alt.Tooltip("layer:N"),
        *(alt.Tooltip(f"{name}:Q", format=".2f") for name in ("correlation", "low", "high", "random")),
    ]
    base = alt.Chart()
    parts = [
        base.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour, strokeDash=dash),
        base.mark_point(filled=True, size=50, opacity=1).encode(x=x, y=y, color=colour, tooltip=tip),
        base.mark_line(strokeWidth=1.5, color=MUTED).encode(x=x, y=alt.Y("mean(random):Q", scale=span)),
    ]
    if len(methods) == 1:
        spread = base.mark_area(opacity=0.18).encode(x=x, y=alt.Y("low:Q", scale=span), y2="high:Q", color=colour)
        parts.insert(0, spread)
    if threshold is not None:
        parts.append(base.mark_rule(strokeDash=[2, 3], color=MUTED).encode(y=alt.datum(threshold)))
    chart = layered(*parts, data=rows(table)).properties(width=max(320, 34 * len(layers)), height=240)
    how = "An explanation of what the model learned must fall. Grey: random numbers."
    ends = f"Dotted: below it the curve must end, at {threshold:g}." if threshold is not None else ""
    band = "Band: lowest and highest of samples and draws." if len(methods) == 1 else ""
    return styled(chart, titled(title, how, " ".join(part for part in (ends, band) if part)))
