"""What would lose its mask or its names on the way in: masked arrays, and tables that are not of pandas."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from stexplain.errors import InputError
from stexplain.wording import an

T = TypeVar("T", bound=Callable[..., Any])

_SIGNALS = ("x", "values")
_TABLES = {"polars": ("DataFrame", "LazyFrame"), "pyarrow": ("Table", "RecordBatch")}


def takes_masks(*names: str, in_lists: bool = False) -> Callable[[T], T]:
    """Marks a function that keeps the masks of these arguments; `checked` refuses masked arrays in all others.

    Args:
        *names: of its arguments.
        in_lists: whether masked arrays in a list are kept, too.

    Returns:
        What marks a function, which is returned as it is.

    Example:
        >>> import numpy as np
        >>> from stexplain.checking import checked
        >>> @checked
        ... @takes_masks("x")
        ... def seen(x: np.ndarray) -> int:
        ...     return int(x.count())
        >>> seen(np.ma.masked_equal([1, 0, 2], 0))
        2
    """

    def mark(function: T) -> T:
        function.__dict__["__takes_masks__"] = (names, in_lists)
        return function

    return mark


def can_be_lost(value: Any) -> bool:
    """Whether a value, or an entry of a list, has a mask or names that numpy drops as it makes an array of it.

    Args:
        value: an argument.

    Example:
        >>> import numpy as np
        >>> can_be_lost([np.zeros(2)]), can_be_lost([np.ma.masked_equal([1, 0], 0)])
        (False, True)
    """
    if isinstance(value, list | tuple):
        # One of each type is enough.
        return any(_is_lost(one) for one in {type(one): one for one in value}.values())
    return _is_lost(value)


def refuse_lost(function: Any, args: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Refuses arguments that `can_be_lost`, but for masked arrays where the function `takes_masks`.

    Args:
        function: that is called.
        args: its arguments by place.
        named: its arguments by name.

    Raises:
        InputError: with the remedy.

    Example:
        >>> import numpy as np
        >>> def total(x): return x.sum()
        >>> refuse_lost(total, (np.ma.masked_equal([1, 0], 0),), {})
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: x: got a masked array, whose mask would be lost; expected a plain one. Use ...
    """
    names = function.__code__.co_varnames
    last = names[function.__code__.co_argcount + function.__code__.co_kwonlyargcount :][:1]
    # What goes to *args has the name of these.
    by_place = [(names[at] if at < function.__code__.co_argcount else last[0], one) for at, one in enumerate(args)]
    takes, in_lists = getattr(function, "__takes_masks__", ((), False))
    for name, value in (*by_place, *named.items()):
        several = isinstance(value, list | tuple)
        for one in value if several else (value,):
            if _is_lost(one) and not (is_masked(one) and name in takes and (in_lists or not several)):
                raise InputError(f"{name}: {_remedy(one, name in _SIGNALS and 'observed' in names)}")


def is_masked(value: Any) -> bool:
    """Whether it is a masked array of numpy, or the constant that stands for a masked number."""
    # Where nobody imported the module there is none.
    module = sys.modules.get("numpy.ma")
    return module is not None and isinstance(value, module.MaskedArray)


def _is_lost(value: Any) -> bool:
    return is_masked(value) or _is_masked_tensor(value) or _foreign(value)


def _is_masked_tensor(value: Any) -> bool:
    return type(value).__name__ == "MaskedTensor" and type(value).__module__.startswith("torch.")


def _foreign(value: Any) -> bool:
    return type(value).__name__ in _TABLES.get(type(value).__module__.partition(".")[0], ())


def _remedy(value: Any, observed: bool) -> str:
    mask = " Give its mask as observed=, true where a value is there." if observed else ""
    if is_masked(value):
        return f"got a masked array, whose mask would be lost; expected a plain one. Use .filled(...) of it.{mask}"
    if _is_masked_tensor(value):
        return f"got a MaskedTensor, whose mask would be lost; expected a plain one. Use .to_tensor(0.0) of it.{mask}"
    kind, library = type(value).__name__, type(value).__module__.partition(".")[0]
    convert = f"{'.collect()' * (kind == 'LazyFrame')}.to_pandas()"
    return (
        f"got {an(kind)} of {library}; expected one of pandas, whose rows have names. Use {convert} of it, and "
        ".set_index(...) where a column names the rows or says their times."
    )
