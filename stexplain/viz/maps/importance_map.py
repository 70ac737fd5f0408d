"""Node importance per class: the heat map of Figs. 2 to 4 in Das & Ortega (2022)."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.checking.values import as_numbers
from stexplain.errors import InputError
from stexplain.explainers.arguments import check_counts
from stexplain.viz.bands import Bands
from stexplain.viz.columns import expect
from stexplain.viz.names import grouped, ordered, said
from stexplain.viz.theme import MUTED, colour_legend, colour_scale, layered, rows, styled, titled
from stexplain.wording import counted


@checked
def importance_map(
    psi: pd.DataFrame,
    *,
    nodes: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    class_groups: Mapping[str, Sequence[str]] | None = None,
    per_class: bool = True,
    title: str = "Node importance per class",
    cell: int = 20,
) -> alt.LayerChart:
    """Draws importance as a heat map of classes x nodes.

    With `per_class` the values of each class are scaled to [0, 1] (min-max, as in Das & Ortega 2022, Figs. 2-4); the
    tooltip has the value itself. Without it colours compare across classes, and negative values get a diverging palette
    centred on zero. A missing value is a grey cell. So is every cell of a class with equal values, where no node stands
    out.

    Args:
        psi: one row per class (named by the index), one column per node; NaN where a class has no value.
        nodes: the nodes to draw, in order; by default all, group by group, each in the table's order.
        classes: the classes to draw, in order; by default all, in the same way.
        groups: nodes of each body part or region; groups are separated and named.
        class_groups: the same for classes.
        per_class: scale each class on its own.
        title: above the chart.
        cell: width of a cell in pixels.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where `psi` is empty, or has no such node or class.

    Example:
        >>> psi = pd.DataFrame([[0.1, 0.9], [0.8, 0.2]], index=["throw", "kick"], columns=["foot", "hand"])
        >>> chart = importance_map(psi, groups={"arm": ["hand"], "leg": ["foot"]})
        >>> type(chart).__name__
        'LayerChart'
    """
    check_counts(cell=cell)
    psi = class_table(psi)
    all_nodes, all_classes = list(psi.columns), list(psi.index)
    shown_nodes, shown_classes = ordered("node", all_nodes, nodes), ordered("class", all_classes, classes)
    # Groups are checked against all names, also those that are not drawn.
    group_of, order = grouped("node", all_nodes, groups)
    class_group_of, class_order = grouped("class", all_classes, class_groups)
    # A group whose names lie apart would be named once for each part, and its name cut where a part is narrow.
    if nodes is None:
        shown_nodes.sort(key=lambda name: order.index(group_of[name]))
    if classes is None:
        shown_classes.sort(key=lambda name: class_order.index(class_group_of[name]))
    table = _cells(psi.loc[shown_classes, shown_nodes], per_class)
    table["group"] = table["node"].map(group_of)
    table["class_group"] = table["class"].map(class_group_of)

    across = Bands(shown_nodes, [group_of[name] for name in shown_nodes])
    down = Bands(shown_classes, [class_group_of[name] for name in shown_classes])
    # Few classes get taller cells, so that the map is not thinner than the nodes' names; many must fit on a page.
    tall = cell if len(shown_classes) > 24 else int(cell * 1.25)
    width = cell * len(across.domain)
    base = alt.Chart(rows(table)).encode(
        x=across.x("node", labelAngle=-90),
        y=down.y("class"),
        tooltip=[
            alt.Tooltip("class:N"),
            alt.Tooltip("node:N"),
            alt.Tooltip("group:N"),
            alt.Tooltip("importance:Q", format=".3~g"),
        ],
    )
    scale = colour_scale([0.0, 1.0] if per_class else table["shade"])
    if per_class:
        words = ["within class", "0: minimum", "1: maximum"]
        legend = alt.Legend(title=words, values=[0, 0.5, 1], gradientLength=140, offset=down.room)
    else:
        legend = colour_legend("importance", table["shade"], offset=down.room)
    colour = alt.Color("shade:Q", scale=scale, legend=legend)
    # Two layers, because Vega draws nothing for a null colour.
    missing = base.transform_filter("!isValid(datum.shade)").mark_rect(color=MUTED, opacity=0.35)
    filled = base.transform_filter("isValid(datum.shade)").mark_rect(stroke=MUTED, strokeWidth=0.3)
    chart = layered(missing, filled.encode(color=colour), *across.above(cell), *down.beside(width))
    chart = chart.properties(width=width, height=tall * len(down.domain))
    head = titled(title, *_how_to_read(table, per_class))
    return styled(chart, head, of_each_class(psi.loc[shown_classes, shown_nodes]))


def class_table(psi: pd.DataFrame) -> pd.DataFrame:
    """Importance per class with names as strings, each once.

    Raises:
        InputError: where it is no table, or is empty, or a name appears twice.
    """
    expect("psi", psi, pd.DataFrame, "ClassImportance.to_frame()")
    if psi.empty:
        raise InputError(f"psi: got shape {psi.shape}; expected at least one class (row) and one node (column).")
    classes, nodes = ordered("class", list(psi.index), None), ordered("node", list(psi.columns), None)
    return psi.set_axis(classes, axis=0).set_axis(nodes, axis=1)


def of_each_class(psi: pd.DataFrame, most: int = 20) -> str:
    """The three most important nodes of each class, in words, for those who do not see them.

    Example:
        >>> of_each_class(pd.DataFrame([[0.1, 0.9]], index=["throw"], columns=["foot", "hand"]))
        'Most important nodes. throw: hand (0.9), foot (0.1).'
    """
    nodes = list(psi.columns)
    texts = [(name, said(nodes, row)) for name, row in zip(psi.index, psi.to_numpy(np.float64), strict=True)]
    more = f" And {counted(len(texts) - most, 'more class', 'more classes')}." if len(texts) > most else ""
    lines = [f"{name}: {text}." for name, text in texts[:most] if text]
    return f"Most important nodes. {' '.join(lines)}{more}" if lines else ""


def shades(values: NDArray[np.float64], per_class: bool) -> NDArray[np.float64]:
    """What is coloured, ``[classes, nodes]``: the values, or those of each class scaled to [0, 1], min-max.

    NaN where a class has no value, or the same at every node.

    Example:
        >>> shades(np.array([[1.0, 3.0, 2.0], [5.0, 5.0, 5.0]]), per_class=True)
        array([[0. , 1. , 0.5],
               [nan, nan, nan]])
    """
    if not per_class:
        return values
    # Minimum and maximum per class, [K, 1]; nanmin would warn of classes without any value.
    low, high = (np.full((len(values), 1), np.nan) for _ in range(2))
    present = np.isfinite(values).any(axis=1)
    low[present, 0], high[present, 0] = np.nanmin(values[present], axis=1), np.nanmax(values[present], axis=1)
    # A class with equal values divides zero by zero; `where` then takes NaN.
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(high > low, (values - low) / (high - low), np.nan)


def _cells(psi: pd.DataFrame, per_class: bool) -> pd.DataFrame:
    values = as_numbers("psi", psi.to_numpy()).astype(np.float64)
    shade = shades(values, per_class)
    return pd.DataFrame(
        {
            "class": np.repeat(psi.index.to_numpy(), psi.shape[1]),
            "node": np.tile(psi.columns.to_numpy(), psi.shape[0]),
            "importance": values.ravel(),
            "shade": shade.ravel(),
        }
    )


def _how_to_read(table: pd.DataFrame, per_class: bool) -> list[str]:
    lines = ["Each row is a class; its brightest squares are the nodes that contribute most."]
    if not per_class and bool((table["shade"] < 0).any()):
        lines = ["Each row is a class; orange contributes to it, blue against it, pale is zero."]
    if bool(table["shade"].isna().any()):
        lines.append("Grey: no value" + (", or the same value at every node." if per_class else "."))
    return lines
