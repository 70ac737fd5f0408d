"""The experiment that compares methods: which of them finds the planted truth, in stages that are done once."""

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stexplain.bench.compared import ComparedJob, compared_methods, comparison_of, prepare_run, score_method
from stexplain.bench.comparison_experiment import ComparisonExperiment, comparison_experiment
from stexplain.bench.comparison_figures import comparison_figures
from stexplain.bench.figures import Figures
from stexplain.bench.recognition import PACKAGES
from stexplain.bench.stages import Stages
from stexplain.cards import DatasetCard, dataset_card, model_card
from stexplain.errors import InputError, unknown
from stexplain.files import atomic_write, write_json
from stexplain.report import write_report
from stexplain.report.comparison_verdicts import comparison_verdicts
from stexplain.version import __version__


def run(
    path: Path,
    *,
    card: "str | Path | DatasetCard",
    data: "str | Path | None" = None,
    out: "str | Path | None" = None,
    recipe: str | None = None,
    runs: Sequence[str] | None = None,
    seed: int = 0,
    progress: bool = True,
    command: str | None = None,
) -> Path:
    """Runs an experiment that compares methods; see `stexplain.bench.run.bench`.

    Trains a model per run, explains the same test clips by every method there is, and scores the explanations against
    the planted truth. A method that needs a library which is not installed is left out, and the results say so.

    Args:
        path: of the `experiment.toml`.
        card: of the dataset of those runs that name no other.
        data: a prepared store of that dataset; none: its planted data.
        out: the run folder; default: ``runs/NAME``.
        recipe: of the model cards, for every run; default: as the experiment says.
        runs: only these of the experiment; default: all.
        seed: of everything random.
        progress: whether progress bars are shown.
        command: what to note in the results as the command that made them.

    Returns:
        The run folder, with `results.json`, `report.html`, `log.txt`, `tables/`, `figures/`, and a folder per run that
        holds the weights and history.

    Raises:
        InputError: for unknown names, data without planted truth, or a folder that holds a run of something else.
        DataError: for broken data.
    """
    own, asked = dataset_card(card), comparison_experiment(path)
    names = [run.name for run in asked.runs]
    for name in runs or ():
        if name not in names:
            raise unknown("run", name, names)
    chosen = [run for run in asked.runs if runs is None or run.name in runs]
    folder = Path(out) if out is not None else Path("runs") / own.name
    jobs = [
        ComparedJob(
            card=own if run.card is None else dataset_card(run.card),
            data=Path(data) if data is not None and run.card is None else None,
            asked=run if recipe is None else run.model_copy(update={"recipe": recipe}),
            model_card=model_card(run.model),
            seed=seed,
            folder=folder / run.name,
            progress=progress,
        )
        for run in chosen
    ]
    for job in jobs:
        _ = job.recipe  # a name that does not exist is said before minutes of work, not after
    stages = Stages(
        folder,
        {
            "card": own.name,
            "card_hash": own.hash,
            "data": None if data is None else str(Path(data).resolve()),
            "recipe": recipe,
            "runs": [run.name for run in chosen],
            "experiment": asked.model_dump(mode="json"),
            "seed": seed,
            "version": __version__,
        },
    )
    with stages.logged():
        found: dict[str, dict[str, Any]] = {}
        for job in jobs:
            name = job.asked.name
            about = {**job.about(), **stages(f"{name}/data", job.source), **stages(f"{name}/train", job.train)}
            about |= stages(f"{name}/clips", partial(prepare_run, job, asked))
            scored = {
                method: stages(f"{name}/methods/{method}", partial(score_method, job, asked, method, about["indices"]))
                for method in compared_methods(asked)
            }
            found[name] = {**about, **comparison_of(asked, about, scored, seed)}
        return _finish(stages, own, asked, jobs, found, seed=seed, command=command)


def _finish(
    stages: Stages,
    card: DatasetCard,
    asked: ComparisonExperiment,
    jobs: Sequence[ComparedJob],
    found: dict[str, dict[str, Any]],
    *,
    seed: int,
    command: str | None,
) -> Path:
    folder = stages.folder
    packages = {name: version(name) for name in PACKAGES}
    results: dict[str, Any] = {
        "kind": asked.kind,
        "title": asked.title,
        "question": asked.question,
        "citation": asked.citation,
        "dataset": {
            "name": card.name,
            "title": card.title,
            "card_hash": card.hash,
            "source": next(iter(found.values()))["source"],
            "obtain": card.obtain,
        },
        "command": command or f"stexplain.bench({card.name!r}, ...)",
        "seed": seed,
        "versions": {"stexplain": __version__, "python": platform.python_version(), **packages},
        "controls": asked.controls,
        "size": asked.size,
        "runs": found,
        "verdicts": comparison_verdicts(found, asked.controls),
        "tables": {},
    }
    for name, run in found.items():
        for what in ("table", "tests"):
            path = folder / "tables" / f"{name}-{what}.csv"
            _write_csv(path, run[what])
            results["tables"][f"{name}: {what}"] = path.relative_to(folder).as_posix()
    results["figures"] = stages("figures", partial(_figures, asked, jobs, found, folder))["figures"]
    results["seconds"] = stages.seconds()
    results["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder / "results.json", results)
    write_report(folder)
    return folder


def _figures(
    asked: ComparisonExperiment, jobs: Sequence[ComparedJob], found: Mapping[str, Mapping[str, Any]], folder: Path
) -> Mapping[str, Any]:
    figures = Figures(folder)
    for job in jobs:
        comparison_figures(figures, job, asked, found[job.asked.name])
    return {"figures": figures.records}


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    import pandas as pd

    if not rows:
        raise InputError(f"there is nothing to write to {path.name}.")
    with atomic_write(path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.5g")
