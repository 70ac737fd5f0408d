"""What a value is, and what an annotation takes, in words."""

import collections.abc
import functools
import inspect
import operator
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

from stexplain.checking.hints import Check, Later, Names, evaluated, is_list, is_of_arrays, predicate
from stexplain.errors import InputError
from stexplain.wording import an

_NO_NAMES: Names = {}
LETTERS = 80
"""At most so much of a value is shown."""


def misfit(name: str, value: Any, check: Check) -> InputError:
    """The error for an argument that is not what its annotation says.

    Args:
        name: of the argument.
        value: that it got.
        check: what it was compared with.

    Example:
        >>> str(misfit("digits", "2", Check("digits", int, {}, predicate(int, {}))))
        "digits: got '2'; expected an integer."
    """
    place, wrong, expected = _place(value, check.hint, check.names)
    remedy = ""
    if isinstance(wrong, collections.abc.Set) and not isinstance(value, str):
        remedy = " Give a list: a set has no order."
    elif isinstance(wrong, collections.abc.Iterator):
        remedy = " Give list(...) of it."
    return InputError(f"{name}: got {shown(wrong)}{place}; expected {words(expected, check.names)}.{remedy}")


def _place(value: Any, hint: Any, names: Names) -> tuple[str, Any, Any]:
    """Where in an argument the misfit is, what is there, and what was expected: of a list the first that is wrong."""
    parts = [one for one in parts_of(hint, names) if one is not types.NoneType]
    of_lists = [typing.get_args(one)[0] for one in parts if typing.get_origin(one) in _LISTS and _of_one_kind(one)]
    if of_lists and is_list(value) and not isinstance(value, str):
        item = functools.reduce(operator.or_, [evaluated(one, names) for one in of_lists])
        fits = predicate(item, names)
        for index, one in enumerate(value):
            if not fits(one):
                return f" at index {index}", one, item
    of_mappings = [
        one for one in parts if inspect.isclass(kind := typing.get_origin(one)) and issubclass(kind, Mapping)
    ]
    if of_mappings and isinstance(value, Mapping) and len(typing.get_args(of_mappings[0])) == 2:
        keys, items = typing.get_args(of_mappings[0])
        for key, one in value.items():
            if not predicate(keys, names)(key):
                return " as a key", key, keys
            if not predicate(items, names)(one):
                return f" for {shown(key)}", one, items
    if any(is_of_arrays(one) for one in parts) and isinstance(value, list | tuple):
        return _wrong_numbers(value), value, hint
    return "", value, hint


def _of_one_kind(hint: Any) -> bool:
    inner = typing.get_args(hint)
    return inner[1:] in ((), (...,))


def _wrong_numbers(value: Any) -> str:
    """What is wrong with a list of numbers."""
    import numpy as np

    try:
        np.asarray(value)
    except Exception:  # of unequal rows, or whatever an object raises
        return ", with rows of unequal length"
    return ""


_LISTS = (list, tuple, collections.abc.Sequence, collections.abc.Iterable)


def shown(value: Any) -> str:
    """A value in a message: as it is where that is short, else what it is.

    Args:
        value: anything.

    Example:
        >>> shown("abc"), shown([1] * 100), shown(object)
        ("'abc'", 'a list of 100 entries', 'the class object')
    """
    if inspect.isclass(value):
        return f"the class {value.__name__}"
    name = type(value).__name__
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and hasattr(value, "dtype") and shape:
        return f"{an('array' if name == 'ndarray' else name)} of shape {tuple(shape)} and type {value.dtype}"
    if value is None or isinstance(value, bool | float | complex | str | bytes):
        text = repr(value)
        return text if len(text) <= LETTERS else f"{text[:LETTERS]}... ({len(text)} letters)"
    if isinstance(value, int):
        return repr(value) if abs(value) < 10**30 else "an integer of more than 30 digits"
    if isinstance(value, list | tuple | set | frozenset | dict | range):
        noun = f"{an(name)} of {len(value)} entr{'y' if len(value) == 1 else 'ies'}"
        simple = all(one is None or isinstance(one, int | float | str) for one in list(value)[:20])
        text = repr(value) if simple and not isinstance(value, dict) and len(value) <= 20 else ""
        return text if 0 < len(text) <= LETTERS else noun
    if isinstance(value, collections.abc.Iterator):
        return f"{an(name)}, which is used up once read"
    if inspect.isroutine(value):
        return f"the function {getattr(value, '__name__', '')}".rstrip()
    if isinstance(shape, tuple) and hasattr(value, "dtype"):
        return repr(value)[:LETTERS]
    return an(name)


def refuse_control(what: str, text: str) -> None:
    r"""Refuses text with characters that no page and no picture can hold, and that a terminal would obey.

    Args:
        what: it is, for the message.
        text: any; ends of lines and tabs may be in it.

    Example:
        >>> refuse_control("node 0", "\x1b[31mhip")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: node 0: got '\x1b[31mhip', which holds the control character '\x1b'. Replace it.
    """
    if found := CONTROL.search(text):
        raise InputError(f"{what}: got {shown(text)}, which holds the control character {found.group()!r}. Replace it.")


CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML does not allow, and those that are commands to a terminal."""


def words(hint: Any, names: Names = _NO_NAMES) -> str:
    """What an annotation takes, in words.

    Example:
        >>> words(typing.Sequence[str] | None), words(typing.Literal["a", "b"])
        ('a list of text, or None', "'a' or 'b'")
    """
    hint = evaluated(hint, names)
    parts = parts_of(hint, names)
    if len(parts) > 1:
        return _alternatives(parts, names)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return words(inner[0], names)
    if origin is typing.Literal:
        return " or ".join(repr(one) for one in inner)
    if getattr(origin or hint, "__name__", "") == "ndarray":
        return "an array of numbers"
    if origin is not None and inspect.isclass(origin):
        return _of_generic(origin, inner, names)
    if hint in _PLAIN:
        return _PLAIN[hint]
    return an(hint.__name__ if inspect.isclass(hint) or isinstance(hint, Later) else str(hint))


_PLAIN: dict[Any, str] = {
    int: "an integer", float: "a finite number", str: "text", bool: "True or False", types.NoneType: "None",
    None: "None", Any: "anything", object: "anything", collections.abc.Callable: "a function", complex: "a number",
}  # fmt: skip


def _of_generic(origin: Any, inner: tuple[Any, ...], names: Names) -> str:
    if origin is collections.abc.Callable:
        return "a function"
    if origin is type:
        return "a class"
    if issubclass(origin, collections.abc.Mapping):
        return f"a dict of {words(inner[1], names)} by {words(inner[0], names)}" if len(inner) == 2 else "a dict"
    if origin is tuple and inner and Ellipsis not in inner:
        return f"({', '.join(words(one, names) for one in inner)})"
    if issubclass(origin, collections.abc.Iterable) and inner:
        noun = "a set" if issubclass(origin, collections.abc.Set) else "a list"
        return noun if inner[0] is Any else f"{noun} of {words(inner[0], names)}"
    return an(origin.__name__)


def parts_of(hint: Any, names: Names) -> list[Any]:
    """The alternatives of an annotation; of one that has none, itself.

    Args:
        hint: the annotation.
        names: what names in text in it stand for.

    Example:
        >>> parts_of(int | list[int], {}), parts_of(int, {})
        ([<class 'int'>, list[int]], [<class 'int'>])
    """
    hint = evaluated(hint, names)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [evaluated(one, names) for one in typing.get_args(hint)]
    return [hint]


def _alternatives(parts: list[Any], names: Names) -> str:
    """One after the other, None last; what numpy takes for an array as one."""
    if any(is_of_arrays(one) for one in parts):
        parts = [one for one in parts if not (is_of_arrays(one) or one in (bytes, str, complex))]
        texts = ["numbers, as an array, a tensor or lists of equal length"]
    else:
        texts = []
    texts += [words(one, names) for one in parts if one not in (None, types.NoneType)]
    texts = list(dict.fromkeys(texts))
    none = ", or None" if any(one in (None, types.NoneType) for one in parts) else ""
    return (texts[0] if len(texts) == 1 else ", ".join(texts[:-1]) + f" or {texts[-1]}") + none
