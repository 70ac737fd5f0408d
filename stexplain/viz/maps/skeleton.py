"""A skeleton whose joints are sized by importance, at frames of a clip: Fig. 1 of Das & Ortega (2022)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from stexplain.errors import InputError
from stexplain.viz.maps.clip import Clip, clip_of, evenly, time_text
from stexplain.viz.panel import Panel
from stexplain.viz.theme import CATEGORIES, MUTED, SEQUENTIAL, layered, literal, noted, rows, short, styled, titled

if TYPE_CHECKING:
    from stexplain.data.samples import Batch, Sample
    from stexplain.explainers.explanation import Explanation
    from stexplain.graph import STGraph

SIZES = [14, 460]
"""Areas of the least and the most important node, in square pixels."""
PAGE = 1200
"""Greatest width of a row of panels, in pixels; further panels go into the next row."""


def skeleton(
    e: "Explanation",
    *,
    x: "ArrayLike | Sample | Batch | None" = None,
    sample: int = 0,
    instance: int | None = None,
    frames: int | Sequence[int] | None = None,
    interactive: bool = True,
    axes: tuple[int, int] = (0, 1),
    labels: int = 3,
    graph: "STGraph | None" = None,
    height: int = 300,
    title: str | None = None,
) -> alt.VConcatChart | alt.FacetChart:
    """Draws a skeleton, or any graph whose nodes move, with its importance over time.

    Interactive: one skeleton with a slider over the frames, above the importance of each frame; a click into that curve
    selects its frame. The chart opens at the frame of greatest importance. Otherwise: several frames side by side, on
    one scale. Size and colour are the importance (the positive part of the explanation), relative to the greatest in
    the clip. Both axes have the same scale.

    Args:
        e: an explanation ``[B, M, T, N]``.
        x: coordinates of the clip, in the layout in which the explainer took them, ``[M, T, N, C]`` or
            ``[B, M, T, N, C]``, in any unit of length, or the sample or batch with them; by default the graph's drawing
            positions, which do not move. For a raw clip pass the preprocessed one: ``explain.preprocess(sample)``.
        sample: index of the sample.
        instance: index of the instance (person) to draw; by default all.
        frames: the frames to draw side by side, or their number, evenly spread over the valid frames (default 5). Not
            for the interactive chart.
        interactive: a slider, or frames side by side.
        axes: the channels of `x` that point to the right and up.
        labels: number of most important nodes to name in each skeleton; tooltips have all names.
        graph: the edges to draw; by default the explanation's graph.
        height: of a panel in pixels.
        title: above the chart; by default the target.

    Raises:
        InputError: where there are neither coordinates nor positions, or a shape, `sample`, `instance` or a frame does
            not match.
    """
    if interactive and frames is not None:
        raise InputError("frames is only for frames side by side. Pass interactive=False, or leave frames out.")
    clip = clip_of(e, x=x, sample=sample, instance=instance, axes=axes, graph=graph)
    head = title or (f"Most important nodes for “{clip.target}”" if clip.target else "Most important nodes")
    how = f"Larger and brighter: more important. {clip.method}" + (f", sample {clip.id}." if clip.id else ".")
    empty = "" if clip.top > 0 else "No node contributes to this class: the importance is zero throughout."
    if interactive:
        return styled(_interactive(clip, labels, height), titled(head, how, empty, *noted(clip.notes)))
    chart = _side_by_side(clip, _chosen(clip, frames), labels, height)
    return styled(chart, titled(head, how, empty, *noted(clip.notes)))


def _chosen(clip: Clip, frames: int | Sequence[int] | None) -> list[int]:
    # A frame counts as valid where at least one instance is present.
    valid = np.flatnonzero(clip.valid.any(axis=0))
    if frames is None or isinstance(frames, int):
        count = 5 if frames is None else frames
        if count < 1:
            raise InputError(f"frames got {count}; expected at least 1.")
        return [int(valid[index]) for index in evenly(len(valid), count)]
    for frame in frames:
        if frame not in valid:
            raise InputError(f"frames got {frame}; expected valid frames, from {int(valid[0])} to {int(valid[-1])}.")
    return [int(frame) for frame in frames]


def _table(clip: Clip, frames: Sequence[int], panel: Panel, labels: int) -> pd.DataFrame:
    """One row per frame and instance, with lists over nodes: ten times smaller than one row per node."""
    table = []
    for frame in frames:
        for person in np.flatnonzero(clip.valid[:, frame]):
            points, values = clip.points[person, frame], clip.values[person, frame]
            named = panel.named(points, values, labels, at_least=clip.top / 4)
            # A name stands on the side of the body that its node is on.
            middle = float(points[:, 0].mean())
            table.append(
                {
                    "frame": frame,
                    "time": time_text(clip.time[frame], clip.unit),
                    "body": f"instance {person + 1}",
                    "x": short(points[:, 0]),
                    "y": short(points[:, 1]),
                    "value": short(values),
                    "left": [index for index in named if points[index, 0] < middle],
                    "right": [index for index in named if points[index, 0] >= middle],
                }
            )
    return pd.DataFrame(table)


def _body(clip: Clip, panel: Panel, only: str | None) -> list[alt.Chart]:
    across, upward = (alt.Scale(domain=domain, nice=False, zero=False) for domain in (panel.right, panel.up))
    x, y = alt.X("x:Q", scale=across, axis=None), alt.Y("y:Q", scale=upward, axis=None)
    base = alt.Chart() if only is None else alt.Chart().transform_filter(only)
    # Edges are the same in every row, so they are written once, in the expression, and unfolded by Vega.
    bones = (
        base.transform_calculate(source=literal(clip.edges[:, 0].tolist()), target=literal(clip.edges[:, 1].tolist()))
        .transform_flatten(["source", "target"])
        .transform_calculate(
            x1="datum.x[datum.source]",
            y1="datum.y[datum.source]",
            x2="datum.x[datum.target]",
            y2="datum.y[datum.target]",
        )
        .mark_rule(color=MUTED, strokeWidth=2.5, strokeCap="round", opacity=0.8)
        .encode(
            x=alt.X("x1:Q", scale=across, axis=None), y=alt.Y("y1:Q", scale=upward, axis=None), x2="x2:Q", y2="y2:Q"
        )
    )
    names = literal(clip.nodes)
    nodes = base.transform_calculate(node=names).transform_flatten(["node", "x", "y", "value"])
    domain = [0.0, clip.top or 1.0]
    marks = nodes.mark_circle(stroke=MUTED, strokeWidth=0.8, opacity=0.95).encode(
        x=x,
        y=y,
        size=alt.Size("value:Q", scale=alt.Scale(domain=domain, range=SIZES), legend=None),
        color=alt.Color(
            "value:Q",
            scale=alt.Scale(domain=domain, scheme=SEQUENTIAL),  # type: ignore[arg-type]  # altair lists the schemes' names; ours is one of them
            legend=alt.Legend(title="importance", format=".2g"),
        ),
        # Important nodes last, so that they lie on top.
        order=alt.Order("value:Q"),
        tooltip=[
            alt.Tooltip("node:N"),
            alt.Tooltip("value:Q", title="importance", format=".4g"),
            alt.Tooltip("body:N", title="body"),
            alt.Tooltip("time:N", title="time"),
        ],
    )
    layers: list[alt.Chart] = [bones, marks]
    # Names are written outwards from the body, where there is room.
    for side, align, dx in (("left", "right", -15), ("right", "left", 15)):
        text = base.transform_flatten([side]).transform_filter(f"isValid(datum.{side})")
        placed = text.transform_calculate(
            node=f"{names}[datum.{side}]", at_x=f"datum.x[datum.{side}]", at_y=f"datum.y[datum.{side}]"
        )
        words = placed.mark_text(align=align, dx=dx, fontSize=12)  # type: ignore[arg-type]  # one of altair's words, chosen above
        layers.append(
            words.encode(
                x=alt.X("at_x:Q", scale=across, axis=None), y=alt.Y("at_y:Q", scale=upward, axis=None), text="node:N"
            )
        )
    return layers


def _interactive(clip: Clip, labels: int, height: int) -> alt.VConcatChart:
    frames = [int(frame) for frame in np.flatnonzero(clip.valid.any(axis=0))]
    curve = _curve(clip, frames)
    at = frames[int(curve["importance"].to_numpy().argmax())]
    # One parameter for slider and click. Its name makes the global signal `at_frame`, which the filters read.
    here = alt.selection_point(
        name="at",
        fields=["frame"],
        bind=alt.binding_range(min=frames[0], max=frames[-1], step=1, name="frame "),
        value=[{"frame": at}],
        on="click",
        clear=False,
        empty=False,
    )
    panel = Panel.around(clip.points[clip.valid], width=440, height=int(height * 1.25))
    width = panel.width
    spot = (
        alt.Chart()
        .transform_filter("datum.frame == at_frame")
        .mark_text(align="left", baseline="top", fontSize=12.5)
        .encode(x=alt.value(4), y=alt.value(4), text="time:N")
    )
    body = layered(
        *_body(clip, panel, "datum.frame == at_frame"), spot, data=rows(_table(clip, frames, panel, labels))
    ).properties(width=width, height=panel.height)
    x = alt.X("frame:Q", title="frame", scale=alt.Scale(domain=[frames[0], max(frames[-1], frames[0] + 1)], nice=False))
    base = alt.Chart()
    area = base.mark_area(color=CATEGORIES[0], opacity=0.35, line={"color": CATEGORIES[0]}, interpolate="linear")
    y = alt.Y("importance:Q", title="importance", axis=alt.Axis(tickCount=3, format=".2g"))
    # Wide and almost transparent bars take the clicks: nobody has to hit the curve to the pixel.
    slots = base.mark_bar(opacity=0.001, size=max(2, width / len(frames)), cursor="pointer")
    tip = [alt.Tooltip("time:N"), alt.Tooltip("importance:Q", title="mean over nodes", format=".4g")]
    timeline = layered(
        area.encode(x=x, y=y),
        base.transform_filter("datum.frame == at_frame").mark_rule(color=CATEGORIES[1], strokeWidth=2).encode(x=x),
        slots.encode(x=x, y=alt.value(0), y2=alt.value(70), tooltip=tip).add_params(here),
        data=rows(curve),
    ).properties(width=width, height=70)
    return alt.vconcat(body, timeline, spacing=8)


def _curve(clip: Clip, frames: Sequence[int]) -> pd.DataFrame:
    # Mean over nodes, then over the instances that are present at the frame.
    valid = clip.valid[:, frames]
    total = np.where(valid, clip.values[:, frames].mean(axis=-1), 0.0).sum(axis=0) / valid.sum(axis=0)
    times = [time_text(clip.time[frame], clip.unit) for frame in frames]
    return pd.DataFrame({"frame": frames, "time": times, "importance": total})


def _side_by_side(clip: Clip, frames: Sequence[int], labels: int, height: int) -> alt.FacetChart:
    points = np.concatenate([clip.points[clip.valid[:, frame], frame].reshape(-1, 2) for frame in frames])
    # Panels as wide as the bodies need beside two columns of names, within bounds.
    extent = np.maximum(np.ptp(points, axis=0), 1e-9)
    width = int(np.clip(height * extent[0] / extent[1] + 70, 140, 1.3 * height))
    # -(-a // b) rounds up: as few rows as the page allows, filled evenly.
    lines = -(-len(frames) * width // PAGE)
    panel = Panel.around(points, width=width, height=height)
    order = [time_text(clip.time[frame], clip.unit) for frame in frames]
    body = layered(*_body(clip, panel, None)).properties(width=width, height=height)
    return body.facet(
        data=rows(_table(clip, frames, panel, labels)),
        facet=alt.Facet("time:N", sort=order, title=None, header=alt.Header(labelPadding=4)),
        columns=-(-len(frames) // lines),
    ).properties(spacing=10)
