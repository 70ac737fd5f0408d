"""Everything that a model holds in its attributes, however deep, and what changed there."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import is_
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# A model may hold a whole training session, such as a trainer with its data: the walk ends after so many values.
_LIMIT = 20_000
# By exact type, which is fast: most values of a module's attributes are of these and hold nothing.
_ATOMS = frozenset(
    {
        *(int, float, complex, bool, str, bytes, range, slice, type, type(None), type(...)),
        *(FunctionType, BuiltinFunctionType, ModuleType, np.ndarray),
        *(torch.dtype, torch.device, torch.Size, torch.Generator),
    }
)
# Hooks are put on modules around a forward pass, by explainers and others, and must not be taken for its changes.
_HOOKS = frozenset(name for name in vars(nn.Module()) if "hook" in name and isinstance(vars(nn.Module())[name], dict))
# Objects of these packages are never changed by what a model does with its attributes, or are caches of ours.
_CLOSED = frozenset({"torch", "numpy", "scipy", "pandas", "networkx", "stexplain", "threading", "logging", "weakref"})
_ABSENT = object()


class Container:
    """A dict, list, set or deque of the model, and a shallow copy of it.

    Args:
        holder: the container itself; of an object, its `__dict__`.
        owner: the object.
    """

    def __init__(self, holder: Any, owner: Any = None):
        self.holder, self.owner = holder, owner
        self.before: Any = dict(holder) if isinstance(holder, dict) else list(holder)

    @property
    def is_still_there(self) -> bool:
        """Whether it is as before, and its object has no other `__dict__`."""
        return (self.owner is None or vars(self.owner) is self.holder) and self.is_as_before

    @property
    def is_as_before(self) -> bool:
        """Whether it holds the same objects, by identity: tensors have no truth value to compare by."""
        holder, before = self.holder, self.before
        if len(holder) != len(before):
            return False
        if isinstance(holder, dict):
            # A dict whose keys moved counts as changed, and then has no key that differs.
            return all(map(is_, holder, before)) and all(map(is_, holder.values(), before.values()))
        return all(map(is_, holder, before))

    def undo_of_changes(self) -> list[Callable[[], None]]:
        """What puts it back, change by change."""
        if self.is_as_before:
            return []
        if not isinstance(self.holder, dict):
            return [self._refill]
        # Key by key: other keys may rightly change between this pass and its undoing.
        names = [*self.before, *(name for name in self.holder if name not in self.before)]
        return [
            lambda name=name, value=value: self._put(name, value)  # type: ignore[misc]  # mypy infers no lambda with defaults
            for name in names
            if (value := self.before.get(name, _ABSENT)) is not self.holder.get(name, _ABSENT)
        ]

    def new_values(self) -> Iterator[tuple[str, Any]]:
        """What it holds and did not hold before, with its key or place."""
        if self.is_as_before:
            return
        known = {id(value) for value in (self.before.values() if isinstance(self.before, dict) else self.before)}
        items = self.holder.items() if isinstance(self.holder, dict) else enumerate(self.holder)
        yield from ((str(name), value) for name, value in items if id(value) not in known)

    def _put(self, name: Any, value: Any) -> None:
        if value is _ABSENT:
            self.holder.pop(name, None)
        else:
            self.holder[name] = value

    def _refill(self) -> None:
        self.holder.clear()
        # Sets take elements by `update`, lists and deques by `extend`.
        (self.holder.update if isinstance(self.holder, set) else self.holder.extend)(self.before)


@dataclass(frozen=True)
class Kept:
    """A tensor of the model, and what tells whether it was written into.

    Attributes:
        tensor: the tensor itself.
        alias: of the same memory, which stays where another is put into the tensor, by `tensor.data = ...`.
        version: counts the writes, but for those by way of `tensor.data`; none where torch does not count.
        clone: the values, where they were kept.
        pointer: where the memory began.
    """

    tensor: Tensor
    alias: Tensor
    version: int | None
    clone: Tensor | None
    pointer: int | None

    @property
    def is_as_before(self) -> bool:
        """Whether it has the same memory, into which nothing was written."""
        return not self.was_written and _pointer(self.tensor) == self.pointer

    @property
    def was_written(self) -> bool:
        """Whether something wrote into the tensor's memory."""
        if self.clone is not None and not is_alike(self.alias, self.clone):
            return True
        return self.version != version_of(self.tensor)

    def undo_of_change(self) -> Callable[[], None] | None:
        """What puts memory and values back; none where both are as before."""
        replaced = _pointer(self.tensor) != self.pointer
        written = self.clone is not None and not is_alike(self.alias, self.clone)
        return (lambda: self._put_back(replaced, written)) if replaced or written else None

    def _put_back(self, replaced: bool, written: bool) -> None:
        # Writing into a tensor of inference mode is allowed in inference mode alone.
        with torch.no_grad(), torch.inference_mode(self.tensor.is_inference()):
            if replaced:
                self.tensor.data = self.alias
            if written and self.clone is not None:
                self.alias.copy_(self.clone)


def kept_tensor(tensor: Tensor, *, clone: bool) -> Kept:
    """A tensor as it is now, with its values where `clone` says so."""
    alias = tensor.detach()
    return Kept(tensor, alias, version_of(tensor), alias.clone() if clone else None, _pointer(alias))


def attributes_of(model: nn.Module) -> tuple[list[Container], list[Tensor]]:
    """The containers and tensors that a model holds in its attributes, each once, the model's own first.

    Args:
        model: its modules, and other objects that it holds, are walked through by their `__dict__`; no property and no
            method is called.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> model.history = [torch.zeros(3)]
        >>> len(attributes_of(model)[1])
        3
    """
    containers: list[Container] = []
    tensors: list[Tensor] = []
    visited: set[int] = set()
    waiting: deque[Any] = deque([model])
    while waiting and len(visited) < _LIMIT:
        value = waiting.popleft()
        if type(value) in _ATOMS or id(value) in visited:
            continue
        visited.add(id(value))
        if isinstance(value, Tensor):
            tensors.append(value)
        elif isinstance(value, dict):
            containers.append(Container(value))
            waiting.extend(value.values())
        elif isinstance(value, list | set | deque):
            containers.append(Container(value))
            waiting.extend(value)
        elif isinstance(value, tuple | frozenset):
            waiting.extend(value)
        elif isinstance(value, nn.Module):
            containers.append(Container(vars(value), value))
            waiting.extend(item for name, item in vars(value).items() if name not in _HOOKS)
        elif _is_open(value) and id(vars(value)) not in visited:
            visited.add(id(vars(value)))
            containers.append(Container(vars(value), value))
            waiting.extend(vars(value).values())
    return containers, tensors


def is_alike(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same values, NaN where the other has NaN; true where that cannot be determined.

    Example:
        >>> is_alike(torch.tensor([1.0, torch.nan]), torch.tensor([1.0, torch.nan]))
        True
    """
    # Sparse and quantised tensors, and those without memory, cannot be compared entry by entry: their version tells.
    if one.layout != torch.strided or one.is_quantized or one.is_meta:
        return True
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return torch.equal(one, other) or bool(((one == other) | ((one != one) & (other != other))).all())


def _is_open(value: Any) -> bool:
    """Whether an object's attributes are walked through."""
    if isinstance(value, type) or not isinstance(getattr(value, "__dict__", None), dict):
        return False
    return type(value).__module__.split(".")[0] not in _CLOSED


def version_of(tensor: Tensor) -> int | None:
    """How often something wrote into a tensor; none for those of inference mode, which do not count it."""
    return None if tensor.is_inference() else tensor._version


def _pointer(tensor: Tensor) -> int | None:
    """Where the tensor's memory begins; none where it has no single memory, such as a sparse one."""
    return tensor.data_ptr() if tensor.layout == torch.strided and not tensor.is_meta else None
