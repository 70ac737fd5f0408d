"""A user's own dataset, model and experiment, small enough to run whole in a test."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from stexplain.bench import figures as figures_module

CARD = """
name = "wave"
title = "Waving"
summary = "one arm or the other goes up and down"
licence = "Apache-2.0"
url = "https://example.org"
citation = "none"
obtain = "It is made by a test."
reader = "stexplain.data.readers.nw_ucla"
[axes]
channels = ["x", "y", "z"]
unit = "m"
frame_rate = 30.0
[graph]
nodes = [{nodes}]
edges = [{edges}]
center = "n0"
[graph.groups]
left = ["n1", "n2", "n3"]
right = ["n4", "n5", "n6"]
[graph.positions]
{positions}
[[classes]]
id = "a01"
name = "left up"
[[classes]]
id = "a02"
name = "right up"
[protocols.xview]
title = "View 3 tests"
train = {{ field = "view", values = [1, 2] }}
validation = {{ field = "subject", values = [4] }}
"""


def experiment_text(stages: str, published: str = "") -> str:
    """The text of an experiment: one run of the small network, and what is done with it.

    Args:
        stages: the tables of the stages.
        published: a line of the run, on what they show.
    """
    return f"""
title = "Waving, explained"
question = "Which arm?"
citation = "none"
node = "joint"
[[runs]]
protocol = "xview"
model = "small"
{published}
[recipes]
planted = "quick"
real = "quick"
{stages}"""


EXPERIMENT = experiment_text(
    """\
[stages.accuracy]
[stages.examples]
classes = ["left up"]
[stages.class_importance]
[stages.faithfulness]
nodes = 3
values = [0.5, 1.0]
baselines = ["zero", "mean"]
[stages.localisation]
""",
    "published = { faithfulness = 0.5 }",
)

MODEL = """
name = "small"
title = "A small STGCN"
summary = "for tests"
citation = "none"
architecture = "stexplain.nn.stgcn:STGCN"
[hyperparameters]
channels_in = 3
channels = [8, 8]
strides = [1, 2]
temporal_kernel = 5
relations = "uniform"
dropout = 0.0
[recipes.quick]
summary = "a few epochs"
epochs = 25
batch = 8
frames = 12
sampling = "resample"
rate = 0.1
schedule = "one-cycle"
"""


def write_cards(root: Path, *, experiment: str = EXPERIMENT, epochs: int = 25, channels: int = 8) -> Path:
    """Writes `datasets/wave`, its experiment and `models/small.toml`; gives the dataset's folder.

    Args:
        root: an empty folder.
        experiment: the text of `experiment.toml`.
        epochs: how long the network is trained.
        channels: of each of its blocks.
    """
    nodes = [f"n{index}" for index in range(20)]
    folder = root / "datasets" / "wave"
    folder.mkdir(parents=True)
    (root / "models").mkdir()
    model = MODEL.replace("epochs = 25", f"epochs = {epochs}").replace("[8, 8]", f"[{channels}, {channels}]")
    text = CARD.format(
        nodes=", ".join(f'"{name}"' for name in nodes),
        edges=", ".join(f'["n{index}", "n{index - 1}"]' for index in range(1, 20)),
        positions="\n".join(f"{name} = [{index % 5}.0, {index // 5}.0]" for index, name in enumerate(nodes)),
    )
    (folder / "card.toml").write_text(text)
    (folder / "experiment.toml").write_text(experiment)
    (root / "models" / "small.toml").write_text(model)
    return folder


@contextmanager
def cards_in(root: Path, *, epochs: int) -> Iterator[Path]:
    """The same, found by their names for so long; no pictures are drawn, which are tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEXPLAIN_CARDS", str(root))
        patch.setattr(figures_module, "FORMATS", ("json",))
        yield write_cards(root, epochs=epochs)


def write_recordings(raw: Path) -> Path:
    """Writes 72 recordings: nodes 1-3 go up in class a01, nodes 4-6 in class a02."""
    raw.mkdir()
    random = np.random.default_rng(0)
    rest = random.normal(size=(20, 3))
    for action in (1, 2):
        for subject in range(1, 5):
            for view in (1, 2, 3):
                for episode in range(3):
                    frames = int(random.integers(14, 20))
                    xyz = rest + 0.05 * random.normal(size=(frames, 20, 3))
                    arm = slice(1, 4) if action == 1 else slice(4, 7)
                    xyz[:, arm, 1] += 2 * np.sin(np.linspace(0, np.pi, frames))[:, None]
                    name = f"a{action:02}_s{subject:02}_e{episode:02}_v{view:02}"
                    (raw / f"{name}.json").write_text(json.dumps({"skeletons": xyz.tolist()}))
    return raw
