"""The experiment of a recognition dataset: models, explainers and metrics, in stages that are done once."""

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stexplain.bench.experiment import Experiment, Run, experiment
from stexplain.bench.figures import Figures, run_figures
from stexplain.bench.job import Job
from stexplain.bench.score import explain_run, mask_run
from stexplain.bench.stages import Stages
from stexplain.bench.tables import tables
from stexplain.cards import DatasetCard, dataset_card, model_card
from stexplain.data.planted.cache import planted_store
from stexplain.data.store.prepare import prepare
from stexplain.data.store.prepared import Store, is_store
from stexplain.errors import InputError, unknown
from stexplain.files import atomic_write, write_json
from stexplain.report import verdicts, write_report
from stexplain.version import __version__

PACKAGES = ("torch", "dgl", "numpy", "scipy", "pandas", "altair", "lightning-fabric", "torchmetrics")


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
    """Runs the experiment of a recognition dataset; see `stexplain.bench.run.bench`.

    Args:
        path: of the `experiment.toml`.
        card: of the dataset.
        data: a prepared store, or the folder of recordings as downloaded; none: the card's planted data.
        out: the run folder; default: ``runs/NAME``.
        recipe: of the model cards; default: as the experiment says, for planted or for real data.
        runs: only these, such as ``["xsub/stgcn10"]``; default: all of the experiment.
        seed: of everything random.
        progress: whether progress bars are shown.
        command: what to note in the results as the command that made them.

    Returns:
        The run folder, with `results.json`, `report.html`, `log.txt`, `tables/`, `figures/`, and a folder per run that
        holds the weights, maps, class importance and history.

    Raises:
        InputError: for unknown names, or a folder that holds a run of something else.
        DataError: for broken data.
    """
    card = dataset_card(card)
    asked = experiment(card, path)
    chosen = _chosen(asked, runs)
    if data is None and card.planted is None:
        raise InputError(
            f"dataset {card.name!r} has no planted data. Give its recordings, or a prepared store: "
            f"stexplain bench {card.name} --data DIR\nHow to get them: {card.obtain.strip()}"
        )
    folder = Path(out) if out is not None else Path("runs") / card.name
    name = recipe or (asked.recipes.planted if data is None else asked.recipes.real)
    for one in chosen:
        model_card(one.model).recipe(name)  # a name that does not exist is said before hours of work, not after
    stages = Stages(
        folder,
        {
            "card": card.name,
            "card_hash": card.hash,
            "data": None if data is None else str(Path(data).resolve()),
            "recipe": name,
            "runs": [one.name for one in chosen],
            "seed": seed,
            "version": __version__,
        },
    )
    with stages.logged():
        source = stages("data", partial(_data, card, data, folder, progress))
        found: dict[str, dict[str, Any]] = {}
        for one in chosen:
            job = Job(
                card=card,
                store=Path(source["store"]),
                run=one,
                model_card=model_card(one.model),
                recipe_name=name,
                seed=seed,
                folder=folder / one.name,
                progress=progress,
            )
            parts = [
                stages(f"{one.name}/train", job.train),
                stages(f"{one.name}/explain", partial(explain_run, job, asked.figures.clips)),
                stages(f"{one.name}/mask", partial(mask_run, job, asked.masking)),
            ]
            published = asked.published.get(one.name)
            paper = None if published is None else published.model_dump()
            found[one.name] = {
                **job.about(),
                **{key: value for part in parts for key, value in part.items()},
                "paper": paper,
            }
        return _finish(stages, card, asked, source, found, seed=seed, command=command)


def _chosen(asked: Experiment, runs: Sequence[str] | None) -> list[Run]:
    names = {run.name: run for run in asked.runs}
    for name in runs or ():
        if name not in names:
            raise unknown("run", name, names)
    return [names[name] for name in runs or names]


def _data(card: DatasetCard, data: "str | Path | None", folder: Path, progress: bool) -> Mapping[str, Any]:
    """Where the prepared store is: generated, given, or prepared from recordings into the run folder."""
    if data is None:
        path = planted_store(card)
    elif is_store(Path(data)):
        path = Path(data)
    else:
        path = folder / "store"
        prepare(card, Path(data), path, progress=progress)
    store = Store.open(path)
    return {
        "store": str(path.resolve()),
        "planted": store.rows.truth is not None,
        "clips": len(store.table),
        "excluded": store.info["excluded"],
    }


def _finish(
    stages: Stages,
    card: DatasetCard,
    asked: Experiment,
    source: Mapping[str, Any],
    found: dict[str, dict[str, Any]],
    *,
    seed: int,
    command: str | None,
) -> Path:
    folder = stages.folder
    results: dict[str, Any] = {
        "kind": asked.kind,
        "title": asked.title,
        "question": asked.question,
        "citation": asked.citation,
        "dataset": {
            "name": card.name,
            "title": card.title,
            "card_hash": card.hash,
            "planted": source["planted"],
            "source": source["store"],
            "clips": source["clips"],
            "excluded": source["excluded"],
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
    results["verdicts"] = verdicts(found)
    results["tables"] = {}
    for name, table in tables(results, asked.masking.baselines).items():
        path = folder / "tables" / f"{name}.csv"
        with atomic_write(path) as temporary:
            table.to_csv(temporary, index=False, float_format="%.4f")
        results["tables"][name] = path.relative_to(folder).as_posix()
    results["figures"] = stages("figures", partial(_figures, card, asked, found, folder))["figures"]
    results["seconds"] = stages.seconds()
    results["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder / "results.json", results)
    write_report(folder)
    return folder


def _figures(
    card: DatasetCard, asked: Experiment, found: Mapping[str, Mapping[str, Any]], folder: Path
) -> Mapping[str, Any]:
    figures = Figures(folder)
    run_figures(figures, card=card, experiment=asked, runs=found, folder=folder)
    return {"figures": figures.records}
