"""One clear error where an argument is of another type than a function takes, and none from deep inside.

`checked` stands at the entrances, where users call. What an annotation cannot say, such as a range or a shape, is
checked by the function itself.
"""

import functools
import inspect
import numbers
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from stexplain.checking.closely import COUNT, is_plain, refuse_oddity
from stexplain.checking.hints import Check, checks_of
from stexplain.checking.lost import can_be_lost, refuse_lost
from stexplain.checking.lost import takes_masks as takes_masks
from stexplain.checking.notices import PACKAGE
from stexplain.checking.notices import SaidOnce as SaidOnce
from stexplain.checking.notices import warn_caller as warn_caller
from stexplain.checking.origin import raised_by_caller
from stexplain.checking.signatures import shown_signature as _shown_signature
from stexplain.checking.unknown import unfit_call
from stexplain.checking.words import misfit, parts_of, shown
from stexplain.errors import InputError, StexplainError

T = TypeVar("T", bound=Callable[..., Any])
C = TypeVar("C", bound=type[Any])

_SPECIAL = ("__init__", "__call__", "__getitem__")


def checked(entrance: T) -> T:
    """A function, or a class with its public methods, that names an argument that is not what its annotation says.

    Where a call fails with anything but an error of this package, its arguments are compared with their annotations,
    and the first that does not fit is named. A call that succeeds, or says itself what is wrong, is left alone; but
    a set in the place of a list is refused at once, as its order is by chance, an iterator, which may be used up, and a
    count of 10^12 and more.
    What a model or a function of the caller raises stays what it is, where the arguments of Python's own types fit.

    An integer is any integer but True and False; a number is finite; a list is anything with an order and a length; an
    array holds numbers. Arguments that are annotated with `Any` are not compared, nor is a default.

    Args:
        entrance: a function or a class.

    Returns:
        The function, wrapped; or the class itself, its methods wrapped. Of a torch module, `forward` is left as it is.

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
    # What torch calls itself is left as it is: tracing looks into it, and counts what a method takes.
    torch = sys.modules.get("torch")
    is_module = torch is not None and issubclass(entrance, torch.nn.Module)
    for name, value in list(vars(entrance).items()):
        if (is_module and name in ("forward", "__call__")) or (name.startswith("_") and name not in _SPECIAL):
            continue
        if inspect.isfunction(value):
            setattr(entrance, name, _checked_function(value))
        elif isinstance(value, classmethod | staticmethod):
            setattr(entrance, name, type(value)(_checked_function(value.__func__)))
    return entrance


def checked_kept(entrance: C) -> C:
    """A class as by `checked`, which keeps what its constructor gets: that is compared when it is made, too.

    After the constructor, which may say more of what is wrong.

    Args:
        entrance: the class.

    Example:
        >>> @checked_kept
        ... class Repeated:
        ...     def __init__(self, times: int) -> None:
        ...         self.times = times
        >>> Repeated("3")
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: times: got '3'; expected an integer.
    """
    made: Any = vars(entrance).get("__init__")
    if isinstance(made, types.FunctionType):

        @functools.wraps(made)
        def init(*args: Any, **named: Any) -> None:
            made(*args, **named)
            # What the package itself makes of what it got was compared where it came in. One frame up is `call`.
            if not sys._getframe(2).f_code.co_filename.startswith(PACKAGE):
                _refuse(made, args, named)

        entrance.__init__ = init
    return checked(entrance)


def _checked_function(function: Any) -> Any:
    # Twice would be once too often: a base class may have done it.
    if not isinstance(function, types.FunctionType) or hasattr(function, "__checked__"):
        return function

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        for value in (*args, *named.values()):
            if type(value) in (set, frozenset) or isinstance(value, Iterator):
                _refuse(function, args, named)
            elif type(value) is int and value >= COUNT:
                _refuse_sizes(function, args, named)
            elif can_be_lost(value):
                refuse_lost(function, args, named)
        try:
            return function(*args, **named)
        except (StexplainError, Warning):
            # A warning that its caller has turned into an error says itself what is the matter.
            raise
        except Exception as error:
            if isinstance(error, TypeError) and error.__traceback__ is not None and not error.__traceback__.tb_next:
                # Raised before the function began: the call does not fit it.
                is_method = function.__name__ in _SPECIAL and bool(args)
                raise unfit_call(error, function, named, type(args[0]) if is_method else None) from None
            # What the caller's own model or function raised is not for an argument that stands in for another.
            theirs = raised_by_caller(error, function)
            _refuse(function, args, named, error, plain=theirs)
            if not theirs:
                _refuse_oddities(function, args, named, error)
            # Its arguments are what they should be: an error of a model, a file, or of this package.
            raise

    call.__dict__["__checked__"] = True
    call.__dict__["__signature__"] = _shown_signature(function)
    return call


def check_arguments(entrance: Callable[..., Any], **named: Any) -> None:
    """Refuses arguments that are not what the annotations say, before the function goes on.

    For what only keeps its arguments, and would fail with them later.

    Args:
        entrance: the function that was called, such as ``Custom.__init__``.
        **named: its arguments.

    Raises:
        InputError: naming the first that does not fit.

    Example:
        >>> def keep(function: Callable[..., Any]) -> None:
        ...     check_arguments(keep, function=function)
        >>> keep(3)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: function: got 3; expected a function.
    """
    _refuse(inspect.unwrap(entrance), (), named)


def _refuse(
    function: Any,
    args: tuple[Any, ...],
    named: dict[str, Any],
    cause: Exception | None = None,
    *,
    plain: bool = False,
) -> None:
    """Raises for the first argument that does not fit its annotation, if any; plain: for those alone that are plain.

    Those with a plain annotation come first: in the place of a class something may stand that does as well.
    """
    compared = [(is_plain(one[0].hint, one[0].names), one) for one in _compared(function, args, named)]
    for is_of_python, (check, name, value) in sorted(compared, key=lambda one: not one[0]):
        if plain and not is_of_python:
            return
        if not check.fits(value):
            raise misfit(name, value, check) from cause
        # No generator of random numbers takes another; every function here calls it so.
        if name == "seed" and isinstance(value, numbers.Integral) and value < 0:
            raise InputError(f"seed: got {value}; expected an integer from 0.") from cause


def _refuse_sizes(function: Any, args: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Raises for a count that no memory holds so many of, which would take for ever."""
    for check, name, value in _compared(function, args, named):
        if name != "seed" and int in parts_of(check.hint, check.names) and type(value) is int and value >= COUNT:
            raise InputError(f"{name}: got {shown(value)}; expected a number of ordinary size.")


def _refuse_oddities(function: Any, args: tuple[Any, ...], named: dict[str, Any], cause: Exception) -> None:
    """Raises for what fits its annotation in the letter alone, where something failed."""
    for check, name, value in _compared(function, args, named):
        try:
            refuse_oddity(name, value, check)
        except InputError as error:
            raise error from cause


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
