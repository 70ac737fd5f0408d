"""What a method computes, before it is an explanation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stexplain.explainers.outputs.precision import full_precision
from stexplain.explainers.target import Scores


@dataclass(frozen=True)
class Maps:
    """What a method computes for some samples: see the attributes of `Explanation` of the same names.

    Attributes:
        scores: of the target; none where the method calls no model.
    """

    values: Tensor
    scores: Scores | None = None
    layer_values: Tensor | None = None
    stride: int = 1
    padding_share: Tensor | None = None
    extra: Mapping[str, Tensor] = field(default_factory=dict)
    channels: Tensor | None = None
    reduce: str = ""
    notes: tuple[str, ...] = ()
    standard_error: Tensor | None = None


def padding_share_of(values: Tensor, valid: Tensor) -> Tensor:
    """The share of ``|H|`` that lies on padding: values ``[B, M, T, N]``, valid ``[B, M, T]``, to ``[B]``."""
    size = values.detach().abs().sum(-1)
    total = size.sum((1, 2))
    # A map of zeros has no share on padding, rather than NaN.
    return torch.where(valid, 0, size).sum((1, 2)) / torch.where(total > 0, total, 1)


def as_array(tensor: Tensor | None, dtype: Any = np.float32) -> Any:
    """A tensor as an array on the CPU; none of none."""
    # numpy has no bfloat16.
    return None if tensor is None else full_precision(tensor.detach()).cpu().numpy().astype(dtype)
