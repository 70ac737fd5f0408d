"""How a training went."""

import altair as alt
import pandas as pd

from stexplain.errors import InputError
from stexplain.viz.columns import require
from stexplain.viz.theme import CATEGORIES, MUTED, layered, rows, styled, titled

# Column of the table -> measure, part of the data.
CURVES = {
    "accuracy": ("accuracy", "training"),
    "validation_accuracy": ("accuracy", "validation"),
    "loss": ("loss", "training"),
    "validation_loss": ("loss", "validation"),
}


def history(table: pd.DataFrame, *, kept: int | None = None, title: str = "Training") -> alt.FacetChart:
    """Draws loss and accuracy over epochs, on the training data and on the part set aside for validation.

    Args:
        table: column `epoch` and any of `loss`, `accuracy`, `validation_loss`, `validation_accuracy` (NaN where not
            measured), as `stexplain.training.History.to_frame` gives it.
        kept: the epoch whose weights were kept, drawn as a line.
        title: above the figure.

    Raises:
        InputError: where there is no epoch or nothing was measured.

    Example:
        >>> table = pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0], "validation_loss": [2.1, 1.5]})
        >>> [row["part"] for row in history(table).data.values]
        ['training', 'training', 'validation', 'validation']
    """
    require(table, ["epoch"])
    parts = [
        pd.DataFrame({"epoch": table["epoch"], "measure": measure, "part": part, "value": table[column]})
        for column, (measure, part) in CURVES.items()
        if column in table.columns
    ]
    long = pd.concat([part for part in parts if bool(part["value"].notna().any())]) if parts else pd.DataFrame()
    if long.empty:
        raise InputError(f"the table has none of {', '.join(CURVES)}; it has {', '.join(map(str, table.columns))}.")
    long = long[long["value"].notna()]
    shown = [part for part in ("training", "validation") if part in set(long["part"])]
    base = alt.Chart()
    colour = alt.Color(
        "part:N",
        scale=alt.Scale(domain=shown, range=list(CATEGORIES[: len(shown)])),
        legend=alt.Legend(title=None, orient="top", symbolType="stroke", symbolStrokeWidth=3, symbolSize=300),
    )
    x = alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d"))
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=True))
    tip = [alt.Tooltip("epoch:Q"), alt.Tooltip("part:N", title="data"), alt.Tooltip("value:Q", format=".4g")]
    dash = alt.StrokeDash("part:N", scale=alt.Scale(domain=shown, range=[[1, 0], [6, 3]][: len(shown)]), legend=None)
    layers = [
        base.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour, strokeDash=dash),
        base.mark_point(filled=True, size=28, opacity=1).encode(x=x, y=y, color=colour, tooltip=tip),
    ]
    if kept is not None:
        layers.append(base.mark_rule(strokeDash=[2, 3], color=MUTED).encode(x=alt.datum(kept)))
    chart: alt.FacetChart = (
        layered(*layers)
        .properties(width=300, height=190)
        .facet(data=rows(long), column=alt.Column("measure:N", title=None, sort=["accuracy", "loss"]))
        .resolve_scale(y="independent")
    )
    return styled(chart, titled(title, f"Dotted: epoch {kept}, whose weights were kept." if kept is not None else ""))
