"""The tensors in what a model returned: itself, or nested in tuples, dicts and objects."""

from collections.abc import Callable, Mapping
from copy import copy
from types import FunctionType, MethodType, ModuleType
from typing import Any

from torch import Tensor, nn

from stexplain.errors import InputError, unknown

Path = tuple[str | int, ...]
"""Where a tensor lies in an output: the keys, indices and attributes that lead to it. Empty: the output itself."""


def tensors_in(output: Any) -> dict[Path, Tensor]:
    """All tensors of an output, by where they lie in it, in their order.

    Example:
        >>> import torch
        >>> list(tensors_in({"logits": torch.zeros(2, 3), "hidden": (torch.zeros(2), None)}))
        [('logits',), ('hidden', 0)]
    """
    found: dict[Path, Tensor] = {}

    def keep(path: Path, tensor: Tensor) -> Tensor:
        found[path] = tensor
        return tensor

    mapped(output, keep)
    return found


def mapped(output: Any, function: Callable[[Path, Tensor], Tensor]) -> Any:
    """An output of the same structure with every tensor replaced; what holds them is copied, never changed.

    Tensors are found in tuples, named tuples, lists, dicts, dataclasses and the attributes of other objects.

    Example:
        >>> import torch
        >>> mapped((torch.ones(2), "kept"), lambda path, tensor: tensor * 2)
        (tensor([2., 2.]), 'kept')
    """
    return _mapped(output, function, (), ())


# What has attributes, but holds no part of an output; text and numbers have none.
_NOT_OPENED = (nn.Module, type, FunctionType, MethodType, ModuleType)


def _mapped(value: Any, function: Callable[[Path, Tensor], Tensor], path: Path, within: tuple[int, ...]) -> Any:
    if isinstance(value, Tensor):
        return function(path, value)
    # An object that holds itself, as a child its parent, is not entered twice.
    if id(value) in within or isinstance(value, _NOT_OPENED):
        return value
    inside = (*within, id(value))
    parts = _parts(value)
    replaced = {key: _mapped(part, function, (*path, key), inside) for key, part in parts.items()}
    changed = {key: part for key, part in replaced.items() if part is not parts[key]}
    return _rebuilt(value, replaced, changed) if changed else value


def _parts(value: Any) -> dict[Any, Any]:
    """What an object holds, by key, index or name."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    if isinstance(value, tuple | list):
        return dict(enumerate(value))
    return dict(vars(value)) if hasattr(value, "__dict__") else {}


def _rebuilt(value: Any, replaced: Mapping[Any, Any], changed: Mapping[Any, Any]) -> Any:
    """A copy of an object that holds something else."""
    if isinstance(value, tuple):
        if hasattr(value, "_make"):
            return value._make(replaced.values())
        # Also torch's own named results, such as those of max and sort, which take one sequence.
        return type(value)(replaced.values())
    other = copy(value)
    if isinstance(value, list):
        other[:] = replaced.values()
        return other
    if isinstance(value, Mapping):
        if not hasattr(other, "__setitem__"):
            return dict(replaced)
        for key, part in changed.items():
            other[key] = part
            # A dict whose entries are attributes, too.
            if key in getattr(other, "__dict__", {}):
                object.__setattr__(other, key, part)
        return other
    for name, part in changed.items():
        # Past a frozen dataclass's own `__setattr__`.
        object.__setattr__(other, name, part)
    return other


def chosen(output: Any, which: "str | int | None" = None) -> tuple[Path, Tensor]:
    """The tensor that targets read, and where it lies.

    Args:
        output: of the model.
        which: a key, an attribute or an index; none: the tensor itself, the first floating one of a tuple or list, or
            of a dict or an object its ``"logits"`` or its only floating one.

    Raises:
        InputError: where there is no such tensor, or several.

    Example:
        >>> import torch
        >>> chosen({"hidden": torch.zeros(2, 8), "logits": torch.zeros(2, 3)})[0]
        ('logits',)
    """
    path: Path = ()
    if which is not None:
        parts = {} if isinstance(output, Tensor) else _parts(output)
        key: str | int = which
        # By its place where its keys are names: of a named tuple, or a dataclass.
        if which not in parts and isinstance(which, int) and -len(parts) <= which < len(parts):
            key = list(parts)[which]
        if key not in parts:
            if not parts:
                raise InputError(f"output: got {which!r}; expected none, as the model returned {_named(output)}.")
            raise unknown("output", str(which), [str(one) for one in parts])
        path, output = (key,), parts[key]
    floating = {(*path, *one): tensor for one, tensor in tensors_in(output).items() if tensor.is_floating_point()}
    if not floating:
        got = str(output.dtype) if isinstance(output, Tensor) else _named(output)
        raise InputError(
            f"the model returned {got}; expected a floating tensor, or a tuple, dict or object that holds one."
        )
    if len(floating) > 1 and not isinstance(output, tuple | list):
        if "logits" in _parts(output) and (*path, "logits") in floating:
            return (*path, "logits"), floating[(*path, "logits")]
        names = ", ".join(repr(one[len(path)]) for one in floating)
        raise InputError(
            f"the model returned {_named(output)} with several tensors, {names}. Say which one is "
            f"meant, such as output={next(iter(floating))[0]!r}, or give a function of what it returned as target."
        )
    return next(iter(floating.items()))


def shapes_of(output: Any) -> str:
    """What a model returned in words, for a message: the shape of a tensor, or the type and the shapes in it.

    Example:
        >>> import torch
        >>> shapes_of(torch.zeros(2, 3)), shapes_of({"logits": torch.zeros(2, 3)})
        ('an output of shape (2, 3)', 'a dict of tensors of shapes (2, 3)')
    """
    if isinstance(output, Tensor):
        return f"an output of shape {tuple(output.shape)}"
    shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors_in(output).values())
    return f"{_named(output)} of tensors of shapes {shapes}"


def _named(output: Any) -> str:
    """What kind of thing it is, with its article: a class of a user's may begin with any letter."""
    kind = type(output)
    if output is None:
        return "None"
    if kind.__module__ != "builtins":
        return f"an object of class {kind.__name__}"
    return f"{'an' if kind.__name__[0] in 'aeiou' else 'a'} {kind.__name__}"
