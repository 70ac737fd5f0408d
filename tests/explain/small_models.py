"""Small models of the shapes that people use, in plain torch: the explainers must not need one of ours."""

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
        # Else the running statistics are those of nothing, and eval mode is close to train mode.
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


def signals(*shape: int, seed: int = 0) -> Tensor:
    """Reproducible noise."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
