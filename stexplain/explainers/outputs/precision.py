"""Half precision: which types it is, and what is computed from it in float32."""

import torch
from torch import Tensor

HALF = frozenset({torch.float16, torch.bfloat16})


def full_precision(tensor: Tensor) -> Tensor:
    """A tensor in float32 where it is in half precision, else itself.

    Example:
        >>> full_precision(torch.ones(1).half()).dtype
        torch.float32
    """
    return tensor.float() if tensor.dtype in HALF else tensor
