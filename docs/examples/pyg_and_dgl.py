"""
Models of PyTorch Geometric and of DGL
======================================

The two libraries call a model in their own ways: with an ``edge_index``, or with a graph object. Both go in as ``shared=``,
an argument that is the same for all samples. The page explains the same network written for each, and shows that the maps
agree.
"""

# %%
# A ring of eight sensors, and signals of 24 frames.

import torch
from torch import nn

import stexplain as stx

NODES, FRAMES = 8, 24
names = [f"s{number}" for number in range(NODES)]
ring = [(number, (number + 1) % NODES) for number in range(NODES)]
graph = stx.STGraph.from_edges(names, [(names[a], names[b]) for a, b in ring])
edge_index, _ = graph.to_pyg()
torch.manual_seed(0)
x = torch.randn(6, FRAMES, NODES)

# %%
# PyTorch Geometric
# -----------------
# Node features are a history; a batch is one large graph in PyTorch Geometric, with an ``edge_index`` of its own:
# ``inputs="(b n) t"`` says so. Where a library is not installed its part is skipped.

weights = nn.Linear(FRAMES, 16), nn.Linear(16, 2)
try:
    from torch_geometric.nn import GraphConv as PygConv
except ImportError:
    PygConv = None
    print("torch_geometric is not installed")

maps = {}
if PygConv is not None:

    class WithPyg(nn.Module):
        """One step over the graph, mean over nodes, two classes."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = PygConv(FRAMES, 16, aggr="mean", bias=False)
            self.head = weights[1]
            self.conv.lin_rel.weight = weights[0].weight
            nn.init.zeros_(self.conv.lin_root.weight)

        def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
            h = self.conv(x, edge_index).relu()
            return self.head(h.view(-1, NODES, 16).mean(1))

    large = torch.cat([edge_index + NODES * sample for sample in range(len(x))], 1)
    explain = stx.InputGradient(WithPyg(), inputs="(b n) t", graph=graph)
    maps["PyTorch Geometric"] = explain(
        x.transpose(1, 2).reshape(-1, FRAMES), target=1, shared={"edge_index": large}
    )
    print(maps["PyTorch Geometric"])

# %%
# DGL
# ---
# A graph object is an argument as any other. Where every sample is on one graph, it is the same for all of them.

try:
    import dgl
    from dgl.nn import GraphConv as DglConv
except ImportError:
    dgl = None
    print("dgl is not installed here")

if dgl is not None:

    class WithDgl(nn.Module):
        """The same: nodes first, as DGL has them."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = DglConv(FRAMES, 16, norm="right", bias=False)
            self.head = weights[1]
            self.conv.weight = nn.Parameter(weights[0].weight.detach().T.clone())

        def forward(self, x: torch.Tensor, g: "dgl.DGLGraph") -> torch.Tensor:
            h = self.conv(g, x.permute(2, 0, 1)).relu()  # n b t
            return self.head(h.mean(0))

    explain = stx.InputGradient(WithDgl(), inputs="b t n", graph=graph)
    ring_graph = dgl.graph((edge_index[0], edge_index[1]))
    maps["DGL"] = explain(x, target=1, shared={"g": ring_graph})
    print(maps["DGL"])

# %%
# The same network has the same map:

if len(maps) == 2:
    one, other = maps.values()
    print(f"largest difference: {abs(one.values - other.values).max():.1e}")

# %%
stx.viz.timeline(next(iter(maps.values())), sample=0) if maps else None

# %%
# Edges too have an importance: ``stx.EdgeImportance(model, ...)``, and ``stx.adjacencies(model, x, ...)`` lists what mixes
# nodes in a model. See :doc:`/own-model`.
