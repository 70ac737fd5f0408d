"""
Brain: trials of EEG with a graph of correlations
=================================================

Sixteen electrodes, trials of one second, and two conditions. The graph joins electrodes whose signals correlate. A network
learns the conditions: which electrodes does it use, and when after the stimulus?

Signals are generated here. Recordings of your own are arrays as well: ``epochs.get_data()`` of MNE has the shape trials x
channels x times, and ``stx.load_eeg`` reads its files.
"""

# %%
# Trials
# ------
# Noise that neighbours share. In the second condition a wave of ten per second at *O1*, *O2* and *Pz*, from 250 to 550 ms.

import numpy as np
import torch
from torch import nn

import stexplain as stx

PLACES = {
    "Fp1": (-1, 4), "Fp2": (1, 4), "F7": (-3, 3), "F3": (-1.5, 2.8), "Fz": (0, 2.7), "F4": (1.5, 2.8), "F8": (3, 3),
    "C3": (-2, 1), "Cz": (0, 1), "C4": (2, 1), "P3": (-1.5, -1), "Pz": (0, -1), "P4": (1.5, -1),
    "O1": (-1, -2.5), "Oz": (0, -2.7), "O2": (1, -2.5),
}  # fmt: skip
NAMES, RATE, TRIALS = list(PLACES), 100, 300
random = np.random.default_rng(0)
places = np.array(list(PLACES.values()))
distance = np.linalg.norm(places[:, None] - places[None], axis=-1)
mix = np.exp(-((distance / 2.5) ** 2))
signals = np.einsum("nm,btm->btn", mix, random.normal(size=(TRIALS, RATE, 16)))
signals /= signals.std()
label = random.integers(0, 2, TRIALS)
time = np.arange(RATE) / RATE
wave = np.where((time >= 0.25) & (time < 0.55), np.sin(2 * np.pi * 10 * time), 0)
chosen = [NAMES.index(name) for name in ("O1", "O2", "Pz")]
signals[np.ix_(label == 1, range(RATE), chosen)] += 1.6 * wave[:, None]

# %%
# A graph
# -------
# Of training trials alone: correlations of test trials would tell the network about them.

train = np.arange(TRIALS) < 200
graph = stx.STGraph.from_correlation(
    signals[train].reshape(-1, 16), NAMES, density=0.25, positions=places
)
graph

# %%
# A network
# ---------


class OverGraph(nn.Module):
    """A temporal convolution, a step over the graph, another temporal convolution."""

    def __init__(self, adjacency: torch.Tensor):
        super().__init__()
        self.first = nn.Conv2d(1, 8, (11, 1), padding=(5, 0))
        self.second = nn.Conv2d(8, 16, (11, 1), padding=(5, 0))
        self.head = nn.Linear(16, 2)
        step = adjacency + torch.eye(len(adjacency))
        self.register_buffer("step", step / step.sum(1, keepdim=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x).relu()
        x = torch.einsum("wn,bctn->bctw", self.step, x)
        return self.head(self.second(x).relu().mean((2, 3)))


x = torch.tensor(signals, dtype=torch.float32)[:, None]
y = torch.tensor(label)
torch.manual_seed(0)
adjacency = torch.zeros(16, 16)
adjacency[tuple(np.array(graph.edges).T)] = 1
model = OverGraph(torch.maximum(adjacency, adjacency.T))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
for _ in range(40):
    for rows in torch.randperm(200).split(50):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
model.eval()
print(f"test accuracy: {(model(x[200:]).argmax(1) == y[200:]).float().mean():.0%}")

# %%
# Which electrodes, when?
# -----------------------

shown = x[200:][y[200:] == 1][:24]
e = stx.explain(model, shown, target=1, inputs="b c t n", graph=graph)
e.nodes().mean().sort_values(ascending=False).head()

# %%
# The mean over trials, at the electrodes' places, and over time:

stx.viz.network(
    graph, e.importance.mean((0, 1, 2)), title="Importance, mean over trials"
)

# %%
stx.viz.timeline(e, sample=0)

# %%
# Two conditions, or two groups of persons, are compared as in :doc:`two_groups`.
