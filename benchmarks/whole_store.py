"""Training, class importance, masking, effect and explanations over a whole store: memory and rate.

The store is generated: clips of NTU RGB+D's lengths and persons (85 frames on average, four fifths of one person) hold
noise and, by class, a limb that swings; a counterfactual stands beside them. The network is an STGCN with few channels,
so that the figures are of the machinery, not of the multiplications: `--full` takes STGCN-7 as it is.

Each row is a process of its own. *peak* is the highest resident memory less that of the process before the call,
without the pages of the mapped store, which the system takes back whenever it needs them. With twice the clips it
should stay. Rates are by processor time, which other load disturbs less: *hours* are those of one core for all of NTU
RGB+D 60.

With `--kill`, what works in parts is also killed in the midst of the largest size, and started again: it must end with
the same numbers, in the rest of the time.

    python benchmarks/whole_store.py [--clips 6000] [--works WORK ...] [--kill] [--full] [--threads 1] [--json FILE]
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from stexplain.cards import dataset_card, model_card
from stexplain.data.clips import Clips
from stexplain.data.load import load_dataset
from stexplain.data.store.prepared import COLUMNS, FORMAT, VERSION, Store
from stexplain.files import sha256, write_json
from stexplain.graph import STGraph
from stexplain.metrics import dataset
from stexplain.metrics.dataset.run import PART
from stexplain.nn.checkpoint import load_model, save_model
from stexplain.training import evaluate, fit

WHOLE = 56_578
"""Recordings of NTU RGB+D 60."""
CLASSES = 10
MASKING = (0.3, 0.6, 0.9)
WORKS = ("training, one epoch", "evaluation", "class importance", "masking", "effect of groups", "explanations")


def generate(folder: Path, clips: int, seed: int = 0) -> None:
    """A store of generated clips, written part by part."""
    random = np.random.default_rng(seed)
    frames = np.exp(random.normal(np.log(85) - 0.4**2 / 2, 0.4, clips)).round().clip(32, 300).astype(int)
    instances = 1 + (random.random(clips) < 10_347 / WHOLE).astype(int)
    label = np.arange(clips) % CLASSES
    card = dataset_card("ntu")
    rows = int((frames * instances).sum())
    folder.mkdir(parents=True)
    arrays = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", kind, shape)
        for name, kind, shape in (
            ("x", np.float32, (rows, 25, 3)),
            ("counterfactual", np.float32, (rows, 25, 3)),
            ("valid", np.bool_, (rows,)),
        )
    }
    start = 0
    for clip in range(clips):
        count = frames[clip] * instances[clip]
        stop = start + count
        still = random.normal(0, 0.05, (count, 25, 3)).astype(np.float32)
        arrays["counterfactual"][start:stop] = still
        # A limb of two joints per class, swinging at some time.
        swing = 0.5 * np.sin(np.arange(count) * (0.2 + 0.05 * (label[clip] // 5)))[:, None]
        still[:, [3 * (label[clip] % 5), 3 * (label[clip] % 5) + 1], 1] += swing
        arrays["x"][start:stop] = still
        arrays["valid"][start:stop] = True
        start = stop
    for array in arrays.values():
        array.flush()
    table = pd.DataFrame(
        {
            "id": [f"clip{number:06d}" for number in range(clips)],
            "class": [str(card.classes[index].id) for index in label],
            "label": label,
            "frames": frames,
            "instances": instances,
            "bodies": instances,
            "offset": np.concatenate([[0], np.cumsum(frames * instances)[:-1]]),
        },
        columns=list(COLUMNS),
    )
    fields = {"setup": 1, "camera": 1 + np.arange(clips) % 3, "subject": 1 + np.arange(clips) // 10 % 40}
    table.assign(**fields, replication=1, action=1 + label).to_csv(folder / "index.csv", index=False)
    names = ["index.csv", "x.npy", "valid.npy", "counterfactual.npy"]
    write_json(
        folder / "store.json",
        {
            "format": FORMAT,
            "version": VERSION,
            "card": "ntu",
            "excluded": {},
            "found": clips,
            "kept": clips,
            "rows": rows,
            "nodes": card.graph.nodes,
            "channels": card.axes.channels,
            "instances": card.axes.instances,
            "classes": [{"id": one.id, "name": one.name} for one in card.classes[:CLASSES]],
            "files": {
                name: {"bytes": (folder / name).stat().st_size, "sha256": sha256(folder / name)} for name in names
            },
        },
    )
    Store.open(folder)


def memory(field: str) -> float:
    """A field of this process's status, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1e3


def measured(work: str, store: Path, model: Path, clips: int, out: Path) -> dict[str, Any]:
    """Memory and time of one work over some clips of a store, in this process, and a hash of its result."""
    data: Clips = load_dataset("ntu", store).subset(slice(clips))
    network = load_model(model)
    recipe = network.recipe
    # What is loaded at the first call is no part of what a call holds.
    dataset.class_importance(network, data.subset(slice(8)), batch=4, progress=False)
    before, highest, over = memory("RssAnon"), 0.0, threading.Event()

    def watch() -> None:
        nonlocal highest
        while not over.wait(0.02):
            highest = max(highest, memory("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    began, began_cpu, passes = time.perf_counter(), time.process_time(), 0.0
    how: dict[str, Any] = {"out": out / "parts", "progress": False}
    result: list[Any] = []
    if work == WORKS[0]:
        fit(network, data, recipe=replace_recipe(recipe, epochs=1), progress=False, out=out)
        result = [parameter.detach().numpy() for parameter in network.parameters()]
    elif work == WORKS[1]:
        result = [evaluate(network, data).accuracy]
    elif work == WORKS[2]:
        result = [dataset.class_importance(network, data, **how).psi]
    elif work == WORKS[3]:
        psi = np.random.default_rng(0).random((CLASSES, 25))
        result = list(dataset.masking_curve(network, data, psi, nodes=5, masking=MASKING, **how).correct.values())
    elif work == WORKS[4]:
        groups = {name: list(nodes) for name, nodes in data.graph.groups.items()}
        effect = dataset.effect(network, data, groups=groups, windows=8, **how)
        passes, result = float(effect.inferences.mean()), [effect.values]
    else:
        saved = dataset.explanations(network, data, method="InputGradient", **how)
    seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    over.set()
    watcher.join()
    if work == WORKS[5]:
        result = [np.nan_to_num(np.asarray(each.values)) for each in saved]
    numbers = hashlib.sha256(b"".join(np.ascontiguousarray(each).tobytes() for each in result)).hexdigest()
    return {"peak MB": highest - before, "seconds": seconds, "cpu": cpu, "inferences": passes, "numbers": numbers}


def killed(command: list[str], parts: Path, count: int) -> dict[str, Any]:
    """What the same work ends with that is killed once half of its parts are written, and started again."""
    child = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL)
    while child.poll() is None and sum(path.suffix == ".npz" for path in parts.glob("*")) < count // 2:
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    again = subprocess.run(command, env=os.environ, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(again.stdout))


def replace_recipe(recipe: Any, **changes: Any) -> Any:
    """A recipe with other fields."""
    return recipe.model_copy(update=changes)


def make_model(store: Path, folder: Path, full: bool) -> None:
    """An untrained STGCN-7, or one of three narrow blocks, with the released recipe."""
    data: Clips = load_dataset("ntu", store)
    card = model_card("stgcn7")
    torch.manual_seed(0)
    small: dict[str, Any] = {} if full else {"channels": [8, 8, 16], "strides": [1, 2, 2]}
    network = load_model("stgcn7", graph=STGraph.from_card("ntu"), classes=data.classes, **small)
    save_model(folder, network, card=card, recipe=replace_recipe(card.recipe("stgcn2018"), batch=32))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=6000)
    parser.add_argument("--full", action="store_true", help="STGCN-7 in place of three narrow blocks")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--works", nargs="+", choices=WORKS, default=WORKS)
    parser.add_argument("--kill", action="store_true", help="also kill each work in parts once, and resume it")
    parser.add_argument("--json", type=Path, help="writes the figures here")
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.one:
        work, store, model, clips, out = arguments.one
        print(json.dumps(measured(work, Path(store), Path(model), int(clips), Path(out))))
        return
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        store, model = Path(folder) / "store", Path(folder) / "model"
        began = time.perf_counter()
        generate(store, arguments.clips)
        size = sum(path.stat().st_size for path in store.iterdir()) / 1e6
        print(f"{arguments.clips:,} clips, {size:,.0f} MB, generated in {time.perf_counter() - began:.0f} s")
        make_model(store, model, arguments.full)
        print(f"{'':22s} {'clips':>7s} {'peak MB':>8s} {'seconds':>8s} {'clips/s':>8s}   {WHOLE:,} clips")
        for work in arguments.works:
            for clips in (arguments.clips // 4, arguments.clips // 2, arguments.clips):
                command = [sys.executable, __file__, "--threads", str(arguments.threads), "--one"]
                command += [work, str(store), str(model), str(clips)]
                out = Path(folder) / "out"
                child = subprocess.run(
                    [*command, str(out)], env=os.environ, stdout=subprocess.PIPE, check=True, text=True
                )
                found = json.loads(child.stdout)
                results.setdefault(work, {})[clips] = found
                rate = clips / found["cpu"]
                print(
                    f"{work:22s} {clips:7,d} {found['peak MB']:8.0f} {found['seconds']:8.0f} {rate:8.1f}   "
                    f"{WHOLE / rate / 3600:.2f} h",
                    flush=True,
                )
                shutil.rmtree(out, ignore_errors=True)
            if arguments.kill and work in WORKS[2:]:
                count = len([*range(0, arguments.clips, PART)])
                again = killed([*command, str(out)], out / "parts", count)
                same = "the same numbers" if again["numbers"] == found["numbers"] else "OTHER NUMBERS"
                print(f"{'':22s} killed halfway, resumed: {again['seconds']:.0f} s more, {same}", flush=True)
                results[work]["resumed"] = again
                shutil.rmtree(out, ignore_errors=True)
    if arguments.json:
        about = {"full": arguments.full, "threads": arguments.threads, "torch": torch.__version__}
        arguments.json.write_text(json.dumps({**about, "works": results}, indent=2))


if __name__ == "__main__":
    main()
