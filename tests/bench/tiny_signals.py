"""A user's own card of planted signals on a random graph, with an experiment and few recordings."""

from pathlib import Path

from stexplain.cards import dataset_card
from stexplain.data.planted.graph import generate


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
