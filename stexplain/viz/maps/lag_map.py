"""Which sensor's readings weighed in a forecast, and how long before: lag x sensor."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from stexplain.axes import check_shape
from stexplain.errors import InputError
from stexplain.viz.maps.road_network import signed
from stexplain.viz.names import ordered
from stexplain.viz.theme import CATEGORIES, MUTED, colour_scale, layered, rows, styled, titled

if TYPE_CHECKING:
    from stexplain.explainers.explanation import Explanation

CELL = 17
"""Height of a row, in pixels."""


def lag_map(
    e: "Explanation",
    *,
    sample: int = 0,
    minutes: float = 5.0,
    unit: str = "mph",
    nodes: int | Sequence[str] = 20,
    truth: ArrayLike | None = None,
    marked: Mapping[str, Sequence[str]] | None = None,
    title: str | None = None,
) -> alt.LayerChart:
    """Draws the signed explanation of a forecast as sensors x lags, the weightiest sensors first.

    The row below them is the sum over all sensors that are left out, so that nothing is hidden.

    Args:
        e: an explanation ``[B, 1, T, N]``, in `unit`.
        sample: which sample of it.
        minutes: from one reading to the next.
        unit: of the values.
        nodes: which sensors in which order, or how many: those whose absolute values sum to most.
        truth: the cells that are the cause, where known, ``[T, N]``, bool; drawn with a frame.
        marked: sensors to be told by a word after their name, such as ``{"forecast": ["s7"]}``.
        title: above the figure; by default what is explained.

    Raises:
        InputError: where there is no such sample or node, or the truth is of another shape.
    """
    values = signed(e, sample)
    frames, count = values.shape
    names = list(e.node_names)
    if isinstance(nodes, int):
        if nodes < 1:
            raise InputError(f"nodes is {nodes}; wanted at least 1.")
        weight = np.nan_to_num(np.abs(values)).sum(axis=0)
        nodes = [names[index] for index in np.argsort(-weight, kind="stable")[:nodes]]
    shown = ordered("node", names, nodes)
    at = [names.index(name) for name in shown]
    said = {name: kind for kind, members in (marked or {}).items() for name in ordered("node", names, members)}
    labels = [f"{name} ({said[name]})" if name in said else name for name in shown]
    kept = values[:, at]
    others = [index for index in range(count) if index not in set(at)]
    if others:
        labels.append(f"{len(others)} others, summed")
        # A frame without readings has none of the others either.
        rest = np.where(np.isnan(values).all(axis=1), np.nan, np.nansum(values[:, others], axis=1))
        kept = np.column_stack([kept, rest])
    lags = minutes * np.arange(1 - frames, 1)
    table = pd.DataFrame(
        {
            "sensor": np.repeat(labels, frames),
            "lag": np.tile(lags, len(labels)),
            "value": kept.T.ravel(),
        }
    )
    width = max(40 * frames, 360)
    base = alt.Chart(rows(table)).encode(
        x=alt.X(
            "lag:O",
            title="minutes before the last reading",
            axis=alt.Axis(labelAngle=0, labelExpr="-datum.value", ticks=False, domain=False),
        ),
        y=alt.Y("sensor:N", sort=labels, title=None, axis=alt.Axis(labelLimit=260, ticks=False, domain=False)),
        tooltip=[
            alt.Tooltip("sensor:N"),
            alt.Tooltip("lag:O", title="minutes"),
            alt.Tooltip("value:Q", title=unit, format="+.4f"),
        ],
    )
    legend = alt.Legend(title=unit, format="+.2~g", gradientLength=140)
    filled = base.transform_filter("isValid(datum.value)").mark_rect(stroke=MUTED, strokeWidth=0.3)
    layers = [
        base.transform_filter("!isValid(datum.value)").mark_rect(color=MUTED, opacity=0.25),
        filled.encode(color=alt.Color("value:Q", scale=colour_scale(kept), legend=legend)),
    ]
    lines = [f"Orange: the reading raised the forecast; blue: lowered it, in {unit}."]
    if truth is not None:
        cells = np.asarray(truth, dtype=bool)
        check_shape("truth", cells.shape, "t n", t=frames, n=count)
        frame, node = np.nonzero(cells[:, at])
        cause = pd.DataFrame({"sensor": [labels[index] for index in node], "lag": lags[frame]})
        layers.append(
            alt.Chart(rows(cause))
            .mark_rect(fill=None, stroke=CATEGORIES[2], strokeWidth=2.5)
            .encode(x="lag:O", y=_y(labels))
        )
        lines.append("Framed in green: the planted cause.")
        hidden = int(cells[:, others].sum())
        if hidden:
            lines.append(f"{hidden} more of its cells are at sensors that are not shown.")
    if bool(np.isnan(kept).any()):
        lines.append("Grey: no reading.")
    chart = layered(*layers).properties(width=width, height=CELL * len(labels))
    return styled(chart, titled(title or f"Which sensor, how long before: {e.target or 'the forecast'}", *lines))


def _y(labels: Sequence[str]) -> alt.Y:
    return alt.Y("sensor:N", sort=list(labels))
