"""Freezing a model for the length of a block, and turning gradients on for it."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy


@dataclass
class _Held:
    """A module or parameter that open blocks hold, with its mode or `requires_grad` as before the first of them."""

    item: Any
    before: bool
    blocks: int = 0


# By id; what is held is kept alive here, so an id stays its own. For all models: blocks of a model and of a part of it
# may be open at once.
_HELD: dict[int, _Held] = {}
_HELD_LOCK = threading.Lock()


def _forked() -> None:
    """In a forked process nobody is left who would release what another thread held."""
    global _HELD_LOCK
    _HELD_LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@contextmanager
def frozen_eval(model: nn.Module) -> Iterator[None]:
    """Keeps a model in eval mode, with frozen parameters, for the length of the block.

    With parameters frozen, nothing before a captured tensor builds a graph, and nothing after it keeps what only the
    parameters' gradients need. Afterwards every module's mode and every `requires_grad` is as before, also on error.
    Blocks may be nested, and may overlap, in one thread or several: the model is as before when the last one ends.
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
    # Not by model.eval(): a model may override it and do what cannot be undone.
    saved: list[tuple[Any, str]] = []
    try:
        for module in model.modules():
            # A module of `torch.jit.freeze` has no mode any more: it is as it was in eval mode.
            if hasattr(module, "training"):
                _hold(module, "training", saved)
        for parameter in model.parameters():
            _hold(parameter, "requires_grad", saved)
        yield
    finally:
        for item, attribute in saved:
            _release(item, attribute)


def _hold(item: Any, attribute: str, saved: list[tuple[Any, str]]) -> None:
    """Sets the attribute of an item to False, and enters it into `saved`."""
    with _HELD_LOCK:
        entry = _HELD.setdefault(id(item), _Held(item, getattr(item, attribute)))
        entry.blocks += 1
        saved.append((item, attribute))
        # Also within another block, in which someone may have set it to True.
        if getattr(item, attribute):
            setattr(item, attribute, False)


def _release(item: Any, attribute: str) -> None:
    """The attribute of an item as before the first block, where no other block holds it."""
    with _HELD_LOCK:
        entry = _HELD[id(item)]
        entry.blocks -= 1
        if not entry.blocks:
            del _HELD[id(item)]
            if getattr(item, attribute) != entry.before:
                # A parameter of inference mode can only be given a gradient there.
                with torch.inference_mode(isinstance(item, Tensor) and not is_lazy(item) and item.is_inference()):
                    setattr(item, attribute, entry.before)


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
