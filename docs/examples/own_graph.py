"""
Explain your own graph
======================

A graph from networkx, signals from a pandas frame and a small PyTorch model: this page goes from there to an explanation,
a self-test of it, and a comparison with other methods. It runs in under a minute. Copy it and replace the graph by your own.

The example has twelve pressure sensors in a water network. Sometimes a pipe leaks near sensor ``J4``: the pressure there
drops for a while, and a little at its neighbours. Sometimes the pump at ``J10`` stutters. At any time another sensor may
jump, independent of the class. A model learns the classes *normal*, *leak* and *pump*. Which sensors does it use?
"""

# %%
# A graph
# -------
# Any networkx graph works. Node names become text, positions are for drawing, groups are optional.

import networkx as nx
import numpy as np
import pandas as pd
import torch
from torch import nn

import stexplain as stx

joins = "J1-J2 J2-J3 J3-J4 J4-J5 J5-J6 J6-J1 J3-J7 J7-J8 J8-J9 J9-J10 J10-J11 J11-J12 J12-J8"
pipes = nx.Graph(pair.split("-") for pair in joins.split())
nx.set_node_attributes(pipes, nx.kamada_kawai_layout(pipes), "pos")
graph = stx.STGraph.from_networkx(pipes)
graph

# %%
# Signals
# -------
# A pandas frame with a row per minute and a column per sensor, cut into windows of 48 minutes. The cause of each class is
# planted: its positions (sensor and minute) are recorded as ground truth, so that explanations can be checked.

random = np.random.default_rng(0)
CLASSES = ["normal", "leak", "pump"]
WINDOWS, FRAMES = 600, 48
minutes = pd.date_range("2026-01-05", periods=WINDOWS * FRAMES, freq="min")
pressure = pd.DataFrame(0.0, index=minutes, columns=graph.nodes)
pressure += 0.15 * random.normal(size=pressure.shape)
label = random.integers(0, 3, WINDOWS)
truth = np.zeros((WINDOWS, 1, FRAMES, len(graph)), bool)
for window in range(WINDOWS):
    start = window * FRAMES
    at, node = int(random.integers(4, 28)), int(random.integers(0, len(graph)))
    pressure.iloc[start + at : start + at + 12, node] += random.choice(
        [-1.5, 1.5]
    )  # a distractor: independent of the class
    at = int(random.integers(4, 28))
    rows = slice(start + at, start + at + 14)
    if CLASSES[label[window]] == "leak":
        sag = -1.6 * np.hanning(14)
        for name, share in {"J4": 1.0, "J3": 0.4, "J5": 0.4}.items():
            pressure.iloc[rows, graph.index(name)] += share * sag
        truth[window, 0, at : at + 14, graph.index("J4")] = True
    elif CLASSES[label[window]] == "pump":
        pressure.iloc[rows, graph.index("J10")] += 1.2 * np.resize([1.0, -1.0], 14)
        truth[window, 0, at : at + 14, graph.index("J10")] = True
pressure.iloc[:3, :5].round(2)

# %%
# The model's input is ``[samples, channels, frames, nodes]`` here. Any other layout works too, if you state it as a
# pattern.

x = torch.tensor(pressure.to_numpy(np.float32)).view(WINDOWS, 1, FRAMES, len(graph))
y = torch.tensor(label)
train, test = slice(0, 500), slice(500, WINDOWS)


# %%
# A model
# -------
# Plain PyTorch: a temporal convolution, one step of message passing over the pipes, another temporal convolution, global
# average pooling, a linear head. It does not use this package.


class Watch(nn.Module):
    def __init__(self, adjacency: torch.Tensor, classes: int):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 16, (5, 1), padding=(2, 0)), nn.ReLU())
        self.second = nn.Sequential(
            nn.Conv2d(16, 16, (5, 1), padding=(2, 0)), nn.ReLU()
        )
        self.head = nn.Linear(16, classes)
        self.register_buffer("step", adjacency / adjacency.sum(1, keepdim=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        x = 0.5 * x + 0.5 * torch.einsum("wn,bctn->bctw", self.step, x)
        return self.head(self.second(x).mean((2, 3)))


torch.manual_seed(0)
model = Watch(torch.tensor(nx.to_numpy_array(pipes), dtype=torch.float32), len(CLASSES))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
for _ in range(40):
    for rows in torch.randperm(500).split(50):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
model.eval()
accuracy = float((model(x[test]).argmax(1) == y[test]).float().mean())
print(f"test accuracy: {accuracy:.0%}")

# %%
# An explanation
# --------------
# The layout of the input is stated; the layer's own layout and place in time are measured. The model stays unchanged.

about = {"inputs": "b c t n", "graph": graph, "classes": CLASSES}
layer = {"layer": "second"}
leaks = x[test][y[test] == 1]
e = stx.explain(model, leaks, target=stx.Class("leak"), **layer, **about)
e

# %%
# Importance per node is a pandas frame. The mean over all leaks:

e.nodes().mean().sort_values(ascending=False).head().round(4)

# %%
# Drawn at the graph's positions, with a slider over the minutes of one window.

stx.viz.network(graph, e.importance[0, 0], time=e.time, title="Importance for one leak")

# %%
# The same window as a heat map over time. Then the most important nodes over all leaks, with intervals over windows.

stx.viz.timeline(e, sample=0)

# %%
stx.viz.top_nodes(e, k=6)

# %%
# Self-test
# ---------
# `selftest` runs checks that any explanation of any model should pass. The map of a sample is the same alone and in a batch.
# The model is unchanged afterwards. And the map changes as the model's weights are randomised.

batch = stx.Batch(
    x=x[test].permute(0, 2, 3, 1)[:, None],
    valid=torch.ones(100, 1, FRAMES, dtype=torch.bool),
    label=y[test],
    ids=tuple(f"window {number}" for number in range(500, WINDOWS)),
    truth=torch.from_numpy(truth[500:]),
)


def renumbered(order):
    """The same model with its nodes in another order: only the adjacency depends on it."""
    other = Watch(
        torch.tensor(nx.to_numpy_array(pipes), dtype=torch.float32), len(CLASSES)
    )
    other.load_state_dict(model.state_dict())
    other.step = model.step[order][:, order]
    return other


tested = stx.selftest(
    model,
    lambda model: stx.STGGradCAM(model, **layer, **about),
    batch[:20],
    permuted=renumbered,
)
tested

# %%
# Comparison of methods
# ---------------------
# With ground truth, methods can be scored against it. `Motion` (motion energy) and `Random` (random attribution) are
# baseline explainers: they use no model, and an explainer should score higher. Tests are paired, on the same windows, and
# corrected for multiple tests.

from stexplain.metrics import localisation_score

affected = batch.label > 0
faults = stx.Batch(
    batch.x[affected],
    batch.valid[affected],
    batch.label[affected],
    tuple(
        name for name, wrong in zip(batch.ids, affected.tolist(), strict=True) if wrong
    ),
    batch.truth[affected],
)
result = stx.compare(
    [
        stx.STGGradCAM(model, **layer, **about),
        stx.HiResCAM(model, **layer, **about),
        stx.InputGradient(model, **about),
        stx.IntegratedGradients(model, **about),
        stx.Occlusion(model, **about),
        stx.Motion(inputs="b c t n", graph=graph),
        stx.Random(inputs="b c t n", graph=graph),
    ],
    [
        localisation_score("nodes"),
        localisation_score("frames"),
        localisation_score("positions"),
    ],
    faults,
    progress=False,
)
result

# %%
stx.viz.comparison(
    result.to_frame(),
    baseline_explainers=["motion energy", "random"],
    reference={"auroc, nodes": 0.5},
    columns=3,
)

# %%
# Is Grad-CAM better than the baseline explainers? Differences with intervals and corrected p values:

tests = result.tests(against=["motion energy", "random"])
tests.loc[
    tests["method"] == "STG-Grad-CAM",
    ["metric", "against", "difference", "low", "high", "p_corrected"],
].round(4)

# %%
# Read next: :doc:`/limits` on what such maps can and cannot show, :doc:`/own-model` on layouts, and :doc:`/extending` on
# how to add a method, a dataset or a model.
