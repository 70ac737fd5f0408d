"""What is fuzzed: found in the package, so that a new reader, card, format or command is among it."""

import functools
import importlib
import inspect
import os
import pkgutil
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import stexplain.data
from tests.fuzz import corpus, keypoint_files

Call = Callable[[Path, Path], object]


@dataclass(frozen=True)
class Target:
    """Something that reads what others wrote.

    Attributes:
        name: of it.
        seeds: folders of valid inputs.
        call: reads a damaged copy of one, given the folder and a path at which nothing is: to write to.
    """

    name: str
    seeds: tuple[Path, ...]
    call: Call


def targets(folder: Path) -> list[Target]:
    """Every target, with its seeds written under a folder."""
    formats = written_formats(folder / "formats")
    found = [
        *_readers(formats, folder),
        _skeletons(formats),
        _regions(formats),
        _eeg(formats),
        *_cards(folder / "cards"),
        *_folders(folder / "made", formats),
        *_commands(folder),
        *_calls(folder / "nothing"),
    ]
    return sorted(found, key=lambda target: target.name)


def written_formats(folder: Path) -> dict[str, Path]:
    """The corpus: every format in a folder of its own."""
    made = {}
    writers = [pair for part in (corpus, keypoint_files) for pair in inspect.getmembers(part, inspect.isfunction)]
    for name, write in writers:
        if write.__module__ in (corpus.__name__, keypoint_files.__name__) and not name.startswith("_"):
            made[name] = folder / name
            if not made[name].exists():
                made[name].mkdir(parents=True)
                write(made[name])
    return made


# ---- readers ----


def reader_modules() -> Iterator[tuple[ModuleType, str]]:
    """Every module of `stexplain.data` with a function `read` that gives a recording or a series; and which."""
    for info in pkgutil.walk_packages(stexplain.data.__path__, "stexplain.data."):
        module = importlib.import_module(info.name)
        read = getattr(module, "read", None)
        if inspect.isfunction(read) and read.__module__ == info.name:
            given = str(inspect.get_annotations(read).get("return", "")).rpartition(".")[2].strip("'>")
            if given in ("Recording", "SeriesFile"):
                yield module, given


def _readers(formats: dict[str, Path], folder: Path) -> Iterator[Target]:
    from tests.data.series_cards import small_card

    for module, given in reader_modules():
        name = module.__name__
        if given == "Recording":
            call: Call = functools.partial(_each_file, module.read)
        else:
            card = small_card(folder / "small" / name, name, more="start = 2012-03-01T00:00:00")
            call = functools.partial(_series, module.read, card)
        yield Target(f"reader {name}", _accepted(call, formats), call)


def _each_file(read: Callable[[Path], object], case: Path, out: Path) -> object:
    return [read(path) for path in sorted(case.iterdir())]


def _series(read: Callable[..., Any], card: Any, case: Path, out: Path) -> object:
    series = read(case, card)
    # All values, not only the first: some readers map them into memory.
    np.asarray(series.values).sum()
    return series


def _accepted(call: Call, formats: dict[str, Path]) -> tuple[Path, ...]:
    """The folders that are read without an error: what a reader is fuzzed with."""
    from stexplain.errors import StexplainError

    found = []
    for folder in formats.values():
        try:
            call(folder, folder / "out")
        except StexplainError:
            continue
        found.append(folder)
    return tuple(found)


def _skeletons(formats: dict[str, Path]) -> Target:
    from stexplain.data import load_skeletons
    from stexplain.graph import STGraph

    line = STGraph.from_edges(["hip", "knee", "foot"], [("hip", "knee"), ("knee", "foot")])

    def call(case: Path, out: Path) -> object:
        has = {path.suffix for path in case.rglob("*")}
        if has & {".c3d", ".trc", ".ts"} or (case / "table.csv").exists():
            return list(load_skeletons(case, graph=line))
        if (case / "a.pkl").exists() or (case / "a.npz").exists():
            return list(load_skeletons(case, graph="coco-17"))
        return list(load_skeletons(case))

    return Target("skeletons", _accepted(call, formats), call)


def _regions(formats: dict[str, Path]) -> Target:
    from stexplain.data import load_regions

    def call(case: Path, out: Path) -> object:
        arrays = case / "regions.npz"
        return list(load_regions(arrays if arrays.exists() else case, train="all"))

    # Any folder of tables of numbers may be one of regions: a few are enough.
    seeds = tuple(formats[name] for name in ("region_tables", "region_arrays"))
    return Target("regions", seeds, call)


def _eeg(formats: dict[str, Path]) -> Target:
    from stexplain.data import load_eeg

    def call(case: Path, out: Path) -> object:
        return list(load_eeg(case, nearest=2))

    return Target("eeg", _accepted(call, formats), call)


# ---- cards ----


def _cards(folder: Path) -> Iterator[Target]:
    from stexplain.bench.check_card import check_card
    from stexplain.bench.experiment import load_experiment
    from stexplain.cards import any_card, card_names, card_path, model_card

    seeds = {}
    for name in card_names("datasets"):
        shutil.copytree(card_path("datasets", name).parent, folder / name, dirs_exist_ok=True)
        seeds[name] = folder / name
    yield Target("dataset card", tuple(seeds.values()), lambda case, out: any_card(case))
    yield Target("card check", tuple(seeds.values()), lambda case, out: check_card(case) and None)
    with_experiment = tuple(path for path in seeds.values() if (path / "experiment.toml").is_file())
    yield Target("experiment", with_experiment, lambda case, out: load_experiment(str(case)))
    models = []
    for name in card_names("models"):
        models.append(folder / "models" / name)
        models[-1].mkdir(parents=True, exist_ok=True)
        shutil.copy(card_path("models", name), models[-1] / "model.toml")
    yield Target("model card", tuple(models), lambda case, out: model_card(case / "model.toml"))


# ---- what the package itself wrote ----


def _folders(folder: Path, formats: dict[str, Path]) -> Iterator[Target]:
    from stexplain.bench.joining import join_runs
    from stexplain.bench.records import Records, run_folder
    from stexplain.bench.report import write_report
    from stexplain.bench.summary import print_summary
    from stexplain.data.load import load_clips
    from stexplain.data.store.check import check_store
    from stexplain.data.store.prepare import prepare
    from stexplain.explainers.explanation import Explanation
    from stexplain.nn.checkpoint import load_model, load_stgcn_checkpoint
    from tests.fuzz import made

    paths = made.write(folder, formats)
    stores = (paths["store"], paths["store with truth"])
    yield Target("store", stores, lambda case, out: _all_clips(load_clips, case))
    yield Target("store check", stores, lambda case, out: check_store(case) and None)
    yield Target("checkpoint", (paths["model"], paths["forecaster"]), lambda case, out: load_model(case))
    released = (paths["released"],)
    yield Target("released checkpoint", released, lambda case, out: load_stgcn_checkpoint(case / "weights.pt"))
    explanations = tuple(path for name, path in paths.items() if name.startswith("explanation"))
    yield Target("explanation", explanations, lambda case, out: _explanation(Explanation, case))
    requested = made.REQUESTED

    def resume(case: Path, out: Path) -> None:
        with run_folder(case / "run", requested) as records:
            for name in ("train", "accuracy/part"):
                records(name, lambda: {"value": 1})
            records.seconds()

    yield Target("run folder", (paths["run"],), resume)
    yield Target("run record", (paths["run"],), lambda case, out: Records(case / "run")("train", lambda: {"value": 1}))
    finished = (paths["finished"],)
    yield Target("run report", finished, lambda case, out: write_report(case / "run"))
    yield Target("run summary", finished, lambda case, out: print_summary(case / "run"))
    yield Target("runs joined", finished, lambda case, out: join_runs(out, [case / "run"]))

    def prepared(case: Path, out: Path) -> None:
        for path in sorted(case.iterdir()):
            path.rename(case.parent / path.name)
        prepare("nw-ucla", case.parent / "raw", case.parent / "store", workers=1, progress=False)

    yield Target("shards", (paths["shards"],), prepared)


def _all_clips(load: Callable[..., Any], case: Path) -> object:
    return list(load("nw-ucla", case))


def _explanation(kind: Any, case: Path) -> object:
    # A file is damaged or gone, but its folder holds one explanation.
    named = [path for path in sorted(case.iterdir()) if path.name.startswith("e.")]
    return [kind.load(path) for path in named or [case / "e.nc"]]


# ---- the command line ----


def _commands(folder: Path) -> Iterator[Target]:
    import typer

    from stexplain.cli.main import app
    from tests.fuzz.commands import call_command

    # Folders and files that arguments may name, few and small: they are written for every input.
    seeds = [folder / "made" / name for name in ("store", "model", "run")]
    seeds += [folder / "formats" / name for name in ("speeds_csv", "tidy_table")] + [folder / "cards" / "nw-ucla"]
    root: Any = typer.main.get_command(app)
    for path in _leaves(root, ()):
        yield Target("command " + " ".join(path), tuple(seeds), functools.partial(call_command, path))


def _leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not hasattr(command, "commands"):
        yield path
        return
    for name, one in command.commands.items():
        yield from _leaves(one, (*path, name))


# ---- everything public that can be called ----


def _calls(nothing: Path) -> Iterator[Target]:
    from tests.fuzz.calls import call_wrongly, groups

    nothing.mkdir(parents=True, exist_ok=True)
    for group in groups():
        yield Target(f"call {group}", (nothing,), functools.partial(call_wrongly, group))


def preload() -> None:
    """Imports all that the targets use, once, before processes are forked."""
    import stexplain.bench
    import stexplain.cli.main
    import stexplain.explainers.by_name
    import stexplain.viz  # noqa: F401
    from stexplain.viz.page import bundle

    bundle()
    # Of every installed file: most of the time of a `doctor`, and the same for each.
    metadata.packages_distributions = functools.cache(metadata.packages_distributions)
    sys.setrecursionlimit(1000)


def prepared_targets(folder: Path) -> list[Target]:
    """The targets; their seeds are written by another process, as torch and forks do not go together afterwards."""
    process = os.fork()
    if not process:
        code = 1
        try:
            targets(folder)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    if os.waitpid(process, 0)[1]:
        raise SystemExit("the valid inputs could not be written")
    return targets(folder)
