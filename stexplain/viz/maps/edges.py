"""Edges by their importance: on the graph, and over time."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.explainers.arguments import check_counts
from stexplain.explainers.edge_explanation import EdgeExplanation
from stexplain.viz.columns import expect
from stexplain.viz.maps.clip import time_text
from stexplain.viz.maps.layout import COMPUTED, drawing_positions
from stexplain.viz.maps.network import NAMED, name_marks, slider_stops
from stexplain.viz.names import labelled, said, shortened, which_sample
from stexplain.viz.panel import LONGEST, Panel
from stexplain.viz.playing import plays
from stexplain.viz.theme import (
    BELOW,
    MUTED,
    beyond,
    colour_legend,
    colour_scale,
    layered,
    literal,
    magnitude,
    noted,
    one_line,
    rows,
    short,
    styled,
    titled,
)
from stexplain.wording import counted

if TYPE_CHECKING:
    from stexplain.graph import STGraph

_ENDS = ["x", "y", "x2", "y2", "arrow_x", "arrow_y", "angle"]
_HEAD = "M0,-1L0.7,1L0,0.5L-0.7,1Z"
"""The head of an arrow. A triangle of equal sides would look the same turned by a third."""
_ASIDE = 4.0
"""How far from the line between two nodes each direction is drawn, in pixels, where both are."""
CELL = 17
"""Height of a row of the chart over time, in pixels."""
_HOW = "Orange: contributes to what was explained; blue: counts against it."


@checked
def edge_network(
    e: EdgeExplanation,
    graph: "STGraph",
    *,
    sample: int = 0,
    edges: int = 60,
    over_time: bool = True,
    seed: int = 0,
    width: int = 640,
    height: int = 440,
    unit: str = "importance",
    title: str | None = None,
) -> alt.LayerChart:
    """Draws the edges of a graph; colour and width of an edge are its importance. Frames get a slider.

    An arrow on each line points to the node that receives the message. Both directions of an edge are two lines side by
    side: their sum would hide that one counts for the target and the other against it. Self loops are left out.
    Relations and blocks are summed.

    Args:
        e: of some samples.
        graph: whose nodes have the names of the explanation; its positions, or a layout, are used.
        sample: index of the sample.
        edges: how many are drawn in colour, each direction counts; those with the greatest absolute importance at any
            frame.
        over_time: whether frames get a slider, where they are known; else sums over all frames are drawn.
        seed: of the computed layout.
        width: in pixels.
        height: in pixels.
        unit: name or unit of the values.
        title: above the chart; by default what was explained.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where there is no such sample, or the graph has other nodes.

    Example:
        >>> import numpy as np
        >>> from stexplain.explainers.edge_explanation import EdgeExplanation
        >>> from stexplain.graph import STGraph
        >>> e = EdgeExplanation(np.array([[1.0, -3.0]]), ("a", "b"), ("b", "c"), ("0", "0"), ("1", "1"))
        >>> chart = edge_network(e, STGraph.from_edges("abc", [("a", "b"), ("b", "c")]))
    """
    expect("e", e, EdgeExplanation, "EdgeImportance")
    check_counts(edges=edges)
    unit = one_line(unit)
    if set(e.node_names) - set(graph.nodes):
        other = sorted(set(e.node_names) - set(graph.nodes))[:3]
        raise InputError(f"graph: it has no node {', '.join(map(repr, other))}; expected the graph of the explanation.")
    moving = over_time and bool(e.over_time)
    table = e.by_frame(sample) if moving else _totals(e, sample)
    pairs = _pairs(table, edges)
    times = table.columns.to_numpy(np.float64)
    points = drawing_positions(graph, seed)
    panel = Panel.around(points, width=width, height=height)
    place = {name: points[graph.index(name)] for name in graph.nodes}
    across, upward = (alt.Scale(domain=domain, nice=False, zero=False) for domain in (panel.right, panel.up))
    x, y = alt.X("x:Q", scale=across, axis=None), alt.Y("y:Q", scale=upward, axis=None)
    columns = ["x", "y", "x2", "y2"]
    lines = pd.DataFrame([[*place[a], *place[b]] for a, b in graph_pairs(graph)], columns=columns)
    plain = alt.Chart(rows(lines)).mark_rule(color=MUTED, opacity=0.35).encode(x=x, y=y, x2="x2:Q", y2="y2:Q")
    labels = [f"{a} → {b}" for a, b in pairs.index]
    ends = _lines(list(pairs.index), place, panel).assign(edge=labels)
    values = pairs.to_numpy() if pairs.size else np.zeros((1, 1))
    stops = slider_stops(times, "frame")
    data = pd.DataFrame({"frame": stops, "text": [_text(at) for at in times]})
    data["value"] = [short(pairs[at]) for at in pairs]
    domain, _ = magnitude(values, signed=True)
    widths = alt.Scale(domain=[0.0, domain[1]], range=[0.5, 7])
    now = alt.Chart(rows(data))
    if moving:
        now = now.transform_filter("datum.frame == at")
    colour = alt.Color(
        "value:Q",
        scale=colour_scale(values, signed=True),
        legend=colour_legend(unit, values, signed=True, **BELOW),
    )
    tip = [alt.Tooltip("edge:N"), alt.Tooltip("value:Q", title=unit, format="+.3~g")]
    drawn = (
        now.transform_calculate(edge=literal(labels))
        .transform_flatten(["edge", "value"])
        .transform_lookup("edge", from_=alt.LookupData(data=rows(ends), key="edge", fields=_ENDS))
        .transform_calculate(size="abs(datum.value)")
    )
    order = alt.Order("size:Q")
    width_of = alt.StrokeWidth("size:Q", scale=widths, legend=None)
    marks = drawn.mark_rule(strokeCap="round").encode(
        x=x, y=y, x2="x2:Q", y2="y2:Q", strokeWidth=width_of, color=colour, order=order, tooltip=tip
    )
    arrows = drawn.mark_point(shape=_HEAD, filled=True, opacity=1, stroke=MUTED, strokeWidth=0.6).encode(
        x=alt.X("arrow_x:Q", scale=across, axis=None),
        y=alt.Y("arrow_y:Q", scale=upward, axis=None),
        angle=alt.Angle("angle:Q", scale=None),
        size=alt.Size("size:Q", scale=alt.Scale(domain=[0.0, domain[1]], range=[30, 420]), legend=None),
        color=colour,
        order=order,
        tooltip=tip,
    )
    spots = pd.DataFrame({"node": list(graph.nodes), "x": points[:, 0], "y": points[:, 1]})
    dots = alt.Chart(rows(spots)).mark_circle(color=MUTED, size=40, opacity=1).encode(x=x, y=y, tooltip="node:N")
    layers = [plain, marks, arrows, dots]
    # Of large graphs the ends of what is drawn in colour are named.
    sizes = pairs.abs().max(axis=1)
    # The greatest are last, as they are drawn on top.
    ends_of = list(dict.fromkeys(name for pair in reversed(list(pairs.index)) for name in pair))
    matters = {name for pair in pairs.index[sizes >= sizes.max() / 4] for name in pair} if len(pairs) else set()
    named = list(dict.fromkeys([*ends_of, *graph.nodes])) if len(graph) <= NAMED else ends_of[:NAMED]
    text = shortened(graph.nodes, LONGEST)
    radii, sure = np.full(len(points), 4.0), {graph.index(name) for name in matters}
    joined = np.asarray(graph.edges, np.int64).reshape(-1, 2)
    layers += name_marks(panel, points, radii, {graph.index(name): text[name] for name in named}, joined, sure=sure)
    if moving:
        spot = alt.Chart(rows(data[["frame", "text"]])).transform_filter("datum.frame == at")
        layers.append(
            spot.mark_text(align="left", baseline="top").encode(x=alt.value(4), y=alt.value(4), text="text:N")
        )
    chart = layered(*layers).properties(width=width, height=height)
    if moving:
        step = stops[1] - stops[0] if len(stops) > 1 else 1.0
        slider = alt.binding_range(min=stops[0], max=max(stops[-1], stops[0] + step), step=step, name="frame ")
        opens = int(np.abs(values).max(0).argmax())
        chart = chart.add_params(alt.param(name="at", value=stops[opens], bind=slider))
        plays(chart, "at", stops, opens=_text(times[opens]))
    lines_below = [
        *which_sample(e.ids, sample),
        _HOW + " Wider: further from zero.",
        "Arrows point to the node that receives.",
        *noted(e.notes),
    ]
    lines_below += [COMPUTED] * (graph.positions is None)
    head = title or f"Importance of edges for {e.explained or 'the target'}"
    return styled(chart, titled(head, *lines_below), _seen(labels, pairs))


@checked
def edge_timeline(
    e: EdgeExplanation,
    *,
    sample: int = 0,
    edges: int = 20,
    unit: str = "importance",
    title: str | None = None,
) -> alt.LayerChart:
    """Draws edges x frames, the most important edges first; the last row is the sum of all others.

    Edges whose importance is exactly zero at every frame get no row; a line says how many there are.

    Args:
        e: of some samples; relations and blocks are summed, both directions are rows of their own.
        sample: index of the sample.
        edges: how many have a row.
        unit: name or unit of the values.
        title: above the chart; by default what was explained.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where there is no such sample, or no block has known frames.

    Example:
        >>> import torch
        >>> from stexplain.explainers import Class, EdgeImportance
        >>> from stexplain.graph import STGraph
        >>> from stexplain.nn import STGCN
        >>> chain = STGraph.from_edges("abc", [("a", "b"), ("b", "c")], center="b")
        >>> model = STGCN(chain, classes=2, channels=[4], strides=[1])
        >>> e = EdgeImportance(model)(torch.randn(1, 1, 12, 3, 3), target=Class(1))
        >>> chart = edge_timeline(e)
    """
    expect("e", e, EdgeExplanation, "EdgeImportance")
    check_counts(edges=edges)
    unit = one_line(unit)
    table = e.by_frame(sample)
    sizes = table.abs().sum(axis=1)
    silent = int((sizes == 0).sum())
    # Where all are zero, rows of zeros are what there is to show.
    order = sizes[(sizes > 0) | (silent == len(sizes))].sort_values(ascending=False, kind="stable").index
    shown = table.loc[order[:edges]]
    said_of_sum = ""
    labels = [f"{a} → {b}" if a != b else f"{a}, itself" for a, b in shown.index]
    values = shown.to_numpy()
    if len(order) > edges:
        labels.append(counted(len(order) - edges, "other", "others, summed"))
        rest = table.loc[order[edges:]].sum().to_numpy()
        said_of_sum = beyond(values, rest)
        values = np.vstack([values, rest])
    # Where the sum of all others is far from zero, all else would be pale.
    readable = values[:-1] if said_of_sum else values
    frames = table.columns.to_numpy(np.float64)
    cells = pd.DataFrame(
        {"edge": np.repeat(labels, len(frames)), "frame": np.tile(frames, len(labels)), "value": values.ravel()}
    )
    chart = (
        alt.Chart(rows(cells))
        .mark_rect(stroke=MUTED, strokeWidth=0.3)
        .encode(
            x=alt.X("frame:O", title="frame", axis=alt.Axis(labelAngle=0, ticks=False, domain=False)),
            y=alt.Y(
                "edge:N", sort=labels, title=None, axis=alt.Axis(**labelled(labels, 260), ticks=False, domain=False)
            ),
            color=alt.Color(
                "value:Q",
                scale=colour_scale(readable, signed=True, clamp=bool(said_of_sum)),
                legend=colour_legend(unit, readable, signed=True),
            ),
            tooltip=[alt.Tooltip("edge:N"), alt.Tooltip("frame:O"), alt.Tooltip("value:Q", title=unit, format="+.3~g")],
        )
    )
    width = int(np.clip(24 * len(frames), 360, 900))
    drawing = layered(chart).properties(width=width, height=CELL * len(labels))
    lines = [*which_sample(e.ids, sample), *(line for line in (_HOW, said_of_sum) if line)]
    if 0 < silent < len(sizes):
        lines.append(
            f"Not drawn: {silent} {'edge' if silent == 1 else 'edges'} whose importance is zero at all frames."
        )
    lines += noted(e.notes)
    head = title or f"Importance of edges over time for {e.explained or 'the target'}"
    return styled(drawing, titled(head, *lines), _seen(labels, pd.DataFrame(values, columns=table.columns)))


def graph_pairs(graph: "STGraph") -> list[tuple[str, str]]:
    """The pairs of nodes that a graph connects, each once."""
    ends = np.unique(np.sort(np.asarray(graph.edges, dtype=np.int64).reshape(-1, 2), axis=1), axis=0)
    return [(graph.nodes[a], graph.nodes[b]) for a, b in ends.tolist() if a != b]


def _totals(e: EdgeExplanation, sample: int) -> pd.DataFrame:
    table = e.edges(sample).groupby(["source", "target"])["value"].sum()
    return table.to_frame(0.0)


def _pairs(table: pd.DataFrame, count: int) -> pd.DataFrame:
    """Each direction, without self loops; those with the greatest absolute values, the greatest last."""
    table = table[[a != b for a, b in table.index]]
    strongest = table.abs().max(axis=1).sort_values(kind="stable").index[-count:]
    return table.loc[strongest]


def _lines(pairs: list[tuple[str, str]], place: Mapping[str, NDArray[np.float64]], panel: Panel) -> pd.DataFrame:
    """Where each direction is drawn: `_ENDS`, beside the line between both nodes where the other one is drawn, too."""
    shown, lines = set(pairs), []
    pixel = (panel.up[1] - panel.up[0]) / panel.height
    for a, b in pairs:
        start, end = place[a], place[b]
        way = (end - start) / max(float(np.hypot(*(end - start))), 1e-12)
        # To the right of the way, as traffic on a road.
        aside = _ASIDE * pixel * np.array([way[1], -way[0]]) if (b, a) in shown else np.zeros(2)
        head = start + 0.62 * (end - start) + aside
        # The head points up, and Vega turns it clockwise.
        lines.append([*(start + aside), *(end + aside), *head, float(np.degrees(np.arctan2(way[0], way[1])))])
    return pd.DataFrame(lines, columns=_ENDS)


def _seen(labels: Sequence[str], values: pd.DataFrame) -> str:
    """The edges furthest from zero, with their sums over frames, in words."""
    most = said(labels, values.sum(axis=1), 5)
    return f"Furthest from zero in sum: {most}." if most else ""


def _text(frame: float) -> str:
    return time_text(frame, "frame") if frame == round(frame) else f"between frames {int(frame)} and {int(frame) + 1}"
