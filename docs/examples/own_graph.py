"""
Explain your own graph
======================

A graph from networkx, signals from a pandas frame, a small PyTorch model of your own: from there to an explanation, to a
verdict on whether to trust it, and to a comparison with other methods. It runs in under a minute; copy it and put your
own graph in place of this one.

The story: twelve pressure sensors in a water network. Sometimes a pipe leaks near sensor ``J4``: the pressure there sags
for a while, and a little at its neighbours. Sometimes the pump at ``J10`` stutters. And at any time some other sensor
jumps, which means nothing. A model learns to tell *normal*, *leak* and *pump* apart. Which sensors does it look at?
"""

# %%
# A graph
# -------
# Any networkx graph will do. Names of nodes become text, positions are for drawing, groups are optional.

import networkx as nx
import numpy as np
import pandas as pd
import torch
from torch import nn

import stexplain as stx
from stexplain.data import Batch

joins = "J1-J2 J2-J3 J3-J4 J4-J5 J5-J6 J6-J1 J3-J7 J7-J8 J8-J9 J9-J10 J10-J11 J11-J12 J12-J8"
pipes = nx.Graph(pair.split("-") for pair in joins.split())
nx.set_node_attributes(pipes, nx.kamada_kawai_layout(pipes), "pos")
graph = stx.STGraph.from_networkx(pipes)
graph

# %%
# Signals
# -------
# A pandas frame with a row per minute and a column per sensor, as a historian exports it, cut into windows of 48
# minutes. What was planted is known here, so that what the explanation says can be checked.

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
    )  # a jump that means nothing
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
# The arrays that the model takes: ``[samples, channels, frames, nodes]`` here. Yours may be laid out in any way, as long
# as you can write it down.

x = torch.tensor(pressure.to_numpy(np.float32)).view(WINDOWS, 1, FRAMES, len(graph))
y = torch.tensor(label)
train, test = slice(0, 500), slice(500, WINDOWS)


# %%
# A model
# -------
# Plain PyTorch: a convolution in time, a step over the pipes, another in time, the mean over all, a linear head. It knows
# nothing of this toolkit.


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
print(f"{accuracy:.0%} of the test windows are told right")

# %%
# An explanation
# --------------
# Three things are said: which layer, how its tensor is laid out, and how the input is. The model is left as it was.

about = {"inputs": "b c t n", "graph": graph, "classes": CLASSES}
layer = {"layer": "second", "layout": "b c t n"}
leaks = x[test][y[test] == 1]
with stx.STGGradCAM(model, **layer, **about) as explain:
    e = explain(leaks, target=stx.Class("leak"))
e

# %%
# Importance per node, a pandas frame. Here the mean over all leaks:

e.nodes().mean().sort_values(ascending=False).head().round(4)

# %%
# Drawn on the graph's own layout. Drag the slider through the minutes of one window.

stx.viz.network(
    graph, e.importance[0, 0], time=e.time, title="Where the model saw this leak"
)

# %%
# The same over time, and the most important nodes over all leaks, with intervals over windows.

stx.viz.timeline(e, sample=0)

# %%
stx.viz.top_nodes(e, k=6)

# %%
# Is it to be trusted?
# --------------------
# `selftest` tries what must hold for any explanation of any model: the same map alone or in a batch, nothing left behind
# on the model, and, most of all, that the map changes when what the model has learnt is taken away from it.

batch = Batch(
    x=x[test].permute(0, 2, 3, 1)[:, None],
    valid=torch.ones(100, 1, FRAMES, dtype=torch.bool),
    label=y[test],
    ids=tuple(f"window {number}" for number in range(500, WINDOWS)),
    truth=torch.from_numpy(truth[500:]),
)


def renumbered(order):
    """The same model with its nodes in another order: only the adjacency knows one."""
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
print(tested)

# %%
# Which method finds the truth?
# -----------------------------
# Where one knows the truth, as here, methods can be scored against it. `Motion` and `Random` know no model: a method that
# does not beat them has shown nothing. Differences are tested on the same windows, and corrected for how many tests there
# are.

from stexplain.explainers import HiResCAM, IntegratedGradients, Motion, Occlusion
from stexplain.metrics import localisation_score

affected = batch.label > 0
faults = Batch(
    batch.x[affected],
    batch.valid[affected],
    batch.label[affected],
    tuple(
        name for name, wrong in zip(batch.ids, affected.tolist(), strict=True) if wrong
    ),
    batch.truth[affected],
)
found = stx.compare(
    [
        stx.STGGradCAM(model, **layer, **about),
        HiResCAM(model, **layer, **about),
        stx.InputGradient(model, **about),
        IntegratedGradients(model, **about),
        Occlusion(model, **about),
        Motion(inputs="b c t n", graph=graph),
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
found

# %%
stx.viz.comparison(
    found.to_frame(),
    controls=["motion", "random"],
    reference={"auroc, nodes": 0.5},
    columns=3,
)

# %%
# And how sure is one that Grad-CAM beats the controls?

tests = found.tests(against=["motion", "random"])
tests.loc[
    tests["method"] == "STG-Grad-CAM",
    ["metric", "against", "difference", "low", "high", "p_corrected"],
].round(4)

# %%
# What to read next: :doc:`/limits` says what such maps can and cannot show, :doc:`/own-model` how layouts are written,
# and :doc:`/extending` how to add a method, a dataset or a model of your own.
