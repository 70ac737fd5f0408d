"""
A forecaster of your own
========================

A small recurrent network in plain PyTorch forecasts speeds on roads whose slowdowns have a known cause. The page states the
layout of its input and output, and explains one forecast. At its end the same is done on a week of METR-LA, where you have
the data.
"""

# %%
# Roads
# -----

import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

import stexplain as stx
from stexplain.cards import series_card
from stexplain.data.planted.roads import generate

folder = Path(tempfile.mkdtemp())
generate(series_card("roads"), folder)
train = stx.load_dataset("roads", folder, "train")
test = stx.load_dataset("roads", folder, "test")
test

# %%
# The network
# -----------
# It takes ``[samples, frames, nodes]`` and the adjacency, and returns ``[samples, horizons, nodes]``. The adjacency is the
# same for all samples: it goes in as ``shared=``. An argument with an entry per sample would be ``per_sample=``.


class Recurrent(nn.Module):
    """Neighbours are mixed in each frame; a GRU reads the frames of each node."""

    def __init__(self, horizon: int, mean: float, std: float):
        super().__init__()
        self.mean, self.std = mean, std
        self.cell = nn.GRU(3, 24, batch_first=True)
        self.head = nn.Linear(24, horizon)

    def forward(self, x: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
        z = (x - self.mean) / self.std
        ahead, behind = z @ adjacency.T, z @ adjacency
        each = torch.stack([z, ahead, behind], -1).transpose(1, 2)  # b n t c
        b, n, t, c = each.shape
        last = self.cell(each.reshape(b * n, t, c))[0][:, -1]
        change = self.head(last).view(b, n, -1).transpose(1, 2)
        return x[:, -1:] + self.std * change


def adjacency_of(graph: stx.STGraph) -> torch.Tensor:
    """Rows sum to one: the mean of the neighbours."""
    matrix = torch.zeros(len(graph), len(graph))
    for source, target in graph.edges:  # indices of nodes
        matrix[target, source] = 1
    return matrix / matrix.sum(1, keepdim=True).clamp(min=1)


def fitted(train, epochs: int) -> tuple[Recurrent, torch.Tensor]:
    """A network trained on windows drawn at random."""
    adjacency = adjacency_of(train.graph)
    torch.manual_seed(0)
    values = next(iter(train.batches(256))).x
    model = Recurrent(train.horizon, float(values.mean()), float(values.std()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    random = np.random.default_rng(0)
    for _ in range(epochs):
        batch = train.batch(random.choice(len(train), 64, replace=False))
        error = (model(batch.x[:, 0, ..., 0], adjacency) - batch.y).abs()
        loss = error[batch.y_observed].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval(), adjacency


model, adjacency = fitted(train, epochs=120)
batch = test.batch(slice(None))
with torch.no_grad():
    forecast = model(batch.x[:, 0, ..., 0], adjacency)
error = (forecast - batch.y).abs()[batch.y_observed].mean()
last = (batch.x[:, 0, -1:, :, 0] - batch.y).abs()[batch.y_observed].mean()
print(f"error {error:.2f} {test.unit}, of the last observation {last:.2f}")

# %%
# One forecast
# ------------
# One that the neighbours lower, and where the speed did fall within half an hour: with the adjacency of the identity each
# sensor has only itself as a neighbour. The target names the node and the horizon; ``layout`` says what the axes of the
# output are. Contributions are in the unit of the forecast, and signed. A batch brings its times with it.

STEP = 6
with torch.no_grad():
    alone = model(batch.x[:, 0, ..., 0], torch.eye(len(test.graph)))
lowered = (alone - forecast)[:, STEP - 1]
fell = batch.x[:, 0, -1, :, 0] - batch.y[:, STEP - 1]
chosen = torch.where(batch.y_observed[:, STEP - 1], torch.minimum(lowered, fell), 0)
window, node = divmod(int(chosen.argmax()), len(test.graph))
sensor = test.graph.nodes[node]
explain = stx.IntegratedGradients(
    model, inputs="b t n", graph=test.graph, baseline="mean"
)
e = explain(
    batch[window : window + 1],
    target=stx.Forecast(sensor, STEP, layout="b t n"),
    shared={"adjacency": adjacency},
)
e

# %%
stx.viz.lag_map(e, unit=test.unit, nodes=10, marked={"forecast": [sensor]})

# %%
# Which inputs of the recurrent cell matter? A GRU keeps its time inside: ``calls="frames"`` is said of a cell that is
# called once per frame, see "What can be explained" in :doc:`/own-model`.
#
# The same on METR-LA
# -------------------
# Set ``STEXPLAIN_METR_LA`` to the folder with ``metr-la.h5`` and the graph, as ``stexplain data show metr-la`` says.

given = os.environ.get("STEXPLAIN_METR_LA")
if given:
    week = stx.load_dataset("metr-la", given, "test")
    model, adjacency = fitted(stx.load_dataset("metr-la", given, "train"), epochs=60)
    one = week.batch([0])
    explain = stx.IntegratedGradients(
        model, inputs="b t n", graph=week.graph, baseline="mean"
    )
    e = explain(
        one,
        target=stx.Forecast(week.graph.nodes[0], STEP, layout="b t n"),
        shared={"adjacency": adjacency},
    )
    print(e)
else:
    print("no METR-LA: STEXPLAIN_METR_LA is not set, so this part was skipped")
