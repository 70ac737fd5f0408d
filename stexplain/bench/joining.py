"""Joins runs of one experiment that ran separately, such as one seed per machine, into one report."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stexplain.bench.html import listed
from stexplain.bench.records import RESULTS, Records, difference, read_record, read_results, write_results
from stexplain.bench.report import stages_of, write_report
from stexplain.bench.runner import of_generated, verdicts_of, write_tables
from stexplain.cards.experiment import ExperimentCard
from stexplain.errors import DataError, InputError
from stexplain.files import atomic_write, read_json, write_json
from stexplain.reading import given_path, is_there, readable, regular_file
from stexplain.reading.shape import Form, check_shape
from stexplain.reading.within import inside, refuse_links_out

APART = ("runs", "seed")
"""What the parts of an experiment may differ in, of what was requested."""
PLACES = ("data",)
"""What is a place on a machine: whether there is one must agree, not which."""
NAMED = ("cards", "models")
"""What has an entry for each name that the runs of a part use: what parts have in common must agree."""
IN_RESULTS = ("threads", "versions")
"""What is compared as the results say it, part by part."""
Training = tuple[str, int]
"""The name of a run, without its seed, and the seed."""
_AGAIN = "Run the experiment again: what was computed is kept."


class _Requested(Form):
    """What is taken from `run.json`."""

    experiment: dict[str, Any]


class _Run(Form):
    """What is taken of a run."""

    seed: int
    dataset: str
    first: str | None = None


class _Dataset(Form):
    """What is taken of a dataset."""

    planted: bool


class _Figures(Form):
    """What is taken from the record of a stage's figures."""

    figures: list[dict[str, Any]]


class _Finished(Form):
    """What is taken from `results.json`."""

    runs: dict[str, _Run]
    datasets: dict[str, _Dataset]
    stages: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class _Part:
    """A finished run folder.

    Attributes:
        folder: of the part.
        requested: what `run.json` holds.
        results: what `results.json` holds.
    """

    folder: Path
    requested: Mapping[str, Any]
    results: Mapping[str, Any]

    def trainings(self) -> Iterator[tuple[Training, str]]:
        """Every training, and the name of its run in this folder."""
        for name, about in self.results["runs"].items():
            yield (about.get("first") or name, about["seed"]), name


def join_runs(out: "str | Path", folders: "Sequence[str | Path]", *, command: str | None = None) -> Path:
    """Joins finished run folders that differ in nothing but their seeds and runs into a new one, with one report.

    The numbers are those of a single run of the experiment with ``seeds=K``. Nothing is computed again, and neither the
    data nor the cards are needed. Further trainings may be added to the joined folder as to any other.

    Args:
        out: the new run folder; must not exist, or be empty.
        folders: finished ones, of ``stexplain bench CARD --seed S``, with or without ``--run`` and ``--seeds``.
        command: what to note in the results as the command that joined them.

    Returns:
        The new run folder.

    Raises:
        InputError: where a folder is of another experiment, card, recipe, version or data; two hold the same training;
            one is missing, as each run needs each seed; or `out` holds something.
        DataError: where a folder is not finished, or the new one cannot be written.
    """
    target = given_path(out, "out")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target}: got a folder that is not empty; expected a new one. Give another folder.")
    if not folders:
        raise InputError("folders: got none; expected run folders to join. Give at least one.")
    parts = [_read(given_path(folder, "folders")) for folder in folders]
    for number, part in enumerate(parts):
        # With each: two may share a dataset that the first lacks.
        for earlier in parts[:number]:
            _check_alike(earlier, part)
    where = _trainings(parts)
    names = _in_order(parts[0], where)
    seeds = sorted({seed for _, seed in where})
    _check_complete(where, names, seeds)
    # All that can be wrong is found by now; what fails from here on leaves nothing behind.
    with atomic_write(target) as temporary:
        temporary.mkdir()
        figures = _copy(temporary, where, names, seeds)
        _write(temporary, parts, where, names, seeds, figures, command)
    return target


def _read(folder: Path) -> _Part:
    if not is_there(folder / "run.json"):
        raise InputError(f"{folder}: got no run.json; expected a folder of `stexplain bench`.")
    refuse_links_out(folder)
    requested, results = read_json(folder / "run.json", _Requested), read_results(folder)
    source = folder / RESULTS
    check_shape(source, results, _Finished, _AGAIN)
    for name, run in results["runs"].items():
        if run["dataset"] not in results["datasets"]:
            raise DataError(f"{source}: got no dataset {run['dataset']!r}, which run {name!r} is on. {_AGAIN}")
    return _Part(folder, requested, results)


def _check_alike(first: _Part, other: _Part) -> None:
    """Refuses parts of different experiments, naming what differs."""
    pairs: dict[str, tuple[Any, Any]] = {}
    for key in sorted({*first.requested, *other.requested} - {*APART, *IN_RESULTS}):
        one, two = first.requested.get(key), other.requested.get(key)
        if key in NAMED and isinstance(one, Mapping) and isinstance(two, Mapping):
            pairs |= {f"{key}, {name}": (one[name], two[name]) for name in sorted({*one} & {*two})}
            continue
        pairs[key] = (one is not None, two is not None) if key in PLACES else (one, two)
    pairs["threads"] = (first.results.get("threads"), other.results.get("threads"))
    versions = [part.results.get("versions") or {} for part in (first, other)]
    for name in dict.fromkeys([*versions[0], *versions[1]]):
        pairs[f"version of {name}"] = (versions[0].get(name), versions[1].get(name))
    for name in sorted({*first.results["datasets"]} & {*other.results["datasets"]}):
        described = [_described(part.results["datasets"][name]) for part in (first, other)]
        pairs[f"data of {name}"] = (described[0], described[1])
    models = [
        {run: _about(part.results["runs"][name]) for (run, _), name in part.trainings()} for part in (first, other)
    ]
    for run in sorted({*models[0]} & {*models[1]}):
        pairs[f"model of {run}"] = (models[0][run], models[1][run])
    differs = [difference(key, one, two, ("there", "here")) for key, (one, two) in pairs.items() if one != two]
    if differs:
        raise InputError(
            f"{other.folder} cannot be joined with {first.folder}: {'; '.join(differs)}. Parts may differ in --seed and"
            " --run alone: run this one again as the other."
        )


def _about(run: Mapping[str, Any]) -> dict[str, Any]:
    """What a run is, but for its seed and results."""
    return {key: value for key, value in run.items() if key not in ("seed", "first", "stages")}


def _described(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a dataset but for where it lies, which differs from machine to machine."""
    return {key: value for key, value in dataset.items() if key != "source"}


def _trainings(parts: Sequence[_Part]) -> dict[Training, tuple[_Part, str]]:
    """Where every training is: its part, and the name of its run there."""
    where: dict[Training, tuple[_Part, str]] = {}
    for part in parts:
        for training, name in part.trainings():
            if training in where:
                run, seed = training
                raise InputError(
                    f"{part.folder} and {where[training][0].folder} both hold the run {run!r} of seed {seed}; expected "
                    "each once. Leave one out."
                )
            where[training] = part, name
    return where


def _in_order(part: _Part, where: Mapping[Training, Any]) -> list[str]:
    """The names of the runs in the order of the experiment, which no part need hold as a whole."""
    declared = _declared(part)
    present = {name for name, _ in where}
    return [run.title for run in declared.runs if run.title in present]


def _declared(part: _Part) -> ExperimentCard:
    with readable(part.folder / "run.json", "the request of an experiment", _AGAIN):
        return ExperimentCard.model_validate(part.requested["experiment"])


def _check_complete(where: Mapping[Training, Any], names: Sequence[str], seeds: Sequence[int]) -> None:
    missing = [f"{name!r} of seed {seed}" for name in names for seed in seeds if (name, seed) not in where]
    if missing:
        raise InputError(
            f"folders: got no run {listed(missing)}; expected each run of each seed. Run what is missing with --run "
            "and --seed, or leave out what it would stand beside."
        )


def _copy(
    out: Path, where: Mapping[Training, tuple[_Part, str]], names: Sequence[str], seeds: Sequence[int]
) -> dict[str, dict[str, list[Mapping[str, Any]]]]:
    """Copies what the stages recorded and wrote, and the figures of the first training of each run.

    Returns:
        Stage -> run -> its figures.
    """
    figures: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for (run, seed), (part, name) in where.items():
        new = run if seed == seeds[0] else f"{run}/seed-{seed}"
        # Further trainings lie within the folder of the first; each is copied by itself.
        others = {other for one, other in part.trainings() if one[0] == run and other != name}
        for place in (Path(), Path("stages")):
            _copy_tree(part.folder / place, name, out / place / new, others)
        if seed == seeds[0]:
            for record in sorted((part.folder / "stages/figures" / name).glob("*.json")):
                (out / "stages/figures" / run).mkdir(parents=True, exist_ok=True)
                _copy_file(record, out / "stages/figures" / run / record.name)
                result = read_record(record)["result"]
                check_shape(record, result, _Figures, _AGAIN)
                figures.setdefault(record.stem, {})[run] = found = result["figures"]
                for file in (value for one in found for value in one.values() if str(value).startswith("figures/")):
                    (out / inside(file, record, _AGAIN)).parent.mkdir(parents=True, exist_ok=True)
                    _copy_file(part.folder / file, out / file)
    return figures


def _copy_tree(root: Path, name: str, to: Path, others: set[str]) -> None:
    skipped = {root / other for other in others}

    def within(folder: str, entries: list[str]) -> list[str]:
        return [entry for entry in entries if Path(folder) / entry in skipped]

    with readable(root / name, "what a run wrote", _AGAIN):
        shutil.copytree(root / name, to, ignore=within, dirs_exist_ok=True, copy_function=_copy_file)


def _copy_file(source: "str | Path", target: "str | Path") -> None:
    # A pipe waits for ever, and a device has no end.
    regular_file(Path(source), _AGAIN)
    with readable(Path(source), "what a run wrote", _AGAIN):
        # Times are kept: the order in which stages ended is theirs.
        shutil.copy2(source, target)


def _write(
    out: Path,
    parts: Sequence[_Part],
    where: Mapping[Training, tuple[_Part, str]],
    names: Sequence[str],
    seeds: Sequence[int],
    figures: Mapping[str, Mapping[str, list[Mapping[str, Any]]]],
    command: str | None,
) -> None:
    """Writes what `bench` writes at its end: what was requested, the results, the tables and the report."""
    runs: dict[str, Any] = {}
    # As `bench` has them: all runs once, then all again from the next seed.
    for seed in seeds:
        for name in names:
            part, own = where[name, seed]
            new = name if seed == seeds[0] else f"{name}/seed-{seed}"
            runs[new] = {**part.results["runs"][own], "first": None if seed == seeds[0] else name}
    known = {key: dataset for part in parts for key, dataset in part.results["datasets"].items()}
    datasets = {about["dataset"]: known[about["dataset"]] for about in runs.values()}
    declared = _declared(parts[0])
    commands = [str(part.results.get("command")) for part in parts]
    folders = ", ".join(str(part.folder) for part in parts)
    results: dict[str, Any] = {
        **parts[0].results,
        "title": declared.title + of_generated(datasets),
        "datasets": datasets,
        "command": "; ".join([*dict.fromkeys(commands), command or f"join_runs({str(out.name)!r}, [{folders}])"]),
        "seed": seeds[0],
        "seeds": len(seeds),
        "runs": runs,
        "figures": [
            one
            for stage in parts[0].results["stages"]
            for name in names
            for one in figures.get(stage, {}).get(name, ())
        ],
    }
    write_results(out, results)
    stages = stages_of(out, results)
    results["verdicts"] = verdicts_of(results, stages)
    results["tables"] = write_tables(out, results, stages)
    results["seconds"] = Records(out).seconds()
    results["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
    write_results(out, results)
    named: dict[str, dict[str, Any]] = {key: {} for key in NAMED if key in parts[0].requested}
    for key, of_all in named.items():
        for part in parts:
            of_part = part.requested.get(key)
            of_all |= of_part if isinstance(of_part, Mapping) else {}
    write_json(out / "run.json", {**parts[0].requested, **named, "runs": list(names), "seed": seeds[0]})
    logs = [part.folder / "log.txt" for part in parts]
    text = "\n".join(f"# {log.parent}\n{log.read_text('utf-8', 'replace')}" for log in logs if is_there(log))
    (out / "log.txt").write_text(text, "utf-8")
    write_report(out)
