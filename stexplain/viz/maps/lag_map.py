"""The explanation of a forecast as a heat map: sensor x lag."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from stexplain.axes import check_shape
from stexplain.checking import checked
from stexplain.explainers.arguments import check_counts
from stexplain.viz.maps.clip import TIME_TITLES, time_text, why_dark
from stexplain.viz.maps.road_network import how_to_read, lags_of, signed_values
from stexplain.viz.names import labelled, ordered, said, which_sample
from stexplain.viz.theme import (
    CATEGORIES,
    MUTED,
    beyond,
    colour_legend,
    colour_scale,
    layered,
    noted,
    one_line,
    rows,
    styled,
    titled,
)
from stexplain.wording import counted

if TYPE_CHECKING:
    from stexplain.explainers.explanation import Explanation

CELL = 17
"""Height of a row, in pixels."""


@checked
def lag_map(
    e: "Explanation",
    *,
    sample: int = 0,
    minutes: float | None = None,
    unit: str = "",
    nodes: int | Sequence[str] = 20,
    truth: ArrayLike | None = None,
    marked: Mapping[str, Sequence[str]] | None = None,
    title: str | None = None,
) -> alt.LayerChart:
    """Draws the signed explanation of a forecast as sensors x lags, the most important sensors first.

    The last row is the sum over all sensors that are not shown, so that the whole explanation is in the chart.

    Args:
        e: an explanation ``[B, 1, T, N]``.
        sample: index of the sample.
        minutes: minutes between observations, as for `road_network`.
        unit: of the forecast and of the observations, such as ``"mph"``; empty: those of the explanation.
        nodes: the sensors in order, or their number: those with the greatest sum of absolute values.
        truth: ground truth ``[T, N]``, bool: the positions that caused the event; drawn with a frame.
        marked: a word after the names of some sensors, such as ``{"forecast": ["s7"]}``.
        title: above the chart; by default the target.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where there is no such sample or node, or `truth` has another shape.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from stexplain.explainers import Forecast, IntegratedGradients
        >>> forecaster = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))  # four frames of three sensors, the next of each
        >>> e = IntegratedGradients(forecaster)(torch.randn(2, 1, 4, 3, 1), target=Forecast(2, layout="b n"))
        >>> chart = lag_map(e, minutes=5, unit="mph")
    """
    values = signed_values(e, sample)
    frames, count = values.shape
    names = list(e.node_names)
    if isinstance(nodes, int):
        check_counts(nodes=nodes)
        # Absolute values: a sensor that lowers the forecast is as important as one that raises it.
        weight = np.nan_to_num(np.abs(values)).sum(axis=0)
        nodes = [names[index] for index in np.argsort(-weight, kind="stable")[:nodes]]
    shown = ordered("node", names, nodes)
    at = [names.index(name) for name in shown]
    mark_of = {name: kind for kind, members in (marked or {}).items() for name in ordered("node", names, members)}
    ends = {name: f" ({mark_of[name]})" if name in mark_of else "" for name in shown}
    labels = [f"{name}{end}" for name, end in ends.items()]
    drawn = readable = values[:, at]
    others = [index for index in range(count) if index not in set(at)]
    if others:
        labels.append(counted(len(others), "other", "others, summed"))
        # nansum turns a frame without observations into 0; keep it missing, whatever the sensors that are shown have.
        unseen = np.isnan(values[:, others]).all(axis=1)
        rest = np.where(unseen, np.nan, np.nansum(values[:, others], axis=1))
        drawn = np.column_stack([drawn, rest])
        readable = drawn if not beyond(drawn[:, :-1], rest) else drawn[:, :-1]
    # The last frame has lag 0; drawing counts earlier frames as negative minutes.
    lags, kind = lags_of(e, minutes)
    table = pd.DataFrame(
        {
            "sensor": np.repeat(labels, frames),
            "lag": np.tile(lags, len(labels)),
            "time": np.tile([time_text(lag, kind) for lag in lags], len(labels)),
            "value": drawn.T.ravel(),
        }
    )
    width = max(40 * frames, 360)
    base = alt.Chart(rows(table)).encode(
        x=alt.X(
            "lag:O",
            title=TIME_TITLES[kind],
            axis=alt.Axis(labelAngle=0, labelExpr="-datum.value", ticks=False, domain=False),
        ),
        y=alt.Y(
            "sensor:N", sort=labels, title=None, axis=alt.Axis(**labelled(labels, 260, ends), ticks=False, domain=False)
        ),
        tooltip=[
            alt.Tooltip("sensor:N"),
            alt.Tooltip("time:N"),
            alt.Tooltip("value:Q", title=one_line(e.unit(unit, unit)), format="+.3~g" if e.signed else ".3~g"),
        ],
    )
    scale = colour_scale(readable, e.signed, clamp=readable is not drawn)
    legend = colour_legend(one_line(e.unit(unit, unit)), readable, e.signed)
    # Two layers, because Vega draws nothing for a null colour.
    filled = base.transform_filter("isValid(datum.value)").mark_rect(stroke=MUTED, strokeWidth=0.3)
    layers = [
        base.transform_filter("!isValid(datum.value)").mark_rect(color=MUTED, opacity=0.25),
        filled.encode(color=alt.Color("value:Q", scale=scale, legend=legend)),
    ]
    lines = [how_to_read(e, unit)]
    if truth is not None:
        positions = np.asarray(truth, dtype=bool)
        check_shape("truth", positions.shape, "t n", t=frames, n=count)
        frame, node = np.nonzero(positions[:, at])
        cause = pd.DataFrame({"sensor": [labels[index] for index in node], "lag": lags[frame]})
        layers.append(
            alt.Chart(rows(cause))
            .mark_rect(fill=None, stroke=CATEGORIES[2], strokeWidth=2.5)
            # The same sort as the other layers, or Vega sorts the shared axis by the alphabet.
            .encode(x="lag:O", y=_y(labels))
        )
        lines.append("Framed in green: ground truth.")
        outside = int(positions[:, others].sum())
        if outside:
            more = counted(outside, "more position of the ground truth is", "more positions of the ground truth are")
            lines.append(f"{more} at sensors that are not shown.")
    if readable is not drawn:
        lines.append(beyond(readable, drawn[:, -1]))
    if bool(np.isnan(drawn).any()):
        lines.append("Grey: no observation.")
    # Of values either way: none is bright where all are zero.
    lines.append(why_dark(np.abs(drawn)))
    chart = layered(*layers).properties(width=width, height=CELL * len(labels))
    head = title or f"Contribution of each sensor and lag: {e.target or 'the forecast'}"
    most = said(
        [f"{name} {when}" for name, when in zip(table["sensor"], table["time"], strict=True)], table["value"], 5
    )
    seen = f"Furthest from zero: {most}." if most else ""
    return styled(chart, titled(head, *which_sample(e.ids, sample), *lines, *noted(e.notes)), seen)


def _y(labels: Sequence[str]) -> alt.Y:
    return alt.Y("sensor:N", sort=list(labels))
