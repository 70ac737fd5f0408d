"""Names of the tensors that a model holds or is given: parameters, buffers, plain attributes, arguments."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

Kind = Literal["parameter", "buffer", "attribute", "argument", "computed"]
_DEPTH = 3  # of lists in lists: relations of layers of blocks


class TensorName(NamedTuple):
    """What a tensor is called, and where it comes from."""

    name: str
    kind: Kind


class TensorNames:
    """Finds the names of tensors, and of views of them, by their memory.

    Args:
        model: whose parameters, buffers, and tensors in plain attributes, also in lists and dicts, are known.

    Example:
        >>> model = nn.Linear(3, 3)
        >>> model.supports = [torch.eye(3), torch.zeros(2, 3, 3)]
        >>> names = TensorNames(model)
        >>> names.of(model.weight.T).name, names.of(model.supports[1][1])
        ('weight', TensorName(name='supports[1][1]', kind='attribute'))
        >>> names.of(torch.eye(3)) is None
        True
    """

    def __init__(self, model: nn.Module):
        self._known: dict[int, tuple[TensorName, Tensor]] = {}
        for name, parameter in model.named_parameters():
            self._add(parameter, TensorName(name, "parameter"))
        for name, buffer in model.named_buffers():
            self._add(buffer, TensorName(name, "buffer"))
        for path, module in model.named_modules():
            prefix = f"{path}." if path else ""
            for name, value in vars(module).items():
                # Parameters, buffers and submodules are in dictionaries of these names.
                if not name.startswith("_"):
                    for place, tensor in tensors_in(value, prefix + name):
                        self._add(tensor, TensorName(place, "attribute"))

    def add_arguments(self, arguments: Mapping[str, Any]) -> None:
        """Further tensors: those that the model is called with, by the name of the argument."""
        for name, value in arguments.items():
            for place, tensor in tensors_in(value, name):
                self._add(tensor, TensorName(place, "argument"))

    def of(self, tensor: Tensor) -> TensorName | None:
        """The name of a tensor or of what it is a view of, as far as it is a part of it by its first index."""
        found = self._known.get(_memory(tensor))
        if found is None:
            return None
        name, whole = found
        if tensor.layout != torch.strided or whole.layout != torch.strided or tensor.numel() == whole.numel():
            return name
        # A slice along the first axis, such as one relation of a stack [K, N, N].
        offset = tensor.storage_offset() - whole.storage_offset()
        # Neither is empty: an empty tensor is known by itself alone.
        parts, rest = divmod(whole.numel(), tensor.numel())
        if whole.ndim and not rest and parts == whole.shape[0] and offset % tensor.numel() == 0:
            return TensorName(f"{name.name}[{offset // tensor.numel()}]", name.kind)
        return name

    def _add(self, tensor: Tensor, name: TensorName) -> None:
        # The first name wins: a parameter may also be kept in a list.
        self._known.setdefault(_memory(tensor), (name, tensor))


def tensors_in(value: Any, name: str, depth: int = _DEPTH) -> Iterator[tuple[str, Tensor]]:
    """The tensors in a tensor, list, tuple or dict, with their places in it."""
    if isinstance(value, Tensor):
        yield name, value
    elif depth and isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from tensors_in(item, f"{name}[{index}]", depth - 1)
    elif depth and isinstance(value, dict):
        for key, item in value.items():
            yield from tensors_in(item, f"{name}[{key!r}]", depth - 1)


def _memory(tensor: Tensor) -> int:
    """A number that views of one tensor share."""
    if tensor.layout == torch.sparse_coo:
        tensor = tensor._values()
    elif tensor.layout != torch.strided:
        tensor = tensor.values()
    return tensor.untyped_storage().data_ptr() if tensor.numel() else id(tensor)
