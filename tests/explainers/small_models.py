"""Small models of the shapes that people use, in plain torch: explainers must not need a network of this package."""

import torch
from torch import Tensor, nn


def path_adjacency(nodes: int) -> Tensor:
    """A path's adjacency with self loops, rows normalised."""
    index = torch.arange(nodes)
    near = ((index[:, None] - index[None]).abs() <= 1).double()
    return near / near.sum(1, keepdim=True)


class PlainBlock(nn.Module):
    """A graph convolution and a strided temporal one; returns what it passes on and the adjacency, as ST-GCN does."""

    def __init__(self, channels_in: int, channels_out: int, stride: int):
        super().__init__()
        self.mix = nn.Conv2d(channels_in, channels_out, 1)
        self.norm = nn.BatchNorm2d(channels_out)
        self.temporal = nn.Conv2d(channels_out, channels_out, (3, 1), (stride, 1), (1, 0))
        self.out = nn.LeakyReLU(0.3)

    def forward(self, x: Tensor, adjacency: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.einsum("bctn,wn->bctw", self.mix(x), adjacency.to(x.dtype))
        return self.out(self.temporal(torch.relu(self.norm(x)))), adjacency


class PlainSTGCN(nn.Module):
    """x ``[B, C, T, N, M]``; pools over frames, nodes and persons, all alike; a 1x1 convolution as head."""

    def __init__(self, nodes: int = 5, channels: int = 6, classes: int = 4, seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        self.first = PlainBlock(3, channels, 2)
        self.second = PlainBlock(channels, channels, 2)
        self.squash = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)
        self.fcn = nn.Conv2d(channels, classes, 1)
        self.register_buffer("adjacency", path_adjacency(nodes))
        # At initialisation, running statistics are 0 and 1: eval mode would be close to train mode.
        for norm in (self.first.norm, self.second.norm):
            nn.init.uniform_(norm.running_mean, -0.5, 0.5)
            nn.init.uniform_(norm.running_var, 0.5, 2.0)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, frames, nodes, instances = x.shape
        x = x.permute(0, 4, 1, 2, 3).reshape(batch * instances, channels, frames, nodes)
        x, _ = self.first(x, self.adjacency)
        x, _ = self.second(x, self.adjacency)
        x = self.drop(self.squash(x)).mean((2, 3), keepdim=True)
        return self.fcn(x.view(batch, instances, -1, 1, 1).mean(1)).flatten(1)


class Recurrent(nn.Module):
    """x ``[B, T, N, C]``; one cell is called at every frame, as in recurrent graph networks."""

    def __init__(self, classes: int = 3):
        super().__init__()
        torch.manual_seed(1)
        self.cell = nn.Linear(2 + 4, 4)
        self.head = nn.Linear(4, classes)

    def forward(self, x: Tensor) -> Tensor:
        hidden = x.new_zeros(x.shape[0], x.shape[2], 4)
        for frame in range(x.shape[1]):
            hidden = torch.tanh(self.cell(torch.cat([x[:, frame], hidden], dim=-1)))
        return self.head(hidden.mean(1))


class AdaptiveGraph(nn.Module):
    """x ``[B, C, T, N]``; the adjacency is the model's own, softmax(ReLU(E1 E2^T)); it classifies."""

    def __init__(self, nodes: int = 5, channels: int = 6, classes: int = 4, seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        self.sending, self.hearing = (nn.Parameter(torch.randn(nodes, 4)) for _ in range(2))
        self.first = nn.Conv2d(3, channels, (3, 1), padding=(1, 0))
        self.second = nn.Conv2d(channels, channels, (3, 1), (2, 1), (1, 0))
        self.shared = nn.LeakyReLU(0.2)
        self.head = nn.Linear(channels * nodes, classes)

    def forward(self, x: Tensor) -> Tensor:
        adjacency = torch.relu(self.sending @ self.hearing.T).softmax(1)
        x = self.shared(torch.einsum("bctn,wn->bctw", self.first(x), adjacency))
        x = self.shared(torch.einsum("bctn,wn->bctw", self.second(x), adjacency))
        return self.head(x.mean(2).flatten(1))


class GatedBlock(nn.Module):
    """A dilated gated convolution over time without padding and one over the graph; passes on a skip too."""

    def __init__(self, channels: int, dilation: int):
        super().__init__()
        self.filter = nn.Conv2d(channels, channels, (1, 2), dilation=(1, dilation))
        self.gate = nn.Conv2d(channels, channels, (1, 2), dilation=(1, dilation))
        self.skip = nn.Conv2d(channels, 2 * channels, 1)
        self.mix = nn.Conv2d(2 * channels, channels, 1)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor, supports: list[Tensor]) -> tuple[Tensor, Tensor]:
        y = torch.tanh(self.filter(x)) * torch.sigmoid(self.gate(x))
        skip = self.skip(y)
        y = self.mix(torch.cat([torch.einsum("bcnt,nw->bcwt", y, support) for support in supports], 1))
        return self.norm(y + x[..., -y.shape[3] :]), skip


class WaveNet(nn.Module):
    """x ``[B, C, N, T]`` with 8 frames to forecasts ``[B, H, N, 1]``, in the way of Graph-WaveNet."""

    def __init__(self, nodes: int = 5, channels: int = 6, horizon: int = 3, seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        self.register_buffer("road", path_adjacency(nodes).float())
        self.sending, self.hearing = nn.Parameter(torch.randn(nodes, 4)), nn.Parameter(torch.randn(4, nodes))
        self.start = nn.Conv2d(2, channels, 1)
        self.layers = nn.ModuleList(GatedBlock(channels, dilation) for dilation in (1, 2, 4))
        self.end = nn.Sequential(nn.ReLU(), nn.Conv2d(2 * channels, 8, 1), nn.ReLU(), nn.Conv2d(8, horizon, 1))

    def forward(self, x: Tensor, day: Tensor | None = None) -> Tensor:
        supports = [self.road, torch.relu(self.sending @ self.hearing).softmax(1)]
        x = self.start(x if day is None else x + day[:, None, None])
        skip: Tensor | float = 0.0
        for layer in self.layers:
            x, more = layer(x, supports)
            skip = more if isinstance(skip, float) else more + skip[..., -more.shape[3] :]
        return self.end(skip)


class DiffusionCell(nn.Module):
    """A gated recurrent unit whose products are diffusion convolutions, both ways, of one step."""

    def __init__(self, adjacency: Tensor, channels: int, hidden: int):
        super().__init__()
        self.register_buffer("forth", adjacency.float())
        self.register_buffer("back", (adjacency.T / adjacency.T.sum(1, keepdim=True)).float())
        self.gates = nn.Linear(3 * (channels + hidden), 2 * hidden)
        self.fresh = nn.Linear(3 * (channels + hidden), hidden)

    def _spread(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.forth @ x, self.back @ x], -1)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        reset, keep = torch.sigmoid(self.gates(self._spread(torch.cat([x, hidden], -1)))).chunk(2, -1)
        fresh = torch.tanh(self.fresh(self._spread(torch.cat([x, reset * hidden], -1))))
        return keep * hidden + (1 - keep) * fresh


class DiffusionRecurrent(nn.Module):
    """x ``[B, T, N, C]`` to forecasts ``[B, H, N]``: an encoder and a decoder, in the way of DCRNN."""

    def __init__(self, nodes: int = 5, hidden: int = 4, horizon: int = 3, seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        self.encoder = DiffusionCell(path_adjacency(nodes), 2, hidden)
        self.decoder = DiffusionCell(path_adjacency(nodes), 1, hidden)
        self.out = nn.Linear(hidden, 1)
        self.horizon = horizon

    def forward(self, x: Tensor) -> Tensor:
        hidden = x.new_zeros(x.shape[0], x.shape[2], self.out.in_features)
        for frame in range(x.shape[1]):
            hidden = self.encoder(x[:, frame], hidden)
        steps = [x[:, -1, :, :1]]
        for _ in range(self.horizon):
            hidden = self.decoder(steps[-1], hidden)
            steps.append(self.out(hidden))
        return torch.stack(steps[1:], 1)[..., 0]


def signals(*shape: int, seed: int = 0) -> Tensor:
    """Reproducible noise."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def linear(weight: Tensor) -> nn.Module:
    """A score that is a weighted sum of the signals."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(weight.numel(), 1))
    model[1].weight.data.copy_(weight.flatten()[None])
    return model
