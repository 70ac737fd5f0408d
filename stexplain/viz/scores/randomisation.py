"""Randomisation test: the explanation as the model's weights are randomised, layer by layer."""

import altair as alt
import pandas as pd

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.viz.columns import require
from stexplain.viz.theme import CATEGORIES, MUTED, layered, rows, styled, titled

TRAINED = "trained weights"


@checked
def randomisation(
    table: pd.DataFrame, *, threshold: float | None = 0.5, title: str = "The explanation as the weights are randomised"
) -> alt.LayerChart:
    """Draws the rank correlation with the original map, as weights are randomised from the last layer to the first.

    Args:
        table: columns `stage` (0: trained weights), `layer`, `correlation`, `low`, `high` and `random`, as
            `SelfTest.curve` holds them. For several methods on one model concatenate their curves and add a column
            `method`.
        threshold: the curve should end below it; drawn as a line unless None.
        title: above the chart.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where a column is missing, or a stage has two layers (curves of different models).

    Example:
        >>> curve = {"stage": [0, 1], "layer": ["", "head"], "correlation": [1.0, 0.2], "random": [0.0, 0.0]}
        >>> chart = randomisation(pd.DataFrame({**curve, "low": [1.0, 0.1], "high": [1.0, 0.4]}))
        >>> [row["layer"] for row in chart.data.values]
        ['trained weights', 'head']
    """
    require(table, ["stage", "layer", "correlation", "low", "high", "random"])
    named = [str(layer) or TRAINED for layer in table["layer"]]
    table = table.assign(layer=named).sort_values("stage", kind="stable")
    layers = table.drop_duplicates(["stage", "layer"])
    if bool(layers["stage"].duplicated().any()):
        raise InputError(
            "table: got two layers at one stage; expected the curves of one model. Draw one model at a time."
        )
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
        title="weights randomised up to this layer, from the last to the first",
        axis=alt.Axis(labelAngle=-40, grid=False),
    )
    # With several methods no band is drawn, so their `low` needs no room.
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
        # One line for random attributions: the mean over methods at each layer.
        base.mark_line(strokeWidth=1.5, color=MUTED).encode(x=x, y=alt.Y("mean(random):Q", scale=span)),
    ]
    # Bands of several methods would cover each other.
    if len(methods) == 1:
        spread = base.mark_area(opacity=0.18).encode(x=x, y=alt.Y("low:Q", scale=span), y2="high:Q", color=colour)
        parts.insert(0, spread)
    if threshold is not None:
        parts.append(base.mark_rule(strokeDash=[2, 3], color=MUTED).encode(y=alt.datum(threshold)))
    chart = layered(*parts, data=rows(table)).properties(width=max(320, 34 * len(layers)), height=240)
    how = "An explanation that depends on what the model learned must fall. Grey: random attribution."
    ends = f"Dotted: the curve should end below {threshold:g}." if threshold is not None else ""
    band = "Band: minimum and maximum over samples and draws." if len(methods) == 1 else ""
    return styled(chart, titled(title, how, " ".join(part for part in (ends, band) if part)))
