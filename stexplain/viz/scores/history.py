"""Training history: loss and accuracy over epochs."""

import altair as alt
import pandas as pd

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.viz.columns import require
from stexplain.viz.theme import CATEGORIES, MUTED, layered, rows, styled, titled

# Column of the table -> measure (a panel), split (a line).
CURVES = {
    "accuracy": ("accuracy", "training"),
    "validation_accuracy": ("accuracy", "validation"),
    "loss": ("loss", "training"),
    "validation_loss": ("loss", "validation"),
}


@checked
def history(table: pd.DataFrame, *, selected_epoch: int | None = None, title: str = "Training") -> alt.FacetChart:
    """Draws loss and accuracy over epochs, on the training and the validation split.

    Args:
        table: column `epoch` and any of `loss`, `accuracy`, `validation_loss`, `validation_accuracy` (NaN where not
            measured), as `stexplain.training.History.to_frame` gives it.
        selected_epoch: the epoch whose weights were kept, as `History.selected_epoch` gives it; drawn as a line.
        title: above the chart.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where the table has no `epoch`, or none of the measures.

    Example:
        >>> table = pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0], "validation_loss": [2.1, 1.5]})
        >>> chart = history(table)
        >>> [row["split"] for row in chart.data.values]
        ['training', 'training', 'validation', 'validation']
    """
    require(table, ["epoch"])
    curves = [
        pd.DataFrame({"epoch": table["epoch"], "measure": measure, "split": split, "value": table[column]})
        for column, (measure, split) in CURVES.items()
        if column in table.columns
    ]
    # A column of NaN alone (no validation split) must not reach the legend.
    measured = [curve for curve in curves if bool(curve["value"].notna().any())]
    long = pd.concat(measured) if measured else pd.DataFrame()
    if long.empty:
        raise InputError(
            f"table: got columns {', '.join(map(str, table.columns))}; expected values in one of {', '.join(CURVES)}."
        )
    long = long[long["value"].notna()]
    shown = [split for split in ("training", "validation") if split in set(long["split"])]
    base = alt.Chart()
    colour = alt.Color(
        "split:N",
        scale=alt.Scale(domain=shown, range=list(CATEGORIES[: len(shown)])),
        legend=alt.Legend(title=None, orient="top", symbolType="stroke", symbolStrokeWidth=3, symbolSize=300),
    )
    x = alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d"))
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=True))
    tip = [alt.Tooltip("epoch:Q"), alt.Tooltip("split:N"), alt.Tooltip("value:Q", format=".4g")]
    dash = alt.StrokeDash("split:N", scale=alt.Scale(domain=shown, range=[[1, 0], [6, 3]][: len(shown)]), legend=None)
    layers = [
        base.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour, strokeDash=dash),
        base.mark_point(filled=True, size=28, opacity=1).encode(x=x, y=y, color=colour, tooltip=tip),
    ]
    if selected_epoch is not None:
        layers.append(base.mark_rule(strokeDash=[2, 3], color=MUTED).encode(x=alt.datum(selected_epoch)))
    chart: alt.FacetChart = (
        layered(*layers)
        .properties(width=300, height=190)
        .facet(data=rows(long), column=alt.Column("measure:N", title=None, sort=["accuracy", "loss"]))
        # Loss and accuracy have different units.
        .resolve_scale(y="independent")
    )
    return styled(
        chart,
        titled(title, f"Dotted: epoch {selected_epoch}, whose weights are kept." if selected_epoch is not None else ""),
    )
