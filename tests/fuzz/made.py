"""What this package writes itself, for the fuzzer: stores, models, explanations, run folders."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

REQUESTED: dict[str, Any] = {"seed": 0, "runs": ["a"], "card_hash": "x" * 64, "recipe": None}


def write(folder: Path, formats: dict[str, Path]) -> dict[str, Path]:
    """Writes one of each, every one in a folder of its own."""
    names = ("store", "store with truth", "model", "forecaster", "released", "run", "finished", "shards")
    paths = {name: folder / name for name in names}
    if folder.exists():
        return paths | {f"explanation {path.suffix}": path for path in folder.glob("explanation.*")}
    folder.mkdir(parents=True)
    _stores(paths, formats["nw_ucla"])
    _models(paths)
    paths |= _explanations(folder)
    _runs(paths)
    return paths


def _stores(paths: dict[str, Path], raw: Path) -> None:
    from stexplain.cards import dataset_card
    from stexplain.data.store.prepare import _planned, prepare
    from stexplain.data.store.shards import write_shard
    from stexplain.files import write_json

    prepare("nw-ucla", raw, paths["store"], workers=1, progress=False)
    planted = paths["store"].with_name("raw with truth")
    shutil.copytree(raw, planted)
    for path in sorted(planted.glob("*.json")):
        np.save(path.with_suffix(".truth.npy"), np.ones((1, 6, 20), bool))
    prepare("nw-ucla", planted, paths["store with truth"], workers=1, progress=False)
    shutil.rmtree(planted)
    # A preparation that was interrupted before it merged its shards.
    shutil.copytree(raw, paths["shards"] / "raw")
    folder = paths["shards"] / ".store.preparing"
    folder.mkdir()
    plan, _ = _planned(dataset_card("nw-ucla"), paths["shards"] / "raw", "energy", None)
    write_json(folder / "plan.json", plan)
    write_shard(folder, plan, 0)


def _models(paths: dict[str, Path]) -> None:
    import torch

    from stexplain.graph import STGraph
    from stexplain.nn.checkpoint import load_model, save_model

    line = STGraph.from_edges(["hip", "knee", "foot"], [("hip", "knee"), ("knee", "foot")], center="hip")
    torch.manual_seed(0)
    model = load_model("stgcn7", graph=line, classes=["sit", "stand"], width=0.0625, recipe="stgcn2018")
    save_model(paths["model"], model, seed=0)
    save_model(paths["forecaster"], load_model("stgcn-roads", graph=line, horizon=2), seed=0)
    a = torch.eye(3)[None].repeat(2, 1, 1)
    entries: dict[str, torch.Tensor] = {"A": a, "fcn.weight": torch.zeros(2, 4, 1, 1), "fcn.bias": torch.zeros(2)}
    for prefix, size in (("data_bn", 9), ("st_gcn_networks.0.tcn.0", 4), ("st_gcn_networks.0.tcn.3", 4)):
        entries |= {f"{prefix}.{name}": torch.ones(size) for name in ("weight", "bias", "running_mean", "running_var")}
    entries |= {
        "st_gcn_networks.0.gcn.conv.weight": torch.zeros(8, 3, 1, 1),
        "st_gcn_networks.0.gcn.conv.bias": torch.zeros(8),
        "st_gcn_networks.0.tcn.2.weight": torch.zeros(4, 4, 9, 1),
        "st_gcn_networks.0.tcn.2.bias": torch.zeros(4),
        "edge_importance.0": torch.ones(2, 3, 3),
    }
    paths["released"].mkdir()
    torch.save(entries, paths["released"] / "weights.pt")


def _explanations(folder: Path) -> dict[str, Path]:
    import torch
    from torch import nn

    from stexplain import Class, InputGradient, STGraph
    from stexplain.explainers.saving.formats import READERS

    graph = STGraph.from_edges(["hip", "knee", "foot"], [("hip", "knee"), ("knee", "foot")], groups={"leg": ["knee"]})
    model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    explain = InputGradient(model, inputs="b c t n", graph=graph, classes=["sit", "stand", "walk"])
    explanation = explain(torch.randn(2, 2, 6, 3), target=Class(2), ids=["p1", 7])
    paths = {}
    for suffix in READERS:
        paths[f"explanation {suffix}"] = folder / f"explanation{suffix}"
        paths[f"explanation {suffix}"].mkdir()
        explanation.save(paths[f"explanation {suffix}"] / f"e{suffix}")
    return paths


def _runs(paths: dict[str, Path]) -> None:
    from stexplain.bench.records import run_folder
    from stexplain.bench.runner import bench
    from tests.bench.small_experiment import experiment_text, write_cards, write_recordings

    with run_folder(paths["run"] / "run", REQUESTED) as records:
        for name in ("train", "accuracy/part"):
            records(name, lambda: {"value": 1})
    home = paths["finished"].with_name("cards of the run")
    stages = "[stages.accuracy]\n[stages.class_importance]\n"
    card = write_cards(home, experiment=experiment_text(stages), epochs=1, channels=4)
    os.environ["STEXPLAIN_CARDS"] = str(home)
    bench(str(card), data=write_recordings(home / "raw"), out=paths["finished"] / "run", progress=False)
