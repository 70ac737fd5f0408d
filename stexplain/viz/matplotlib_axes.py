"""The same drawings in axes of matplotlib, for a figure of one's own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.explainers.arguments import check_counts
from stexplain.explainers.results.times import times_of
from stexplain.viz.columns import expect
from stexplain.viz.maps.bodies import circle_radii
from stexplain.viz.maps.clip import LAG_NAMES, TIME_TITLES, clip_of, time_text
from stexplain.viz.maps.timeline import pick_timeline
from stexplain.viz.matplotlib_names import below, name_ticks
from stexplain.viz.names import ordered
from stexplain.viz.theme import DIVERGING, MUTED, SEQUENTIAL, magnitude

if TYPE_CHECKING:
    from stexplain.data.samples import Batch, Sample
    from stexplain.explainers.explanation import Explanation
    from stexplain.graph import STGraph

PALETTES = {SEQUENTIAL: "viridis", DIVERGING: "PuOr_r"}
"""Vega's palettes -> matplotlib's; blue-orange has no twin there, purple-orange is read as well by the colour-blind."""


@checked
def draw_skeleton(
    e: "Explanation",
    ax: Any,
    *,
    x: "ArrayLike | Sample | Batch | None" = None,
    sample: int = 0,
    instance: int | None = None,
    frame: int | None = None,
    axes: tuple[int, int] | None = None,
    labels: int = 3,
    graph: "STGraph | None" = None,
) -> Any:
    """Draws one frame of a skeleton into axes of matplotlib: the numbers of `skeleton`.

    Args:
        e: an explanation ``[B, M, T, N]``.
        ax: axes of matplotlib.
        x: coordinates of the clip, as for `skeleton`.
        sample: index of the sample.
        instance: index of the instance (person) to draw; by default all.
        frame: which frame; by default that of the greatest importance.
        axes: the channels of `x` that point to the right and up, as for `skeleton`.
        labels: number of most important nodes to name in each skeleton.
        graph: the edges to draw; by default the explanation's graph.

    Returns:
        `ax`. Its last collection, ``ax.collections[-1]``, has the colours, for ``figure.colorbar``.

    Raises:
        InputError: where `ax` is none, a frame is not valid, or as for `skeleton`.

    Example:
        >>> import torch
        >>> from matplotlib.figure import Figure
        >>> from stexplain.explainers import Motion
        >>> from stexplain.graph import STGraph
        >>> x, ax = torch.randn(1, 1, 20, 17, 2), Figure().add_subplot()
        >>> ax = draw_skeleton(Motion(graph=STGraph.skeleton("coco-17"))(x), ax, x=x)
    """
    from matplotlib.collections import LineCollection

    check_axes(ax)
    check_counts(0, labels=labels)
    clip = clip_of(e, x=x, sample=sample, instance=instance, axes=axes, graph=graph)
    valid = np.flatnonzero(clip.valid.any(axis=0))
    if frame is None:
        present = clip.valid[:, valid]
        mean = np.where(present, clip.values[:, valid].mean(axis=-1), 0.0).sum(axis=0) / present.sum(axis=0)
        frame = int(valid[int(mean.argmax())])
    elif frame not in valid:
        raise InputError(f"frame: got {frame}; expected a valid frame, from {int(valid[0])} to {int(valid[-1])}.")
    people = np.flatnonzero(clip.valid[:, frame])
    points, values = clip.points[people, frame], clip.values[people, frame]
    for body in points:
        ax.add_collection(LineCollection(list(body[clip.edges]), colors=MUTED, linewidths=2.0, zorder=1))
    # Areas in square points, where the chart's are in pixels of 1/96 inch.
    areas = np.pi * (circle_radii(values, clip.top) * 72 / 96) ** 2
    flat, order = points.reshape(-1, 2), np.argsort(values, axis=None, kind="stable")
    ax.scatter(
        *flat[order].T,
        s=areas.reshape(-1)[order],
        c=values.reshape(-1)[order],
        cmap=PALETTES[SEQUENTIAL],
        vmin=0.0,
        vmax=clip.top or 1.0,
        edgecolors=MUTED,
        linewidths=0.7,
        zorder=2,
    )
    for body, of_body in zip(points, values, strict=True):
        of_body = np.where(np.isfinite(body[:, 0]), of_body, 0.0)
        for node in np.argsort(-of_body, kind="stable")[:labels]:
            if of_body[node] > 0 and of_body[node] >= clip.top / 4:
                # Away from the middle of the body, whose other nodes it would cover.
                side = -1 if body[node, 0] < np.nanmean(body[:, 0]) else 1
                ax.annotate(
                    clip.nodes[node], body[node], xytext=(9 * side, 0), textcoords="offset points", fontsize=9,
                    ha="right" if side < 0 else "left", va="center",
                )  # fmt: skip
    ax.set_aspect("equal")
    ax.margins(0.12)
    ax.set_axis_off()
    ax.set_title(" – ".join(part for part in (clip.target, time_text(clip.time[frame], clip.unit)) if part))
    if clip.shown:
        # As the chart says it: of three channels two are drawn, and which points up is not always certain.
        below(ax, clip.shown)
    return ax


@checked
def draw_timeline(
    e: "Explanation",
    ax: Any,
    *,
    sample: int = 0,
    instance: int = 0,
    nodes: Sequence[str] | None = None,
    signed: bool = False,
) -> Any:
    """Draws node x frame into axes of matplotlib: the numbers of `timeline`, frame by frame, over its axis of time.

    Args:
        e: an explanation ``[B, M, T, N]``.
        ax: axes of matplotlib.
        sample: index of the sample.
        instance: index of the instance (person).
        nodes: the nodes to draw, in order; by default all.
        signed: draw signed values on a diverging palette, not only their positive part.

    Returns:
        `ax`. Its image, ``ax.images[-1]``, has the colours, for ``figure.colorbar``.

    Raises:
        InputError: where `ax` is none, or there is no such sample, instance or node.

    Example:
        >>> import torch
        >>> from matplotlib.figure import Figure
        >>> from stexplain.explainers import Motion
        >>> ax = draw_timeline(Motion()(torch.randn(1, 1, 20, 4, 3)), Figure().add_subplot())
    """
    check_axes(ax)
    values = pick_timeline(e, sample=sample, instance=instance, signed=signed)
    names = ordered("node", e.node_names, None)
    shown = ordered("node", names, nodes)
    drawn = values[:, [names.index(name) for name in shown]]
    domain, scheme = magnitude(drawn, signed and e.signed)
    times, unit = times_of(e)
    apart = np.diff(times)
    if not len(apart) or not np.allclose(apart, apart[0]):
        times, unit = np.arange(len(drawn), dtype=np.float64), "frame"
    half = (times[1] - times[0]) / 2 if len(times) > 1 else 0.5
    ax.imshow(
        drawn.T, aspect="auto", interpolation="nearest", cmap=PALETTES[scheme], vmin=domain[0], vmax=domain[1],
        extent=(times[0] - half, times[-1] + half, len(shown) - 0.5, -0.5),
    )  # fmt: skip
    name_ticks(ax.yaxis, shown)
    ax.set_xlabel(TIME_TITLES[unit])
    if unit in LAG_NAMES:
        ax.xaxis.set_major_formatter(lambda lag, _: f"{abs(lag):g}")
    return ax


def check_axes(ax: Any, name: str = "ax") -> None:
    """Refuses what are no axes of matplotlib.

    Args:
        ax: what was given.
        name: of the argument.

    Raises:
        InputError: where they are none, or matplotlib is not installed.
    """
    try:
        from matplotlib.axes import Axes
    except ImportError as error:
        raise InputError(
            "ax: drawing into axes needs matplotlib, which is not installed. Use pip install 'stexplain[plots]', or "
            "leave ax out for an altair chart."
        ) from error
    expect(name, ax, Axes, "plt.subplots()[1]")
