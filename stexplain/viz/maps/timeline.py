"""Importance over time as a heat map: node x frame."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.explainers.arguments import check_counts
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.results.times import times_of
from stexplain.viz.bands import Bands
from stexplain.viz.columns import expect
from stexplain.viz.maps.clip import LAG_NAMES, TIME_TITLES, lag_ticks, time_text, whole_frames, why_dark
from stexplain.viz.maps.road_network import how_to_read
from stexplain.viz.names import grouped, ordered, said, which_sample
from stexplain.viz.theme import MUTED, colour_legend, colour_scale, layered, literal, noted, rows, short, styled, titled

ALL, MOST = 80, 40
"""Up to ALL nodes are all drawn; of more, the MOST most important."""


@checked
def timeline(
    e: Explanation,
    *,
    sample: int = 0,
    instance: int = 0,
    nodes: Sequence[str] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    signed: bool = False,
    bins: int = 150,
    title: str | None = None,
) -> alt.LayerChart:
    """Draws the importance of each node at each frame, with the nodes of a group together.

    Args:
        e: an explanation ``[B, M, T, N]``.
        sample: index of the sample.
        instance: index of the instance (person).
        nodes: the nodes to draw, in order; by default all, group by group, or of more than 80 the 40
            most important, without those that are zero.
        groups: nodes of each region; by default the explanation's groups.
        signed: draw signed values on a diverging palette, not only their positive part; values without a sign, such
            as those of a mask, are drawn as they are.
        bins: the greatest number of columns; a longer clip is drawn as means over neighbouring frames.
        title: above the chart.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where there is no such sample, instance or node, or no valid frame.

    Example:
        >>> import torch
        >>> from stexplain.explainers import Motion
        >>> chart = timeline(Motion()(torch.randn(1, 1, 20, 4, 3)))
        >>> type(chart).__name__
        'LayerChart'
    """
    values = pick_timeline(e, sample=sample, instance=instance, signed=signed)
    names = ordered("node", e.node_names, None)
    of, order = grouped("node", names, groups if groups is not None else e.node_groups)
    negative = not signed and bool((e.values[sample, instance] < 0).any())
    drawn, left = _chosen(names, values, "no other is above zero" if negative else "all others are zero")
    shown = ordered(
        "node", names, nodes if nodes is not None else sorted(drawn, key=lambda name: order.index(of[name]))
    )
    # Of a map without a sign there is nothing to draw as against the target.
    signed = signed and e.signed
    columns, means = _binned(values, bins)
    edges, axis = _axis(e, columns)
    table = pd.DataFrame(
        {
            "node": shown,
            "group": [of[name] for name in shown],
            "value": [short(means[:, names.index(name)]) for name in shown],
        }
    )
    down = Bands(shown, [of[name] for name in shown])
    # One row per node with its values as a list. Times are the same for all nodes: they are written once, in the
    # expression.
    positions = (
        alt.Chart(rows(table))
        .transform_calculate(start=literal(edges[:-1]), end=literal(edges[1:]), time=literal(axis.times))
        .transform_flatten(["value", "start", "end", "time"])
        .encode(
            x=alt.X(
                "start:Q",
                title=axis.title,
                scale=alt.Scale(domain=[edges[0], edges[-1]], nice=False, zero=False),
                axis=axis.drawn,
            ),
            x2="end:Q",
            y=down.y("node"),
            tooltip=[
                alt.Tooltip("node:N"),
                alt.Tooltip("group:N"),
                alt.Tooltip("time:N"),
                alt.Tooltip("value:Q", title="importance", format=".3~g"),
            ],
        )
    )
    legend = colour_legend("importance", means, signed, offset=down.room)
    # Two layers, because Vega draws nothing for a null colour.
    missing = positions.transform_filter("!isValid(datum.value)").mark_rect(color=MUTED, opacity=0.25)
    filled = positions.transform_filter("isValid(datum.value)").mark_rect()
    filled = filled.encode(color=alt.Color("value:Q", scale=colour_scale(means, signed), legend=legend))
    width = 520
    chart = layered(missing, filled, *down.beside(width)).properties(width=width, height=15 * len(down.domain))
    of_class = int(e.targets[sample]) >= 0
    if not signed:
        dark = why_dark(e.values[sample, instance][e.present[sample, instance]])
        lines = [f"Brighter: more important. {dark}".strip()]
    else:
        # Of a forecast, the words of the other charts of forecasts.
        lines = ["Orange contributes to the class, blue against it." if of_class else how_to_read(e, "")]
    if nodes is None and len(shown) < len(names):
        lines.append(left)
    if len(means) < len(values):
        lines.append(f"Each column is the mean of about {len(values) / len(means):.1f} frames.")
    if np.isnan(values).any():
        lines.append("Grey: no data.")
    which = which_sample(e.ids, sample, e.valid, instance)
    head = "Importance over time" if of_class or not e.target else f"Importance over time for {e.target}"
    count = np.maximum(np.isfinite(values).sum(axis=0), 1)
    most = said(shown, (np.nansum(values, axis=0) / count)[[names.index(name) for name in shown]])
    seen = f"Furthest from zero, mean over time: {most}." if most else ""
    return styled(chart, titled(title or head, *which, *lines, *noted(e.notes)), seen)


def _chosen(names: list[str], values: NDArray[np.float64], rest: str) -> tuple[list[str], str]:
    """The nodes that are drawn, of values ``[T, N]``, and which of all they are, as a sentence; `rest` ends it."""
    if len(names) <= ALL:
        return list(names), ""
    known = np.isfinite(values)
    weight = np.nansum(np.abs(values), axis=0) / np.maximum(known.sum(axis=0), 1)
    order = np.argsort(-weight, kind="stable")[:MOST]
    # Rows of zeros say nothing; of zeros alone, some show what there is.
    some = order[weight[order] > 0]
    kept = some if len(some) else order
    # Chosen by importance, drawn in the order of the graph.
    drawn = [names[index] for index in np.sort(kept)]
    if not 0 < len(some) < MOST:
        return drawn, f"The {len(drawn)} most important of {len(names):,} nodes."
    gaps = "" if known.any(axis=0).all() else ", or without data"
    return drawn, f"{len(drawn)} of {len(names):,} nodes: {rest}{gaps}."


def pick_timeline(e: Explanation, *, sample: int, instance: int, signed: bool) -> NDArray[np.float64]:
    """The values ``[T, N]`` of one instance, or their positive part; NaN where there is no observation.

    Raises:
        InputError: where `sample` or `instance` is out of range, or it has no valid frame.
    """
    expect("e", e, Explanation, "an explainer")
    shape = np.shape(e.values)
    for name, index, size in (("sample", sample, shape[0]), ("instance", instance, shape[1])):
        if not 0 <= index < size:
            raise InputError(f"{name}: got {index}; expected 0 to {size - 1}.")
    present = e.present[sample, instance]
    if not present.any():
        raise InputError(f"sample {sample} has no valid frame of instance {instance}. Choose another instance.")
    return np.where(
        present, np.asarray(e.values if signed else e.importance, dtype=np.float64)[sample, instance], np.nan
    )


class _Axis(NamedTuple):
    """The axis of time: its title, how it is drawn, and the time of each column in words."""

    title: str
    drawn: alt.Axis
    times: list[str]


def _axis(e: Explanation, columns: list[int]) -> tuple[list[float], _Axis]:
    """Where columns begin and end in time, and the axis. Times that are not evenly spaced are counted in frames."""
    times, unit = times_of(e)
    apart = np.diff(times)
    if unit == "frame" or not len(apart) or not np.allclose(apart, apart[0]):
        words = [time_text(float(first), "frame") for first in columns[:-1]]
        return [float(at) for at in columns], _Axis(
            TIME_TITLES["frame"], alt.Axis(**whole_frames(columns[:-1]), grid=False), words
        )
    words = [time_text(float(times[first]), unit) for first in columns[:-1]]
    # A lag is the middle of its column, so that 0 stands below the last observation.
    first = float(times[0]) - (apart[0] / 2 if unit in LAG_NAMES else 0)
    edges = [round(first + float(apart[0]) * at, 9) for at in columns]
    drawn = alt.Axis(**lag_ticks(times), grid=False) if unit in LAG_NAMES else alt.Axis(grid=False)
    return edges, _Axis(TIME_TITLES[unit], drawn, words)


def _binned(
    values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]", bins: int
) -> tuple[list[int], "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"]:
    check_counts(bins=bins)
    frames = len(values)
    count = min(bins, frames)
    # Edges rounded to whole frames: bins differ by at most one frame, and each frame is in one bin.
    edges = [round(index * frames / count) for index in range(count + 1)]
    means = np.full((count, values.shape[1]), np.nan)
    for index, (start, end) in enumerate(pairwise(edges)):
        part = values[start:end]
        # A bin without any valid frame stays NaN; nanmean would warn of it.
        present = np.isfinite(part).any(axis=0)
        means[index, present] = np.nanmean(part[:, present], axis=0)
    return edges, means
