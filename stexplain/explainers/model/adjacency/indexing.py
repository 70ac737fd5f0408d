"""Gathers and scatters in the many ways to write them: `x[:, index]`, `index_select`, `scatter_add`, `index_add`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stexplain.explainers.model.adjacency.events import Gather

ScatterArguments = tuple[int, Tensor, Tensor, Callable[[Tensor], tuple[Any, dict[str, Any]]], str]
"""Axis, target of each message, messages, the call's arguments with other messages, and why it is no sum."""


def gather_of(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Gather | None:
    """A call that picks rows along one axis by a list of indices; none where it is another.

    Example:
        >>> gather_of("__getitem__", (torch.zeros(2, 5, 3), (slice(None), torch.tensor([4, 0]))), {}).axis
        1
    """
    try:
        if name == "index_select":
            return _gather(*_bound(("input", "dim", "index"), args, kwargs))
        if name in ("gather", "take_along_dim"):
            order = ("input", "dim", "index") if name == "gather" else ("input", "indices", "dim")
            operand, *rest = _bound(order, args, kwargs)
            axis, index = rest if name == "gather" else reversed(rest)
            return _gather(operand, axis, _one_index(index, int(axis) % operand.ndim))
        if name == "__getitem__" and isinstance(args[0], Tensor):
            return _picked(args[0], args[1])
    except (TypeError, ValueError, IndexError, KeyError, AttributeError):
        # Of another form: it is run as it is, and its result is not followed.
        return None
    return None


def is_scatter(name: str) -> bool:
    """Whether a function of this name sums, or reduces, messages at their targets."""
    return name.rstrip("_") in ("index_add", "scatter_add", "scatter_reduce", "index_put", "index_reduce")


def scatter_arguments(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> ScatterArguments | None:
    """The parts of a scatter; none where it is of a form that is not known."""
    try:
        plain = name.rstrip("_")
        if plain == "index_put":
            return _index_put(args, kwargs)
        names = {"scatter_add": ("input", "dim", "index", "src"), "index_add": ("input", "dim", "index", "source")}
        order = names.get(plain, ("input", "dim", "index", "source" if plain == "index_reduce" else "src", "reduce"))
        call = dict(zip(order, args, strict=False)) | {
            ("input" if key == "self" else key): v for key, v in kwargs.items()
        }
        messages, index = call[order[3]], call["index"]
        axis = int(call["dim"]) % call["input"].ndim
        target = _one_index(index, axis)
        if target is None or not isinstance(messages, Tensor) or messages.ndim != call["input"].ndim:
            return None
        reduce = call.get("reduce", "sum")
        # A factor `alpha` of all messages is in the gradient at each.
        why = "" if reduce in ("sum", "mean") else f"the {reduce} of messages is no sum of them"

        def put_back(tracked: Tensor) -> tuple[Any, dict[str, Any]]:
            if len(args) > 3:
                return (*args[:3], tracked, *args[4:]), kwargs
            return tuple(args), {**kwargs, order[3]: tracked}

        return axis, target, messages, put_back, why
    except (TypeError, ValueError, IndexError, KeyError, AttributeError):
        return None


def _bound(names: tuple[str, ...], args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
    call = dict(zip(names, args, strict=False)) | kwargs
    return [call[name] for name in names]


def _gather(operand: Tensor, axis: int, index: Tensor | None) -> Gather | None:
    return None if index is None or index.ndim != 1 else Gather(operand, int(axis) % operand.ndim, index)


def _one_index(index: Tensor, axis: int) -> Tensor | None:
    """The index ``[E]`` that was expanded along all other axes; none where it differs along them."""
    if index.ndim == 1:
        return index
    rows = index.movedim(axis, 0).flatten(1)
    return rows[:, 0] if rows.shape[1] and bool((rows == rows[:, :1]).all()) else None


def _picked(operand: Tensor, index: Any) -> Gather | None:
    """The gather that ``operand[index]`` is, where it has one list of indices among slices."""
    items = list(index) if isinstance(index, tuple) else [index]
    if any(item is None or isinstance(item, bool) for item in items):
        return None
    # By identity: tensors are compared entry by entry.
    place = next((place for place, item in enumerate(items) if item is Ellipsis), None)
    if place is not None:
        items[place : place + 1] = [slice(None)] * (operand.ndim - len(items) + 1)
    # A number picks one index, such as one frame, of its axis.
    for place in reversed([place for place, item in enumerate(items) if isinstance(item, int | np.integer)]):
        operand = operand.select(place, int(items.pop(place)))
    lists = [(place, item) for place, item in enumerate(items) if not isinstance(item, slice)]
    whole = all(item == slice(None) for item in items if isinstance(item, slice))
    if len(lists) != 1 or not whole:
        return None
    axis, item = lists[0]
    picked = torch.as_tensor(item, device=operand.device)
    if picked.dtype in (torch.bool, torch.uint8) or picked.is_floating_point():
        return None
    return _gather(operand, axis, picked)


def _index_put(args: Sequence[Any], kwargs: dict[str, Any]) -> ScatterArguments | None:
    call = dict(zip(("input", "indices", "values", "accumulate"), args, strict=False)) | kwargs
    operand, indices, values = call["input"], call["indices"], call["values"]
    if not call.get("accumulate", False):
        return None
    given = [(axis, index) for axis, index in enumerate(indices) if index is not None]
    if len(given) != 1 or given[0][1].ndim != 1 or values.ndim != operand.ndim:
        return None
    axis, target = given[0]

    def put_back(tracked: Tensor) -> tuple[Any, dict[str, Any]]:
        return (operand, indices, tracked), {"accumulate": True}

    return axis, target, values, put_back, ""
