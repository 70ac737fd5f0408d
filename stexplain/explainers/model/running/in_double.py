"""Tensors that a model makes as it runs are of double precision, in one thread."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class InDouble(TorchFunctionMode):
    """What is of torch's default type in this thread, and comes from no tensor of that type, is of float64.

    A model in float64 may make tensors as it runs: of zeros, of a mask, of a division of whole numbers. They are of the
    default type, which `torch.set_default_dtype` sets for all threads at once: a training beside this one would go on
    in float64. A mode holds for one thread.

    Example:
        >>> with InDouble():
        ...     [x.dtype for x in (torch.zeros(2), torch.arange(3) / 2, torch.ones(2, dtype=torch.float16))]
        [torch.float64, torch.float64, torch.float16]
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        default = torch.get_default_dtype()
        if not isinstance(out, Tensor) or out.dtype != default or kwargs.get("out") is not None:
            return out
        if any(one.dtype == default for one in _tensors((*args, *kwargs.values()))):
            return out
        # A tensor that the caller differentiates by stays one that has no history.
        return out.detach().double().requires_grad_(out.requires_grad) if out.is_leaf else out.double()


def _tensors(values: Iterable[Any]) -> Iterable[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
