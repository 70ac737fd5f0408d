"""A forecast for one node beside the observed values."""

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from stexplain.axes import check_shape
from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.viz.columns import expect, numbers
from stexplain.viz.theme import CATEGORIES, MUTED, layered, one_line, rows, styled, titled

OBSERVED = "observed"
DASHES = ([1, 0], [6, 3], [2, 3], [8, 3, 2, 3])
SHAPES = ("circle", "square", "diamond", "triangle-up", "cross")


@checked
def forecast(
    past: ArrayLike,
    observed: ArrayLike,
    forecasts: Mapping[str, ArrayLike],
    *,
    minutes: float = 5.0,
    unit: str = "",
    horizon: int | None = None,
    title: str = "Forecast and observed values",
    note: str = "",
) -> alt.LayerChart:
    """Draws the input window of one node, the values observed after it, and the forecasts.

    Args:
        past: observations in the input window, ``[T]``, in `unit`; NaN where missing.
        observed: observations after the window, ``[H]``; NaN where missing.
        forecasts: forecasts ``[H]`` by name, such as those of the model and of persistence; the first has a solid line.
        minutes: minutes between observations.
        unit: of the values; empty: not said.
        horizon: the step that is explained, from 1; marked in the chart.
        title: above the chart.
        note: a line below the title, such as the date.

    Returns:
        A chart of altair; `stexplain.viz.save` writes it.

    Raises:
        InputError: where shapes do not match, or `horizon` is out of range.

    Example:
        >>> chart = forecast([60.0, 58.0], [50.0, 40.0], {"model": [52.0, 44.0]})
        >>> [row["minutes"] for row in chart.layer[1].data.values if row["line"] == "model"]
        [5.0, 10.0]
    """
    expect("forecasts", forecasts, Mapping, "a name for each array of forecasts")
    unit, minutes = one_line(unit), float(minutes)
    before, after = numbers("past", past), numbers("observed", observed)
    check_shape("past", before.shape, "t")
    steps = check_shape("observed", after.shape, "h")["h"]
    if horizon is not None and not 1 <= horizon <= steps:
        raise InputError(f"horizon: got {horizon}; expected a step from 1 to {steps}.")
    parts = [
        pd.DataFrame(
            {
                "line": OBSERVED,
                # The last observation of the window is at minute 0.
                "minutes": minutes * np.arange(1 - len(before), steps + 1),
                "value": np.concatenate([before, after]),
            }
        )
    ]
    for name, values in forecasts.items():
        ahead = numbers(f"forecast {name!r}", values)
        check_shape(f"forecast {name!r}", ahead.shape, "h", h=steps)
        parts.append(pd.DataFrame({"line": str(name), "minutes": minutes * np.arange(1, steps + 1), "value": ahead}))
    table = pd.concat(parts)
    kinds = [OBSERVED, *map(str, forecasts)]
    # The model, listed first, is orange-red; colours, dashes and shapes repeat from the fifth forecast on.
    colours = [MUTED, *([CATEGORIES[1], CATEGORIES[0], CATEGORIES[2], CATEGORIES[3]] * len(kinds))[: len(kinds) - 1]]
    legend = alt.Legend(title=None, orient="top", symbolStrokeWidth=0, symbolSize=110, columns=3)
    colour = alt.Color("line:N", scale=alt.Scale(domain=kinds, range=colours), legend=legend)
    dash = alt.StrokeDash(
        "line:N",
        scale=alt.Scale(domain=kinds, range=[[1, 0], *(DASHES * len(kinds))[: len(kinds) - 1]]),
        legend=None,
    )
    shapes = alt.Scale(domain=kinds, range=[*(SHAPES * len(kinds))[: len(kinds)]])
    across = "minutes after the last observation in the window"
    x = alt.X(
        "minutes:Q",
        title=across,
        scale=alt.Scale(domain=[minutes * (1 - len(before)), minutes * steps], nice=False),
    )
    # Not from zero: speeds between 50 and 65 would be one flat line.
    y = alt.Y("value:Q", title=unit or "value", scale=alt.Scale(zero=False, padding=12))
    base = alt.Chart(rows(table))
    tip = [
        alt.Tooltip("line:N", title="line"),
        alt.Tooltip("minutes:Q"),
        alt.Tooltip("value:Q", title=unit or "value", format=".4~g"),
    ]
    window = pd.DataFrame({"from": [minutes * (1 - len(before))], "to": [0.0]})
    # Every layer repeats the axis title: Vega would otherwise join the titles of layers with commas.
    layers = [
        alt.Chart(rows(window)).mark_rect(color=MUTED, opacity=0.13).encode(x=alt.X("from:Q", title=across), x2="to:Q"),
        base.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour, strokeDash=dash),
        base.mark_point(filled=True, size=36, opacity=1).encode(
            x=x, y=y, color=colour, shape=alt.Shape("line:N", scale=shapes, legend=legend), tooltip=tip
        ),
    ]
    # A chart of its own, or the rule would be drawn once for every row of the table.
    if horizon is not None:
        at = alt.Chart(rows(pd.DataFrame({"minutes": [minutes * horizon]})))
        layers.append(
            at.mark_rule(strokeDash=[3, 3], color=MUTED, strokeWidth=1.5).encode(x=alt.X("minutes:Q", title=across))
        )
    chart = layered(*layers).properties(width=520, height=260)
    how = "Shaded: the input window."
    if horizon is not None:
        how += f" Dashed: the explained forecast, {minutes * horizon:g} minutes ahead."
    return styled(chart, titled(title, note, how))
