"""
Two groups: whose joints differ, and when
=========================================

Twelve walkers, six of whom limp on the left. A network learns from keypoints in a CSV file to tell limping from usual gait.
Where do its explanations of the two groups differ: at which joints, and in which part of the recording? With intervals,
and tests that know that the recordings of one person are not independent.
"""

# %%
# Keypoints in a table
# --------------------
# A row per recording, frame and joint, as a pose tracker writes them. Here they are generated: legs that swing, and a left
# ankle that rises less where the person limps.

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

import stexplain as stx

random = np.random.default_rng(0)
JOINTS = ["hip", "left knee", "left ankle", "right knee", "right ankle"]
FRAMES = 48
rows, about = [], []
for person in range(12):
    limps, pace = person % 2 == 1, random.normal(1, 0.05)
    for number in range(6):
        name = f"p{person:02d}-{number}"
        about.append((name, "limping" if limps else "usual", f"p{person:02d}"))
        phase = 2 * np.pi * (pace * np.arange(FRAMES) / 16 + random.random())
        swing = {"left": np.sin(phase), "right": -np.sin(phase)}
        for side, wave in swing.items():
            rise = 0.4 if limps and side == "left" else 1.0
            for joint, height in (("knee", 0.5), ("ankle", 0.1)):
                share = rise if joint == "ankle" else 1.0
                x = 0.2 * wave + 0.01 * random.normal(size=FRAMES)
                y = height + 0.15 * share * np.maximum(wave, 0)
                y += 0.01 * random.normal(size=FRAMES)
                rows += [
                    (name, t, f"{side} {joint}", x[t], y[t]) for t in range(FRAMES)
                ]
        sway = 1 + 0.01 * random.normal(size=FRAMES)
        rows += [(name, t, "hip", 0.0, sway[t]) for t in range(FRAMES)]
folder = Path(tempfile.mkdtemp())
keypoints = pd.DataFrame(rows, columns=["sample", "frame", "joint", "x", "y"])
keypoints.to_csv(folder / "keypoints.csv", index=False)
labels = pd.DataFrame(about, columns=["sample", "label", "subject"])
keypoints.head()

# %%
# Clips
# -----
# The graph says how joints are joined, and where they are drawn.

bones = [("hip", f"{side} knee") for side in ("left", "right")]
bones += [(f"{side} knee", f"{side} ankle") for side in ("left", "right")]
graph = stx.STGraph.from_edges(
    JOINTS, bones, positions=[[0, 2], [-1, 1], [-1, 0], [1, 1], [1, 0]]
)
clips = stx.load_skeletons(folder / "keypoints.csv", graph=graph, labels=labels)
clips

# %%
# A network of one's own
# ----------------------

batch = clips.batch(slice(None))
x = batch.x[:, 0].permute(0, 3, 1, 2)  # samples, channels, frames, joints
torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(2, 16, (5, 1), padding=(2, 0)), nn.ReLU(),
    nn.Conv2d(16, 16, (5, 1), padding=(2, 0)), nn.ReLU(),
    nn.AdaptiveAvgPool2d((1, 5)), nn.Flatten(), nn.Linear(80, 2),
)  # fmt: skip
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
persons = clips.groups
train = torch.from_numpy(np.isin(persons, np.unique(persons)[:6]))
for _ in range(60):
    loss = nn.functional.cross_entropy(model(x[train]), batch.label[train])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
model.eval()
right = (model(x[~train]).argmax(1) == batch.label[~train]).float().mean()
print(f"of six persons whom it has not seen, {right:.0%} of the recordings are right")

# %%
# What differs between the groups?
# --------------------------------
# Of one class for all, so that the two groups are asked the same. Persons are the clusters: groups are exchanged
# between whole persons, and p values are corrected over all joints and parts of the recording. Labels and predictions
# tell how accurate the network is: the maps of one that only guesses may differ between groups, too.

limping = clips.classes.index("limping")
e = stx.explain(
    model, x, target=stx.Class(limping), inputs="b c t n", graph=graph, ids=batch.ids
)
result = stx.compare_groups(
    e,
    [clips.classes[label] for label in batch.label],
    clusters=persons,
    labels=batch.label,
    predicted=model(x).argmax(1),
    reference="usual",
    windows=4,
)
result

# %%
# On the body, per joint with intervals, and over the course of a recording:

result.plot()

# %%
# The same on the command line, for a store that ``stexplain data prepare skeletons`` has written and a trained model::
#
#     stexplain explain runs/gait --data stores/gait --group-by label=usual,limping --cluster-by subject
#
# A small p says that there is a difference, and not that it is large: beside the ankle the other joints hardly count.
# A difference says where the *model* treats the groups unlike. Whether that is where the groups themselves differ is
# another question: see :doc:`/limits`.
