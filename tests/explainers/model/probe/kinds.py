"""Small models of every kind of layer, whose axes and positions in time are known."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.explainers.small_models import path_adjacency


class Convolution(nn.Module):
    """x ``[B, C, T, N]``; a convolution over time, padded before and behind, and pooling."""

    def __init__(self, kernel=3, stride=1, dilation=1, before=0, behind=0):
        super().__init__()
        self.pad = nn.ZeroPad2d((0, 0, before, behind))
        self.conv = nn.Conv2d(3, 4, (kernel, 1), (stride, 1), dilation=(dilation, 1))
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(self.pad(x)).mean((2, 3)))


class Causal(nn.Module):
    """x ``[B, C, T, N]``; dilated convolutions, each padded by as much past as it looks back, with residuals."""

    def __init__(self, dilations=(1, 2, 4), residual=True):
        super().__init__()
        self.start = nn.Conv2d(3, 4, 1)
        self.convs = nn.ModuleList(nn.Conv2d(4, 4, (2, 1), dilation=(d, 1)) for d in dilations)
        self.outs = nn.ModuleList(nn.Identity() for _ in dilations)
        self.head, self.residual = nn.Linear(4, 2), residual

    def forward(self, x: Tensor) -> Tensor:
        x = self.start(x)
        for conv, out in zip(self.convs, self.outs, strict=True):
            y = torch.tanh(conv(F.pad(x, (0, 0, conv.dilation[0], 0))))
            x = out(x + y if self.residual else y)
        return self.head(x.mean((2, 3)))


class PadsToItsView(nn.Module):
    """x ``[B, C, N, T]``; the past is padded to the view of all convolutions at once, as Graph WaveNet and MTGNN do."""

    def __init__(self, dilations=(1, 2, 4)):
        super().__init__()
        self.view = 1 + sum(dilations)
        self.start = nn.Conv2d(3, 4, 1)
        self.filters = nn.ModuleList(nn.Conv2d(4, 4, (1, 2), dilation=(1, d)) for d in dilations)
        self.gates = nn.ModuleList(nn.Conv2d(4, 4, (1, 2), dilation=(1, d)) for d in dilations)
        self.norms = nn.ModuleList(nn.BatchNorm2d(4) for _ in dilations)
        self.left, self.right = nn.Parameter(torch.randn(6, 3)), nn.Parameter(torch.randn(3, 6))
        self.head = nn.Conv2d(4, 12, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.start(F.pad(x, (max(self.view - x.shape[3], 0), 0)))
        adjacency = torch.relu(self.left @ self.right).softmax(1)
        for number, norm in enumerate(self.norms):
            y = torch.tanh(self.filters[number](x)) * torch.sigmoid(self.gates[number](x))
            x = norm(torch.einsum("bcnt,nw->bcwt", y, adjacency) + x[..., -y.shape[3] :])
        return self.head(x)[..., -1]


class PerNode(nn.Module):
    """x ``[B, T, N, C]``; a recurrent network over each node by itself, samples and nodes folded."""

    def __init__(self, kind=nn.LSTM, bidirectional=False, layers=2):
        super().__init__()
        self.rnn = kind(3, 5, layers, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(5 * (1 + bidirectional), 2)

    def forward(self, x: Tensor) -> Tensor:
        batch, frames, nodes, channels = x.shape
        y, _ = self.rnn(x.transpose(1, 2).reshape(batch * nodes, frames, channels))
        return self.head(y.view(batch, nodes, frames, -1).mean((1, 2)))


class Joints(nn.Module):
    """x ``[B, T, N, C]``; a recurrent network over all nodes at once, time first: no nodes behind it."""

    def __init__(self, nodes=5):
        super().__init__()
        self.rnn = nn.GRU(nodes * 3, 6)
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        y, last = self.rnn(x.flatten(2).transpose(0, 1))
        return self.head(last[-1] + y.mean(0))


class Attention(nn.Module):
    """x ``[B, T, N, C]``; self-attention over frames or over nodes, with or without a place in time added."""

    def __init__(self, over="t", places=True, frames=64):
        super().__init__()
        self.start = nn.Linear(3, 8)
        self.places = nn.Parameter(torch.randn(frames, 1, 8) * places)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.over, self.head = over, nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.start(x) + self.places[: x.shape[1]]
        if self.over == "t":
            x = x.transpose(1, 2)
        shape = x.shape
        y = self.block(x.flatten(0, 1))
        y, _ = self.attend(y, y, y)
        return self.head(y.view(shape).mean((1, 2)))


class OverTime(nn.Module):
    """x ``[B, C, T, N]``; normalised over time by its own mean and spread, as RevIN does, then another network."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner((x - x.mean(2, keepdim=True)) / (x.std(2, keepdim=True) + 1e-5))


class Skeleton(nn.Module):
    """x ``[B, C, T, N, M]``; BatchNorm1d over nodes and channels, strided blocks with a wide view: ST-GCN's shapes."""

    def __init__(self, nodes=7, kernel=9):
        super().__init__()
        self.norm = nn.BatchNorm1d(3 * nodes)
        self.register_buffer("adjacency", path_adjacency(nodes).float())
        widths, strides = (3, 8, 8, 8), (1, 2, 2)
        self.mix = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairwise(widths))
        self.temporal = nn.ModuleList(nn.Conv2d(8, 8, (kernel, 1), (s, 1), (kernel // 2, 0)) for s in strides)
        self.relu, self.head = nn.ReLU(), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        b, c, t, n, m = x.shape
        x = self.norm(x.permute(0, 4, 3, 1, 2).reshape(b * m, n * c, t))
        x = x.view(b * m, n, c, t).permute(0, 2, 3, 1)
        for mix, temporal in zip(self.mix, self.temporal, strict=True):
            x = self.relu(temporal(torch.einsum("bctv,vw->bctw", mix(x), self.adjacency)))
        return self.head(x.view(b, m, 8, -1).mean((1, 3)))


class Named(nn.Module):
    """x ``[B, T, N, C]``; an encoder that returns tensors by name, and one that returns a tuple of tuples."""

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.lift = nn.Linear(3, 4)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            y = self.lift(x)
            return {"pooled": y.mean((1, 2)), "hidden": y.transpose(1, 3)}

    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            return x.mean(2), (x, x.transpose(2, 3))

    def __init__(self):
        super().__init__()
        self.encoder, self.pair, self.head = self.Encoder(), self.Pair(), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        named = self.encoder(x)
        _, (y, _) = self.pair(named["hidden"].transpose(1, 3))
        return self.head(named["pooled"] + torch.tanh(y).mean((1, 2)))


class ForOneSize(nn.Module):
    """x ``[B, T, N, C]`` of one batch size and one length alone."""

    def __init__(self, samples=3, frames=8):
        super().__init__()
        self.samples, self.frames = samples, frames
        self.conv, self.head = nn.Conv2d(3, 4, (3, 1), padding=(1, 0)), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = x.reshape(self.samples, self.frames, -1, 3)
        return self.head(torch.tanh(self.conv(x.permute(0, 3, 1, 2))).mean((2, 3)))


class Cells(nn.Module):
    """x ``[B, T, N, C]`` to horizons ``[B, H, N]``: a cell at every frame, a decoder at every horizon."""

    def __init__(self, horizons=4, backward=False):
        super().__init__()
        self.register_buffer("adjacency", path_adjacency(5).float())
        self.cell, self.decoder, self.out = nn.Linear(3 + 4, 4), nn.Linear(1 + 4, 4), nn.Linear(4, 1)
        self.horizons, self.backward_in_time = horizons, backward

    def forward(self, x: Tensor) -> Tensor:
        hidden = x.new_zeros(x.shape[0], x.shape[2], 4)
        frames = range(x.shape[1])
        for frame in reversed(frames) if self.backward_in_time else frames:
            hidden = torch.tanh(self.cell(torch.cat([x[:, frame], self.adjacency @ hidden], -1)))
        step, steps = x[:, -1, :, :1], []
        for _ in range(self.horizons):
            hidden = torch.tanh(self.decoder(torch.cat([step, hidden], -1)))
            step = self.out(hidden)
            steps.append(step)
        return torch.stack(steps, 1)[..., 0]


class Tied(nn.Module):
    """x ``[B, C, T, N]``; one convolution under two names, run twice."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 3, (3, 1), padding=(1, 0))
        self.again, self.head = self.first, nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.again(torch.tanh(self.first(x)))).mean((2, 3)))


class Electrodes(nn.Module):
    """x ``[B, N, T]``; EEGNet's shapes: a temporal filter, one over all electrodes, pooling in time."""

    def __init__(self, nodes=6):
        super().__init__()
        self.temporal = nn.Conv2d(1, 4, (1, 16), padding="same")
        self.spatial = nn.Conv2d(4, 8, (nodes, 1), groups=4)
        self.pool, self.head = nn.AvgPool2d((1, 4)), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.elu(self.pool(self.spatial(self.temporal(x[:, None])))).mean((2, 3)))
