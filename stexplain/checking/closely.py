"""What an annotation allows and hardly any function can use: looked for where a call has failed, and only there."""

import collections.abc
import inspect
import numbers
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from stexplain.checking.hints import Check, Names, evaluated, is_of_arrays
from stexplain.checking.values import as_numbers, dense
from stexplain.checking.words import parts_of, shown
from stexplain.errors import InputError

COUNT = 10**12
"""So many of anything are too many for the memory of a machine."""


def refuse_oddity(name: str, value: Any, check: Check) -> None:
    """Raises for a value that fits its annotation in the letter alone.

    These are a tensor without values at all places, text or times in the place of numbers, an array of one integer in
    the place of an integer, an array or a column of a table in the place of a list, and an integer beyond any size.

    Args:
        name: of the argument.
        value: that it got.
        check: what its annotation says.

    Raises:
        InputError: naming the argument, what it got and expected.

    Example:
        >>> import numpy as np
        >>> refuse_oddity("seed", np.array(3), Check("seed", int, {}, bool))
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: seed: got array(3); expected an integer. Use int(...).
    """
    if value is None:
        return
    parts = [one for one in parts_of(check.hint, check.names) if one is not type(None)]
    if hasattr(value, "detach"):
        dense(name, value)
    if any(is_of_arrays(one) for one in parts):
        as_numbers(name, value)
    if int in parts and float not in parts and hasattr(value, "dtype") and not isinstance(value, numbers.Integral):
        raise InputError(f"{name}: got {shown(value)}; expected an integer. Use int(...).")
    if any(_is_list(one) for one in parts) and hasattr(value, "dtype") and hasattr(value, "tolist"):
        raise InputError(f"{name}: got {shown(value)}; expected a list. Use .tolist() of it.")
    if float not in parts:
        for one in _integers(value):
            if abs(one) >= COUNT:
                raise InputError(f"{name}: got {shown(one)}; expected a number of ordinary size.")


def is_plain(hint: Any, names: Names) -> bool:
    """Whether an annotation is of Python's own types alone, for which nothing else can stand in.

    Args:
        hint: the annotation.
        names: what names in text in it stand for.

    Example:
        >>> is_plain(typing.Sequence[int] | None, {}), is_plain(Check, {}), is_plain(Callable[[Check], int], {})
        (True, False, True)
    """
    hint = evaluated(hint, names)
    origin = typing.get_origin(hint)
    if origin in (typing.Literal, collections.abc.Callable) or hint is Callable:
        return True
    if origin is not None:
        return all(is_plain(one, names) for one in typing.get_args(hint) if one is not Ellipsis)
    return hint is None or (inspect.isclass(hint) and hint.__module__ in ("builtins", "pathlib"))


def _is_list(hint: Any) -> bool:
    origin = typing.get_origin(hint)
    return inspect.isclass(origin) and issubclass(origin, Sequence)


def _integers(value: Any) -> Iterator[int]:
    """An integer itself, or those in a list."""
    for one in value if isinstance(value, list | tuple) else (value,):
        if isinstance(one, int):
            yield one
