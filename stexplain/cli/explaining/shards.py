"""Parts of `stexplain explain` in other processes or on a Ray cluster: a writer for `stexplain.engine`.

All that a part needs is named by a plan in a folder; a part that is written stays there until all are.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from stexplain.cards import any_card, trusted_names, trusting
from stexplain.cli.explaining.parts import PART, Part, Work, explained, make_work
from stexplain.cli.validate.explain import Checked
from stexplain.cli.validate.target import ParsedTarget
from stexplain.data.clips import Clips
from stexplain.engine.run import Engine, check_engine, run_parts
from stexplain.errors import DataError
from stexplain.explainers.by_name import explainer
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.explanation import Explanation
from stexplain.files import folder_lock, read_json, remove_leftovers, write_json
from stexplain.metrics.dataset.models import model_hash
from stexplain.progress import progress_bar
from stexplain.version import __version__
from stexplain.wording import counted

WRITER = "stexplain.cli.explaining.shards"
PLAN = "plan.json"


def parts_by_engine(
    checked: Checked,
    target: ParsedTarget,
    method: str,
    options: dict[str, Any],
    work: Work,
    which: Sequence[int],
    *,
    engine: Engine,
    workers: int | None,
    progress: bool,
) -> list[Part]:
    """The explanation of all samples, part by part, in order; see `parts.explained`.

    The parts are kept beside the output until all are there: the same command resumes. Those of another call are
    removed.

    Args:
        checked: what the options of the command name.
        target: the parsed `--target`.
        method: the name of the explainer.
        options: of it, as they were given.
        work: the same, loaded in this process.
        which: the indices of the samples.
        engine: who computes the parts.
        workers: how many at a time; none: one for each processor of this machine, or of the cluster.
        progress: whether a bar is shown.
    """
    check_engine(engine, workers)
    size = work.size(len(which))
    count = -(-len(which) // size)
    plan: dict[str, Any] = {
        "model": str(Path(checked.model).resolve()) if Path(checked.model).exists() else checked.model,
        "card": str(checked.dataset.path.resolve()),
        "card_hash": checked.dataset.hash,
        "data": None if checked.data is None else str(checked.data.resolve()),
        "split": checked.split,
        "target": asdict(target),
        "method": method,
        "options": options,
        "which": list(which),
        "size": size,
        "weights": model_hash(work.network),
        "content": _content(work, which),
        "threads": torch.get_num_threads(),
        "trust": list(trusted_names()),
        "stexplain": __version__,
    }
    # As a file gives it back, so that a plan that lies there can be compared.
    plan = json.loads(json.dumps(plan))
    place = checked.outputs.place
    with folder_lock(place.with_name(f".{place.name}.explaining")) as folder:
        if (folder / PLAN).is_file() and read_json(folder / PLAN) != plan:
            for path in folder.iterdir():
                if path.name != "lock":
                    path.unlink()
        remove_leftovers(folder)
        write_json(folder / PLAN, plan)
        with progress_bar(f"explaining, {counted(size, 'sample')} each", count, shown=progress) as done:
            run_parts(WRITER, folder, count, engine=engine, workers=workers, done=done)
        found = [_read(folder, number) for number in range(count)]
        shutil.rmtree(folder, ignore_errors=True)
    return found


def part_path(folder: Path, number: int) -> Path:
    """What the model predicts of the samples of a part: written last, when its explanation is there."""
    return folder / f"part-{number:05d}.json"


def write_part(folder: Path, number: int) -> None:
    """Explains the samples of a part of the plan in the folder."""
    plan, work, explain = _loaded(folder, hashlib.sha256((folder / PLAN).read_bytes()).hexdigest())
    with explain:
        part = explained(work, explain, plan["which"][number * plan["size"] : (number + 1) * plan["size"]])
    part.explanation.save(_map_path(folder, number))
    write_json(part_path(folder, number), {"rows": part.rows, "seconds": part.seconds})


def _read(folder: Path, number: int) -> Part:
    said = read_json(part_path(folder, number))
    return Part(Explanation.load(_map_path(folder, number)), said["rows"], said["seconds"])


def _map_path(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05d}.nc"


@lru_cache(maxsize=1)
def _loaded(folder: Path, plan_hash: str) -> tuple[dict[str, Any], Work, Explainer]:
    """The plan, samples and model, and the method, once a process."""
    plan: dict[str, Any] = read_json(folder / PLAN)
    torch.set_num_threads(int(plan["threads"]))
    data = None if plan["data"] is None else Path(plan["data"])
    target = ParsedTarget(**plan["target"])
    with trusting(plan["trust"]):
        dataset = any_card(Path(plan["card"]))
        work = make_work(plan["model"], dataset, data, plan["split"], target, plan["method"], plan["options"])
    if model_hash(work.network) != plan["weights"]:
        raise DataError(
            f"{plan['model']} is not the model that was loaded first: its weights differ. A function that makes a "
            "model must give it the same weights each time. Load them from a file, or leave out --engine and --workers."
        )
    return plan, work, explainer(work.method, work.network, **work.options)


def _content(work: Work, which: Sequence[int]) -> str:
    """A hash of what is explained: parts of other values are not taken for these."""
    if isinstance(work.samples, Clips):
        return work.samples.subset(list(which)).content()
    digest = hashlib.sha256()
    for start in range(0, len(which), PART):
        batch = work.samples.batch(list(which[start : start + PART]))
        digest.update(batch.x.numpy().tobytes() + batch.valid.numpy().tobytes())
        if batch.observed is not None:
            digest.update(batch.observed.numpy().tobytes())
    return digest.hexdigest()
