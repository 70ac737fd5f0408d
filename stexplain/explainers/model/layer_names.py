"""Names of layers and of the tensors that they return: ``"encoder"``, ``"encoder[1]"``, ``"encoder['hidden']"``."""

import ast
import re
from functools import partial
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from stexplain.errors import InputError, unknown
from stexplain.explainers.outputs.nested import Path, mapped, tensors_in
from stexplain.wording import an

_WRAPPERS = {"module", "_orig_mod"}
"""Parts of names that `DataParallel` and `torch.compile` put in."""


def split_name(name: str) -> tuple[str, Path]:
    """The name of the module, and the keys that lead to one of the tensors that it returns.

    Raises:
        InputError: where what stands in brackets is no number and no text in quotes.

    Example:
        >>> split_name("encoder.0"), split_name("encoder['hidden'][1]")
        (('encoder.0', ()), ('encoder', ('hidden', 1)))
    """
    module, *keys = re.split(r"\[|\]\[|\]$", name) if name.endswith("]") else [name]
    try:
        return module, tuple(ast.literal_eval(key) for key in keys if key)
    except (ValueError, SyntaxError):
        raise InputError(
            f"layer {name!r}: got {name.removeprefix(module)}; expected a number or a text in quotes in brackets, "
            "such as encoder[1] or encoder['hidden']."
        ) from None


def floating_tensors(output: Any) -> dict[Path, Tensor]:
    """The tensors of floating type that a layer returned, by the keys that lead to them.

    A packed sequence has none: where its entries belong depends on the lengths of its sequences. Nor have functions
    under `torch.vmap` and `torch.func.grad`, whose tensors are no more than parts of one and may not leave them.
    """
    if isinstance(output, PackedSequence):
        return {}
    found = tensors_in(output)
    packed = [path for path, _ in found.items() if path and path[-1] == "data" and (*path[:-1], "batch_sizes") in found]
    return {
        path: tensor
        for path, tensor in found.items()
        if tensor.is_floating_point()
        and path not in packed
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    }


def gives_packed_sequence(output: Any) -> bool:
    """Whether what a layer returned is a packed sequence, or begins with one, as that of a recurrent layer does."""
    first = output[0] if isinstance(output, tuple) and output else output
    return isinstance(output, PackedSequence) or isinstance(first, PackedSequence)


def packed_sequence(name: str) -> InputError:
    """The error for a layer that returns a packed sequence."""
    return InputError(
        f"layer {name!r} returned a packed sequence, whose steps have no axes of samples and frames. Explain the "
        "input, or a layer after pad_packed_sequence."
    )


def check_captured(name: str, module: nn.Module) -> None:
    """Refuses a layer whose output no hook sees.

    Raises:
        InputError: for a scripted or traced module.
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise InputError(
            f"layer {name!r} is scripted or traced: one layer calls the next without Python, so its output cannot "
            "be captured. Explain the original module, or the input, such as by IntegratedGradients."
        )


def name_of(module: str, path: Path) -> str:
    """The name of one of the tensors that a module returns.

    Example:
        >>> name_of("encoder", ("hidden", 1))
        "encoder['hidden'][1]"
    """
    return module + "".join(f"[{key!r}]" for key in path)


def named_tensor(output: Any, name: str) -> tuple[Path, Tensor]:
    """The tensor that a layer's name means among what the layer returned: the first, or the one in brackets.

    Args:
        output: of the layer.
        name: of the layer, with keys in brackets or without.

    Raises:
        InputError: where there is no such tensor of floating type.

    Example:
        >>> import torch
        >>> named_tensor((torch.zeros(2), {"hidden": torch.zeros(3)}), "encoder[1]['hidden']")
        ((1, 'hidden'), tensor([0., 0., 0.]))
    """
    module, keys = split_name(name)
    if not keys and gives_packed_sequence(output):
        raise packed_sequence(name)
    found = floating_tensors(output)
    # The first one below the keys: encoder[1] of (y, (h, c)) means h.
    for path, tensor in found.items():
        if path[: len(keys)] == keys:
            return path, tensor
    if not found:
        got = str(output.dtype) if isinstance(output, Tensor) else type(output).__name__
        raise InputError(f"layer {name!r} returned {got}; expected a floating tensor, or a tuple that holds one.")
    raise unknown("layer", name, [name_of(module, path) for path in found])


def with_tensor(output: Any, path: Path, tensor: Tensor) -> Any:
    """What a layer returned, with another tensor in one place.

    Args:
        output: of the layer.
        path: the keys that lead to the place.
        tensor: that takes it.

    Example:
        >>> import torch
        >>> with_tensor((torch.zeros(1), torch.zeros(1)), (1,), torch.ones(1))
        (tensor([0.]), tensor([1.]))
    """
    return mapped(output, lambda place, other: tensor if place == path else other)


def find_layer(model: nn.Module, layer: "str | nn.Module") -> tuple[str, nn.Module]:
    """A layer of the model and its name.

    Args:
        model: where to look.
        layer: its name as `named_modules` gives it, also inside wrappers, with keys in brackets or without; or the
            module itself. A module that is used in several places has several names.

    Raises:
        InputError: where there is no such layer, with the nearest name.

    Example:
        >>> find_layer(nn.Sequential(nn.Linear(1, 1), nn.ReLU()), "1")
        ('1', ReLU())
        >>> find_layer(nn.Sequential(nn.LSTM(1, 1)), "module.0[1]")
        ('0[1]', LSTM(1, 1))
    """
    # The model itself has the empty name, and is no layer of itself.
    modules = {name: module for name, module in model.named_modules(remove_duplicate=False) if name}
    if isinstance(layer, nn.Module):
        inner = getattr(layer, "_orig_mod", layer)
        # By identity: modules compare by identity only, and a shared module is found by its first name.
        for name, module in modules.items():
            if module is layer or module is inner:
                return name, module
        raise InputError(f"layer {type(layer).__name__} is not part of this {type(model).__name__}. Give its name.")
    if not isinstance(layer, str):
        raise InputError(f"layer: got {an(type(layer).__name__)}; expected the name of a layer, or the module.")
    requested, keys = split_name(layer)
    if requested in modules:
        return name_of(requested, keys), modules[requested]
    # The innermost of the modules that differ in wrappers alone; a name of wrappers alone, or none, means no layer.
    plain = {_unwrapped(name): name for name in modules}
    if (name := plain.get(_unwrapped(requested), "")) and _unwrapped(name):
        return name_of(name, keys), modules[name]
    if isinstance(function := _attribute(model, requested), FunctionType | partial):
        raise InputError(
            f"layer {requested!r} is a {type(function).__name__} of this {type(model).__name__} and no module, so its "
            "output cannot be watched. Make it a module of the model; modules that it closes over, too."
        )
    raise unknown("layer", requested, modules)


def _attribute(model: nn.Module, name: str) -> Any:
    """What a dotted name leads to, with numbers as places in lists; none where there is nothing."""
    found: Any = model
    for part in name.split("."):
        if isinstance(found, list | tuple) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            found = getattr(found, part, None)
    return found


def last_block(model: nn.Module) -> nn.Module | None:
    """The last of `model.blocks`, by which this package's networks and ST-GCN-like models list their blocks."""
    blocks = getattr(model, "blocks", None)
    return blocks[-1] if isinstance(blocks, nn.ModuleList | nn.Sequential) and len(blocks) else None


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)
