"""Reads a model without changing it: its attributes, device and floating type."""

import inspect
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from stexplain.errors import InputError
from stexplain.explainers.outputs.precision import HALF
from stexplain.wording import an


def unwrapped(model: nn.Module) -> nn.Module:
    """The module inside `torch.compile` and data-parallel wrappers, whose submodules do not call our hooks.

    A class that derives from a wrapper may compute something else, and is a model like any other.

    Example:
        >>> inner = nn.Linear(1, 1)
        >>> unwrapped(nn.DataParallel(inner)) is inner
        True
    """
    # Wrappers may be nested: a compiled model inside a data-parallel one.
    while (inside := _inside(model)) is not None:
        model = inside[1]
    return model


def _inside(model: nn.Module) -> tuple[str, nn.Module] | None:
    """What a wrapper of torch's holds, and under which name; none where it is no wrapper."""
    name = ""
    if type(model) in (nn.DataParallel, nn.parallel.DistributedDataParallel):
        name = "module"
    elif type(model).__module__.startswith("torch._dynamo"):
        name = "_orig_mod"
    inner = getattr(model, name) if name else None
    return (name, inner) if isinstance(inner, nn.Module) else None


def checked_model(model: object) -> nn.Module:
    """The model, out of its wrappers; see `unwrapped`.

    Raises:
        InputError: where it is no module, with how to make one of a function or of a model of another library; or where
            a wrapper has hooks, which the model inside would be called without.

    Example:
        >>> checked_model(nn.Linear)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: model: got the class Linear; expected an instance of it. Give Linear(...).
    """
    if isinstance(model, nn.Module):
        while (inside := _inside(model)) is not None:
            if model._forward_hooks or model._forward_pre_hooks:
                raise InputError(
                    f"model: got {an(type(model).__name__)} with hooks, which may change what it computes; "
                    "expected them "
                    f"on the model inside, which is what runs. Register them on model.{inside[0]}, and give that."
                )
            model = inside[1]
        if isinstance(model, nn.DataParallel) and len(model.device_ids) > 1:
            raise InputError(
                f"model: got {an(type(model).__name__)} over {len(model.device_ids)} devices, whose parts run side by "
                "side; expected a model on one device, such as a copy made with device_ids=[0]."
            )
        return model
    if isinstance(model, type):
        raise InputError(
            f"model: got the class {model.__name__}; expected an instance of it. Give {model.__name__}(...)."
        )
    called = next((f".{name}" for name in ("predict_proba", "predict") if hasattr(model, name)), "")
    remedy = "Give the model itself."
    if isinstance(model, partial) and isinstance(model.func, nn.Module):
        remedy = "Give the module that it calls, and what it adds by shared={name: value}."
    elif isinstance(getattr(model, "__self__", None), nn.Module):
        remedy = "Give the module whose method it is."
    # Explainers and trainers of other packages hold it.
    elif isinstance(getattr(model, "model", None), nn.Module):
        remedy = "Give the module that it holds, its .model."
    elif called or callable(model):
        of_torch = "" if called else "model(x), or of another library "
        remedy = (
            f"Write one around it: forward(self, x) returns {of_torch}torch.as_tensor(model{called}"
            "(x.flatten(1).numpy())), say. Occlusion and ShapleyValueSampling explain models without gradients."
        )
    kind = type(model).__name__
    raise InputError(f"model: got a{'n' * (kind[0] in 'AEIOaeio')} {kind}; expected a torch.nn.Module. {remedy}")


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


def device_and_dtype(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    """The device of a model's first floating parameter, and the floating type of what goes into the model.

    Of a model without floating parameters, that of its floating buffers. Float32 where there are none of either, or
    none but in half precision, which is computed in float32.
    Without any, it is taken to be where its first buffer is, else on the CPU.

    Example:
        >>> device_and_dtype(nn.Linear(1, 1).double())
        (device(type='cpu'), torch.float64)
        >>> device_and_dtype(nn.Sequential(nn.Linear(1, 1).half(), nn.Linear(1, 1)))
        (device(type='cpu'), torch.float32)
        >>> device_and_dtype(nn.BatchNorm1d(2, affine=False).double())
        (device(type='cpu'), torch.float64)
    """
    floating: list[Tensor] = [parameter for parameter in model.parameters() if parameter.is_floating_point()]
    first = next((tensor for tensor in [*floating, *model.buffers()]), None)
    held = floating or [buffer for buffer in model.buffers() if buffer.is_floating_point()]
    # Parts in half precision are entered by what the model casts itself.
    dtype = next((tensor.dtype for tensor in held if tensor.dtype not in HALF), torch.float32)
    return torch.device("cpu") if first is None else first.device, dtype


def is_quantised(model: nn.Module) -> bool:
    """Whether any layer of the model computes in integers, or rounds as if it did.

    Example:
        >>> is_quantised(nn.Linear(2, 1))
        False
    """
    homes = {type(module).__module__ for module in model.modules()}
    return any(".quantized" in home or ".fake_quantize" in home for home in homes)
