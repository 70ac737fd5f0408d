"""A user's own card of planted signals on a random graph, with an experiment and few recordings."""

import json
from pathlib import Path
from typing import Any

from stexplain.cards import dataset_card
from stexplain.data.planted.graph import generate
from stexplain.data.store.prepare import prepare


def experiment_text(stages: str, *, epochs: int) -> str:
    """The text of an experiment: one run of a small network on the random graph, and what is done with it.

    Args:
        stages: the tables of the stages.
        epochs: how long the network is trained.
    """
    return f"""
title = "Which?"
question = "Which method?"
citation = "none"
[[runs]]
name = "graph"
protocol = "random"
model = "stgcn2"
recipe = "quick"
epochs = {epochs}
{stages}"""


def write_tiny(root: Path, experiment: str, *, repetitions: int) -> Path:
    """Writes `datasets/tiny` with the experiment, and its recordings to `raw`; gives the dataset's folder.

    Args:
        root: an empty folder.
        experiment: the text of `experiment.toml`.
        repetitions: how many recordings there are of each class and fold.
    """
    folder = root / "datasets" / "tiny"
    folder.mkdir(parents=True)
    text = dataset_card("planted").path.read_text("utf-8").replace('name = "planted"', 'name = "tiny"')
    (folder / "card.toml").write_text(text, "utf-8")
    (folder / "experiment.toml").write_text(experiment, "utf-8")
    generate(dataset_card(folder), root / "raw", repetitions=repetitions, progress=False)
    return folder


def prepared_tiny(root: Path, experiment: str, *, repetitions: int) -> tuple[Path, Path]:
    """As `write_tiny`, and the recordings in a store: the dataset's folder, and the store's."""
    folder = write_tiny(root, experiment, repetitions=repetitions)
    prepare(dataset_card(folder), root / "raw", root / "store", workers=1, progress=False)
    return folder, root / "store"


def results(folder: Path) -> dict[str, Any]:
    """The results of a run folder."""
    found: dict[str, Any] = json.loads((folder / "results.json").read_text("utf-8"))
    return found


def comparison_of(folder: Path, run: str = "graph") -> dict[str, Any]:
    """What the stage `comparison` of a run found."""
    found: dict[str, Any] = results(folder)["runs"][run]["stages"]["comparison"]
    return found


def truth_of(folder: Path, run: str = "graph") -> dict[str, Any]:
    """What the stage `truth` of a run found."""
    found: dict[str, Any] = results(folder)["runs"][run]["stages"]["truth"]
    return found
