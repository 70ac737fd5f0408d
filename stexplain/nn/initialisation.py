"""Initial values of weights, as the released networks draw them."""

import math

import torch
from torch import nn

RELEASED_STD = 0.02
"""The standard deviation of ST-GCN's initial weights (Yan et al. 2018, released code)."""


def normal_as_released(tensor: torch.Tensor, mean: float = 0.0) -> None:
    """Draws from N(mean, 0.02^2), in place."""
    nn.init.normal_(tensor, mean, RELEASED_STD)


def uniform_by_fan_in(tensor: torch.Tensor, fan_in: int) -> None:
    """Draws uniformly from [-1 / sqrt(fan_in), 1 / sqrt(fan_in)], as torch's own layers do, in place."""
    nn.init.uniform_(tensor, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))
