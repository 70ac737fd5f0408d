"""Puts a mutant into modules that are imported already, so that a process need not import them again."""

import functools
import gc
import inspect
import sys
import types
from collections.abc import Iterator
from typing import Any

from tests.mutation.mutants import Mutant

_PLAIN = (int, float, bool, str, tuple, frozenset, dict, type(None))


def graft(module: types.ModuleType, mutant: Mutant) -> None:
    """Changes a live module: a function gets the mutant's code, whoever holds it.

    A change at the level of the module or a class is of defaults and of plain values, which are put in their places.

    Raises:
        LookupError: where the function is not found.
        ValueError: where the code does not fit, as it needs another closure.
    """
    code = compile(mutant.tree, module.__file__ or "", "exec")
    if not mutant.function:
        _graft_values(module, code)
        return
    if not put_code(module, code, mutant.function):
        raise LookupError(mutant.function)
    inner = f"{mutant.function}.<locals>."
    for one in _codes(code):
        if one.co_qualname.startswith(inner):
            for function in made_before().get((module.__name__, one.co_qualname, one.co_firstlineno), []):
                function.__code__ = one


@functools.cache
def made_before() -> dict[tuple[str, str, int], list[types.FunctionType]]:
    """Functions that others have made, such as while tests were collected: they keep the code that they were made of.

    By module, qualified name and line. What was looked for once is kept.
    """
    found: dict[tuple[str, str, int], list[types.FunctionType]] = {}
    for one in gc.get_objects():
        if type(one) is types.FunctionType and "<locals>" in one.__code__.co_qualname:
            key = one.__module__, one.__code__.co_qualname, one.__code__.co_firstlineno
            found.setdefault(key, []).append(one)
    return found


def put_code(module: types.ModuleType, code: types.CodeType, only: str = "") -> int:
    """Gives the live functions of a module the code of those of the same name and line; says how many.

    Args:
        module: that is imported.
        code: of the whole module, compiled.
        only: the qualified name of a function; default: all.

    Raises:
        ValueError: where the code of a function needs another closure.
    """
    live, put = dict(_functions(module)), 0
    for one in _codes(code):
        for function in live.get(one.co_qualname, []) if only in ("", one.co_qualname) else []:
            if function.__code__.co_firstlineno == one.co_firstlineno:
                function.__code__ = one
                put += 1
                break
    return put


def _graft_values(module: types.ModuleType, code: types.CodeType) -> None:
    fresh = types.ModuleType(module.__name__)
    fresh.__dict__.update(__file__=module.__file__, __package__=module.__package__)
    # Dataclasses look their module up.
    sys.modules[module.__name__] = fresh
    try:
        exec(code, fresh.__dict__)  # our own source, changed
    finally:
        sys.modules[module.__name__] = module
    new = dict(_functions(fresh))
    for name, functions in _functions(module):
        for function, other in zip(functions, new.get(name, []), strict=False):
            function.__defaults__, function.__kwdefaults__ = other.__defaults__, other.__kwdefaults__
    for holder, other in [(module, fresh), *_classes(module, fresh)]:
        for name, value in list(vars(other).items()):
            before = vars(holder).get(name)
            same_kind = isinstance(value, _PLAIN) and type(before) is type(value)
            if same_kind and before != value and not name.startswith("__"):
                setattr(holder, name, value)
                _put_into_importers(name, before, value)
    # What looks for subclasses must not find those of the fresh module.
    del fresh, new, other
    gc.collect()


def _put_into_importers(name: str, before: Any, value: Any) -> None:
    """Of a constant that other modules imported by its name."""
    for module in list(sys.modules.values()):
        ours = module is not None and module.__name__.startswith(("stexplain", "tests"))
        if ours and vars(module).get(name) is before:
            setattr(module, name, value)


def _classes(module: types.ModuleType, fresh: types.ModuleType) -> list[tuple[Any, Any]]:
    own = [name for name, one in vars(module).items() if inspect.isclass(one) and one.__module__ == module.__name__]
    return [(vars(module)[name], vars(fresh)[name]) for name in own]


def _functions(module: types.ModuleType) -> Iterator[tuple[str, list[types.FunctionType]]]:
    """The functions of a module and of its classes, by qualified name; several where one wraps another."""
    holders: list[tuple[str, Any]] = [("", module)]
    for name, value in list(vars(module).items()):
        if inspect.isclass(value) and value.__module__ == module.__name__:
            holders.append((f"{name}.", value))
    for prefix, holder in holders:
        for name, value in list(vars(holder).items()):
            found = list(_within(value))
            if found and (prefix or found[0].__module__ == module.__name__):
                yield f"{prefix}{name}", found


def _within(value: Any) -> Iterator[types.FunctionType]:
    for attribute in ("fget", "__func__", "func", "__wrapped__"):
        inner = vars(type(value)).get(attribute) is not None or attribute in getattr(value, "__dict__", {})
        if inner and not isinstance(value, functools.partial) and (held := getattr(value, attribute, None)) is not None:
            yield from _within(held)
    if isinstance(value, types.FunctionType):
        yield value


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _codes(constant)
