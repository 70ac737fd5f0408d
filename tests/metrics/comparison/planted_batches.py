"""Samples with ground truth, and explainers that give known values, for the tests."""

import numpy as np
import torch

from stexplain.data.samples import Batch
from stexplain.explainers.explanation import Explanation


def planted(samples=20, seed=0):
    """One node of five moves for a while, and the truth says which and when."""
    random = torch.Generator().manual_seed(seed)
    x = 0.3 * torch.randn(samples, 1, 12, 5, 3, generator=random)
    truth = torch.zeros(samples, 1, 12, 5, dtype=torch.bool)
    for row in range(samples):
        truth[row, 0, 3:8, row % 5] = True
    x = x + truth[..., None] * torch.randn(x.shape, generator=random)
    ids = tuple(f"s{row}" for row in range(samples))
    return Batch(x, torch.ones(samples, 1, 12, dtype=torch.bool), torch.zeros(samples, dtype=torch.int64), ids, truth)


def constant(values, name="given"):
    """An explainer that gives the same importance to every position of a sample: values [n]."""

    def explain(batch, *, target):
        rows = [int(name.removeprefix("s")) for name in batch.ids]
        maps = np.zeros(batch.x.shape[:-1], np.float32) + np.asarray(values)[rows, None, None, None]
        return Explanation(maps, batch.valid.numpy(), method=name, ids=batch.ids)

    return explain


def level(e, batch):
    return e.importance.mean((1, 2, 3))
