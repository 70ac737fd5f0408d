"""Freezing a model for the length of a block, and turning gradients on for it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def frozen_eval(model: nn.Module) -> Iterator[None]:
    """Keeps a model in eval mode, with frozen parameters, for the length of the block.

    With parameters frozen, nothing before a captured tensor builds a graph, and nothing after it keeps what only the
    parameters' gradients need. Afterwards every module's mode and every `requires_grad` is as before, also on error.
    `.grad` is never written, as gradients are taken by `torch.autograd.grad`.

    Example:
        >>> model = nn.Dropout().train()
        >>> with frozen_eval(model):
        ...     model.training
        False
        >>> model.training
        True
    """
    # Mode by mode: a model in train mode may hold modules in eval mode, such as frozen batch norms.
    modes = [(module, module.training) for module in model.modules()]
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        for module, _ in modes:
            # Not model.eval(): a model may override it and do what cannot be undone.
            module.training = False
        for parameter in trainable:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter in trainable:
            parameter.requires_grad_(True)


@contextmanager
def differentiable(device: torch.device) -> Iterator[None]:
    """Turns gradients on, and inference mode and autocast off, for the length of the block.

    Autocast is off because the gradients of late layers are small, below the range of half precision.

    Example:
        >>> with torch.no_grad(), differentiable(torch.device("cpu")):
        ...     torch.is_grad_enabled()
        True
    """
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device.type, enabled=False):
        yield
