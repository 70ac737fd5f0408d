"""Importance per class, ranked nodes, graphs and roads in axes of matplotlib: the numbers of the charts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.explainers.arguments import check_counts
from stexplain.explainers.explanation import Explanation
from stexplain.graph import STGraph
from stexplain.metrics.importance import ClassImportance
from stexplain.viz.columns import expect, numbers
from stexplain.viz.maps.clip import time_text
from stexplain.viz.maps.importance_map import class_table, shades
from stexplain.viz.maps.layout import drawing_positions
from stexplain.viz.maps.network import RINGS
from stexplain.viz.maps.road_network import flattened, lags_of, signed_values
from stexplain.viz.maps.top_nodes import ranked
from stexplain.viz.matplotlib_axes import PALETTES, check_axes
from stexplain.viz.matplotlib_names import entitle, name_ticks
from stexplain.viz.names import ordered, shortened
from stexplain.viz.theme import CATEGORIES, MUTED, magnitude

_LETTERS = 24
"""Of the name of a node at its place."""


@checked
def draw_importance_map(
    psi: pd.DataFrame,
    ax: Any,
    *,
    nodes: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    per_class: bool = True,
) -> Any:
    """Draws classes x nodes into axes of matplotlib: the numbers of `importance_map`.

    Args:
        psi: one row per class (named by the index), one column per node; NaN where a class has no value.
        ax: axes of matplotlib.
        nodes: the nodes to draw, in order; by default all.
        classes: the classes to draw, in order; by default all.
        per_class: scale each class to [0, 1], min-max; else values, whose colours compare across classes.

    Returns:
        `ax`. Its image, ``ax.images[-1]``, has the colours, for ``figure.colorbar``.

    Raises:
        InputError: where `ax` is none, or `psi` is empty, or has no such node or class.

    Example:
        >>> from matplotlib.figure import Figure
        >>> psi = pd.DataFrame([[0.1, 0.9], [0.8, 0.2]], index=["throw", "kick"], columns=["foot", "hand"])
        >>> ax = draw_importance_map(psi, Figure().add_subplot())
        >>> ax.images[-1].get_array().tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    check_axes(ax)
    table = class_table(psi)
    table = table.loc[ordered("class", list(table.index), classes), ordered("node", list(table.columns), nodes)]
    shade = shades(numbers("psi", table), per_class)
    domain, scheme = magnitude([0.0, 1.0] if per_class else shade)
    # Behind cells without a value.
    ax.set_facecolor(MUTED + "59")
    ax.imshow(shade, aspect="auto", interpolation="nearest", cmap=PALETTES[scheme], vmin=domain[0], vmax=domain[1])
    name_ticks(ax.xaxis, list(table.columns))
    name_ticks(ax.yaxis, list(table.index))
    return ax


@checked
def draw_top_nodes(
    importance: Explanation | ClassImportance,
    ax: Any,
    *,
    k: int = 15,
    of: str | None = None,
    groups: Any = None,
    seed: int = 0,
    unit: str = "importance",
) -> Any:
    """Draws the k most important nodes as bars into axes of matplotlib: the numbers of `top_nodes`.

    Args:
        importance: an explanation, or the class importance of Eq. 6.
        ax: axes of matplotlib.
        k: number of nodes; all if there are fewer.
        of: the class, for class importance, as for `top_nodes`.
        groups: of the samples of an explanation, as for `top_nodes`.
        seed: of the bootstrap over the samples of an explanation.
        unit: title of the axis.

    Returns:
        `ax`; lines are 95% bootstrap intervals, where there are any.

    Raises:
        InputError: where `ax` is none, or as for `top_nodes`.

    Example:
        >>> import torch
        >>> from matplotlib.figure import Figure
        >>> from stexplain.explainers import Motion
        >>> ax = draw_top_nodes(Motion()(torch.randn(12, 1, 20, 6, 3)), Figure().add_subplot(), k=3)
    """
    check_axes(ax)
    table = ranked(importance, k=k, of=of, groups=groups, seed=seed).table
    at = np.arange(len(table))
    value, low, high = (table[name].to_numpy(np.float64) for name in ("value", "low", "high"))
    ax.barh(at, value, color=CATEGORIES[0], height=0.72)
    known = np.isfinite(low) & np.isfinite(high)
    ax.hlines(at[known], low[known], high[known], color=MUTED, linewidth=2)
    name_ticks(ax.yaxis, list(table["node"]))
    # The most important on top.
    ax.invert_yaxis()
    ax.set_xlabel(unit)
    return ax


@checked
def draw_network(
    graph: STGraph,
    values: ArrayLike,
    ax: Any,
    *,
    labels: int = 12,
    marked: Mapping[str, Sequence[str]] | None = None,
    seed: int = 0,
    signed: bool | None = None,
) -> Any:
    """Draws a graph with a value at each node into axes of matplotlib: the numbers of `network` at one time.

    Args:
        graph: of N nodes.
        values: ``[N]``; NaN where missing.
        ax: axes of matplotlib.
        labels: how many nodes to name, those with the greatest absolute values.
        marked: nodes to draw with a ring, by kind; named, too, and in the legend's entries.
        seed: of the layout of a graph without positions.
        signed: whether values have a sign, also where none happens to be negative; by default where some are.

    Returns:
        `ax`. Its last collection, ``ax.collections[-1]``, has the colours, for ``figure.colorbar``.

    Raises:
        InputError: where `ax` is none, the values do not match the graph, or a marked node is unknown.

    Example:
        >>> from matplotlib.figure import Figure
        >>> graph = STGraph.from_edges(["s1", "s2", "s3"], [("s1", "s2"), ("s2", "s3")])
        >>> ax = draw_network(graph, [0.5, -1.0, 0.0], Figure().add_subplot(), marked={"forecast": ["s3"]})
    """
    check_axes(ax)
    expect("graph", graph, STGraph, "e.graph, or one of your own")
    check_counts(0, labels=labels)
    array = numbers("values", values)
    if array.shape != (len(graph.nodes),) or not array.size:
        raise InputError(f"values: got shape {array.shape}; expected [{len(graph.nodes)}], a value of each node.")
    _graph(ax, graph, array, magnitude(array, signed), drawing_positions(graph, seed), labels, marked or {})
    return ax


@checked
def draw_road_network(
    e: Explanation,
    ax: Any,
    *,
    sample: int = 0,
    frame: int | None = None,
    minutes: float | None = None,
    marked: Mapping[str, Sequence[str]] | None = None,
    labels: int = 12,
    degrees: bool = False,
    graph: STGraph | None = None,
) -> Any:
    """Draws the explanation of a forecast at one observation into axes of matplotlib: the numbers of `road_network`.

    Args:
        e: an explanation ``[B, 1, T, N]``.
        ax: axes of matplotlib.
        sample: index of the sample.
        frame: which of the T observations, the last is ``T - 1``; by default that which contributes most at one sensor.
        minutes: minutes between observations, as for `road_network`.
        marked: sensors to draw with a ring, by kind.
        labels: how many sensors to name beside the marked ones.
        degrees: whether positions are longitude and latitude, as for `road_network`.
        graph: the roads to draw; by default the explanation's graph.

    Returns:
        `ax`, with the time as its title. Its last collection, ``ax.collections[-1]``, has the colours, which are those
        of all observations, for ``figure.colorbar``.

    Raises:
        InputError: where `ax` is none, there is no such sample or frame, or no graph.

    Example:
        >>> import torch
        >>> from matplotlib.figure import Figure
        >>> from stexplain.explainers import Motion
        >>> roads = STGraph.from_edges(["s1", "s2", "s3"], [("s1", "s2"), ("s2", "s3")], directed=True)
        >>> e = Motion(graph=roads)(torch.randn(1, 1, 12, 3, 1))
        >>> ax = draw_road_network(e, Figure().add_subplot(), frame=11, minutes=5)
        >>> ax.get_title()
        'last observation'
    """
    check_axes(ax)
    check_counts(0, labels=labels)
    values = signed_values(e, sample)
    drawn = graph if graph is not None else e.graph
    if drawn is None:
        raise InputError("the explanation has no graph, so its sensors have no positions. Pass graph=.")
    if len(drawn) != values.shape[1]:
        raise InputError(f"graph: got {len(drawn)} nodes; expected the {values.shape[1]} nodes of the explanation.")
    if frame is None:
        frame = int(np.nan_to_num(np.abs(values)).max(axis=1).argmax())
    elif not 0 <= frame < len(values):
        raise InputError(f"frame: got {frame}; expected 0 to {len(values) - 1}.")
    drawn = flattened(drawn) if degrees else drawn
    lags, kind = lags_of(e, minutes)
    # The colours of all observations, so that two of them compare.
    scale = magnitude(values, e.signed)
    _graph(ax, drawn, values[frame], scale, drawing_positions(drawn, 0), labels, marked or {})
    ax.set_title(time_text(float(lags[frame]), kind))
    return ax


@checked
def draw_class_bodies(
    psi: pd.DataFrame,
    graph: STGraph,
    axes: Any,
    *,
    classes: Sequence[str] | None = None,
    per_class: bool = True,
) -> Any:
    """Draws one small body for each class into axes of matplotlib: the numbers of `class_bodies`.

    Args:
        psi: one row per class (named by the index), one column per node; NaN where a class has no value.
        graph: with the nodes of `psi`, edges and drawing positions.
        axes: axes of matplotlib, one for each class, such as of ``plt.subplots(2, 3)[1]``; those left over are empty.
        classes: the classes to draw, in order; by default all.
        per_class: scale each class to [0, 1], min-max; else colours compare across classes.

    Returns:
        `axes`.

    Raises:
        InputError: where there are fewer axes than classes, `psi` is empty or has no such class, or the graph has other
            nodes or no drawing positions.

    Example:
        >>> from matplotlib.figure import Figure
        >>> graph = STGraph.from_edges(["foot", "hand"], [("foot", "hand")], positions=[[0, 0], [0, 1]])
        >>> psi = pd.DataFrame([[0.1, 0.9], [0.8, 0.2]], index=["throw", "kick"], columns=["foot", "hand"])
        >>> axes = draw_class_bodies(psi, graph, Figure().subplots(1, 2))
        >>> [ax.get_title() for ax in axes]
        ['throw', 'kick']
    """
    every = list(np.ravel(np.asarray(axes, dtype=object)))
    for number, ax in enumerate(every):
        check_axes(ax, f"axes[{number}]")
    expect("graph", graph, STGraph, "the explanation's, or one of your own")
    if graph.positions is None:
        raise InputError("graph: it has no drawing positions. Give it some, or use draw_importance_map.")
    table = class_table(psi)
    table = table.loc[ordered("class", list(table.index), classes)]
    if set(table.columns) != set(graph.nodes):
        raise InputError(f"psi: got {table.shape[1]} nodes; expected the {len(graph)} nodes of the graph.")
    if len(every) < len(table):
        raise InputError(f"axes: got {len(every)}; expected one for each of the {len(table)} classes.")
    shade = shades(numbers("psi", table[list(graph.nodes)]), per_class)
    scale = magnitude([0.0, 1.0] if per_class else shade)
    entitle(every[: len(table)], list(table.index))
    for ax, row in zip(every, shade, strict=False):
        _graph(ax, graph, row, scale, np.asarray(graph.positions, np.float64), 0, {})
    for ax in every[len(table) :]:
        ax.set_axis_off()
    return axes


def _graph(
    ax: Any,
    graph: STGraph,
    values: NDArray[np.float64],
    scale: tuple[list[float], str],
    points: NDArray[np.float64],
    labels: int,
    marked: Mapping[str, Sequence[str]],
) -> None:
    """Edges, nodes sized and coloured by their values, rings and names; the last collection has the colours."""
    from matplotlib.collections import LineCollection

    domain, scheme = scale
    ends = np.asarray(graph.edges, np.int64).reshape(-1, 2)
    ax.add_collection(LineCollection(list(points[ends]), colors=MUTED, linewidths=0.9, alpha=0.6, zorder=1))
    known = np.isfinite(values)
    ax.scatter(*points[~known].T, s=8, color=MUTED, zorder=2)
    largest = float(np.clip(5000 / max(len(values), 1), 35, 290))
    for (kind, members), colour in zip(marked.items(), RINGS, strict=False):
        at = [graph.index(name) for name in ordered("node", list(graph.nodes), members)]
        ring = {"facecolors": "none", "edgecolors": colour, "linewidths": 2.0, "zorder": 2}
        ax.scatter(*points[at].T, s=1.7 * largest, label=kind, **ring)
    size = np.abs(values)
    # Great values last, so that they lie on top.
    order = np.flatnonzero(known)[np.argsort(size[known], kind="stable")]
    ax.scatter(
        *points[order].T,
        s=largest * np.maximum(size[order] / (domain[1] or 1.0), 1 / 12),
        c=values[order],
        cmap=PALETTES[scheme],
        vmin=domain[0],
        vmax=domain[1],
        edgecolors=MUTED,
        linewidths=0.7,
        zorder=3,
    )
    ringed = [graph.index(str(name)) for members in marked.values() for name in members]
    named = dict.fromkeys([*ringed, *(int(node) for node in order[::-1][:labels] if size[node] > 0)])
    texts = shortened([graph.nodes[node] for node in named], _LETTERS)
    for node in named:
        ax.annotate(
            texts[graph.nodes[node]], points[node], xytext=(0, 4 + (largest / np.pi) ** 0.5),
            textcoords="offset points", fontsize=9, ha="center", va="bottom", zorder=4,
        )  # fmt: skip
    ax.set_aspect("equal")
    ax.margins(0.12)
    ax.set_axis_off()
