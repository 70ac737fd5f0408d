"""Reads a model without changing it: its attributes, device and floating type, and the tensor in its output."""

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from stexplain.errors import InputError


def unwrapped(model: nn.Module) -> nn.Module:
    """The module inside `torch.compile` and data-parallel wrappers, whose submodules do not call our hooks.

    Example:
        >>> inner = nn.Linear(1, 1)
        >>> unwrapped(nn.DataParallel(inner)) is inner
        True
    """
    # Wrappers may be nested: a compiled model inside a data-parallel one.
    while True:
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model


def model_attribute(model: nn.Module | None, name: str, kind: Any) -> Any:
    """An attribute by which a model describes itself, such as `layout`; none where it has none of this type.

    Args:
        model: any; none has no attributes.
        name: of the attribute.
        kind: the type that the attribute must have.

    Example:
        >>> model_attribute(nn.Linear(2, 1), "in_features", int), model_attribute(nn.Linear(2, 1), "in_features", str)
        (2, None)
    """
    # A foreign model may use the same name for something else: nn.Module stores any submodule as an attribute.
    value = getattr(model, name, None)
    return value if isinstance(value, kind) else None


def takes(model: nn.Module, name: str) -> bool:
    """Whether the model's forward has a parameter of this name.

    Example:
        >>> takes(nn.Linear(1, 1), "input"), takes(nn.Linear(1, 1), "valid")
        (True, False)
    """
    return name in inspect.signature(model.forward).parameters


def first_tensor(output: Any, source: str) -> Tensor:
    """The output itself where it is a tensor, or the first tensor of a tuple or list.

    Args:
        output: of a model or a layer.
        source: what returned it, for the message.

    Raises:
        InputError: where there is no tensor of floating type.
    """
    tensor = output
    if isinstance(output, tuple | list):
        tensor = next((item for item in output if isinstance(item, Tensor)), None)
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
        got = str(tensor.dtype) if isinstance(tensor, Tensor) else type(output).__name__
        raise InputError(f"{source} returned {got}; expected a floating tensor, or a tuple that holds one.")
    return tensor


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
