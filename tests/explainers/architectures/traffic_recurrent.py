"""Forecasters that run a recurrent cell once per frame: DCRNN, AGCRN, T-GCN, A3T-GCN."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import stexplain as stx
from tests.explainers.architectures.case import (
    Case,
    lively,
    noise,
    recurrent,
    ring,
    road_graph,
    row_normalised,
    sizes,
    window,
)


class DiffusionCell(nn.Module):
    """A gated recurrent unit of diffusion convolutions, over signals and states as flat ``[B, N C]``."""

    def __init__(self, nodes: int, channels: int, units: int):
        super().__init__()
        walk = row_normalised(ring(nodes))
        self.register_buffer("supports", torch.stack([torch.eye(nodes), walk, row_normalised(ring(nodes).T)]))
        self.nodes, self.units = nodes, units
        self.gates = nn.Linear(3 * (channels + units), 2 * units)
        self.candidate = nn.Linear(3 * (channels + units), units)

    def diffuse(self, x: Tensor, state: Tensor, linear: nn.Linear) -> Tensor:
        both = torch.cat([x.view(len(x), self.nodes, -1), state], 2)
        return linear(torch.einsum("kij,bjc->bikc", self.supports, both).flatten(2))

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        state = hidden.view(len(x), self.nodes, self.units)
        reset, update = torch.sigmoid(self.diffuse(x, state, self.gates)).chunk(2, 2)
        new = torch.tanh(self.diffuse(x, reset * state, self.candidate))
        return (update * state + (1 - update) * new).flatten(1)


class DCRNNStack(nn.Module):
    """Two cells, one upon the other, for one frame: their last output, and the states of both."""

    def __init__(self, nodes: int, channels: int, units: int, out: int | None = None):
        super().__init__()
        self.dcgru_layers = nn.ModuleList([DiffusionCell(nodes, channels, units), DiffusionCell(nodes, units, units)])
        self.projection_layer = None if out is None else nn.Linear(units, out)
        self.nodes, self.units = nodes, units

    def forward(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        states = []
        for cell, state in zip(self.dcgru_layers, hidden, strict=True):
            x = cell(x, state)
            states.append(x)
        if self.projection_layer is not None:
            x = self.projection_layer(x.view(-1, self.units)).view(len(x), -1)
        return x, torch.stack(states)


class DCRNN(nn.Module):
    """Li et al. 2018: an encoder, and a decoder that takes its own forecasts; frames and horizons come first."""

    def __init__(self, nodes: int, horizons: int, units: int = 4):
        super().__init__()
        self.encoder_model = DCRNNStack(nodes, 2, units)
        self.decoder_model = DCRNNStack(nodes, 1, units, out=1)
        self.nodes, self.horizons, self.units = nodes, horizons, units

    def forward(self, inputs: Tensor) -> Tensor:  # [T, B, N C] to [horizons, B, N]
        hidden = inputs.new_zeros(2, inputs.shape[1], self.nodes * self.units)
        for frame in inputs:
            _, hidden = self.encoder_model(frame, hidden)
        last = inputs.new_zeros(inputs.shape[1], self.nodes)
        forecasts = []
        for _ in range(self.horizons):
            last, hidden = self.decoder_model(last, hidden)
            forecasts.append(last)
        return torch.stack(forecasts)


def dcrnn() -> Case:
    # As many horizons as frames: the decoder's calls are no frames all the same.
    layers = (
        recurrent("encoder_model.dcgru_layers.0", "b (n c)", by_frame=True),
        recurrent("encoder_model.dcgru_layers.1", "b (n c)", by_frame=True),
    )
    return Case(
        lively(DCRNN(5, 6)),
        noise(6, 3, 10),
        "t b (n c)",
        sizes(b=3, t=6, n=5, c=2),
        stx.Forecast(2, horizon=4, layout="t b n"),
        lambda out: out[3, :, 2],
        layers,
        ("encoder_model.dcgru_layers.0",),
        options={"graph": road_graph(5)},
    )


class AdaptiveCell(nn.Module):
    """A gated recurrent unit whose graph and weights come from embeddings of the nodes."""

    def __init__(self, channels: int, hidden: int, embedding: int):
        super().__init__()
        self.gate = nn.Parameter(0.3 * noise(embedding, 2, channels + hidden, 2 * hidden, seed=1))
        self.update = nn.Parameter(0.3 * noise(embedding, 2, channels + hidden, hidden, seed=2))

    @staticmethod
    def convolve(x: Tensor, embeddings: Tensor, pool: Tensor) -> Tensor:
        support = F.softmax(F.relu(embeddings @ embeddings.T), dim=1)
        both = torch.stack([x, torch.einsum("nm,bmc->bnc", support, x)])
        return torch.einsum("kbni,nkio->bno", both, torch.einsum("nd,dkio->nkio", embeddings, pool))

    def forward(self, x: Tensor, state: Tensor, embeddings: Tensor) -> Tensor:
        z, r = torch.sigmoid(self.convolve(torch.cat([x, state], -1), embeddings, self.gate)).chunk(2, -1)
        new = torch.tanh(self.convolve(torch.cat([x, z * state], -1), embeddings, self.update))
        return r * state + (1 - r) * new


class AdaptiveEncoder(nn.Module):
    """Layers of cells over all frames: the states of the last at every frame, and the last states of all."""

    def __init__(self, hidden: int, embedding: int):
        super().__init__()
        self.dcrnn_cells = nn.ModuleList([AdaptiveCell(1, hidden, embedding), AdaptiveCell(hidden, hidden, embedding)])
        self.hidden = hidden

    def forward(self, x: Tensor, embeddings: Tensor) -> tuple[Tensor, list[Tensor]]:
        last = []
        for cell in self.dcrnn_cells:
            state = x.new_zeros(*x[:, 0].shape[:2], self.hidden)
            states = []
            for frame in range(x.shape[1]):
                state = cell(x[:, frame], state, embeddings)
                states.append(state)
            x = torch.stack(states, 1)
            last.append(state)
        return x, last


class AGCRN(nn.Module):
    """Bai et al. 2020."""

    def __init__(self, nodes: int, horizons: int, hidden: int):
        super().__init__()
        self.node_embeddings = nn.Parameter(noise(nodes, 3, seed=3))
        self.encoder = AdaptiveEncoder(hidden, 3)
        self.end_conv = nn.Conv2d(1, horizons, (1, hidden))

    def forward(self, source: Tensor) -> Tensor:
        output, _ = self.encoder(source, self.node_embeddings)
        return self.end_conv(output[:, -1:])


def agcrn() -> Case:
    # Frames, nodes, horizons and channels are all 7: sizes tell nothing.
    layers = (
        recurrent("encoder.dcrnn_cells.0", "b n c", by_frame=True),
        recurrent("encoder", "b t n c"),
    )
    return Case(
        lively(AGCRN(7, 7, 7)),
        noise(2, 7, 7, 1),
        "b t n c",
        sizes(b=2, t=7, n=7),
        stx.Forecast(5, horizon=6, layout="b t n c"),
        lambda out: out[:, 5, 5, 0],
        layers,
        ("encoder",),
    )


class TGCNCell(nn.Module):
    """A gated recurrent unit of graph convolutions, over states as flat ``[B, N C]``."""

    def __init__(self, nodes: int, hidden: int):
        super().__init__()
        both = torch.maximum(ring(nodes), ring(nodes).T)
        scale = both.sum(1) ** -0.5
        self.register_buffer("laplacian", scale[:, None] * both * scale)
        self.graph_conv1 = nn.Linear(hidden + 1, 2 * hidden)
        self.graph_conv2 = nn.Linear(hidden + 1, hidden)
        self.nodes, self.hidden = nodes, hidden

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        def mixed(state: Tensor) -> Tensor:
            return self.laplacian @ torch.cat([inputs[..., None], state.view(len(inputs), self.nodes, -1)], 2)

        reset, update = torch.sigmoid(self.graph_conv1(mixed(state)).flatten(1)).chunk(2, 1)
        new = torch.tanh(self.graph_conv2(mixed(reset * state))).flatten(1)
        state = update * state + (1 - update) * new
        return state, state


class TGCN(nn.Module):
    """Zhao et al. 2019: all horizons from the last state."""

    def __init__(self, nodes: int, hidden: int, horizons: int):
        super().__init__()
        self.tgcn_cell = TGCNCell(nodes, hidden)
        self.regressor = nn.Linear(hidden, horizons)
        self.nodes, self.hidden = nodes, hidden

    def forward(self, inputs: Tensor) -> Tensor:
        state = inputs.new_zeros(len(inputs), self.nodes * self.hidden)
        for frame in range(inputs.shape[1]):
            output, state = self.tgcn_cell(inputs[:, frame], state)
        return self.regressor(output.view(len(inputs), self.nodes, self.hidden))


def t_gcn() -> Case:
    # As many states as nodes: [B, N C] could be folded either way round.
    layers = (recurrent("tgcn_cell", "b (n c)", by_frame=True),)
    return Case(
        lively(TGCN(6, 6, 3)),
        noise(4, 8, 6),
        "b t n",
        sizes(b=4, t=8, n=6),
        stx.Forecast([1, 2], horizon=2, layout="b n t"),
        lambda out: out[:, 1, 1] + out[:, 2, 1],
        layers,
        ("tgcn_cell",),
    )


class GCNUnit(nn.Module):
    """A gated unit of graph convolutions over an edge list."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.conv_z, self.conv_h = nn.Linear(channels, hidden), nn.Linear(channels, hidden)
        self.linear_z, self.linear_h = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor) -> Tensor:
        messages = x[:, edge_index[0]] * edge_weight[:, None]
        mixed = torch.zeros_like(x).index_add(1, edge_index[1], messages)
        z = torch.sigmoid(self.linear_z(self.conv_z(mixed)))
        return (1 - z) * torch.tanh(self.linear_h(self.conv_h(mixed)))


class A3TGCN(nn.Module):
    """Bai et al. 2021, as in PyTorch Geometric Temporal: attention weighs the frames, each with a unit of its own."""

    def __init__(self, channels: int, hidden: int, frames: int, horizons: int):
        super().__init__()
        self.base_tgcn = GCNUnit(channels, hidden)
        self.attention = nn.Parameter(noise(frames, seed=4))
        self.linear = nn.Linear(hidden, horizons)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor) -> Tensor:  # b n c t
        shares = torch.softmax(self.attention, 0)
        units = [self.base_tgcn(x[..., frame], edge_index, edge_weight) for frame in range(x.shape[3])]
        return self.linear(F.relu(sum(share * unit for share, unit in zip(shares, units, strict=True))))


def a3t_gcn() -> Case:
    edges = ring(5).nonzero().T.contiguous()
    return Case(
        lively(A3TGCN(2, 6, 9, 3)),
        noise(3, 5, 2, 9),
        "b n c t",
        sizes(b=3, t=9, n=5, c=2),
        stx.Forecast(0, horizon=3, layout="b n t"),
        lambda out: out[:, 0, 2],
        # The unit runs once per frame and carries nothing over: each call sees its own frame alone.
        (window("base_tgcn", "b n c", 0, 0, by_frame=True),),
        ("base_tgcn",),
        shared={"edge_index": edges, "edge_weight": ring(5)[edges[0], edges[1]]},
    )


CASES = (dcrnn, agcrn, t_gcn, a3t_gcn)
