"""A graph with a value at every node, at one time or over many."""

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stexplain.errors import InputError
from stexplain.viz.clip import time_text
from stexplain.viz.panel import Panel
from stexplain.viz.theme import MUTED, colour_scale, layered, literal, magnitude, rows, short, styled, titled

if TYPE_CHECKING:
    from stexplain.graph import STGraph

NAMED = 40
"""Graphs of more nodes are drawn without names; tooltips tell them."""


def network(
    graph: "STGraph",
    values: ArrayLike,
    *,
    time: ArrayLike | None = None,
    labels: bool | None = None,
    seed: int = 0,
    width: int = 640,
    height: int = 440,
    unit: str = "importance",
    title: str = "Which nodes matter",
) -> alt.LayerChart:
    """Draws nodes and edges, nodes as large and as coloured as their value, with a slider where values have a time.

    Nodes lie at the graph's drawing positions, both axes on one scale; a graph without positions is laid out by
    networkx's force-directed layout. Negative values get a diverging palette centred on zero, and size is the absolute
    value. A missing value is a small grey node.

    Args:
        graph: of N nodes.
        values: ``[N]``, or ``[T, N]`` for a slider that opens at the greatest value; NaN where there is none.
        time: T frame numbers or seconds, for the text beside the drawing.
        labels: write the nodes' names; where not given, only for at most 40 nodes.
        seed: of the layout, where it is computed.
        width: in pixels.
        height: in pixels.
        unit: what the values are.
        title: above the figure.

    Raises:
        InputError: where the values do not fit the graph or the times.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2) or array.shape[-1] != len(graph.nodes) or array.size == 0:
        raise InputError(f"values have shape {array.shape}; wanted [{len(graph.nodes)}] or [T, {len(graph.nodes)}].")
    frames = np.atleast_2d(array)
    names = [str(node) for node in graph.nodes]
    points = _positions(graph, seed)
    panel = Panel.around(points, width=width, height=height)
    times = np.arange(len(frames)) if time is None else np.asarray(time, dtype=np.float64)
    if times.shape != (len(frames),):
        raise InputError(f"time has shape {times.shape}; wanted [{len(frames)}], one per frame of values.")
    group = {str(node): str(name) for name, members in (graph.groups or {}).items() for node in members}
    nodes = pd.DataFrame(
        {"node": names, "group": [group.get(name, "") for name in names], "x": points[:, 0], "y": points[:, 1]}
    )
    edges = np.asarray(graph.edges, dtype=np.int64).reshape(-1, 2)
    lines = pd.DataFrame(np.hstack([points[edges[:, 0]], points[edges[:, 1]]]), columns=["x", "y", "x2", "y2"])
    x = alt.X("x:Q", scale=alt.Scale(domain=panel.right, nice=False, zero=False), axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=panel.up, nice=False, zero=False), axis=None)

    seconds = bool(np.any(times != np.round(times)))
    moments = [time_text(float(at), "s" if seconds else "frame") for at in times]
    data = pd.DataFrame({"frame": range(len(frames)), "moment": moments, "value": [short(row) for row in frames]})
    over_time = array.ndim == 2
    found = alt.Chart(rows(data))
    if over_time:
        found = found.transform_filter("datum.frame == at")
    found = (
        found.transform_calculate(node=literal(names))
        .transform_flatten(["node", "value"])
        .transform_lookup("node", from_=alt.LookupData(data=rows(nodes), key="node", fields=["group", "x", "y"]))
    )
    domain, _ = magnitude(array)
    largest = float(np.clip(9000 / len(names), 60, 520))
    place: dict[str, Any] = {"x": x, "y": y}
    who = [alt.Tooltip("node:N"), *([alt.Tooltip("group:N")] if group else [])]
    missing = (
        found.transform_filter("!isValid(datum.value)")
        .mark_circle(color=MUTED, size=largest / 12, opacity=0.9)
        .encode(**place, tooltip=who)
    )
    sizes = alt.Scale(domain=[0.0, domain[1]], range=[largest / 12, largest])
    legend = alt.Legend(title=unit, format=".2g", gradientLength=140)
    marks = (
        found.transform_filter("isValid(datum.value)")
        .transform_calculate(size="abs(datum.value)")
        .mark_circle(stroke=MUTED, strokeWidth=0.8, opacity=0.95)
        .encode(
            **place,
            size=alt.Size("size:Q", scale=sizes, legend=None),
            color=alt.Color("value:Q", scale=colour_scale(array), legend=legend),
            order=alt.Order("size:Q"),
            tooltip=[*who, alt.Tooltip("value:Q", title=unit, format=".4g")],
        )
    )
    links = (
        alt.Chart(rows(lines))
        .mark_rule(color=MUTED, opacity=0.45, strokeWidth=1.2)
        .encode(**place, x2="x2:Q", y2="y2:Q")
    )
    layers: list[alt.Chart] = [links, missing, marks]
    if labels if labels is not None else len(names) <= NAMED:
        layers.extend(_names(panel, points, names, reach=3 + (largest / 3.1416) ** 0.5))
    if over_time:
        spot = alt.Chart(rows(data[["frame", "moment"]])).transform_filter("datum.frame == at")
        layers.append(
            spot.mark_text(align="left", baseline="top").encode(x=alt.value(4), y=alt.value(4), text="moment:N")
        )
    chart = layered(*layers).properties(width=width, height=height)
    if over_time:
        largest_at = int(np.argmax(np.nan_to_num(np.abs(frames)).max(axis=1)))
        slider = alt.binding_range(min=0, max=max(len(frames) - 1, 1), step=1, name="frame ")
        chart = chart.add_params(alt.param(name="at", value=largest_at, bind=slider))
    signed = "Orange: positive; blue: negative; pale: zero. " if domain[0] < 0 else "Brighter: more. "
    return styled(chart, titled(title, signed + "Larger: further from zero."))


def _positions(graph: "STGraph", seed: int) -> NDArray[np.float64]:
    if graph.positions is not None:
        return np.asarray(graph.positions, dtype=np.float64)
    import networkx as nx

    # Kamada and Kawai's layout untangles small graphs best, but its cost is cubic in the nodes.
    plain = nx.Graph()
    plain.add_nodes_from(range(len(graph.nodes)))
    plain.add_edges_from(np.asarray(graph.edges).tolist())
    placed = nx.spring_layout(plain, seed=seed, iterations=100)
    if len(plain) <= 300 and nx.is_connected(plain):
        placed = nx.kamada_kawai_layout(plain, pos=placed)
    return np.array([placed[index] for index in range(len(plain))], dtype=np.float64)


def _names(panel: Panel, points: NDArray[np.float64], names: list[str], reach: float) -> list[alt.Chart]:
    placed = panel.beside(points, names, reach)
    marks = {
        "above": {"align": "center", "dy": -reach, "baseline": "middle"},
        "below": {"align": "center", "dy": reach, "baseline": "middle"},
        "left": {"align": "right", "dx": -reach, "baseline": "middle"},
        "right": {"align": "left", "dx": reach, "baseline": "middle"},
    }
    charts = []
    for side, mark in marks.items():
        at = [index for index, where in placed if where == side]
        if not at:
            continue
        table = pd.DataFrame({"node": [names[index] for index in at], "x": points[at, 0], "y": points[at, 1]})
        x = alt.X("x:Q", scale=alt.Scale(domain=panel.right, nice=False, zero=False), axis=None)
        y = alt.Y("y:Q", scale=alt.Scale(domain=panel.up, nice=False, zero=False), axis=None)
        charts.append(alt.Chart(rows(table)).mark_text(fontSize=11, **mark).encode(x=x, y=y, text="node:N"))  # type: ignore[arg-type]
    return charts
