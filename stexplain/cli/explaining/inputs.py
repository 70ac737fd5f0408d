"""The inputs of `stexplain explain`: dataset, model and chosen samples. Imports torch."""

import importlib
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

import typer
from torch import nn, random

from stexplain.cards import DatasetCard, Recipe, SeriesCard
from stexplain.cli.validate.datasets import ALL
from stexplain.cli.validate.explain import is_factory, saved_model
from stexplain.data.clips import Clips
from stexplain.data.load import load_dataset
from stexplain.data.series import WindowedSeries
from stexplain.errors import InputError, suggest, unknown
from stexplain.graph import STGraph
from stexplain.nn.checkpoint import load_model
from stexplain.wording import an


def load_samples(
    model: str, card: DatasetCard | SeriesCard, data: Path | None, split: str | None
) -> tuple[Clips | WindowedSeries, STGraph]:
    """The samples of a split, sampled as the model's recipe says where it is a trained one, and their graph."""
    if isinstance(card, SeriesCard):
        series = load_dataset(card, data, None if split == ALL else split or "test")
        assert series.graph is not None  # readers of series give one; only a series made in Python may have none
        return series, series.graph
    saved = (saved_model(model) or {}).get("recipe")
    # A forecaster's recipe has no `frames`: it samples no clips.
    recipe = Recipe.model_validate(saved) if saved and saved.get("frames") else None
    part = None if split == ALL else split or f"{next(iter(card.protocols))}/test"
    clips = load_dataset(card, data, part, recipe=recipe)
    return clips, clips.graph


def load_network(model: str, graph: STGraph, classes: list[str]) -> nn.Module:
    """The model: imported, trained, or a card's with random weights, as a line on stderr says."""
    if is_factory(model):
        return _imported(model)
    if saved_model(model) is not None:
        return load_model(model)
    # The caller's generator is put back; the seed makes two calls explain the same weights.
    with random.fork_rng(devices=[]):
        random.manual_seed(0)
        network = load_model(model, graph=graph, classes=classes or None)
    typer.echo(f"stexplain: {model} is a card: its weights are random, and so is its explanation.", err=True)
    return network


def _imported(path: str) -> nn.Module:
    module, _, name = path.partition(":")
    # The user names it here and now, which is its consent. A module of the current folder is found although the
    # command lies elsewhere; its folder comes last, so that no numpy.py there is taken for the installed one.
    try:
        _find_beside(module.partition(".")[0])
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(f"MODEL: got {path!r}, but {error.name!r} cannot be imported. Is it installed?") from error
    if not hasattr(imported, name):
        raise InputError(f"MODEL: got {path!r}, but {module} has no {name!r}. {suggest(name, dir(imported))}")
    made = getattr(imported, name)
    made = made if isinstance(made, nn.Module) else made()  # a module itself, or a function or class that makes one
    if not isinstance(made, nn.Module):
        raise InputError(f"MODEL: got {path!r}, which made {an(type(made).__name__)}; expected a torch.nn.Module.")
    return made


def _find_beside(top: str) -> None:
    """Makes a module or package of the current folder, and what it imports from there, importable."""
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)
    # An installed module of the same name would come first, but the one beside the user is meant.
    spec = PathFinder.find_spec(top, [folder])
    if top not in sys.modules and spec is not None and spec.loader is not None:
        made = module_from_spec(spec)
        sys.modules[top] = made
        try:
            spec.loader.exec_module(made)
        except BaseException:
            sys.modules.pop(top)
            raise


def select_samples(samples: Clips | WindowedSeries, ids: list[str], first: int) -> list[int]:
    """The indices of the samples of these ids; without ids, of the first ones.

    Raises:
        InputError: for an id that does not exist.
    """
    if not ids:
        return list(range(min(first, len(samples))))
    if isinstance(samples, WindowedSeries):
        return [_window(samples, name) for name in ids]
    names: list[Any] = list(samples.ids)
    for name in ids:
        if name not in names:
            raise unknown("sample", name, names)
    return [names.index(name) for name in ids]


def _window(series: WindowedSeries, name: str) -> int:
    """The index of a window, which is given as such or as the time at which it starts."""
    last = len(series) - 1
    if name.isdecimal() and int(name) <= last:
        return int(name)
    if series.time is None:
        raise InputError(f"--ids: got {name!r}; expected the number of a window, 0 to {last}.")
    if not name.isdecimal():
        starts = {str(series.time_of(index)): index for index in range(len(series))}
        if name in starts:
            return starts[name]
    raise InputError(
        f"--ids: got {name!r}; expected the number of a window, 0 to {last}, or its start, '{series.time_of(0)}' to "
        f"'{series.time_of(last)}'."
    )
