"""Forecasters that convolve over time: STGCN of Yu et al., Graph WaveNet and MTGNN."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import stexplain as stx
from tests.explainers.architectures.case import (
    Case,
    lively,
    noise,
    ring,
    row_normalised,
    sizes,
    two_way,
    window,
)


class GatedTemporalConv(nn.Module):
    """A gated linear unit over 3 frames, without padding."""

    def __init__(self, channels: int, width: int, kernel: int = 3):
        super().__init__()
        self.kernel = kernel
        self.align = nn.Conv2d(channels, width, 1)
        self.causal_conv = nn.Conv2d(channels, 2 * width, (kernel, 1))

    def forward(self, x: Tensor) -> Tensor:
        beside = self.align(x)[:, :, self.kernel - 1 :]
        left, right = self.causal_conv(x).chunk(2, 1)
        return (left + beside) * right.sigmoid()


class ChebyshevConv(nn.Module):
    def __init__(self, channels: int, width: int, laplacian: Tensor):
        super().__init__()
        second = 2 * laplacian @ laplacian - torch.eye(len(laplacian))
        self.register_buffer("polynomials", torch.stack([torch.eye(len(laplacian)), laplacian, second]))
        self.weight = nn.Parameter(0.5 * noise(3, channels, width, seed=3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("kij,bcti,kcd->bdtj", self.polynomials, x, self.weight)


class STConvBlock(nn.Module):
    def __init__(self, channels: int, width: int, laplacian: Tensor):
        super().__init__()
        self.tmp_conv1 = GatedTemporalConv(channels, width)
        self.graph_conv = ChebyshevConv(width, width, laplacian)
        self.tmp_conv2 = GatedTemporalConv(width, width)
        self.tc2_ln = nn.LayerNorm([len(laplacian), width])

    def forward(self, x: Tensor) -> Tensor:
        x = self.tmp_conv2(F.relu(self.graph_conv(self.tmp_conv1(x))))
        return self.tc2_ln(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class STGCNTraffic(nn.Module):
    """Yu et al. 2018: two blocks and an output layer that leaves one frame."""

    def __init__(self, nodes: int, frames: int):
        super().__init__()
        laplacian = row_normalised(two_way(nodes)) - torch.eye(nodes)
        self.st_blocks = nn.Sequential(STConvBlock(1, 6, laplacian), STConvBlock(6, 6, laplacian))
        self.output = GatedTemporalConv(6, 6, kernel=frames - 8)
        self.fc = nn.Conv2d(6, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.output(self.st_blocks(x)))


def stgcn_traffic() -> Case:
    layers = (
        window("st_blocks.0.tmp_conv1", "b c t n", 0, 2),
        window("st_blocks.0.tmp_conv1.causal_conv", "b c t n", 0, 2),
        window("st_blocks.0.graph_conv", "b c t n", 0, 2),
        window("st_blocks.0", "b c t n", 0, 4),
        window("st_blocks.1.tmp_conv2", "b c t n", 0, 8),
        window("st_blocks.1.tc2_ln", "b t n c", 0, 8),
        window("st_blocks.1", "b c t n", 0, 8),
        window("st_blocks", "b c t n", 0, 8),
        window("output.align", "b c t n", 0, 8),
    )
    return Case(
        lively(STGCNTraffic(6, 12)),
        noise(3, 1, 12, 6),
        "b c t n",
        sizes(b=3, t=12, n=6),
        stx.Forecast(2, horizon=1, layout="b c t n"),
        lambda out: out[:, 0, 0, 2],
        layers,
        ("st_blocks",),
    )


class GraphWaveNet(nn.Module):
    """Wu et al. 2019: a stack that sees 13 frames, so that 12 are padded by one in the past; adaptive adjacency."""

    def __init__(self, nodes: int, horizons: int):
        super().__init__()
        self.register_buffer("support", row_normalised(ring(nodes)))
        self.nodevec1 = nn.Parameter(noise(nodes, 3, seed=1))
        self.nodevec2 = nn.Parameter(noise(3, nodes, seed=2))
        self.start_conv = nn.Conv2d(2, 6, 1)
        self.dilations = [1, 2] * 4
        self.receptive_field = 1 + sum(self.dilations)

        def convs(width: int, *kernel: int) -> nn.ModuleList:
            return nn.ModuleList(
                nn.Conv2d(6, width, kernel, dilation=(1, d if kernel[1] > 1 else 1)) for d in self.dilations
            )

        self.filter_convs, self.gate_convs, self.skip_convs = convs(6, 1, 2), convs(6, 1, 2), convs(8, 1, 1)
        self.gconv = nn.ModuleList(nn.Conv2d(3 * 6, 6, 1) for _ in self.dilations)
        self.bn = nn.ModuleList(nn.BatchNorm2d(6) for _ in self.dilations)
        self.end_conv_1, self.end_conv_2 = nn.Conv2d(8, 8, 1), nn.Conv2d(8, horizons, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.start_conv(F.pad(x, (max(self.receptive_field - x.shape[3], 0), 0, 0, 0)))
        adaptive = F.softmax(F.relu(self.nodevec1 @ self.nodevec2), dim=1)
        skip: Tensor | None = None
        for index in range(len(self.dilations)):
            residual = x
            x = torch.tanh(self.filter_convs[index](x)) * torch.sigmoid(self.gate_convs[index](x))
            beside = self.skip_convs[index](x)
            skip = beside if skip is None else beside + skip[..., -beside.shape[3] :]
            mixed = [torch.einsum("ncvl,vw->ncwl", x, support) for support in (self.support, adaptive)]
            x = self.gconv[index](torch.cat([x, *mixed], 1)) + residual[..., -x.shape[3] :]
            x = self.bn[index](x)
        return self.end_conv_2(F.relu(self.end_conv_1(F.relu(skip))))


def graph_wavenet() -> Case:
    layers = (
        # Frame -1 is padding: position 0 sees it alone.
        window("start_conv", "b c n t", -1, -1),
        window("filter_convs.0", "b c n t", -1, 0),
        window("bn.1", "b c n t", -1, 2),
        window("gate_convs.4", "b c n t", -1, 6),
        window("skip_convs.5", "b c n t", -1, 8),
        window("bn.6", "b c n t", -1, 9),
    )
    return Case(
        lively(GraphWaveNet(5, 12)),
        noise(2, 2, 5, 12),
        "b c n t",
        sizes(b=2, t=12, n=5, c=2),
        stx.Forecast(3, horizon=12, layout="b t n c"),
        lambda out: out[:, 11, 3, 0],
        layers,
        ("start_conv",),
    )


class DilatedInception(nn.Module):
    """Kernels of 2, 3, 6 and 7 frames side by side, all cut to the last positions of the longest."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.tconv = nn.ModuleList(nn.Conv2d(channels, width // 4, (1, kernel)) for kernel in (2, 3, 6, 7))

    def forward(self, x: Tensor) -> Tensor:
        branches = [conv(x) for conv in self.tconv]
        return torch.cat([branch[..., -branches[-1].shape[3] :] for branch in branches], 1)


class MixProp(nn.Module):
    def __init__(self, channels: int, width: int):
        super().__init__()
        self.mlp = nn.Conv2d(3 * channels, width, 1)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        walk = row_normalised(adjacency + torch.eye(len(adjacency)).to(adjacency))
        hops = [x]
        for _ in range(2):
            hops.append(0.05 * x + 0.95 * torch.einsum("ncwl,vw->ncvl", hops[-1], walk))
        return self.mlp(torch.cat(hops, 1))


class NodeLayerNorm(nn.Module):
    """Over channels, nodes and positions together, with a weight of its own for each: every frame moves all others."""

    def __init__(self, *shape: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor, nodes: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[1:], self.weight[:, nodes], self.bias[:, nodes])


class MTGNN(nn.Module):
    """Wu et al. 2020: a learned sparse graph, inception in time. It sees 13 frames; 10 are padded by 3 in the past."""

    def __init__(self, nodes: int, horizons: int):
        super().__init__()
        self.register_buffer("idx", torch.arange(nodes))
        self.emb1, self.emb2 = nn.Embedding(nodes, 4), nn.Embedding(nodes, 4)
        self.start_conv = nn.Conv2d(2, 8, 1)
        self.filter_convs = nn.ModuleList(DilatedInception(8, 8) for _ in range(2))
        self.gate_convs = nn.ModuleList(DilatedInception(8, 8) for _ in range(2))
        self.gconv1 = nn.ModuleList(MixProp(8, 8) for _ in range(2))
        self.gconv2 = nn.ModuleList(MixProp(8, 8) for _ in range(2))
        self.skip0 = nn.Conv2d(2, 8, (1, 13))
        self.skip_convs = nn.ModuleList(nn.Conv2d(8, 8, (1, left)) for left in (7, 1))
        self.norm = nn.ModuleList(NodeLayerNorm(8, nodes, left) for left in (7, 1))
        self.end_conv = nn.Conv2d(8, horizons, 1)

    def graph(self) -> Tensor:
        left, right = self.emb1(self.idx).tanh(), self.emb2(self.idx).tanh()
        adjacency = F.relu(torch.tanh(3 * (left @ right.T - right @ left.T)))
        strongest = torch.zeros_like(adjacency).scatter(1, adjacency.topk(3, 1).indices, 1.0)
        return adjacency * strongest

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (max(13 - x.shape[3], 0), 0, 0, 0))
        adjacency = self.graph()
        skip = self.skip0(x)
        x = self.start_conv(x)
        for layer in range(2):
            residual = x
            x = torch.tanh(self.filter_convs[layer](x)) * torch.sigmoid(self.gate_convs[layer](x))
            skip = skip + self.skip_convs[layer](x)
            x = self.gconv1[layer](x, adjacency) + self.gconv2[layer](x, adjacency.T)
            x = self.norm[layer](x + residual[..., -x.shape[3] :], self.idx)
        return self.end_conv(F.relu(skip))


def mtgnn() -> Case:
    layers = (
        window("start_conv", "b c n t", -3, -3),
        window("filter_convs.0.tconv.0", "b c n t", -3, -2),
        window("filter_convs.0", "b c n t", -3, 3),
        window("gconv2.0", "b c n t", -3, 3),
    )
    return Case(
        lively(MTGNN(6, 4)),
        noise(2, 2, 6, 10),
        "b c n t",
        sizes(b=2, t=10, n=6, c=2),
        stx.Forecast(1, horizon=2, layout="b t n c"),
        lambda out: out[:, 1, 1, 0],
        layers,
        ("gconv2.0",),
    )


CASES = (stgcn_traffic, graph_wavenet, mtgnn)
