"""A series, forecasters, explainers and metrics, from data to a report, in stages that are done once."""

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from stexplain.bench.figures import Figures
from stexplain.bench.forecast_experiment import ForecastExperiment, forecast_experiment
from stexplain.bench.forecast_figures import errors_table, forecast_figures
from stexplain.bench.forecast_job import ForecastJob
from stexplain.bench.forecast_score import evaluate_run, explain_run
from stexplain.bench.recognition import PACKAGES
from stexplain.bench.stages import Stages
from stexplain.cards import SeriesCard, model_card, series_card
from stexplain.data.load import load_dataset
from stexplain.data.planted.cache import planted_series
from stexplain.errors import InputError, unknown
from stexplain.files import atomic_write, write_json
from stexplain.report import write_report
from stexplain.report.forecast_verdicts import forecast_verdicts
from stexplain.version import __version__


def run(
    path: Path,
    *,
    card: "str | Path | SeriesCard",
    data: "str | Path | None" = None,
    out: "str | Path | None" = None,
    recipe: str | None = None,
    runs: Sequence[str] | None = None,
    seed: int = 0,
    progress: bool = True,
    command: str | None = None,
) -> Path:
    """Runs an experiment on forecasters; see `stexplain.bench.run.bench`.

    Trains each model with its graph and without, evaluates both beside persistence and the historical average, explains
    the slowdowns that the model foresaw, and scores the explanations.

    Args:
        path: of the `experiment.toml`.
        card: of the series.
        data: the files of the series as downloaded; none: the card's planted series.
        out: the run folder; default: ``runs/NAME``.
        recipe: of the model cards; default: as the experiment says, for planted or for real data.
        runs: only these models of the experiment; default: all.
        seed: of everything random but the planted series.
        progress: whether progress bars are shown.
        command: what to note in the results as the command that made them.

    Returns:
        The run folder, with `results.json`, `report.html`, `log.txt`, `tables/`, `figures/`, and a folder per model
        that holds the weights, maps, explained slowdowns and history.

    Raises:
        InputError: for unknown names, or a folder that holds a run of something else.
        DataError: for broken data.
    """
    card = series_card(card)
    asked = forecast_experiment(path)
    for name in runs or ():
        if name not in asked.models:
            raise unknown("run", name, asked.models)
    chosen = list(runs or asked.models)
    if data is None and card.planted is None:
        raise InputError(
            f"the series {card.name!r} has no planted data. Give its files: --data DIR\n"
            f"How to get them: {card.obtain.strip()}"
        )
    folder = Path(out) if out is not None else Path("runs") / card.name
    recipe_name = recipe or (asked.recipes.planted if data is None else asked.recipes.real)
    for name in chosen:
        model_card(name).recipe(recipe_name)  # a name that does not exist is said before hours of work, not after
    stages = Stages(
        folder,
        {
            "card": card.name,
            "card_hash": card.hash,
            "data": None if data is None else str(Path(data).resolve()),
            "recipe": recipe_name,
            "runs": chosen,
            "seed": seed,
            "version": __version__,
        },
    )
    with stages.logged():
        source = stages("data", partial(_data, card, data))
        found: dict[str, dict[str, Any]] = {}
        jobs: dict[str, ForecastJob] = {}
        for name in chosen:
            job = jobs[name] = ForecastJob(
                card=card,
                data=None if data is None else Path(data),
                model_card=model_card(name),
                recipe_name=recipe_name,
                seed=seed,
                folder=folder / name,
                progress=progress,
            )
            trained = stages(f"{name}/train", job.train)
            stages(f"{name}/train-without-graph", partial(job.train, alone=True))
            found[name] = {
                **job.about(),
                **trained,
                **stages(f"{name}/evaluate", partial(evaluate_run, job, asked)),
                **stages(f"{name}/explain", partial(explain_run, job, asked)),
            }
        return _finish(stages, card, asked, source, found, jobs, seed=seed, command=command)


def _data(card: SeriesCard, data: "str | Path | None") -> Mapping[str, Any]:
    """What the series holds; a planted one is generated where it is not in the cache."""
    series = load_dataset(card, data)
    readings = there = 0
    for _, observed in series.observations():
        readings += observed.size
        there += int(observed.sum())
    time = series.time
    begins, ends = (None, None) if time is None else (str(time[0]), str(time[-1]))
    frames = series.frames
    return {
        "source": str((planted_series(card) if data is None else Path(data)).resolve()),
        "planted": series.planted,
        "nodes": series.nodes,
        "edges": 0 if series.graph is None else len(series.graph.edges),
        "frames": frames,
        "begins": begins,
        "ends": ends,
        "days": frames * card.series.minutes / (24 * 60),
        "minutes": card.series.minutes,
        "window": series.window,
        "horizon": series.horizon,
        "unit": series.unit,
        "missing": 1 - there / max(readings, 1),
    }


def _finish(
    stages: Stages,
    card: SeriesCard,
    asked: ForecastExperiment,
    source: Mapping[str, Any],
    found: dict[str, dict[str, Any]],
    jobs: Mapping[str, ForecastJob],
    *,
    seed: int,
    command: str | None,
) -> Path:
    folder = stages.folder
    first = next(iter(found.values()))
    results: dict[str, Any] = {
        "kind": asked.kind,
        "title": asked.title,
        "question": asked.question,
        "citation": asked.citation,
        "dataset": {
            "name": card.name,
            "title": card.title,
            "card_hash": card.hash,
            **source,
            "windows": {part: first[part] for part in ("train", "validation", "test")},
            "obtain": card.obtain,
        },
        "command": command or f"stexplain.bench({card.name!r}, ...)",
        "seed": seed,
        "versions": {
            "stexplain": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "runs": found,
    }
    unit, minutes = str(source["unit"]), float(source["minutes"])
    results["verdicts"] = [
        verdict for one in found.values() for verdict in forecast_verdicts(one, unit=unit, minutes=minutes)
    ]
    results["tables"] = _tables(folder, found, minutes)
    results["figures"] = stages("figures", partial(_figures, folder, found, jobs))["figures"]
    results["seconds"] = stages.seconds()
    results["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder / "results.json", results)
    write_report(folder)
    return folder


def _tables(folder: Path, found: Mapping[str, Mapping[str, Any]], minutes: float) -> dict[str, dict[str, str]]:
    """Errors at every step of the horizon, and the slowdowns that are explained, as CSV."""
    errors = pd.concat(
        [
            table.pivot(index=["method", "horizon"], columns="measure", values="value").reset_index().assign(run=name)
            for name, one in found.items()
            for table in [errors_table(one["errors"], str(one["model_title"]))]
        ]
    )
    errors = errors.assign(minutes=minutes * errors["horizon"])
    slowdowns = pd.concat([pd.DataFrame(one["events"]["explained"]).assign(run=name) for name, one in found.items()])
    made = {
        "errors": ("Errors at every horizon", errors[["run", "method", "minutes", "mae", "rmse", "mape"]]),
        "slowdowns": ("Slowdowns that are explained", slowdowns),
    }
    listed = {}
    for name, (title, table) in made.items():
        path = folder / "tables" / f"{name}.csv"
        with atomic_write(path) as temporary:
            table.to_csv(temporary, index=False, float_format="%.4f")
        listed[name] = {"file": path.relative_to(folder).as_posix(), "title": title}
    return listed


def _figures(
    folder: Path, found: Mapping[str, Mapping[str, Any]], jobs: Mapping[str, ForecastJob]
) -> Mapping[str, Any]:
    figures = Figures(folder)
    for name, one in found.items():
        forecast_figures(figures, jobs[name], one)
    return {"figures": figures.records}
