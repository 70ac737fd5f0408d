"""Clips on NTU's skeleton, for the tests."""

import torch

from stexplain.graph import STGraph

NTU = STGraph.from_card("ntu")


def clips(samples=2, instances=2, dtype=torch.float32):
    x = torch.randn(samples, instances, 21, 25, 3, generator=torch.Generator().manual_seed(3)).to(dtype)
    x[-1, 1] = 0
    return x
