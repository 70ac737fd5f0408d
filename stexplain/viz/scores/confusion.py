"""Confusion matrix: true class by predicted class."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from stexplain.axes import check_shape
from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.explainers.arguments import check_counts
from stexplain.viz.columns import numbers
from stexplain.viz.names import labelled, ordered
from stexplain.viz.theme import MUTED, colour_scale, layered, rows, styled, titled


@checked
def confusion(
    matrix: ArrayLike,
    classes: Sequence[str],
    *,
    title: str = "Confusion matrix",
    cell: int | None = None,
) -> alt.LayerChart:
    """Draws a confusion matrix: rows are true classes, columns predicted classes.

    The colour is the share of the row, so that rare classes are visible too. The tooltip has the count; with at most 20
    classes the cell shows it as well. A class without samples is a grey row.

    Args:
        matrix: counts ``[K, K]``, true class first.
        classes: K names.
        title: above the chart.
        cell: width and height of a cell in pixels; by default 30 for at most 20 classes, else 15.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where the matrix is not square, has negative entries, or the names are not K different ones.

    Example:
        >>> chart = confusion([[3, 1], [0, 4]], ["throw", "kick"])  # one throw was taken for a kick
        >>> type(chart).__name__
        'LayerChart'
    """
    counts = numbers("matrix", matrix)
    names = ordered("class", classes, None)
    check_shape("matrix", counts.shape, "true predicted", true=len(names), predicted=len(names))
    if not bool(np.isfinite(counts).all()) or bool((counts < 0).any()):
        raise InputError("matrix: got negative, NaN or infinite entries; expected counts of samples.")
    # Row totals [K, 1]; a class without samples keeps NaN, which is drawn grey.
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)
    table = pd.DataFrame(
        {
            "true": np.repeat(names, len(names)),
            "predicted": np.tile(names, len(names)),
            "count": counts.ravel(),
            "share": share.ravel(),
        }
    )
    # Sixty classes at 15 pixels fit a page of 900 pixels.
    size = (30 if len(names) <= 20 else 15) if cell is None else cell
    check_counts(cell=size)
    # Vega sets a title no further out than `maxExtent`, by default upon long names.
    axis = alt.Axis(
        **labelled(names, 260), maxExtent=300, domain=False, ticks=False, labelFontSize=12 if size >= 15 else 10
    )
    # One row per pair of classes, in the order of `classes`: sort=names keeps Vega from sorting by the alphabet.
    base = alt.Chart(rows(table)).encode(
        x=alt.X("predicted:N", sort=names, title="predicted class", axis=alt.Axis(**axis.to_dict(), labelAngle=-90)),
        y=alt.Y("true:N", sort=names, title="true class", axis=axis),
        tooltip=[
            alt.Tooltip("true:N", title="true class"),
            alt.Tooltip("predicted:N", title="predicted class"),
            alt.Tooltip("count:Q", title="samples"),
            alt.Tooltip("share:Q", title="share of true class", format=".1%"),
        ],
    )
    layers = [
        base.transform_filter("!isValid(datum.share)").mark_rect(color=MUTED, opacity=0.35),
        base.transform_filter("isValid(datum.share)")
        .mark_rect(stroke=MUTED, strokeWidth=0.3)
        .encode(
            color=alt.Color(
                "share:Q", scale=colour_scale([0.0, 1.0]), legend=alt.Legend(title="share of true class", format=".0%")
            )
        ),
    ]
    if len(names) <= 20:
        number = base.transform_filter("datum.count > 0").mark_text(fontSize=11)
        # Viridis is yellow at its top: white numbers would vanish there.
        colour = alt.condition("datum.share > 0.6", alt.value("black"), alt.value("white"))
        layers.append(number.encode(text=alt.Text("count:Q", format="d"), color=colour))
    chart = layered(*layers).properties(width=alt.Step(size), height=alt.Step(size))
    samples = float(counts.sum())
    summary = "There are no samples."
    if samples:
        summary = (
            f"{float(np.trace(counts)) / samples:.1%} of {int(samples):,} samples are classified correctly (diagonal)."
        )
    return styled(chart, titled(title, summary))
