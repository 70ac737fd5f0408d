"""Values of further arguments, of any kind: brought to the model's type, copied, and cut or repeated by sample."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from stexplain.errors import InputError
from stexplain.wording import an


def mapped(value: Any, change: Callable[[Tensor], Tensor], other: Callable[[Any], Any] = lambda value: value) -> Any:
    """A value with every tensor in it changed, in lists, tuples and dicts too.

    Args:
        value: of any kind; it is not changed.
        change: of a tensor.
        other: of what is neither a tensor nor holds any that can be reached.

    Example:
        >>> mapped({"supports": [torch.ones(1), None]}, lambda tensor: tensor + 1)
        {'supports': [tensor([2.]), None]}
    """
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        # A copy keeps the kind of dict, such as one with default values.
        changed = copy.copy(value)
        changed.update({key: mapped(item, change, other) for key, item in value.items()})
        return changed
    # Those two are tuples whose items are no arguments of their own.
    if isinstance(value, list | tuple) and not isinstance(value, torch.Size | PackedSequence):
        items = [mapped(item, change, other) for item in value]
        # Named tuples take their items one by one.
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return other(value)


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors that `mapped` would change, in its order.

    Example:
        >>> tensors_in({"a": [torch.ones(1)], "b": 2})
        [tensor([1.])]
    """
    tensors: list[Tensor] = []

    def collect(tensor: Tensor) -> Tensor:
        tensors.append(tensor)
        return tensor

    mapped(value, collect)
    return tensors


def to_model(value: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """An argument on the model's device and in its floating type; integers and truth values keep theirs.

    Args:
        value: a tensor, an array, a scipy matrix, a graph of PyG or DGL, or lists, tuples and dicts of them; anything
            else is returned as it is. Sparse tensors stay sparse, scipy's become sparse tensors.
        device: of the model.
        dtype: of the model.

    Example:
        >>> to_model([np.eye(1), 3], torch.device("cpu"), torch.float32)
        [tensor([[1.]]), 3]
    """

    def change(tensor: Tensor) -> Tensor:
        # Detached: nothing is asked about the caller's own graph of gradients.
        return tensor.detach().to(device, dtype if tensor.is_floating_point() else tensor.dtype)

    def other(item: Any) -> Any:
        if isinstance(item, np.ndarray) and item.dtype.kind in "biuf":
            # Copied: an array may be a read-only view of a file.
            return change(torch.tensor(item, device="cpu"))
        if hasattr(item, "tocoo") and hasattr(item, "nnz") and hasattr(item, "shape"):
            return change(_sparse(item))
        if isinstance(item, nn.Module) or not callable(getattr(item, "to", None)):
            return item
        # A graph of PyG or DGL, or what else can move; the caller's own is a copy's source, never changed.
        moved = _with_frames(copied(item).to(device), change)
        return moved.apply(change) if callable(getattr(moved, "apply", None)) else moved

    return mapped(value, change, other)


def copied(value: Any) -> Any:
    """A copy of an argument that a model may change without changing the caller's; gradients flow through it.

    Example:
        >>> support = torch.ones(1)
        >>> copied([support])[0].add_(1), support
        (tensor([2.]), tensor([1.]))
    """
    return mapped(value, Tensor.clone, _copied_object)


def _copied_object(item: Any) -> Any:
    if item is None or isinstance(item, str | bytes | int | float | complex | nn.Module):
        return item
    # A DGL graph has `local_var`, PyG's data `clone`: both cheaper than a deep copy, and they keep gradients.
    if callable(local := getattr(item, "local_var", None)):
        return _with_frames(local(), Tensor.clone)
    if callable(clone := getattr(item, "clone", None)):
        return clone()
    try:
        return copy.deepcopy(item)
    except Exception:
        # What cannot be copied, such as an open file, is the caller's to share.
        return item


def _with_frames(graph: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A DGL graph with the tensors of its nodes and edges changed; anything else as it is."""
    for frame in (getattr(graph, "ndata", {}), getattr(graph, "edata", {})):
        # A dict by kind of node or edge, where there is more than one kind.
        for key, tensors in dict(frame).items():
            frame[key] = mapped(tensors, change)
    return graph


def _sparse(matrix: Any) -> Tensor:
    """A scipy matrix or array as a sparse tensor."""
    entries = matrix.tocoo()
    indices = torch.from_numpy(np.stack([entries.row, entries.col]).astype(np.int64))
    # The check costs little, and torch 2 warns where it is neither requested nor turned off.
    return torch.sparse_coo_tensor(
        indices, torch.tensor(entries.data, device="cpu"), matrix.shape, check_invariants=True, device="cpu"
    ).coalesce()


def further_arguments(
    shared: Mapping[str, Any], per_sample: Mapping[str, Any], samples: int, device: torch.device, dtype: torch.dtype
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The further arguments of a call, in the model's type and checked: those of all samples, and those of each.

    Args:
        shared: see `Explainer.__call__`.
        per_sample: see `Explainer.__call__`.
        samples: B.
        device: of the model.
        dtype: of the model.

    Raises:
        InputError: where one has no entry per sample, or is given as both.
    """
    if both := shared.keys() & per_sample.keys():
        raise InputError(f"{sorted(both)[0]!r} is given by shared= and by per_sample=. Give it by one of them.")
    common = {name: to_model(value, device, dtype) for name, value in shared.items()}
    own = {name: per_sample_value(name, to_model(value, device, dtype), samples) for name, value in per_sample.items()}
    return common, own


def per_sample_value(name: str, value: Any, samples: int) -> Any:
    """An argument that has an entry per sample, checked; a list of numbers becomes a tensor.

    Args:
        name: of the argument.
        value: a tensor ``[B, ...]``, lists, tuples or dicts of them, or a list of B of anything.
        samples: B.

    Raises:
        InputError: naming the argument and its shape.

    Example:
        >>> per_sample_value("day", torch.zeros(3), 2)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: per_sample['day'] has shape (3,); expected 2 entries along its first axis, ...
    """
    if isinstance(value, list | tuple) and value and all(isinstance(item, int | float) for item in value):
        value = torch.as_tensor(value)
    if _has_entries(value, samples) or (isinstance(value, list | tuple) and len(value) == samples):
        return value
    shapes = [str(tuple(tensor.shape)) for tensor in tensors_in(value)]
    got = f"has shape {', '.join(shapes)}" if shapes else f"is {an(type(value).__name__)}"
    raise InputError(
        f"per_sample[{name!r}] {got}; expected {samples} entries along its first axis, one per sample. Arguments that "
        "are the same for all samples go into `shared`."
    )


def rows_of(value: Any, rows: slice, samples: int) -> Any:
    """The entries of some samples of a per-sample argument.

    Example:
        >>> rows_of([torch.arange(2), torch.arange(2)], slice(1, 2), 2)
        [tensor([1]), tensor([1])]
    """
    return mapped(value, lambda tensor: tensor[rows]) if _has_entries(value, samples) else value[rows]


def repeated(value: Any, copies: int, samples: int) -> Any:
    """A per-sample argument for copies of the samples, one whole batch after the other.

    Example:
        >>> repeated(torch.arange(2), 2, 2)
        tensor([0, 1, 0, 1])
    """
    return mapped(value, lambda tensor: along(tensor, copies)) if _has_entries(value, samples) else value * copies


def along(tensor: Tensor, copies: int) -> Tensor:
    """A tensor repeated along its first axis; sparse ones stay sparse.

    Example:
        >>> along(torch.eye(2).to_sparse(), 2).to_dense().shape
        torch.Size([4, 2])
    """
    return torch.cat([tensor] * copies)


def _has_entries(value: Any, samples: int) -> bool:
    """Whether every tensor in it has an entry per sample, and there is one."""
    tensors = tensors_in(value)
    return bool(tensors) and all(tensor.ndim > 0 and len(tensor) == samples for tensor in tensors)
