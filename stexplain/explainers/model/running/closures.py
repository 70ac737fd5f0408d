"""Functions among a model's attributes that close over its own modules: a copy of the model would run the model's."""

from collections.abc import Iterator
from functools import partial
from types import FunctionType
from typing import Any

from torch import nn

_DEPTH = 3  # of functions in functions, lists and dicts


def runs_its_own_modules(model: nn.Module) -> bool:
    """Whether a function in an attribute, such as a forward that is assigned, closes over modules of the model.

    A deep copy of the model keeps the function, and so runs these modules and not their copies.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2))
        >>> runs_its_own_modules(model)
        False
        >>> model.step = lambda x: model[0](x)
        >>> runs_its_own_modules(model)
        True
    """
    own = {id(module) for module in model.modules()}
    for module in model.modules():
        for name, value in vars(module).items():
            # Submodules, parameters and hooks are in dictionaries of these names.
            functions = [] if name.startswith("_") else functions_in(value)
            for function in functions:
                for held in _held(function):
                    if isinstance(held, nn.Module) and id(held) in own and _runs_modules(function, held):
                        return True
    return False


def functions_in(value: Any) -> Iterator[FunctionType]:
    """The plain functions in a function that closes over them, partial, list, tuple or dict, each once."""
    found: dict[int, FunctionType] = {}
    _find(value, _DEPTH, found)
    return iter(found.values())


def _find(value: Any, depth: int, found: dict[int, FunctionType]) -> None:
    if isinstance(value, FunctionType):
        if id(value) in found:
            return
        found[id(value)] = value
        inner = _held(value)
    elif isinstance(value, partial):
        inner = [value.func, *value.args, *value.keywords.values()]
    elif isinstance(value, dict):
        inner = list(value.values())
    else:
        inner = list(value) if isinstance(value, list | tuple) else []
    for item in inner if depth else ():
        _find(item, depth - 1, found)


def _held(function: FunctionType) -> list[Any]:
    """What a function closes over, has as defaults, or finds by name where it was written, as in a notebook."""
    held = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    names, values = function.__code__.co_names, function.__globals__
    held += [values[name] for name in names if isinstance(values.get(name), nn.Module | FunctionType | partial)]
    for cell in function.__closure__ or ():
        try:
            held.append(cell.cell_contents)
        except ValueError:  # it is not filled yet
            continue
    return held


def _runs_modules(function: FunctionType, held: nn.Module) -> bool:
    """Whether a module has no modules of its own, and so runs itself, or the function names one that it has."""
    children = dict(held.named_children())
    return not children or not set(function.__code__.co_names).isdisjoint(children) or isinstance(held, nn.Sequential)
