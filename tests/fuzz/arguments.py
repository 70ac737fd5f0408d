"""Arguments of what no example calls: what its annotations take, small, and what other public calls gave."""

import collections.abc
import functools
import inspect
import itertools
import random
import tempfile
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from stexplain.checking.hints import Later, Names, is_of_arrays, predicate
from stexplain.checking.words import parts_of
from tests.fuzz.examples import Entry, _recorded, entries

ATTEMPTS = 60
"""So many combinations of arguments are tried."""
WORDS = ("a", "b", "c", "no", "yes", "node", "time", "auroc", "highlighted", "nw-ucla", "stgcn7", "kinect-v2", "cpu")
_MOST = 12
"""So many values are taken of a kind."""


def combinations(parameters: list[tuple[str, list[Any]]], name: str) -> Iterator[dict[str, Any]]:
    """Choices of one value for each parameter: the first of each, then as they are drawn, by the name alone."""
    draw = random.Random(name)
    if all(values for _, values in parameters):
        for number in range(ATTEMPTS):
            yield {key: values[0] if number == 0 else draw.choice(values) for key, values in parameters}


def values_of(hint: Any, names: Names, known: list[Any]) -> list[Any]:
    """Values that an annotation takes.

    Args:
        hint: the annotation.
        names: what text in it stands for.
        known: objects to choose from, beside those that public calls give.
    """
    found: list[Any] = []
    for part in parts_of(hint, names):
        found += _values(part, names, known)
    return found[: 3 * _MOST]


def _values(hint: Any, names: Names, known: list[Any]) -> list[Any]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return list(inner)
    if origin is typing.Annotated:
        return values_of(inner[0], names, known)
    if hint is None or hint is type(None):
        return [None]
    if isinstance(hint, Later):
        return [one for one in known if hint.holds(one)]
    if getattr(origin or hint, "__name__", "") == "ndarray" or is_of_arrays(hint):
        return [one for one in known if isinstance(one, np.ndarray)][:_MOST] + arrays()
    if inspect.isclass(origin):
        return _generic(origin, inner, names, known)
    if hint is Callable or hint is collections.abc.Callable:
        return [lambda *args, **named: None]
    if hint in (Any, object) or not inspect.isclass(hint):
        return [*known[:_MOST], *arrays(), "a", 1]
    plain: dict[Any, Callable[[], list[Any]]] = {
        bool: lambda: [False, True], int: lambda: [1, 0, 2, 5], float: lambda: [0.5, 1.0, 5.0, 0.1],
        str: lambda: [*strings(known), *WORDS], slice: lambda: [slice(0, 2)],
        Path: lambda: [one for one in known if isinstance(one, Path)] + paths(),
        pd.DataFrame: lambda: [one for one in known if isinstance(one, pd.DataFrame)] + tables(known),
        torch.Tensor: lambda: [one for one in known if isinstance(one, torch.Tensor)][:_MOST] + tensors(),
        torch.device: lambda: [torch.device("cpu")],
    }  # fmt: skip
    if hint in plain:
        return plain[hint]()
    if getattr(hint, "_is_protocol", False):
        return [one for one in known if predicate(hint, names)(one)]
    here = [one for one in known if isinstance(one, hint)]
    return here[:_MOST] or instances(hint)[:_MOST]


def _generic(origin: Any, inner: tuple[Any, ...], names: Names, known: list[Any]) -> list[Any]:
    if origin is collections.abc.Callable:
        return [lambda *args, **named: None]
    if origin is type:
        return [object]
    if origin is tuple and inner and Ellipsis not in inner:
        each = [values_of(one, names, known)[:3] for one in inner]
        return [tuple(one) for one in itertools.islice(itertools.product(*each), 9)]
    if issubclass(origin, collections.abc.Mapping):
        keys, items = (values_of(one, names, known) for one in inner) if len(inner) == 2 else (["a"], [1])
        here = [one for one in known if isinstance(one, dict) and one]
        return here[:_MOST] + [{key: items[0]} for key in keys[:_MOST] if items]
    if issubclass(origin, collections.abc.Iterable) and inner:
        items = values_of(inner[0], names, known)
        return [[one] for one in items[:_MOST]] + [items[:2], items[:3]]
    return [one for one in known if isinstance(one, origin)] or instances(origin)


# ---- objects of a class ----

_MADE: dict[Any, list[Any]] = {}
_MAKING: set[Any] = set()


def instances(kind: Any) -> list[Any]:
    """Objects of a class of this package: of examples, else what a public function that returns one gives."""
    if kind in _MADE or kind in _MAKING:
        return _MADE.get(kind, [])
    _MAKING.add(kind)
    try:
        found = _instances(kind)
    finally:
        _MAKING.discard(kind)
    # While another class was being made of this one, something may have been missing.
    if found or not _MAKING:
        _MADE[kind] = found
    return found


def _instances(kind: Any) -> list[Any]:
    from tests.fuzz.examples import valid_calls
    from tests.fuzz.objects import objects

    found = [one for one in objects() if isinstance(one, kind)]
    givers = list(_givers(kind))
    owners = [kind, *(giver.owner if not giver.method else _static(giver) for giver in givers)]
    for owner in owners:
        found += [one for one in _recorded(owner)[1] if isinstance(one, kind)]
        if len(found) >= _MOST:
            return found
    for giver in givers if not found else ():
        for call in valid_calls(giver)[:1]:
            try:
                result = call.function(*call.args, **call.named)
            except Exception:  # the next may give one
                continue
            found += [one for one in (result, *_parts_of_result(result)) if isinstance(one, kind)]
        if found:
            break
    return found


def _givers(kind: Any) -> Iterator[Entry]:
    """What public functions return such an object, or one of a class that derives from it."""
    for entry in entries():
        given = str(getattr(entry.function, "__annotations__", {}).get("return", ""))
        if entry.owner is kind:
            gives = "Self" in given
        else:
            gives = kind.__name__ in given or (entry.method == "__init__" and issubclass(entry.owner, kind))
        if gives:
            yield entry


def _static(entry: Entry) -> Any:
    return entry.owner if entry.method == "__init__" else inspect.getattr_static(entry.owner, entry.method)


def _parts_of_result(result: Any) -> list[Any]:
    if isinstance(result, dict):
        return list(result.values())
    return list(result) if isinstance(result, list | tuple) else []


# ---- small values ----


def arrays() -> list[Any]:
    """Of the sizes that a small graph, batch or table has."""
    draw = np.random.default_rng(0)
    shapes = ((3,), (4,), (4, 3), (3, 3), (2, 2), (3, 2), (8, 3), (4, 1, 8, 3), (1, 8, 3))
    return [draw.random(shape) for shape in shapes] + [np.arange(3), np.array([0, 1]), np.ones((4, 3), bool)]


def tensors() -> list[Any]:
    """Outputs of a small model, and what goes into one."""
    draw = torch.Generator().manual_seed(0)
    shapes = ((4, 2), (2, 3), (4, 1, 8, 3, 2), (2, 2, 3), (4, 1, 4, 3, 1), (1, 1, 12, 3, 1), (3,))
    return [torch.randn(shape, generator=draw) for shape in shapes]


def strings(known: list[Any]) -> list[str]:
    """Names that objects hold: keys of what they are made of, columns of tables."""
    found: dict[str, None] = {}
    for one in known[:_MOST]:
        for value in [one, *getattr(one, "__dict__", {}).values()]:
            keys = value if isinstance(value, dict) else getattr(value, "columns", ())
            found |= dict.fromkeys(key for key in keys if isinstance(key, str))
            inner = value.values() if isinstance(value, dict) else ()
            for each in inner:
                found |= dict.fromkeys(key for key in each if isinstance(key, str)) if isinstance(each, dict) else {}
            if isinstance(value, list | tuple) and value and all(isinstance(name, str) for name in value):
                found |= dict.fromkeys(value)
    return list(found)[:_MOST]


def tables(known: list[Any]) -> list[Any]:
    """Tables that objects give of themselves."""
    found = []
    for one in known[:_MOST]:
        for name in ("to_frame", "summary", "to_pandas", "table"):
            made = getattr(one, name, None)
            try:
                made = made() if callable(made) else made
            except Exception:  # it takes arguments
                continue
            if isinstance(made, pd.DataFrame):
                found.append(made)
    return found or [pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})]


@functools.cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-arguments-"))


def paths() -> list[Path]:
    """To write to, of kinds that are written; nothing is there."""
    return [_folder() / f"new-{random.getrandbits(40)}{end}" for end in (".json", ".npz", ".html", ".png", "", ".csv")]
