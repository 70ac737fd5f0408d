"""Runs an experiment: its stages in order, each once, then figures, verdicts, tables and the report."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from rich.console import Console

from stexplain.bench.claims import Claim, Verdict, briefs, corrected, judge
from stexplain.bench.dataset import check_unchanged, open_data
from stexplain.bench.experiment import Experiment, load_experiment
from stexplain.bench.figures import Figures
from stexplain.bench.processes.at_once import compute_at_once
from stexplain.bench.processes.plan import Plan, compute
from stexplain.bench.records import Records, log, run_folder, write_results
from stexplain.bench.report import first_trainings, run_results, write_report
from stexplain.bench.run import CLASSIFICATION, Run
from stexplain.bench.spread import spread_tables
from stexplain.bench.stage import Stage, Table
from stexplain.cards import DatasetCard, SeriesCard, Trust, trusting
from stexplain.errors import InputError
from stexplain.files import atomic_write
from stexplain.reading import given_path
from stexplain.system import package_versions
from stexplain.version import __version__

PACKAGES = ("torch", "dgl", "numpy", "scipy", "pandas", "altair", "lightning-fabric", "torchmetrics")


def bench(
    experiment: "str | Path | DatasetCard | SeriesCard",
    *,
    card: "str | Path | DatasetCard | SeriesCard | None" = None,
    data: "str | Path | None" = None,
    out: "str | Path | None" = None,
    recipe: str | None = None,
    runs: Sequence[str] | None = None,
    seed: int = 0,
    seeds: int = 1,
    workers: int = 1,
    progress: bool = True,
    command: str | None = None,
    trust: Trust = (),
) -> Path:
    """Runs an experiment: trains, explains, scores and reports.

    A folder holds one experiment. Where it was stopped, the same call resumes from the last finished stage and ends
    with the same numbers.

    Args:
        experiment: the name or path of the dataset card beside which the `experiment.toml` lies.
        card: of the dataset that it is run on; default: that card. Another one needs its `data`, or synthetic data.
        data: a prepared store, raw recordings, or the files of a series; none: the card's generated (planted) data.
        out: the run folder; default: ``runs/NAME``.
        recipe: of the model cards; default: as the experiment says, for planted or for real data.
        runs: only these of the experiment; default: all.
        seed: of everything random but generated data.
        seeds: how many trainings of each run, each from the next seed and a run of its own: results then have their
            spread between trainings. A finished experiment may be given more.
        workers: how many runs are computed at a time, each in a process of its own with its share of torch's threads:
            faster than one after another where other programs take a part of a core. Numbers depend on the threads of
            a process in their last bits, not on the processes.
        progress: whether lines and bars show the progress.
        command: what to note in the results as the command that made them.
        trust: modules outside this package that cards may import, see `stexplain.cards.trusting`.

    Returns:
        The run folder, with `results.json`, `report.html`, `log.txt`, `tables/`, `figures/`, and a folder per run.

    Raises:
        CardError: where there is no such card or experiment, or it says something impossible.
        InputError: for unknown names, or a folder that holds another run or is in use.
        DataError: for broken data.
    """
    with trusting(trust):
        return _bench(experiment, card, data, out, recipe, runs, seed, seeds, workers, progress, command)


def _bench(
    experiment: "str | Path | DatasetCard | SeriesCard",
    card: "str | Path | DatasetCard | SeriesCard | None",
    data: "str | Path | None",
    out: "str | Path | None",
    recipe: str | None,
    runs: Sequence[str] | None,
    seed: int,
    seeds: int,
    workers: int,
    progress: bool,
    command: str | None,
) -> Path:
    if workers < 1:
        raise InputError(f"workers: got {workers}; expected at least 1 run at a time.")
    # Of each process.
    threads = max(1, torch.get_num_threads() // workers)
    home = experiment.path if isinstance(experiment, DatasetCard | SeriesCard) else experiment
    # All that can be wrong is found here, before the folder is touched.
    loaded = load_experiment(home, experiment if card is None and not isinstance(experiment, str | Path) else card)
    folder = given_path(out, "out") if out is not None else Path("runs") / loaded.card.name
    data_path = None if data is None else given_path(data, "data")
    chosen = loaded.runs(runs, data=data_path, recipe=recipe, seed=seed, seeds=seeds, folder=folder, progress=progress)
    loaded.check(chosen)
    # A folder that was begun with another request is refused: no report mixes two experiments.
    requested = {
        "card": loaded.card.name,
        "card_hash": loaded.card.hash,
        "experiment": loaded.declared.model_dump(mode="json"),
        "data": None if data_path is None else str(data_path.resolve()),
        "recipe": recipe,
        # Further trainings are no other experiment: they may be added to one that is finished.
        "runs": [run.name for run in chosen if not run.first],
        "seed": seed,
        "version": __version__,
        # By name: a card that is edited while its run stands would put a new recipe over the old weights.
        "cards": {run.card.name: run.card.hash for run in chosen},
        "models": {run.model_card.name: run.model_card.hash for run in chosen},
        # Either moves the last bits of numbers, and a report says one of each.
        "threads": threads,
        "versions": _versions(),
    }
    with run_folder(folder, requested) as records:
        for name, needed_by in loaded.added.items():
            log.info("stage %s is added: %s needs it", name, needed_by)
        datasets, chosen = _with_data(records, chosen, progress)
        results: dict[str, Any] = {
            "title": loaded.declared.title + of_generated(datasets),
            "question": loaded.declared.question,
            "citation": loaded.declared.citation,
            "node": loaded.declared.node,
            "stages": {name: stage.options.model_dump(mode="json") for name, stage in loaded.stages.items()},
            "datasets": datasets,
            "command": command or f"stexplain.bench({loaded.card.name!r}, ...)",
            "seed": seed,
            "seeds": seeds,
            "threads": threads,
            "versions": _versions(),
            "runs": {run.name: run.about() for run in chosen},
        }
        # Figures, verdicts and tables come last: they may show the results of several stages and runs.
        computed = _computed(records, loaded, chosen, progress, workers, threads)
        for name, by_stage in computed.items():
            results["runs"][name]["stages"] = by_stage
        results["figures"] = _figures(records, loaded, chosen, computed, datasets)
        stages = list(loaded.stages.values())
        results["verdicts"] = verdicts_of(results, stages)
        results["tables"] = write_tables(folder, results, stages)
        results["seconds"] = records.seconds()
        results["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
        # The report is made from the file alone, so that it can be made again without the data.
        write_results(folder, results)
        write_report(folder)
    return folder


def _versions() -> dict[str, str | None]:
    return {"stexplain": __version__, "python": platform.python_version(), **package_versions(PACKAGES)}


def _with_data(records: Records, runs: Sequence[Run], progress: bool) -> tuple[dict[str, dict[str, Any]], list[Run]]:
    """Every dataset once, described, and the runs with the place of their data."""
    datasets: dict[str, dict[str, Any]] = {}
    ready = []
    for run in runs:
        name = run.card.name
        # Runs on one card share its data.
        if name not in datasets:
            work = partial(open_data, run.card, run.data, records.folder / "store", progress=progress)
            begun = f"data/{name}" in records
            datasets[name] = records(f"data/{name}", work)
            if begun:
                check_unchanged(run.card, run.data, datasets[name], progress=progress)
        # Generated series keep their ground truth only where no files are given; recordings carry it in the store.
        ready.append(replace(run, data=Path(datasets[name]["source"])) if run.task == CLASSIFICATION else run)
    return datasets, ready


def _computed(
    records: Records, experiment: Experiment, runs: Sequence[Run], progress: bool, workers: int, threads: int
) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Run -> stage -> result, each computed where no earlier call has finished it."""
    # Run by run, so that a run that is stopped has whole results of the first runs.
    whole = [(run, stage) for run in runs for stage in experiment.order(run.task)]
    lines: dict[str, list[str]] = {run.name: [] for run in runs}
    for number, (run, stage) in enumerate(whole, 1):
        # Before anything is trained: data that a later stage refuses is an error of the first second.
        if f"{run.name}/{stage.name}" not in records:
            stage.check_data(run)
        why = f" (added: {experiment.added[stage.name]} needs it)" if stage.name in experiment.added else ""
        lines[run.name].append(f"[{number}/{len(whole)}] {run.name}: {stage.name}{why}")
    plans = [Plan(run, experiment.order(run.task), lines[run.name]) for run in runs]
    left = [plan for plan in plans if plan.left(records)]
    at_once = workers > 1 and len(left) > 1
    if at_once:
        compute_at_once(records.folder, left, workers, threads=threads, shown=progress)
    # On stderr, as stdout may be JSON. What other processes have computed, they have shown.
    console = Console(stderr=True, quiet=at_once or not progress, highlight=False)
    return {plan.run.name: compute(records, plan, console) for plan in plans}


def _figures(
    records: Records,
    experiment: Experiment,
    runs: Sequence[Run],
    computed: Mapping[str, Mapping[str, Mapping[str, Any]]],
    datasets: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """The figures of every stage and run, drawn once all is computed: one may show the results of several stages."""
    drawn: list[dict[str, Any]] = []
    for stage in experiment.stages.values():
        for run in runs:
            # One training is drawn; the numbers of the others stand beside its own.
            if run.first or stage.name not in computed[run.name]:
                continue

            # Default arguments bind the loop's values; a closure would see the last ones.
            def draw(stage: Stage[Any] = stage, run: Run = run) -> Mapping[str, Any]:
                synthetic = bool(datasets[run.card.name]["planted"])
                figures = Figures(records.folder, stage.name, run.name, synthetic=synthetic)
                stage.figures(run, computed[run.name], figures)
                return {"figures": figures.records}

            drawn += records(f"figures/{run.name}/{stage.name}", draw)["figures"]
    return drawn


def of_generated(datasets: Mapping[str, Mapping[str, Any]]) -> str:
    """What a title says of generated data: a reader may see no more than the title.

    Example:
        >>> of_generated({"ntu": {"planted": True}}), of_generated({"ntu": {"planted": False}})
        (' (synthetic data)', '')
    """
    generated = [bool(dataset["planted"]) for dataset in datasets.values()]
    return " (synthetic data)" if all(generated) else " (partly synthetic data)" if any(generated) else ""


def verdicts_of(results: Mapping[str, Any], stages: Sequence[Stage[Any]]) -> list[Verdict]:
    """The verdicts of all claims, tested together."""
    claims = _claims(results, stages)
    # All at once: the more a report claims, the less each single test may be believed.
    alone = [claim for _, _, claim in claims]
    verdicts: list[Verdict] = []
    for (run, stage, _), (text, outcome), brief in zip(claims, judge(alone), briefs(alone), strict=True):
        verdict: Verdict = {"run": run, "stage": stage, "text": text, "verdict": outcome}
        if brief["claim"]:
            verdict |= {"claim": brief["claim"], "number": brief["number"]}
        verdicts.append(verdict)
    return verdicts


def _claims(results: Mapping[str, Any], stages: Sequence[Stage[Any]]) -> list[tuple[str, str, Claim]]:
    """All claims of a report, with the names of their run and stage."""
    return [
        (run.name, stage.name, claim)
        for run in first_trainings(run_results(results))
        for stage in stages
        if stage.name in run.stages
        for claim in stage.claims(run)
    ]


def _tests_table(results: Mapping[str, Any], stages: Sequence[Stage[Any]]) -> Mapping[str, Table]:
    """Every test that verdicts are made of, so that each sentence can be checked."""
    claims = _claims(results, stages)
    rows = [
        {
            "claim": number,
            "run": run,
            "stage": stage,
            # Of a claim about several things, each is a finding of its own, and what it is about stands here.
            "about" if not claim.together else "against": test["against"],
            "difference": test["difference"],
            "units": test.get("units"),
            "p": test["p"],
            "p_corrected": p,
            "p_of_claim": p_whole[0] if claim.together else p_whole[place],
        }
        for number, ((run, stage, claim), (p_single, p_whole)) in enumerate(
            zip(claims, corrected([claim for _, _, claim in claims]), strict=True), 1
        )
        for place, (test, p) in enumerate(zip(claim.tests, p_single, strict=True))
    ]
    title = (
        "Tests behind the verdicts, in their order; p corrected over all of this report (Holm, within claims Hochberg)"
    )
    columns = ["claim", "run", "stage", "about", "against", "difference", "units", "p", "p_corrected", "p_of_claim"]
    return {"tests": Table(title, pd.DataFrame(rows, columns=columns), "%.4g")} if rows else {}


def write_tables(folder: Path, results: Mapping[str, Any], stages: Sequence[Stage[Any]]) -> dict[str, dict[str, str]]:
    """Writes the tables of every stage as CSV into `tables/`, and lists them."""
    listed = {}
    trainings = run_results(results)
    by_stage = [(stage.name, stage.tables([run for run in trainings if stage.name in run.stages])) for stage in stages]
    by_stage.append(("", spread_tables(stages, first_trainings(trainings))))
    by_stage.append(("", _tests_table(results, stages)))
    for stage_name, tables in by_stage:
        for name, table in tables.items():
            path = folder / "tables" / f"{name}.csv"
            with atomic_write(path) as temporary:
                table.frame.to_csv(temporary, index=False, float_format=table.digits)
            listed[name] = {"stage": stage_name, "title": table.title, "file": path.relative_to(folder).as_posix()}
    return listed
