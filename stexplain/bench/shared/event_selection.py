"""Which forecasts are explained: events in which the target falls, and that the model forecast.

A forecast that misses an event cannot be explained by what caused the event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stexplain.bench.shared.forecasts import BATCH, Forecaster, last_observation
from stexplain.cards import Count, Part, Positive, Share
from stexplain.data.baselines.historical import HistoricalAverage
from stexplain.data.series import WindowedSeries
from stexplain.errors import InputError
from stexplain.wording import counted

COLUMNS = ("window", "node", "horizon", "last_observation", "observed", "forecast", "historical_average", "fall")


class EventSelection(Part):
    """Which forecasts are explained.

    Where the data has planted events, they are those of the test split. Elsewhere they are falls of a node's
    observations, from the end of the window to `horizon`.

    Attributes:
        horizon: how many steps ahead, where no events are planted.
        fall: by how much the observations must fall, in the unit of the series; needed where no events are planted.
        forecast_share: the share of the fall that the forecast must have.
        count: at most so many are explained.
    """

    horizon: Count = 6
    fall: Positive | None = None
    forecast_share: Share = 0.33
    count: Count = 60


@dataclass(frozen=True)
class SelectedEvents:
    """The events that are explained.

    Attributes:
        table: those that are explained, a row each: ``window`` (index in the split), ``node`` (index), ``horizon``,
            ``last_observation``, ``observed``, ``forecast``, ``historical_average``, ``fall`` (the part of the fall
            that was both forecast and observed); for planted ones ``event``.
        events: how many there were.
        forecast: how many of them the model forecast.
        rule: how they were chosen, in words.
    """

    table: pd.DataFrame
    events: int
    forecast: int
    rule: str


def planted_slowdowns(
    test: WindowedSeries, forecaster: Forecaster, average: HistoricalAverage, options: EventSelection
) -> SelectedEvents:
    """The planted events of a split that the model forecast, in the order of time.

    An event counts as forecast where the forecast is below the historical average by at least a share of what the
    observation was below it.
    """
    events = test.events
    nodes = {name: index for index, name in enumerate(() if test.graph is None else test.graph.nodes)}
    rows: list[dict[str, Any]] = []
    for start in range(0, len(events), BATCH):
        part = events.iloc[start : start + BATCH]
        batch = test.batch(part["window"].to_numpy())
        forecasts, averages = forecaster(batch), average.in_horizon(batch, test.target_channel)
        last = last_observation(batch, average, test.target_channel)
        for row, (number, event) in enumerate(part.iterrows()):
            node, step = nodes[str(event["target"])], int(event["horizon"]) - 1
            rows.append(
                {
                    "event": number,
                    "window": int(event["window"]),
                    "node": node,
                    "horizon": step + 1,
                    "last_observation": float(last[row, node]),
                    # Zero stands for a missing observation in the batch, and would pass for a slowdown.
                    "observed": float(batch.y[row, step, node]) if batch.y_observed[row, step, node] else np.nan,
                    "forecast": float(forecasts[row, step, node]),
                    "historical_average": float(averages[row, step, node]),
                }
            )
    table = pd.DataFrame(rows, columns=["event", *COLUMNS])
    # The smaller of both falls: what was both observed and forecast.
    table["fall"] = table["historical_average"] - np.maximum(table["observed"], table["forecast"])
    below = table["historical_average"] - table["observed"]
    # Noise may lift an observation above the average; its share would have the wrong sign. NaN compares as false.
    hit = (below > 0) & (table["historical_average"] - table["forecast"] >= options.forecast_share * below)
    matching = table[hit]
    rule = (
        "Explained are the planted slowdowns of the test split that the model forecast: its forecast is below the "
        f"historical average of that sensor and time of day by at least {options.forecast_share:.0%} of what the "
        f"observation was below it. Of {counted(len(table), 'slowdown')}, the model forecast {len(matching)}."
    )
    return SelectedEvents(_spread(matching, options.count), len(table), len(matching), rule)


def observed_slowdowns(
    test: WindowedSeries,
    forecaster: Forecaster,
    average: HistoricalAverage,
    options: EventSelection,
    minutes: float,
) -> SelectedEvents:
    """Falls of a node's observations, from the end of a window to the horizon of the options.

    The level at the end of the window is the median of its last three observations, that after it the median of the
    three around the horizon: one low observation is no slowdown. Of the windows that see the same fall at a node, that
    with the greatest fall counts. Those that were forecast are sorted by the fall that was both forecast and observed.

    Raises:
        InputError: where the options have no `fall`.
    """
    if options.fall is None:
        raise InputError("fall: got none; expected a number, in the unit of the series, where no events are planted.")
    step, tables = options.horizon - 1, []
    # Three steps around the horizon; the first has none before it.
    around = slice(max(step - 1, 0), step + 2)
    for number, batch in enumerate(test.batches(BATCH)):
        x, x_observed = batch.x[:, 0, -3:, :, test.target_channel].numpy(), batch.observed[:, 0, -3:].numpy()
        y, y_observed = batch.y[:, around].numpy(), batch.y_observed[:, around].numpy()
        present = x_observed.all(1) & y_observed.all(1)
        before, after = np.median(x, axis=1), np.median(y, axis=1)
        window, node = np.nonzero(present & (before - after >= options.fall))
        # Without a fall the model need not be called.
        if not len(window):
            continue
        forecasts, averages = forecaster(batch)[:, step], average.in_horizon(batch, test.target_channel)[:, step]
        # Index in the split, from the index in the batch.
        numbers = [number * BATCH + window, node, np.full(len(window), options.horizon)]
        # In the order of COLUMNS: a value per event, from arrays [B, N].
        values = [levels[window, node] for levels in (before, after, forecasts, averages)]
        tables.append(np.column_stack([*numbers, *values, values[0] - np.maximum(values[1], values[2])]))
    # The empty block keeps the columns where no window has a fall.
    table = pd.DataFrame(np.concatenate([np.zeros((0, len(COLUMNS))), *tables]), columns=list(COLUMNS))
    table = table.astype({"window": np.int64, "node": np.int64, "horizon": np.int64})
    distinct = _distinct(test, table)
    fell = distinct["last_observation"] - distinct["observed"]
    hit = distinct["last_observation"] - distinct["forecast"] >= options.forecast_share * fell
    matching = distinct[hit].sort_values("fall", ascending=False, kind="stable")
    rule = (
        f"Explained are slowdowns of the test split that the model forecast: within {minutes * options.horizon:g} "
        f"minutes the observations of a sensor fall by at least {options.fall:g} {test.unit} (medians of three), and "
        f"the forecast is below the last observations by at least {options.forecast_share:.0%} of that. Of "
        f"{counted(len(distinct), 'slowdown')}, the model forecast {len(matching)}."
    )
    return SelectedEvents(matching.head(options.count).reset_index(drop=True), len(distinct), len(matching), rule)


def _distinct(test: WindowedSeries, table: pd.DataFrame) -> pd.DataFrame:
    """One row per sensor and slowdown: of neighbouring windows, that with the greatest fall."""
    # Windows this far apart share no observation, neither read nor forecast.
    apart = test.window + test.horizon
    taken: dict[int, list[int]] = {}
    chosen = []
    # Greedy: the greatest fall first, then all that do not overlap a taken one. Stable, so that ties keep their order.
    order = (table["last_observation"] - table["observed"]).sort_values(ascending=False, kind="stable").index
    nodes, starts = table["node"].to_numpy(), test.starts[table["window"].to_numpy()]
    for index in order.tolist():
        node, start = int(nodes[index]), int(starts[index])
        if all(abs(start - other) >= apart for other in taken.get(node, ())):
            taken.setdefault(node, []).append(start)
            chosen.append(index)
    # Back in the order of time.
    return table.loc[sorted(chosen)].reset_index(drop=True)


def _spread(table: pd.DataFrame, count: int) -> pd.DataFrame:
    """At most so many rows, evenly spread."""
    # Over the whole time: the first events may all be of one morning.
    if len(table) > count:
        table = table.iloc[np.linspace(0, len(table) - 1, count).round().astype(np.int64)]
    return table.reset_index(drop=True)


def with_names(table: pd.DataFrame, test: WindowedSeries) -> pd.DataFrame:
    """The slowdowns with names and times in the place of indices."""
    names: Sequence[str] = test.graph.nodes if test.graph else [str(index) for index in range(test.nodes)]
    start = ["" if test.time is None else str(test.time_of(window)) for window in table["window"]]
    labelled = table.assign(target=[names[index] for index in table["node"]], start=start)
    columns = ["target", "start", "window", "horizon", "last_observation", "observed", "forecast", "historical_average"]
    return labelled[[*columns, *(["event"] if "event" in table else [])]]
