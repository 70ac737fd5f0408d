"""Node importance per class, one small body for each class."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import pandas as pd

from stexplain.checking import checked
from stexplain.errors import InputError, unknown
from stexplain.explainers.arguments import check_counts
from stexplain.viz.maps.importance_map import class_table, of_each_class, shades
from stexplain.viz.maps.layout import centred
from stexplain.viz.names import labelled, ordered
from stexplain.viz.panel import Panel
from stexplain.viz.theme import (
    BELOW,
    MUTED,
    colour_legend,
    colour_scale,
    layered,
    literal,
    magnitude,
    rows,
    short,
    styled,
    titled,
)

if TYPE_CHECKING:
    from stexplain.graph import STGraph

MOST = 60
"""Classes that are drawn where none are named: more are a picture that nobody sees whole."""
_FEW = 24
"""More classes than this stand in longer rows."""


@checked
def class_bodies(
    psi: pd.DataFrame,
    graph: "STGraph",
    *,
    classes: Sequence[str] | None = None,
    per_class: bool = True,
    columns: int | None = None,
    width: int = 130,
    height: int = 170,
    title: str = "Most important nodes per class",
) -> alt.FacetChart:
    """Draws one small body, or another graph with drawing positions, for each class; its nodes are coloured.

    The same numbers as in `importance_map`: with `per_class` those of each class are scaled to [0, 1], min-max, and the
    tooltip has the value itself.

    Args:
        psi: one row per class (named by the index), one column per node; NaN where a class has no value.
        graph: with the nodes of `psi`, edges and drawing positions.
        classes: the classes to draw, in order; by default all, of more than 60 the first 60, as the chart then says.
        per_class: scale each class on its own; else colours compare across classes.
        columns: bodies in a row; by default 4, of more than 24 classes 6.
        width: of a body's panel in pixels.
        height: of it.
        title: above the chart.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where `psi` is empty, names a node that the graph lacks, or the graph has no positions.

    Example:
        >>> from stexplain.graph import STGraph
        >>> graph = STGraph.from_edges(["foot", "hand"], [("foot", "hand")], positions=[[0.0, 0.0], [0.0, 1.0]])
        >>> psi = pd.DataFrame([[0.1, 0.9], [0.8, 0.2]], index=["throw", "kick"], columns=["foot", "hand"])
        >>> chart = class_bodies(psi, graph)
        >>> type(chart).__name__
        'FacetChart'
    """
    psi = class_table(psi)
    if columns is not None:
        check_counts(columns=columns)
    if graph.positions is None:
        raise InputError("graph: it has no drawing positions. Give it some, or draw `importance_map`.")
    nodes, shown = list(psi.columns), ordered("class", list(psi.index), classes)
    if classes is None:
        shown = shown[:MOST]
    columns = columns or (4 if len(shown) <= _FEW else 6)
    for name in nodes:
        if name not in graph.nodes:
            raise unknown("node", name, list(graph.nodes))
    at = {graph.index(name): number for number, name in enumerate(nodes)}
    values = psi.loc[shown].to_numpy(np.float64)
    shade = shades(values, per_class)
    points = centred(np.asarray(graph.positions, np.float64)[[graph.index(name) for name in nodes]])
    panel = Panel.around(points, width=width, height=height)
    ends = np.asarray(graph.edges, np.int64).reshape(-1, 2)
    ends = np.array([[at[a], at[b]] for a, b in ends.tolist() if a in at and b in at], np.int64).reshape(-1, 2)
    table = pd.DataFrame(
        {"class": shown, "shade": [short(row) for row in shade], "value": [short(row) for row in values]}
    )
    across, upward = (alt.Scale(domain=domain, nice=False, zero=False) for domain in (panel.right, panel.up))
    x, y = (
        axis(f"{name}:Q", scale=scale, axis=None) for axis, name, scale in ((alt.X, "x", across), (alt.Y, "y", upward))
    )
    # Positions and bones are those of every body: written once, in expressions.
    right, up = literal(short(points[:, 0])), literal(short(points[:, 1]))
    bones = (
        alt.Chart()
        .transform_calculate(a=literal(ends[:, 0].tolist()), b=literal(ends[:, 1].tolist()))
        .transform_flatten(["a", "b"])
        .transform_calculate(x=f"{right}[datum.a]", y=f"{up}[datum.a]", x2=f"{right}[datum.b]", y2=f"{up}[datum.b]")
        .mark_rule(color=MUTED, strokeWidth=2, strokeCap="round", opacity=0.8)
        .encode(x=x, y=y, x2="x2:Q", y2="y2:Q")
    )
    joints = (
        alt.Chart()
        .transform_calculate(node=literal(nodes), x=right, y=up)
        .transform_flatten(["node", "x", "y", "shade", "value"])
    )
    tip = [alt.Tooltip("class:N"), alt.Tooltip("node:N"), alt.Tooltip("value:Q", title="importance", format=".3~g")]
    missing = joints.transform_filter("!isValid(datum.shade)").mark_circle(color=MUTED, size=18)
    scaled = [0.0, 1.0] if per_class else shade
    words = "within class, 0: minimum, 1: maximum" if per_class else "importance"
    marks = (
        joints.transform_filter("isValid(datum.shade)")
        .transform_calculate(size="abs(datum.shade)")
        .mark_circle(stroke=MUTED, strokeWidth=0.7, opacity=1)
        .encode(
            size=alt.Size(
                "size:Q", scale=alt.Scale(domain=[0.0, magnitude(scaled)[0][1]], range=[16, 110]), legend=None
            ),
            color=alt.Color("shade:Q", scale=colour_scale(scaled), legend=colour_legend(words, scaled, **BELOW)),
            order=alt.Order("size:Q"),
            x=x,
            y=y,
            tooltip=tip,
        )
    )
    body = layered(bones, missing.encode(x=x, y=y, tooltip=tip), marks).properties(width=width, height=height)
    chart: alt.FacetChart = body.facet(
        data=rows(table),
        facet=alt.Facet(
            "class:N",
            sort=shown,
            title=None,
            header=alt.Header(labelPadding=2, **labelled(shown, width, two_lines=True)),
        ),
        columns=columns,
    ).properties(spacing=8)
    lines = ["Brighter and larger: contributes more to the class."]
    if magnitude(scaled)[0][0] < 0:
        lines = ["Orange contributes to the class, blue against it. Larger: by more."]
    if not np.isfinite(shade).all():
        lines.append("Grey: no value" + (", or the same value at every node." if per_class else "."))
    if classes is None and len(psi) > MOST:
        lines.append(f"The first {MOST} of {len(psi)} classes: name others, or fewer, by classes=.")
    return styled(chart, titled(title, *lines), of_each_class(psi.loc[shown, nodes]))
