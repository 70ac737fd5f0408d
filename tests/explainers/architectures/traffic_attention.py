"""Forecasters with attention between nodes and between frames: ASTGCN and GMAN."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import stexplain as stx
from tests.explainers.architectures.case import (
    Case,
    everywhere,
    lively,
    noise,
    row_normalised,
    sizes,
    two_way,
    window,
)


class ASTGCNBlock(nn.Module):
    """Attention between nodes and between frames, then Chebyshev and temporal convolutions."""

    def __init__(self, channels: int, width: int, nodes: int, frames: int):
        super().__init__()
        walk = row_normalised(two_way(nodes))
        self.register_buffer("polynomials", torch.stack([torch.eye(nodes), walk, 2 * walk @ walk - torch.eye(nodes)]))
        shapes = {"U1": [nodes], "U2": [channels, nodes], "U3": [channels], "Ve": [frames, frames]}
        shapes |= {"W1": [frames], "W2": [channels, frames], "W3": [channels], "Vs": [nodes, nodes]}
        for seed, (name, shape) in enumerate(shapes.items()):
            setattr(self, name, nn.Parameter(0.5 * noise(*shape, seed=seed)))
        self.theta = nn.Parameter(0.3 * noise(3, channels, width))
        self.time_conv = nn.Conv2d(width, width, (1, 3), padding=(0, 1))
        self.residual_conv = nn.Conv2d(channels, width, 1)
        self.ln = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:  # b n c t
        left = torch.einsum("bnct,n->btc", x, self.U1) @ self.U2
        right = torch.einsum("c,bnct->bnt", self.U3, x)
        over_time = torch.softmax(self.Ve @ torch.sigmoid(left @ right), dim=1)
        attended = torch.einsum("bnct,bts->bncs", x, over_time)
        left = torch.einsum("bnct,t->bnc", attended, self.W1) @ self.W2
        right = torch.einsum("c,bnct->btn", self.W3, attended)
        over_nodes = torch.softmax(self.Vs @ torch.sigmoid(left @ right), dim=1)
        mixed = torch.einsum("kij,bij,bict,kcd->bdjt", self.polynomials, over_nodes, x, self.theta)
        summed = self.residual_conv(x.transpose(1, 2)) + self.time_conv(F.relu(mixed))
        return self.ln(F.relu(summed).permute(0, 2, 3, 1)).transpose(2, 3)


class ASTGCN(nn.Module):
    """Guo et al. 2019, the recent component."""

    def __init__(self, nodes: int, frames: int, horizons: int):
        super().__init__()
        self.BlockList = nn.ModuleList([ASTGCNBlock(2, 12, nodes, frames), ASTGCNBlock(12, 12, nodes, frames)])
        self.final_conv = nn.Conv2d(frames, horizons, (1, 12))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.BlockList:
            x = block(x)
        return self.final_conv(x.permute(0, 3, 1, 2))[..., 0].transpose(1, 2)


def astgcn() -> Case:
    layers = (
        everywhere("BlockList.0", "b n c t"),
        everywhere("BlockList.1.ln", "b n t c"),
        everywhere("BlockList.1", "b n c t"),
    )
    return Case(
        lively(ASTGCN(5, 8, 4)),
        noise(2, 5, 2, 8),
        "b n c t",
        sizes(b=2, t=8, n=5, c=2),
        stx.Forecast(4, horizon=3, layout="b n t"),
        lambda out: out[:, 4, 2],
        layers,
        ("BlockList.1",),
    )


class GatedSTAttention(nn.Module):
    """Attention between nodes and between frames, each with the embedding beside the signals, fused by a gate."""

    def __init__(self, width: int):
        super().__init__()
        self.spatial, self.temporal = nn.Linear(2 * width, 3 * width), nn.Linear(2 * width, 3 * width)
        self.gate_s, self.gate_t = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        both = torch.cat([x, embedding], -1)
        q, k, v = self.spatial(both).chunk(3, -1)
        between_nodes = F.scaled_dot_product_attention(q, k, v)
        q, k, v = (part.transpose(1, 2) for part in self.temporal(both).chunk(3, -1))
        between_frames = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        gate = torch.sigmoid(self.gate_s(between_nodes) + self.gate_t(between_frames))
        return x + gate * between_nodes + (1 - gate) * between_frames


class GMAN(nn.Module):
    """Zheng et al. 2020: an encoder over the past, attention from future to past frames, a decoder over the future."""

    def __init__(self, nodes: int, frames: int, width: int = 8):
        super().__init__()
        self.SE = nn.Parameter(noise(nodes, width, seed=1))
        self.time_embedding = nn.Linear(2, width)
        self.start = nn.Linear(1, width)
        self.encoder, self.decoder = GatedSTAttention(width), GatedSTAttention(width)
        self.transform = nn.MultiheadAttention(width, 2, batch_first=True)
        self.end = nn.Linear(width, 1)
        self.frames = frames

    def forward(self, X: Tensor, TE: Tensor) -> Tensor:  # [B, T, N], [B, T + horizons, 2]
        embedding = self.SE + self.time_embedding(TE)[:, :, None]
        past, future = embedding[:, : self.frames], embedding[:, self.frames :]
        x = self.encoder(self.start(X[..., None]), past)
        # Node by node: nodes are folded into the samples.
        q, k, v = (each.transpose(1, 2).flatten(0, 1) for each in (future, past, x))
        x = self.transform(q, k, v, need_weights=False)[0].unflatten(0, (len(X), -1)).transpose(1, 2)
        return self.end(self.decoder(x, future))[..., 0]


def gman() -> Case:
    # As many future frames as past ones: the decoder's positions are horizons, and yet stand in the same place.
    layers = (
        window("start", "b t n c", 0, 0),
        everywhere("encoder", "b t n c"),
    )
    return Case(
        lively(GMAN(6, 7)),
        noise(2, 7, 6),
        "b t n",
        sizes(b=2, t=7, n=6),
        stx.Forecast(0, horizon=3, layout="b t n"),
        lambda out: out[:, 2, 0],
        layers,
        ("encoder",),
        per_sample={"TE": noise(2, 12, 2, seed=8)},
    )


CASES = (astgcn, gman)
