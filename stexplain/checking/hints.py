"""Annotations as predicates: whether a value is what an annotation says."""

import ast
import collections.abc
import functools
import inspect
import math
import numbers
import operator
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Fits = Callable[[Any], bool]
Names = Mapping[str, Any]


@dataclass(frozen=True)
class Check:
    """What an argument is compared with.

    Attributes:
        name: of the argument.
        hint: its annotation.
        names: what names in text in it stand for.
        fits: whether a value is what the annotation says.

    Example:
        >>> Check("digits", int, {}, predicate(int, {})).fits("2")
        False
    """

    name: str
    hint: Any
    names: Names
    fits: Fits


_FURTHER: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


def checks_of(function: Any) -> dict[str, Check]:
    """The checks of a function's arguments by name; ``"*"`` and ``"**"`` are those of further ones.

    Args:
        function: with annotations, which may be text.

    Example:
        >>> def mean(values: list[float], digits: int = 2): ...
        >>> sorted(checks_of(mean))
        ['digits', 'values']
    """
    names = _Names(sys.modules[function.__module__], _inherited_from(function))
    checks = {}
    for parameter in inspect.signature(function).parameters.values():
        hint = evaluated(parameter.annotation, names)
        if parameter.kind is parameter.VAR_KEYWORD and typing.get_origin(hint) is typing.Unpack:
            options = evaluated(typing.get_args(hint)[0], names)
            for name, each in options.__annotations__.items():
                option = evaluated(each, names)
                checks[name] = Check(name, option, names, predicate(option, names))
        elif hint is not parameter.empty:
            key = _FURTHER.get(parameter.kind, parameter.name)
            checks[key] = Check(parameter.name, hint, names, _or_default(predicate(hint, names), parameter.default))
    return {key: check for key, check in checks.items() if check.fits is not _anything}


def predicate(hint: Any, names: Names) -> Fits:
    """Whether a value is what an annotation says.

    Args:
        hint: the annotation.
        names: what names in text stand for.

    Example:
        >>> fits = predicate(typing.Sequence[int], {})
        >>> fits([1, 2]), fits([1, "2"]), fits({1, 2})
        (True, False, False)
    """
    hint = evaluated(hint, names)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return predicate(inner[0], names)
    if origin is typing.Literal:
        return lambda value: any(type(value) is type(one) and value == one for one in inner)
    if origin in (typing.Union, types.UnionType):
        return _union(inner, names)
    if origin is not None and inspect.isclass(origin):
        return _generic(origin, inner, names)
    plain: dict[Any, Fits] = {
        int: _is_integer, float: _is_number, bool: _is_truth, None: lambda value: value is None,
        types.NoneType: lambda value: value is None, object: _anything, Any: _anything, Callable: callable,
    }  # fmt: skip
    with_hash = hint if isinstance(hint, typing.Hashable) else Any
    if with_hash in plain:
        return plain[with_hash]
    if isinstance(hint, Later):
        return hint.holds
    if inspect.isclass(hint) and hint in (collections.abc.Callable, collections.abc.Iterable, collections.abc.Sequence):
        return callable if hint is collections.abc.Callable else _generic(hint, (), names)
    if getattr(hint, "_is_protocol", False):
        members = [name for name in {**vars(hint), **inspect.get_annotations(hint)} if not name.startswith("_")]
        return lambda value: all(hasattr(value, name) for name in members)
    if inspect.isclass(hint) and not typing.is_typeddict(hint):
        return lambda value: isinstance(value, hint)
    return _anything


# ---- the kinds of annotations ----


def _anything(value: Any) -> bool:
    return True


def _or_default(fits: Fits, default: Any) -> Fits:
    # What a function gives itself needs no check, such as a limit that is infinite.
    if fits is _anything or default is inspect.Parameter.empty:
        return fits
    if isinstance(default, float) and not math.isfinite(default):
        return lambda value: fits(value) or (isinstance(value, numbers.Real) and not isinstance(value, bool))
    return lambda value: value is default or fits(value)


def _is_integer(value: Any) -> bool:
    if type(value) is int:
        return True
    if isinstance(value, bool) or "bool" in str(getattr(value, "dtype", "")):
        return False
    try:
        operator.index(value)
    except (TypeError, RuntimeError, ValueError):  # torch raises one of its own for several values
        return False
    return True


def _is_number(value: Any) -> bool:
    if type(value) is float:
        return math.isfinite(value)
    if isinstance(value, bool):
        return False
    if not isinstance(value, numbers.Real) and getattr(value, "ndim", None) != 0:
        return False
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return False


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")


def _union(inner: tuple[Any, ...], names: Names) -> Fits:
    # `ArrayLike` is a union of private names of numpy: one stands for all.
    parts = [evaluated(one, names) for one in inner]
    if any(is_of_arrays(one) for one in parts):
        # Text is a part of it too, and no array here; a text that stands before it is one of its own, such as a name.
        first = next(at for at, one in enumerate(parts) if is_of_arrays(one))
        kept = [one for at, one in enumerate(parts) if at < first or one not in (bytes, str, complex)]
        left = [one for one in kept if not is_of_arrays(one)]
        tests = [is_array_like, *(predicate(one, names) for one in left)]
    else:
        tests = [predicate(one, names) for one in parts]
    if _anything in tests:
        return _anything
    return lambda value: any(test(value) for test in tests)


def is_of_arrays(hint: Any) -> bool:
    """Whether it is a part of numpy's `ArrayLike`."""
    return getattr(typing.get_origin(hint) or hint, "__module__", "").startswith("numpy._typing")


def is_array_like(value: Any) -> bool:
    """Whether numpy makes an array of it, of numbers, times or text: not of anything else, nor of unequal rows."""
    import numpy as np

    if isinstance(value, str | bytes | collections.abc.Set | collections.abc.Mapping) or value is None:
        return False
    if hasattr(value, "detach"):
        return _is_plain_tensor(value)
    try:
        array = np.asarray(value)
    except Exception:  # whatever an object raises of itself as an array
        return False
    if array.dtype.kind == "O":
        return bool(array.size) and all(isinstance(one, str | numbers.Real) for one in array.ravel())
    return array.dtype.kind in "biufUmM"


def _is_plain_tensor(value: Any) -> bool:
    """Whether a tensor has values, real ones, which numpy can hold."""
    return (
        not getattr(value, "is_meta", False)
        and str(getattr(value, "layout", "torch.strided")) == "torch.strided"
        and "complex" not in str(value.dtype)
    )


def _generic(origin: Any, inner: tuple[Any, ...], names: Names) -> Fits:
    if origin.__module__.startswith("numpy") and origin.__name__ == "ndarray":
        return _array(inner)
    if origin is collections.abc.Callable:
        return callable
    if origin is type:
        return inspect.isclass
    if issubclass(origin, collections.abc.Mapping):
        key, item = [predicate(one, names) for one in inner] if len(inner) == 2 else (_anything, _anything)
        return lambda value: isinstance(value, origin) and all(key(name) and item(one) for name, one in value.items())
    if origin is tuple and inner and Ellipsis not in inner:
        each = [predicate(one, names) for one in inner]
        return lambda value: (
            is_list(value)
            and not isinstance(value, str)
            and len(value) == len(each)
            and all(fits(one) for fits, one in zip(each, value, strict=True))
        )
    item = predicate(inner[0], names) if inner else _anything
    if issubclass(origin, collections.abc.Set):
        return lambda value: isinstance(value, origin) and all(item(one) for one in value)
    if origin in (list, tuple, collections.abc.Sequence):
        return lambda value: is_list(value) and (item is _anything or all(item(one) for one in value))
    if origin is collections.abc.Iterable:
        return lambda value: (
            _is_iterable(value) and (item is _anything or not is_list(value) or all(item(one) for one in value))
        )
    return lambda value: isinstance(value, origin)


def is_list(value: Any) -> bool:
    """Whether it has entries with an order and a length: a list, a tuple, an array's first axis, an index."""
    if isinstance(value, collections.abc.Sequence):
        return not isinstance(value, bytes)
    # Arrays, tensors, and an index or a column of pandas.
    return hasattr(value, "__len__") and hasattr(value, "dtype") and getattr(value, "ndim", 0) > 0


def _is_iterable(value: Any) -> bool:
    # A set has no order, and a mapping is iterated by its keys alone.
    if isinstance(value, bytes | collections.abc.Set | collections.abc.Mapping) or inspect.isclass(value):
        return isinstance(value, collections.abc.KeysView)
    return isinstance(value, Iterable) and getattr(value, "ndim", 1) > 0


def _array(inner: tuple[Any, ...]) -> Fits:
    import numpy as np

    kind = typing.get_args(inner[1])[0] if len(inner) == 2 and typing.get_args(inner[1]) else Any
    of_numbers = inspect.isclass(kind) and issubclass(kind, np.number | np.bool_)
    kinds = "biuf" if of_numbers else "biufUmMO"
    return lambda value: isinstance(value, np.ndarray) and value.dtype.kind in kinds


# ---- names ----


class Later:
    """A class of a library that may not be imported: nothing is of it before."""

    def __init__(self, module: str, path: str = "") -> None:
        self.module, self.path = module, path

    def __getattr__(self, name: str) -> "Later":
        if name.startswith("__"):
            raise AttributeError(name)
        return Later(self.module, f"{self.path}.{name}".strip("."))

    def __or__(self, other: Any) -> Any:
        return self._hint() | other

    def __ror__(self, other: Any) -> Any:
        return other | self._hint()

    def __getitem__(self, inner: Any) -> "Later":
        return self

    def _hint(self) -> Any:
        return typing.Annotated[object, self]

    @property
    def __name__(self) -> str:
        return self.path.rpartition(".")[2] or self.module

    def holds(self, value: Any) -> bool:
        """Whether a value is of the class."""
        found: Any = sys.modules.get(self.module)
        for part in self.path.split("."):
            found = getattr(found, part, None)
        return found is not None and isinstance(value, found)


class _Names(dict[str, Any]):
    """The names in a module, those too that it imports for type checkers alone."""

    def __init__(self, module: types.ModuleType, inherited: Sequence[types.ModuleType] = ()) -> None:
        super().__init__(vars(module))
        self.module, self.inherited = module, inherited

    def __missing__(self, name: str) -> Any:
        for module in self.inherited:
            if name in vars(module):
                self[name] = vars(module)[name]
                return self[name]
        if name in _checker_imports(self.module.__name__):
            home, attribute = _checker_imports(self.module.__name__)[name]
            if home.startswith("stexplain"):
                loaded = __import__(home, fromlist=["_"])
                self[name] = getattr(loaded, attribute) if attribute else loaded
            else:
                self[name] = Later(home, attribute)
            return self[name]
        raise KeyError(name)


def _inherited_from(function: Any) -> list[types.ModuleType]:
    """The modules of the classes that a method's class derives from: a dataclass has their fields' annotations."""
    home = getattr(sys.modules[function.__module__], getattr(function, "__qualname__", "").split(".")[0], None)
    return [sys.modules[base.__module__] for base in getattr(home, "__mro__", ())[1:]]


@functools.cache
def _checker_imports(module: str) -> dict[str, tuple[str, str]]:
    """What a module imports under ``if TYPE_CHECKING``: module and attribute by name."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.walk(ast.parse(inspect.getsource(sys.modules[module]))):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            for line in node.body:
                if isinstance(line, ast.ImportFrom):
                    found |= {one.asname or one.name: (line.module or "", one.name) for one in line.names}
                elif isinstance(line, ast.Import):
                    found |= {one.asname or one.name: (one.name, "") for one in line.names}
    return found


def evaluated(hint: Any, names: Names) -> Any:
    """An annotation that is text, or has text in it, as what it stands for."""
    if isinstance(hint, typing.ForwardRef):
        # Options that are inherited name what their own module imports.
        module = hint.__forward_module__
        names = _Names(sys.modules[module]) if isinstance(module, str) else names
        hint = hint.__forward_arg__
    if isinstance(hint, str):
        hint = eval(hint, {}, names)
    if typing.get_origin(hint) is typing.Annotated and isinstance(typing.get_args(hint)[1], Later):
        return typing.get_args(hint)[1]
    return Any if isinstance(hint, typing.TypeVar) or hint is typing.Self else hint
