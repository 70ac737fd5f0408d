"""A user's own series, planted and read back, small enough to run whole in a test: one road, slowdowns go along it."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from stexplain.cards import SeriesCard

NODES = [f"km {index}" for index in range(8)]
LAG = 3
"""Frames that a slowdown takes to the next sensor."""

CARD = """
name = "lane"
title = "One road"
summary = "slowdowns go along a road"
licence = "Apache-2.0"
url = "https://example.org"
citation = "none"
obtain = "It is made by a test."
reader = "stexplain.data.readers.speeds_csv"
planted = "tests.bench.small_roads"
[series]
channels = ["speed"]
target_channel = "speed"
unit = "mph"
minutes = 5
horizon = 6
splits = { train = 0.6, validation = 0.1 }
"""

EXPERIMENT = """
title = "One road, explained"
question = "Which sensor?"
citation = "none"
node = "sensor"
[[runs]]
model = "lane-stgcn"
[recipes]
planted = "quick"
real = "quick"
[stages.forecast_error]
horizons = [3, 6]
[stages.graph_ablation]
[stages.events]
horizon = 3
fall = 15.0
count = 12
shown = 1
steps = 24
[stages.deletion]
steps = 8
repeats = 2
[stages.forecast_masking]
[stages.event_localisation]
"""

WHICH_METHOD = """
title = "Which, on a road?"
question = "Which method?"
citation = "none"
node = "sensor"
[[runs]]
model = "lane-stgcn"
recipe = "quick"
"""
"""How an experiment that compares methods begins; its stages follow."""

MODEL = """
name = "lane-stgcn"
title = "A small forecaster"
summary = "for tests"
citation = "none"
architecture = "stexplain.nn.traffic:STGCNForecaster"
[hyperparameters]
blocks = [[8, 4, 8], [8, 4, 8]]
relations = "random_walk"
[recipes.quick]
summary = "some epochs"
epochs = 30
batch = 16
optimizer = "adamw"
rate = 0.01
clip_norm = 5.0
schedule = "one-cycle"
select = "best"
"""


def write_cards(root: Path, *, experiment: str = EXPERIMENT, epochs: int = 30, wide: int = 8) -> Path:
    """Writes `datasets/lane`, its experiment and `models/lane-stgcn.toml`; gives the dataset's folder.

    Args:
        root: an empty folder.
        experiment: the text of `experiment.toml`.
        epochs: how long the network is trained.
        wide: channels of the wider layers of its blocks.
    """
    folder = root / "datasets" / "lane"
    folder.mkdir(parents=True)
    (root / "models").mkdir()
    (folder / "card.toml").write_text(CARD)
    (folder / "experiment.toml").write_text(experiment)
    model = MODEL.replace("epochs = 30", f"epochs = {epochs}").replace("[8, 4, 8]", f"[{wide}, 4, {wide}]")
    (root / "models" / "lane-stgcn.toml").write_text(model)
    return folder


def generate(card: SeriesCard, out: Path, *, seed: int = 0) -> None:
    """Writes readings, the road, and slowdowns with the readings upstream of the target that tell of them."""
    random = np.random.default_rng(seed)
    frames, window = 1300, card.series.window
    begins = np.arange(20, frames - 110, 70)
    begins = begins + random.integers(0, 30, len(begins))
    lost = np.zeros((frames, len(NODES)))
    # Slowdowns of many depths: between two levels alone a network learns a switch, whose gradients tell little.
    for begin, depth in zip(begins, random.uniform(10, 40, len(begins)), strict=True):
        for index in range(len(NODES)):
            lost[begin + LAG * index : begin + LAG * index + 12, index] = depth
    speed = 60 - lost + random.normal(0, 0.7, lost.shape)
    out.mkdir(parents=True, exist_ok=True)
    time = pd.date_range("2024-01-01", periods=frames, freq="5min", name="time")
    pd.DataFrame(speed, index=time, columns=NODES).to_csv(out / "speeds.csv")
    links = pd.DataFrame({"source": NODES[:-1], "target": NODES[1:], "weight": 1.0})
    links.to_csv(out / "edges.csv", index=False)
    places = pd.DataFrame({"sensor": NODES, "x": np.arange(len(NODES)), "y": 0.0, "group": "lane"})
    places.to_csv(out / "sensors.csv", index=False)
    events, truth, without = [], [], []
    for begin, target in product(begins, (3, 4, 5)):
        # The window's last frame is the second in which the sensor before the target is slow.
        start = begin + LAG * (target - 1) + 2 - window
        events.append((NODES[target], start, LAG))
        truth.append((lost[start : start + window] > 0) & (np.arange(len(NODES)) < target))
        # The same readings, had there been no slowdown upstream of the target.
        shown = speed[start : start + window]
        without.append(np.where(truth[-1], shown + lost[start : start + window], shown))
    pd.DataFrame(events, columns=["target", "frame", "horizon"]).to_csv(out / "events.csv", index=False)
    np.save(out / "truth.npy", np.array(truth))
    np.save(out / "counterfactual.npy", np.array(without, np.float32))
