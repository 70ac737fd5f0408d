"""Where, and in which floating type, a model computes."""

import torch
from torch import nn

from stexplain.errors import InputError


def device_and_dtype(model: nn.Module, default: torch.dtype = torch.float32) -> tuple[torch.device, torch.dtype]:
    """The device and the floating type of a model's first floating parameter.

    Args:
        model: any.
        default: the type of a model without floating parameters, which is taken to be on the CPU.

    Raises:
        InputError: for half precision.

    Example:
        >>> device_and_dtype(nn.Linear(1, 1).double())
        (device(type='cpu'), torch.float64)
    """
    device, dtype = torch.device("cpu"), default
    for parameter in model.parameters():
        if parameter.is_floating_point():
            device, dtype = parameter.device, parameter.dtype
            break
    # Gradients at the last layer are often below 6e-5, the smallest normal number of float16.
    if dtype not in (torch.float32, torch.float64):
        raise InputError(
            f"model computes in {str(dtype).removeprefix('torch.')}, whose range is too small for gradients; "
            "expected float32 or float64. Use model.float()."
        )
    return device, dtype
