"""A graph with a value at each node, at one time or over time."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.graph import STGraph
from stexplain.viz.columns import expect, numbers
from stexplain.viz.maps.clip import LAG_NAMES, time_text, why_dark
from stexplain.viz.maps.layout import COMPUTED, drawing_positions
from stexplain.viz.names import ordered, said, shortened
from stexplain.viz.panel import LETTER, LINE, LONGEST, Name, Panel
from stexplain.viz.playing import plays
from stexplain.viz.theme import (
    BELOW,
    CATEGORIES,
    MUTED,
    colour_legend,
    colour_scale,
    layered,
    literal,
    magnitude,
    one_line,
    rows,
    short,
    styled,
    titled,
)

NAMED, STRONGEST = 40, 12
"""Of graphs with more than NAMED nodes, the STRONGEST most important are named; tooltips have all names."""
CROSSED = 2000
"""Of more edges, names are written over them: there is hardly room beside, and each name would be tried against all."""
SHAPES = ("square", "circle", "diamond", "triangle-up")
RINGS = (CATEGORIES[3], CATEGORIES[2], CATEGORIES[4], CATEGORIES[5])
"""Colours of rings: distinct from both ends of the value palettes."""


@checked
def network(
    graph: STGraph,
    values: ArrayLike,
    *,
    time: ArrayLike | None = None,
    time_unit: str | None = None,
    labels: bool | Sequence[str] | None = None,
    marked: Mapping[str, Sequence[str]] | None = None,
    seed: int = 0,
    width: int = 640,
    height: int = 440,
    unit: str = "importance",
    signed: bool | None = None,
    title: str = "Node importance",
    subtitle: Sequence[str] | None = None,
) -> alt.LayerChart:
    """Draws nodes and edges; size and colour of a node are its value. Values over time get a slider.

    Nodes lie at the graph's drawing positions, with the same scale on both axes. For a graph without positions a layout
    is computed, each connected part on its own, and the chart says so. Negative values get a diverging palette centred
    on zero; size is the absolute value. A missing value is a small grey node.

    Args:
        graph: of N nodes.
        values: ``[N]``, or ``[T, N]`` for a slider that opens at the greatest value; NaN where missing.
        time: T frame numbers or times, for the slider and the text in the drawing.
        time_unit: ``"frame"``, ``"s"``, or for lags up to 0 (-55 to 0) ``"min"``, ``"h"``, ``"d"`` or ``"step"``
            (observations); by default seconds where a time is no whole number, else frames.
        labels: whether to write all names, or the names to write; by default all for at most 40 nodes, else those of
            the 12 with the greatest values either way. Names of more than 28 letters are shortened.
        marked: nodes to draw with a ring, by kind, such as ``{"forecast": ["s7"], "cause": ["s8", "s9"]}``.
        seed: of the computed layout.
        width: in pixels.
        height: in pixels.
        unit: name or unit of the values.
        signed: whether values have a sign, also where none happens to be negative; by default where some are.
        title: above the chart.
        subtitle: lines that say how to read it; by default the meaning of colour and size.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where the values do not match the graph or the times, or a node in `labels` or `marked` is unknown.

    Example:
        >>> graph = STGraph.from_edges(["s1", "s2", "s3"], [("s1", "s2"), ("s2", "s3")])
        >>> chart = network(graph, [0.5, -1.0, 0.0], marked={"forecast": ["s3"]})
        >>> over_time = network(graph, [[0.5, -1.0, 0.0], [0.2, -0.1, 0.0]], time=[-10, 0], time_unit="min")
    """
    expect("graph", graph, STGraph, "e.graph, or one of your own")
    array = numbers("values", values)
    unit = one_line(unit)
    if array.ndim not in (1, 2) or array.shape[-1] != len(graph.nodes) or array.size == 0:
        raise InputError(f"values: got shape {array.shape}; expected [{len(graph.nodes)}] or [T, {len(graph.nodes)}].")
    frames = np.atleast_2d(array)
    names = [str(node) for node in graph.nodes]
    points = drawing_positions(graph, seed)
    panel = Panel.around(points, width=width, height=height)
    times = np.arange(len(frames), dtype=np.float64) if time is None else np.asarray(time, dtype=np.float64)
    if times.shape != (len(frames),):
        raise InputError(f"time: got shape {times.shape}; expected [{len(frames)}], one time per frame of values.")
    # The tooltip's text; a node in no group has an empty one.
    group = {str(node): str(name) for name, members in (graph.groups or {}).items() for node in members}
    nodes = pd.DataFrame(
        {"node": names, "group": [group.get(name, "") for name in names], "x": points[:, 0], "y": points[:, 1]}
    )
    edges = np.asarray(graph.edges, dtype=np.int64).reshape(-1, 2)
    # Both directions of an edge are one line.
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    ends = np.array(short(np.hstack([points[edges[:, 0]], points[edges[:, 1]]]), digits=8)).reshape(-1, 4)
    lines = pd.DataFrame(ends, columns=["x", "y", "x2", "y2"])
    x = alt.X("x:Q", scale=alt.Scale(domain=panel.right, nice=False, zero=False), axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=panel.up, nice=False, zero=False), axis=None)

    kind = time_unit or ("s" if bool(np.any(times != np.round(times))) else "frame")
    texts = [time_text(float(at), kind) for at in times]
    stops = slider_stops(times, kind)
    # One row per frame with its N values as a list; Vega unfolds only the frame that the slider selects.
    data = pd.DataFrame({"frame": stops, "text": texts, "value": [short(row) for row in frames]})
    over_time = array.ndim == 2
    values_now = alt.Chart(rows(data))
    if over_time:
        values_now = values_now.transform_filter("datum.frame == at")
    values_now = (
        values_now.transform_calculate(node=literal(names))
        .transform_flatten(["node", "value"])
        .transform_lookup("node", from_=alt.LookupData(data=rows(nodes), key="node", fields=["group", "x", "y"]))
    )
    domain, _ = magnitude(array, signed)
    # Area of the largest node in square pixels: smaller where many nodes share the panel.
    largest = float(np.clip(9000 / len(names), 60, 520))
    place: dict[str, Any] = {"x": x, "y": y}
    who = [alt.Tooltip("node:N"), *([alt.Tooltip("group:N")] if group else [])]
    missing = (
        values_now.transform_filter("!isValid(datum.value)")
        .mark_circle(color=MUTED, size=largest / 12, opacity=0.9)
        .encode(**place, tooltip=who)
    )
    sizes = alt.Scale(domain=[0.0, domain[1]], range=[largest / 12, largest])
    legend = colour_legend(unit, array, signed, **BELOW)
    marks = (
        values_now.transform_filter("isValid(datum.value)")
        .transform_calculate(size="abs(datum.value)")
        .mark_circle(stroke=MUTED, strokeWidth=0.8, opacity=0.95)
        .encode(
            **place,
            size=alt.Size("size:Q", scale=sizes, legend=None),
            color=alt.Color("value:Q", scale=colour_scale(array, signed), legend=legend),
            # Large nodes last, so that they lie on top.
            order=alt.Order("size:Q"),
            tooltip=[*who, alt.Tooltip("value:Q", title=unit, format=".3~g")],
        )
    )
    # Thinner edges where there are many.
    links = (
        alt.Chart(rows(lines))
        .mark_rule(color=MUTED, opacity=0.45, strokeWidth=1.2 if len(names) <= 100 else 0.7)
        .encode(**place, x2="x2:Q", y2="y2:Q")
    )
    layers: list[alt.Chart] = [links, missing, marks]
    # From a node's centre to its name: the radius of the largest circle (area = pi r^2) and a gap.
    reach = 3 + (largest / 3.1416) ** 0.5
    if marked and any(map(len, marked.values())):
        layers.append(_rings(place, nodes, marked, size=3.1416 * (reach + 1.5) ** 2))
    weight = np.nan_to_num(np.abs(frames)).max(axis=0)
    if labels is None and len(names) > NAMED:
        labels = [names[index] for index in np.argsort(-weight, kind="stable")[:STRONGEST] if weight[index] > 0]
    elif labels is None or isinstance(labels, bool):
        labels = names if labels or labels is None else []
    # The largest that each node is drawn at any time; rings are as large as the largest node.
    radii = np.sqrt(largest / 3.1416 * np.maximum(weight / domain[1], 1 / 12))
    ringed = [names.index(name) for members in (marked or {}).values() for name in map(str, members)]
    radii[ringed] = reach + 2
    labelled = ordered("node", names, labels) if len(labels) else []
    # The names that a caller chose come first, in that order; of all names, those of the most important nodes.
    if labels == names:
        labelled = [names[index] for index in (*dict.fromkeys(ringed), *np.argsort(-weight, kind="stable"))]
    # Shortened among all names: of those that are written, one may be like another that is not.
    text = shortened(names, LONGEST)
    shown = {names.index(name): text[name] for name in labelled}
    sure = set(ringed) | {index for index in shown if weight[index] >= domain[1] / 4}
    sure = sure if labels == names else set(shown)
    layers.extend(name_marks(panel, points, radii, shown, edges, sure=sure))
    if over_time:
        spot = alt.Chart(rows(data[["frame", "text"]])).transform_filter("datum.frame == at")
        layers.append(
            spot.mark_text(align="left", baseline="top").encode(x=alt.value(4), y=alt.value(4), text="text:N")
        )
    chart = layered(*layers).properties(width=width, height=height)
    at = int(np.argmax(np.nan_to_num(np.abs(frames)).max(axis=1)))
    if over_time:
        # A slider needs a positive step and range, also for a single frame.
        step = stops[1] - stops[0] if len(stops) > 1 else 1.0
        name = f"{LAG_NAMES.get(kind, 'frame')} "
        slider = alt.binding_range(min=stops[0], max=max(stops[-1], stops[0] + step), step=step, name=name)
        chart = chart.add_params(alt.param(name="at", value=stops[at], bind=slider))
        plays(chart, "at", stops, opens=texts[at])
    how = "Orange: positive; blue: negative; pale: zero. " if domain[0] < 0 else "Brighter: greater value. "
    how += "Larger: further from zero."
    lines_above = [how] if subtitle is None else list(subtitle)
    if not np.isfinite(array).all():
        lines_above.append("Grey: no value.")
    lines_above.append(why_dark(np.abs(array)))
    most = said(names, frames[at], 5)
    seen = f"Furthest from zero{f', {texts[at]}' if over_time else ''}: {most}." if most else ""
    return styled(chart, titled(title, *lines_above, COMPUTED if graph.positions is None else ""), seen)


def slider_stops(times: NDArray[np.float64], kind: str) -> list[float]:
    """The slider's values: lags where they are evenly spaced, else frame numbers."""
    apart = np.diff(times)
    if kind in LAG_NAMES and len(times) > 1 and apart[0] > 0 and bool((apart == apart[0]).all()):
        return [float(at) for at in times]
    return [float(at) for at in range(len(times))]


def _rings(place: dict[str, Any], nodes: pd.DataFrame, marked: Mapping[str, Sequence[str]], size: float) -> alt.Chart:
    ringed = [
        nodes.set_index("node").loc[ordered("node", list(nodes["node"]), members)].reset_index().assign(mark=kind)
        for kind, members in marked.items()
        if len(members)
    ]
    kinds = list(marked)
    legend = alt.Legend(title=None, symbolStrokeWidth=2.5, symbolSize=150, orient="bottom", direction="horizontal")
    shapes = alt.Scale(domain=kinds, range=[*SHAPES[: len(kinds)]])
    colours = alt.Scale(domain=kinds, range=[*RINGS[: len(kinds)]])
    ring: alt.Chart = (
        alt.Chart(rows(pd.concat(ringed)))
        .mark_point(filled=False, size=size, strokeWidth=2.5, opacity=1)
        .encode(
            **place,
            shape=alt.Shape("mark:N", scale=shapes, legend=legend),
            stroke=alt.Stroke("mark:N", scale=colours, legend=legend),
            tooltip=[alt.Tooltip("node:N"), alt.Tooltip("mark:N", title="kind")],
        )
    )
    return ring


def name_marks(
    panel: Panel,
    points: NDArray[np.float64],
    radii: NDArray[np.float64],
    names: Mapping[int, str],
    edges: NDArray[np.int64],
    *,
    sure: AbstractSet[int] = frozenset(),
) -> list[alt.Chart]:
    """Names beside their nodes, where there is room; of those that need not be there none lies on an edge.

    Args:
        panel: in which the nodes lie.
        points: of all nodes, ``[N, 2]``: no name covers one.
        radii: of their circles in pixels, ``[N]``.
        names: node -> its name, the most important first.
        edges: between nodes, ``[E, 2]``; of very many no name keeps off.
        sure: the nodes whose names must be there: without room near the node they stand further away, with a line.
    """
    # The time stands in the upper left corner.
    corner = [[0.0, panel.height - 20.0, 120.0, float(panel.height)]]
    placed: list[Name] = []
    roads = points[edges] if len(edges) <= CROSSED else None
    others = set(names) - sure
    # First those that must be there; then those with room beside their nodes; then those with room close by.
    for candidates, reach, crossing in ((sure, None, True), (others, 1, False), (others, 2, False)):
        done = {each.node for each in placed}
        part = {index: name for index, name in names.items() if index in candidates and index not in done}
        taken = corner + [_box(panel, each, names[each.node]) for each in placed]
        placed += panel.names(points, radii, part, taken=taken, lines=roads, reach=reach, crossing=crossing)
    if not placed:
        return []
    table = pd.DataFrame({"node": [names[one.node] for one in placed], "x": [one.x for one in placed]})
    table["y"] = [one.y for one in placed]
    x = alt.X("x:Q", scale=alt.Scale(domain=panel.right, nice=False, zero=False), axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=panel.up, nice=False, zero=False), axis=None)
    charts = []
    if lines := [[*points[one.node], *one.joined] for one in placed if one.joined]:
        ends = pd.DataFrame(short(np.array(lines), digits=8), columns=["x", "y", "x2", "y2"])
        mark = alt.Chart(rows(ends)).mark_rule(color=MUTED, strokeWidth=1, strokeDash=[2, 2])
        charts.append(mark.encode(x=x, y=y, x2="x2:Q", y2="y2:Q"))
    charts.append(alt.Chart(rows(table)).mark_text(fontSize=12, baseline="middle").encode(x=x, y=y, text="node:N"))
    return charts


def _box(panel: Panel, name: Name, text: str) -> list[float]:
    x, y = panel.pixels(np.array([name.x - panel.right[0], name.y - panel.up[0]]))
    half = LETTER * len(text) / 2
    return [x - half, y - LINE / 2, x + half, y + LINE / 2]
