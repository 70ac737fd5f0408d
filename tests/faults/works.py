"""Long works, each small enough to end in seconds, and what must be the same however often they were killed."""

import csv
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What tells the time: it differs between runs whose numbers are the same.
_TIMES = {"seconds", "finished", "sha256", "samples_per_second", "seconds_per_sample"}
# `log.txt` has times too, and `lock` is the file by which a folder is held.
_LEFT_OUT = {"log.txt", "lock"}


@dataclass(frozen=True)
class Work:
    """A work that resumes.

    Attributes:
        name: for messages.
        inputs: writes what the work reads, into a folder.
        run: does the work, given the folder of the inputs and the one to write to.
        workers: whether it has processes of its own, of which one may be killed.
    """

    name: str
    inputs: Callable[[Path], None]
    run: Callable[[Path, Path], None]
    workers: bool = False


def outcome(out: Path) -> dict[str, Any]:
    """Every file of a folder, by its path; but for times, what must not differ. Nothing may be there beside it."""
    found: dict[str, Any] = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.name in _LEFT_OUT:
            continue
        if path.is_dir():
            found[name] = "folder"
        elif path.suffix == ".json":
            found[name] = _without_times(json.loads(path.read_text("utf-8")))
        elif path.suffix == ".safetensors":
            found[name] = _tensors(path)
        elif path.suffix == ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                found[name] = [_without_times(row) for row in csv.DictReader(file)]
        elif path.name == "report.html":
            # Made from results.json, times included.
            found[name] = "page"
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _tensors(path: Path) -> list[Any]:
    """The header of a file of tensors, whose entries may be JSON that tells times, and a hash of their bytes."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    about = {
        name: json.loads(text) if text[:1] in "{[" else text for name, text in header.get("__metadata__", {}).items()
    }
    return [_without_times({**header, "__metadata__": about}), hashlib.sha256(content[end:]).hexdigest()]


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_times(each) for name, each in value.items() if name not in _TIMES}
    return [_without_times(each) for each in value] if isinstance(value, list) else value


def _edited(path: Path, **changes: str) -> None:
    text = path.read_text("utf-8")
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, "utf-8")


def _bench(root: Path, name: str, out: Path, data: Path | None) -> None:
    from stexplain.bench import figures, report
    from stexplain.bench.runner import bench

    # Pictures and the page's scripts take most of the time of so small an experiment, and come from what is compared.
    figures.FORMATS = ("json",)
    report.bundle = lambda: ""
    os.environ |= {"STEXPLAIN_CARDS": str(root), "STEXPLAIN_CACHE": str(out / "cache")}
    bench(root / "datasets" / name, data=data, out=out / "run", progress=False)


def _recognition_inputs(root: Path) -> None:
    from tests.bench.small_experiment import write_cards, write_recordings

    card = write_cards(root, epochs=3, channels=4)
    _edited(card / "experiment.toml", values=("[0.5, 1.0]", "[1.0]"), baselines=('["zero", "mean"]', '["zero"]'))
    write_recordings(root / "raw")


def _recognition(root: Path, out: Path) -> None:
    _bench(root, "wave", out, root / "raw")


def _forecast_inputs(root: Path) -> None:
    from tests.bench.small_roads import write_cards

    card = write_cards(root, epochs=2, wide=4)
    _edited(card / "experiment.toml", steps=("steps = 24", "steps = 4"), curve=("steps = 8", "steps = 2"))


def _forecast(root: Path, out: Path) -> None:
    # The series is generated into the cache, which is in the folder too: it is killed as it is made.
    _bench(root, "lane", out, None)


_COMPARISON = """
[stages.comparison]
samples = 4
baselines = ["Motion", "Random"]
methods = ["InputGradient", "STGGradCAM", "ExpectedGradients"]
deletion = { steps = 2, repeats = 1 }
"""


def _comparison_inputs(root: Path) -> None:
    from tests.bench.tiny_signals import experiment_text, write_tiny

    write_tiny(root, experiment_text(_COMPARISON, epochs=1), repetitions=2)


def _comparison(root: Path, out: Path) -> None:
    _bench(root, "tiny", out, root / "raw")


def _recordings(root: Path) -> None:
    from stexplain.data.store import shards
    from tests.data.skeleton_files import body, write_ntu

    # Of three shards.
    for number in range(2 * shards.SIZE + 3):
        name = f"S001C001P{1 + number // 60:03d}R001A{1 + number % 60:03d}"
        write_ntu(root / "raw", name, {4: body(4, number)})


def _prepare(engine: str) -> Callable[[Path, Path], None]:
    def run(root: Path, out: Path) -> None:
        from stexplain.data.store.prepare import prepare

        prepare("ntu", root / "raw", out / "store", workers=2, engine=engine, progress=False)

    return run


def _clips_and_model(root: Path) -> None:
    import torch

    from stexplain.cards import model_card
    from stexplain.data.load import load_dataset
    from stexplain.data.store.prepare import prepare
    from stexplain.nn.checkpoint import load_model, save_model
    from tests.data.skeleton_files import body, write_ntu

    for number in range(12):
        name = f"S001C00{1 + number % 3}P003R00{1 + number // 6}A00{7 + number // 3 % 2}"
        write_ntu(root / "raw" / str(number), name, {4: body(8 + number, number)})
    prepare("ntu", root / "raw", root / "store", workers=1, progress=False)
    clips = load_dataset("ntu", root / "store")
    torch.manual_seed(0)
    model = load_model("stgcn7", graph=clips.graph, classes=clips.classes, channels=[4], strides=[1])
    save_model(
        root / "model", model, recipe=model_card("stgcn7").recipe("small").model_copy(update={"frames": 16})
    )  # fmt: skip


def _measure(engine: str) -> Callable[[Path, Path], None]:
    def run(root: Path, out: Path) -> None:
        from stexplain.cli.measure import _measured, _Work
        from stexplain.data.load import load_dataset

        clips = load_dataset("ntu", root / "store")
        # Parts of two clips, where the command's have hundreds.
        how = {"engine": engine, "workers": 2, "batch": 2, "part": 2, "progress": False}
        model = root / "model"
        _measured("masking", _Work(model, clips, out / "measures", "STGGradCAM", 3, "zero", how, {}))
        _measured("maps", _Work(model, clips, out / "maps", "InputGradient", 3, "zero", how, {}))

    return run


WORKS = [
    Work("recognition", _recognition_inputs, _recognition),
    Work("forecast", _forecast_inputs, _forecast),
    Work("comparison", _comparison_inputs, _comparison),
    Work("prepare", _recordings, _prepare("local"), workers=True),
    Work("measure", _clips_and_model, _measure("local"), workers=True),
]
ON_RAY = [
    Work("prepare on Ray", _recordings, _prepare("ray"), workers=True),
    Work("measure on Ray", _clips_and_model, _measure("ray"), workers=True),
]
