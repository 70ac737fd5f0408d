"""Sensors on their roads, as large and as coloured as their readings weighed in a forecast, lag by lag."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import altair as alt
import numpy as np

from stexplain.errors import InputError
from stexplain.viz.maps.network import NAMED, network

if TYPE_CHECKING:
    from stexplain.explainers.explanation import Explanation
    from stexplain.graph import STGraph


def road_network(
    e: "Explanation",
    *,
    sample: int = 0,
    minutes: float = 5.0,
    unit: str = "mph",
    marked: Mapping[str, Sequence[str]] | None = None,
    labels: int = 12,
    degrees: bool = False,
    graph: "STGraph | None" = None,
    width: int = 680,
    height: int | None = None,
    title: str | None = None,
) -> alt.LayerChart:
    """Draws the signed explanation of a forecast on the road network, with a slider over lags.

    The slider counts minutes back from the last reading that the model saw, and opens where a reading weighed most.
    Orange readings raised the forecast, blue ones lowered it.

    Args:
        e: an explanation ``[B, 1, T, N]``, in `unit`.
        sample: which sample of it.
        minutes: from one reading to the next.
        unit: of the values.
        marked: sensors to be ringed, see `network`.
        labels: of more than 40 sensors, so many that weigh most are named, besides those marked and where there is
            room; all are in tooltips.
        degrees: whether positions are longitude and latitude: degrees of longitude are then drawn shorter, as they are
            away from the equator.
        graph: the roads to draw; the explanation's own where not given.
        width: in pixels.
        height: in pixels; as the roads need it where not given, between 240 and 560.
        title: above the figure; by default what is explained.

    Raises:
        InputError: where there is no such sample, or no graph.
    """
    values = signed(e, sample)
    drawn = graph if graph is not None else e.graph
    if drawn is None:
        raise InputError("the explanation carries no graph, so where its sensors lie is not known. Pass graph=.")
    names: list[str] | None = None
    if len(drawn) > NAMED:
        weight = np.nan_to_num(np.abs(values)).max(axis=0)
        first = [name for members in (marked or {}).values() for name in members]
        most = [drawn.nodes[index] for index in np.argsort(-weight, kind="stable")[:labels] if weight[index] > 0]
        names = list(dict.fromkeys([*first, *most]))
    drawn = _flattened(drawn) if degrees else drawn
    if height is None and drawn.positions is not None:
        across, up = np.maximum(np.ptp(drawn.positions, axis=0), 1e-9)
        height = int(np.clip(width * up / across + 40, 240, 560))
    return network(
        drawn,
        values,
        time=minutes * np.arange(1 - len(values), 1),
        time_unit="min",
        labels=names,
        marked=marked,
        width=width,
        height=height or 440,
        unit=unit,
        title=title or f"Which readings made {e.target or 'the forecast'}",
        subtitle=[
            f"Orange: raised it; blue: lowered it, in {unit}. Larger: by more. Drag the slider through the lags."
        ],
    )


def signed(e: "Explanation", sample: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """The values ``[T, N]`` of one sample of one instance; NaN in frames that hold no reading.

    Raises:
        InputError: where there is no such sample, or more than one instance.
    """
    samples, instances = np.shape(e.values)[:2]
    if not 0 <= sample < samples:
        raise InputError(f"sample is {sample}; the explanation holds samples 0 to {samples - 1}.")
    if instances != 1:
        raise InputError(f"the explanation has {instances} instances; a road network is there once.")
    valid = np.asarray(e.valid[sample, 0], dtype=bool)
    return np.where(valid[:, None], np.asarray(e.values[sample, 0], dtype=np.float64), np.nan)


def _flattened(graph: "STGraph") -> "STGraph":
    from stexplain.graph import STGraph

    if graph.positions is None:
        return graph
    shrunk = np.cos(np.deg2rad(float(graph.positions[:, 1].mean())))
    return STGraph.from_dict({**graph.to_dict(), "positions": (graph.positions * [shrunk, 1.0]).tolist()})
