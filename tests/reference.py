"""Slow, obvious re-implementations in float64, written from the definitions, that tests compare the package with."""

import numpy as np
import torch
from numpy.typing import NDArray


def aggregate_dense(
    source: NDArray[np.int64], target: NDArray[np.int64], targets: int, x: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """The weighted sum over incoming edges as one dense matrix [targets, sources]; parallel edges add up."""
    one_hot_target = torch.zeros(len(source), targets, dtype=x.dtype)
    one_hot_source = torch.zeros(len(source), x.shape[0], dtype=x.dtype)
    for edge, (start, end) in enumerate(zip(source, target, strict=True)):
        one_hot_target[edge, end] = 1
        one_hot_source[edge, start] = 1
    matrix = one_hot_target.t() @ (weight[:, None] * one_hot_source)
    return matrix @ x
