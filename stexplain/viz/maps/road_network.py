"""The explanation of a forecast on the road network, observation by observation."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import altair as alt
import numpy as np

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.explainers.arguments import check_counts
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.results.times import as_lags
from stexplain.viz.columns import expect
from stexplain.viz.maps.network import NAMED, network
from stexplain.viz.names import which_sample
from stexplain.viz.theme import noted

if TYPE_CHECKING:
    from stexplain.graph import STGraph


@checked
def road_network(
    e: Explanation,
    *,
    sample: int = 0,
    minutes: float | None = None,
    unit: str = "",
    marked: Mapping[str, Sequence[str]] | None = None,
    labels: int = 12,
    degrees: bool = False,
    graph: "STGraph | None" = None,
    width: int = 680,
    height: int | None = None,
    title: str | None = None,
) -> alt.LayerChart:
    """Draws the signed explanation of a forecast on the road network, with a slider over time.

    The slider goes back in time from the last observation in the input window, and opens at the observation that
    contributes most. Saved as ``.html`` it has a play button, too. Orange observations raised the forecast, blue ones
    lowered it; values without a sign are drawn from dark to bright.

    Args:
        e: an explanation ``[B, 1, T, N]``.
        sample: index of the sample.
        minutes: minutes between observations; by default those of the explanation's times, where these are known, else
            lags are numbers of observations.
        unit: of the forecast and of the observations, such as ``"mph"``; empty: those of the explanation.
        marked: sensors to draw with a ring, see `network`.
        labels: in a network of more than 40 sensors, the number of most important sensors to name, beside the marked
            ones and where there is room; tooltips have all names.
        degrees: whether positions are longitude and latitude; a degree of longitude is then drawn as short as it is at
            that latitude.
        graph: the roads to draw; by default the explanation's graph.
        width: in pixels.
        height: in pixels; by default as the roads need, between 240 and 560.
        title: above the chart; by default the target.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where there is no such sample, or no graph.

    Example:
        >>> import torch
        >>> from stexplain.explainers import Motion
        >>> from stexplain.graph import STGraph
        >>> roads = STGraph.from_edges(["s1", "s2", "s3"], [("s1", "s2"), ("s2", "s3")], directed=True)
        >>> chart = road_network(Motion(graph=roads)(torch.randn(1, 1, 12, 3, 1)), minutes=5)
    """
    check_counts(0, labels=labels)
    values = signed_values(e, sample)
    drawn = graph if graph is not None else e.graph
    if drawn is None:
        raise InputError("the explanation has no graph, so its sensors have no positions. Pass graph=.")
    # None: `network` names all nodes of a small graph.
    names: list[str] | None = None
    if len(drawn) > NAMED:
        weight = np.nan_to_num(np.abs(values)).max(axis=0)
        # Marked sensors first: where two names overlap, the earlier one stays.
        first = [name for members in (marked or {}).values() for name in members]
        most = [drawn.nodes[index] for index in np.argsort(-weight, kind="stable")[:labels] if weight[index] > 0]
        names = list(dict.fromkeys([*first, *most]))
    drawn = flattened(drawn) if degrees else drawn
    if height is None and drawn.positions is not None:
        # As tall as the roads are at the given width, and 40 pixels for names; the floor avoids a division by zero.
        across, up = np.maximum(np.ptp(drawn.positions, axis=0), 1e-9)
        height = int(np.clip(width * up / across + 40, 240, 560))
    lags, kind = lags_of(e, minutes)
    return network(
        drawn,
        values,
        time=lags,
        time_unit=kind,
        labels=names,
        marked=marked,
        width=width,
        height=height or 440,
        unit=e.unit(unit, unit),
        signed=e.signed,
        title=title or f"Importance for {e.target or 'the forecast'}",
        subtitle=[
            *which_sample(e.ids, sample),
            f"{how_to_read(e, unit)} The slider goes back in time.",
            *noted(e.notes),
        ],
    )


def how_to_read(e: Explanation, unit: str) -> str:
    """What colours say: only values with a sign can have raised or lowered anything."""
    if not e.signed:
        what = e.unit(unit, unit)
        what = "" if what == "importance" else f", in {what}"
        return f"Brighter: more important{what}; these values do not say whether up or down."
    if e.measures == "score per input":
        return f"Orange: a higher observation raises the forecast; blue: it lowers it, in {e.unit(unit, unit)}."
    unit = unit or e.output_unit
    return f"Orange: raised it; blue: lowered it{f', in {unit}' if unit else ''}. Stronger: by more."


def lags_of(e: Explanation, minutes: float | None) -> "tuple[np.ndarray[tuple[int], np.dtype[np.float64]], str]":
    """How long before the last observation each of the T observations was, up to 0, and in what: a unit of `LAG_NAMES`.

    Raises:
        InputError: where `minutes` is not above 0.
    """
    steps = np.arange(1 - np.shape(e.values)[2], 1, dtype=np.float64)
    if minutes is None and e.time_unit == "s" and len(steps) > 1:
        # Each by its own time: observations need not be evenly spaced.
        times = np.asarray(e.time, np.float64)
        return as_lags((times - times[-1]) / 60)
    if minutes is None:
        return steps, "step"
    if not minutes > 0:
        raise InputError(f"minutes: got {minutes}; expected the minutes between observations, above 0.")
    return as_lags(minutes * steps)


def signed_values(e: Explanation, sample: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """The values ``[T, N]`` of a sample with one instance; NaN where there is no observation.

    Raises:
        InputError: where `sample` is out of range, or the explanation has more than one instance.
    """
    expect("e", e, Explanation, "an explainer")
    samples, instances = np.shape(e.values)[:2]
    if not 0 <= sample < samples:
        raise InputError(f"sample: got {sample}; expected 0 to {samples - 1}.")
    if instances != 1:
        raise InputError(f"e: got {instances} instances; expected 1, because a road network has one copy of its graph.")
    return np.where(e.present[sample, 0], np.asarray(e.values[sample, 0], dtype=np.float64), np.nan)


def flattened(graph: "STGraph") -> "STGraph":
    """The graph with longitudes as short as they are at its latitude, where it has positions."""
    from stexplain.graph import STGraph

    if graph.positions is None:
        return graph
    # On a sphere a degree of longitude is cos(latitude) as long as one of latitude.
    shrunk = np.cos(np.deg2rad(float(graph.positions[:, 1].mean())))
    return STGraph.from_dict({**graph.to_dict(), "positions": (graph.positions * [shrunk, 1.0]).tolist()})
