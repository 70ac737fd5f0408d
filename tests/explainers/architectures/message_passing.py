"""Models that take their graph as edge lists, or hold a graph of DGL: PyTorch Geometric, its Temporal library, tsl."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import stexplain as stx
from tests.explainers.architectures.case import Case, lively, noise, recurrent, ring, road_graph, sizes, two_way, window


def edge_list(nodes: int) -> tuple[Tensor, Tensor]:
    """The roads of `ring` without loops, as ``[2, E]``, and their weights."""
    adjacency = ring(nodes) - torch.eye(nodes)
    edges = adjacency.nonzero().T.contiguous()
    return edges, adjacency[edges[0], edges[1]]


class STGCNWave(nn.Module):
    """DGL's example stgcn_wave: T, N and S for temporal convolution, layer norm and graph convolution, in this order.

    The graph is an attribute, no argument: DGL's GraphConv over it mixes the nodes.
    """

    def __init__(self, nodes: int, frames: int):
        super().__init__()
        dgl = pytest.importorskip("dgl")
        from dgl.nn.pytorch import GraphConv

        source, target = two_way(nodes).nonzero(as_tuple=True)
        self.G = dgl.graph((source, target), num_nodes=nodes)
        self.layers = nn.ModuleList()
        self.control_str = "TNTSTNTST"
        dilation, channels = 1, 1
        for letter in self.control_str:
            if letter == "T":
                self.layers.append(nn.Conv2d(channels, 6, (2, 1), dilation=(dilation, 1)))
                # The last three keep to two frames apart, so that twelve suffice.
                dilation, channels = min(2 * dilation, 2), 6
            elif letter == "S":
                self.layers.append(GraphConv(6, 6))
            else:
                self.layers.append(nn.LayerNorm([nodes, 6]))
        self.tconv1 = nn.Conv2d(6, 6, (frames - 9, 1))
        self.fc = nn.Conv2d(6, 1, 1)

    def forward(self, x: Tensor) -> Tensor:  # b c t n
        for letter, layer in zip(self.control_str, self.layers, strict=True):
            if letter == "T":
                x = F.relu(layer(x))
            elif letter == "N":
                x = layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            else:
                # DGL takes nodes first and channels last.
                x = F.relu(layer(self.G, x.permute(3, 0, 2, 1)).permute(1, 3, 2, 0))
        return self.fc(torch.sigmoid(self.tconv1(x)))


def stgcn_wave() -> Case:
    layers = (
        window("layers.0", "b c t n", 0, 1),
        window("layers.1", "b t n c", 0, 1),
        window("layers.2", "b c t n", 0, 3),
        window("layers.3", "n b t c", 0, 3),
        window("layers.7", "n b t c", 0, 7),
        window("layers.8", "b c t n", 0, 9),
    )
    return Case(
        lively(STGCNWave(6, 12)),
        noise(3, 1, 12, 6),
        "b c t n",
        sizes(b=3, t=12, n=6),
        stx.Forecast(4, horizon=1, layout="b c t n"),
        lambda out: out[:, 0, 0, 4],
        layers,
        ("layers.8",),
    )


class GConvGRU(nn.Module):
    """Seo et al. 2018, as in PyTorch Geometric Temporal: Chebyshev convolutions of PyTorch Geometric in the gates."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        geometric = pytest.importorskip("torch_geometric.nn")
        for gate in "zrh":
            setattr(self, f"conv_x_{gate}", geometric.ChebConv(channels, hidden, K=2))
            setattr(self, f"conv_h_{gate}", geometric.ChebConv(hidden, hidden, K=2))
        self.hidden = hidden

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor, state: Tensor | None = None) -> Tensor:
        edges = (edge_index, edge_weight)
        state = x.new_zeros(len(x), self.hidden) if state is None else state
        z = torch.sigmoid(self.conv_x_z(x, *edges) + self.conv_h_z(state, *edges))
        r = torch.sigmoid(self.conv_x_r(x, *edges) + self.conv_h_r(state, *edges))
        new = torch.tanh(self.conv_x_h(x, *edges) + self.conv_h_h(state * r, *edges))
        return z * state + (1 - z) * new


class RecurrentGCN(nn.Module):
    """One graph, no batch: a snapshot per frame, and a forecast for every node."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.recurrent = GConvGRU(channels, hidden)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor) -> Tensor:  # [T, N, C] to [N]
        state = None
        for snapshot in x:
            state = self.recurrent(snapshot, edge_index, edge_weight, state)
        return self.linear(F.relu(state))[:, 0]


def gconv_gru() -> Case:
    edges, weights = edge_list(6)
    return Case(
        lively(RecurrentGCN(2, 4)),
        noise(5, 6, 2),
        "t n c",
        sizes(t=5, n=6, c=2),
        lambda out: out[2:3],
        lambda out: out[2:3],
        (
            window("recurrent.conv_x_h", "n c", 0, 0, by_frame=True),
            recurrent("recurrent", "n c", by_frame=True),
        ),
        ("recurrent",),
        shared={"edge_index": edges, "edge_weight": weights},
    )


class WholeBatchClassifier(nn.Module):
    """A batch as one large graph, as PyTorch Geometric's loaders give it: a class for each graph."""

    def __init__(self, frames: int):
        super().__init__()
        geometric = pytest.importorskip("torch_geometric.nn")
        self.temporal = nn.Conv1d(2, 6, 3, padding=1)
        self.conv1, self.conv2 = geometric.GCNConv(6 * frames, 6 * frames), geometric.GraphConv(6 * frames, 8)
        self.pool, self.head = geometric.global_mean_pool, nn.Linear(8, 3)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:  # (b n) c t
        features = F.relu(self.temporal(x)).flatten(1)
        features = F.relu(self.conv1(features, edge_index))
        features = F.relu(self.conv2(features, edge_index))
        return self.head(self.pool(features, batch))


def pyg_whole_batch() -> Case:
    edges, _ = edge_list(5)
    samples = 3
    return Case(
        lively(WholeBatchClassifier(8)),
        noise(samples * 5, 2, 8),
        "(b n) c t",
        sizes(b=samples, t=8, n=5, c=2),
        stx.Class(2),
        lambda out: out[:, 2],
        (window("temporal", "(b n) c t", -1, 1),),
        ("temporal",),
        shared={
            "edge_index": torch.cat([edges + 5 * sample for sample in range(samples)], 1),
            "batch": torch.arange(samples).repeat_interleave(5),
        },
        options={"graph": road_graph(5)},
    )


class DiffusionConv(nn.Module):
    """Messages along the edges and against them, over the last axis but one."""

    def __init__(self, width: int):
        super().__init__()
        self.filters = nn.Linear(3 * width, width)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor) -> Tensor:
        hops = [x]
        for source, target in (edge_index, edge_index.flip(0)):
            messages = x[..., source, :] * edge_weight[:, None]
            hops.append(torch.zeros_like(x).index_add(x.ndim - 2, target, messages))
        return self.filters(torch.cat(hops, -1))


class TimeThenSpace(nn.Module):
    """A model in the manner of Torch Spatiotemporal (tsl): [b t n c], a recurrent encoder, then diffusion."""

    def __init__(self, nodes: int, horizons: int, width: int = 6):
        super().__init__()
        self.encoder = nn.Linear(2, width)
        self.node_embeddings = nn.Parameter(noise(nodes, width, seed=1))
        self.time_nn = nn.GRU(width, width, batch_first=True)
        self.space_nn = DiffusionConv(width)
        self.decoder = nn.Linear(width, horizons)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor) -> Tensor:
        h = self.encoder(x) + self.node_embeddings
        states, _ = self.time_nn(h.transpose(1, 2).flatten(0, 1))
        last = self.space_nn(states[:, -1].unflatten(0, (len(x), -1)), edge_index, edge_weight)
        return self.decoder(F.elu(last)).transpose(1, 2)[..., None]


def tsl_time_then_space() -> Case:
    edges, weights = edge_list(6)
    return Case(
        lively(TimeThenSpace(6, 4)),
        noise(3, 8, 6, 2),
        "b t n c",
        sizes(b=3, t=8, n=6, c=2),
        stx.Forecast(5, horizon=4, layout="b t n c"),
        lambda out: out[:, 3, 5, 0],
        (window("encoder", "b t n c", 0, 0), recurrent("time_nn", "(b n) t c")),
        ("time_nn",),
        shared={"edge_index": edges, "edge_weight": weights},
    )


CASES = (stgcn_wave, gconv_gru, pyg_whole_batch, tsl_time_then_space)
