"""Writes the parts of a plan in another process: a writer for `stexplain.engine`."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch

from stexplain.cards import dataset_card, trusting
from stexplain.data.clips import Clips
from stexplain.data.load import load_clips
from stexplain.errors import DataError
from stexplain.files import read_json
from stexplain.metrics.dataset import parts
from stexplain.metrics.dataset.measures import Compute, computer
from stexplain.metrics.dataset.models import model_hash, model_of

part_path = parts.part_path


class Loaded(NamedTuple):
    """What the parts of a plan are computed of."""

    clips: Clips
    size: int
    compute: Compute


def write_part(folder: Path, number: int) -> None:
    """Computes a part of the plan in the folder, and writes it.

    Raises:
        DataError: where model or clips are not those of the plan.
    """
    clips, size, compute = _loaded(folder, hashlib.sha256((folder / parts.PLAN).read_bytes()).hexdigest())
    part = parts.part_of(clips, number, size)
    parts.save_part(folder, number, part, compute(part, number))


@lru_cache(maxsize=1)
def _loaded(folder: Path, plan_hash: str) -> Loaded:
    """Model and clips, once a process."""
    plan: dict[str, Any] = read_json(folder / parts.PLAN)
    where = plan["where"]
    torch.set_num_threads(int(where["threads"]))
    with trusting(where["trust"]):
        model = model_of(where["model"])
    if model_hash(model) != plan["model"]:
        raise DataError(f"{where['model']} is not the model that {folder / parts.PLAN} was made for. Has it changed?")
    recipe = getattr(model, "recipe", None)
    clips = load_clips(dataset_card(Path(where["card"])), where["store"]).subset(where["chosen"])
    clips = clips.with_recipe(recipe)
    if table_hash(clips) != plan["clips"]:
        raise DataError(f"{where['store']} does not hold the clips that {folder / parts.PLAN} was made for.")
    return Loaded(clips, plan["part"], computer(plan["measure"], plan["options"], model, plan["batch"], folder))


def table_hash(clips: Clips) -> str:
    """A hash of the names, labels and fields of clips, and of how they are sampled."""
    text = clips.table.to_csv(index=False) + repr(clips.recipe)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
