"""A skeleton whose joints are sized by importance, at frames of a clip: Fig. 1 of Das & Ortega (2022)."""

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.explainers.arguments import check_counts
from stexplain.viz.maps.bodies import body_layers, body_table, trail_table
from stexplain.viz.maps.clip import (
    LAG_NAMES,
    TIME_TITLES,
    Clip,
    clip_of,
    evenly,
    lag_ticks,
    time_text,
    whole_frames,
    why_dark,
)
from stexplain.viz.names import said, which_sample
from stexplain.viz.panel import Panel
from stexplain.viz.playing import plays
from stexplain.viz.theme import CATEGORIES, NOTE_WIDTH, layered, noted, rows, styled, titled

if TYPE_CHECKING:
    from stexplain.data.samples import Batch, Sample
    from stexplain.explainers.explanation import Explanation
    from stexplain.graph import STGraph

NARROW = 58
"""Letters in a line of the title of the interactive chart."""
PAGE = 1200
"""Greatest width of a row of panels, in pixels; further panels go into the next row."""


@checked
def skeleton(
    e: "Explanation",
    *,
    x: "ArrayLike | Sample | Batch | None" = None,
    sample: int = 0,
    instance: int | None = None,
    frames: int | Sequence[int] | None = None,
    interactive: bool = True,
    axes: tuple[int, int] | None = None,
    labels: int = 3,
    trails: int = 3,
    graph: "STGraph | None" = None,
    width: int = 370,
    height: int = 300,
    title: str | None = None,
) -> alt.VConcatChart | alt.FacetChart:
    """Draws a skeleton, or any graph whose nodes move, with its importance over time.

    Interactive: one skeleton with a slider over the frames, above the importance of each frame; a click into that curve
    selects its frame. Saved as ``.html`` it has a play button and a choice of speed, too. The chart opens at the frame
    of greatest importance. Otherwise: several frames side by side, on one scale. Size and colour are the importance
    (the positive part of the explanation), relative to the greatest in the clip. Both axes have the same scale.

    Args:
        e: an explanation ``[B, M, T, N]``.
        x: coordinates of the clip, in the layout in which the explainer took them, ``[M, T, N, C]`` or
            ``[B, M, T, N, C]``, in any unit of length, NaN for a node that has none at a frame, or the sample or batch
            with them; by default the graph's drawing positions, which do not move. For a raw clip pass the preprocessed
            one: ``explain.preprocess(sample)``.
        sample: index of the sample.
        instance: index of the instance (person) to draw; by default all.
        frames: the frames to draw side by side, or their number, evenly spread over the valid frames (default 5). Not
            for the interactive chart.
        interactive: a slider, or frames side by side.
        axes: the channels of `x` that point to the right and up; by default the first two, or the first and the third
            where that certainly points up, as in C3D: by the names of nodes such as head and foot, or the graph's
            drawing positions. Pixels are counted from above: where the second points down beside these, it is turned.
            The chart says so.
        labels: number of nodes to name in each skeleton, the most important of the frame; no name covers a node or
            another name. Tooltips have all names.
        trails: number of nodes whose way over the last frames is drawn, the most important of the clip.
        graph: the edges to draw; by default the explanation's graph.
        width: of the interactive chart in pixels.
        height: of a panel in pixels; the interactive one is a quarter taller.
        title: above the chart; by default the target.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where there are neither coordinates nor positions, or a shape, `sample`, `instance` or a frame does
            not match.

    Example:
        >>> import torch
        >>> from stexplain.explainers import Motion
        >>> from stexplain.graph import STGraph
        >>> x = torch.randn(1, 1, 20, 17, 2)
        >>> e = Motion(graph=STGraph.skeleton("coco-17"))(x)
        >>> chart = skeleton(e, x=x)  # plays; still pictures side by side with interactive=False
    """
    if interactive and frames is not None:
        raise InputError("frames is only for frames side by side. Pass interactive=False, or leave frames out.")
    check_counts(0, labels=labels, trails=trails)
    clip = clip_of(e, x=x, sample=sample, instance=instance, axes=axes, graph=graph)
    # A target in words, such as the predicted class, is no name.
    of = f"“{clip.target}”" if clip.target in e.classes else clip.target
    head = title or (f"Most important nodes for {of}" if of else "Most important nodes")
    trail = trail_table(clip, trails)
    which = " ".join(which_sample(e.ids, sample)) or (f"Sample {clip.id}." if clip.id else "")
    how = f"Larger and brighter: more important. By {clip.method}" + (f", s{which[1:]}" if which else ".")
    way = "Lines: the path of the most important nodes over the last frames." if len(trail) else ""
    people = slice(None) if instance is None else slice(instance, instance + 1)
    empty = why_dark(e.values[sample, people][clip.valid])
    down = "The second coordinate points down, as in pixels: drawn the other way up." if clip.turned else ""
    down = clip.shown or down
    gaps = "Nodes are left out where they have no coordinates." if clip.gaps else ""
    lines = [
        line
        for line in (how, way, down, gaps, empty, *noted(clip.notes, NARROW if interactive else NOTE_WIDTH))
        if line
    ]
    if interactive:
        # Vega does not wrap titles, and a long one would make the chart wider than a phone.
        lines = [part for line in lines for part in wrap(line, NARROW)]
        return styled(_interactive(clip, labels, trail, width, int(height * 1.25)), titled(head, *lines), _seen(clip))
    chart = _side_by_side(clip, _chosen(clip, frames), labels, trail, height)
    return styled(chart, titled(head, *lines), _seen(clip))


def _seen(clip: Clip) -> str:
    """The most important nodes of each body over its frames, and when they are."""
    there = clip.valid[..., None]
    means = np.where(there, clip.values, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    people = np.flatnonzero(clip.valid.any(axis=1))
    texts = [
        (f"instance {person + 1}: " if len(people) > 1 else "") + said(clip.nodes, means[person]) for person in people
    ]
    frame = int(np.where(there, clip.values, 0.0).sum(axis=(0, 2)).argmax())
    when = time_text(clip.time[frame], clip.unit)
    return f"Most important, mean over frames: {'; '.join(texts)}. Most of all at {when}." if clip.top else ""


def _chosen(clip: Clip, frames: int | Sequence[int] | None) -> list[int]:
    # A frame counts as valid where at least one instance is present.
    valid = np.flatnonzero(clip.valid.any(axis=0))
    if frames is None or isinstance(frames, int):
        count = 5 if frames is None else frames
        check_counts(frames=count)
        return [int(valid[index]) for index in evenly(len(valid), count)]
    for frame in frames:
        if frame not in valid:
            raise InputError(f"frames: got {frame}; expected valid frames, from {int(valid[0])} to {int(valid[-1])}.")
    return [int(frame) for frame in frames]


def _interactive(clip: Clip, labels: int, trail: pd.DataFrame, width: int, height: int) -> alt.VConcatChart:
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
    panel = Panel.around(clip.points[clip.valid], width=width, height=height)
    now = "datum.frame == at_frame"
    spot = (
        alt.Chart()
        .transform_filter(now)
        .mark_text(align="left", baseline="top", fontSize=12.5)
        .encode(x=alt.value(4), y=alt.value(4), text="time:N")
    )
    body = layered(
        *body_layers(clip, panel, trail, now=now), spot, data=rows(body_table(clip, frames, panel, labels, trail))
    ).properties(width=width, height=panel.height)
    # Trails and joints are sized by different things.
    body = body.resolve_scale(size="independent")
    first, last = clip.time[frames[0]], clip.time[frames[-1]]
    scale = alt.Scale(domain=[first, last if last > first else first + 1], nice=False)
    axis = alt.Axis(**lag_ticks(clip.time[frames])) if clip.unit in LAG_NAMES else alt.Axis()
    if clip.unit == "frame" and bool((clip.time == np.round(clip.time)).all()):
        axis = alt.Axis(**whole_frames([int(at) for at in clip.time[frames]]))
    x = alt.X("at:Q", title=TIME_TITLES[clip.unit], scale=scale, axis=axis)
    base = alt.Chart()
    line = {"color": CATEGORIES[0]}
    # Of a single frame there is no line: a point shows its value.
    point = {"color": CATEGORIES[0], "size": 40} if len(frames) == 1 else False
    area = base.mark_area(color=CATEGORIES[0], opacity=0.35, line=line, point=point, interpolate="linear")
    y = alt.Y("importance:Q", title="mean of nodes", axis=alt.Axis(titleLimit=90, tickCount=2, format=".2~g"))
    # Wide and almost transparent bars take the clicks: nobody has to hit the curve to the pixel.
    slots = base.mark_bar(opacity=0.001, size=max(2, width / len(frames)), cursor="pointer")
    tip = [alt.Tooltip("time:N"), alt.Tooltip("importance:Q", title="mean over nodes", format=".3~g")]
    timeline = layered(
        area.encode(x=x, y=y),
        base.transform_filter(now).mark_rule(color=CATEGORIES[1], strokeWidth=2).encode(x=x),
        slots.encode(x=x, y=alt.value(0), y2=alt.value(56), tooltip=tip).add_params(here),
        data=rows(curve),
    ).properties(width=width, height=56)
    chart = alt.vconcat(body, timeline, spacing=8)
    # Times are seconds, or numbers of frames whose rate is not known.
    seconds = None
    if clip.unit == "s" and len(frames) > 1:
        # The last frame lasts as long as the others.
        seconds = float(clip.time[frames[-1]] - clip.time[frames[0]]) * len(frames) / (len(frames) - 1)
    opens = time_text(clip.time[at], clip.unit)
    plays(chart, "at_frame", [float(frame) for frame in frames], seconds=seconds, opens=opens)
    return chart


def _curve(clip: Clip, frames: Sequence[int]) -> pd.DataFrame:
    # Mean over nodes, then over the instances that are present at the frame.
    valid = clip.valid[:, frames]
    total = np.where(valid, clip.values[:, frames].mean(axis=-1), 0.0).sum(axis=0) / valid.sum(axis=0)
    times = [time_text(clip.time[frame], clip.unit) for frame in frames]
    return pd.DataFrame({"frame": frames, "at": clip.time[frames], "time": times, "importance": total})


def _side_by_side(clip: Clip, frames: Sequence[int], labels: int, trail: pd.DataFrame, height: int) -> alt.FacetChart:
    points = np.concatenate([clip.points[:, frame][clip.placed[:, frame]] for frame in frames])
    # Panels as wide as the bodies need beside two columns of names, within bounds.
    extent = np.maximum(np.ptp(points, axis=0), 1e-9)
    width = int(np.clip(height * extent[0] / extent[1] + 70, 140, 1.3 * height))
    # -(-a // b) rounds up: as few rows as the page allows, filled evenly.
    lines = -(-len(frames) * width // PAGE)
    panel = Panel.around(points, width=width, height=height)
    table = body_table(clip, frames, panel, labels, trail, past=True)
    texts = {frame: time_text(clip.time[frame], clip.unit) for frame in frames}
    if len(set(texts.values())) < len(texts):
        # Frames within a hundredth of a second have one text, and would be drawn over each other in one panel.
        texts = {frame: f"{text}, frame {frame}" for frame, text in texts.items()}
    table["time"] = table["frame"].map(texts)
    body = layered(*body_layers(clip, panel, trail)).properties(width=width, height=height)
    body = body.resolve_scale(size="independent")
    panels: alt.FacetChart = body.facet(
        data=rows(table),
        facet=alt.Facet("time:N", sort=list(texts.values()), title=None, header=alt.Header(labelPadding=4)),
        columns=-(-len(frames) // lines),
    ).properties(spacing=10)
    return panels
