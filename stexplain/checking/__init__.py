"""One clear error where an argument is of another type than a function takes, and none from deep inside.

`checked` stands at the entrances, where users call. What an annotation cannot say, such as a range or a shape, is
checked by the function itself.
"""

import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from stexplain.checking.hints import Check, checks_of
from stexplain.checking.notices import warn_caller as warn_caller
from stexplain.checking.words import misfit
from stexplain.errors import StexplainError

T = TypeVar("T", bound=Callable[..., Any])

_SPECIAL = ("__init__", "__call__", "__getitem__")


def checked(entrance: T) -> T:
    """A function, or a class with its public methods, that names an argument that is not what its annotation says.

    Where a call fails with anything but an error of this package, its arguments are compared with their annotations,
    and the first that does not fit is named. A call that succeeds, or says itself what is wrong, is left alone; but
    a set in the place of a list is refused at once, as its order is by chance.

    An integer is any integer but True and False; a number is finite; a list is anything with an order and a length; an
    array holds numbers. Arguments that are annotated with `Any` are not compared, nor is a default.

    Args:
        entrance: a function or a class.

    Returns:
        The function, wrapped; or the class itself, its methods wrapped. Of a torch module, the constructor alone.

    Raises:
        InputError: naming the argument, what it got and expected; the first error is its cause.

    Example:
        >>> @checked
        ... def mean(values: list[float], digits: int = 2) -> float:
        ...     return round(sum(values) / len(values), digits)
        >>> mean([1, 2.5])
        1.75
        >>> mean([1, 2.5], digits="2")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: digits: got '2'; expected an integer.
        >>> mean([1, None])
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: values: got None at index 1; expected a finite number.
        >>> mean({1, 2.5})
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: values: got {1, 2.5}; expected a list of a finite number. Give a list: ...
    """
    if not inspect.isclass(entrance):
        wrapped: T = _checked_function(entrance)
        return wrapped
    # What torch calls itself is left as it is: tracing looks into it.
    torch = sys.modules.get("torch")
    is_module = torch is not None and issubclass(entrance, torch.nn.Module)
    for name, value in list(vars(entrance).items()):
        if name != "__init__" and (is_module or (name.startswith("_") and name not in _SPECIAL)):
            continue
        if inspect.isfunction(value):
            setattr(entrance, name, _checked_function(value))
        elif isinstance(value, classmethod | staticmethod):
            setattr(entrance, name, type(value)(_checked_function(value.__func__)))
    return entrance


def _checked_function(function: Any) -> Any:
    # Twice would be once too often: a base class may have done it.
    if not isinstance(function, types.FunctionType) or hasattr(function, "__checked__"):
        return function

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        for value in (*args, *named.values()):
            if type(value) in (set, frozenset):
                _refuse(function, args, named)
        try:
            return function(*args, **named)
        except StexplainError:
            raise
        except Exception as error:
            _refuse(function, args, named, error)
            # Its arguments are what they should be: an error of a model, a file, or of this package.
            raise

    call.__dict__["__checked__"] = True
    return call


def _refuse(function: Any, args: tuple[Any, ...], named: dict[str, Any], cause: Exception | None = None) -> None:
    """Raises for the first argument that does not fit its annotation, if any."""
    for check, name, value in _compared(function, args, named):
        if not check.fits(value):
            raise misfit(name, value, check) from cause


def _compared(function: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Iterator[tuple[Check, str, Any]]:
    checks = _checks(function)
    positional = function.__code__.co_varnames[: function.__code__.co_argcount]
    for name, value in zip(positional, args, strict=False):
        if name in checks:
            yield checks[name], name, value
    if "*" in checks:
        for value in args[len(positional) :]:
            yield checks["*"], checks["*"].name, value
    for name, value in named.items():
        check = checks.get(name) or checks.get("**")
        if check is not None:
            yield check, name, value


# Not at import: what annotations name may not be there before, or be slow to import.
_checks = functools.cache(checks_of)
