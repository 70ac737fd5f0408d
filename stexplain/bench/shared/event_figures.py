"""The figures of one event: its forecast, the network that it came from, and the map over time."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from stexplain.bench.figures import Figures
from stexplain.bench.run import Run
from stexplain.bench.shared.events import explanation_file
from stexplain.bench.shared.forecasts import forecaster_of, last_observation
from stexplain.cards import SeriesCard
from stexplain.explainers.explanation import Explanation
from stexplain.viz import forecast, lag_map, road_network

SENSORS = 12
"""Rows of a lag map; all other sensors are summed in one more."""


WIDE, NARROW = 560, 370
"""Width of a network in pixels, beside text and on a phone."""


def add_event(figures: Figures, run: Run, event: Mapping[str, Any], name: str) -> None:
    """Draws one event.

    Args:
        figures: where they go.
        run: the run; the explanations are in its folder.
        event: as the stage `events` gives it.
        name: of the figures.
    """
    assert isinstance(run.card, SeriesCard)
    test, average, part = run.windows("test"), run.historical_average, run.card.series
    channel = test.target_channel
    batch = test.batch([int(event["window"])])
    # Read back, not explained again: the figure shows the very map that was scored.
    e = Explanation.load(run.folder / explanation_file(event["method"]))[int(event["row"])]
    node = e.node_names.index(event["target"])
    # Missing observations are gaps in the line, and not the zeros that stand for them in the batch.
    past = np.where(batch.observed[0, 0, :, node].numpy(), batch.x[0, 0, :, node, channel].numpy(), np.nan)
    observed = np.where(batch.y_observed[0, :, node].numpy(), batch.y[0, :, node].numpy(), np.nan)
    ahead = part.minutes * event["horizon"]
    where = f"{event['target']}, {ahead:g} min ahead"
    when = f"Sensor {event['target']}" + (f", window from {event['start']}" if event.get("start") else "")
    forecasts = {run.model_card.title: forecaster_of(run.model())(batch)[0, :, node]}
    # Other stages may have trained variants of the model, each in a folder of its own.
    for path in sorted(run.folder.glob("*/model.json")):
        variant = path.parent.name
        forecasts[f"{run.model_card.title}, {variant.replace('_', ' ')}"] = forecaster_of(run.model(variant))(batch)[
            0, :, node
        ]
    # Persistence is a constant over the horizon.
    forecasts["last observation"] = np.full(test.horizon, last_observation(batch, average, channel)[0, node])
    forecasts["historical average"] = average.in_horizon(batch, channel)[0, :, node]
    figures.add(
        f"{name}-forecast",
        f"Forecasts and observations at {event['target']}",
        f"{when}. Explained is the forecast {ahead:g} minutes ahead.",
        forecast(
            past,
            observed,
            forecasts,
            minutes=part.minutes,
            unit=part.unit,
            horizon=int(event["horizon"]),
            title=f"Forecast at {where}",
        ),
    )
    truth, marked = None, {"forecast": [event["target"]]}
    if test.planted:
        event_truth = test.events_batch([int(event["event"])]).truth
        truth = None if event_truth is None else event_truth[0, 0].numpy()
        if truth is not None:
            # A node is marked where any of its frames is part of the cause.
            marked["ground truth"] = [e.node_names[index] for index in np.flatnonzero(truth.any(0))]

    def network(width: int) -> Any:
        return road_network(
            e,
            minutes=part.minutes,
            unit=part.unit,
            marked=marked,
            # Positions of a planted network are no places on earth, whatever their range.
            degrees=not test.planted and _in_degrees(e),
            width=width,
            title=f"The forecast at {where}",
        )

    figures.add(
        f"{name}-network",
        f"Importance of sensors for the forecast at {where}",
        f"{when}. By {event['method']}, against the historical average of each sensor and time of day.",
        network(WIDE),
        narrow=network(NARROW),
        answers=True,
    )
    figures.add(
        f"{name}-lags",
        f"Importance of sensors over time for the forecast at {where}",
        f"{when}. Each row is a sensor, each column a time before the last observation; the last row "
        "sums the sensors that are not shown.",
        lag_map(
            e,
            minutes=part.minutes,
            unit=part.unit,
            nodes=SENSORS,
            truth=truth,
            marked=marked,
            title=f"The forecast at {where}",
        ),
    )


def _in_degrees(e: Explanation) -> bool:
    """Whether positions may be longitude and latitude."""
    positions = None if e.graph is None else e.graph.positions
    return positions is not None and bool((np.abs(positions) <= [180.0, 90.0]).all())
