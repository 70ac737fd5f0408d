"""Runs a measure over the parts of a dataset, here or by an engine, and gives their results in order."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from torch import nn

from stexplain.cards import Recipe
from stexplain.data.clips import Clips
from stexplain.engine.run import Engine, check_engine, run_parts
from stexplain.errors import InputError
from stexplain.files import folder_lock, read_json, remove_leftovers
from stexplain.metrics.dataset.measures import EXPLANATIONS, computer
from stexplain.metrics.dataset.models import ModelLike, model_hash, place_of, trust_of
from stexplain.metrics.dataset.parts import PLAN, Arrays, count, each_part, keep_plan
from stexplain.metrics.dataset.worker import table_hash
from stexplain.progress import progress_bar
from stexplain.version import __version__
from stexplain.wording import an

WORKER = "stexplain.metrics.dataset.worker"
PART = 512
"""Clips in a part: what a call that is killed loses at most."""


def sampled(model: nn.Module, clips: Clips) -> Clips:
    """The clips as the model gets them: by its recipe, where it has one."""
    if not isinstance(clips, Clips):
        raise InputError(
            f"clips: got {an(type(clips).__name__)}; expected Clips, as load_dataset gives them, or "
            "Clips.from_arrays of "
            "your own arrays."
        )
    if not len(clips):
        raise InputError("clips: got none; expected at least one.")
    recipe = getattr(model, "recipe", None)
    return clips.with_recipe(recipe) if isinstance(recipe, Recipe) else clips


class WorkOptions(TypedDict, total=False):
    """How a dataset is worked through, as keyword arguments; see `class_importance` for what each means."""

    batch: int
    part: int
    engine: Engine
    workers: int | None
    progress: bool


def results(
    measure: str,
    options: Mapping[str, Any],
    model: ModelLike,
    network: nn.Module,
    clips: Clips,
    *,
    out: "str | Path | None" = None,
    batch: int = 32,
    part: int = PART,
    engine: Engine = "local",
    workers: int | None = None,
    progress: bool = True,
) -> Iterator[Arrays]:
    """The result of every part, in order.

    Args:
        measure: see `measures`.
        options: of the measure.
        model: as the caller gave it.
        network: the module that it is.
        clips: as the model gets them; see `sampled`.
        out: see `calls.class_importance`, as for what follows.
        batch: clips at a time.
        part: clips in a part.
        engine: who computes the parts.
        workers: how many do; none: one where the engine is local.
        progress: whether a bar is shown.
    """
    for name, value in {"batch": batch, "part": part}.items():
        if value < 1:
            raise InputError(f"{name}: got {value}; expected at least 1.")
    check_engine(engine, workers)
    here = engine == "local" and (workers or 1) == 1
    if out is None:
        if not here or measure == EXPLANATIONS:
            raise InputError("out: got None; expected a folder for the results of the parts. Give `out`.")
        compute = computer(measure, options, network, batch, None)
        yield from each_part(clips, part, compute, what=measure, progress=progress)
        return
    with folder_lock(Path(out), wait=False) as folder:
        remove_leftovers(folder)
        plan: dict[str, Any] = {
            "measure": measure,
            "options": _as_json(options),
            "batch": batch,
            "part": part,
            "stexplain": __version__,
            "model": model_hash(network),
            "class": f"{type(network).__module__}.{type(network).__qualname__}",
            "samples": len(clips),
            "clips": table_hash(clips),
        }
        # Sums may depend on the number of threads in their last bit: a folder keeps to the one it was begun with.
        held = read_json(folder / PLAN).get("where", {}) if (folder / PLAN).is_file() else {}
        where: dict[str, Any] = {"threads": held.get("threads", torch.get_num_threads())}
        keep_plan(folder, plan, where)
        if not here:
            keep_plan(folder, plan, {**where, **_place(model, clips, folder), "trust": trust_of(network)})
            with progress_bar(measure, count(len(clips), part), shown=progress) as done:
                run_parts(WORKER, folder, count(len(clips), part), engine=engine, workers=workers, done=done)
        with _threads(int(where["threads"])):
            compute = computer(measure, plan["options"], network, batch, folder)
            yield from each_part(clips, part, compute, folder=folder, what=measure, progress=progress and here)


def _as_json(options: Mapping[str, Any]) -> Any:
    """Options as JSON gives them back, with null for NaN.

    Raises:
        InputError: where a value is no plain one.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray | np.generic):
            return plain(value.tolist())
        if isinstance(value, Mapping):
            return {str(name): plain(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [plain(each) for each in value]
        return None if isinstance(value, float) and value != value else value

    for name, value in options.items():
        try:
            json.dumps(plain(value))
        except TypeError as error:
            raise InputError(
                f"{name}: got {error} With `out`, options are numbers, texts and lists, which a file can hold."
            ) from error
    return plain(options)


def _place(model: ModelLike, clips: Clips, folder: Path) -> dict[str, Any]:
    """Where other processes find model and clips."""
    if clips.store is None or clips.card is None:
        raise InputError(
            "clips: got clips of your own arrays, which other processes cannot load. Give those of a prepared store, "
            "by load_dataset, or leave out `workers` and `engine`."
        )
    return {
        "model": place_of(model, folder),
        "card": str(clips.card.path),
        "store": str(clips.store.resolve()),
        "chosen": clips.chosen.tolist(),
    }


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
