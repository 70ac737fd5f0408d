"""Slowdowns that the model forecast, and their explanations; writes `events.csv` and `explanations-METHOD.nc`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.bench.figures import Figures
from stexplain.bench.html import items, listed, number, paragraph, percent, rounded, table
from stexplain.bench.run import FORECASTING, Run
from stexplain.bench.shared.event_figures import add_event
from stexplain.bench.shared.event_selection import (
    EventSelection,
    SelectedEvents,
    observed_slowdowns,
    planted_slowdowns,
    with_names,
)
from stexplain.bench.shared.events import BASELINES, event_groups, events_of, explanation_file, explanations
from stexplain.bench.shared.forecasts import Forecaster, forecaster_of
from stexplain.bench.stage import Card, Parts, Results, RunResults, Stage, Table
from stexplain.cards import Count, SeriesCard
from stexplain.explainers.explanation import Explanation
from stexplain.files import atomic_write
from stexplain.intervals.bootstrap import interval, ratio_interval
from stexplain.viz.maps.clip import earlier
from stexplain.wording import counted

CONTRIBUTIONS = 8
"""Positions that are kept of each event that is drawn."""
NAMED = 4
"""Positions with_names per event in the summary."""
LISTED = 12
"""Events listed in the report; all are in the table."""
INCOMPLETE = 0.05
"""The share of a change that a map may miss before the report says so."""


class Options(EventSelection):
    """Which forecasts are explained and drawn; see `EventSelection` for the other options.

    Attributes:
        shown: so many events are drawn.
        steps: points of integrated gradients.
    """

    shown: Count = 2
    steps: Count = 16


class EventsStage(Stage[Options]):
    """Which sensors, and when, lowered the forecasts of slowdowns."""

    title = "Explained slowdowns"
    tasks = (FORECASTING,)
    Options = Options

    def check(self, run: Run) -> Iterator[str]:
        """Without planted events, falls must be found in the observations."""
        if self.options.fall is None and (run.card.planted is None or run.data is not None):
            yield f"fall: got none; expected a number, as the series {run.card.name!r} has no planted events."

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Chooses and explains the events."""
        model, test = run.model(), run.windows("test")
        chosen = self._chosen(run, forecaster_of(model))
        table = with_names(chosen.table, test)
        with atomic_write(run.folder / "events.csv") as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g")
        # A missing observation is NaN here, and null in results.json.
        explained: list[dict[str, Any]] = table.to_dict("records")  # type: ignore[assignment]  # columns have names
        counts = {"rule": chosen.rule, "events": chosen.events, "forecast": chosen.forecast}
        # A weak model may forecast no slowdown: the stages that follow then have nothing to explain.
        if not explained:
            return {**counts, "explained": [], "methods": [], "shown": []}
        events, groups = events_of(run, explained), event_groups(test, explained)
        explained_by = explanations(
            model,
            events,
            run.historical_average,
            training=run.windows("train"),
            seed=run.seed,
            steps=self.options.steps,
        )
        for name, e in explained_by.items():
            e.save(run.folder / explanation_file(name))
        return {
            **counts,
            "explained": explained,
            "methods": list(explained_by),
            # The one method that explains a layer; the others explain the input.
            "layer": explained_by["STGGradCAM"].layer,
            "shown": self._shown(chosen.table["fall"], explained, explained_by),
            "completeness_gap": {
                name: _completeness_gap(e, groups, run.seed)
                for name, e in explained_by.items()
                # Only integrated gradients promise a sum, and say by how much they miss it.
                if "convergence_delta" in e.extra
            },
            "share_at_other_nodes": {
                name: _elsewhere(e, events.node, groups, run.seed)
                for name, e in explained_by.items()
                # Of the data or of chance alone the share tells nothing.
                if name not in BASELINES
            },
        }

    def _chosen(self, run: Run, forecaster: Forecaster) -> SelectedEvents:
        test, average = run.windows("test"), run.historical_average
        if test.planted:
            return planted_slowdowns(test, forecaster, average, self.options)
        assert isinstance(run.card, SeriesCard)
        return observed_slowdowns(test, forecaster, average, self.options, run.card.series.minutes)

    def _shown(
        self, fall: "pd.Series[float]", explained: Sequence[Mapping[str, Any]], explained_by: Mapping[str, Explanation]
    ) -> list[dict[str, Any]]:
        """The events that are drawn: those of the greatest fall in both observation and forecast, one per sensor."""
        method, e = next(iter(explained_by.items()))
        shown: list[dict[str, Any]] = []
        for row in fall.sort_values(ascending=False, kind="stable").index:
            if len(shown) == self.options.shown:
                break
            # Several windows see one slowdown of a sensor; another sensor tells more.
            if explained[row]["target"] in [event["target"] for event in shown]:
                continue
            values = e.values[row, 0]  # [T, N]: a series has one instance
            # The most negative first: what lowered the forecast.
            order = np.argsort(values, axis=None, kind="stable")[:CONTRIBUTIONS]
            contributions = [
                # Lag 0 is the last frame of the window.
                {"node": e.node_names[node], "lag": len(values) - 1 - frame, "value": float(values[frame, node])}
                for frame, node in zip(*np.unravel_index(order, values.shape), strict=True)
                # A position that raised the forecast lowered nothing, even where fewer than requested are left.
                if values[frame, node] < 0
            ]
            shown.append({**explained[row], "row": int(row), "method": method, "contributions": contributions})
        return shown

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """Each event that is drawn: its forecast, on the network, and over time."""
        for index, event in enumerate(results[self.name]["shown"], 1):
            add_event(figures, run, event, str(index))

    def section(self, runs: Sequence[RunResults]) -> str:
        """Which events are explained, and how much of it lies at other sensors."""
        parts = []
        for run in runs:
            result = run.stages[self.name]
            parts.append(paragraph(str(result["rule"])))
            body = [
                [event["target"], event.get("start"), run.minutes(event["horizon"])]
                + [_one(event[key]) for key in ("last_observation", "observed", "forecast", "historical_average")]
                for event in result["explained"]
            ]
            head = ["sensor", "window begins", "horizon", f"last observation, {run.unit}", f"observed, {run.unit}"]
            head += [f"forecast, {run.unit}", f"historical average, {run.unit}"]
            many = len(body) > LISTED
            caption = f"{LISTED} of the {len(body)} explained slowdowns; all are under Tables" if many else ""
            if body:
                parts.append(table(head, body[:LISTED], caption=caption or f"The {len(body)} explained slowdowns"))
            # Results without an explained event have no shares.
            shares = [[method, number(score)] for method, score in (result.get("share_at_other_nodes") or {}).items()]
            if shares:
                parts.append(
                    paragraph(
                        "The share of a map's absolute values at sensors other than the one whose forecast is "
                        "explained. For a model without message passing the share of gradients is 0."
                    )
                )
                parts.append(table(["method", "share (95% interval)"], shares, caption="Importance at other sensors"))
        return "".join(parts)

    def summary(self, runs: Sequence[RunResults]) -> Card | None:
        """What lowered the forecasts that are drawn."""
        lines, methods = [], set()
        for run in runs:
            for event in run.stages[self.name]["shown"]:
                methods.add(str(event["method"]))
                start = f", window from {event['start']}" if event.get("start") else ""
                which = [
                    f"{position['node']}, {ago(run, position['lag'])}: {rounded(position['value'], 1, '+')} {run.unit}"
                    for position in event["contributions"][:NAMED]
                ]
                lines.append(
                    f"{event['target']}{start}, {run.minutes(event['horizon'])} ahead: forecast "
                    f"{rounded(event['forecast'], 0)} {run.unit}, observed {rounded(event['observed'], 0)}, "
                    f"historical average {rounded(event['historical_average'], 0)}. "
                    f"Lowered most by {'; '.join(which) or 'nothing'}."
                )
        if not lines:
            return Card(
                "Explained slowdowns", paragraph("The model forecast no slowdown, so none was explained."), True
            )
        intro = f"Importance by {listed(sorted(methods))}, in the unit of the forecast:"
        return Card("What lowered the forecasts", paragraph(intro) + items(lines), True)

    def caveats(self, runs: Sequence[RunResults]) -> Iterator[str]:
        """Only what was forecast is explained; maps may be incomplete; the baseline matters."""
        for run in runs:
            results = [each.stages[self.name] for each in run.trainings if self.name in each.stages]
            # Of one training this is said of it; of several, from the fewest or least to the most.
            over = f" over {len(results)} trainings" if len(results) > 1 else ""
            if events := max(result["events"] for result in results):
                counts = sorted({result["forecast"] for result in results})
                forecast = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
                yield (
                    f"Of {counted(events, 'slowdown')}, the model forecast {forecast}{over}; only those are "
                    "explained, as a forecast that misses a slowdown cannot be explained by its cause."
                )
            for method in results[0].get("completeness_gap") or {}:
                found = [((result.get("completeness_gap") or {}).get(method) or {}).get("value") for result in results]
                gap = max((value for value in found if value is not None), default=0.0)
                if gap > INCOMPLETE:
                    yield (
                        f"Maps by {method} miss {'up to ' if over else ''}{percent(gap)} of the change of the forecast "
                        f"that they should sum to{over}; more steps from the historical average would reduce this."
                    )
        if runs:
            yield "The result depends on the baseline, which is the historical average of each sensor and time of day."

    def tables(self, runs: Sequence[RunResults]) -> Mapping[str, Table]:
        """All events that are explained."""
        frames = [pd.DataFrame(run.stages[self.name]["explained"]).assign(run=run.name) for run in runs]
        frames = [frame for frame in frames if len(frame)]
        return {"events": Table("Explained slowdowns", pd.concat(frames))} if frames else {}


def _one(value: float | None) -> str:
    return "–" if value is None else rounded(value, 1)


def _elsewhere(e: Explanation, node: NDArray[np.int64], groups: Any, seed: int) -> dict[str, float]:
    """The share of a map's absolute values at other nodes than that of the forecast, mean over events."""
    size = np.abs(e.values).sum((1, 2))  # [B, N]
    at_target = size[np.arange(len(size)), node]
    total = size.sum(1)
    # An empty map has no share.
    share = np.where(total > 0, 1 - at_target / np.where(total > 0, total, 1), np.nan)
    return interval(share, groups=groups, seed=seed, bounds=(0, 1)).to_dict()


def _completeness_gap(e: Explanation, groups: Any, seed: int) -> dict[str, float]:
    """By how much maps miss the change of the forecast that they should sum to, as a share of it over all events."""
    # Over all events at once, as a share of a change near zero says nothing.
    delta = e.extra["convergence_delta"].astype(np.float64)
    other = np.abs(e.values.sum((1, 2, 3)) - delta)
    return ratio_interval(np.abs(delta), other, groups=groups, seed=seed).to_dict()


def ago(run: RunResults, frames: float) -> str:
    """How long before the last observation, in the words of the charts."""
    return earlier(run.minutes(frames) if frames else "")
