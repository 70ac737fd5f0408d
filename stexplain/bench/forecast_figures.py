"""The figures of a run of an experiment on forecasters."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from stexplain.bench.figures import Figures, scores_table
from stexplain.bench.forecast_job import ALONE, ForecastJob
from stexplain.bench.forecast_masking import masking_table
from stexplain.bench.forecast_score import MODEL
from stexplain.bench.forecasts import forecaster_of, last_readings
from stexplain.explainers.explanation import Explanation
from stexplain.viz import (
    deletion,
    forecast,
    history,
    horizon_errors,
    lag_map,
    localisation,
    masking_curves,
    road_network,
)

SENSORS = 12
"""Rows of a lag map; all other sensors are summed in one more."""


def errors_table(errors: Mapping[str, Mapping[str, Any]], model: str) -> pd.DataFrame:
    """The errors of a run as rows of ``method, measure, horizon, value``."""
    return pd.DataFrame(
        [
            {"method": model if name == MODEL else name, "measure": measure, "horizon": step + 1, "value": value}
            for name, measures in errors.items()
            for measure, values in measures.items()
            for step, value in enumerate(values)
        ]
    )


def forecast_figures(figures: Figures, job: ForecastJob, run: Mapping[str, Any]) -> None:
    """Draws everything that a run's report shows.

    Args:
        figures: where they go.
        job: the run; its maps and tables lie in its folder.
        run: its results, as `results.json` holds them.
    """
    part, title, short = job.card.series, str(run["model_title"]), job.model_card.name
    figures.add(
        f"errors-{short}",
        f"Errors by horizon, {title}",
        "On the test part. 'Without its graph' is the same network trained with each sensor hearing only itself.",
        horizon_errors(errors_table(run["errors"], title), minutes=part.minutes, unit=part.unit),
    )
    for folder, name in ((job.folder, title), (job.folder / ALONE, f"{title}, without its graph")):
        table = pd.read_csv(folder / "history.csv")
        figures.add(
            f"training-{short}{'' if folder == job.folder else f'-{ALONE}'}",
            f"Training, {name}",
            f"Recipe {run['recipe']}: {run['recipe_summary']}. Loss is the mean absolute error in {part.unit}.",
            history(table.drop(columns=[c for c in table if "accuracy" in str(c)]), title=f"Training, {name}"),
        )
    for number, event in enumerate(run["events"]["shown"]):
        _slowdown(figures, job, event, f"event{number + 1}", title)
    if run["deletion"]:
        figures.add(
            f"deletion-{short}",
            "Replacing readings by what is usual",
            "How far the forecast is from that of the unaltered window, mean over the slowdowns that are explained.",
            deletion(
                pd.read_csv(job.folder / "deletion.csv"),
                score=part.unit,
                title="How the forecast moves as readings are replaced",
            ),
        )
    if run["masking"]:
        figures.add(
            f"masking-{short}",
            "Hiding whole sensors",
            f"Error of the forecasts that are explained, as {run['masked_nodes']} sensors go towards what is usual: "
            "those that a method ranks first, the last, and as many at random. Bands are 95% bootstrap intervals.",
            masking_curves(
                masking_table(run["masking"]),
                panel="method",
                measure="error",
                unit=part.unit,
                columns=3,
                title="Error of the forecast as sensors are hidden",
            ),
        )
    if run["localisation"]:
        figures.add(
            f"localisation-{short}",
            "Does it find what was planted?",
            "The planted cause against the explanation, over sensors (nodes), over lags (frames), and over both at "
            "once (cells). The controls know no model. Bars are 95% bootstrap intervals.",
            localisation(scores_table(run["localisation"]), title="Does it find the planted cause?"),
        )


def _slowdown(figures: Figures, job: ForecastJob, event: Mapping[str, Any], name: str, title: str) -> None:
    """One slowdown: what was forecast, on the roads, and lag by lag."""
    test, usual, part = job.test_part, job.usual, job.card.series
    channel = test.target_channel
    batch = test.batch([int(event["window"])])
    e = Explanation.load(job.folder / f"maps-{event['method']}.nc")[int(event["row"])]
    node = e.node_names.index(event["target"])
    past = np.where(batch.observed[0, 0, :, node].numpy(), batch.x[0, 0, :, node, channel].numpy(), np.nan)
    came = np.where(batch.y_observed[0, :, node].numpy(), batch.y[0, :, node].numpy(), np.nan)
    ahead = part.minutes * event["horizon"]
    where = f"{event['target']}, {ahead:g} min ahead"
    when = f"Sensor {event['target']}" + (f", window from {event['start']}" if event.get("start") else "")
    figures.add(
        f"{name}a",
        f"What was forecast at {event['target']}, and what came",
        f"{when}. The forecast that is explained is that of {ahead:g} minutes ahead.",
        forecast(
            past,
            came,
            {
                title: forecaster_of(job.model())(batch)[0, :, node],
                "without its graph": forecaster_of(job.model(alone=True))(batch)[0, :, node],
                "the last reading": np.full(test.horizon, last_readings(batch, usual, channel)[0, node]),
                "usual at that time of day": usual.in_horizon(batch, channel)[0, :, node],
            },
            minutes=part.minutes,
            unit=part.unit,
            horizon=int(event["horizon"]),
            title=f"Forecast at {where}",
        ),
    )
    truth = None
    marked = {"forecast": [event["target"]]}
    if test.planted:
        found = test.events_batch([int(event["event"])]).truth
        truth = None if found is None else found[0, 0].numpy()
        if truth is not None:
            marked["planted cause"] = [e.node_names[index] for index in np.flatnonzero(truth.any(0))]
    figures.add(
        f"{name}b",
        f"Which sensors made the forecast at {where}",
        f"{when}. By {e.method}, against what is usual at each sensor at that time of day.",
        road_network(
            e,
            minutes=part.minutes,
            unit=part.unit,
            marked=marked,
            degrees=not test.planted and _in_degrees(e),
            title=f"The forecast at {where}",
        ),
    )
    figures.add(
        f"{name}c",
        f"Which sensor, how long before: the forecast at {where}",
        f"{when}. Each row is a sensor, each column a reading; the last row holds all that is not shown.",
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
