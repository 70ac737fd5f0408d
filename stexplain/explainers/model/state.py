"""Whatever touches a model: finds its parts, holds it still, and leaves it as it was."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from stexplain.cards import Recipe
from stexplain.data.samples import Batch
from stexplain.errors import InputError, unknown


def unwrapped(model: nn.Module) -> nn.Module:
    """The module inside `torch.compile` and data-parallel wrappers: their submodules do not call our hooks.

    Example:
        >>> inner = nn.Linear(1, 1)
        >>> unwrapped(nn.DataParallel(inner)) is inner
        True
    """
    while True:
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model


def find_layer(model: nn.Module, layer: "str | nn.Module | None") -> tuple[str, nn.Module]:
    """A layer of the model and its name.

    Args:
        model: where to look.
        layer: its name as `named_modules` gives it, or the module itself; none: the last of `model.blocks`.

    Raises:
        InputError: where there is no such layer, with the nearest name.

    Example:
        >>> find_layer(nn.Sequential(nn.Linear(1, 1), nn.ReLU()), "1")
        ('1', ReLU())
    """
    names = {name: module for name, module in model.named_modules() if name}
    if layer is None:
        blocks = getattr(model, "blocks", None)
        if not isinstance(blocks, nn.ModuleList | nn.Sequential) or not len(blocks):
            raise InputError(
                f"{type(model).__name__} has no `blocks` whose last could be the default. Give `layer`, such as one "
                f"of {', '.join(repr(name) for name in list(names)[-5:]) or 'its own (it has none)'}."
            )
        layer = blocks[-1]
    if isinstance(layer, nn.Module):
        for name, module in names.items():
            if module is layer:
                return name, module
        raise InputError(f"the layer {type(layer).__name__} is no part of this {type(model).__name__}. Give its name.")
    if layer not in names:
        raise unknown("layer", layer, names)
    return layer, names[layer]


def takes(model: nn.Module, name: str) -> bool:
    """Whether the model's forward has a parameter of this name.

    Example:
        >>> takes(nn.Linear(1, 1), "input"), takes(nn.Linear(1, 1), "valid")
        (True, False)
    """
    return name in inspect.signature(model.forward).parameters


def apply_recipe(model: nn.Module | None, batch: Batch) -> Batch:
    """The batch as the model's recipe samples it, where the batch is as recorded; else the batch itself.

    Args:
        model: whose `recipe` says what it was trained on, where it has one.
        batch: of a dataset, or one's own, which is never changed.

    Raises:
        InputError: where the batch was sampled by a recipe that differs from the model's, or is as recorded and came
            from another process without its dataset.
    """
    recipe = getattr(model, "recipe", None)
    if batch.sampling is None or not isinstance(recipe, Recipe):
        return batch
    sampling = batch.sampling
    if recipe.frames is None:
        raise InputError(
            f"clips came, of {batch.x.shape[3]} nodes, and {type(model).__name__} was trained on windows of a series. "
            "Give it those: load_dataset of a series' card."
        )
    if sampling.recipe is None and sampling.resample is not None:
        return sampling.resample(recipe)
    differ = ["as recorded"]
    if sampling.recipe is not None:
        differ = [
            f"{name} {getattr(sampling.recipe, name)!r} instead of {getattr(recipe, name)!r}"
            for name in ("frames", "sampling", "center")
            if getattr(sampling.recipe, name) != getattr(recipe, name)
        ]
    if differ:
        raise InputError(
            f"the samples are not sampled as those that the model was trained on: {', '.join(differ)}. "
            "Give load_dataset(..., recipe=model.recipe), or clips.with_recipe(model.recipe)."
        )
    return batch


def device_and_dtype(model: nn.Module, otherwise: torch.dtype = torch.float32) -> tuple[torch.device, torch.dtype]:
    """The device and the floating type in which a model computes.

    Raises:
        InputError: for half precision, in which gradients of late layers vanish.
    """
    device, kind = torch.device("cpu"), otherwise
    for parameter in model.parameters():
        if parameter.is_floating_point():
            device, kind = parameter.device, parameter.dtype
            break
    if kind not in (torch.float32, torch.float64):
        raise InputError(
            f"the model computes in {str(kind).removeprefix('torch.')}, below whose range gradients fall. "
            "Explain it in float32: model.float()."
        )
    return device, kind


@contextmanager
def frozen_eval(model: nn.Module) -> Iterator[None]:
    """Holds a model still: eval mode, parameters frozen.

    With parameters frozen, nothing before a captured tensor builds a graph, and nothing after it keeps what only
    parameters' gradients need. Every module's mode and every `requires_grad` is as before afterwards, also on error.
    `.grad` is never written, as gradients are taken by `torch.autograd.grad`.

    Example:
        >>> model = nn.Dropout().train()
        >>> with frozen_eval(model):
        ...     model.training
        False
        >>> model.training
        True
    """
    modes = [(module, module.training) for module in model.modules()]
    frozen = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        for module, _ in modes:
            # Not model.eval(): a model may override it and do what cannot be undone.
            module.training = False
        for parameter in frozen:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter in frozen:
            parameter.requires_grad_(True)


@contextmanager
def differentiable(device: torch.device) -> Iterator[None]:
    """Gradients on, and inference mode and autocast off, whatever is set around: gradients of late layers are small.

    Example:
        >>> with torch.no_grad(), differentiable(torch.device("cpu")):
        ...     torch.is_grad_enabled()
        True
    """
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device.type, enabled=False):
        yield


def first_tensor(output: Any, what: str) -> Tensor:
    """The tensor, or the first of a tuple or list.

    Raises:
        InputError: where there is none of floating type.
    """
    found = output
    if isinstance(output, tuple | list):
        found = next((item for item in output if isinstance(item, Tensor)), None)
    if not isinstance(found, Tensor) or not found.is_floating_point():
        came = str(found.dtype) if isinstance(found, Tensor) else type(output).__name__
        raise InputError(f"{what} gave {came}; wanted a floating tensor, or a tuple that holds one.")
    return found
