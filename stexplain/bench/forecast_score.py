"""Evaluates a forecaster beside baselines, explains the slowdowns that it foresaw, and scores the explanations."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from stexplain.bench.forecast_experiment import ForecastExperiment
from stexplain.bench.forecast_job import ForecastJob
from stexplain.bench.forecast_masking import masked
from stexplain.bench.forecasts import Forecaster, forecaster_of
from stexplain.bench.slowdowns import Chosen, observed_slowdowns, planted_slowdowns
from stexplain.data.series import WindowedSeries
from stexplain.data.windows import WindowBatch
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.baselines import Motion, Random
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.targets import Forecast, PerSample
from stexplain.files import atomic_write
from stexplain.metrics.bootstrap import interval, ratio_interval
from stexplain.metrics.deletion import KINDS, deletion_curve
from stexplain.metrics.localisation import OVER, localisation
from stexplain.training import evaluate_forecast, historical_average, persistence
from stexplain.training.daily_average import HistoricalAverage
from stexplain.training.forecast import METRICS

MODEL, WITHOUT = "model", "without its graph"
"""Names of the forecasts of the model, and of the same model trained without its graph."""
CHANGE = "GradientTimesChange"
"""The gradient times the difference from what is usual, in the unit of the forecast."""
CONTROLS = ("Motion", "Random")
MEASURES = {"auroc": "auroc", "average_precision": "ap", "pointing": "pointing"}
"""Scores of `stexplain.metrics.localisation` that are reported, and their names in `results.json`."""


def evaluate_run(job: ForecastJob, experiment: ForecastExperiment) -> Mapping[str, Any]:
    """Errors of the model, of the one without its graph, of persistence and of the historical average."""
    train, test = job.train_part, job.test_part
    found = {
        MODEL: evaluate_forecast(job.model(), test),
        WITHOUT: evaluate_forecast(job.model(alone=True), test),
        "persistence": persistence(train, test),
    }
    if test.time is not None:
        found["historical average"] = historical_average(train, test)
    horizons = [step for step in experiment.horizons if step <= test.horizon]
    return {
        "train": len(train),
        "validation": len(job.validation_part),
        "test": len(test),
        "horizons": horizons,
        "drawn": found[MODEL].block,
        "errors": {
            name: {metric: getattr(errors, metric).tolist() for metric in METRICS} for name, errors in found.items()
        },
        "differences": {
            name: {str(step): errors.minus(found[MODEL], horizon=step, seed=job.seed)._asdict() for step in horizons}
            for name, errors in found.items()
            if name != MODEL
        },
    }


def explain_run(job: ForecastJob, experiment: ForecastExperiment) -> Mapping[str, Any]:
    """Explains the slowdowns that the model foresaw, and scores the explanations.

    Writes `slowdowns.csv`, `deletion.csv` and `maps-METHOD.nc` into the run's folder.
    """
    model, test, usual = job.model(), job.test_part, job.usual
    chosen = _chosen(job, experiment, forecaster_of(model))
    table = chosen.table
    _write(job, "slowdowns.csv", _named(table, test))
    said = {"rule": chosen.rule, "found": chosen.found, "foreseen": chosen.foreseen}
    if table.empty:
        empty: dict[str, Any] = {"localisation": None, "deletion": {}, "masking": {}, "incomplete": {}, "elsewhere": {}}
        return {"events": {**said, "explained": [], "shown": []}, **empty}
    batch = _batch(test, table)
    nodes = [test.graph.nodes[index] if test.graph else index for index in table["node"].tolist()]
    goal = PerSample([Forecast(node, step) for node, step in zip(nodes, table["horizon"].tolist(), strict=True)])
    found = explanations(model, batch, goal, usual, seed=job.seed, steps=experiment.steps)
    for name, e in found.items():
        e.save(job.folder / f"maps-{name}.nc")
    lowering = {name: lowered(name, e) for name, e in found.items()}
    at = table["node"].to_numpy()
    return {
        "layer": found["STGGradCAM"].layer,
        "events": {
            **said,
            "explained": _named(table, test).to_dict("records"),
            "shown": _shown(table, test, found, experiment.slowdowns.shown),
        },
        "localisation": None if batch.truth is None else _localised(lowering, batch, job.seed),
        "deletion": _deleted(job, experiment, model, batch, goal, lowering),
        "masking": masked(
            model,
            batch,
            table,
            lowering,
            usual.in_window(batch),
            nodes=min(experiment.masking.nodes, test.nodes),
            masking=experiment.masking.values,
            seed=job.seed,
        ),
        "masked_nodes": min(experiment.masking.nodes, test.nodes),
        "incomplete": {name: _incomplete(e, job.seed) for name, e in found.items() if "convergence_delta" in e.extra},
        "elsewhere": {name: _elsewhere(e, at, job.seed) for name, e in found.items() if name not in CONTROLS},
    }


def _chosen(job: ForecastJob, experiment: ForecastExperiment, forecaster: Forecaster) -> Chosen:
    test, asked = job.test_part, experiment.slowdowns
    if test.planted:
        return planted_slowdowns(test, forecaster, job.usual, asked)
    return observed_slowdowns(test, forecaster, job.usual, asked, job.card.series.minutes)


def _batch(test: WindowedSeries, table: pd.DataFrame) -> WindowBatch:
    return test.events_batch(table["event"].to_numpy()) if test.planted else test.batch(table["window"].to_numpy())


def explanations(
    model: nn.Module, batch: WindowBatch, goal: PerSample, usual: HistoricalAverage, *, seed: int, steps: int
) -> dict[str, Explanation]:
    """The explanation of each window by each method; what is usual at each sensor and time of day is the baseline.

    Args:
        model: a forecaster.
        batch: windows.
        goal: the forecast of each window that is explained.
        usual: of the training part.
        seed: of `Random`.
        steps: points of integrated gradients.
    """
    normal = usual.in_window(batch)
    explainers: dict[str, Explainer] = {}
    if find_spec("captum") is not None:
        from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients

        explainers["IntegratedGradients"] = IntegratedGradients(model, baseline=normal, steps=steps)
    explainers[CHANGE] = InputGradient(model, reduce="sum")
    explainers["InputGradient"] = InputGradient(model)
    explainers["STGGradCAM"] = STGGradCAM(model)
    explainers["Motion"] = Motion(model)
    explainers["Random"] = Random(model, seed=seed)
    found = {name: explainer(batch, target=goal) for name, explainer in explainers.items()}
    # One channel is a reading; the gradient is of all of them, and what is usual of a calendar is the calendar.
    away = (batch.x - normal).sum(-1).numpy() * batch.observed.numpy()
    slope = found[CHANGE]
    found[CHANGE] = replace(slope, values=slope.values * away, method="gradient x change")
    return found


def lowered(name: str, e: Explanation) -> NDArray[np.float32]:
    """How much each reading lowered the forecast, where a map has signs; else how much it matters; not negative."""
    values = e.values if name in ("InputGradient", *CONTROLS) else -e.values
    found: NDArray[np.float32] = np.maximum(values, 0)
    return found


def _localised(lowering: Mapping[str, NDArray[np.float32]], batch: WindowBatch, seed: int) -> dict[str, Any]:
    scores = {name: localisation(values, batch.truth, batch.observed) for name, values in lowering.items()}
    return {
        name: {
            over: {short: found.interval(over, measure, seed=seed)._asdict() for measure, short in MEASURES.items()}
            for over in OVER
        }
        for name, found in scores.items()
    }


def _deleted(
    job: ForecastJob,
    experiment: ForecastExperiment,
    model: nn.Module,
    batch: WindowBatch,
    goal: PerSample,
    lowering: Mapping[str, NDArray[np.float32]],
) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    tables = []
    for name, values in lowering.items():
        for kind in KINDS:
            curve = deletion_curve(
                model,
                batch,
                values,
                target=goal,
                kind=kind,  # type: ignore[arg-type]  # of a literal type; KINDS holds its values
                steps=experiment.deletion.steps,
                repeats=experiment.deletion.repeats,
                baseline=job.usual.in_window(batch),
                seed=job.seed,
            )
            found.setdefault(name, {})[kind] = {
                which: curve.area(which, "change", seed=job.seed)._asdict() for which in ("explained", "random", "gain")
            }
            frame = curve.to_frame("change", seed=job.seed)
            tables.append(frame[frame["set"] == "explained"].assign(method=name))
    _write(job, "deletion.csv", pd.concat(tables))
    return found


def _elsewhere(e: Explanation, at: NDArray[np.int64], seed: int) -> dict[str, float]:
    size = np.abs(e.values).sum((1, 2))
    own = size[np.arange(len(size)), at]
    total = size.sum(1)
    share = np.where(total > 0, 1 - own / np.where(total > 0, total, 1), np.nan)
    return interval(share, seed=seed)._asdict()


def _incomplete(e: Explanation, seed: int) -> dict[str, float]:
    """By how much maps miss the change of the forecast that they should sum to, as a share of it over all windows."""
    delta = e.extra["convergence_delta"].astype(np.float64)
    return ratio_interval(np.abs(delta), np.abs(e.values.sum((1, 2, 3)) - delta), seed=seed)._asdict()


def _named(table: pd.DataFrame, test: WindowedSeries) -> pd.DataFrame:
    """The slowdowns with names and times in the place of numbers."""
    nodes = test.graph.nodes if test.graph else tuple(map(str, range(test.nodes)))
    start = ["" if test.time is None else str(test.time_of(window)) for window in table["window"]]
    named = table.assign(target=[nodes[index] for index in table["node"]], start=start)
    columns = ["target", "start", "window", "horizon", "before", "observed", "forecast", "usual"]
    return named[[*columns, *(["event"] if "event" in table else [])]]


def _shown(
    table: pd.DataFrame, test: WindowedSeries, found: Mapping[str, Explanation], count: int
) -> list[dict[str, Any]]:
    """The slowdowns that are drawn: those whose fall was the greatest both in what came and in the forecast."""
    named = _named(table, test)
    method = next(iter(found))
    e = found[method]
    shown: list[dict[str, Any]] = []
    sensors = set()
    for row in table["strength"].sort_values(ascending=False, kind="stable").index:
        if len(shown) == count:
            break
        if named.at[row, "target"] in sensors:
            continue
        sensors.add(named.at[row, "target"])
        values = e.values[row, 0]
        order = np.argsort(values, axis=None, kind="stable")[:8]
        readings = [
            {"node": e.node_names[node], "frames_before": len(values) - 1 - frame, "value": float(values[frame, node])}
            for frame, node in zip(*np.unravel_index(order, values.shape), strict=True)
            if values[frame, node] < 0
        ]
        shown.append({**named.loc[row].to_dict(), "row": int(row), "method": method, "readings": readings})
    return shown


def _write(job: ForecastJob, name: str, table: pd.DataFrame) -> None:
    with atomic_write(job.folder / name) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
