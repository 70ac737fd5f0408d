"""Which forecasts are explained: slowdowns that came, and that the model foresaw."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stexplain.bench.forecast_experiment import Slowdowns
from stexplain.bench.forecasts import BATCH, Forecaster, last_readings
from stexplain.data.series import WindowedSeries
from stexplain.training.daily_average import HistoricalAverage

COLUMNS = ("window", "node", "horizon", "before", "observed", "forecast", "usual", "strength")


@dataclass(frozen=True)
class Chosen:
    """Slowdowns.

    Attributes:
        table: those that are explained, a row each: ``window`` (index in the part), ``node`` (index), ``horizon``,
            ``before`` (what was read), ``observed`` (what came), ``forecast``, ``usual``, ``strength`` (the fall that
            was both forecast and observed); for planted ones ``event``.
        found: how many there were.
        foreseen: how many of them the model foresaw.
        rule: how they were chosen, in words.
    """

    table: pd.DataFrame
    found: int
    foreseen: int
    rule: str


def planted_slowdowns(
    test: WindowedSeries, forecaster: Forecaster, usual: HistoricalAverage, asked: Slowdowns
) -> Chosen:
    """The planted events of a part that the model foresaw, in the order of time.

    Foreseen means that the forecast is below what is usual by at least a share of what the reading was below it.
    """
    events = test.events
    nodes = {name: index for index, name in enumerate(() if test.graph is None else test.graph.nodes)}
    rows: list[dict[str, Any]] = []
    for at in range(0, len(events), BATCH):
        part = events.iloc[at : at + BATCH]
        batch = test.batch(part["window"].to_numpy())
        found, normal = forecaster(batch), usual.in_horizon(batch, test.target_channel)
        last = last_readings(batch, usual, test.target_channel)
        for row, (number, event) in enumerate(part.iterrows()):
            node, step = nodes[str(event["target"])], int(event["horizon"]) - 1
            rows.append(
                {
                    "event": number,
                    "window": int(event["window"]),
                    "node": node,
                    "horizon": step + 1,
                    "before": float(last[row, node]),
                    "observed": float(batch.y[row, step, node]) if batch.y_observed[row, step, node] else np.nan,
                    "forecast": float(found[row, step, node]),
                    "usual": float(normal[row, step, node]),
                }
            )
    table = pd.DataFrame(rows, columns=["event", *COLUMNS])
    table["strength"] = table["usual"] - np.maximum(table["observed"], table["forecast"])
    fell = table["usual"] - table["observed"]
    foreseen = table[(fell > 0) & (table["usual"] - table["forecast"] >= asked.foreseen * fell)]
    rule = (
        f"Explained are the planted slowdowns of the test part that the network foresaw: its forecast lies below what "
        f"is usual at that sensor and time of day by at least {asked.foreseen:.0%} of what came. Of {len(table)} "
        f"slowdowns it foresaw {len(foreseen)}."
    )
    return Chosen(_spread(foreseen, asked.count), len(table), len(foreseen), rule)


def observed_slowdowns(
    test: WindowedSeries, forecaster: Forecaster, usual: HistoricalAverage, asked: Slowdowns, minutes: float
) -> Chosen:
    """Falls of what a sensor reads, from the end of a window to the horizon asked for.

    The level before is the median of the last three readings of the window, that after the median of the three around
    the horizon: one low reading is no slowdown. Of the windows that see the same fall at a sensor, that with the
    greatest fall counts. Those that were foreseen are sorted by the fall that was both forecast and observed.
    """
    step, tables = asked.horizon - 1, []
    around = slice(max(step - 1, 0), step + 2)
    for at, batch in enumerate(test.batches(BATCH)):
        x, seen = batch.x[:, 0, -3:, :, test.target_channel].numpy(), batch.observed[:, 0, -3:].numpy()
        y, came = batch.y[:, around].numpy(), batch.y_observed[:, around].numpy()
        there = seen.all(1) & came.all(1)
        before, after = np.median(x, axis=1), np.median(y, axis=1)
        window, node = np.nonzero(there & (before - after >= asked.fall))
        if not len(window):
            continue
        found, normal = forecaster(batch)[:, step], usual.in_horizon(batch, test.target_channel)[:, step]
        numbers = [at * BATCH + window, node, np.full(len(window), asked.horizon)]
        values = [each[window, node] for each in (before, after, found, normal)]
        tables.append(np.column_stack([*numbers, *values, values[0] - np.maximum(values[1], values[2])]))
    table = pd.DataFrame(np.concatenate([np.zeros((0, len(COLUMNS))), *tables]), columns=list(COLUMNS))
    table = table.astype({"window": np.int64, "node": np.int64, "horizon": np.int64})
    distinct = _distinct(test, table)
    fell = distinct["before"] - distinct["observed"]
    foreseen = distinct[distinct["before"] - distinct["forecast"] >= asked.foreseen * fell]
    foreseen = foreseen.sort_values("strength", ascending=False, kind="stable")
    rule = (
        f"Explained are slowdowns of the test part that the network foresaw: within {minutes * asked.horizon:g} "
        f"minutes a sensor's readings fall by at least {asked.fall:g} {test.unit} (medians of three), and the forecast "
        f"lies below the readings before by at least {asked.foreseen:.0%} of that. Of {len(distinct)} slowdowns it "
        f"foresaw {len(foreseen)}."
    )
    return Chosen(foreseen.head(asked.count).reset_index(drop=True), len(distinct), len(foreseen), rule)


def _distinct(test: WindowedSeries, table: pd.DataFrame) -> pd.DataFrame:
    """One row per sensor and slowdown: of neighbouring windows, that with the greatest fall."""
    apart = test.window + test.horizon
    taken: dict[int, list[int]] = {}
    kept = []
    order = (table["before"] - table["observed"]).sort_values(ascending=False, kind="stable").index
    nodes, starts = table["node"].to_numpy(), test.starts[table["window"].to_numpy()]
    for index in order.tolist():
        node, start = int(nodes[index]), int(starts[index])
        if all(abs(start - other) >= apart for other in taken.get(node, ())):
            taken.setdefault(node, []).append(start)
            kept.append(index)
    return table.loc[sorted(kept)].reset_index(drop=True)


def _spread(table: pd.DataFrame, count: int) -> pd.DataFrame:
    """At most so many rows, evenly spread."""
    if len(table) > count:
        table = table.iloc[np.linspace(0, len(table) - 1, count).round().astype(np.int64)]
    return table.reset_index(drop=True)
