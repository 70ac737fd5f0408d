"""A model whose answers can be worked out by hand, and batches with padding and absent instances for it."""

import torch
from torch import Tensor, nn

from stexplain.data.samples import Batch
from tests.explainers.small_models import signals


class Linear(nn.Module):
    """x ``[B, M, T, N, C]`` to ``[B, K]``: the sum of all readings, each times a weight of its own ``[K, T, N, C]``."""

    def __init__(self, weight: Tensor):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(1).flatten(1) @ self.weight[:, : x.shape[2]].flatten(1).T

    def contributions(self, x: Tensor, target: int = 0) -> Tensor:
        """How much each position adds to the score, ``[B, M, T, N]``."""
        return (x * self.weight[target, : x.shape[2]]).sum(-1).detach()


def linear(classes: int = 3, frames: int = 6, nodes: int = 4, seed: int = 5) -> Linear:
    return Linear(signals(classes, frames, nodes, 2, seed=seed).double())


def batch(samples: int = 6, frames: int = 6, nodes: int = 4, seed: int = 1) -> Batch:
    """Samples of different length, one of two instances."""
    x = signals(samples, 2, frames, nodes, 2, seed=seed).double()
    valid = torch.zeros(samples, 2, frames, dtype=torch.bool)
    for row in range(samples):
        valid[row, 0, : frames - row % 3] = True
    valid[0, 1, :3] = True
    ids = tuple(f"clip {row}" for row in range(samples))
    return Batch(x * valid[..., None, None], valid, torch.arange(samples) % 3, ids)


def padded(of: Batch) -> Batch:
    """The same with three more frames and one more instance, none of them valid."""
    x = nn.functional.pad(of.x, (0, 0, 0, 0, 0, 3, 0, 1))
    return Batch(x, nn.functional.pad(of.valid, (0, 3, 0, 1)), of.label, of.ids)
