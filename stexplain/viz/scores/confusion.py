"""Which class is taken for which."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from stexplain.axes import check_shape
from stexplain.errors import InputError
from stexplain.viz.names import ordered
from stexplain.viz.theme import MUTED, colour_scale, layered, rows, styled, titled


def confusion(
    matrix: ArrayLike,
    classes: Sequence[str],
    *,
    title: str = "Which class is taken for which",
    cell: int | None = None,
) -> alt.LayerChart:
    """Draws a confusion matrix: rows are the true classes, columns what the model said.

    The colour is the share of the row, so that rare classes are seen as well; the count is in the tooltip, and in the
    cell where there are at most 20 classes. A class without samples is a grey row.

    Args:
        matrix: counts ``[K, K]``, true class first.
        classes: K names.
        title: above the figure.
        cell: width and height of a cell in pixels; chosen by K where not given.

    Raises:
        InputError: where the matrix is not square, has negative entries, or the names are not K different ones.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    names = ordered("class", classes, None)
    check_shape("matrix", counts.shape, "true said", true=len(names), said=len(names))
    if not bool(np.isfinite(counts).all()) or bool((counts < 0).any()):
        raise InputError("matrix holds negative, NaN or infinite entries; wanted counts.")
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)
    table = pd.DataFrame(
        {
            "true": np.repeat(names, len(names)),
            "said": np.tile(names, len(names)),
            "count": counts.ravel(),
            "share": share.ravel(),
        }
    )
    size = cell or (30 if len(names) <= 20 else 15)
    axis = alt.Axis(labelLimit=260, domain=False, ticks=False, labelFontSize=12 if size >= 15 else 10)
    base = alt.Chart(rows(table)).encode(
        x=alt.X("said:N", sort=names, title="the model said", axis=alt.Axis(**axis.to_dict(), labelAngle=-90)),
        y=alt.Y("true:N", sort=names, title="true class", axis=axis),
        tooltip=[
            alt.Tooltip("true:N", title="true class"),
            alt.Tooltip("said:N", title="the model said"),
            alt.Tooltip("count:Q", title="samples"),
            alt.Tooltip("share:Q", title="share of the class", format=".1%"),
        ],
    )
    layers = [
        base.transform_filter("!isValid(datum.share)").mark_rect(color=MUTED, opacity=0.35),
        base.transform_filter("isValid(datum.share)")
        .mark_rect(stroke=MUTED, strokeWidth=0.3)
        .encode(
            color=alt.Color(
                "share:Q", scale=colour_scale([0.0, 1.0]), legend=alt.Legend(title="share of the class", format=".0%")
            )
        ),
    ]
    if len(names) <= 20:
        number = base.transform_filter("datum.count > 0").mark_text(fontSize=11)
        colour = alt.condition("datum.share > 0.6", alt.value("black"), alt.value("white"))
        layers.append(number.encode(text=alt.Text("count:Q", format="d"), color=colour))
    chart = layered(*layers).properties(width=alt.Step(size), height=alt.Step(size))
    right = float(np.trace(counts)) / float(counts.sum()) if counts.sum() else float("nan")
    said = (
        f"{right:.1%} of {int(counts.sum())} samples lie on the diagonal." if counts.sum() else "There are no samples."
    )
    return styled(chart, titled(title, said))
