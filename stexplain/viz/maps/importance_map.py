"""Which nodes matter for which class: the heat map of the paper's Figs. 2 to 4."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from stexplain.errors import InputError
from stexplain.viz.bands import Bands
from stexplain.viz.names import grouped, ordered
from stexplain.viz.theme import MUTED, colour_scale, layered, rows, styled, titled


def importance_map(
    psi: pd.DataFrame,
    *,
    nodes: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    class_groups: Mapping[str, Sequence[str]] | None = None,
    per_class: bool = True,
    title: str = "Which nodes matter for which class",
    cell: int = 20,
) -> alt.LayerChart:
    """Draws importance as classes x nodes.

    With `per_class`, the colour of a cell is its value on the way from the least to the greatest value of its class, as
    in Das & Ortega (2022), Figs. 2-4; the value itself is in the tooltip. Without, colours compare across classes, and
    negative values get a diverging palette centred on zero. A missing value is a grey cell, and so is every cell of a
    class whose values are all the same, because no node then stands out.

    Args:
        psi: one row per class (its index names them), one column per node; NaN where a class has no value.
        nodes: which nodes to draw and in which order; all as they come where not given.
        classes: which classes to draw and in which order.
        groups: nodes of each body part or region; drawn apart, under the group's name.
        class_groups: the same for classes.
        per_class: colour each class on its own scale.
        title: above the figure.
        cell: width of a cell in pixels.

    Raises:
        InputError: where the table is empty, or a name is not in it.

    Example:
        >>> psi = pd.DataFrame([[0.1, 0.9], [0.8, 0.2]], index=["throw", "kick"], columns=["foot", "hand"])
        >>> chart = importance_map(psi, groups={"arm": ["hand"], "leg": ["foot"]})
        >>> type(chart).__name__
        'LayerChart'
    """
    if psi.empty:
        raise InputError(f"psi has shape {psi.shape}; wanted at least one class (row) and one node (column).")
    psi = psi.set_axis([str(name) for name in psi.index], axis=0).set_axis([str(name) for name in psi.columns], axis=1)
    all_nodes, all_classes = ordered("node", list(psi.columns), None), ordered("class", list(psi.index), None)
    shown_nodes, shown_classes = ordered("node", all_nodes, nodes), ordered("class", all_classes, classes)
    group_of, _ = grouped("node", all_nodes, groups)
    class_group_of, _ = grouped("class", all_classes, class_groups)
    table = _cells(psi.loc[shown_classes, shown_nodes], per_class)
    table["group"] = table["node"].map(group_of)
    table["class_group"] = table["class"].map(class_group_of)

    across = Bands(shown_nodes, [group_of[name] for name in shown_nodes])
    down = Bands(shown_classes, [class_group_of[name] for name in shown_classes])
    # With few classes a square cell looks thin beside the names of the nodes; with many a page must hold them.
    tall = cell if len(shown_classes) > 24 else int(cell * 1.25)
    width = cell * len(across.domain)
    base = alt.Chart(rows(table)).encode(
        x=across.x("node", labelAngle=-90),
        y=down.y("class"),
        tooltip=[
            alt.Tooltip("class:N"),
            alt.Tooltip("node:N"),
            alt.Tooltip("group:N"),
            alt.Tooltip("importance:Q", format=".4g"),
        ],
    )
    scale = colour_scale([0.0, 1.0] if per_class else table["shade"])
    words = ["within class", "0 = least", "1 = most"] if per_class else "importance"
    colour = alt.Color("shade:Q", scale=scale, legend=alt.Legend(title=words, gradientLength=140, offset=down.room))
    missing = base.transform_filter("!isValid(datum.shade)").mark_rect(color=MUTED, opacity=0.35)
    filled = base.transform_filter("isValid(datum.shade)").mark_rect(stroke=MUTED, strokeWidth=0.3)
    chart = layered(missing, filled.encode(color=colour), *across.above(cell), *down.beside(width))
    chart = chart.properties(width=width, height=tall * len(down.domain))
    head = titled(title, *_how_to_read(table, per_class))
    return styled(chart, head)


def _cells(psi: pd.DataFrame, per_class: bool) -> pd.DataFrame:
    values = psi.to_numpy(dtype=np.float64)
    shade = values
    if per_class:
        low, high = (np.full((len(values), 1), np.nan) for _ in range(2))
        whole = np.isfinite(values).any(axis=1)
        low[whole, 0], high[whole, 0] = np.nanmin(values[whole], axis=1), np.nanmax(values[whole], axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            shade = np.where(high > low, (values - low) / (high - low), np.nan)
    return pd.DataFrame(
        {
            "class": np.repeat(psi.index.to_numpy(), psi.shape[1]),
            "node": np.tile(psi.columns.to_numpy(), psi.shape[0]),
            "importance": values.ravel(),
            "shade": shade.ravel(),
        }
    )


def _how_to_read(table: pd.DataFrame, per_class: bool) -> list[str]:
    lines = ["Each row is a class; the brightest cells are the nodes that decide it."]
    if not per_class and bool((table["shade"] < 0).any()):
        lines = ["Each row is a class; orange speaks for it, blue against it, pale is zero."]
    if bool(table["shade"].isna().any()):
        lines.append("Grey: no value" + (", or the same value at every node." if per_class else "."))
    return lines
